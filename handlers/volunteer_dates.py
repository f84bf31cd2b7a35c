"""登记培训和证明: a specialist writes down when a volunteer was trained, and how long a clearance is good.

The talk has two halves: the volunteer's number is looked up, then it is asked which of the two, and the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.texts import _
from handlers.checks import volunteer_number
from handlers.days import day_until, months_on, past_day, with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Further, Refused, Talk
from handlers.message import Option, Reply
from handlers.somebody import called
from models.person import Person, local_now
from models.role import grants
from models.volunteer import Volunteer, by_number
from models.volunteer_dates import (
    CLEARED,
    LONGEST_CLEARANCE,
    OLDEST_TRAINING,
    TRAINED,
    DatesError,
    may_note,
    note_dates,
)


class Facts(BaseModel):
    """`volunteer` and the rest belong to whom `number` was found to be; `trained` and `cleared` are ISO days, empty
    without; `today` is the day of whoever asks."""

    allowed: bool = False
    number: str = ""
    volunteer: str = ""
    called: str = ""
    county: str = ""
    trained: str = ""
    cleared: str = ""
    today: str = "2026-01-01"


@dataclass(frozen=True)
class Find:
    """Look a number up; empty = the person may write nothing down."""

    facts: Facts
    number: str = ""


@dataclass(frozen=True)
class Note:
    """`field` is TRAINED or CLEARED."""

    volunteer: str
    called: str
    field: str
    day: date


def prepare(session: Session, person: Person) -> Facts:
    """Whether the person answers for any region."""
    allowed = any(held.scope_kind == "region" for held in grants(session, person.id))
    return Facts(allowed=allowed, today=local_now(session, person).date().isoformat())


def talk(facts: Facts) -> Talk:
    """The number, then which of the two, and the day."""
    if not facts.allowed:
        return Find(facts)
    number = yield Ask("number", _("请写志愿者的编号（10 位数字）。"), check=volunteer_number)
    if number != facts.number:
        return Find(facts, number)
    lines = [
        _("{called}，{county}。").format(called=facts.called, county=regions.place_name(facts.county)),
        _("培训日期：{day}").format(day=facts.trained or _("还没有登记")),
        _("无犯罪记录查询有效期至：{day}").format(day=facts.cleared or _("还没有登记")),
        _("要登记哪一项？请先看过原件。"),
    ]
    field = yield Ask(
        "field",
        "\n".join(lines),
        (
            Choice(TRAINED, _("培训日期"), words=(_("培训"),)),
            Choice(CLEARED, _("无犯罪记录查询有效期至"), words=(_("证明"),)),
            Choice("no", _("不是这位")),
        ),
    )
    if field == "no":
        return None
    today = date.fromisoformat(facts.today)
    if field == TRAINED:
        text = _("哪一天培训的？例如“昨天”或 {example}。").format(example=today - timedelta(days=10))
        day = yield Ask(TRAINED, text, check=past_day(today, OLDEST_TRAINING))
    else:
        text = _("有效期到哪一天？例如“一年后”或 {example}。").format(example=months_on(today, 12))
        day = yield Ask(CLEARED, text, check=day_until(today, LONGEST_CLEARANCE))
    return Note(facts.volunteer, facts.called, field, day)


def perform(session: Session, person: Person, command: Find | Note) -> Reply | Further:
    """Find the volunteer inside the person's scope, or keep the day; everything is checked again."""
    if isinstance(command, Note):
        return _noted(session, person, command)
    if not command.number:
        text = _("培训和证明由项目专员或管理员登记。想补登记，请回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    volunteer = by_number(session, command.number)
    if volunteer is not None and volunteer.person_id == person.id:
        raise Refused("number", _("自己的培训和证明要由别的同事登记。"))
    if volunteer is None or not may_note(session, person.id, volunteer):
        raise Refused("number", _("在你负责的地区里没有这个编号，请核对一下。"))
    found = {
        "number": volunteer.number,
        "volunteer": volunteer.id,
        "called": called(session, volunteer.person_id),
        "county": volunteer.county or "",
        "trained": volunteer.trained_on.isoformat() if volunteer.trained_on else "",
        "cleared": volunteer.cleared_until.isoformat() if volunteer.cleared_until else "",
    }
    return Further(command.facts.model_copy(update=found))


def _noted(session: Session, person: Person, command: Note) -> Reply:
    given = {command.field: command.day}
    again = (Option("m:volunteer_dates", _("登记培训和证明")),)
    try:
        changed = note_dates(session, person.id, command.volunteer, **given)
    except DatesError as error:
        if error.reason == "scope":
            return Reply(_("这位志愿者现在不归你负责，没有登记。"), again)
        raise Refused(command.field, dates_refused(error)) from None
    said = _("记下了。{called}，{item}：{day}。正在告诉对方。写错了，再登记一次就行。")
    if not changed:
        said = _("之前已经这样登记了。{called}，{item}：{day}。")
    day = with_weekday(command.day)
    return Reply(said.format(called=command.called, item=_item(command.field), day=day), again)


def dates_refused(error: DatesError) -> str:
    """Why a date was not taken."""
    return {
        "scope": _("这位志愿者不归你负责，或者就是你自己。"),
        TRAINED: _("培训日期不能在今天以后，也不能早于 {years} 年前。").format(years=OLDEST_TRAINING),
        CLEARED: _("有效期不能已经过了，也不能超过 {years} 年。").format(years=LONGEST_CLEARANCE),
    }[error.reason]


def _item(field: str) -> str:
    return {TRAINED: _("培训日期"), CLEARED: _("无犯罪记录查询有效期至")}[field]


VOLUNTEER_DATES = Dialogue("volunteer_dates", Facts, prepare, talk, perform)


def _notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the volunteer, when somebody has written a date down. None once another one stands there.
    A day that was written down by mistake may be none again."""
    row = session.get(Volunteer, str(params["volunteer"]))
    field, said = str(params["field"]), str(params["day"])
    day = date.fromisoformat(said) if said else None
    if row is None or row.person_id != person.id or getattr(row, field) != day:
        return None
    if day is None:
        text = _("之前登记的{item}写错了，已经撤回。有疑问，请回复“联系专员”。")
        return Reply(text.format(item=_item(field)), (Option("m:profile", _("我的资料")),))
    text = _("负责的同事登记了你的{item}：{day}。不对的话，请回复“联系专员”。")
    return Reply(text.format(item=_item(field), day=with_weekday(day)), (Option("m:profile", _("我的资料")),))


NOTICES = {"notice.dates": _notice}
