"""What is open for a person now, found from what came in and what was tried; and the permissions and days beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from sqlmodel import col, select, update

from handlers.sending_words import closed
from models import channel, inbox, outbox
from models.channel import Channel, ChannelDay, ChannelGrant, allow, begin_call, end_call, take_back, used_up
from models.database import Database
from models.ladder import Closed, Way, in_order, ladder, may_repeat, passed_over
from models.ledger import Ledger, Standing, mass_left, read, window
from models.outbox import CAMPAIGN, EMERGENCY, REPLY, Attempt
from models.person import Door, Person, open_door
from tests.conftest import START, StoppedClock

CUSTOM = Channel("custom", windowed=True)
ONCE = Channel("once", cards={"message": "1000"}, granted=True)
SUBSCRIPTION = Channel("subscription", cards={"message": "S"}, granted=True)
TEMPLATE = Channel("template", cards={"message": "T"}, keyed=True, daily=3)
WECHAT, TELEGRAM = ("wechat", "test"), ("telegram", "test")
CHANNELS = {WECHAT: (CUSTOM, ONCE, SUBSCRIPTION, TEMPLATE), TELEGRAM: (Channel("bot"),)}

H, M = timedelta(hours=1), timedelta(minutes=1)


class Desk:
    """One person with a WeChat door, and what happens there."""

    def __init__(self, database: Database, clock: StoppedClock) -> None:
        self.database, self.clock = database, clock
        self.number = 0
        with database.write() as session:
            found, person = open_door(session, *WECHAT, "alin", "zh_CN", zone="Asia/Shanghai")
            self.door, self.person = found, person.id

    def heard(self, kind: str = "text") -> None:
        self.number += 1
        with self.database.write() as session:
            inbox.enter(session, *WECHAT, f"k{self.number}", "alin", kind, {})
            open_door(session, *WECHAT, "alin", "zh_CN", zone="Asia/Shanghai")

    def sent(self, outcome: str = "sent", code: str = "", by: str = "custom", row: str = "") -> str:
        self.number += 1
        with self.database.write() as session:
            if not row:
                outbox.enqueue(session, self.person, "reply", {}, unique_key=f"r{self.number}")
                row = session.exec(
                    select(outbox.OutboxMessage.id).where(outbox.OutboxMessage.unique_key == f"r{self.number}")
                ).one()
            session.add(
                Attempt(
                    outbox_id=row,
                    door_id=self.door.id,
                    started_at=self.clock.machine(),
                    outcome=outcome,
                    code=code,
                    channel=by,
                )
            )
        return row

    def standing(self) -> Standing:
        return self.ledger().standings[self.door.id]

    def ledger(self, *rows: str) -> Ledger:
        with self.database.read() as session:
            return read(session, [session.get_one(Door, self.door.id)], rows, CHANNELS)

    def left(self) -> tuple[int, str]:
        now = window(self.standing(), self.clock.machine())
        return now.left, now.why

    def ways(self, card: str = "message", row: str = "", priority: int = REPLY) -> dict[str, str]:
        found = ladder(
            self.ledger(*([row] if row else [])), [self.door], CHANNELS, row=row, card=card, priority=priority
        )
        return {way.channel.name: way.closed for way in found}


@pytest.fixture
def desk(database: Database, clock: StoppedClock) -> Desk:
    return Desk(database, clock)


def test_after_a_message_five_go_within_48_hours(desk: Desk, clock: StoppedClock) -> None:
    desk.heard()
    for left in (5, 4, 3, 2, 1):
        assert desk.left() == (left, "")
        clock.pass_time(H)
        desk.sent()
    assert desk.left() == (0, "used")
    clock.pass_time(M)
    desk.heard()
    assert desk.left() == (5, ""), "each message opens the window anew"
    clock.pass_time(48 * H - timedelta(seconds=1))
    assert desk.left() == (5, "")
    clock.pass_time(timedelta(seconds=1))
    assert desk.left() == (0, "over")


def test_a_click_opens_three_for_a_minute_and_nothing_longer(desk: Desk, clock: StoppedClock) -> None:
    for kind in ("menu", "follow", "scan"):
        desk.heard(kind)
        assert desk.left() == (3, "")
        clock.pass_time(61 * timedelta(seconds=1))
        assert desk.left() == (0, "over")
    desk.heard("page")
    desk.heard("other")
    assert desk.left() == (0, "over"), "what is done on a page, and receipts, open nothing"


def test_what_goes_while_both_windows_are_open_counts_against_the_one_that_ends_first(
    desk: Desk, clock: StoppedClock
) -> None:
    desk.heard()
    clock.pass_time(M)
    desk.heard("menu")
    for left in (7, 6, 5, 4):
        clock.pass_time(timedelta(seconds=1))
        desk.sent()
        assert desk.left() == (left, "")
    clock.pass_time(2 * M)
    assert desk.left() == (4, ""), "three went by the click, one by the message"


def test_only_calls_that_may_have_arrived_use_the_window_up(desk: Desk, clock: StoppedClock) -> None:
    desk.heard()
    clock.pass_time(M)
    for outcome in ("retry", "late", "refused", "stopped"):
        desk.sent(outcome)
    desk.sent(by="template")
    assert desk.left() == (5, "")
    for outcome in ("uncertain", "sent", ""):
        desk.sent(outcome)
    desk.sent(by="")
    assert desk.left() == (1, ""), "a call that names no channel went by the ordinary one"


@pytest.mark.parametrize("code", ["45015", "45047"])
def test_the_platforms_word_closes_the_window_until_the_next_message(
    desk: Desk, clock: StoppedClock, code: str
) -> None:
    desk.heard()
    clock.pass_time(M)
    desk.sent("closed", code)
    assert desk.left() == (0, "shut")
    clock.pass_time(M)
    desk.heard("menu")
    assert desk.left() == (3, ""), "a click opens its own window"
    clock.pass_time(2 * M)
    assert desk.left()[0] == 0
    desk.heard("location")
    assert desk.left() == (5, "")


def test_a_window_whose_messages_are_forgotten_is_tried_and_then_believed(
    desk: Desk, database: Database, clock: StoppedClock
) -> None:
    desk.heard()
    with database.write() as session:
        inbox.forget_messages(session, *WECHAT, "alin")
    assert desk.left() == (1, "")
    clock.pass_time(M)
    desk.sent("closed", "45015")
    assert desk.left()[0] == 0
    clock.pass_time(48 * H)
    assert desk.left() == (0, "over")


def test_a_programme_clock_that_runs_ahead_passes_the_windows_time(desk: Desk, clock: StoppedClock) -> None:
    desk.heard()
    clock.offset = timedelta(hours=47)
    assert desk.left() == (5, "")
    clock.offset = timedelta(hours=49)
    assert desk.left() == (0, "over")
    desk.heard()
    assert desk.left() == (5, "")


def test_one_permission_lets_one_message_through(desk: Desk, database: Database, clock: StoppedClock) -> None:
    where = (*WECHAT, desk.door.id)
    with database.write() as session:
        assert not begin_call(session, where, ONCE, "1000", "a0")
        allow(session, desk.door.id, "once", "1000")
        allow(session, desk.door.id, "subscription", "S")
        allow(session, desk.door.id, "subscription", "S")
    assert desk.standing().grants == {("once", "1000"): 1, ("subscription", "S"): 2}
    with database.write() as session:
        assert begin_call(session, where, ONCE, "1000", "a1")
        assert not begin_call(session, where, ONCE, "1000", "a2")
        end_call(session, where, ONCE, "1000", "a1", "not sent")
        assert begin_call(session, where, ONCE, "1000", "a3")
        assert begin_call(session, where, SUBSCRIPTION, "S", "b1")
        end_call(session, where, SUBSCRIPTION, "S", "b1", "gone")
    assert desk.standing().grants == {}, "43101: the platform knows of none, so there is none"
    with database.write() as session:
        allow(session, desk.door.id, "subscription", "S")
        assert take_back(session, desk.door.id, "subscription", "S") == 1
        assert not begin_call(session, where, SUBSCRIPTION, "S", "b2")
        whys = [row.why for row in session.exec(select(ChannelGrant).order_by(col(ChannelGrant.granted_at)))]
        assert sorted(whys) == ["gone", "refused", "used", "used"]
        channel.forget_grants(session, desk.door.id)
        assert session.exec(select(ChannelGrant)).all() == []


def test_the_calls_of_an_account_are_counted_by_the_day_in_beijing(
    desk: Desk, database: Database, clock: StoppedClock
) -> None:
    where = (*WECHAT, desk.door.id)

    def over() -> set[tuple[str, str, str]]:
        with database.read() as session:
            return used_up(session, CHANNELS)

    for number in range(3):
        assert over() == set()
        with database.write() as session:
            begin_call(session, where, TEMPLATE, "T", f"a{number}")
    assert over() == {(*WECHAT, "template")}
    assert desk.ways()["template"] == "day"
    clock.at = datetime(2026, 11, 22, 15, 59, tzinfo=UTC)
    assert over() != set()
    clock.at = datetime(2026, 11, 22, 16, 1, tzinfo=UTC)  # past midnight in Beijing
    assert over() == set()
    with database.write() as session:
        begin_call(session, where, TEMPLATE, "T", "b")
        end_call(session, where, TEMPLATE, "T", "b", "enough")
        row = session.exec(select(ChannelDay).order_by(col(ChannelDay.day).desc())).first()
        assert row is not None and (row.calls, row.over) == (1, True)
    assert over() == {(*WECHAT, "template")}, "the platform has the last word"


def test_a_clock_that_is_set_back_and_forth_forgets_no_calls_of_a_day(
    desk: Desk, database: Database, clock: StoppedClock
) -> None:
    seen: list[bool] = []
    for days, calls in ((0, TEMPLATE.daily), (-1, 1), (+1, 0), (+1, TEMPLATE.daily), (-1, 0), (-1, TEMPLATE.daily)):
        clock.pass_time(timedelta(days=days))
        with database.write() as session:
            for _call in range(calls):
                channel.count_calls(session, *WECHAT, TEMPLATE, 1)
            seen.append((*WECHAT, "template") in used_up(session, CHANNELS))
    assert seen == [True, False, True, True, True, True]


def test_the_calls_of_long_ago_are_not_kept(desk: Desk, database: Database, clock: StoppedClock) -> None:
    for _month in range(3):
        with database.write() as session:
            channel.count_calls(session, *WECHAT, TEMPLATE, 1)
        clock.pass_time(timedelta(days=32))
    with database.read() as session:
        assert len(session.exec(select(ChannelDay)).all()) == 1


def test_the_platforms_word_closes_a_channel_of_which_no_limit_is_known(desk: Desk, database: Database) -> None:
    with database.write() as session:
        allow(session, desk.door.id, "once", "1000")
        end_call(session, (*WECHAT, desk.door.id), ONCE, "1000", "a", "enough")
    assert desk.ways()["once"] == "day"


def test_four_mass_messages_a_month_in_beijing(desk: Desk, database: Database, clock: StoppedClock) -> None:
    clock.at = datetime(2026, 10, 31, 15, 30, tzinfo=UTC)
    desk.sent(by="mass")  # still October in Beijing
    clock.at = START
    for left in (4, 3, 2, 1, 0):
        with database.read() as session:
            assert mass_left(session, desk.door.id) == left
        desk.sent(by="mass")
    clock.at = datetime(2026, 11, 30, 16, 30, tzinfo=UTC)
    with database.read() as session:
        assert mass_left(session, desk.door.id) == 4


def test_the_ladder_goes_down_as_doors_close_and_says_why(desk: Desk, database: Database, clock: StoppedClock) -> None:
    desk.heard()
    closed = {"once": "no grant", "subscription": "no grant", "template": ""}
    assert desk.ways() == {"custom": "", **closed}
    assert desk.ways(card="role") == {
        "custom": "",
        **dict.fromkeys(("once", "subscription", "template"), "not set up"),
    }
    clock.pass_time(49 * H)
    assert desk.ways() == {"custom": "over", **closed}
    with database.write() as session:
        allow(session, desk.door.id, "once", "1000")
    assert desk.ways()["once"] == ""
    assert desk.ways(card="") == {
        "custom": "over",
        **dict.fromkeys(("once", "subscription", "template"), "no card"),
    }


def test_another_way_is_closed_while_a_call_may_have_arrived_but_not_in_an_emergency(
    desk: Desk, clock: StoppedClock
) -> None:
    desk.heard()
    row = desk.sent("uncertain")
    assert desk.ways(row=row) == {"custom": "", "once": "no grant", "subscription": "no grant", "template": "unsure"}
    assert desk.ways(row=row, priority=EMERGENCY)["template"] == ""
    clock.pass_time(49 * H)
    assert desk.ways(row=row, priority=CAMPAIGN)["template"] == "unsure"
    assert desk.ways(row=row)["custom"] == "over"
    card = desk.sent("sent", by="template")
    assert desk.ways(row=card)["template"] == "carded", "one card about one message is enough"
    assert desk.ways(row=card)["custom"] == "over"


def test_an_uncertain_template_is_sent_again_under_its_key_for_ten_minutes(desk: Desk, clock: StoppedClock) -> None:
    row = desk.sent("", by="template")
    clock.pass_time(timedelta(minutes=5))
    desk.sent("uncertain", by="template", row=row)
    assert desk.ways(row=row) == {
        "custom": "",  # a card holds no words
        "once": "no grant",
        "subscription": "no grant",
        "template": "",
    }
    way = Way(desk.door.id, *WECHAT, "alin", TEMPLATE, "T")
    assert may_repeat(desk.ledger(row), way, row)
    clock.pass_time(timedelta(minutes=5))
    assert not may_repeat(desk.ledger(row), way, row), "counted from the first of these calls"
    assert not may_repeat(desk.ledger(row), Way(desk.door.id, *WECHAT, "alin", CUSTOM), row)


def test_the_preferred_door_comes_first_and_reasons_are_told_in_order(
    desk: Desk, database: Database, clock: StoppedClock
) -> None:
    with database.write() as session:
        other = Door(
            person_id=desk.person,
            platform="telegram",
            account="test",
            sender="9",
            opened_at=clock.now(),
            last_in_at=clock.now() - H,
        )
        session.add(other)
        session.flush()
        session.execute(update(Person).values(preferred_door_id=other.id))
    with database.read() as session:
        person, doors = session.get_one(Person, desk.person), [desk.door, other]
        assert [door.platform for door in in_order(person, doors)] == ["telegram", "wechat"]
    clock.pass_time(49 * H)
    ways = ladder(desk.ledger(), doors, CHANNELS, row="", card="", priority=REPLY)
    assert passed_over(ways, ways[-1]) == (
        "wechat/custom:over;wechat/once:no card;wechat/subscription:no card;wechat/template:no card"
    )
    assert passed_over(ways, ways[0]) == ""


def test_a_door_without_limits_costs_no_query(desk: Desk, database: Database) -> None:
    with database.read() as session:
        found = read(session, [desk.door], ["x"], {WECHAT: (Channel("bot"),)})
    assert (found.standings, found.before) == ({}, {})
    ways = ladder(found, [desk.door], {}, row="x", card="", priority=REPLY)
    assert [(way.channel.name, way.closed) for way in ways] == [("bot", "")]


@pytest.mark.parametrize("why", [why for why in get_args(Closed) if why])
def test_every_reason_for_which_a_way_is_closed_has_words_for_people(why: str) -> None:
    assert closed(why) != why
