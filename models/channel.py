"""The channels of a door: what each carries, the permissions that open some of them once, and the calls of a day.

An account has one or several channels to the same person ("custom", "once", "subscription" and "template" at WeChat;
"bot" where there is only one). Which of them is open for somebody now is found by models/ledger.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, Index, delete, select, text, update
from sqlmodel import Field, Session, SQLModel

from models.database import insert_once, machine_now_of
from models.ids import new_id

GRANTED = ("once", "subscription")
KEYED = ("template", "mass")
CARRY_CARDS = (*GRANTED, "template")
COUNTED_IN = ZoneInfo("Asia/Shanghai")  # WeChat's days and months
_KEPT = timedelta(days=31)  # so long the calls of a day are kept
ORDINARY = "custom"  # what attempts of a windowed account are that name no channel


@dataclass(frozen=True, slots=True)
class Asks:
    """The platform's own page on which a person gives one permission. `address` lacks only our own part: where to come
    back to; `says` is what the platform must repeat then, name by name."""

    address: str
    says: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to an account's people.

    `cards` = it carries no words, only the named cards, each under this subject (a template's id, or a scene); None =
    it carries any message. `windowed` = only for a while after the person did something. `granted` = one permission of
    the person a message, given on the page `asks`; None = there is none to send them to. `keyed` = the same key sends
    once, so that an uncertain call is simply made again. `daily` = calls of the account on one day, zero = no limit
    known.
    """

    name: str
    windowed: bool = False
    cards: Mapping[str, str] | None = None
    granted: bool = False
    keyed: bool = False
    daily: int = 0
    asks: Asks | None = None

    @property
    def subject(self) -> str:
        """What a permission given on the page is for: one of every card. Empty where no page asks."""
        return next(iter((self.cards or {}).values()), "") if self.asks is not None else ""

    @property
    def limited(self) -> bool:
        """Whether the ledger has anything to say about it."""
        return self.windowed or self.granted or self.daily > 0 or self.cards is not None


def asked_at(channels: Iterable[Channel]) -> tuple[str, str]:
    """Channel and subject of the one message that a person may allow on a page; both empty where there is none."""
    return next(((channel.name, channel.subject) for channel in channels if channel.subject), ("", ""))


class ChannelGrant(SQLModel, table=True):
    """The person allowed one message of this subject. Times are the machine's.

    `attempt_id` is the call that used it; `why` tells how it ended: "used", "gone" (the platform knows nothing of it)
    or "refused" (the person took it back).
    """

    __tablename__ = "channel_grant"
    __table_args__ = (
        CheckConstraint(f"channel IN {GRANTED}", name="channel"),
        Index(
            "ix_channel_grant_open",
            "door_id",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    door_id: str
    channel: str
    subject: str
    granted_at: datetime
    ended_at: datetime | None = None
    attempt_id: str | None = Field(default=None, index=True)
    why: str = ""


class ChannelDay(SQLModel, table=True):
    """Calls of one channel of an account on one day, in Beijing; `over` = the platform said that was all."""

    __tablename__ = "channel_day"
    platform: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    calls: int = 0
    over: bool = False


_G: Any = SQLModel.metadata.tables["channel_grant"]
_DAY: Any = SQLModel.metadata.tables["channel_day"]


def day_of(at: datetime) -> date:
    """The day by which a platform counts a call: in Beijing, and a minute later than there, for its own clock and for
    calls that end after midnight."""
    return (at - timedelta(minutes=1)).astimezone(COUNTED_IN).date()


def today(session: Session) -> date:
    """The day by which a platform counts calls."""
    return day_of(machine_now_of(session))


def allow(session: Session, door_id: str, channel: str, subject: str) -> None:
    """The person allowed one message; the caller sees to it that one permission is told once."""
    session.add(ChannelGrant(door_id=door_id, channel=channel, subject=subject, granted_at=machine_now_of(session)))
    session.flush()


def is_allowed(session: Session, door_id: str, channel: str, subject: str) -> bool:
    """Whether a permission of this subject is open."""
    open_ones = select(_G.c.id).where(_G.c.door_id == door_id, _G.c.channel == channel, _G.c.subject == subject)
    return session.execute(open_ones.where(_G.c.ended_at.is_(None)).limit(1)).first() is not None


def take_back(session: Session, door_id: str, channel: str, subject: str, why: str = "refused") -> int:
    """No permission of this subject is open any more; returns how many were."""
    ended = session.execute(
        update(_G)
        .where(_G.c.door_id == door_id, _G.c.channel == channel, _G.c.subject == subject, _G.c.ended_at.is_(None))
        .values(ended_at=machine_now_of(session), why=why)
    )
    return int(getattr(ended, "rowcount", 0))


def forget_grants(session: Session, door_id: str) -> None:
    """The person left this door, or is somebody else there from now on: with it go the permissions."""
    session.execute(delete(_G).where(_G.c.door_id == door_id))


def begin_call(session: Session, door: tuple[str, str, str], channel: Channel, subject: str, attempt: str) -> bool:
    """Count a call that is about to be made, and use up the permission that it needs; `door` = platform, account, id.
    False when there is no such permission (any more): the call must not be made."""
    platform, account, door_id = door
    if not use_grant(session, door_id, channel, subject, attempt):
        return False
    count_calls(session, platform, account, channel, 1)
    return True


def count_calls(session: Session, platform: str, account: str, channel: Channel, number: int) -> None:
    """So many calls are about to be made, where the platform counts them."""
    if channel.daily:
        _count(session, platform, account, channel.name, number)


def use_grant(session: Session, door_id: str, channel: Channel, subject: str, attempt: str) -> bool:
    """Use up the permission that a call needs, if it needs one; False when there is none (any more)."""
    if channel.granted:
        oldest = (
            select(_G.c.id)
            .where(_G.c.door_id == door_id, _G.c.channel == channel.name, _G.c.subject == subject)
            .where(_G.c.ended_at.is_(None))
            .order_by(_G.c.granted_at, _G.c.id)
            .limit(1)
            .scalar_subquery()
        )
        used = update(_G).where(_G.c.id == oldest, _G.c.ended_at.is_(None))
        taken = session.execute(used.values(ended_at=machine_now_of(session), attempt_id=attempt, why="used"))
        if getattr(taken, "rowcount", 0) != 1:
            return False
    return True


def end_call(
    session: Session,
    door: tuple[str, str, str],
    channel: Channel,
    subject: str,
    attempt: str,
    ended: str,
    began: datetime | None = None,
) -> None:
    """What the call's end means for the ledger. `ended`: "not sent" gives the permission back; "gone" = the platform
    knows of no permission; "enough" = the account's calls of the day are used up, of that on which it `began` (machine
    time, None = just now); anything else changes nothing."""
    platform, account, door_id = door
    if ended == "not sent" and channel.granted:
        session.execute(update(_G).where(_G.c.attempt_id == attempt).values(ended_at=None, attempt_id=None, why=""))
    elif ended == "gone":
        take_back(session, door_id, channel.name, subject, why="gone")
    elif ended == "enough":
        _count(session, platform, account, channel.name, 0, over=day_of(began or machine_now_of(session)))


def give_back(session: Session, attempts: Sequence[str]) -> None:
    """These calls were never made: the permissions that they would have used stand open again."""
    session.execute(update(_G).where(_G.c.attempt_id.in_(attempts)).values(ended_at=None, attempt_id=None, why=""))


def _count(
    session: Session, platform: str, account: str, channel: str, number: int, *, over: date | None = None
) -> None:
    day = over or today(session)
    here = (_DAY.c.platform == platform, _DAY.c.account == account, _DAY.c.channel == channel)
    more = {"over": True} if over is not None else {"calls": _DAY.c.calls + number}
    same = update(_DAY).where(*here, _DAY.c.day == day).values(**more)
    if getattr(session.execute(same), "rowcount", 0):
        return
    first = {"day": day, "calls": number, "over": over is not None}
    made = insert_once(session, ChannelDay).values(platform=platform, account=account, channel=channel, **first)
    if getattr(session.execute(made), "rowcount", 0) == 0:
        session.execute(same)
    # A clock that is set back and forth finds each of these days as it left it.
    session.execute(delete(_DAY).where(*here, _DAY.c.day < day - _KEPT))


def used_up(session: Session, channels: Mapping[tuple[str, str], tuple[Channel, ...]]) -> set[tuple[str, str, str]]:
    """The (platform, account, channel) whose calls of today are used up: by our count, or as the platform said."""
    limits = {(*account, each.name): each.daily for account, those in channels.items() for each in those}
    rows = session.execute(select(_DAY).where(_DAY.c.day == today(session)))
    return {
        key
        for row in rows
        if (key := (row.platform, row.account, row.channel)) in limits and (row.over or 0 < limits[key] <= row.calls)
    }
