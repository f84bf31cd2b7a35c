"""Relays of many: how many statements they take, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select

from models import relaying, relaying_lists
from models.beneficiary import DIED
from models.database import Database
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
