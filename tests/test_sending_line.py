"""How many calls at once and a second; and the last moment at which one may still be stopped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.last_moment import Ticket, TooLate, last_moment, steady, ticket
from bot.sending_line import SLOW_LESSER, SLOW_PLACES, SLOW_SECONDS, URGENT_PLACES, Call, Limits, Line, Pace, Way
from handlers.message import Reply
from models import claiming, lease, outbox
from models.claiming import Claimed
from models.database import Database
from models.outbox import CAMPAIGN, EMERGENCY, REPLY
from models.person import Door
from tests.conftest import StoppedClock
from tests.office import WECHAT, Office
from tests.office import office as office


@pytest.mark.parametrize("a_second", [0.5, 1, 30, 50, 33.3])
def test_no_second_sees_more_than_the_rate_and_little_is_given_away(a_second: float) -> None:
    chance, pace, now, began = random.Random(7), Pace(a_second), 1000.0, list[float]()
    pace.begin_full(now)
    while len(began) < 400:
        wait = pace.wait(now)
        if wait > 0:
            now += wait + chance.uniform(0, 0.004)  # a loop wakes a little late
            continue
        pace.took(now)
        began.append(now + chance.uniform(0, 0.015))  # and the wire takes its time
    most, each = max(1, int(a_second)), 1.0 if a_second >= 1 else 1 / a_second
    assert all(later - first > each for first, later in zip(began, began[most:], strict=False))
    assert (len(began) - 1) / (began[-1] - began[0]) >= 0.95 * a_second


def test_who_takes_an_account_over_does_not_begin_with_a_burst() -> None:
    pace = Pace(30)
    pace.begin_full(1000.0)
    now, number = 1000.0, 0
    while now < 1001.0:
        wait = pace.wait(now)
        if wait == 0:
            pace.took(now)
            number += 1
        now += max(wait, 0.001)
    assert 25 <= number <= 30


def test_without_a_rate_nothing_waits() -> None:
    pace = Pace(0)
    pace.begin_full(0.0)
    for _call in range(1000):
        assert pace.wait(0.0) == 0
        pace.took(0.0)


def call(number: int, priority: int = CAMPAIGN) -> Call:
    at = datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=number)
    row = Claimed(str(number), "", f"person{number}", None, "reply", b"", priority, at, None, 0)
    door: Any = Door(
        id=f"door{number}", person_id="", platform="x", account="x", sender="", opened_at=at, last_in_at=at
    )
    return Call(row, Reply("."), Way(door), "", until=100.0)


def test_a_place_is_taken_until_the_outcome_is_written_down() -> None:
    line, first = Line(Limits(at_once=2)), call(1)
    line.add(first)
    line.add(call(2))
    assert line.room(0.0) == (URGENT_PLACES, 0, 0)
    assert line.next(0.0) is first
    line.ended(first)
    assert line.room(0.0).usual == 0
    line.release(first)
    assert line.room(0.0).usual == 1


def fill(line: Line, now: float, number: int, lane: int) -> tuple[float, int]:
    """Let calls begin, all of which hang, as long as there is room for one of this priority."""
    while room := line.room(now).of(lane):
        for _place in range(room):
            number += 1
            line.add(call(number))
        while isinstance(line.next(now), Call):
            pass
        now += SLOW_SECONDS
    return now, number


def test_what_hangs_gives_its_place_away_but_not_without_end() -> None:
    assert fill(Line(Limits(at_once=2)), 0.0, 0, REPLY)[1] == 2 + 2 * SLOW_PLACES


def test_where_all_hang_there_are_places_that_only_replies_may_take() -> None:
    line = Line(Limits(at_once=2))
    now, number = fill(line, 0.0, 0, CAMPAIGN)
    assert number == 2 + 2 * SLOW_LESSER
    assert fill(line, now, number, REPLY)[1] == 2 + 2 * SLOW_PLACES


def test_a_claim_holds_half_a_second_of_work() -> None:
    line = Line(Limits(a_second=30, at_once=100))
    assert line.room(0.0) == (15 + URGENT_PLACES, 15, 15)
    for number in range(15):
        line.add(call(number))
    assert line.room(0.0).usual == 0
    assert not line.wants_more(0.0)
    now = 0.0
    while len(line.waiting) > 7:
        line.next(now)
        now += 0.05
    assert line.wants_more(now)


def test_the_most_urgent_begins_next_and_what_is_as_urgent_as_it_was_claimed() -> None:
    line = Line(Limits())
    for one in (call(3), call(1), call(9, EMERGENCY), call(2)):
        line.add(one)
    began = [line.next(0.0) for _ in range(4)]
    assert [one.row.id for one in began if isinstance(one, Call)] == ["9", "3", "1", "2"]


@asynccontextmanager
async def server() -> AsyncIterator[tuple[Any, list[bytes], aiohttp.ClientSession]]:
    came: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        came.append(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/", answer)
    async with TestServer(app) as served, aiohttp.ClientSession(trace_configs=[last_moment()]) as http:
        yield served, came, http


@pytest.mark.parametrize("body", [None, b"words", b"w" * 300_000])
async def test_a_call_that_is_too_late_writes_nothing(body: bytes | None) -> None:
    async with server() as (served, came, http):
        mine = Ticket(steady() + 60)
        ticket.set(mine)
        async with http.request("POST" if body else "GET", served.make_url("/"), data=body):
            assert not mine.stopped
        mine.until = steady()
        with pytest.raises(aiohttp.ClientError) as error:
            await http.request("POST" if body else "GET", served.make_url("/"), data=body)
        assert isinstance(error.value, TooLate) or isinstance(error.value.__cause__, TooLate)
        assert mine.stopped
        await asyncio.sleep(0.05)
        assert came == [body or b""], "the one in time"


async def test_a_process_that_stood_still_between_claim_and_wire_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The claim was fresh when the call began; the time passes while it waits for its connection."""
    async with server() as (served, came, http):
        mine = Ticket(steady() + 5)
        ticket.set(mine)
        monkeypatch.setattr("bot.last_moment.steady", lambda: steady() + 60)
        with pytest.raises(TooLate):
            await http.post(served.make_url("/"), data=b"words")
        assert came == []


async def test_what_is_not_a_senders_call_is_never_stopped() -> None:
    async with server() as (served, came, http):
        async with http.post(served.make_url("/"), data=b"words"):
            pass
        assert came == [b"words"]


def test_a_lease_left_behind_by_a_clock_that_was_set_back_is_taken(database: Database, clock: StoppedClock) -> None:
    with database.write() as session:
        assert lease.hold(session, "send:x:y", "dead") == 1
    clock.pass_time(timedelta(hours=-1))
    with database.write() as session:
        assert lease.hold(session, "send:x:y", "alive") == 2


def test_a_claim_left_behind_by_a_clock_that_was_set_back_is_swept(office: Office, clock: StoppedClock) -> None:
    office.put(office.person())
    with office.database.write() as session:
        (row,) = claiming.due(session, outbox.line(*WECHAT), {outbox.REPLY: 5}, {})
        assert claiming.take(session, "dead", [row]) == [row]
    clock.pass_time(timedelta(hours=-1))
    with office.database.write() as session:
        assert claiming.sweep(session) == 1
    assert (office.state(), office.rows()["你好"].resends) == ("waiting", 1)


def test_pauses_that_are_over_are_forgotten(database: Database, clock: StoppedClock) -> None:
    with database.write() as session:
        lease.pause(session, "chat:a", 5)
        lease.pause(session, "chat:b", 500)
        assert set(lease.pauses(session)) == {"chat:a", "chat:b"}
        clock.pass_time(timedelta(seconds=10))
        assert set(lease.pauses(session)) == {"chat:b"}
        assert lease.forget_pauses(session, "chat:") == 1
        assert lease.forget_pauses(session, "chat:") == 0
