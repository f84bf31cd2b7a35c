"""Buttons that lead from one talk about relays to another, and what those talks begin with."""

from __future__ import annotations

import re
import unicodedata

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Ask, Choice, Invalid, Talk
from handlers.late import asked
from handlers.message import Option
from models.relaying import NOTE_MOST

NOTE, HANDOVER, SUBSTITUTE, GO_ON = "relay_note", "handover", "substitute", "relay_go_on"


class RelayFacts(BaseModel):
    """Which relay; `kind` says which answers were offered, `today` is the person's own day (ISO)."""

    relay: str = ""
    kind: str = ""
    today: str = "2000-01-01"


class LeaveFacts(BaseModel):
    """Whose place is to be taken, until which day (ISO); `today` is the person's own day."""

    stint: str = ""
    until: str = ""
    today: str = "2000-01-01"


def note_option(session: Session, person_id: str, relay: str) -> tuple[Option, ...]:
    """The button that shows the handover note of a relay to whoever may read it."""
    return asked(session, person_id, NOTE, "what", RelayFacts(relay=relay), [("read", _("看交接留言"))])


def go_on_option(session: Session, person_id: str, relay: str, whose: str = "") -> tuple[Option, ...]:
    """The button with which the one who goes takes it back; `whose` before it where several are on the screen."""
    return asked(session, person_id, GO_ON, "sure", RelayFacts(relay=relay), [("yes", whose + going_on().label)])


def going_on() -> Choice:
    """They can go on after all."""
    return Choice("yes", _("我又能继续了"), words=(_("我还能继续"), _("继续"), _("不交接了")))


def substitute_options(
    session: Session, person_id: str, facts: LeaveFacts, *, house: bool = False
) -> tuple[Option, ...]:
    """The buttons below a leave. Nobody stands in with an institution (`house`): whoever answers for it sees to it."""
    labels = [(choice.value, choice.label) for choice in substitute_choices()]
    if house:
        labels = [("none", _("已经安排好"))]
    return asked(session, person_id, SUBSTITUTE, "what", facts, labels)


def substitute_choices() -> tuple[Choice, ...]:
    """What can be done about a leave."""
    return (
        Choice("find", _("安排替补"), words=(_("找人替"),)),
        Choice("none", _("不用替补"), words=(_("不用替"), _("不用"))),
    )


def ask_notes() -> Talk:
    """What the successor may read, and what only the specialist reads; returns both, empty where nothing was said."""
    note = yield Ask(
        "note",
        _(
            "接的人要知道什么？例如喜欢什么、几点方便、聊什么开心。接的人能看到这段留言。\n"
            "请不要写残疾情况、证件号、住址和电话。没有可以跳过。"
        ),
        check=handover_words,
        skippable=True,
        told=True,
        sensitive=True,
    )
    private = yield Ask(
        "private",
        _("有什么只想告诉专员的吗？接的人看不到。没有可以跳过。"),
        check=handover_words,
        skippable=True,
        told=True,
        sensitive=True,
    )
    return note or "", private or ""


def handover_words(words: str) -> str:
    """What is written for whoever comes next: not too long, and without long numbers. Raises Invalid."""
    text = words.strip()
    if not text:
        raise Invalid(_("请写几句话，或回复“跳过”。"))
    if len(text) > NOTE_MOST:
        raise Invalid(_("太长了，请写在 {most} 字以内（现在 {length} 字）。").format(most=NOTE_MOST, length=len(text)))
    if has_long_number(text):
        raise Invalid(_("里面好像有电话或证件号，请去掉再写一次。需要的号码，专员会告诉接的人。"))
    return text


_DAY = re.compile(r"20\d\d[-./]\d\d?[-./]\d\d?")
_NUMBER = re.compile(r"\d{7,}|\d(?:[ -]?\d){9,}")


def has_long_number(text: str) -> bool:
    """Whether there is what looks like a telephone number or an ID number in it; a date is none."""
    return _NUMBER.search(_DAY.sub("", unicodedata.normalize("NFKC", text))) is not None
