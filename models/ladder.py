"""The channel ladder: by which way a message goes to a person now, and why the others are passed over.

Pure: everything that decides is in the ledger (models/ledger.py). The order is that of platforms.md: of each account
the channels as it lists them, the person's preferred door first, then the one used last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from config.catalogue import rules
from models.channel import CARRY_CARDS, Channel
from models.clock import SET_BACK
from models.ledger import Before, Channels, Ledger, Standing, window
from models.outbox import CAMPAIGN, CLAIM_SECONDS, EMERGENCY
from models.person import Door, Person

Closed = Literal[
    "",  # open
    "over",  # the window: the person has not said anything for too long
    "used",  # the window: as many messages as it lets through have gone
    "shut",  # the window: the platform called it closed, whatever the ledger says
    "no card",  # this kind of message has no short form
    "not set up",  # the account has no template for it
    "no grant",  # the person has not allowed one, or it is used up
    "day",  # the account's calls of today are used up
    "refused",  # the platform has refused the card
    "carded",  # a card about this very message has gone already
    "unsure",  # another way may have brought the message: nobody gets it twice without a sign
]


@dataclass(frozen=True, slots=True)
class Way:
    """One door by one channel. `subject` is what the channel knows the card by; `closed` = why it is passed over."""

    door_id: str
    platform: str
    account: str
    sender: str
    channel: Channel
    subject: str = ""
    closed: Closed = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the other ways of the same message."""
        return self.door_id, self.channel.name

    @property
    def door(self) -> tuple[str, str, str]:
        """Platform, account and door, as models/channel.py counts calls."""
        return self.platform, self.account, self.door_id


WHOLE: tuple[Channel, ...] = (
    Channel("bot"),
)  # an account that says nothing of its channels has one that carries everything


def ladder(
    ledger: Ledger, doors: Sequence[Door], channels: Channels, *, row: str, card: str, priority: int
) -> list[Way]:
    """All ways to these doors (in their order, the preferred one first: `in_order`) for one message, open or not.

    `row` is the outbox row, `card` the short form of its kind, empty without one. While a call may have brought the
    words, every other way is closed, and while it may have brought a card, every other card is; for an emergency none
    is, since twice is better than not at all, and what carries its words comes before what only carries a card.
    """
    before = ledger.before.get(row, Before())
    ways = []
    for door in doors:
        standing = ledger.standings.get(door.id)
        for channel in channels.get((door.platform, door.account), WHOLE):
            subject = (channel.cards or {}).get(card, "")
            closed = _closed(ledger, door, standing, channel, card, before)
            if priority != EMERGENCY and _keeps_back(before, door, channel, doors, priority):
                closed = closed or "unsure"
            ways.append(Way(door.id, door.platform, door.account, door.sender, channel, subject, closed))
    if priority == EMERGENCY:
        ways.sort(key=lambda way: way.channel.cards is not None)
    return ways


def _keeps_back(before: Before, door: Door, channel: Channel, doors: Sequence[Door], priority: int) -> bool:
    """Whether this way is closed because a call by another one may have brought the message."""
    unsure = before.unsure
    if unsure is None or unsure in ((door.id, channel.name), (door.id, "")):
        return False
    if unsure[1] in CARRY_CARDS and channel.cards is None:
        return False  # that was a card, and these are the words
    # Where nobody is behind that door any more, it goes by another one, marked; a campaign never goes twice.
    return priority == CAMPAIGN or any(each.id == unsure[0] for each in doors)


def in_order(person: Person, doors: Iterable[Door]) -> list[Door]:
    """The door that the person prefers before the others, which stay as they stood."""
    return sorted(doors, key=lambda door: door.id != person.preferred_door_id)


def passed_over(ways: Sequence[Way], taken: Way | None) -> str:
    """The ways before the one taken, with their reasons, as an attempt keeps them: "custom:over once:no grant"."""
    before = ways[: ways.index(taken)] if taken is not None else ways
    return ";".join(f"{way.platform}/{way.channel.name}:{way.closed}" for way in before if way.closed)


def may_repeat(ledger: Ledger, way: Way, row: str, most: int = 3) -> bool:
    """Whether an uncertain call by this way is simply made again, under the same key: the platform sends once. At most
    so many calls."""
    before = ledger.before.get(row, Before())
    since = before.since if before.unsure == way.key else None
    return way.channel.keyed and before.calls < most and (since is None or _is_good(since, ledger))


def may_double(ledger: Ledger, way: Way, row: str) -> bool:
    """Whether a call by this way, begun while its claim lasts, may bring the message a second time: one that was made
    before may have brought it, and the platform does not know, or not for long enough any more, that this is the same.
    """
    before = ledger.before.get(row, Before())
    if before.unsure is None or before.since is None:
        return False
    if before.unsure[1] in CARRY_CARDS and way.channel.cards is None:
        return False  # a card holds no words
    same = way.channel.keyed and before.unsure == way.key
    return not (same and _is_good(before.since, ledger, timedelta(seconds=CLAIM_SECONDS)))


def _is_good(since: datetime, ledger: Ledger, more: timedelta = timedelta(0)) -> bool:
    """Whether the key of a call that was made at `since` is still good so much later than the ledger's time. Of a call
    that is yet to come, since the machine's clock was set back, nobody knows how long ago it was."""
    return -SET_BACK <= ledger.at - since < timedelta(minutes=rules().channels.key_minutes) - more


def _closed(
    ledger: Ledger, door: Door, standing: Standing | None, channel: Channel, card: str, before: Before
) -> Closed:
    if channel.cards is not None:
        if not card:
            return "no card"
        if card not in channel.cards:
            return "not set up"
        if before.carded:
            return "carded"
        if (door.id, channel.name) in before.refused:
            return "refused"
    closed = _without_days(ledger, door, standing, channel, card, before)
    if not closed and (door.platform, door.account, channel.name) in ledger.used_up:
        return "day"  # but for that it would go, and so it goes tomorrow
    return closed


def _without_days(
    ledger: Ledger, door: Door, standing: Standing | None, channel: Channel, card: str, before: Before
) -> Closed:
    if standing is None:
        return ""
    if channel.windowed:
        return window(standing, ledger.at).why
    subject = (channel.cards or {}).get(card, "")
    if channel.granted and not standing.grants.get((channel.name, subject)):
        repeats = before.unsure == (door.id, channel.name)
        return "" if repeats and channel.keyed else "no grant"
    return ""
