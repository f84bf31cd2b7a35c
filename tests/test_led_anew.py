"""A team that somebody else leads by now: who reads and acts in its pairings."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import Session, select

from handlers import pairings
from handlers.dialogue import Dialogue
from handlers.here import Here
from handlers.message import Reply
from handlers.pairings import Look
from handlers.relay_answers import GIVE, GO_ON, TERM
from handlers.relay_answers import Answer as TermAnswer
from models import agreement, leave, relaying, relaying_lists, team_member
from models.beneficiary import Beneficiary
from models.called import called_by
from models.database import Database, now_of
from models.pairing import Stint
from models.person import Person
from models.relay import Relay
from models.stints import StintError, lead_of, standing_of
from models.team import TeamError
from models.volunteer import Volunteer
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import World


class Led:
    """A team paired with somebody, and then led by somebody else."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.before, self.now, self.boss = world.volunteer(), world.volunteer(), world.specialist()
        self.team = world.team(self.before, members=(self.now,))
        self.served = world.beneficiary()
        self.stint = world.paired(self.served, self.before, self.boss, self.team)
        assert world.do(team_member.set_leader, "machine", self.team, self.number(self.now))

    def number(self, person: str) -> str:
        with self.world.database.read() as session:
            return session.exec(select(Volunteer.number).where(Volunteer.person_id == person)).one()


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def led(world: World) -> Led:
    return Led(world)


def on_wechat(session: Session) -> None:
    session.info["here"] = Here("wechat", "test", sensitive_in_chat=True, public_url="")


def test_whoever_leads_the_team_now_opens_the_address_and_who_led_it_before_does_not(led: Led, world: World) -> None:
    with world.database.write() as session:
        stint = session.get_one(Stint, led.stint)
        stint.meets_at = now_of(session) + timedelta(hours=1)
        session.add(stint)
        session.flush()
        on_wechat(session)
        before, now = (
            pairings.LOOK.perform(session, session.get_one(Person, one), Look(led.stint))
            for one in (led.before, led.now)
        )
        assert isinstance(before, Reply) and "现在看不了" in before.text
        assert isinstance(now, Reply) and "地址：" in now.text
        assert pairings.address_page(session, led.before, led.stint, reading=True) is None
        assert pairings.address_page(session, led.now, led.stint, reading=True) is not None
        assert [len(standing_of(session, one)) for one in (led.before, led.now)] == [0, 1]
        somebody = session.get_one(Beneficiary, led.served)
        assert called_by(session, somebody, led.before) is None and called_by(session, somebody, led.now) is not None


def test_whoever_led_the_team_before_may_leave_it_and_who_leads_it_may_not(led: Led, world: World) -> None:
    assert world.do(team_member.remove, led.before, led.team, led.number(led.before))
    with pytest.raises(TeamError, match="stints"):
        world.do(team_member.remove, led.now, led.team, led.number(led.now))


def say(led: Led, dialogue: Dialogue, person: str, command: object) -> str:
    """What a talk answers to its last answer."""
    with led.world.database.write() as session:
        on_wechat(session)
        said = dialogue.perform(session, session.get_one(Person, person), command)
        assert isinstance(said, Reply)
        return said.text


def test_whoever_leads_the_team_now_goes_on_for_another_term(led: Led, world: World, clock: StoppedClock) -> None:
    clock.at = datetime(2027, 10, 1, 2, 0, tzinfo=UTC)
    assert world.run(jobs.begin_relays) == 1
    assert "notice.relay_begun" in world.told(led.now)
    with world.database.read() as session:
        relay = session.exec(select(Relay.id)).one()
    assert "已经定了" in say(led, TERM, led.before, TermAnswer(relay, "again"))
    assert "又续了一期" in say(led, TERM, led.now, TermAnswer(relay, "again"))
    with world.database.read() as session:
        new = lead_of(session, led.served)
        assert new is not None and (new.person_id, new.team_id, new.follows_id) == (led.now, led.team, led.stint)
    assert world.stint(led.stint).ended_why == "term"


def test_whoever_leads_the_team_now_hands_over(led: Led, world: World) -> None:
    with world.database.read() as session:
        assert [stint.id for stint in relaying_lists.mine(session, led.now)] == [led.stint]
        assert relaying_lists.mine(session, led.before) == []
    with pytest.raises(StintError, match="scope"):
        world.do(leave.ask, led.stint, date(2026, 12, 1), led.before)
    assert world.do(leave.ask, led.stint, date(2026, 12, 1), led.now) == 1
    relay = world.do(relaying.begin, led.stint, "stopped", date(2026, 12, 31), led.now).id
    assert "交接取消了" in say(led, GO_ON, led.now, relay)
    relay = world.do(relaying.begin, led.stint, "stopped", date(2026, 12, 31), led.now).id
    person = world.volunteer()
    stint = world.agreeing(led.served, person)
    world.do(agreement.accept, stint, person, world.write(stint, led.boss))
    assert "已经定了" in say(led, GIVE, led.before, relay)
    assert "已经交接" in say(led, GIVE, led.now, relay)
    assert world.stint(stint).state == "open"
