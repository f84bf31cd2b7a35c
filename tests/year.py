"""A county lives for a year and more: what specialists, volunteers, families and 残联 do in one week, by chance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

from sqlalchemy import update
from sqlmodel import Session, SQLModel, col, select

from models import agreement, demo, family, offering, relaying, role, stints, substituting
from models.agreement import Terms
from models.beneficiary import LISTED, Beneficiary, is_minor
from models.database import Database, now_of
from models.demo import City, Home
from models.distance import kilometres
from models.duty_leaves import DutyLeaveError
from models.family_consent import FamilyConsent
from models.obstacles import may_ask
from models.offer import ANSWERABLE, OVERDUE, Offer
from models.offering import Candidate, OfferError
from models.pairing import AGREEING, LEAD, OPEN, SUBSTITUTE, Stint
from models.proposal import MatchingRun, Proposal
from models.record_rules import ServiceError
from models.relay import SEEKING, STANDING, Relay
from models.stints import StintError
from models.turn_acts import TurnError
from models.visiting import VisitError
from scheduler.jobs import JOBS
from tests.conftest import StoppedClock

REFUSALS = (OfferError, StintError, VisitError, ServiceError, DutyLeaveError, TurnError)  # what the rules say no to
WEEK = timedelta(weeks=1)
LEDGERS = (12, 27, 44)  # the weeks in which a newer ledger comes
LEAVES = 35  # the week in which a specialist leaves


class County:
    """The people of a `City` and the chance by which they act."""

    def __init__(self, database: Database, clock: StoppedClock, city: City, seed: int) -> None:
        self.database, self.clock, self.city, self.chance = database, clock, city, Random(seed)
        self.week = 0
        self.homes = {home.beneficiary_id: home for home in city.homes}
        self._place = {key: number for number, key in enumerate([*self.homes, *(one.person_id for one in city.people)])}
        self.batch: list[str] = []  # the stints that were handed on before graduation
        self.rows = {county: [dict(row) for row in rows] for county, rows in city.ledgers.items()}

    def live(self, watch: Callable[[], None]) -> None:
        """One week: what waits is brought, everybody acts, jobs run; `watch` looks at what is left, and at the moment
        when somebody has died, before anything else happens."""
        self.week += 1
        self._bring()
        for act in (
            self.families,
            self.answers,
            self.troubles,  # who is asked to stand in has two days: the answers come in the same week
            self.agreements,
            self.handovers,
            self.offers,
            self.graduation,
            self.staff,
            self.newer_ledger,
        ):
            act()
        if self.week in LEDGERS:
            watch()
        self._pass_week(watch)

    def _pass_week(self, watch: Callable[[], None]) -> None:
        self.clock.pass_time(WEEK)
        for _name, _seconds, job in JOBS:
            job(self.database)
        watch()

    def _happens(self, chance: float) -> bool:
        return self.chance.random() < chance

    def _try(self, act: Callable[[Session], object]) -> bool:
        """One act in a transaction of its own; False where the rules say no."""
        try:
            with self.database.write() as session:
                act(session)
        except REFUSALS:
            return False
        return True

    def _bring(self) -> None:
        """Everything due has been sent by now."""
        rows = SQLModel.metadata.tables["outbox"]
        with self.database.write() as session:
            due = (rows.c.state == "waiting") & (rows.c.due_at <= now_of(session))
            session.execute(update(rows).where(due).values(state="sent", ended_at=now_of(session)))

    def _specialist(self, beneficiary_id: str) -> str:
        county = self.homes[beneficiary_id].county
        with self.database.read() as session:
            return role.responsible(session, county)[0]

    # --- families ---

    def families(self) -> None:
        """Some agree; one in a while takes it back."""
        with self.database.read() as session:
            people = session.exec(select(Beneficiary).where(Beneficiary.status == LISTED)).all()
            standing = select(FamilyConsent.beneficiary_id).where(col(FamilyConsent.withdrawn_at).is_(None))
            agreed = set(session.exec(standing))
            minors = {one.id for one in people if is_minor(one, now_of(session).date())}
        for one in sorted(people, key=lambda one: self._place[one.id]):
            if one.id not in agreed and self._happens(0.6 if self.week == 1 else 0.08):
                by = self._specialist(one.id)
                giver = family.GUARDIAN if one.id in minors else family.SELF
                self._try(lambda s, i=one.id, g=giver, b=by: family.record(s, i, family.PAIRING, g, family.PHONE, b))  # type: ignore[misc]
            elif one.id in agreed and self._happens(0.003):
                by = self._specialist(one.id)
                self._try(lambda s, i=one.id, b=by: family.take_back(s, i, family.PAIRING, b))  # type: ignore[misc]

    # --- offers ---

    def offers(self) -> None:
        """Specialists ask for those whom nobody serves: one neighbour, or three at once, with others proposed."""
        for home in self.homes.values():
            if not self._happens(0.5):
                continue
            with self.database.read() as session:
                somebody = session.get_one(Beneficiary, home.beneficiary_id)
                open_to = may_ask(session, somebody) is None and not offering.holding(session, somebody.id)
            if open_to:
                self._offer(home)

    def _offer(self, home: Home) -> None:
        around = self._happens(0.3)
        by = self._specialist(home.beneficiary_id)
        near = self._near(home)
        if self._happens(0.3):
            self._try(lambda session: self._propose(session, home, near[3:6]))
        for first in range(0, 12, 3):
            some = near[first : first + 3] if around else near[first : first + 1]
            if self._try(lambda s, c=some: offering.offer(s, home.beneficiary_id, c, by, around=around)):  # type: ignore[misc]
                return

    def _near(self, home: Home) -> list[Candidate]:
        leaders = self.city.of("leader", home.county)
        if leaders and self._happens(0.15):
            return [Candidate(one.person_id, self.city.teams[one.person_id]) for one in leaders]
        with self.database.read() as session:
            lead = stints.lead_of(session, home.beneficiary_id)
        people = sorted(
            (*leaders, *self.city.of("member", home.county)),
            key=lambda one: kilometres(home.latitude, home.longitude, one.who.latitude, one.who.longitude),
        )
        near = [one.person_id for one in people if lead is None or one.person_id != lead.person_id]
        first, rest = near[:8], near[8:]
        self.chance.shuffle(first)
        return [Candidate(one) for one in (*first, *rest)]

    def _propose(self, session: Session, home: Home, candidates: list[Candidate]) -> None:
        run = MatchingRun(region=home.county, made_by="programme", made_at=now_of(session))
        session.add(run)
        session.flush()
        for cost, one in enumerate(candidates):
            session.add(
                Proposal(
                    run_id=run.id,
                    beneficiary_id=home.beneficiary_id,
                    person_id=one.person_id,
                    team_id=one.team_id,
                    cost=float(cost),
                    made_at=now_of(session),
                )
            )

    def answers(self) -> None:
        """Volunteers say yes, no, later, nothing, or yes too late; one in a while takes a yes back."""
        with self.database.read() as session:
            asked = session.exec(select(Offer).where(col(Offer.state).in_(ANSWERABLE))).all()
        for one in sorted(asked, key=lambda one: self._in_order(one.beneficiary_id, one.person_id)):
            said = self.chance.choices(
                ("accepted", "declined", "later", ""), (8, 8, 0, 84) if one.state == OVERDUE else (45, 20, 15, 20)
            )[0]
            if said:
                reason = "busy" if said == "declined" else None
                self._try(lambda s, o=one, w=said, r=reason: offering.answer(s, o.id, o.person_id, w, r))  # type: ignore[misc]
            if said == "accepted" and self._happens(0.05):
                with self.database.read() as session:
                    mine = session.exec(select(Stint.id).where(Stint.offer_id == one.id)).first()
                if mine is not None:
                    self._try(lambda s, i=mine, o=one: offering.take_back(s, i, o.person_id))  # type: ignore[misc]

    # --- agreements and relays ---

    def agreements(self) -> None:
        """Meetings, agreements, acceptances; some do not come about."""
        for one in self._stints(AGREEING):
            by = self._specialist(str(one.beneficiary_id))
            if one.part == SUBSTITUTE:
                if self._happens(0.8):
                    yes = self._happens(0.7)
                    self._try(lambda s, o=one, y=yes: substituting.answer(s, o.id, str(o.person_id), yes=y))  # type: ignore[misc]
            elif one.confirmed_at is None and self._happens(0.7):
                if self._happens(0.07):
                    self._try(lambda s, o=one, b=by: agreement.call_off(s, o.id, b))  # type: ignore[misc]
                    continue
                at, terms = self.clock.now() + timedelta(days=1), Terms(tuple(one.services), 12, 12)
                self._try(lambda s, o=one, b=by, a=at: agreement.set_meeting(s, o.id, a, b))  # type: ignore[misc]
                self._try(lambda s, o=one, b=by, t=terms: agreement.write(s, o.id, t, b))  # type: ignore[misc]
            elif one.confirmed_at is not None and one.accepted_at is None and self._happens(0.8):
                self._try(lambda s, o=one: agreement.accept(s, o.id, str(o.person_id), o.confirmed_at))  # type: ignore[misc,arg-type]

    def handovers(self) -> None:
        """Those who go hand over, stay for another term, or go on after all."""
        with self.database.read() as session:
            query = select(Relay, Stint).join(Stint, col(Stint.id) == Relay.stint_id)
            found = session.exec(query.where(col(Relay.state).in_(STANDING), Stint.state == OPEN)).all()
        for relay, stint in sorted(found, key=lambda two: self._in_order(two[1].beneficiary_id, two[1].person_id)):
            if relay.taken_at is not None and self._happens(0.6):
                self._try(lambda s, r=relay, o=stint: relaying.give(s, r.id, str(o.person_id)))  # type: ignore[misc]
            elif relay.state == SEEKING and relay.reason == "term" and self._happens(0.1):
                self._try(lambda s, r=relay, o=stint: relaying.renew(s, r.id, str(o.person_id)))  # type: ignore[misc]
            elif relay.state == SEEKING and self._happens(0.03):
                self._try(lambda s, r=relay, o=stint: relaying.cancel(s, r.id, str(o.person_id)))  # type: ignore[misc]

    def troubles(self) -> None:
        """“我做不下去了”, and exams."""
        for one in self._stints(OPEN):
            if one.part != LEAD:
                continue
            today = self.clock.now().date()
            if self._happens(0.015):
                last = today + timedelta(days=self.chance.choice((0, 20, 45, 75)))
                reason = self.chance.choice(("stopped", "moved", "silence"))
                self._try(lambda s, o=one, r=reason, d=last: relaying.begin(s, o.id, r, d, str(o.person_id)))  # type: ignore[misc]
            elif self._happens(0.015):
                by, last = self._specialist(str(one.beneficiary_id)), today + timedelta(days=30)
                for candidate in self._near(self.homes[str(one.beneficiary_id)])[:4]:
                    if self._try(
                        lambda s, o=one, c=candidate, d=last, b=by: substituting.ask(s, o.id, c.person_id, d, b)  # type: ignore[misc]
                    ):
                        break

    def graduation(self) -> None:
        """In June whole teams of students hand on at once, with a keeper for the summer."""
        today = self.clock.now().date()
        if self.batch or today.month != 6:
            return
        students = {one.person_id for one in self.city.people if one.who.occupation == "student"}
        mine = [one for one in self._stints(OPEN) if one.part == LEAD and one.person_id in students]
        by_county: dict[str, list[str]] = {}
        for one in mine:
            by_county.setdefault(self.homes[str(one.beneficiary_id)].county, []).append(one.id)
        for county, some in by_county.items():
            with self.database.read() as session:
                keeper = role.responsible(session, county)[-1]
            last = date(today.year, 6, 30)
            self._try(
                lambda s, i=some, k=keeper, d=last: relaying.begin_batch(s, i, "graduation", d, k, keeper=k)  # type: ignore[misc]
            )
            self.batch += some

    # --- staff and ledger ---

    def staff(self) -> None:
        """A specialist leaves; the families are kept by another one."""
        if self.week != LEAVES:
            return
        (organiser,) = self.city.of("organiser")
        for county in self.city.ledgers:
            first = self.city.of("specialist", county)[0]
            with self.database.write() as session:
                for held in role.grants(session, first.person_id):
                    role.end_grant(session, held.id, organiser.person_id)

    def newer_ledger(self) -> None:
        """残联 hand in the ledgers anew: somebody has died, somebody moved."""
        if self.week not in LEDGERS:
            return
        for county, rows in self.rows.items():
            here = sorted((row for row in rows if row["状态"] == "在册"), key=self._stage)
            # Of those who are paired or being paired, somebody who is asked for, and one of those who wait.
            for row, said in ((here[0], "去世"), (here[len(here) // 2], "迁出"), (here[-1], "去世")):
                row["状态"] = said
            demo.take_ledger(self.database, county, rows)

    def _stage(self, row: dict[str, str]) -> tuple[int, int]:
        """Whoever is asked for comes first, whoever is being paired last."""
        key = self.city.ids[row["姓名"]]
        with self.database.read() as session:
            asked = bool(offering.holding(session, key))
            agreeing = any(one.state == AGREEING for one in stints_of(session, key))
            stage = -1 if asked else 2 if agreeing else 1 if stints_of(session, key) else 0
        return stage, self._place[key]

    def _stints(self, state: str) -> list[Stint]:
        with self.database.read() as session:
            found = session.exec(select(Stint).where(Stint.state == state)).all()
        return sorted(found, key=lambda one: self._in_order(one.beneficiary_id, one.person_id))

    def _in_order(self, beneficiary_id: str | None, person_id: str | None) -> tuple[int, int]:
        """The same in every run, which ids are not."""
        return self._place[str(beneficiary_id)], self._place[str(person_id)]


def stints_of(session: Session, beneficiary_id: str) -> list[Stint]:
    """Those that are being agreed or open, a substitute's before the one whose place it is."""
    query = select(Stint).where(Stint.beneficiary_id == beneficiary_id, col(Stint.state).in_((AGREEING, OPEN)))
    return sorted(session.exec(query), key=lambda one: one.part, reverse=True)
