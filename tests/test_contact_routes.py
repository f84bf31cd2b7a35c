"""联系专员 goes to the team's specialist first, or to who was named for the served person; and never into silence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlmodel import Session, select

from models import contact, handover, relaying, role
from models.contact import ContactError, ContactMessage, receivers_of, ways
from models.contact_routes import SERVED, TEAM
from models.contact_waiting import waiting_for
from models.database import Database, now_of
from models.family_consent import GUARDIAN, FamilyDoor
from models.ids import new_id
from models.outbox import OutboxMessage
from models.person import Person
from models.team import Team, TeamMember
from tests.conftest import StoppedClock
from tests.pairing_world import YUEXIU, World

HOURS = timedelta(hours=1)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def specialist_of(world: World, team: str, *more: str) -> str:
    """Somebody with a role for this team (and these)."""
    person = world.person()
    for one in (team, *more):
        world.give_role(person, world.one(Team, one).number, kind="team")
    return person


def writes(world: World, person: str, about: str = "", thread: str = "") -> str:
    """A message, about the first thing there is unless another is named."""

    def write(session: Session) -> str:
        found = ways(session, person)
        row, _count = contact.write(session, person, "请帮忙", thread, about or (found[0].about if found else ""))
        return row.id

    return world.do(write)


def told(world: World, message: str) -> set[str]:
    with world.database.read() as session:
        query = select(OutboxMessage.person_id, OutboxMessage.unique_key).where(OutboxMessage.kind == "notice.contact")
        return {person for person, key in session.exec(query) if message in key}


def agree(world: World) -> None:
    """Whoever hears of a message now is whoever has it on the list."""
    with world.database.read() as session:
        rows = session.exec(select(ContactMessage).where(*contact.unanswered())).all()
        hears = {row.id: set(receivers_of(session, row)) for row in rows}
        for person in session.exec(select(Person.id)).all():
            assert set(waiting_for(session, person)) == {key for key, people in hears.items() if person in people}


def belongs(world: World, door: str, served: str) -> None:
    """This phone is the family's of somebody served."""
    with world.database.write() as session:
        now = now_of(session)
        told = {"issued_by": door, "issued_at": now, "expires_at": now, "bound_at": now}
        session.add(FamilyDoor(id=new_id(), beneficiary_id=served, person_id=door, holder=GUARDIAN, **told))


def test_a_member_reaches_the_teams_specialist_and_not_the_county(world: World) -> None:
    leader, member, county = world.volunteer(), world.volunteer(), world.specialist()
    team = world.team(leader, members=(member,))
    mine = specialist_of(world, team)
    for one in (leader, member):
        message = writes(world, one)
        assert told(world, message) == {mine}
    alone = writes(world, world.volunteer())
    assert told(world, alone) == {county}
    agree(world)
    row = world.do(contact.answer, message, mine, "好的")
    assert row.author_id == mine


def test_a_team_without_a_specialist_belongs_to_the_county(world: World) -> None:
    leader, county = world.volunteer(), world.specialist()
    world.team(leader)
    message = writes(world, leader)
    assert told(world, message) == {county}
    agree(world)


def test_a_specialist_whom_nothing_reaches_is_passed_over(world: World) -> None:
    leader, county = world.volunteer(), world.specialist()
    mine = specialist_of(world, world.team(leader))
    world.shut(mine)
    assert told(world, writes(world, leader)) == {county}
    agree(world)


def test_who_leaves_every_door_afterwards_leaves_no_message_behind(world: World) -> None:
    leader, county = world.volunteer(), world.specialist()
    mine = specialist_of(world, world.team(leader))
    message = writes(world, leader)
    world.shut(mine)
    assert handover.hand_over(world.database).contacts == 1
    assert told(world, message) == {mine, county}
    assert handover.hand_over(world.database).contacts == 0
    agree(world)


def test_a_silent_specialist_is_followed_by_the_county(world: World, clock: StoppedClock) -> None:
    leader, county, organiser = world.volunteer(), world.specialist(), world.specialist("44", "organiser")
    mine = specialist_of(world, world.team(leader))
    message = writes(world, leader)
    clock.pass_time(47 * HOURS)
    assert handover.hand_over(world.database).contacts == 0
    clock.pass_time(1 * HOURS)
    assert [handover.hand_over(world.database).contacts for _time in range(2)] == [1, 0]
    assert told(world, message) == {mine, county} and organiser not in told(world, message)
    agree(world)
    world.do(contact.answer, message, mine, "来晚了，对不起")
    agree(world)


def test_where_the_specialist_is_the_countys_as_well_silence_goes_farther(world: World, clock: StoppedClock) -> None:
    leader, organiser = world.volunteer(), world.specialist("44", "organiser")
    mine = specialist_of(world, world.team(leader))
    world.give_role(mine)
    message = writes(world, leader)
    clock.pass_time(48 * HOURS)
    assert handover.hand_over(world.database).contacts == 1
    assert told(world, message) == {mine, organiser}
    agree(world)


def test_two_teams_are_asked_about_only_where_their_specialists_differ(world: World) -> None:
    person = world.volunteer()
    first, second = world.team(person), world.team(person)
    one = specialist_of(world, first, second)
    with world.database.read() as session:
        assert [each.about for each in ways(session, person)] in ([TEAM + first], [TEAM + second])  # joined at once
    other = specialist_of(world, second)
    with world.database.read() as session:
        assert {each.about for each in ways(session, person)} == {TEAM + first, TEAM + second}
    assert told(world, writes(world, person, TEAM + first)) == {one}
    assert told(world, writes(world, person, TEAM + second)) == {one, other}
    agree(world)


def test_a_team_that_is_not_theirs_is_nobodys_way(world: World) -> None:
    person, county = world.volunteer(), world.specialist()
    stranger = world.team(world.volunteer())
    specialist_of(world, stranger)
    assert told(world, writes(world, person, TEAM + stranger)) == {county}


def test_who_left_the_team_is_the_countys_and_no_more_its_specialists(world: World) -> None:
    leader, county = world.volunteer(), world.specialist()
    team = world.team(leader)
    mine = specialist_of(world, team)
    message = writes(world, leader)
    with world.database.write() as session:
        session.exec(select(TeamMember).where(TeamMember.team_id == team)).one().left_at = now_of(session)
    with pytest.raises(ContactError) as refused:
        world.do(contact.answer, message, mine, "好的")
    assert refused.value.reason == "not_yours"
    assert handover.hand_over(world.database).contacts == 1
    assert told(world, message) == {mine, county}
    agree(world)


def test_a_specialist_in_their_own_team_writes_to_somebody_else(world: World) -> None:
    leader, county = world.volunteer(), world.specialist()
    team = world.team(leader)
    world.give_role(leader, world.one(Team, team).number, kind="team")
    assert told(world, writes(world, leader)) == {county}
    agree(world)


def test_what_goes_on_with_a_thread_goes_to_who_answered_there(world: World, clock: StoppedClock) -> None:
    leader, county = world.volunteer(), world.specialist()
    mine = specialist_of(world, world.team(leader))
    message = writes(world, leader)
    world.do(contact.answer, message, mine, "好的")
    clock.pass_time(HOURS)
    again = writes(world, leader, thread=message)
    assert told(world, again) == {mine}
    agree(world)
    clock.pass_time(48 * HOURS)
    assert handover.hand_over(world.database).contacts == 1
    assert told(world, again) == {mine, county}
    agree(world)


def test_a_role_for_a_team_reads_nothing_else(world: World) -> None:
    leader, alone = world.volunteer(), world.volunteer()
    mine, county = specialist_of(world, world.team(leader)), world.specialist()
    message = writes(world, alone)
    with world.database.read() as session:
        row = session.get_one(ContactMessage, message)
        assert not contact.may_read(session, row, mine) and contact.may_read(session, row, county)
        assert waiting_for(session, mine) == []
        assert not role.covers_county(session, mine, "440106")


def test_a_family_reaches_who_is_responsible_for_their_person(world: World) -> None:
    other, mine, far = world.specialist(), world.specialist(), world.specialist(YUEXIU)
    family, served = world.person(), world.beneficiary()
    belongs(world, family, served)
    assert told(world, writes(world, family)) == {other, mine}, "nobody is named yet: the county's"
    stint = world.paired(served, world.volunteer(), mine)
    with world.database.read() as session:
        assert [each.about for each in ways(session, family)] == [SERVED + served]
    message = writes(world, family)
    assert told(world, message) == {mine}
    agree(world)
    with world.database.write() as session:
        relay = relaying.begin(session, stint, "specialist", now_of(session).date(), other)
        assert relay.specialist_id == other
    assert told(world, writes(world, family)) == {other}, "who looks for a successor"
    assert far not in told(world, message)
    agree(world)


def test_a_familys_silent_specialist_is_followed_by_the_others(world: World, clock: StoppedClock) -> None:
    other, mine, family = world.specialist(), world.specialist(), world.person()
    served = world.beneficiary()
    world.paired(served, world.volunteer(), mine)
    belongs(world, family, served)
    message = writes(world, family)
    clock.pass_time(48 * HOURS)
    assert handover.hand_over(world.database).contacts == 1
    assert told(world, message) == {mine, other}
    agree(world)


def test_a_relative_who_is_a_volunteer_elsewhere_is_answered_by_who_is_responsible(world: World) -> None:
    mine, near, served = world.specialist(), world.specialist(YUEXIU), world.beneficiary()
    world.paired(served, world.volunteer(), mine)
    relative = world.volunteer(YUEXIU)
    belongs(world, relative, served)
    message = writes(world, relative, SERVED + served)
    assert told(world, message) == {mine}
    agree(world)
    with world.database.read() as session:
        row = session.get_one(ContactMessage, message)
        assert contact.may_read(session, row, mine) and contact.may_read(session, row, near)
    assert world.do(contact.answer, message, mine, "好的").author_id == mine
    again = writes(world, relative, thread=message)
    assert told(world, again) == {mine}, "whoever answered there"
    agree(world)
    with pytest.raises(ContactError):
        world.do(contact.answer, writes(world, relative), world.specialist(), "好的")


def test_many_messages_about_teams_take_no_more_statements(world: World) -> None:
    leader = world.volunteer()
    mine = specialist_of(world, world.team(leader))
    counts = []
    for more in (2, 8):
        for _time in range(more):
            writes(world, leader)
        with world.database.read() as session:
            statements: list[object] = []
            event.listen(session.connection(), "before_cursor_execute", lambda *run, to=statements: to.append(run))
            assert waiting_for(session, mine)
            counts.append(len(statements))
    assert counts[0] == counts[1]
