"""The visits and hours of the county of tests/year.py: what volunteers and specialists do about them in one week, by
chance, on a machine that stumbles (tests/year_faults.py)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from sqlmodel import Session, col, select

from models import (
    checking_in,
    duty_leaves,
    role,
    serving,
    turn_acts,
    unvisited,
    visit_days,
    visit_help,
    visit_reporting,
    visiting,
)
from models.database import Database
from models.demo import City
from models.duty_leave import DutyLeave
from models.hours_ledger import Head, heads
from models.pairing import LEAD, OPEN, Stint
from models.served import servers
from models.service import CONFIRMED, WAITING, ServiceRecord
from models.serving import Told
from models.team import TeamMember
from models.turn import ASKED, Turn, TurnPlan
from models.visit import OWED, STANDING, Booking, Visit
from models.visit_reporting import Report
from models.visits_owed import overdue_for
from scheduler.jobs import JOBS
from tests.conftest import StoppedClock
from tests.year import WEEK, County
from tests.year_faults import Misfortune
from tests.year_sending import Sending

DOWN = (6, 19, 31, 46)  # the weeks in which no job runs at all
FORGETFUL = 6  # each so-manieth volunteer never answers
ASKED_DAYS = 50  # so long before the due day people begin to think of it
# When jobs run after the Sunday on which everybody acts, in China: Tuesday night, Wednesday evening.
MOMENTS = ((2, time(22, 30)), (3, time(18, 30)))
VISITED = time(14, 0)  # on a Wednesday: the first hour at which somebody goes
MEANWHILE = [
    (name, job)
    for name, _seconds, job in JOBS
    if name in ("remind_of_visits", "remind_of_bookings", "ask_forgotten", "tell_mornings")
]


def day(at: datetime) -> date:
    """In China."""
    return visit_days.day_in_china(at)


class VisitingCounty(County):
    """As `County`; `sending` knows what was handed over, `kept` the heads of the hours ledgers of last week."""

    def __init__(self, database: Database, clock: StoppedClock, city: City, seed: int) -> None:
        super().__init__(database, clock, city, seed)
        self.luck = Random(seed + 1_000)
        self.misfortune = Misfortune(database, seed + 2_000)
        self.sending = Sending(database)
        self.kept: list[Head] = []
        self.ran, self.watched = True, False  # whether jobs ran this week, and have just run

    # --- the week ---

    def _bring(self) -> None:
        self.sending.send()

    def _pass_week(self, watch: Callable[[], None]) -> None:
        begins = self.clock.now()
        self.ran = self.week not in DOWN
        self.reminded()
        self.confirmed()
        self.overdue()
        self.leaves()
        self.turns()
        for days, hour in MOMENTS:
            moment = datetime.combine(day(begins) + timedelta(days=days), hour, visit_days.ZONE)
            if hour.hour == 18:
                self._to(datetime.combine(moment.date(), time(9, 0), visit_days.ZONE))
                if self.ran:
                    self.misfortune.run(MEANWHILE[:2])
                self.sending.send()  # and what rested through the night
                self._to(datetime.combine(moment.date(), time(15, 0), visit_days.ZONE))
                self.arrive()
            self._to(moment)
            if self.ran:
                self.misfortune.run(MEANWHILE if hour.hour == 18 else MEANWHILE[:-1])
            self.sending.send()
            if hour.hour == 18:
                self.afterwards()
        self._to(begins + WEEK)
        if self.ran:
            self.misfortune.run([(name, job) for name, _seconds, job in JOBS])
            self.watched = True
            watch()
            self.watched = False
        with self.database.read() as session:
            self.kept = heads(session)

    def _to(self, moment: datetime) -> None:
        self.clock.pass_time(moment.astimezone(UTC) - self.clock.now())

    def _lucky(self, chance: float) -> bool:
        return self.luck.random() < chance

    # --- volunteers ---

    def _goes(self, session: Session, stint: Stint) -> str | None:
        """Who makes the visits: the volunteer, or of a team now one, now another."""
        if stint.team_id is None or self._lucky(0.5):
            return next(iter(servers(session, stint)), None)
        members = select(TeamMember.person_id).where(
            TeamMember.team_id == stint.team_id, col(TeamMember.left_at).is_(None)
        )
        return self.luck.choice(sorted(session.exec(members), key=self._place.__getitem__))

    def _owed(self) -> list[tuple[Visit, Stint, str]]:
        """What people think of now, each with somebody who goes."""
        today = day(self.clock.now())
        with self.database.read() as session:
            query = select(Visit, Stint).join(Stint, col(Stint.id) == Visit.stint_id).where(Visit.state == OWED)
            query = query.where(Visit.opens_on <= today, Visit.due_on <= today + timedelta(days=ASKED_DAYS))
            found = sorted(session.exec(query), key=lambda two: self._in_order(two[1].beneficiary_id, two[1].person_id))
            going = [(visit, stint, self._goes(session, stint)) for visit, stint in found]
        return [(visit, stint, who) for visit, stint, who in going if who is not None]

    def reminded(self) -> None:
        """They book a time, cannot go, want to be asked later, were there already, found nobody, or say nothing."""
        with self.database.read() as session:
            booked = {one.visit_id: one.id for one in session.exec(select(Booking).where(Booking.state == STANDING))}
        for visit, stint, who in self._owed():
            if self._place[who] % FORGETFUL == 0:
                continue
            said = self.luck.choices(("book", "cannot", "later", "told", "vain", ""), (18, 4, 6, 4, 3, 65))[0]
            wednesday = self._wednesday(self.luck.choice((0, 0, 1, 2)))
            if visit.id in booked:
                moves = self._lucky(0.5)
                act = visiting.move if moves else visiting.cancel
                more = (wednesday,) if moves else ()
                if said in ("cannot", "later"):
                    self._try(lambda s, a=act, w=who, b=booked[visit.id], m=more: a(s, w, b, *m))  # type: ignore[misc]
            elif said == "book":
                self._try(lambda s, w=who, o=stint, a=wednesday, v=visit: visiting.book(s, w, o.id, a, v.id))  # type: ignore[misc]
            elif said == "cannot":
                self._try(lambda s, v=visit, w=who: visit_help.cannot_go(s, v.id, w, "time"))  # type: ignore[misc]
            elif said == "later":
                later = day(self.clock.now()) + timedelta(days=self.luck.choice((1, 3, 10, 30)))
                self._try(lambda s, w=who, v=visit, d=later: visiting.ask_later(s, w, v.id, d))  # type: ignore[misc]
            elif said == "vain":
                self._try(lambda s, w=who, o=stint: visiting.in_vain(s, w, o.id))  # type: ignore[misc]
            elif said == "told":
                self._tells(who, stint, self.clock.now() - timedelta(days=self.luck.choice((1, 2, 9)), hours=1))

    def _wednesday(self, weeks: int) -> datetime:
        on = day(self.clock.now()) + timedelta(days=3, weeks=weeks)
        return datetime.combine(on, VISITED, visit_days.ZONE) + timedelta(minutes=30 * self.luck.randrange(3))

    def _tells(self, who: str, stint: Stint, at: datetime) -> None:
        """补录 and 探访记录 in one."""

        def act(session: Session) -> None:
            told = Told("care", at, at + timedelta(minutes=self.luck.choice((35, 60, 95, 150))), stint_id=stint.id)
            record = serving.tell(session, who, told)
            self._reports(session, who, stint, at, record.id)

        self._try(act)

    def _reports(self, session: Session, who: str, stint: Stint, at: datetime, record: str | None) -> None:
        form = self.luck.choice(("home", "home", "together", "call"))
        answers = {"mood": "good"} if self._lucky(0.5) else {}
        visit_reporting.report(session, who, Report(stint.id, at, form, answers, record_id=record))
        turn_acts.visited(session, stint.id, who)

    def arrive(self) -> None:
        """Of those who booked for now, some check in."""
        for booking, stint in self._booked():
            if self._lucky(0.6) and booking.at <= self.clock.now():
                self._try(
                    lambda s, b=booking, o=stint: checking_in.unproven(s, b.person_id, o, "care", "no_signal")  # type: ignore[misc]
                )

    def afterwards(self) -> None:
        """They check out and report, report only, tell it, found nobody at home, or forget about it."""
        for booking, stint in self._booked():
            if booking.at > self.clock.now():
                continue
            said = self.luck.choices(("out", "report", "told", "vain", ""), (50, 12, 12, 10, 16))[0]
            who, at = booking.person_id, booking.at
            if said == "vain":
                self._try(lambda s, b=booking, w=who: visiting.nobody_home(s, w, b.id))  # type: ignore[misc]
            elif said == "told":
                self._tells(who, stint, at)
            elif said == "report":
                self._try(lambda s, w=who, o=stint, a=at: self._reports(s, w, o, a, None))  # type: ignore[misc]
            elif said == "out":
                out = self.clock.now() - timedelta(minutes=self.luck.choice((0, 20, 100)))

                def act(session: Session, w: str = who, o: Stint = stint, a: datetime = at, e: datetime = out) -> None:
                    self._reports(session, w, o, a, serving.check_out(session, w, e).id)

                self._try(act)

    def _booked(self) -> list[tuple[Booking, Stint]]:
        with self.database.read() as session:
            query = select(Booking, Stint).join(Stint, col(Stint.id) == Booking.stint_id)
            found = session.exec(query.where(Booking.state == STANDING)).all()
        return sorted(found, key=lambda two: (two[0].at, *self._in_order(two[1].beneficiary_id, two[0].person_id)))

    def turns(self) -> None:
        """Teams let their members go in turn; who is asked goes, has somebody else go, or says nothing."""
        with self.database.read() as session:
            asked = session.exec(select(Turn).where(Turn.state == ASKED)).all()
            planned = set(session.exec(select(TurnPlan.stint_id)))
        for turn in sorted(asked, key=lambda one: (self._place[one.person_id], one.number)):
            said = self.luck.choices(("yes", "swap", ""), (60, 15, 25))[0]
            act = {"yes": turn_acts.accept, "swap": turn_acts.swap}.get(said)
            if act is not None:
                self._try(lambda s, a=act, t=turn: a(s, t.id, t.person_id))  # type: ignore[misc]
        for stint in self._stints(OPEN):
            if stint.team_id is None or stint.part != LEAD or stint.id in planned or not self._lucky(0.2):
                continue
            with self.database.read() as session:
                leader = next(iter(servers(session, stint)), None)
                members = session.exec(select(TeamMember.person_id).where(TeamMember.team_id == stint.team_id)).all()
            people = sorted(members, key=self._place.__getitem__)[:4]
            rhythm = self.luck.choice(("visit", "month"))
            if leader is not None:
                self._try(lambda s, o=stint, p=people, r=rhythm, w=leader: turn_acts.plan(s, o.id, p, r, w))  # type: ignore[misc]

    # --- people at work ---

    def _staff(self) -> list[str]:
        people = [*self.city.of("organiser"), *self.city.of("specialist")]
        with self.database.read() as session:
            return [one.person_id for one in people if role.grants(session, one.person_id)]

    def confirmed(self) -> None:
        """They confirm hours, change or refuse some, and leave some; they serve too, and some try their own."""
        for by in self._staff():
            if self._lucky(0.1):
                own = Told("study", self.clock.now() - timedelta(hours=5), self.clock.now())
                self._try(lambda s, b=by, t=own: serving.tell(s, b, t))  # type: ignore[misc]
            with self.database.read() as session:
                query = select(ServiceRecord).where(col(ServiceRecord.state).in_((WAITING, CONFIRMED)))
                rows = session.exec(query.order_by(col(ServiceRecord.starts_at))).all()
            for row in sorted(rows, key=lambda one: (one.starts_at, self._place[one.person_id])):
                said = self.luck.choices(
                    ("confirm", "refuse", "correct", ""), (50, 6, 6, 38) if row.state == WAITING else (0, 1, 1, 98)
                )[0]
                if said == "confirm":
                    self._try(lambda s, b=by, r=row: serving.confirm_many(s, b, [r.id]))  # type: ignore[misc]
                elif said == "refuse":
                    self._try(lambda s, b=by, r=row: serving.refuse(s, b, r.id, "那天他不在"))  # type: ignore[misc]
                elif said == "correct" and row.ends_at is not None:
                    end = row.starts_at + timedelta(minutes=60)
                    self._try(
                        lambda s, b=by, r=row, e=end: serving.correct(s, b, r.id, r.starts_at, e, "care", "早走了")  # type: ignore[misc]
                    )

    def overdue(self) -> None:
        """They excuse, take in hand, remind, and tell for others what is overdue."""
        for by in self._staff():
            with self.database.read() as session:
                rows = overdue_for(session, by)
                rows.sort(key=lambda one: (self._place[str(one.beneficiary_id)], one.due_on))
            for row in rows:
                said = self.luck.choices(("excuse", "hold", "nudge", "behalf", ""), (6, 12, 10, 4, 68))[0]
                at = self.clock.now() - timedelta(days=1)
                if said == "excuse":
                    self._try(lambda s, b=by, v=row: visiting.excuse(s, b, v.id, "health"))  # type: ignore[misc]
                elif said == "hold":
                    self._try(lambda s, b=by, v=row: visiting.hold(s, b, v.id))  # type: ignore[misc]
                elif said == "nudge":
                    self._try(lambda s, b=by, v=row: unvisited.nudge(s, v.id, b))  # type: ignore[misc]
                elif said == "behalf" and row.stint_id is None:
                    self._try(lambda s, b=by, v=row, a=at: visit_reporting.report_kept(s, b, v.id, a, "home", "phoned"))  # type: ignore[misc]
                elif said == "behalf":
                    told = Report(str(row.stint_id), at, "home", visit_id=row.id, why="phoned")
                    self._try(lambda s, b=by, t=told: visit_reporting.report(s, b, t))  # type: ignore[misc]

    def leaves(self) -> None:
        """Now and then one of them goes on leave, with somebody who says yes, or no, or without anybody."""
        with self.database.read() as session:
            asked = session.exec(select(DutyLeave).where(col(DutyLeave.ended_at).is_(None))).all()
        for leave in sorted(asked, key=lambda one: (one.first_day, self._place[one.person_id])):
            if leave.deputy_id is not None and leave.taken_at is None and self._lucky(0.8):
                act = duty_leaves.take if self._lucky(0.7) else duty_leaves.decline
                self._try(lambda s, a=act, o=leave: a(s, o.id, str(o.deputy_id)))  # type: ignore[misc]
        for by in self._staff():
            if not self._lucky(0.05):
                continue
            first = day(self.clock.now()) + timedelta(days=self.luck.choice((0, 4, 9)))
            last = first + timedelta(days=self.luck.choice((3, 10, 20)))

            def act_(session: Session, p: str = by, f: date = first, t: date = last) -> None:
                others = [one for one in duty_leaves.candidates(session, p, f, t) if one in self._place]
                deputy = min(others, key=self._place.__getitem__) if others and self._lucky(0.7) else None
                duty_leaves.ask(session, p, f, t, deputy, p)

            self._try(act_)
