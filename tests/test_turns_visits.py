"""Where a team takes turns, visits are those of whose turn it is: reminders, times, 去不了, the address, reports."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import col, select

from models import (
    looking,
    serving,
    team_member,
    turn_acts,
    turns,
    visit_help,
    visit_reminders,
    visit_reporting,
    visiting,
)
from models.database import Database
from models.outbox import OutboxMessage
from models.pairing import Stint
from models.service import PLACE
from models.turn import Turn
from models.visit import CANCELLED, Booking, Visit, VisitReport
from models.visit_reporting import Report
from models.visiting import VisitError
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import World


def at(words: str, hour: int = 15) -> datetime:
    """An hour of a day in China."""
    return datetime.fromisoformat(f"{words}T{hour:02d}:00:00+08:00").astimezone(UTC)


class Taking:
    """A leader and two members, paired with somebody since 1 August 2026; each visit another one goes."""

    def __init__(self, database: Database, clock: StoppedClock) -> None:
        self.world, self.clock = World(database), clock
        clock.at = at("2026-08-01", 10)
        self.boss = self.world.specialist()
        self.leader, self.one, self.two = self.world.volunteers(3)
        team = self.world.team(self.leader, members=(self.one, self.two))
        self.served = self.world.beneficiary()
        self.stint = self.world.paired(self.served, self.leader, self.boss, team)
        self.world.do(turn_acts.plan, self.stint, (self.one, self.two), "visit", self.leader)
        jobs.plan_visits(database)
        with database.read() as session:
            self.visit = session.exec(select(Visit).where(Visit.stint_id == self.stint)).first()  # type: ignore[assignment]
        assert self.visit is not None

    def told(self, kind: str) -> list[str]:
        query = select(OutboxMessage.person_id).where(OutboxMessage.kind == kind, OutboxMessage.state == "waiting")
        with self.world.database.read() as session:
            return sorted(session.exec(query))

    def going(self) -> str:
        with self.world.database.read() as session:
            stint = session.get_one(Stint, self.stint)
            return turns.turns_on(session, [stint], turns.today(session))[self.stint].person_id

    def standing(self) -> Turn:
        with self.world.database.read() as session:
            return session.exec(select(Turn).where(col(Turn.state).in_(("asked", "accepted")))).one()

    def book(self, day: str, person: str) -> Booking:
        return self.world.do(visiting.book, person, self.stint, at(day))

    def report(self, day: str, person: str) -> None:
        self.clock.at = max(self.clock.at, at(day, 18))
        self.world.do(visit_reporting.report, person, Report(self.stint, at(day, 12), "home"))

    def looks(self, person: str) -> bool:
        return self.world.do(lambda session: looking.may_look(session, session.get_one(Stint, self.stint), person))

    def stints(self, person: str) -> list[str]:
        return [one.id for one in self.world.do(visiting.going, person)]


@pytest.fixture
def taking(database: Database, clock: StoppedClock) -> Taking:
    return Taking(database, clock)


def test_the_reminder_goes_to_whose_turn_it_is_and_to_the_leader_without_a_plan(taking: Taking) -> None:
    world = taking.world
    world.do(visit_reminders.ask_again, [taking.visit.id], "one")
    assert taking.told("notice.visit") == [taking.one]
    world.do(turn_acts.visited, taking.stint, taking.one)
    world.do(visit_reminders.ask_again, [taking.visit.id], "two")
    assert taking.told("notice.visit") == sorted([taking.one, taking.two])
    world.do(turn_acts.drop, taking.stint, taking.leader)
    world.do(visit_reminders.ask_again, [taking.visit.id], "three")
    assert taking.told("notice.visit") == sorted([taking.one, taking.two, taking.leader])


def test_where_nobody_of_the_team_can_go_whoever_answers_for_the_county_is_reminded(taking: Taking) -> None:
    for _each in range(3):
        taking.world.do(turn_acts.swap, taking.standing().id, taking.going())
    taking.world.do(visit_reminders.ask_again, [taking.visit.id], "one")
    assert taking.told("notice.visit") == [taking.boss]


def test_whose_turn_it_is_visits_and_the_others_do_not(taking: Taking) -> None:
    assert taking.stints(taking.one) == [taking.stint]
    assert taking.stints(taking.two) == []
    assert taking.stints(taking.leader) == [taking.stint]


def test_a_booked_time_is_a_yes_to_the_turn_and_opens_the_address_to_them_alone(taking: Taking) -> None:
    taking.book("2026-09-05", taking.one)
    assert (taking.standing().person_id, taking.standing().state) == (taking.one, "accepted")
    assert not taking.looks(taking.one), "not weeks before"
    taking.clock.at = at("2026-09-05", 9)
    assert (taking.looks(taking.one), taking.looks(taking.two), taking.looks(taking.leader)) == (True, False, False)
    assert [one.id for one in taking.world.do(looking.booked_now, taking.one)] == [taking.stint]
    taking.world.do(team_member.forget_member, taking.one)
    assert not taking.looks(taking.one), "whoever left the team goes there no more"
    assert taking.world.do(looking.booked_now, taking.one) == []


def test_cannot_go_passes_the_turn_on_and_asks_nobody_besides(taking: Taking) -> None:
    row = taking.book("2026-09-05", taking.one)
    assert taking.world.do(visit_help.cannot_go, taking.visit.id, taking.one, "time") == "asked"
    assert taking.going() == taking.two == taking.standing().person_id
    assert taking.world.one(Booking, row.id).state == CANCELLED
    assert taking.told("notice.visit_turn") == []
    assert taking.told("notice.visit_cannot") == [taking.boss]
    assert taking.world.do(visit_help.cannot_go, taking.visit.id, taking.one, "time") == "asked", "already passed on"
    assert taking.going() == taking.two
    assert taking.world.do(visit_help.cannot_go, taking.visit.id, taking.two, "time") == "asked"
    assert taking.going() == taking.leader
    assert taking.world.do(visit_help.cannot_go, taking.visit.id, taking.leader, "time") == "told"


def test_another_one_instead_calls_off_what_was_booked(taking: Taking) -> None:
    row = taking.book("2026-09-05", taking.one)
    taking.world.do(visit_help.swap, taking.standing().id, taking.one)
    assert taking.world.one(Booking, row.id).state == CANCELLED
    assert taking.going() == taking.two


def test_a_visit_moves_the_turn_on_once_however_often_it_is_told(taking: Taking) -> None:
    taking.clock.at = at("2026-09-05", 14)
    doing = serving.Doing("care", PLACE, stint_id=taking.stint)
    taking.world.do(serving.check_in, taking.one, doing)
    taking.clock.at = at("2026-09-05", 16)
    record = taking.world.do(serving.check_out, taking.one)
    assert taking.going() == taking.two, "the check-out tells of the visit"
    taking.report("2026-09-05", taking.one)
    assert taking.going() == taking.two, "its report tells of the same one"
    with taking.world.database.read() as session:
        assert session.exec(select(VisitReport.record_id)).one() == record.id, "and is linked to its hours"
    taking.report("2026-09-20", taking.two)
    assert taking.going() == taking.one
    taking.report("2026-09-10", taking.one)
    assert taking.going() == taking.one, "told late, of a day before"


def test_a_member_may_tell_of_a_visit_though_the_turn_is_another_ones_by_now(taking: Taking) -> None:
    taking.world.do(turn_acts.visited, taking.stint, taking.one)
    assert taking.stints(taking.one) == []
    assert [one.id for one in taking.world.do(visiting.gone_to, taking.one)] == [taking.stint]
    stranger = taking.world.volunteer()
    with pytest.raises(VisitError) as error:
        taking.world.do(visit_reporting.report, stranger, Report(taking.stint, at("2026-08-01", 9), "home"))
    assert error.value.reason == "scope"


def test_what_a_member_booked_who_left_is_called_off_and_asked_anew(taking: Taking) -> None:
    row = taking.book("2026-09-05", taking.one)
    assert taking.world.do(visiting.lapsed) == []
    taking.world.do(team_member.forget_member, taking.one)
    assert taking.world.do(visiting.lapsed) == [row.id]
    assert taking.world.do(visiting.lapse, [row.id]) == 1
    assert taking.world.one(Booking, row.id).state == CANCELLED
    taking.clock.at += timedelta(hours=1)
    jobs.remind_of_visits(taking.world.database)
    assert taking.told("notice.visit") == [taking.two]
    assert taking.world.one(Visit, taking.visit.id).next_on != date(2026, 8, 1)
