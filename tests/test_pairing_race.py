"""Many at the same moment: a hundred yeses for one person, twenty for one volunteer, and the acts that meet."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from sqlmodel import Session, col, func, select

from models import agreement, family, offering, relay_days, relaying
from models.database import Database, DatabaseAway
from models.offer import Offer
from models.offering import OfferError
from models.outbox import OutboxMessage
from models.pairing import Stint
from models.relay import Relay
from models.stints import StintError
from tests.conftest import START, StoppedClock
from tests.pairing_world import TERMS, World, unbroken

AT_ONCE = 8  # as many connections as a pool keeps open
LAST = START.date()

Rule = Callable[[Session], object]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def at_once(database: Database, rules: Sequence[Rule], most: int = AT_ONCE) -> list[object]:
    """What each of these came to, begun at the same moment by `most` threads. As a turn does, each waits and tries
    again where the database could not be had in time."""
    came: list[object] = [None] * len(rules)
    left = iter(range(len(rules)))
    gate, lock = threading.Barrier(min(most, len(rules))), threading.Lock()

    def work() -> None:
        gate.wait(10)
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return
            came[number] = tried(rules[number])

    def tried(rule: Rule) -> object:
        for _ in range(20):
            try:
                with database.write() as session:
                    return rule(session)
            except DatabaseAway:
                time.sleep(0.05)
            except (StintError, OfferError) as error:
                return error.reason
        return "never"

    threads = [threading.Thread(target=work) for _ in range(min(most, len(rules)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    return came


def yes(offer: str, person: str) -> Rule:
    def say(session: Session) -> object:
        answered = offering.answer(session, offer, person, "accepted")
        return answered.what if answered is not None else None

    return say


def count(world: World, what: type[Stint] | type[Relay], *where: object) -> int:
    with world.database.read() as session:
        return session.exec(select(func.count()).select_from(what).where(*where)).one()  # type: ignore[arg-type]


def test_of_a_hundred_yeses_at_the_same_moment_one_counts_and_99_are_told(world: World) -> None:
    served = world.beneficiary()
    people = world.volunteers(100)
    offers = world.offers(served, *people)
    came = at_once(world.database, [yes(*each) for each in zip(offers, people, strict=True)], most=100)
    assert Counter(came) == {"accepted": 1, "taken": 99}
    assert count(world, Stint) == 1
    with world.database.read() as session:
        told = session.exec(select(OutboxMessage.person_id).where(OutboxMessage.kind == "notice.offer_taken")).all()
        states = Counter(session.exec(select(Offer.state)))
    winner = people[came.index("accepted")]
    assert sorted(told) == sorted(set(people) - {winner})
    assert states == {"accepted": 1, "taken": 99}


def test_twenty_volunteers_who_are_asked_twice_too_often_keep_to_what_one_can_do(world: World) -> None:
    people = world.volunteers(20)
    asked = [(world.offers(world.beneficiary(), person)[0], person) for person in people for _ in range(3)]
    came = at_once(world.database, [yes(*each) for each in asked])
    assert Counter(came) == {"accepted": 40, "full": 20}
    with world.database.read() as session:
        loads = Counter(session.exec(select(Stint.person_id)))
    assert set(loads.values()) == {2}


def test_twenty_yeses_of_one_volunteer_are_two(world: World) -> None:
    person = world.volunteer()
    offers = [world.offers(world.beneficiary(), person)[0] for _ in range(20)]
    assert Counter(at_once(world.database, [yes(one, person) for one in offers])) == {"accepted": 2, "full": 18}


def test_the_leaders_of_a_team_keep_to_what_the_team_can_do(world: World) -> None:
    people = world.volunteers(6)
    team = world.team(*people, capacity=2)
    asked = []
    for person in people:
        (offer,) = world.offers(world.beneficiary(), person)
        with world.database.write() as session:
            row = session.get_one(Offer, offer)
            row.team_id = team
            session.add(row)
        asked.append((offer, person))
    assert Counter(at_once(world.database, [yes(*each) for each in asked])) == {"accepted": 2, "full": 4}


def test_a_yes_that_meets_the_familys_no(world: World) -> None:
    boss, found = world.specialist(), Counter[object]()
    for _ in range(6):
        served, person = world.beneficiary(), world.volunteer()
        (offer,) = world.offers(served, person)

        def no(session: Session, served: str = served) -> object:
            return family.take_back(session, served, "pairing", boss)

        answered, taken_back = at_once(world.database, [yes(offer, person), no])
        assert taken_back is True and answered in ("accepted", "withdrawn")
        found[answered] += 1
        assert count(world, Stint, Stint.beneficiary_id == served, col(Stint.state) != "ended") == 0
    assert found.total() == 6


def test_a_yes_that_meets_the_withdrawal_counts_or_does_not(world: World) -> None:
    for _ in range(6):
        served, person = world.beneficiary(), world.volunteer()
        (offer,) = world.offers(served, person)

        def withdraw(session: Session, served: str = served) -> object:
            return offering.withdraw_offers(session, served, "machine")

        answered, withdrawn = at_once(world.database, [yes(offer, person), withdraw])
        assert (answered, withdrawn) in (("accepted", 0), ("withdrawn", 1))
        assert count(world, Stint, Stint.beneficiary_id == served) == (answered == "accepted")


def test_a_yes_that_meets_its_last_minute(world: World, clock: StoppedClock) -> None:
    for _ in range(4):
        served, person = world.beneficiary(), world.volunteer()
        (offer,) = world.offers(served, person)
        came = at_once(
            world.database, [yes(offer, person), lambda session, offer=offer: offering.pass_on(session, [offer])]
        )
        assert came[0] == "accepted", "a late yes counts while nobody else said one"


def handing_over(world: World, clock: StoppedClock, boss: str) -> tuple[str, str, str, str]:
    """Somebody whose successor is ready on the last day: the served person, the relay, who goes, and the successor's
    stint."""
    served, person, other = world.beneficiary(), world.volunteer(), world.volunteer()
    stint = world.paired(served, person, boss)
    relay = world.do(relaying.begin, stint, "stopped", clock.at.date(), person).id
    successor = world.agreeing(served, other)
    world.do(agreement.accept, successor, other, world.write(successor, boss))
    return served, relay, person, successor


def test_a_handing_over_that_meets_the_end_of_the_last_day_happens_once(world: World, clock: StoppedClock) -> None:
    boss = world.specialist()
    for _ in range(4):
        clock.at = START
        served, relay, person, successor = handing_over(world, clock, boss)
        clock.at = START.replace(day=24)
        given, left = at_once(
            world.database,
            [
                lambda session, relay=relay, person=person: bool(relaying.give(session, relay, person)),
                lambda session, relay=relay: relay_days.leave_last_days(session, [relay]),
            ],
        )
        assert (given, left) in ((True, 0), ("gone", 1))
        assert world.stint(successor).state == "open" and unbroken(world.history(served))


def test_an_acceptance_that_meets_the_last_day_leaves_nobody_between(world: World, clock: StoppedClock) -> None:
    boss = world.specialist()
    for _ in range(4):
        clock.at = START
        served, person, other = world.beneficiary(), world.volunteer(), world.volunteer()
        stint = world.paired(served, person, boss)
        relay = world.do(relaying.begin, stint, "stopped", LAST, person).id
        successor = world.agreeing(served, other)
        version = world.write(successor, boss)
        clock.at = START.replace(day=24)

        def accept(session: Session, key: str = successor, who: str = other, at: object = version) -> object:
            return agreement.accept(session, key, who, at).state  # type: ignore[arg-type]

        at_once(world.database, [accept, lambda session, relay=relay: relay_days.leave_last_days(session, [relay])])
        assert world.stint(successor).state == "open"
        assert world.stint(stint).state == "ended"
        assert unbroken(world.history(served))


def test_a_renewal_that_meets_a_yes_is_one_of_the_two(world: World) -> None:
    boss = world.specialist()
    for _ in range(4):
        served, person, other = world.beneficiary(), world.volunteer(), world.volunteer()
        stint = world.paired(served, person, boss)
        relay = world.do(relaying.begin, stint, "term", LAST, person).id
        (offer,) = world.offers(served, other)
        renewed, answered = at_once(
            world.database,
            [
                lambda session, relay=relay, person=person: relaying.renew(session, relay, person).state,
                yes(offer, other),
            ],
        )
        assert (renewed, answered) in (("open", "withdrawn"), ("paired", "accepted"))
        assert count(world, Stint, Stint.beneficiary_id == served, col(Stint.state) == "open") == 1


def test_agreements_accepted_side_by_side_open_each_once(world: World) -> None:
    boss = world.specialist()
    accepted = []
    for _ in range(10):
        person = world.volunteer()
        stint = world.agreeing(world.beneficiary(), person)
        accepted.append((stint, person, world.write(stint, boss, TERMS)))

    def rule(told: tuple[str, str, object]) -> Rule:
        return lambda session: agreement.accept(session, told[0], told[1], told[2]).state  # type: ignore[arg-type]

    assert set(at_once(world.database, [rule(one) for one in accepted for _ in range(2)])) == {"open"}
    assert count(world, Stint, col(Stint.state) == "open") == 10


def test_a_death_that_meets_a_yes_ends_it(world: World) -> None:
    for _ in range(4):
        served, person = world.beneficiary(), world.volunteer()
        (offer,) = world.offers(served, person)
        dies = threading.Thread(target=world.becomes, args=(served, "died"))
        dies.start()
        came = at_once(world.database, [yes(offer, person)])
        dies.join(30)
        assert came[0] in ("accepted", "withdrawn")
        assert count(world, Stint, Stint.beneficiary_id == served, col(Stint.state) != "ended") == 0
