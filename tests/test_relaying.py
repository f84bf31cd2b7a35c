"""Relays: begun, cancelled, handed over, and what time does to them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from models import agreement, family, keepings, offering, relaying, relaying_lists, substituting
from models.agreement import Terms
from models.database import Database, now_of
from models.offering import Candidate
from models.person import Door
from models.relay import Relay
from models.stints import StintError
from models.volunteer import Volunteer
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import TIANHE, YUEXIU, World, unbroken

DAY = timedelta(days=1)
LAST = date(2026, 12, 31)


class Two:
    """Somebody, the volunteer who serves them, and who answers for the county."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.served, self.person, self.boss = world.beneficiary(), world.volunteer(), world.specialist()
        self.stint = world.paired(self.served, self.person, self.boss)

    def begin(self, by: str = "", last: date = LAST, **more: str) -> str:
        return self.world.do(relaying.begin, self.stint, "stopped", last, by or self.person, **more).id

    def successor(self) -> tuple[str, str]:
        person = self.world.volunteer()
        return person, self.world.agreeing(self.served, person)

    def accepts(self, person: str, stint: str) -> None:
        self.world.do(agreement.accept, stint, person, self.world.write(stint, self.boss))

    def relay(self, key: str) -> Relay:
        return self.world.one(Relay, key)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def two(world: World) -> Two:
    return Two(world)


def refused(world: World, rule: object, *told: object, **more: object) -> str:
    with pytest.raises(StintError) as error:
        world.do(rule, *told, **more)  # type: ignore[arg-type]
    return error.value.reason


def test_a_relay_is_begun_without_a_word_of_reproach(two: Two, world: World) -> None:
    relay = two.begin()
    assert two.relay(relay).specialist_id == two.boss
    assert "notice.relay" in world.told(two.boss)
    assert "notice.relay_begun" not in world.told(two.person), "who begins it knows"
    assert world.responsible(two.served).people == (two.person,), "until the last day"


def test_only_who_serves_or_answers_begins_one(two: Two, world: World) -> None:
    assert refused(world, relaying.begin, two.stint, "stopped", LAST, world.volunteer()) == "scope"
    assert refused(world, relaying.begin, two.stint, "stopped", LAST, world.specialist(YUEXIU)) == "scope"
    assert refused(world, relaying.begin, two.stint, "stopped", date(2026, 11, 20), two.person) == "day"
    assert refused(world, relaying.begin, two.stint, "stopped", date(2028, 1, 1), two.person) == "day"


def test_a_keeper_answers_for_the_county(two: Two, world: World) -> None:
    elsewhere = world.specialist(YUEXIU)
    assert refused(world, relaying.begin, two.stint, "graduation", LAST, two.boss, keeper=elsewhere) == "keeper"
    with pytest.raises(StintError, match="keeper"):
        world.do(relaying.begin_batch, [two.stint], "graduation", LAST, two.boss, keeper=elsewhere)


def test_a_relay_that_stands_takes_the_earlier_day_and_what_a_person_says_now(two: Two, world: World) -> None:
    first = world.do(relaying.begin, two.stint, "term", LAST, "programme").id
    assert two.begin(last=date(2026, 12, 1)) == first
    assert (two.relay(first).last_day, two.relay(first).reason) == (date(2026, 12, 1), "stopped")
    assert two.begin(last=date(2026, 12, 20)) == first
    assert two.relay(first).last_day == date(2026, 12, 1)
    assert world.told(two.boss).count("notice.relay") == 2


def test_the_database_keeps_one_standing_relay_of_a_stint(two: Two, world: World) -> None:
    two.begin()
    with pytest.raises(IntegrityError), world.database.write() as session:
        session.add(
            Relay(
                stint_id=two.stint,
                reason="term",
                begun_by="machine",
                begun_at=now_of(session),
                last_day=LAST,
                specialist_id=two.boss,
            )
        )


def test_handing_over_leaves_no_moment_between(two: Two, world: World, clock: StoppedClock) -> None:
    relay = two.begin()
    person, stint = two.successor()
    assert refused(world, relaying.give, relay, two.person) == "waits"
    two.accepts(person, stint)
    assert world.stint(stint).state == "agreeing"
    assert "notice.hand_over" in world.told(two.person)
    clock.pass_time(DAY)
    world.do(relaying.give, relay, two.person)
    before, after = world.stint(two.stint), world.stint(stint)
    assert (before.state, before.ended_why, before.ended_at) == ("ended", "relayed", after.opened_at)
    assert two.relay(relay).state == "done"
    assert "notice.opened_for_you" in world.told(person)
    assert unbroken(world.history(two.served))
    assert refused(world, relaying.give, relay, two.person) == "gone"


def test_the_specialist_confirms_for_who_has_gone(two: Two, world: World) -> None:
    relay = two.begin()
    two.accepts(*two.successor())
    assert refused(world, relaying.give, relay, world.volunteer()) == "scope"
    assert world.do(relaying.give, relay, two.boss).state == "done"


def test_the_last_day_is_over_where_the_volunteer_lives(world: World, clock: StoppedClock) -> None:
    boss, served = world.specialist(), [world.beneficiary() for _ in range(2)]
    zones = ("Asia/Shanghai", "America/New_York")
    stints = [world.paired(one, world.volunteer(zone=zone), boss) for one, zone in zip(served, zones, strict=True)]
    for stint in stints:
        world.do(relaying.begin, stint, "stopped", date(2026, 11, 25), boss)
    clock.at = datetime(2026, 11, 25, 15, 59, tzinfo=UTC)
    assert world.run(jobs.end_last_days) == 0
    clock.at = datetime(2026, 11, 25, 16, 1, tzinfo=UTC)  # 0:01 of the 26th in China
    assert world.run(jobs.end_last_days) == 1
    assert [world.stint(one).state for one in stints] == ["ended", "open"]
    clock.at = datetime(2026, 11, 26, 5, 1, tzinfo=UTC)
    assert world.run(jobs.end_last_days) == 1
    assert world.run(jobs.end_last_days) == 0


def test_after_the_last_day_a_named_person_keeps_them_and_knows_it(two: Two, world: World, clock: StoppedClock) -> None:
    keeper = world.specialist()
    relay = two.begin(two.boss, keeper=keeper)
    clock.at = datetime(2027, 1, 1, 0, 0, tzinfo=UTC)
    assert world.run(jobs.end_last_days) == 1
    assert world.stint(two.stint).ended_why == "stopped"
    assert two.relay(relay).state == "done"
    assert (world.responsible(two.served).kind, world.responsible(two.served).people) == ("keeper", (keeper,))
    assert "notice.keeping" in world.told(keeper) and "notice.thanks" in world.told(two.person)
    assert world.run(jobs.end_last_days) == 0
    assert unbroken(world.history(two.served))


def test_on_the_last_day_a_successor_who_is_ready_begins(two: Two, world: World, clock: StoppedClock) -> None:
    two.begin()
    person, stint = two.successor()
    two.accepts(person, stint)
    clock.at = datetime(2027, 1, 1, 0, 0, tzinfo=UTC)
    assert world.run(jobs.end_last_days) == 1
    assert world.stint(stint).state == "open"
    assert [one.kind for one in world.history(two.served)] == ["lead", "lead"]


def test_a_successor_who_comes_after_the_last_day_takes_over_from_the_keeper(
    two: Two, world: World, clock: StoppedClock
) -> None:
    two.begin()
    person, stint = two.successor()
    clock.at = datetime(2027, 1, 1, 0, 0, tzinfo=UTC)
    world.run(jobs.end_last_days)
    assert world.responsible(two.served).kind == "keeper"
    clock.pass_time(DAY)
    two.accepts(person, stint)
    assert world.stint(stint).state == "open"
    assert [one.kind for one in world.history(two.served)] == ["lead", "keeper", "lead"]
    assert unbroken(world.history(two.served))


def test_a_successor_who_takes_it_back_is_sought_anew(two: Two, world: World) -> None:
    relay = two.begin()
    person, stint = two.successor()
    assert two.relay(relay).state == "agreeing"
    assert refused(world, relaying.cancel, relay, two.person) == "paired"
    world.do(offering.take_back, stint, person)
    assert (two.relay(relay).state, two.relay(relay).successor_id) == ("seeking", None)
    assert world.do(offering.offer, two.served, [Candidate(world.volunteer())], two.boss)


def test_whoever_goes_on_after_all_is_sought_no_successor_for(two: Two, world: World) -> None:
    relay, asked = two.begin(), world.volunteer()
    world.offer(two.served, asked)
    assert refused(world, relaying.cancel, relay, world.volunteer()) == "scope"
    world.do(relaying.cancel, relay, two.person)
    assert two.relay(relay).state == "cancelled"
    assert "notice.offer_taken" in world.told(asked)
    assert "notice.relay" not in world.told(two.boss), "what is no longer true is not sent"
    assert two.begin() != relay, "and a new one may be begun"


def test_a_day_for_both_is_agreed(two: Two, world: World, clock: StoppedClock) -> None:
    relay = two.begin()
    person, _stint = two.successor()
    assert refused(world, relaying.agree_day, relay, date(2026, 12, 1), two.person) == "scope"
    assert refused(world, relaying.agree_day, relay, date(2026, 11, 1), two.boss) == "day"
    for day in (1, 2, 1):
        clock.pass_time(timedelta(minutes=1))
        world.do(relaying.agree_day, relay, date(2026, 12, day), two.boss)
        assert world.told(two.person).count("notice.relay_day") == world.told(person).count("notice.relay_day") == 1


def test_a_note_is_read_by_the_successor_and_the_private_part_is_not(two: Two, world: World) -> None:
    relay = two.relay(two.begin(note="喜欢画画", private="怕黑"))
    person, _stint = two.successor()
    relay = two.relay(relay.id)
    read = {
        who: (world.do(relaying.note_of, relay, who), world.do(relaying.private_of, relay, who))
        for who in (person, two.person, two.boss, world.volunteer(), world.specialist(YUEXIU))
    }
    assert list(read.values()) == [("喜欢画画", ""), ("喜欢画画", ""), ("喜欢画画", "怕黑"), ("", ""), ("", "")]


# Terms


def test_sixty_days_before_its_end_a_term_begins_a_relay(two: Two, world: World, clock: StoppedClock) -> None:
    clock.at = datetime(2027, 9, 22, 2, 0, tzinfo=UTC)
    assert world.run(jobs.begin_relays) == 0
    clock.at = datetime(2027, 9, 23, 2, 0, tzinfo=UTC)
    assert world.run(jobs.begin_relays) == 1
    assert world.run(jobs.begin_relays) == 0
    assert "notice.relay_begun" in world.told(two.person)
    with world.database.read() as session:
        assert session.exec(select(Relay.last_day)).one() == date(2027, 11, 22)


def test_the_same_two_go_on_with_a_new_stint(two: Two, world: World, clock: StoppedClock) -> None:
    stand_in = world.do(substituting.ask, two.stint, world.volunteer(), date(2026, 12, 1), two.boss)
    relay = two.begin()
    clock.pass_time(DAY)
    new = world.do(relaying.renew, relay, two.person)
    old = world.stint(two.stint)
    assert (old.ended_why, old.ended_at, new.opened_at) == ("term", new.opened_at, old.ended_at)
    assert (new.ends_on, new.state) == (date(2028, 11, 22), "open")
    assert world.stint(stand_in.id).follows_id == new.id, "whoever stands in goes on"
    assert two.relay(relay).state == "cancelled"
    assert world.run(jobs.begin_relays) == 0
    assert unbroken(world.history(two.served))


def test_who_does_not_serve_or_may_not_any_more_does_not_renew(two: Two, world: World) -> None:
    relay = two.begin()
    assert refused(world, relaying.renew, relay, two.boss) == "scope"
    with world.database.write() as session:
        row = session.exec(select(Volunteer).where(Volunteer.person_id == two.person)).one()
        row.status = "ended"
        session.add(row)
    assert refused(world, relaying.renew, relay, two.person) == "volunteer"


def test_going_on_without_a_new_term_asks_again_when_the_term_is_over_and_not_each_hour(
    two: Two, world: World, clock: StoppedClock
) -> None:
    clock.at = datetime(2027, 10, 1, 2, 0, tzinfo=UTC)
    world.run(jobs.begin_relays)
    with world.database.read() as session:
        relay = session.exec(select(Relay.id)).one()
    world.do(relaying.cancel, relay, two.person)
    assert world.run(jobs.begin_relays) == 0
    clock.at = datetime(2027, 11, 24, 2, 0, tzinfo=UTC)
    assert world.run(jobs.begin_relays) == 1
    clock.pass_time(DAY)
    world.run(jobs.end_last_days)
    assert world.stint(two.stint).ended_why == "term"
    assert world.responsible(two.served).people == (two.boss,)


def test_a_term_of_a_month_is_agreed_and_ends(world: World, clock: StoppedClock) -> None:
    served, person, boss = world.beneficiary(), world.volunteer(), world.specialist()
    stint = world.agreeing(served, person)
    world.do(agreement.accept, stint, person, world.write(stint, boss, Terms((), 2, 1)))
    assert world.run(jobs.begin_relays) == 1
    clock.at = datetime(2026, 12, 23, 2, 0, tzinfo=UTC)
    assert world.run(jobs.end_last_days) == 1


# Whoever is not there


def test_a_batch_moves_a_whole_teams_pairings_with_one_keeper(world: World) -> None:
    boss, keeper, stints = world.specialist(), world.specialist(), []
    for _ in range(3):
        stints.append(world.paired(world.beneficiary(), world.volunteer(), boss))
    world.do(agreement.end, stints[1], "specialist", boss)
    name, begun, left = world.do(relaying.begin_batch, stints, "graduation", LAST, boss, keeper=keeper)
    assert {one.batch for one in begun} == {name} and {one.keeper_id for one in begun} == {keeper}
    assert left == [stints[1]]


def test_a_volunteer_whom_nothing_reaches_is_followed_within_two_weeks(
    two: Two, world: World, clock: StoppedClock
) -> None:
    assert world.run(jobs.begin_for_silent_volunteers) == 0
    world.shut(two.person)
    assert world.run(jobs.begin_for_silent_volunteers) == 1
    assert world.run(jobs.begin_for_silent_volunteers) == 0
    with world.database.read() as session:
        relay = session.exec(select(Relay)).one()
    assert (relay.reason, relay.last_day) == ("silence", date(2026, 12, 6))
    assert "notice.relay" in world.told(two.boss)
    world.do(relaying.cancel, relay.id, two.boss)
    assert world.run(jobs.begin_for_silent_volunteers) == 0, "they have telephoned"
    clock.pass_time(31 * DAY)
    assert world.run(jobs.begin_for_silent_volunteers) == 1
    clock.pass_time(16 * DAY)
    world.run(jobs.end_last_days)
    assert world.stint(two.stint).ended_why == "silence"
    assert unbroken(world.history(two.served))


def test_a_blocked_door_is_none(two: Two, world: World, clock: StoppedClock) -> None:
    with world.database.write() as session:
        door = session.exec(select(Door).where(Door.person_id == two.person)).one()
        door.blocked_at = clock.at
        session.add(door)
    assert world.run(jobs.begin_for_silent_volunteers) == 1


@pytest.mark.parametrize("status", ["ended", "paused_guardian", "deleted"])
def test_a_volunteer_who_serves_no_more_leaves_nobody_alone(two: Two, world: World, status: str) -> None:
    relay = two.begin()
    with world.database.write() as session:
        row = session.exec(select(Volunteer).where(Volunteer.person_id == two.person)).one()
        row.status = status
        session.add(row)
    assert world.run(jobs.end_for_gone_volunteers) == 1
    assert world.run(jobs.end_for_gone_volunteers) == 0
    assert world.stint(two.stint).ended_why == "stopped"
    assert two.relay(relay).state == "done"
    assert world.responsible(two.served).people == (two.boss,)
    assert unbroken(world.history(two.served))


def test_a_relay_whose_specialist_left_is_somebody_elses_the_same_day(two: Two, world: World) -> None:
    relay, other = two.begin(), world.specialist(TIANHE)
    assert world.run(jobs.rekeep) == 0
    world.end_roles(two.boss)
    assert world.run(jobs.rekeep) == 1
    assert world.run(jobs.rekeep) == 0
    assert two.relay(relay).specialist_id == other
    assert "notice.relay" in world.told(other)


def test_a_keeper_who_left_is_followed_and_nobody_is_forgotten(two: Two, world: World, clock: StoppedClock) -> None:
    other = world.specialist(TIANHE)
    world.do(agreement.end, two.stint, "specialist", two.boss, two.boss)
    clock.pass_time(DAY)
    world.end_roles(two.boss)
    assert world.responsible(two.served).people == (other,), "from the same moment on"
    assert world.run(jobs.rekeep) == 1
    assert world.run(jobs.rekeep) == 0
    assert [one.person_id for one in world.history(two.served)] == [two.person, two.boss, other]
    assert unbroken(world.history(two.served))


def test_whom_nobody_could_keep_is_kept_as_soon_as_there_is_somebody(two: Two, world: World) -> None:
    world.end_roles(two.boss)
    world.do(family.take_back, two.served, "pairing", "machine")
    assert world.responsible(two.served).people == ()
    assert world.run(jobs.keep_unkept) == 0
    other = world.specialist(TIANHE)
    assert world.responsible(two.served).people == (other,)
    assert world.run(jobs.keep_unkept) == 1
    assert world.run(jobs.keep_unkept) == 0
    assert world.responsible(two.served).kind == "keeper"
    assert world.do(keepings.unkept) == []


def test_what_whoever_decides_arranged_is_theirs_to_cancel(two: Two, world: World) -> None:
    for reason in ("specialist", "organisation"):
        relay = world.do(relaying.begin, two.stint, reason, LAST, two.boss).id
        assert refused(world, relaying.cancel, relay, two.person) == "scope"
        world.do(relaying.cancel, relay, two.boss)
    relay = two.begin()
    assert world.do(relaying.begin, two.stint, "specialist", LAST, two.boss).id == relay
    assert refused(world, relaying.cancel, relay, two.person) == "scope", "a specialist says so, too"
    world.do(relaying.cancel, relay, two.boss)
    relay = world.do(relaying.begin, two.stint, "term", LAST, "programme").id
    assert two.begin() == relay
    assert world.do(relaying.cancel, relay, two.person).state == "cancelled"


def test_a_note_is_read_no_more_once_the_successor_has_ended(two: Two, world: World) -> None:
    relay = two.begin(note="喜欢画画")
    person, stint = two.successor()
    two.accepts(person, stint)
    world.do(relaying.give, relay, two.person)
    assert world.do(relaying.note_of, two.relay(relay), person) == "喜欢画画"
    world.do(agreement.end, stint, "specialist", two.boss)
    assert world.do(relaying.note_of, two.relay(relay), person) == ""
    with world.database.read() as session:
        found = relaying_lists.handing(session, relay)
        assert found is not None and not relaying_lists.may_read_note(session, found, person)
