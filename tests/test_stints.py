"""Stints: what the database refuses, what a death or a move ends, and what becomes of them with people's accounts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from models import account, agreement, keepings, ledger_questions, offering, relaying, stints, substituting
from models.beneficiary import Beneficiary
from models.database import Database, now_of
from models.erasure import delete_person
from models.family_consent import FamilyDoor, holds_door
from models.ledger_batch import LedgerQuestion
from models.ledger_undo import refused, undo
from models.offer import Offer
from models.pairing import Keeping, Stint
from models.person import Person
from models.proposal import MatchingRun, Proposal
from models.relay import Relay
from models.stints import StintError
from models.team import TeamMember
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.ledger_files import people
from tests.pairing_world import TIANHE, YUEXIU, World, unbroken
from tests.sheets import id_number
from tests.test_ledger_import import brought, told

LAST = date(2026, 12, 31)
DAY = timedelta(days=1)
PHONE = "+8613800138000"


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def row(world: World, **told: Any) -> Stint:
    with world.database.read() as session:
        own = {"person_id": None, "activities": 2, "relay_months": 12, "made_by": "machine", "made_at": now_of(session)}
    return Stint(**own | told)


def insert(world: World, *rows: Any) -> None:
    with world.database.write() as session:
        session.add_all(rows)


def join(world: World, gone: str, stays: str) -> None:
    with world.database.write() as session:
        account.join(session, session.get_one(Person, gone), session.get_one(Person, stays), "bind")


def part(world: World, gone: str, stays: str) -> None:
    """The join of these two is undone."""
    with world.database.write() as session:
        made = session.exec(select(account.Join).where(account.Join.gone == gone, account.Join.stays == stays)).one()
        account.part(session, session.get_one(Person, stays), made.moved["door"][0])


def delete(world: World, person: str) -> None:
    with world.database.write() as session:
        delete_person(session, session.get_one(Person, person))


# What the database itself refuses


@pytest.mark.parametrize("state", ["open", "agreeing"])
@pytest.mark.parametrize("served", ["beneficiary", "institution"])
def test_the_database_refuses_a_second_lead(world: World, state: str, served: str) -> None:
    about = {f"{served}_id": getattr(world, served)()}
    people = [world.person() for _ in range(2)]
    with pytest.raises(IntegrityError):
        insert(world, *(row(world, person_id=one, state=state, **about) for one in people))
    insert(world, row(world, person_id=people[0], state=state, **about))
    insert(world, row(world, person_id=people[1], state=state, part="substitute", **about))
    with world.database.read() as session:
        assert len(session.exec(select(Stint)).all()) == 2


def test_the_database_refuses_what_cannot_be(world: World) -> None:
    served, person = world.beneficiary(), world.person()
    impossible: list[dict[str, Any]] = [
        {"beneficiary_id": served},  # nobody serves
        {"person_id": person},  # nobody is served
        {"person_id": person, "beneficiary_id": served, "institution_id": world.institution()},
        {"person_id": person, "beneficiary_id": served, "state": "ended"},
        {"person_id": person, "beneficiary_id": served, "state": "paused"},
        {"person_id": person, "beneficiary_id": served, "ended_why": "bored"},
        {
            "person_id": person,
            "beneficiary_id": served,
            "state": "ended",
            "ended_at": world.one(Person, person).created_at - DAY,
        },
    ]
    for each in impossible:
        with pytest.raises(IntegrityError):
            insert(world, row(world, **each))


def test_the_database_keeps_one_keeper_at_a_time(world: World) -> None:
    served, people = world.beneficiary(), [world.person() for _ in range(2)]
    since = world.one(Person, people[0]).created_at
    kept = [Keeping(beneficiary_id=served, person_id=one, why="term", since=since) for one in people]
    with pytest.raises(IntegrityError):
        insert(world, *kept)


# The rules


def test_a_stint_opens_once_and_after_the_one_it_follows_only(world: World) -> None:
    served, boss = world.beneficiary(), world.specialist()
    stint = world.paired(served, world.volunteer(), boss)
    insert(world, second := row(world, beneficiary_id=served, person_id=world.volunteer(), state="agreeing"))
    for key, why in ((stint, "gone"), (second.id, "paired")):
        with pytest.raises(StintError, match=why), world.database.write() as session:
            stints.open_stint(session, session.get_one(Stint, key), LAST)


def test_an_ended_stint_ends_no_more(world: World) -> None:
    boss = world.specialist()
    stint = world.paired(world.beneficiary(), world.volunteer(), boss)
    world.do(agreement.end, stint, "specialist", boss)
    with pytest.raises(StintError, match="gone"), world.database.write() as session:
        stints.end_stint(session, session.get_one(Stint, stint), "term", boss)


def test_the_history_names_whoever_answered_without_a_gap(world: World, clock: StoppedClock) -> None:
    served, first, second, boss = world.beneficiary(), world.volunteer(), world.volunteer(), world.specialist()
    assert world.history(served) == []
    stint = world.paired(served, first, boss)
    clock.pass_time(DAY)
    world.do(agreement.end, stint, "specialist", boss)
    clock.pass_time(DAY)
    world.paired(served, second, boss)
    held = world.history(served)
    assert [(one.kind, one.person_id) for one in held] == [("lead", first), ("keeper", boss), ("lead", second)]
    assert unbroken(held)


def test_months_end_where_the_month_does() -> None:
    assert stints.months_on(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert stints.months_on(date(2026, 12, 5), 12) == date(2027, 12, 5)


# A death, a move


@pytest.mark.parametrize("status", ["died", "moved"])
def test_a_death_or_a_move_ends_everything_at_once_and_gently(world: World, status: str) -> None:
    served, person, other, asked = world.beneficiary(), world.volunteer(), world.volunteer(), world.volunteer()
    boss = world.specialist()
    stint = world.paired(served, person, boss)
    relay = world.do(relaying.begin, stint, "stopped", LAST, boss).id
    stand_in = world.do(substituting.ask, stint, other, LAST, boss).id
    offer = world.offer(served, asked)
    world.becomes(served, status)
    assert [world.stint(one).state for one in (stint, stand_in)] == ["ended", "ended"]
    assert world.stint(stint).ended_why == "gone"
    assert world.one(Relay, relay).state == "done"
    assert world.one(Offer, offer).state == "withdrawn"
    assert world.told(person) == ["notice.served_left"]
    assert world.told(other) == ["notice.served_left"]
    assert world.told(asked) == ["notice.offer_taken"]
    assert world.told(boss) == [], "nothing that waited speaks of them any more"
    assert world.history(served)[-1].until is not None


def test_who_is_kept_when_they_die_is_kept_no_more(world: World) -> None:
    served, boss = world.beneficiary(), world.specialist()
    world.do(agreement.end, world.paired(served, world.volunteer(), boss), "specialist", boss)
    world.becomes(served, "died")
    assert world.told(boss) == []
    assert world.history(served)[-1].until is not None
    assert world.run(jobs.keep_unkept) == 0


def test_a_death_while_it_is_being_agreed_ends_that(world: World) -> None:
    served, person, boss = world.beneficiary(), world.volunteer(), world.specialist()
    stint = world.agreeing(served, person)
    version = world.write(stint, boss)
    world.becomes(served, "died")
    with pytest.raises(StintError, match="gone"):
        world.do(agreement.accept, stint, person, version)
    assert world.told(person) == ["notice.served_left"]


def test_whoever_was_thought_gone_is_on_somebodys_list_again(world: World, clock: StoppedClock) -> None:
    served, never, boss = world.beneficiary(), world.beneficiary(), world.specialist()
    world.paired(served, world.volunteer(), boss)
    for one in (served, never):
        world.becomes(one, "moved")
    clock.pass_time(DAY)
    for one in (served, never):
        world.becomes(one, "listed")
    assert (world.responsible(served).kind, world.responsible(served).people) == ("keeper", (boss,))
    assert world.responsible(never).people == (boss,) and world.history(never) == []


def test_a_change_that_is_none_of_these_ends_nothing(world: World) -> None:
    served, boss = world.beneficiary(), world.specialist()
    stint = world.paired(served, world.volunteer(), boss)
    world.becomes(served, "over_age")
    assert world.stint(stint).state == "open"


def test_a_death_in_another_countys_ledger_stops_what_is_being_said_here(world: World) -> None:
    number = id_number(order="777")
    here, there = world.beneficiary(id_number=number), world.beneficiary(YUEXIU, id_number=number)
    asked, boss = world.volunteer(), world.specialist()
    offer = world.offer(here, asked)
    world.becomes(there, "died")
    assert world.one(Offer, offer).state == "withdrawn"
    assert world.told(boss) == []
    with world.database.read() as session:
        question = session.exec(select(LedgerQuestion).where(LedgerQuestion.beneficiary_id == here)).one()
    assert world.do(ledger_questions.answer, question.id, "died", boss)


def test_an_import_that_is_taken_back_leaves_whoever_is_served_or_asked_for(world: World) -> None:
    batch = brought(world.database, people(4))
    keys = [told(world.database, number).id for number in range(4)]
    person, boss = world.volunteer(), world.specialist()
    world.consent(keys[0])
    world.consent(keys[1])
    stint = world.paired(keys[1], person, boss)
    with world.database.write() as session:
        run = MatchingRun(region=TIANHE, made_by="machine", made_at=now_of(session))
        session.add(run)
        session.flush()
        session.add(Proposal(run_id=run.id, beneficiary_id=keys[2], person_id=person, made_at=run.made_at))
    undo(world.database, batch.id, by="machine")
    with world.database.read() as session:
        assert set(session.exec(select(Beneficiary.id))) == {keys[0], keys[1]}
        assert len(refused(session, batch.id)) == 2
    assert world.stint(stint).state == "open"


# Accounts that become one, or part


def test_what_stands_goes_along_and_comes_back(world: World) -> None:
    served, kept, asked = (world.beneficiary() for _ in range(3))
    gone, stays = world.volunteer(phone=PHONE), world.person()
    boss = world.specialist()
    world.give_role(gone)
    stint = world.paired(served, gone, boss)
    world.do(agreement.end, world.paired(kept, world.volunteer(), boss), "specialist", boss, gone)
    offer = world.offer(asked, gone)
    relay = world.do(relaying.begin, stint, "stopped", LAST, gone, keeper=gone).id
    world.do(relaying.begin, stint, "stopped", LAST, gone, keeper=gone)
    team = world.team(gone)
    join(world, gone, stays)
    assert world.responsible(served).people == world.responsible(kept).people == (stays,)
    assert world.one(Offer, offer).person_id == world.one(Relay, relay).keeper_id == stays
    assert world.do(offering.offers_of, stays)
    part(world, gone, stays)
    assert world.responsible(served).people == world.responsible(kept).people == (gone,)
    assert world.one(Offer, offer).person_id == world.one(Relay, relay).keeper_id == gone
    with world.database.read() as session:
        assert session.exec(select(TeamMember.person_id).where(TeamMember.team_id == team)).one() == gone


def test_what_has_ended_stays_as_it_is(world: World) -> None:
    served, gone, stays, boss = world.beneficiary(), world.volunteer(), world.person(), world.specialist()
    ended = world.paired(served, gone, boss)
    world.do(agreement.end, ended, "specialist", boss)
    before = world.stint(ended)
    join(world, gone, stays)
    assert world.stint(ended) == before
    open_ = world.paired(served, stays, boss)
    part(world, gone, stays)
    assert world.stint(ended) == before
    assert world.stint(open_).person_id == stays


def test_what_ends_while_they_are_one_comes_back_all_the_same(world: World) -> None:
    gone, stays, boss = world.volunteer(), world.person(), world.specialist()
    stint = world.paired(world.beneficiary(), gone, boss)
    join(world, gone, stays)
    world.do(agreement.end, stint, "specialist", boss)
    part(world, gone, stays)
    assert world.stint(stint).person_id == gone


def test_a_familys_phone_goes_along_and_is_one_phone(world: World) -> None:
    gone, stays, both, one = world.person(), world.person(), world.beneficiary(), world.beneficiary()
    since = world.one(Person, gone).created_at
    for person, served in ((gone, both), (stays, both), (gone, one)):
        told = {"holder": "guardian", "issued_by": "machine", "issued_at": since, "expires_at": since}
        insert(world, FamilyDoor(beneficiary_id=served, person_id=person, bound_at=since, **told))
    join(world, gone, stays)
    with world.database.read() as session:
        assert [holds_door(session, served, stays) for served in (both, one)] == [True, True]
    part(world, gone, stays)
    with world.database.read() as session:
        assert holds_door(session, one, gone) and not holds_door(session, one, stays)
        assert holds_door(session, both, stays)
    world.specialist("44", "organiser")
    delete(world, stays)
    with world.database.read() as session:
        assert not holds_door(session, both, stays)


def test_who_was_asked_twice_is_asked_once(world: World) -> None:
    gone, stays = (world.volunteer(phone=PHONE) for _ in range(2))
    first, second = world.offers(world.beneficiary(), gone, stays)
    join(world, gone, stays)
    assert [world.one(Offer, one).state for one in (first, second)] == ["withdrawn", "waiting"]


def test_who_belonged_to_a_team_twice_leads_it_if_either_did(world: World) -> None:
    gone, stays = (world.volunteer(phone=PHONE) for _ in range(2))
    led, followed = world.team(gone, members=(stays,)), world.team(stays, members=(gone,))
    join(world, gone, stays)

    def standing() -> set[tuple[str, str, str]]:
        with world.database.read() as session:
            rows = session.exec(select(TeamMember).where(TeamMember.left_at == None))  # noqa: E711
            return {(one.team_id, one.person_id, one.part) for one in rows}

    assert standing() == {(led, stays, "leader"), (followed, stays, "leader")}
    part(world, gone, stays)
    assert standing() == {(led, gone, "leader"), (followed, stays, "leader"), (followed, gone, "member")}


def test_nobody_stands_in_for_or_follows_oneself(world: World) -> None:
    boss, accounts = world.specialist(), [world.volunteer(phone=PHONE) for _ in range(2)]
    stint = world.paired(world.beneficiary(), accounts[0], boss)
    key = world.do(substituting.ask, stint, accounts[1], LAST, boss).id
    followed = world.beneficiary()
    second = world.paired(followed, accounts[0], boss)
    relay = world.do(relaying.begin, second, "stopped", LAST, accounts[0]).id
    successor = world.agreeing(followed, accounts[1])
    join(world, accounts[1], accounts[0])
    assert world.stint(key).state == world.stint(successor).state == "ended"
    assert world.one(Relay, relay).state == "seeking"
    assert world.stint(stint).state == world.stint(second).state == "open"


# Deleted data


def test_who_deletes_their_data_leaves_nothing_dangling(world: World) -> None:
    person, boss, other = world.volunteer(), world.specialist(), world.volunteer()
    served, second, third, fourth = (world.beneficiary() for _ in range(4))
    stint = world.paired(served, person, boss)
    agreeing = world.agreeing(second, person)
    offer = world.offers(third, person)[0]
    lead = world.paired(fourth, other, boss)
    stand_in = world.do(substituting.ask, lead, person, LAST, boss).id
    world.do(substituting.answer, stand_in, person, yes=True)
    world.team(person)
    delete(world, person)
    assert [world.stint(one).state for one in (stint, agreeing, stand_in)] == ["ended"] * 3
    assert world.stint(stint).ended_why == "stopped"
    assert world.one(Offer, offer).state == "withdrawn"
    assert world.responsible(served).people == (boss,) and world.responsible(fourth).people == (other,)
    assert unbroken(world.history(served))
    assert world.told(person) == [], "nothing more is written to them"
    with world.database.read() as session:
        assert all(one.left_at is not None for one in session.exec(select(TeamMember)))


def test_a_specialist_who_deletes_their_data_hands_everybody_on(world: World) -> None:
    served, boss, other = world.beneficiary(), world.specialist(), world.specialist()
    world.specialist("44", "organiser")
    world.do(agreement.end, world.paired(served, world.volunteer(), boss), "specialist", boss, boss)
    stint = world.paired(world.beneficiary(), world.volunteer(), boss)
    relay = world.do(relaying.begin, stint, "stopped", LAST, boss, keeper=boss).id
    delete(world, boss)
    assert (world.responsible(served).kind, world.responsible(served).people) == ("keeper", (other,))
    assert (world.one(Relay, relay).specialist_id, world.one(Relay, relay).keeper_id) == (other, None)
    assert world.do(keepings.lost_keepers) == []


def test_a_served_person_who_deletes_their_data_stays_served(world: World) -> None:
    served, person, boss = world.beneficiary(), world.person(), world.specialist(TIANHE)
    stint = world.paired(served, world.volunteer(), boss)
    with world.database.write() as session:
        about = session.get_one(Beneficiary, served)
        about.person_id = person
        session.add(about)
    delete(world, person)
    assert world.one(Beneficiary, served).person_id is None
    assert world.stint(stint).state == "open"


def test_a_team_goes_on_when_one_of_its_leaders_goes(world: World) -> None:
    served, leader, other, boss = world.beneficiary(), world.volunteer(), world.volunteer(), world.specialist()
    team = world.team(leader, other)
    stint = world.paired(served, leader, boss, team)
    delete(world, leader)
    assert world.stint(stint).state == "open"
    assert world.run(jobs.end_for_gone_volunteers) == 0
    assert world.responsible(served).people == (other,)
    delete(world, other)
    assert world.run(jobs.end_for_gone_volunteers) == 1
    assert world.responsible(served).people == (boss,)
