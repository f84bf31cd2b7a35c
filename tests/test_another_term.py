"""Another term: willing and not able to yet, put off, and whom a keeper is told of."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlmodel import Session, select

from handlers import notices
from handlers.here import Here
from handlers.message import Reply
from handlers.relay_answers import TERM, Answer
from models import family, household_acts, relaying, stints
from models.database import Database
from models.person import Person
from models.volunteer import Volunteer
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import CHILD, NAME, World


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def on(session: Session, platform: str) -> None:
    session.info["here"] = Here(platform, "test", sensitive_in_chat=platform == "wechat", public_url="")


def answered(world: World, person: str, relay: str, what: str) -> str:
    with world.database.write() as session:
        on(session, "wechat")
        said = TERM.perform(session, session.get_one(Person, person), Answer(relay, what))
        assert isinstance(said, Reply)
        return said.text


def worded(world: World, person: str, kind: str, params: dict[str, str]) -> str:
    with world.database.write() as session:
        on(session, "telegram")
        said = notices.words(session, session.get_one(Person, person), kind, params, again=False)
        assert said is not None
        return said.text


def test_a_willing_volunteer_reads_why_it_cannot_be_and_the_specialist_knows(world: World) -> None:
    served, boss = world.beneficiary(birth_date=CHILD), world.specialist()
    person = world.volunteer(cleared_until=date(2027, 1, 1))
    stint = world.paired(served, person, boss)
    relay = world.do(relaying.begin, stint, "term", date(2026, 12, 31), "programme").id
    with world.database.write() as session:
        row = session.exec(select(Volunteer).where(Volunteer.person_id == person)).one()
        row.cleared_until = date(2026, 11, 1)
        session.add(row)
    said = answered(world, person, relay, "again")
    assert "无犯罪记录" in said and "已经告诉专员" in said
    assert world.told(boss).count("notice.willing") == 1
    told = worded(world, boss, "notice.willing", {"relay": relay, "why": "clearance"})
    assert "再续一期" in told and NAME not in told
    with world.database.write() as session:
        row = session.exec(select(Volunteer).where(Volunteer.person_id == person)).one()
        row.cleared_until = date(2027, 11, 1)
        session.add(row)
    assert "又续了一期" in answered(world, person, relay, "again")


def test_putting_it_off_says_what_is_true(world: World, clock: StoppedClock) -> None:
    person, boss = world.volunteer(), world.specialist()
    stint = world.paired(world.beneficiary(), person, boss)
    relay = world.do(relaying.begin, stint, "term", date(2026, 12, 31), "programme").id
    assert "过两周再问你" in answered(world, person, relay, "later")
    assert "过两周" not in answered(world, person, relay, "later"), "once"
    clock.at = datetime(2026, 12, 25, 2, 0, tzinfo=UTC)
    said = answered(world, person, relay, "later")
    assert "过两周" not in said and "2026-12-31" in said


def test_whoever_takes_somebody_is_not_told_what_they_did(world: World) -> None:
    served, boss, other = world.beneficiary(), world.specialist(), world.specialist()
    assert world.do(household_acts.take, served, boss)
    assert "notice.keeping" not in world.told(boss)
    key = world.do(stints.keep, served, other, "specialist", boss).id
    assert "notice.keeping" in world.told(other)
    assert "上一个结对" not in worded(world, other, "notice.keeping", {"keeping": key})


def test_whom_nobody_kept_is_told_of_without_a_word_of_the_machine(world: World) -> None:
    served, person, boss = world.beneficiary(), world.volunteer(), world.specialist()
    world.paired(served, person, boss)
    world.end_roles(boss)
    world.do(family.take_back, served, "pairing", "machine")
    other = world.specialist()
    assert world.run(jobs.keep_unkept) == 1
    with world.database.read() as session:
        kept = stints.keeping_of(session, served)
        assert kept is not None
    said = worded(world, other, "notice.keeping", {"keeping": kept.id})
    assert "上一个结对结束了。" in said and "relay" not in said
