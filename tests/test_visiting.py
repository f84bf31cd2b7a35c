"""What people do about visits: book, move, call off, nobody at home, report, excuse, take in hand; and the address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from models import looking, visit_reporting, visiting
from models.database import Database
from models.pairing import SUBSTITUTE, Stint
from models.visit import Booking, Visit, VisitNote, VisitReport
from models.visit_reporting import Report
from models.visiting import VisitError
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import TIANHE, YUEXIU, World


def at(words: str, hour: int = 15) -> datetime:
    """An hour of a day in China."""
    return datetime.fromisoformat(f"{words}T{hour:02d}:00:00+08:00").astimezone(UTC)


class Paired:
    """One pairing that began on 1 March 2026, with its owed visit of the second half; it is 1 August."""

    def __init__(self, database: Database, clock: StoppedClock) -> None:
        self.world, self.clock = World(database), clock
        clock.at = at("2026-03-01")
        self.by, self.person = self.world.specialist(), self.world.volunteer()
        self.served = self.world.beneficiary()
        self.stint = self.world.paired(self.served, self.person, self.by)
        self.said("2026-03-02", "home")
        clock.at = at("2026-08-01", 10)
        jobs.plan_visits(database)

    def said(self, day: str, form: str = "home", by: str = "", **told: Any) -> VisitReport:
        self.clock.at = max(self.clock.at, at(day, 16))
        return self.world.do(visit_reporting.report, by or self.person, Report(self.stint, at(day), form, **told))

    def book(self, day: str, hour: int = 15, person: str = "", **told: Any) -> Booking:
        return self.world.do(visiting.book, person or self.person, self.stint, at(day, hour), **told)

    @property
    def visit(self) -> Visit:
        """The one of the newest half."""
        with self.world.database.read() as session:
            query = select(Visit).where(Visit.beneficiary_id == self.served)
            return session.exec(query.order_by(col(Visit.year).desc(), col(Visit.half).desc())).first()  # type: ignore[return-value]

    def booking(self, row: Booking) -> Booking:
        return self.world.one(Booking, row.id)


@pytest.fixture
def paired(database: Database, clock: StoppedClock) -> Paired:
    return Paired(database, clock)


def refused(act: Callable[[], Any]) -> str:
    with pytest.raises(VisitError) as told:
        act()
    return told.value.reason


def test_a_booked_visit_is_not_reminded_of_until_its_day_is_over(paired: Paired) -> None:
    row = paired.book("2026-12-20")
    assert (row.state, row.visit_id, row.person_id) == ("standing", paired.visit.id, paired.person)
    assert paired.visit.next_on == date(2026, 12, 21)


def test_a_time_that_cannot_be_is_refused(paired: Paired) -> None:
    assert refused(lambda: paired.book("2026-07-31")) == "past"
    assert refused(lambda: paired.book("2027-01-05")) == "far"
    paired.book("2026-08-20")
    assert refused(lambda: paired.book("2026-12-21", visit_id=paired.visit.id)) == "booked"
    assert refused(lambda: paired.book("2026-08-20")) == "taken"
    assert refused(lambda: paired.book("2026-08-05", person=paired.world.volunteer())) == "scope"
    assert refused(lambda: paired.world.do(visiting.book, paired.person, "nothing", at("2026-08-05"))) == "gone"


def test_nobody_goes_to_two_places_at_once(paired: Paired) -> None:
    other = paired.world.paired(paired.world.beneficiary(), paired.person, paired.by)
    paired.book("2026-08-05")
    near = at("2026-08-05") + timedelta(minutes=59)
    assert refused(lambda: paired.world.do(visiting.book, paired.person, other, near)) == "taken"
    paired.world.do(visiting.book, paired.person, other, at("2026-08-05", 16))


def test_a_second_time_is_beyond_what_is_owed(paired: Paired) -> None:
    paired.book("2026-08-05")
    assert paired.book("2026-08-12").visit_id is None


def test_a_booking_is_moved_and_called_off(paired: Paired) -> None:
    row = paired.book("2026-08-05")
    new = paired.world.do(visiting.move, paired.person, row.id, at("2026-08-08"))
    assert paired.booking(row).state == "moved"
    assert (new.visit_id, new.at) == (row.visit_id, at("2026-08-08"))
    assert refused(lambda: paired.world.do(visiting.move, paired.person, row.id, at("2026-08-09"))) == "gone"
    stranger = paired.world.volunteer()
    assert refused(lambda: paired.world.do(visiting.cancel, stranger, new.id)) == "scope"
    paired.world.do(visiting.cancel, paired.by, new.id)
    assert paired.booking(new).state == "cancelled"
    assert paired.visit.next_on == date(2026, 11, 16)  # 45 days before the due day


def test_a_move_to_a_time_that_cannot_be_leaves_it_as_it_was(paired: Paired) -> None:
    row = paired.book("2026-08-05")
    with paired.world.database.write() as session, pytest.raises(VisitError):
        visiting.move(session, paired.person, row.id, at("2026-07-05"))
    assert paired.booking(row).state == "standing"
    new = paired.world.do(visiting.move, paired.person, row.id, at("2026-08-05") + timedelta(minutes=30))
    assert new.state == "standing"


def test_nobody_at_home_is_recorded_and_asked_about_again(paired: Paired) -> None:
    row = paired.book("2026-08-05")
    assert refused(lambda: paired.world.do(visiting.nobody_home, paired.person, row.id)) == "future"
    paired.clock.at = at("2026-08-05")
    paired.world.do(visiting.nobody_home, paired.person, row.id)
    assert paired.booking(row).state == "vain"
    assert (paired.visit.state, paired.visit.next_on) == ("owed", date(2026, 8, 12))


def test_a_report_closes_what_is_owed_and_the_booking(paired: Paired) -> None:
    row = paired.book("2026-08-05")
    told = paired.said("2026-08-05", "together", answers={"mood": "挺好"})
    assert (told.visit_id, told.booking_id) == (paired.visit.id, row.id)
    assert paired.booking(row).state == "kept"
    visit = paired.visit
    assert (visit.state, visit.made_on, visit.form, visit.flags, visit.next_on) == (
        "made",
        date(2026, 8, 5),
        "together",
        [],
        None,
    )


def test_a_second_report_of_the_same_visit_closes_nothing_more(paired: Paired) -> None:
    paired.said("2026-08-05")
    assert paired.said("2026-08-05").visit_id is None


def test_an_extra_visit_is_welcome_and_one_after_too_few_days_does_not_count(paired: Paired) -> None:
    paired.said("2026-12-20")
    paired.clock.at = at("2027-01-10")
    jobs.plan_visits(paired.world.database)
    assert paired.said("2027-01-15").visit_id is None  # fewer than 60 days
    assert paired.visit.state == "owed"
    assert paired.said("2027-02-18").visit_id == paired.visit.id


def test_a_visit_told_late_counts_for_its_half(paired: Paired) -> None:
    paired.clock.at = at("2027-01-10")
    jobs.plan_visits(paired.world.database)
    told = paired.said("2026-12-30")
    visit = paired.world.one(Visit, str(told.visit_id))
    assert (visit.year, visit.half, visit.made_on) == (2026, 2, date(2026, 12, 30))


def test_the_same_form_twice_and_no_face_to_face_are_told(paired: Paired) -> None:
    assert paired.visit.flags == []
    paired.said("2026-08-05", "home")
    assert paired.visit.flags == ["same_form"]
    paired.clock.at = at("2027-01-10")
    jobs.plan_visits(paired.world.database)
    paired.said("2027-03-05", "call")
    paired.clock.at = at("2027-07-10")
    jobs.plan_visits(paired.world.database)
    paired.said("2027-08-05", "parcel")
    assert paired.visit.flags == ["no_face"]


@pytest.mark.parametrize(("day", "reason"), [("2026-08-02", "future"), ("2026-02-20", "day")])
def test_a_visit_is_told_of_a_day_that_can_be(paired: Paired, day: str, reason: str) -> None:
    told = Report(paired.stint, at(day), "home")
    assert refused(lambda: paired.world.do(visit_reporting.report, paired.person, told)) == reason


def test_somebody_who_answers_for_it_tells_it_for_the_volunteer_and_says_why(paired: Paired) -> None:
    assert refused(lambda: paired.said("2026-08-05", by=paired.by)) == "why"
    assert refused(lambda: paired.said("2026-08-05", by=paired.world.specialist(YUEXIU), why="电话里说的")) == "scope"
    told = paired.said("2026-08-05", by=paired.by, why="电话里说的")
    assert (told.person_id, told.told_by, told.why) == (paired.person, paired.by, "told")
    assert paired.world.do(visit_reporting.answers_of, told) == {"why": "电话里说的"}
    assert (paired.visit.state, paired.visit.closed_by) == ("made", paired.by)


def test_what_was_made_before_the_pairing_ended_still_counts(paired: Paired) -> None:
    from models.stints import end_stint

    paired.clock.at = at("2026-08-10")
    with paired.world.database.write() as session:
        end_stint(session, session.get_one(Stint, paired.stint), "stopped", paired.person)
    paired.clock.at = at("2026-08-12")
    assert refused(lambda: paired.said("2026-08-12")) == "day"
    assert paired.said("2026-08-05").visit_id == paired.visit.id


def test_members_of_the_team_and_whoever_stands_in_may_go(database: Database, clock: StoppedClock) -> None:
    world = World(database)
    by, leader, member, other = world.specialist(), world.volunteer(), world.volunteer(), world.volunteer()
    stint = world.paired(world.beneficiary(), leader, by, world.team(leader, members=(member,)))
    booked = world.do(visiting.book, member, stint, at("2026-12-05"))
    assert booked.person_id == member
    assert refused(lambda: world.do(visiting.book, other, stint, at("2026-12-06"))) == "scope"
    with database.write() as session:
        lead = session.get_one(Stint, stint)
        row = Stint(
            beneficiary_id=lead.beneficiary_id,
            person_id=other,
            part=SUBSTITUTE,
            state="open",
            follows_id=stint,
            activities=12,
            relay_months=12,
            made_by=by,
            made_at=lead.made_at,
        )
        session.add(row)
    assert world.do(visiting.book, other, row.id, at("2026-12-06")).stint_id == stint
    assert [one.stint_id for one in world.do(visiting.owed_by, other)] == [stint]


def test_only_somebody_who_does_not_owe_it_excuses_it_and_says_why(paired: Paired) -> None:
    visit = paired.visit.id
    row = paired.book("2026-08-05")
    assert refused(lambda: paired.world.do(visiting.excuse, paired.person, visit, "忙")) == "scope"
    assert refused(lambda: paired.world.do(visiting.excuse, paired.by, visit, " ")) == "why"
    paired.world.do(visiting.excuse, paired.by, visit, "住院，家里不方便")
    assert (paired.visit.state, paired.visit.closed_by, paired.visit.why) == ("excused", paired.by, "told")
    with paired.world.database.read() as session:
        note = session.exec(select(VisitNote)).one()
    assert note.said_sealed is not None and "住院".encode() not in note.said_sealed
    assert paired.booking(row).state == "cancelled"
    assert refused(lambda: paired.world.do(visiting.excuse, paired.by, visit, "再来一次")) == "closed"


def test_whoever_takes_it_in_hand_stops_the_clock_for_seven_days_once(paired: Paired) -> None:
    paired.clock.at = at("2027-01-07")
    jobs.remind_of_visits(paired.world.database)
    assert paired.visit.next_on == date(2027, 1, 11)
    visit = paired.visit.id
    assert refused(lambda: paired.world.do(visiting.hold, paired.person, visit)) == "scope"
    paired.world.do(visiting.hold, paired.by, visit)
    assert (paired.visit.held_until, paired.visit.held_by) == (date(2027, 1, 14), paired.by)
    assert paired.visit.next_on == date(2027, 1, 14)
    assert refused(lambda: paired.world.do(visiting.hold, paired.by, visit)) == "held"
    paired.clock.at = at("2027-01-14")
    jobs.remind_of_visits(paired.world.database)
    assert paired.visit.held_until is None  # the next step was taken: it can be taken in hand again


def test_asking_is_put_off_but_not_past_the_due_day(paired: Paired) -> None:
    visit = paired.visit.id
    later = date(2026, 9, 1)
    paired.world.do(visiting.ask_later, paired.person, visit, later)
    assert (paired.visit.next_on, paired.visit.quiet_until) == (later, later)
    assert refused(lambda: paired.world.do(visiting.ask_later, paired.person, visit, date(2027, 1, 2))) == "day"
    assert refused(lambda: paired.world.do(visiting.ask_later, paired.by, visit, later)) == "scope"


def test_what_nobody_said_anything_about_stands_no_more(paired: Paired) -> None:
    row = paired.book("2026-12-20")
    paired.clock.at = at("2026-12-23", 16)
    jobs.remind_of_bookings(paired.world.database)
    assert paired.booking(row).state == "lapsed"
    assert paired.visit.next_on == date(2026, 12, 23)


def test_the_address_is_seen_a_day_around_a_booked_visit_by_who_goes(paired: Paired) -> None:
    row = paired.book("2026-08-05")

    def sees(person: str) -> bool:
        return paired.world.do(looking.may_look, paired.world.stint(paired.stint), person)

    paired.clock.at = at("2026-08-04") - timedelta(minutes=1)
    assert not sees(paired.person)
    paired.clock.at = at("2026-08-04")
    assert sees(paired.person) and not sees(paired.world.volunteer())
    paired.clock.at = at("2026-08-06")
    assert sees(paired.person)
    paired.world.do(visiting.nobody_home, paired.person, row.id)
    assert sees(paired.person)
    paired.clock.at = at("2026-08-06") + timedelta(minutes=1)
    assert not sees(paired.person)
    row = paired.book("2026-08-07", 10)
    paired.world.do(visiting.cancel, paired.person, row.id)
    assert not sees(paired.person)


def test_what_was_told_is_sealed(paired: Paired) -> None:
    row = paired.said("2026-08-05", answers={"note": "想学画画"})
    kept = paired.world.one(VisitReport, row.id)
    assert kept.answers_sealed is not None and "想学画画".encode() not in kept.answers_sealed
    assert paired.world.do(visit_reporting.answers_of, kept) == {"note": "想学画画"}
    assert paired.visit.county == TIANHE
