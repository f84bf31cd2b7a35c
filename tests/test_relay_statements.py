"""Relays of many: how many statements they take, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select

from models import leave, relaying, relaying_lists, volunteer_gone
from models.beneficiary import DIED
from models.database import Database
from models.pairing import Stint
from models.relay import Relay
from tests.pairing_world import TIANHE, YUEXIU, World

LAST = date(2026, 12, 31)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    seen = list[str]()
    listen = lambda *args: seen.append(args[2])  # noqa: E731
    bind = session.get_bind()
    event.listen(bind, "before_cursor_execute", listen)
    try:
        yield seen
    finally:
        event.remove(bind, "before_cursor_execute", listen)


def statements(database: Database, do: Callable[[Session], object]) -> int:
    with database.read() as session, counted(session) as seen:
        do(session)
    return len(seen)


def paired(world: World, count: int, boss: str, county: str = TIANHE) -> list[str]:
    people = world.volunteers(count, county)
    return [world.paired(world.beneficiary(county), one, boss) for one in people]


# What is told in one message


def terms(world: World, stints: list[str]) -> list[Relay]:
    return [world.do(relaying.begin, one, "term", LAST, relaying.PROGRAMME) for one in stints]


def test_of_terms_found_together_one_is_told_and_those_of_other_counties_do_not_count(world: World) -> None:
    boss, far = world.specialist(), world.specialist(YUEXIU)
    stints = paired(world, 4, boss)
    relays = terms(world, [*stints, *paired(world, 2, far, YUEXIU)])
    with world.database.write() as session:
        early = session.get_one(Relay, relays[2].id)
        early.last_day = date(2026, 12, 1)
        session.add(early)
    served = world.stint(stints[0]).beneficiary_id
    assert served is not None
    world.becomes(served, DIED)
    with world.database.read() as session:
        for row in session.exec(select(Relay).where(col(Relay.stint_id).in_(stints[1:]))):
            assert relaying_lists.told_together(session, boss, row) == (relays[2].id, 3)
        row = session.get_one(Relay, relays[5].id)
        assert relaying_lists.told_together(session, far, row)[1] == 2
        assert relaying_lists.told_together(session, world.person(), row) == (None, 0)


def test_a_notice_looks_at_the_others_in_one_statement(world: World) -> None:
    boss = world.specialist()

    def taken(relays: list[Relay]) -> int:
        return statements(world.database, lambda s: relaying_lists.told_together(s, boss, relays[0]))

    few = taken(terms(world, paired(world, 2, boss)))
    assert few == taken(terms(world, paired(world, 8, boss))) <= 3


# Lists


def test_the_list_of_a_region_takes_few_statements_however_long_it_is(world: World) -> None:
    boss = world.specialist()

    def taken(count: int) -> int:
        stints = paired(world, count, boss)
        for one in stints[::2]:
            world.do(relaying.begin, one, "stopped", LAST, boss)
        for one in stints[1::2]:
            world.do(leave.ask, one, LAST, str(world.stint(one).person_id))
        return statements(world.database, lambda s: relaying_lists.of_region(s, boss))

    assert taken(2) == taken(8) <= 6


def test_the_list_of_a_region_shows_what_stands_there(world: World) -> None:
    boss = world.specialist()
    stints = paired(world, 4, boss)
    first, ended, kept = (
        world.do(relaying.begin, stint, "stopped", day, boss).id
        for stint, day in zip(stints, (LAST, date(2026, 11, 30), date(2026, 11, 29)), strict=False)
    )
    served = [str(world.stint(one).beneficiary_id) for one in stints]
    successor = world.agreeing(served[0], world.volunteer())
    for stint in stints[1:3]:  # over by themselves, their relays left standing
        with world.database.write() as session:
            row = session.get_one(Stint, stint)
            row.state, row.ended_at, row.ended_why = "ended", row.opened_at, "stopped"
            session.add(row)
    new = world.agreeing(served[1], world.volunteer())
    with world.database.write() as session:
        row = session.get_one(Stint, new)
        row.state, row.opened_at = "open", row.made_at
        session.add(row)
    world.do(leave.ask, stints[3], LAST, str(world.stint(stints[3]).person_id))
    with world.database.read() as session:
        relays, leaves = relaying_lists.of_region(session, boss)
        assert [each.relay.id for each in relays] == [kept, first], "nobody has the lead of the first one"
        assert ended not in {each.relay.id for each in relays}
        assert relays == [relaying_lists.standing(session, each.relay.id) for each in relays]
        assert relays[1].successor is not None and relays[1].successor.id == successor
        assert [each.stint.id for each in leaves] == [stints[3]]
        assert relaying_lists.of_region(session, world.specialist(YUEXIU)) == ([], [])


# Volunteers whom nothing reaches


def test_silence_is_looked_for_among_those_of_the_slice_alone(world: World) -> None:
    boss = world.specialist()
    mine = paired(world, 1, boss)

    def looked_at() -> int:
        return statements(world.database, lambda s: volunteer_gone.without_door(s, mine))

    world.shut(str(world.stint(mine[0]).person_id))
    few = looked_at()
    leader = world.volunteer()
    team = world.team(leader)
    for _ in range(5):
        world.paired(world.beneficiary(), leader, boss, team)
    world.shut(leader)
    assert few == looked_at() == 1
    with world.database.read() as session:
        assert volunteer_gone.without_door(session, mine) == mine
        assert len(volunteer_gone.without_door(session)) == 6
    with world.database.write() as session, counted(session) as seen:
        assert volunteer_gone.begin_for_silence(session, mine) == 1
    assert len([sql for sql in seen if "FROM door" in sql and "NOT (EXISTS" in sql]) == 1
