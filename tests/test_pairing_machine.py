"""Pairings under everything at once, in any order: a state machine over offers, answers, agreements, relays,
substitutes, deaths, objections, roles, joined and parted accounts, and time.

Whoever acts catches what the rules refuse, and commits: a refusal that had written half of something would be seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlmodel import Session, col, func, select

from models import (
    account,
    agreement,
    beneficiary_merging,
    family,
    institution_pairing,
    offering,
    relaying,
    stints,
    substituting,
)
from models.account import CannotJoin, Join
from models.audit import AuditEntry
from models.beneficiary import GONE, Beneficiary
from models.beneficiary_merging import BeneficiaryMerge, MergeError
from models.database import Database, now_of, vault_of
from models.erasure import LastOrganiser, delete_person
from models.family import FamilyError
from models.family_consent import PAIRING, agreed
from models.offer import ANSWERABLE, Offer
from models.offering import Candidate, OfferError
from models.outbox import OutboxMessage
from models.pairing import AGREEING, ENDED, LEAD, OPEN, SUBSTITUTE, Keeping, Stint
from models.person import Person, survivor
from models.relay import STANDING as RELAYS
from models.relay import Relay
from models.stints import StintError
from models.volunteer import ACTIVE, Volunteer, volunteer_of
from scheduler import jobs
from tests.conftest import START, StoppedClock
from tests.due import clear
from tests.pairing_world import NAME, TERMS, World

PHONE = "+8613800138000"
PICK = st.integers(0, 99)
JOBS: tuple[jobs.Job, ...] = (
    jobs.pass_offers_on,
    jobs.remind_unfinished,
    jobs.begin_relays,
    jobs.end_last_days,
    jobs.end_for_gone_volunteers,
    jobs.begin_for_silent_volunteers,
    jobs.ask_silent_volunteers,
    jobs.hear_silent_volunteers,
    jobs.rekeep,
    jobs.keep_unkept,
)
_REFUSED = (OfferError, StintError, FamilyError, CannotJoin, LastOrganiser, MergeError)


class Machine(RuleBasedStateMachine):
    """The world; `database` and `clock` are set by the test."""

    database: Database
    clock: StoppedClock

    @initialize(paired=st.integers(0, 3))
    def begin(self, paired: int) -> None:
        """A county with some people in it, of whom so many are paired already; of the first one the volunteer goes."""
        clear(self.database)
        self.clock.at = START
        self.world = World(self.database)
        self.boss = self.world.specialist("44", "organiser")
        self.specialists = [self.world.specialist() for _ in range(2)]
        self.alike = self.world.volunteers(2, phone=PHONE)
        self.people = [*self.alike, *self.world.volunteers(3)]
        self.followers = [self.world.person()]
        self.team = self.world.team(self.people[2], members=(self.people[3],), capacity=2)
        self.institution = self.world.institution()
        self.served = [self.world.beneficiary() for _ in range(3)]
        for at in range(paired):
            self.world.paired(self.served[at], self.people[at + 1], self.specialists[0])
        if paired:
            self.begins_a_relay(0, 0, 14, None)
        self.ended: dict[str, dict[str, Any]] = {}
        self.loads: Counter[str] = Counter()
        self.gone: dict[str, list[tuple[datetime, datetime | None]]] = {one: [] for one in self.served}
        self.seen: set[str] = set()
        self.joined = self.parted = self.merged = False

    def tries(self, act: Callable[[Session], Any]) -> Any:
        """An act, committed also where it was refused."""
        with self.database.write() as session:
            try:
                return act(session)
            except _REFUSED:
                return None

    def somebody(self, session: Session, pick: int) -> str:
        """One of the volunteers and followers, as who they are today."""
        everybody = [*self.people, *self.followers]
        return survivor(session, everybody[pick % len(everybody)]).id

    def office(self, pick: int) -> str:
        return [*self.specialists, self.boss][pick % 3]

    def either(self, session: Session, stint: Stint, pick: int) -> str:
        """Whoever serves, or somebody of the office."""
        return self.office(pick) if pick % 2 or stint.person_id is None else stint.person_id

    def row(self, session: Session, table: Any, pick: int, *where: Any) -> Any:
        """One of the rows, if there are any."""
        found = session.exec(select(table).where(*where).order_by(table.id)).all()
        return found[pick % len(found)] if found else None

    def stint(self, session: Session, pick: int, state: str, part: str = LEAD) -> Stint | None:
        row: Stint | None = self.row(session, Stint, pick, col(Stint.state) == state, col(Stint.part) == part)
        return row

    def relay(self, session: Session, pick: int) -> Relay | None:
        row: Relay | None = self.row(session, Relay, pick, col(Relay.state).in_(RELAYS))
        return row

    # Offers

    @rule(served=PICK, pick=PICK, office=PICK, around=st.booleans(), team=st.booleans())
    def offers(self, served: int, pick: int, office: int, around: bool, team: bool) -> None:
        def act(session: Session) -> None:
            people = [self.somebody(session, pick), self.somebody(session, pick + 1)][: 1 + around]
            candidates = [Candidate(one, self.team if team and not around else None) for one in people]
            offering.offer(session, self.served[served % 3], candidates, self.office(office), around=around)

        self.tries(act)

    @rule(pick=PICK, said=st.sampled_from(["accepted", "accepted", "accepted", "declined", "later"]))
    def answers(self, pick: int, said: str) -> None:
        def act(session: Session) -> None:
            offer = self.row(session, Offer, pick, col(Offer.state).in_(ANSWERABLE))
            if offer is not None:
                offering.answer(session, offer.id, offer.person_id, said)

        self.tries(act)

    @rule(pick=PICK)
    def takes_back(self, pick: int) -> None:
        def act(session: Session) -> None:
            stint = self.stint(session, pick, AGREEING)
            if stint is not None and stint.person_id is not None:
                offering.take_back(session, stint.id, stint.person_id)

        self.tries(act)

    @rule(served=PICK, pick=PICK, office=PICK, opens=st.booleans())
    def are_paired(self, served: int, pick: int, office: int, opens: bool) -> None:
        """All at once, where it can be: also the successor of a relay, who is ready then."""

        def act(session: Session) -> None:
            who, person = self.served[served % 3], self.somebody(session, pick)
            standing = offering.holding(session, who)
            by = self.office(office)
            offer = standing[0] if standing else offering.offer(session, who, [Candidate(person)], by)[0]
            answered = offering.answer(session, offer.id, offer.person_id, "accepted")
            if answered is not None and answered.stint is not None and opens:
                row = agreement.write(session, answered.stint.id, TERMS, by)
                assert row.confirmed_at is not None
                agreement.accept(session, row.id, str(row.person_id), row.confirmed_at)

        self.tries(act)

    # Agreements

    @rule(pick=PICK, office=PICK, accepts=st.booleans())
    def agrees(self, pick: int, office: int, accepts: bool) -> None:
        """The meeting and the agreement; perhaps the volunteer accepts it."""

        def act(session: Session) -> None:
            stint = self.stint(session, pick, AGREEING)
            if stint is None:
                return
            if stint.confirmed_at is None:
                agreement.set_meeting(session, stint.id, now_of(session) + timedelta(days=1), self.office(office))
                agreement.write(session, stint.id, TERMS, self.office(office))
            if accepts and stint.confirmed_at is not None:
                leader = stint.person_id or survivor(session, self.people[2]).id
                agreement.accept(session, stint.id, leader, stint.confirmed_at)

        self.tries(act)

    @rule(pick=PICK, office=PICK)
    def calls_off(self, pick: int, office: int) -> None:
        def act(session: Session) -> None:
            stint = self.stint(session, pick, AGREEING)
            if stint is not None:
                agreement.call_off(session, stint.id, self.office(office))

        self.tries(act)

    @rule(pick=PICK, office=PICK)
    def ends(self, pick: int, office: int) -> None:
        def act(session: Session) -> None:
            stint = self.stint(session, pick, OPEN)
            if stint is not None:
                agreement.end(session, stint.id, "specialist", self.office(office), self.office(office + 1))

        self.tries(act)

    @rule(served=PICK, office=PICK)
    def objects(self, served: int, office: int) -> None:
        self.tries(lambda session: family.take_back(session, self.served[served % 3], PAIRING, self.office(office)))

    @rule(served=PICK, office=PICK)
    def consents(self, served: int, office: int) -> None:
        who = self.served[served % 3]
        self.tries(lambda session: family.record(session, who, PAIRING, "self", "paper", self.office(office)))

    @rule(office=PICK)
    def agrees_with_the_institution(self, office: int) -> None:
        self.tries(
            lambda session: institution_pairing.agree(session, self.institution, self.team, TERMS, self.office(office))
        )

    # Relays and substitutes

    @rule(pick=PICK, by=PICK, days=st.sampled_from([-1, 0, 1, 14]), keeper=st.none() | PICK)
    def begins_a_relay(self, pick: int, by: int, days: int, keeper: int | None) -> None:
        """By whoever serves, or by the office."""

        def act(session: Session) -> None:
            stint = self.stint(session, pick, OPEN)
            if stint is not None:
                last = stints.today_in(session, stint) + timedelta(days=days)
                named = self.office(keeper) if keeper is not None else None
                relaying.begin(
                    session, stint.id, "stopped", last, self.either(session, stint, by), note=NAME, keeper=named
                )

        self.tries(act)

    @rule(pick=PICK, by=PICK, what=st.sampled_from(["cancel", "renew", "day", "give", "give"]))
    def goes_on_with_a_relay(self, pick: int, by: int, what: str) -> None:
        def act(session: Session) -> None:
            relay = self.relay(session, pick)
            if relay is None:
                return
            who = self.either(session, session.get_one(Stint, relay.stint_id), by)
            if what == "cancel":
                relaying.cancel(session, relay.id, who)
            elif what == "renew":
                relaying.renew(session, relay.id, who)
            elif what == "day":
                relaying.agree_day(session, relay.id, stints.latest_today(session), who)
            else:
                relaying.give(session, relay.id, who)

        self.tries(act)

    @rule(pick=PICK, who=PICK, office=PICK, answered=st.sampled_from(["yes", "yes", "no", "nothing"]))
    def asks_somebody_to_stand_in(self, pick: int, who: int, office: int, answered: str) -> None:
        def act(session: Session) -> None:
            stint = self.stint(session, pick, OPEN)
            if stint is None:
                return
            person = self.somebody(session, who)
            last = stints.today_in(session, stint) + timedelta(days=5)
            row = substituting.ask(session, stint.id, person, last, self.office(office))
            if answered != "nothing":
                substituting.answer(session, row.id, person, yes=answered == "yes")

        self.tries(act)

    @rule(pick=PICK, by=PICK)
    def stands_in_no_more(self, pick: int, by: int) -> None:
        def act(session: Session) -> None:
            stint = self.stint(session, pick, OPEN, SUBSTITUTE)
            if stint is not None:
                substituting.call_off(session, stint.id, self.either(session, stint, by))

        self.tries(act)

    # What happens to people

    @rule(served=PICK, status=st.sampled_from(["died", "moved", "listed", "listed", "over_age"]))
    def the_ledger_says(self, served: int, status: str) -> None:
        who = self.served[served % 3]
        with self.database.read() as session:
            before = session.get_one(Beneficiary, who).status
            if before == status or session.get_one(Beneficiary, who).merged_into is not None:
                return
        self.world.becomes(who, status)
        if status in GONE and before not in GONE:
            self.gone[who].append((self.clock.at, None))
        elif status not in GONE and before in GONE:
            self.gone[who][-1] = (self.gone[who][-1][0], self.clock.at)

    @rule(office=PICK, undone=st.booleans())
    def two_rows_of_the_ledger_become_one_or_two_again(self, office: int, undone: bool) -> None:
        def act(session: Session) -> None:
            if not undone:
                self.merged = True
                beneficiary_merging.ask(session, self.served[0], self.served[1], self.boss)
                return
            merge = self.row(session, BeneficiaryMerge, office, BeneficiaryMerge.state == "merged")
            if merge is not None:
                beneficiary_merging.undo(session, merge.id, self.boss)

        self.tries(act)

    @rule(pick=PICK)
    def a_specialist_loses_the_role_or_has_it_again(self, pick: int) -> None:
        who = self.specialists[pick % 2]
        with self.database.read() as session:
            held = bool(account.grants(session, who))
        if held:
            self.world.end_roles(who)
        else:
            self.world.give_role(who)

    @rule(pick=PICK)
    def a_volunteer_ends_or_comes_back(self, pick: int) -> None:
        def act(session: Session) -> None:
            row = volunteer_of(session, self.somebody(session, pick))
            if row is not None:
                row.status = "ended" if row.status == ACTIVE else ACTIVE
                session.add(row)

        self.tries(act)

    @rule(pair=st.sampled_from([(0, 1), (1, 0), (2, 5), (5, 0), (3, 5)]))
    def two_accounts_become_one(self, pair: tuple[int, int]) -> None:
        everybody = [*self.people, *self.followers]
        gone, stays = (everybody[each] for each in pair)

        def act(session: Session) -> None:
            account.join(session, session.get_one(Person, gone), session.get_one(Person, stays), "bind")

        self.joined = True
        self.tries(act)

    @rule(pick=PICK)
    def two_accounts_part(self, pick: int) -> None:
        def act(session: Session) -> None:
            row = self.row(session, Join, pick, col(Join.undone_at).is_(None))
            if row is not None and row.moved["door"]:
                account.part(session, session.get_one(Person, row.stays), row.moved["door"][0])

        self.parted = True
        self.tries(act)

    @rule(pick=st.integers(0, 19))
    def data_are_deleted(self, pick: int) -> None:
        """Rarely, or nobody would be left."""

        def act(session: Session) -> None:
            person = session.get_one(Person, self.somebody(session, 4))
            if pick == 0 and person.deleted_at is None:
                self.followers.append(delete_person(session, person).id)

        self.tries(act)

    # Time

    @rule(hours=st.sampled_from([1, 25, 49, 24 * 15, 24 * 320]), job=st.none() | st.sampled_from(JOBS))
    def time_passes(self, hours: int, job: jobs.Job | None) -> None:
        """Then all jobs run, or one of them is late and the others not at all."""
        self.clock.pass_time(timedelta(hours=hours))
        for each in JOBS if job is None else (job,):
            each(self.database)
            said = self._said()
            each(self.database)
            assert self._said() == said, f"{each.__name__} said something twice"

    def _said(self) -> int:
        with self.database.read() as session:
            return session.exec(select(func.count()).select_from(OutboxMessage)).one()

    # What must hold at every moment

    @invariant()
    def everything_that_must_hold(self) -> None:
        with self.database.read() as session:
            rows = list(session.exec(select(Stint)))
            self._one_lead(rows)
            self._capacity(session, rows)
            self._ended_stay(rows)
            self._what_hangs_together(session, rows)
            for served in self.served:
                self._somebody_answers(session, session.get_one(Beneficiary, served))
            self._offers(session)
            self._nothing_personal(session)
        self.joined = self.parted = False

    def _one_lead(self, rows: list[Stint]) -> None:
        leads = Counter((one.beneficiary_id or one.institution_id, one.state) for one in rows if one.part == LEAD)
        assert all(many == 1 for (_served, state), many in leads.items() if state != ENDED)

    def _capacity(self, session: Session, rows: list[Stint]) -> None:
        now = Counter({one: stints.load(session, one) for one in {row.person_id for row in rows if row.person_id}})
        if not self.joined:  # two accounts with two each are one person with four, who is asked no more
            assert all(many <= max(2, self.loads[one]) for one, many in now.items()) or self.parted
        assert stints.team_load(session, self.team) <= 2
        self.loads = now

    def _ended_stay(self, rows: list[Stint]) -> None:
        now = {one.id: one.model_dump() for one in rows if one.state == ENDED}
        for key, before in self.ended.items():
            if self.parted:  # whose it was all the time
                before["person_id"] = now[key]["person_id"]
            assert now[key] == before, "a stint that had ended changed"
        self.ended = now

    def _what_hangs_together(self, session: Session, rows: list[Stint]) -> None:
        known = {one.id: one for one in rows}
        for one in rows:
            if one.part == SUBSTITUTE and one.state != ENDED:
                assert known[str(one.follows_id)].state == OPEN, "nobody stands in for what has ended"
            if one.person_id is not None and one.state != ENDED:
                assert session.get_one(Person, one.person_id).merged_into is None
                assert session.get_one(Person, one.person_id).deleted_at is None or one.team_id is not None
        for relay in session.exec(select(Relay)):
            if relay.state in RELAYS:
                assert known[relay.stint_id].state == OPEN
                assert (relay.state == "agreeing") == (relay.successor_id is not None)
                assert relay.successor_id is None or known[relay.successor_id].state == AGREEING
            assert (relay.closed_at is None) == (relay.state in RELAYS)
        for kept in session.exec(select(Keeping).where(col(Keeping.until).is_(None))):
            leads = [one for one in rows if one.beneficiary_id == kept.beneficiary_id and one.part == LEAD]
            assert all(one.state != OPEN for one in leads), "kept, and paired"

    def _somebody_answers(self, session: Session, served: Beneficiary) -> None:
        held = stints.history(session, served.id)
        if served.merged_into is not None:
            where = col(Stint.beneficiary_id) == served.id, col(Stint.state) != ENDED
            assert session.exec(select(Stint.id).where(*where)).first() is None, "served under a row that was set aside"
            return
        if served.status in GONE:
            assert all(one.until is not None for one in held)
        else:
            found = stints.responsible_today(session, served)
            assert found.people, "on nobody's list"
            assert all(session.get_one(Person, one).merged_into is None for one in found.people)
            assert not held or any(one.until is None for one in held), "nobody answers now"
        # Two rows that became one may tell of the same days twice; until then each begins when the one before ended.
        known = held[0].since if held else START
        for one in held:
            gap = known, one.since
            assert one.since <= known or self._was_gone(served.id, *gap), ("a moment without", gap)
            assert self.merged or one.since >= known, ("two at the same moment", gap)
            known = max(known, one.until or self.clock.at)

    def _was_gone(self, served: str, since: datetime, until: datetime) -> bool:
        """Whether the ledger had lost them the whole time."""
        return any(gone == since and back is not None and back <= until for gone, back in self.gone[served])

    def _offers(self, session: Session) -> None:
        for offer in session.exec(select(Offer).where(col(Offer.state).in_(ANSWERABLE))):
            assert agreed(session, str(offer.beneficiary_id), PAIRING) is not None, "asked without the family's word"
            assert session.get_one(Beneficiary, offer.beneficiary_id).status not in GONE
            assert session.get_one(Person, offer.person_id).merged_into is None

    def _nothing_personal(self, session: Session) -> None:
        """What is kept to be said names nobody: ids, codes, days."""
        for row in session.exec(select(OutboxMessage).where(col(OutboxMessage.id).not_in(self.seen))):
            self.seen.add(row.id)
            if row.params_sealed is not None:
                told = vault_of(session).open("outbox.params_sealed", row.id, row.params_sealed)
                assert told.isascii() and PHONE not in told, row.kind
        for offer in session.exec(select(Offer.bands)):
            assert NAME not in str(offer)
        for entry in session.exec(select(AuditEntry).where(col(AuditEntry.id).not_in(self.seen))):
            self.seen.add(entry.id)
            assert str(entry.details).isascii() and PHONE not in str(entry.details), entry.action

    def teardown(self) -> None:
        """In the end somebody is active, and every row can still be read."""
        if hasattr(self, "world"):
            with self.database.read() as session:
                assert session.exec(select(Volunteer.id)).first() is not None


def play(database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch, examples: int, steps: int) -> None:
    """Let the machine run; what it found is printed as a program of its rules."""
    monkeypatch.setattr(Machine, "database", database, raising=False)
    monkeypatch.setattr(Machine, "clock", clock, raising=False)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_happens_in_whatever_order_nobody_is_left_alone(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(database, clock, monkeypatch, examples=6, steps=30)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_whatever_happens_in_whatever_order_nobody_is_left_alone_in_many_runs(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(database, clock, monkeypatch, examples=150, steps=60)
