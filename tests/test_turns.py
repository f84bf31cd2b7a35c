"""The members of a team take turns: whose turn it is on a day, how it passes on, and who hears when nobody can go."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select

from models import (
    account,
    agreement,
    institution_pairing,
    relaying,
    stints,
    substituting,
    team_member,
    turn_acts,
    turns,
)
from models import leave as leaves
from models import team as team_model
from models.database import Database
from models.outbox import OutboxMessage
from models.pairing import Stint
from models.person import Person
from models.relay import Relay
from models.team import TeamMember
from models.turn import Turn, TurnPlan, taking_turns
from models.turn_acts import TurnError
from models.turns import Slot, pick
from models.volunteer import volunteer_of
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import CHILD, TERMS, World

BORN_2010 = date(2010, 5, 1)  # a minor until May 2028
HOUR = timedelta(hours=1)


class Team:
    """A team with a leader and three members, paired with somebody."""

    def __init__(self, world: World, *, members: int = 3, **served: object) -> None:
        self.world = world
        self.boss = world.specialist()
        self.leader, *self.members = world.volunteers(members + 1)
        self.team = world.team(self.leader, members=tuple(self.members))
        self.served = world.beneficiary(**served)
        self.stint = world.paired(self.served, self.leader, self.boss, self.team)

    def plan(self, *people: str, rhythm: str = "month", by: str = "") -> str:
        return self.world.do(turn_acts.plan, self.stint, people, rhythm, by or self.leader).id

    def goes(self, on: date | None = None) -> str | None:
        with self.world.database.read() as session:
            stint = session.get_one(Stint, self.stint)
            found = turns.whose_turn(session, stint, on or turns.today(session))
            return found.id if found is not None else None

    def going(self) -> turns.Going:
        with self.world.database.read() as session:
            stint = session.get_one(Stint, self.stint)
            return turns.turns_on(session, [stint], turns.today(session))[self.stint]

    def asked(self) -> Turn:
        """Who is asked, or has accepted."""
        with self.world.database.read() as session:
            return session.exec(select(Turn).where(col(Turn.state).in_(("asked", "accepted")))).one()

    def told(self, kind: str) -> list[str]:
        """Who is to hear of it."""
        query = select(OutboxMessage.person_id).where(OutboxMessage.kind == kind, OutboxMessage.state == "waiting")
        with self.world.database.read() as session:
            return sorted(session.exec(query))

    def states(self) -> dict[str, str]:
        """What became of each who was asked or passed over, the newest counts."""
        with self.world.database.read() as session:
            return {row.person_id: row.state for row in session.exec(select(Turn).order_by(col(Turn.asked_at)))}


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def team(world: World) -> Team:
    return Team(world)


def pause(world: World, person: str, until: date) -> None:
    with world.database.write() as session:
        session.get_one(Person, person).paused_until = until


def change(world: World, person: str, **columns: object) -> None:
    with world.database.write() as session:
        row = volunteer_of(session, person)
        assert row is not None
        for name, value in columns.items():
            setattr(row, name, value)


def leave(world: World, person: str) -> None:
    world.do(team_member.forget_member, person)


# The pure rule


def test_the_first_one_who_can_goes_and_a_minor_never_alone() -> None:
    adult, other, minor = Slot("a", adult=True), Slot("b", adult=True), Slot("m", adult=False)
    away = Slot("w", adult=True, against="away")
    assert pick([adult, other], ()) == ("a", None)
    assert pick([adult, other], ["a"]) == ("b", None)
    assert pick([away, other], ()) == ("b", None)
    assert pick([minor, adult, other], ()) == ("a", "m")
    assert pick([adult, minor], ["a"]) is None, "nobody grown up is left for the minor"
    assert pick([minor, adult, other], ["a"]) == ("b", "m")
    assert pick([minor, adult], ["m"]) == ("a", None)
    assert pick([minor, away], ()) is None
    assert pick([], ()) is None


# Whose turn it is


def test_without_a_plan_the_leader_goes(team: Team) -> None:
    assert team.goes() == team.leader
    assert team.going().how == "leader"


def test_a_volunteer_alone_and_a_substitute_go_themselves(world: World, team: Team) -> None:
    alone, other = world.volunteer(), world.volunteer()
    single = world.paired(world.beneficiary(), alone, team.boss)
    team.plan(*team.members)
    row = world.do(substituting.ask, team.stint, other, date(2026, 12, 20), team.boss)
    world.do(lambda session: substituting.answer(session, row.id, other, yes=True))
    with world.database.read() as session:
        stints = [session.get_one(Stint, key) for key in (single, team.stint)]
        found = turns.turns_on(session, stints, turns.today(session))
    assert [(found[key].person_id, found[key].how) for key in (single, team.stint)] == [
        (alone, "volunteer"),
        (other, "substitute"),
    ]


def test_each_month_another_one_goes_round_and_round(team: Team) -> None:
    one, two, three = team.members
    team.plan(one, two, three)
    days = [date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 31), date(2027, 1, 1), date(2027, 2, 1)]
    assert [team.goes(day) for day in days] == [one, two, two, three, one]
    assert team.goes(date(2026, 10, 31)) == team.leader, "before it was planned"


def test_each_visit_another_one_goes(world: World, team: Team) -> None:
    one, two, three = team.members
    team.plan(one, two, three, rhythm="visit")
    seen = []
    for _visit in range(4):
        seen.append(team.goes())
        world.do(turn_acts.visited, team.stint, team.leader)
    assert seen == [one, two, three, one]
    assert team.asked().person_id == two, "the next one is asked at once"
    assert team.goes(date(2027, 6, 1)) == two, "whatever the day"


def test_many_pairings_take_few_statements(world: World, team: Team) -> None:
    for _each in range(3):
        other = world.paired(world.beneficiary(), team.leader, team.boss, team.team)
        world.do(turn_acts.plan, other, team.members, "month", team.leader)
    counted: list[str] = []
    with world.database.read() as session:
        every = list(session.exec(select(Stint).where(Stint.state == "open")))
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", lambda *told: counted.append(told[2]))
        for stints in (every[:1], every):
            counted.append("|")
            assert len(turns.turns_on(session, stints, date(2026, 12, 5))) == len(stints)
    first, second = " ".join("|" if one == "|" else "." for one in counted).split("|")[1:]
    assert len(every) == 4 and second.count(".") <= max(first.count("."), 10)


# Passing on


def test_the_one_whose_turn_it_is_is_asked_and_accepts(world: World, team: Team) -> None:
    one, two, _three = team.members
    team.plan(one, two)
    assert team.told("notice.turn") == [one]
    assert (team.goes(), team.going().accepted) == (one, False)
    world.do(turn_acts.accept, team.asked().id, one)
    assert (team.goes(), team.going().accepted, team.told("notice.turn")) == (one, True, [])
    world.do(turn_acts.accept, team.asked().id, one)


def test_whoever_cannot_is_followed_by_the_next_then_the_leader_then_the_specialist(world: World, team: Team) -> None:
    one, two, _three = team.members
    team.plan(one, two)
    found = world.do(turn_acts.swap, team.asked().id, one)
    assert found is not None and found.person_id == two == team.goes()
    assert team.told("notice.turn") == [two]
    last = world.do(turn_acts.swap, team.asked().id, two)
    assert last is not None and (last.part, last.person_id) == ("leader", team.leader)
    assert (team.told("notice.turn_nobody"), team.goes(), team.going().how) == ([team.leader], team.leader, "leader")
    assert team.told("notice.turn_left") == []
    world.do(turn_acts.swap, team.asked().id, team.leader)
    assert (team.told("notice.turn_left"), team.goes()) == ([team.boss], team.boss)
    assert world.run(jobs.move_turns) == 0, "it was told"
    assert team.told("notice.turn_left") == [team.boss]


def test_who_goes_after_all_and_then_cannot_lets_the_specialist_know_again(world: World, team: Team) -> None:
    one, two, _three = team.members
    team.plan(one, two, rhythm="visit")
    first = team.asked().id
    for who in (one, two, team.leader):
        world.do(turn_acts.swap, team.asked().id, who)
    assert team.told("notice.turn_left") == [team.boss]
    world.do(turn_acts.accept, first, one)
    assert team.goes() == one
    assert world.do(turn_acts.swap, first, one) is None
    with world.database.read() as session:
        query = select(OutboxMessage.state).where(OutboxMessage.kind == "notice.turn_left")
        assert sorted(session.exec(query)) == ["waiting", "withdrawn"], (
            "told anew, and what had not left is not told twice"
        )
    assert world.run(jobs.move_turns) == 0


def test_whoever_becomes_responsible_hears_that_nobody_can_go(world: World, team: Team) -> None:
    world.end_roles(team.boss)
    team.plan(team.members[0], rhythm="visit")
    for who in (team.members[0], team.leader):
        world.do(turn_acts.swap, team.asked().id, who)
    assert team.told("notice.turn_left") == [] and team.goes() is None
    boss = world.specialist()
    for _time in range(2):
        world.run(jobs.move_turns)
        assert team.told("notice.turn_left") == [boss]


@pytest.mark.parametrize("how", ["anew", "dropped", "ended"])
def test_who_said_yes_hears_that_they_need_not_go(world: World, team: Team, how: str) -> None:
    one, two, _three = team.members
    team.plan(one, two)
    world.do(turn_acts.accept, team.asked().id, one)
    if how == "anew":
        team.plan(two)
    elif how == "dropped":
        world.do(turn_acts.drop, team.stint, team.leader)
    else:
        with world.database.write() as session:
            stints.end_stint(session, session.get_one(Stint, team.stint), "stopped", team.boss)
    assert team.told("notice.turn_off") == [one]


def test_while_somebody_stands_in_no_member_goes_and_afterwards_one_is_asked_anew(world: World, team: Team) -> None:
    one, two, _three = team.members
    team.plan(one, two, rhythm="visit")
    first = world.do(turn_acts.accept, team.asked().id, one)
    other = world.volunteer()
    day = date(2026, 12, 10)
    row = world.do(substituting.ask, team.stint, other, day, team.boss)
    world.do(substituting.answer, row.id, other, yes=True)
    assert (team.goes(), team.told("notice.turn_off"), team.states()[one]) == (other, [one], "released")
    assert world.do(turn_acts.swap, first.id, one) is None and world.run(jobs.move_turns) == 0
    with pytest.raises(TurnError, match="taken"):
        world.do(turn_acts.accept, first.id, one)
    world.do(substituting.call_off, row.id, other)
    assert world.run(jobs.move_turns) == 1
    assert team.asked().person_id == one and team.asked().id != first.id


def test_who_is_asked_anew_is_not_told_to_stay_at_home(world: World, team: Team) -> None:
    one, two, _three = team.members
    team.plan(one, two)
    world.do(turn_acts.accept, team.asked().id, one)
    team.plan(one)
    assert (team.told("notice.turn_off"), team.told("notice.turn")) == ([], [one])


def test_silence_moves_it_on_and_a_late_yes_still_counts(world: World, team: Team, clock: StoppedClock) -> None:
    one, two, _three = team.members
    team.plan(one, two)
    first = team.asked().id
    clock.at += 47 * HOUR
    assert world.run(jobs.move_turns) == 0
    clock.at += HOUR
    assert (world.run(jobs.move_turns), world.run(jobs.move_turns)) == (1, 0)
    assert (team.goes(), team.told("notice.turn")) == (two, [two])
    world.do(turn_acts.accept, first, one)
    assert (team.goes(), team.told("notice.turn"), team.told("notice.turn_released")) == (one, [], [two])
    assert team.states()[two] == "released"


def test_a_late_yes_does_not_take_it_from_who_accepted(world: World, team: Team) -> None:
    one, two, _three = team.members
    team.plan(one, two)
    first = team.asked().id
    world.do(turn_acts.swap, first, one)
    world.do(turn_acts.accept, team.asked().id, two)
    with pytest.raises(TurnError) as error:
        world.do(turn_acts.accept, first, one)
    assert (error.value.reason, error.value.person_id, team.goes()) == ("taken", two, two)


def test_a_leader_who_does_not_answer_either_lets_the_specialist_know(
    world: World, team: Team, clock: StoppedClock
) -> None:
    team.plan(team.members[0])
    world.do(turn_acts.swap, team.asked().id, team.members[0])
    leads = team.asked().id
    clock.at += 49 * HOUR
    assert (world.run(jobs.move_turns), world.run(jobs.move_turns)) == (1, 0)
    assert team.told("notice.turn_left") == [team.boss]
    world.do(turn_acts.accept, leads, team.leader)
    assert (team.goes(), team.going().how, world.run(jobs.move_turns)) == (team.leader, "leader", 0)


def test_the_job_catches_up_after_months_and_asks_only_for_now(world: World, team: Team, clock: StoppedClock) -> None:
    one, two, three = team.members
    team.plan(one, two, three)
    world.do(turn_acts.accept, team.asked().id, one)
    clock.at = datetime(2027, 4, 20, 2, 0, tzinfo=UTC)
    assert (world.run(jobs.move_turns), world.run(jobs.move_turns)) == (1, 0)
    assert team.goes() == three, "April is the sixth month"
    with world.database.read() as session:
        assert len(session.exec(select(Turn)).all()) == 2, "nobody is asked for months that are over"
    with pytest.raises(TurnError, match="gone"):
        world.do(turn_acts.accept, _first(world), one)


def _first(world: World) -> str:
    with world.database.read() as session:
        return session.exec(select(Turn.id).order_by(col(Turn.asked_at))).first() or ""


# Who cannot go


def test_a_member_who_leaves_is_passed_over_and_the_leader_hears(world: World, team: Team) -> None:
    one, two, three = team.members
    team.plan(one, two, three)
    world.do(turn_acts.accept, team.asked().id, one)
    leave(world, one)
    assert team.goes() == two, "at once, before any job runs"
    assert (world.run(jobs.move_turns), world.run(jobs.move_turns)) == (1, 0)
    assert (team.told("notice.turn_skipped"), team.told("notice.turn")) == ([team.leader], [two])


def test_a_member_on_leave_is_passed_over_for_that_turn(world: World, team: Team, clock: StoppedClock) -> None:
    one, two, _three = team.members
    pause(world, two, date(2026, 12, 20))
    team.plan(one, two)
    assert [team.goes(date(2026, 12, 5)), team.goes(date(2026, 12, 21))] == [one, two]
    clock.at = datetime(2026, 12, 2, 2, 0, tzinfo=UTC)
    assert world.run(jobs.move_turns) == 1
    assert (team.goes(), team.told("notice.turn_skipped")) == (one, [team.leader])
    clock.at = datetime(2027, 2, 2, 2, 0, tzinfo=UTC)
    world.run(jobs.move_turns)
    assert team.goes() == two


def test_a_leader_on_leave_is_neither_asked_nor_the_last_resort(world: World, team: Team) -> None:
    team.plan(team.leader, team.members[0])
    world.do(leaves.ask, team.stint, date(2026, 12, 10), team.leader)
    assert team.goes(date(2026, 11, 25)) == team.members[0]
    world.run(jobs.move_turns)
    world.do(turn_acts.swap, team.asked().id, team.members[0])
    assert team.told("notice.turn_left") == [team.boss]


def test_a_minor_goes_beside_somebody_grown_up(world: World) -> None:
    team = Team(world)
    young, grown, other = team.members
    change(world, young, birth_date=BORN_2010)
    team.plan(young, grown, other)
    going = team.going()
    assert (going.person_id, going.beside_id, team.told("notice.turn")) == (grown, young, [grown])
    world.do(turn_acts.accept, team.asked().id, grown)
    assert team.told("notice.turn_beside") == [young]
    world.do(turn_acts.stay_away, team.asked().id, young)
    assert (team.going().beside_id, team.told("notice.turn_alone"), team.told("notice.turn_beside")) == (
        None,
        [grown],
        [],
    )
    with pytest.raises(TurnError, match="adult"):
        team.plan(young)


def test_a_minor_who_stays_away_is_put_beside_nobody_else(world: World) -> None:
    team = Team(world)
    minor, one, two = team.members
    change(world, minor, birth_date=BORN_2010)
    team.plan(minor, one, two, rhythm="visit")
    turn = team.asked()
    assert (turn.person_id, turn.beside_id) == (one, minor)
    world.do(turn_acts.stay_away, turn.id, minor)
    world.do(turn_acts.swap, turn.id, one)
    assert (team.asked().person_id, team.asked().beside_id) == (two, None)
    world.do(turn_acts.accept, team.asked().id, two)
    world.do(turn_acts.went, team.asked().id, two)
    world.do(turn_acts.swap, team.asked().id, one)
    world.do(turn_acts.went, team.asked().id, two)
    world.do(turn_acts.went, team.asked().id, two)
    assert team.asked().beside_id == minor, "the next time it is their turn"


def test_a_minor_who_leaves_lets_the_other_go_alone(world: World, team: Team) -> None:
    young, grown, _other = team.members
    change(world, young, birth_date=BORN_2010)
    team.plan(young, grown)
    leave(world, young)
    assert team.going().beside_id is None
    assert (world.run(jobs.move_turns), world.run(jobs.move_turns)) == (1, 0)
    assert team.goes() == grown


def test_a_clearance_that_lapses_blocks_turns_with_a_minor(world: World, clock: StoppedClock) -> None:
    team = Team(world, birth_date=CHILD)
    one, two, _three = team.members
    change(world, one, cleared_until=date(2026, 12, 15))
    team.plan(one, two)
    assert [team.goes(date(2027, 1, 5)), team.goes(date(2026, 11, 30))] == [two, one], "January would be the first’s"
    clock.at = datetime(2027, 1, 5, 2, 0, tzinfo=UTC)
    world.run(jobs.move_turns)
    assert (team.told("notice.turn"), team.told("notice.turn_skipped")) == ([two], [team.leader])
    with pytest.raises(TurnError) as error:
        team.plan(two, one)
    assert (error.value.reason, error.value.person_id) == ("clearance", one)


def test_who_may_not_serve_at_all_is_not_taken_into_a_plan(world: World) -> None:
    team = Team(world, sex_wanted="female")
    one, two, three = team.members
    change(world, one, sex="male")
    change(world, two, status="ended")
    for person, why in ((one, "sex"), (two, "volunteer"), (world.volunteer(), "stranger")):
        with pytest.raises(TurnError) as error:
            team.plan(three, person)
        assert (error.value.reason, error.value.person_id) == (why, person)
    with pytest.raises(TurnError, match="empty"):
        team.plan()


# Plans


def test_leader_and_specialist_plan_and_nobody_else(world: World, team: Team) -> None:
    one, two, three = team.members
    team.plan(one, by=team.leader)
    team.plan(two, by=team.boss)
    assert (team.goes(), team.told("notice.turn")) == (two, [two]), "the first one is not asked any more"
    for stranger in (three, world.specialist("440104"), world.volunteer()):
        with pytest.raises(TurnError, match="scope"):
            team.plan(one, by=stranger)
        with pytest.raises(TurnError, match="scope"):
            world.do(turn_acts.drop, team.stint, stranger)
    assert world.do(turn_acts.drop, team.stint, team.leader)
    assert not world.do(turn_acts.drop, team.stint, team.leader)
    assert (team.goes(), team.told("notice.turn"), world.run(jobs.move_turns)) == (team.leader, [], 0)


def test_only_open_pairings_of_teams_are_planned(world: World, team: Team) -> None:
    single = world.paired(world.beneficiary(), world.volunteer(), team.boss)
    waits = world.agreeing(world.beneficiary(), team.leader, team.team)
    for stint in (single, waits, "nothing"):
        with pytest.raises(TurnError, match="gone"):
            world.do(turn_acts.plan, stint, team.members, "month", team.boss)


def test_nobody_answers_for_others(world: World, team: Team) -> None:
    one, two, _three = team.members
    team.plan(one, two)
    for act in (turn_acts.accept, turn_acts.swap, turn_acts.went, turn_acts.stay_away):
        with pytest.raises(TurnError, match="scope"):
            world.do(act, team.asked().id, two)
    with pytest.raises(TurnError, match="rhythm"):
        world.do(turn_acts.went, team.asked().id, one)


def test_went_passes_a_turn_on_and_only_once(world: World, team: Team) -> None:
    one, two, _three = team.members
    team.plan(one, two, rhythm="visit")
    first = team.asked().id
    world.do(turn_acts.accept, first, one)
    assert world.do(turn_acts.went, first, one) is not None
    with pytest.raises(TurnError, match="gone"):
        world.do(turn_acts.went, first, one)
    assert team.goes() == two


def test_the_plan_ends_with_the_pairing_and_goes_on_with_another_term(
    world: World, team: Team, clock: StoppedClock
) -> None:
    one, two, _three = team.members
    plan = team.plan(one, two)
    clock.at = datetime(2027, 10, 1, 2, 0, tzinfo=UTC)
    world.run(jobs.begin_relays)
    with world.database.read() as session:
        relay = session.exec(select(Relay.id)).one()
    team.stint = world.do(relaying.renew, relay, team.leader).id
    with world.database.read() as session:
        assert session.get_one(TurnPlan, plan).stint_id == team.stint
    world.run(jobs.move_turns)
    assert team.goes() == two and team.told("notice.turn") == [two]
    world.becomes(team.served, "died")
    assert world.run(jobs.move_turns) == 0


def test_a_pairing_without_leader_or_members_is_the_specialists(world: World, team: Team) -> None:
    team.plan(team.members[0])
    with world.database.write() as session:
        for held in session.exec(select(TeamMember)):
            held.left_at = held.joined_at
    assert team.goes() == team.boss
    world.run(jobs.move_turns)
    assert team.told("notice.turn_left") == [team.boss]


def test_two_accounts_of_one_person_keep_their_turns(world: World, team: Team) -> None:
    one, two, _three = team.members
    team.plan(one, two)
    other = world.person()

    def join(session: Session) -> None:
        account.join(session, session.get_one(Person, one), session.get_one(Person, other), "bind")

    world.do(join)
    with world.database.read() as session:
        kept = session.exec(select(Turn.person_id)).one()
        assert [stint.id for stint in taking_turns(session, [kept])] == [team.stint]
    assert team.goes() == kept in (one, other)


def test_who_said_no_with_another_account_is_not_asked_again_for_that_turn(world: World, team: Team) -> None:
    one, two, _three = team.members
    team.plan(one, two)
    world.do(turn_acts.swap, team.asked().id, one)
    other = world.person()

    def join(session: Session) -> None:
        account.join(session, session.get_one(Person, one), session.get_one(Person, other), "bind")

    world.do(join)
    world.do(turn_acts.swap, team.asked().id, two)
    assert team.asked().person_id == team.leader


def test_turns_are_taken_with_an_institution_too(world: World, team: Team) -> None:
    house = world.institution()
    made = world.do(institution_pairing.agree, house, team.team, TERMS, team.boss)
    world.do(agreement.accept, made.id, team.leader, made.confirmed_at)
    with world.database.read() as session:
        own = world.specialist(session.get_one(team_model.Team, team.team).number, kind="team")
    team.stint = made.id
    change(world, team.members[0], birth_date=BORN_2010)
    team.plan(team.members[0], team.members[1], by=own)
    going = team.going()
    assert (going.person_id, going.beside_id) == (team.members[1], team.members[0])
    with world.database.read() as session:
        assert made.id in [stint.id for stint in turns.plannable(session, team.boss)]
        assert [stint.id for stint in turns.plannable(session, own)] == [made.id], "people are the county’s"
        assert turns.plannable(session, team.members[1]) == []
