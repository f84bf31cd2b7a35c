"""What families agree to, and what follows when they do not any more."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.exc import IntegrityError

from models import family, relaying, substituting
from models.beneficiary import Beneficiary
from models.database import Database
from models.family import FamilyError
from models.offer import Offer
from models.relay import Relay
from tests.pairing_world import CHILD, TIANHE, YUEXIU, World, unbroken


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def refused(world: World, beneficiary: str, giver: str, way: str, by: str) -> str:
    with pytest.raises(FamilyError) as error:
        world.do(family.record, beneficiary, "pairing", giver, way, by)
    return error.value.reason


def own_door(world: World, beneficiary: str) -> str:
    person = world.person()
    with world.database.write() as session:
        row = session.get_one(Beneficiary, beneficiary)
        row.person_id = person
        session.add(row)
    return person


def test_a_consent_is_written_down_once(world: World) -> None:
    asked, boss = world.beneficiary(consent=False), world.specialist()
    first = world.do(family.record, asked, "pairing", "self", "spoken", boss)
    assert world.do(family.record, asked, "pairing", "self", "paper", boss).id == first.id
    assert world.do(family.record, asked, "photos", "self", "paper", boss).id != first.id


def test_only_who_answers_for_the_county_writes_it_down(world: World) -> None:
    assert refused(world, world.beneficiary(consent=False), "self", "paper", world.specialist(YUEXIU)) == "scope"
    assert refused(world, world.beneficiary(consent=False), "self", "chat", world.person()) == "scope"


def test_for_a_child_the_guardian_speaks_and_not_on_the_childs_own_door(world: World) -> None:
    child, boss = world.beneficiary(consent=False, birth_date=CHILD), world.specialist()
    assert refused(world, child, "self", "spoken", boss) == "guardian"
    assert refused(world, child, "guardian", "chat", own_door(world, child)) == "guardian"
    assert world.do(family.record, child, "pairing", "guardian", "paper", boss)


def test_of_the_dead_nobody_agrees(world: World) -> None:
    gone, boss = world.beneficiary(consent=False), world.specialist()
    world.becomes(gone, "died")
    assert refused(world, gone, "self", "paper", boss) == "gone"


def test_a_grown_up_agrees_and_takes_back_on_their_own_door(world: World) -> None:
    asked = world.beneficiary(consent=False)
    person = own_door(world, asked)
    world.do(family.record, asked, "pairing", "self", "chat", person)
    assert world.do(family.take_back, asked, "pairing", person) is True
    assert world.do(family.take_back, asked, "pairing", person) is False
    with pytest.raises(FamilyError, match="scope"):
        world.do(family.take_back, asked, "pairing", world.person())


def test_the_database_keeps_one_consent_of_a_kind(world: World) -> None:
    asked = world.beneficiary()
    with pytest.raises(IntegrityError):
        world.consent(asked)


# What an objection ends


def test_an_objection_withdraws_every_invitation(world: World) -> None:
    asked, person, boss = world.beneficiary(), world.volunteer(), world.specialist()
    offer = world.offer(asked, person)
    world.do(family.take_back, asked, "pairing", boss)
    assert world.one(Offer, offer).state == "withdrawn"
    assert world.told(person) == ["notice.offer_taken"]
    assert world.says(offer, person).what == "withdrawn"


def test_an_objection_ends_what_is_being_agreed(world: World) -> None:
    asked, person, boss = world.beneficiary(), world.volunteer(), world.specialist()
    stint = world.agreeing(asked, person)
    world.write(stint, boss)
    world.do(family.take_back, asked, "pairing", boss)
    assert world.stint(stint).ended_why == "objected"
    assert world.told(person) == ["notice.objected"], "and the agreement is not sent any more"


def test_an_objection_ends_the_pairing_gently_and_somebody_keeps_the_person(world: World) -> None:
    asked, person, other, boss = world.beneficiary(), world.volunteer(), world.volunteer(), world.specialist()
    stint = world.paired(asked, person, boss)
    relay = world.do(relaying.begin, stint, "stopped", date(2026, 12, 31), person)
    stand_in = world.do(substituting.ask, stint, other, date(2026, 12, 1), boss)
    world.do(substituting.answer, stand_in.id, other, yes=True)
    world.do(family.take_back, asked, "pairing", boss)
    assert world.stint(stint).ended_why == "objected"
    assert world.stint(stand_in.id).state == "ended"
    assert world.one(Relay, relay.id).state == "done"
    assert "notice.objected" in world.told(person) and "notice.objected" in world.told(other)
    assert world.responsible(asked).kind == "keeper" and world.responsible(asked).people == (boss,)
    assert unbroken(world.history(asked))


def test_what_was_agreed_beside_pairing_touches_no_pairing(world: World) -> None:
    asked, person, boss = world.beneficiary(), world.volunteer(), world.specialist(TIANHE)
    stint = world.paired(asked, person, boss)
    world.do(family.record, asked, "photos", "self", "paper", boss)
    world.do(family.take_back, asked, "photos", boss)
    assert world.stint(stint).state == "open"
