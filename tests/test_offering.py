"""Offers: who may be asked, how a yes counts, and how silence moves on."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from models import offering, relaying
from models.database import Database, now_of, vault_of
from models.offer import Offer
from models.offering import Candidate, OfferError
from models.outbox import OutboxMessage
from models.pairing import Stint
from models.proposal import MatchingRun, Proposal
from models.volunteer import Volunteer
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import CHILD, NAME, TIANHE, YUEXIU, World

H = timedelta(hours=1)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def propose(world: World, beneficiary: str, *people: str) -> None:
    with world.database.write() as session:
        now = now_of(session)
        run = MatchingRun(region=TIANHE, made_by="machine", made_at=now)
        session.add(run)
        session.flush()
        for cost, one in enumerate(people):
            session.add(
                Proposal(run_id=run.id, beneficiary_id=beneficiary, person_id=one, cost=float(cost), made_at=now)
            )


def refused(world: World, beneficiary: str, *people: str, **more: object) -> str:
    with pytest.raises(OfferError) as error:
        world.do(offering.offer, beneficiary, [Candidate(one) for one in people], "programme", **more)
    return error.value.reason


def state(world: World, offer: str) -> str:
    return world.one(Offer, offer).state


# Who may be asked


def test_without_the_familys_word_nobody_is_asked(world: World) -> None:
    assert refused(world, world.beneficiary(consent=False), world.volunteer()) == "consent"


@pytest.mark.parametrize("status", ["died", "moved"])
def test_for_whom_the_ledger_has_lost_nobody_is_asked(world: World, status: str) -> None:
    gone = world.beneficiary()
    world.becomes(gone, status)
    assert refused(world, gone, world.volunteer()) == "gone"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"status": "ended"}, "volunteer"),
        ({"status": "paused_guardian"}, "volunteer"),
        ({"birth_date": date(2009, 3, 7)}, "minor"),
    ],
)
def test_who_may_not_serve_is_not_asked(world: World, told: dict[str, object], why: str) -> None:
    assert refused(world, world.beneficiary(), world.volunteer(**told)) == why


def test_whoever_is_no_volunteer_is_not_asked(world: World) -> None:
    assert refused(world, world.beneficiary(), world.person()) == "volunteer"


def test_wishes_of_the_family_and_a_clearance_that_lapsed_stand_in_the_way(world: World) -> None:
    assert refused(world, world.beneficiary(sex_wanted="male"), world.volunteer()) == "sex"
    assert refused(world, world.beneficiary(language="sign"), world.volunteer()) == "language"
    lapsed = world.volunteer(cleared_until=date(2026, 11, 21))
    assert refused(world, world.beneficiary(birth_date=CHILD), lapsed) == "clearance"


def test_a_volunteer_is_of_age_by_the_calendar_where_they_live(world: World, clock: StoppedClock) -> None:
    clock.at = clock.at.replace(hour=18)  # 2:00 of the next day in China
    asked, person = world.beneficiary(), world.volunteer(birth_date=date(2008, 11, 23))
    assert state(world, world.offer(asked, person)) == "waiting"
    elsewhere = world.volunteer(birth_date=date(2008, 11, 23), zone="Europe/London")
    assert refused(world, world.beneficiary(), elsewhere) == "minor"


def test_only_who_leads_a_team_answers_for_it(world: World) -> None:
    leader, member = world.volunteer(), world.volunteer()
    team = world.team(leader, members=(member,))
    with pytest.raises(OfferError, match="team"):
        world.do(offering.offer, world.beneficiary(), [Candidate(member, team)], "programme")
    assert world.offer(world.beneficiary(), leader, team=team)


def test_one_is_asked_at_a_time_unless_a_round_is_opened(world: World) -> None:
    asked, people = world.beneficiary(), [world.volunteer() for _ in range(4)]
    world.offer(asked, people[0])
    assert refused(world, asked, people[1]) == "asked"
    assert len(world.do(offering.offer, asked, [Candidate(one) for one in people[1:3]], "programme", around=True)) == 2
    assert refused(world, asked, people[3], around=True) == "many"


def test_when_one_of_a_round_cannot_be_asked_nobody_is(world: World) -> None:
    asked, good, bad = world.beneficiary(), world.volunteer(), world.volunteer(status="ended")

    def caught(session: Session) -> str:
        try:
            offering.offer(session, asked, [Candidate(good), Candidate(bad)], "programme", around=True)
        except OfferError as error:
            return error.reason  # and the turn goes on, and commits
        return ""

    assert world.do(caught) == "volunteer"
    assert world.told(good) == []
    assert refused(world, asked, good, good, around=True) == "asked", "nobody is asked twice"


def test_whoever_does_not_answer_for_the_county_asks_nobody(world: World) -> None:
    with pytest.raises(OfferError, match="scope"):
        world.do(offering.offer, world.beneficiary(), [Candidate(world.volunteer())], world.specialist(YUEXIU))


def test_an_offer_holds_nothing_by_which_somebody_is_known(world: World) -> None:
    asked = world.beneficiary(birth_date=CHILD, town="石牌街道", address="五山路1号", phone="+8613800138000")
    offer = world.one(Offer, world.offer(asked, world.volunteer()))
    assert set(offer.bands) == {"team", "age", "needs", "near", "activities", "months"} and offer.bands["team"] == ""
    assert offer.bands["age"] == "primary_high"
    with world.database.read() as session:
        for row in session.exec(select(OutboxMessage)):
            assert row.params_sealed is not None
            params = vault_of(session).open_json("outbox.params_sealed", row.id, row.params_sealed)
            assert params == {"offer": offer.id}
    assert not any(secret in json.dumps(offer.bands, ensure_ascii=False) for secret in (NAME, "石牌", "五山", "138"))


# A yes


def test_the_first_yes_counts_and_the_others_are_told(world: World) -> None:
    asked, people = world.beneficiary(), [world.volunteer() for _ in range(3)]
    offers = world.offers(asked, *people)
    assert world.says(offers[1], people[1]).what == "accepted"
    assert world.says(offers[0], people[0]).what == "taken"
    assert world.says(offers[1], people[1]).what == "before", "a second press does nothing"
    assert world.told(people[0]) == world.told(people[2]) == ["notice.offer_taken"]


def test_nobody_answers_in_somebody_elses_place(world: World) -> None:
    offer = world.offer(world.beneficiary(), world.volunteer())
    assert world.do(offering.answer, offer, world.volunteer(), "accepted") is None


def test_who_has_two_people_is_full_when_they_say_yes(world: World) -> None:
    person = world.volunteer()
    offers = [world.offer(world.beneficiary(), person) for _ in range(3)]
    assert [world.says(one, person).what for one in offers] == ["accepted", "accepted", "full"]
    assert state(world, offers[2]) == "passed_by"


def test_a_team_takes_as_many_as_were_set(world: World) -> None:
    leader, other = world.volunteer(), world.volunteer()
    team = world.team(leader, other, capacity=1)
    first = world.offer(world.beneficiary(), leader, team=team)
    second = world.offer(world.beneficiary(), other, team=team)
    assert world.says(first, leader).what == "accepted"
    assert world.says(second, other).what == "full"
    assert world.says(world.offer(world.beneficiary(), leader), leader).what == "accepted", (
        "their own is another matter"
    )


def test_a_yes_by_who_is_no_volunteer_any_more_passes_by(world: World) -> None:
    asked, person, other = world.beneficiary(), world.volunteer(), world.volunteer()
    offer = world.offer(asked, person)
    propose(world, asked, other)
    with world.database.write() as session:
        row = session.exec(select(Volunteer).where(Volunteer.person_id == person)).one()
        row.status = "ended"
        session.add(row)
    assert world.says(offer, person).what == "volunteer"
    assert world.told(other) == ["notice.offer"], "the next one is asked"


def test_a_late_yes_counts_while_the_person_waits(world: World, clock: StoppedClock) -> None:
    asked, late, other = world.beneficiary(), world.volunteer(), world.volunteer()
    world.specialist()
    offer = world.offer(asked, late)
    propose(world, asked, other)
    clock.pass_time(48 * H)
    assert world.run(jobs.pass_offers_on) == 1
    assert state(world, offer) == "overdue"
    assert world.told(other) == ["notice.offer"]
    assert world.says(offer, late).what == "accepted"
    assert world.told(other) == ["notice.offer_taken"]


def test_a_yes_by_mistake_is_taken_back_within_a_day_and_the_next_one_is_asked(
    world: World, clock: StoppedClock
) -> None:
    asked, person, other = world.beneficiary(), world.volunteer(), world.volunteer()
    stint = world.agreeing(asked, person)
    propose(world, asked, other)
    clock.pass_time(24 * H)
    assert world.do(offering.take_back, stint, other) is False
    assert world.do(offering.take_back, stint, person) is True
    assert (world.stint(stint).state, world.stint(stint).ended_why) == ("ended", "taken_back")
    assert world.told(other) == ["notice.offer"]
    again = world.agreeing(world.beneficiary(), person)
    clock.pass_time(24 * H + timedelta(seconds=1))
    assert world.do(offering.take_back, again, person) is False


# Noes and silence


def test_after_a_no_the_next_one_is_asked_and_after_the_last_a_named_person_hears(world: World) -> None:
    asked, first, second, boss = world.beneficiary(), world.volunteer(), world.volunteer(), world.specialist()
    propose(world, asked, second)
    world.says(world.offer(asked, first), first, "declined")
    assert world.told(first) == [], "the invitation had not left yet, and does not any more"
    assert world.told(second) == ["notice.offer"]
    (offer,) = world.do(offering.offers_of, second)
    world.says(offer.id, second, "declined")
    assert world.told(boss) == ["notice.nobody_left"]
    assert world.responsible(asked).people == (boss,)


def test_later_holds_once_more_and_asks_again(world: World, clock: StoppedClock) -> None:
    person = world.volunteer()
    world.specialist()
    offer = world.offer(world.beneficiary(), person)
    clock.pass_time(47 * H)
    world.says(offer, person, "later")
    clock.pass_time(47 * H)
    world.says(offer, person, "later")
    assert world.run(jobs.pass_offers_on) == 0
    assert world.told(person) == ["notice.offer", "notice.offer"]
    clock.pass_time(H)
    assert world.run(jobs.pass_offers_on) == 1
    assert world.run(jobs.pass_offers_on) == 0
    assert world.told(person) == []


def test_who_is_to_go_is_not_asked_to_follow_themselves(world: World) -> None:
    asked, person, boss = world.beneficiary(), world.volunteer(), world.specialist()
    stint = world.paired(asked, person, boss)
    world.do(relaying.begin, stint, "stopped", date(2026, 12, 31), person)
    assert refused(world, asked, person) == "paired"


def test_withdrawn_offers_are_told_and_answer_nothing(world: World) -> None:
    asked, person = world.beneficiary(), world.volunteer()
    offer = world.offer(asked, person)
    assert world.do(offering.withdraw_offers, asked, "machine") == 1
    assert world.says(offer, person).what == "withdrawn"
    assert world.told(person) == ["notice.offer_taken"]


# What the database itself refuses


def test_the_database_refuses_a_second_invitation_of_the_same_two(world: World) -> None:
    asked, person = world.beneficiary(), world.volunteer()
    world.offers(asked, person)
    with pytest.raises(IntegrityError):
        world.offers(asked, person)


def test_the_database_refuses_a_second_agreement(world: World) -> None:
    asked = world.beneficiary()
    world.agreeing(asked, world.volunteer())
    with pytest.raises(IntegrityError), world.database.write() as session:
        session.add(
            Stint(
                beneficiary_id=asked,
                person_id=world.person(),
                activities=2,
                relay_months=12,
                made_by="machine",
                made_at=now_of(session),
            )
        )
