"""What the year of a county brought up, each as small as it can be: the rules behind tests/test_year.py."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest
from sqlmodel import Session, col, select

from models import agreement, demo, family, offering, relaying, substituting
from models.agreement import Terms
from models.database import Database, now_of
from models.demo import City
from models.demo_people import Size
from models.offer import ANSWERABLE, Offer
from models.offering import Candidate, OfferError
from models.outbox import OutboxMessage
from models.pairing import ENDED, OPEN, Stint
from models.relay import DONE, STANDING, Relay
from scheduler import jobs
from tests.conftest import StoppedClock


class Village:
    """One specialist, a few volunteers, and somebody served whose family agreed."""

    def __init__(self, database: Database, clock: StoppedClock) -> None:
        doors = lambda name, _part: [("wechat", "test", name)]  # noqa: E731
        self.database, self.clock = database, clock
        self.city: City = demo.found(database, Size(1, 1, 10, 4), Random(3), doors, lambda *_all: None)
        self.by = self.city.of("specialist")[0].person_id
        home = next(home for home in self.city.homes if home.plain)
        self.served, self.county = home.beneficiary_id, home.county
        grown = [one for one in self.city.of("member") if one.who.occupation != "pupil"]
        self.first, self.second, self.third = (one.person_id for one in grown[:3])
        self.do(lambda s: family.record(s, self.served, family.PAIRING, family.GUARDIAN, family.PAPER, self.by))

    def do(self, act: Callable[[Session], object]) -> object:
        with self.database.write() as session:
            return act(session)

    def asked(self, person: str) -> str:
        with self.database.write() as session:
            return offering.offer(session, self.served, [Candidate(person)], self.by)[0].id

    def said_yes(self, person: str) -> str:
        offer = self.asked(person)
        with self.database.write() as session:
            found = offering.answer(session, offer, person, "accepted")
            assert found is not None and found.stint is not None
            return found.stint.id

    def accepted(self, stint: str, person: str) -> None:
        with self.database.write() as session:
            row = agreement.write(session, stint, Terms(("study",), 12, 12), self.by)
            assert row.confirmed_at is not None
            agreement.accept(session, stint, person, row.confirmed_at)

    def paired(self, person: str) -> str:
        stint = self.said_yes(person)
        self.accepted(stint, person)
        return stint

    def leaves(self, stint: str, person: str, days: int = 30) -> None:
        with self.database.write() as session:
            relaying.begin(session, stint, "stopped", now_of(session).date() + timedelta(days=days), person)

    def last_days(self) -> None:
        jobs.end_last_days(self.database)

    def ledger_says(self, status: str) -> None:
        rows = self.city.ledgers[self.county]
        name = next(name for name, key in self.city.ids.items() if key == self.served)
        said = [row | {"状态": status if row["姓名"] == name else row["状态"]} for row in rows]
        demo.take_ledger(self.database, self.county, said)

    def standing(self) -> tuple[list[str], list[str], list[str]]:
        """The states of stints that have not ended, of offers and of relays that stand."""
        with self.database.read() as session:
            return (
                list(session.exec(select(Stint.state).where(Stint.state != ENDED))),
                list(session.exec(select(Offer.state).where(col(Offer.state).in_(ANSWERABLE)))),
                list(session.exec(select(Relay.state).where(col(Relay.state).in_(STANDING)))),
            )


@pytest.fixture
def village(database: Database, clock: StoppedClock) -> Village:
    return Village(database, clock)


@pytest.mark.parametrize("status", ["去世", "迁出"])
def test_a_newer_ledger_that_says_somebody_has_gone_ends_their_pairing_at_once(village: Village, status: str) -> None:
    village.paired(village.first)
    village.ledger_says(status)
    assert village.standing() == ([], [], [])


def test_a_newer_ledger_that_says_somebody_has_died_ends_their_invitations_at_once(village: Village) -> None:
    village.asked(village.first)
    village.ledger_says("去世")
    assert village.standing() == ([], [], [])


def test_nothing_more_is_sent_about_somebody_who_has_gone(village: Village) -> None:
    stint = village.said_yes(village.first)
    village.do(lambda s: agreement.set_meeting(s, stint, village.clock.now() + timedelta(days=3), village.by))
    village.ledger_says("去世")
    with village.database.read() as session:
        query = select(OutboxMessage.kind).where(OutboxMessage.state == "waiting")
        kinds = set(session.exec(query.where(col(OutboxMessage.kind) != "notice.role")))
    assert kinds == {"notice.served_left"}


def test_a_relay_ends_with_the_one_for_whom_somebody_is_sought(village: Village) -> None:
    village.leaves(village.paired(village.first), village.first)
    village.ledger_says("去世")
    assert village.standing() == ([], [], [])


def test_a_relay_is_done_once_a_successor_begins_after_the_last_day(village: Village) -> None:
    village.leaves(village.paired(village.first), village.first, days=3)
    successor = village.said_yes(village.second)
    village.clock.pass_time(timedelta(days=5))
    village.last_days()
    village.accepted(successor, village.second)
    assert village.standing() == ([OPEN], [], [])


def test_a_relay_is_done_once_somebody_who_is_asked_after_the_last_day_begins(village: Village) -> None:
    village.leaves(village.paired(village.first), village.first, days=3)
    village.clock.pass_time(timedelta(days=5))
    village.last_days()
    village.paired(village.second)
    with village.database.read() as session:
        assert session.exec(select(Relay.state)).all() == [DONE]


def test_without_the_familys_consent_no_invitation_stands(village: Village) -> None:
    village.asked(village.first)
    village.do(lambda s: family.take_back(s, village.served, family.PAIRING, village.by))
    assert village.standing() == ([], [], [])


def test_whoever_goes_is_not_asked_to_be_their_own_successor(village: Village) -> None:
    village.leaves(village.paired(village.first), village.first)
    with pytest.raises(OfferError):
        village.asked(village.first)


def test_a_substitute_ends_with_the_stint_when_a_successor_takes_over(village: Village) -> None:
    stint = village.paired(village.first)
    last = village.clock.now().date() + timedelta(days=60)
    with village.database.write() as session:
        row = substituting.ask(session, stint, village.third, last, village.by)
        substituting.answer(session, row.id, village.third, yes=True)
    village.leaves(stint, village.first)
    village.accepted(village.said_yes(village.second), village.second)
    with village.database.write() as session:
        relaying.give(session, session.exec(select(Relay.id)).one(), village.first)
    assert village.standing() == ([OPEN], [], [])


def test_a_substitute_stays_when_the_same_two_go_on_for_another_term(village: Village) -> None:
    """Whoever stands in for somebody stands in for them in the next term, too, or is told that it is over."""
    stint = village.paired(village.first)
    village.clock.pass_time(timedelta(days=310))
    last = village.clock.now().date() + timedelta(days=60)
    with village.database.write() as session:
        row = substituting.ask(session, stint, village.third, last, village.by)
        substituting.answer(session, row.id, village.third, yes=True)
    jobs.begin_relays(village.database)
    with village.database.write() as session:
        new = relaying.renew(session, session.exec(select(Relay.id)).one(), village.first)
        found = session.get_one(Stint, row.id)
        assert found.state == ENDED or found.follows_id == new.id
