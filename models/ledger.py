"""What is open for a person now: the ledger of windows, permissions and quotas, read when a message is to be sent.

A window is not written down anywhere: it follows from what came in (inbox) and what was tried since (attempt), so that
hearing a message costs nothing more. The platform has the last word: a door that it called closed stays closed until
the person does something again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal

from sqlalchemy import and_, case, func, or_, select
from sqlmodel import Session, SQLModel

from config.catalogue import rules
from models.channel import CARRY_CARDS, COUNTED_IN, KEYED, ORDINARY, Channel, day_of, today, used_up
from models.clock import SET_BACK
from models.database import is_moved, machine_now_of, now_of
from models.person import Door

# What opens the long window, and what the short one (platforms.md). The kinds are those of handlers/message.py.
MESSAGES = ("text", "choice", "location", "media")
CLICKS = ("menu", "follow", "scan")
ENOUGH = "45009"  # closes a channel for the day, not one person's door
PASSING = (ENOUGH, "43101")  # the next day, or another permission, opens a card's way again
REFUSED_FOR = timedelta(hours=1)  # a way whose card was refused is not tried again for the same message
MAY_HAVE_COME = ("", "sent", "uncertain")

_I: Any = SQLModel.metadata.tables["inbox"]
_A: Any = SQLModel.metadata.tables["attempt"]
_G: Any = SQLModel.metadata.tables["channel_grant"]
_DAY: Any = SQLModel.metadata.tables["channel_day"]

Channels = Mapping[tuple[str, str], tuple[Channel, ...]]


@dataclass(frozen=True, slots=True)
class Standing:
    """One door at one moment, machine time. `said` = the last message, `clicks` = the clicks, follows and scans since,
    `sent` = the calls of the windowed channel since that may have used it, `shut` = when the platform last called it
    closed. `unknown` = the person was heard within the window, but what was heard is no longer kept. `grants` = open
    permissions by channel and subject. `heard` = when the person was last heard at all, programme time."""

    heard: datetime
    said: datetime | None = None
    clicks: tuple[datetime, ...] = ()
    sent: tuple[datetime, ...] = ()
    shut: datetime | None = None
    unknown: bool = False
    grants: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Before:
    """What was tried for one message. `unsure` = the way whose call may have brought it, and since when (machine time)
    such calls were made; `carded` = a card about it has arrived; `refused` = ways of cards that the platform has lately
    refused for it."""

    unsure: tuple[str, str] | None = None
    since: datetime | None = None
    calls: int = 0
    carded: bool = False
    refused: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known at `at` (machine time) of some doors and messages."""

    at: datetime
    standings: Mapping[str, Standing] = field(default_factory=dict)
    before: Mapping[str, Before] = field(default_factory=dict)
    used_up: Collection[tuple[str, str, str]] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """How many messages the window lets through now. With none left `why` is "over", "used" or "shut" (the platform
    said so)."""

    left: int
    why: Literal["", "over", "used", "shut"] = ""


def window(standing: Standing, at: datetime) -> Window:
    """Five messages in 48 hours after the person's own, three in a minute after a click (rules.toml [channels]); what
    is sent while both are open counts against the one that ends first."""
    limits = rules().channels
    long, short = timedelta(hours=limits.window_hours), timedelta(seconds=limits.click_seconds)
    said = standing.said
    by_message = limits.window_messages if said is not None and at < said + long else 0
    was_open, by_click, until = by_message > 0, 0, at - long
    events = sorted([(one, 0) for one in standing.clicks] + [(one, 1) for one in standing.sent])
    for moment, kind in events:
        if kind == 0:
            by_click, until = limits.click_messages, moment + short
            was_open = was_open or at < until
        elif moment < until and by_click > 0:
            by_click -= 1
        elif said is not None and moment > said:
            by_message = max(0, by_message - 1)
    by_click = by_click if at < until else 0
    if standing.shut is not None:
        by_message = 0 if said is None or standing.shut > said else by_message
        by_click = 0 if not any(click > standing.shut for click in standing.clicks) else by_click
    left = by_message + by_click or int(standing.unknown and standing.shut is None)
    if left:
        return Window(left)
    if standing.shut is not None and (was_open or standing.unknown):
        return Window(0, "shut")
    return Window(0, "used" if was_open else "over")


def read(session: Session, doors: Iterable[Door], rows: Collection[str], channels: Channels) -> Ledger:
    """The ledger of these doors, and of what was tried for these outbox rows: a few queries for all of them, and none
    for doors whose only channel has no limit."""
    at = machine_now_of(session)
    asked = [door for door in doors if is_limited(door, channels)]
    before = _before(session, rows) if rows else {}
    if not asked:
        return Ledger(at, before=before)
    return Ledger(at, _standings(session, asked, at), before, used_up(session, channels))


def is_limited(door: Door, channels: Channels) -> bool:
    """Whether the ledger has anything to say about a door."""
    return any(channel.limited for channel in channels.get((door.platform, door.account), ()))


def _standings(session: Session, doors: list[Door], at: datetime) -> dict[str, Standing]:
    lasts = timedelta(hours=rules().channels.window_hours)
    said, clicks = _heard(session, doors, at - lasts)
    sent, shut = _tried(session, doors, at - lasts)
    grants = _grants(session, doors)
    now = now_of(session)
    ahead = is_moved(session)  # the sandbox's programme clock, which passes the window's time as well
    found: dict[str, Standing] = {}
    for door in doors:
        key = (door.platform, door.account, door.sender)
        ago = now - door.last_in_at
        gone = ahead and ago >= lasts
        message = None if gone else said.get(key)
        pressed = () if gone else tuple(sorted(clicks.get(key, ())))
        # Heard while the clock was ahead: nobody knows when, and what the platform says counts.
        begins = min([*([message] if message else []), *pressed], default=at - (ago if ago >= timedelta(0) else lasts))
        closed = shut.get(door.id)
        found[door.id] = Standing(
            heard=door.last_in_at,
            said=message,
            clicks=pressed,
            sent=tuple(one for one in sent.get(door.id, ()) if one >= begins),
            shut=closed if closed is not None and closed >= begins else None,
            unknown=message is None and not pressed and ago < lasts,
            grants=grants.get(door.id, {}),
        )
    return found


_Key = tuple[str, str, str]


def _heard(
    session: Session, doors: list[Door], since: datetime
) -> tuple[dict[_Key, datetime], dict[_Key, list[datetime]]]:
    """By platform, account and sender: the last message, and each click."""
    single = case((_I.c.kind.in_(CLICKS), _I.c.received_at))
    rows = session.execute(
        select(_I.c.platform, _I.c.account, _I.c.sender, _I.c.kind, func.max(_I.c.received_at).label("at"))
        .where(_I.c.sender.in_(sorted({door.sender for door in doors})), _I.c.received_at > since)
        .where(_I.c.kind.in_((*MESSAGES, *CLICKS)), _I.c.received_at <= machine_now_of(session) + SET_BACK)
        .group_by(_I.c.platform, _I.c.account, _I.c.sender, _I.c.kind, single)
    )
    said: dict[_Key, datetime] = {}
    clicks: dict[_Key, list[datetime]] = {}
    for row in rows:
        key = (row.platform, row.account, row.sender)
        if row.kind in CLICKS:
            clicks.setdefault(key, []).append(row.at)
        else:
            said[key] = max(row.at, said.get(key, row.at))
    return said, clicks


def _tried(
    session: Session, doors: list[Door], since: datetime
) -> tuple[dict[str, list[datetime]], dict[str, datetime]]:
    """By door: when the windowed channel was used, and when the platform last called it closed."""
    ids = [door.id for door in doors]
    rows = session.execute(
        select(_A.c.door_id, _A.c.started_at, _A.c.outcome, _A.c.code)
        .where(_A.c.door_id.in_(ids), _A.c.started_at > since, _A.c.channel.in_(("", ORDINARY)))
        .where(or_(_A.c.outcome.in_(MAY_HAVE_COME), and_(_A.c.outcome == "closed", _A.c.code != ENOUGH)))
        .order_by(_A.c.started_at)
    )
    sent: dict[str, list[datetime]] = {}
    shut: dict[str, datetime] = {}
    for row in rows:
        if row.outcome == "closed":
            shut[row.door_id] = row.started_at
        else:
            sent.setdefault(row.door_id, []).append(row.started_at)
    return sent, shut


def _grants(session: Session, doors: list[Door]) -> dict[str, dict[tuple[str, str], int]]:
    rows = session.execute(
        select(_G.c.door_id, _G.c.channel, _G.c.subject, func.count().label("open"))
        .where(_G.c.door_id.in_([door.id for door in doors]), _G.c.ended_at.is_(None))
        .group_by(_G.c.door_id, _G.c.channel, _G.c.subject)
    )
    found: dict[str, dict[tuple[str, str], int]] = {}
    for row in rows:
        found.setdefault(row.door_id, {})[row.channel, row.subject] = int(row.open)
    return found


def _before(session: Session, rows: Collection[str]) -> dict[str, Before]:
    """What was tried for each row. What is unsure is the way of the newest call that may have brought the message."""
    refused = and_(
        _A.c.outcome == "closed",
        _A.c.channel.in_(CARRY_CARDS),
        _A.c.code.not_in(PASSING),
        _A.c.started_at > machine_now_of(session) - REFUSED_FOR,
    )
    tries = session.execute(
        select(_A.c.outbox_id, _A.c.door_id, _A.c.channel, _A.c.outcome, _A.c.started_at)
        .where(_A.c.outbox_id.in_(sorted(rows)), or_(_A.c.outcome.in_(MAY_HAVE_COME), refused))
        .order_by(_A.c.outbox_id, _A.c.started_at.desc(), _A.c.id.desc())
    )
    found: dict[str, Before] = {}
    for one in tries:
        known = found.get(one.outbox_id, Before())
        if one.outcome == "closed":
            known = replace(known, refused=known.refused | {(one.door_id, one.channel)})
        elif one.outcome == "sent":
            known = replace(known, carded=known.carded or one.channel in CARRY_CARDS)
        elif known.unsure in (None, (one.door_id, one.channel)):
            known = replace(known, unsure=(one.door_id, one.channel), since=one.started_at, calls=known.calls + 1)
        found[one.outbox_id] = known
    return found


def repeatable(session: Session, rows: Collection[str]) -> set[str]:
    """Those of these rows whose only calls in doubt went by a channel with a key that is still good: made again under
    it, they arrive once."""
    keyed = session.execute(
        select(_A.c.outbox_id, _A.c.channel, _A.c.started_at)
        .where(_A.c.outbox_id.in_(sorted(rows)), _A.c.outcome.in_(("", "uncertain")))
        .order_by(_A.c.started_at)
    )
    now = machine_now_of(session)
    good = now - timedelta(minutes=rules().channels.key_minutes)
    first: dict[str, bool] = {}
    for row in keyed:
        is_good = good < row.started_at <= now + SET_BACK
        first[row.outbox_id] = first.get(row.outbox_id, is_good) and row.channel in KEYED
    return {row for row, is_good in first.items() if is_good}


def only_cards(session: Session, rows: Collection[str]) -> set[str]:
    """Those of these rows whose calls in doubt, if any, were all for cards: their words went nowhere."""
    words = session.execute(
        select(_A.c.outbox_id)
        .where(_A.c.outbox_id.in_(sorted(rows)), _A.c.outcome.in_(("", "uncertain")))
        .where(_A.c.channel.not_in(CARRY_CARDS))
    )
    cards = session.execute(
        select(_A.c.outbox_id)
        .where(_A.c.outbox_id.in_(sorted(rows)), _A.c.outcome.in_(("", "uncertain")))
        .where(_A.c.channel.in_(CARRY_CARDS))
    )
    return {row.outbox_id for row in cards} - {row.outbox_id for row in words}


def next_day(at: datetime) -> datetime:
    """When the platform's next day (Beijing) has begun, with a minute for its own clock. UTC."""
    begins = datetime.combine(day_of(at) + timedelta(days=1), time(0, 1), tzinfo=COUNTED_IN)
    return begins.astimezone(UTC)


def calls_left(session: Session, platform: str, account: str, channel: Channel) -> int:
    """Calls that this channel may still make today; nobody else counts until the transaction ends."""
    here = (_DAY.c.platform == platform, _DAY.c.account == account, _DAY.c.channel == channel.name)
    query = select(_DAY.c.calls, _DAY.c.over).where(*here, _DAY.c.day == today(session)).with_for_update()
    counted = session.execute(query).first()
    if counted is None:
        return channel.daily
    return 0 if counted.over else max(0, channel.daily - counted.calls)


def mass_left(session: Session, door_id: str) -> int:
    """Mass messages that this follower may still get in this month of the platform's (Beijing)."""
    begins = machine_now_of(session).astimezone(COUNTED_IN).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    used = session.execute(
        select(func.count())
        .select_from(_A)
        .where(_A.c.door_id == door_id, _A.c.channel == "mass", _A.c.outcome.in_(MAY_HAVE_COME))
        .where(_A.c.started_at >= begins.astimezone(UTC))
    ).scalar_one()
    return max(0, rules().channels.mass_monthly - int(used))
