"""A forgotten check-out: whoever serves is asked when it ended, and answers with a button or a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers import hours_words
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.hours import hours
from handlers.late import asked
from handlers.message import Option, Reply
from models import serving
from models.database import now_of
from models.person import Person, family
from models.service import ASKED, ServiceRecord
from models.serving import ServiceError

NAME = "check_out_asked"
_LEFT = re.compile(r"(就)?(结束|結束|走|离开|離開)(的|了|咗)?$")
LONGER = timedelta(hours=1)  # what is not over yet is asked about again after so long


class AskedFacts(BaseModel):
    """Which record, and its times (ISO, UTC); `zone` is the volunteer's."""

    record: str = ""
    starts_at: str = ""
    planned: str = ""
    zone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Say:
    """`what`: "end" (`at`), "goes_on" or "nothing" (it never took place)."""

    record: str
    what: str
    at: datetime | None = None


def _facts(session: Session, person: Person) -> AskedFacts:
    return AskedFacts()


def _talk(facts: AskedFacts) -> Talk:
    if not facts.record:
        return None
    planned = datetime.fromisoformat(facts.planned)
    what = yield Ask("when", _("几点结束的？"), _choices(facts.zone, planned))
    if what == "planned":
        return Say(facts.record, "end", planned)
    if what == "other":
        end = yield Ask("at", _("几点结束的？例如 16:30 或“下午四点半”。"), check=_end(facts), numeric=True)
        return Say(facts.record, "end", end)
    if what == "nothing":
        text = _("没有服务的话，这次签到作废，不计时长。是这样吗？")
        if (yield Ask("sure", text, (Choice("yes", _("作废")), Choice("no", _("不作废"))))) == "no":
            return None
    return Say(facts.record, what)


def _choices(zone: str, planned: datetime) -> tuple[Choice, ...]:
    at = hours_words.clock(planned.astimezone(ZoneInfo(zone)))
    return (
        Choice("planned", _("{time} 结束的").format(time=at)),
        Choice("other", _("别的时间")),
        Choice("goes_on", _("还没结束")),
        Choice("nothing", _("没有去")),
    )


def _end(facts: AskedFacts) -> Callable[[str], datetime]:
    """A time of the day, the first one after the beginning."""
    starts, zone = datetime.fromisoformat(facts.starts_at), ZoneInfo(facts.zone)

    def check(words: str) -> datetime:
        local = starts.astimezone(zone)
        plain = _LEFT.sub("", words.strip())
        try:
            said = hours(f"{local:%H:%M} - {plain}").end
        except Invalid as refusal:
            raise Invalid(_("请写一个时间，例如 16:30 或“下午四点半”。")) from refusal
        day = local.date() + timedelta(days=int(said <= local.time()))
        return datetime.combine(day, said, zone).astimezone(UTC)

    return check


def _say(session: Session, person: Person, command: Say) -> Reply:
    try:
        if command.what == "goes_on":
            serving.go_on(session, person.id, command.record, now_of(session) + LONGER)
            return Reply(_("好的，接着算。离开时记得签退；一小时后再问你。"), (_back(),))
        if command.what == "nothing":
            serving.void(session, person.id, command.record)
            return Reply(_("这次签到作废了，不计时长。"), (_back(),))
        row = serving.settle(session, person.id, command.record, command.at or now_of(session))
    except ServiceError as error:
        if error.reason in ("future", "too_short", "too_long", "overlap") and command.what == "end":
            raise Refused("at", _cannot(error.reason)) from error
        return Reply(_cannot(error.reason), (_back(),))
    span = hours_words.span(person.zone, row.starts_at, row.ends_at)
    text = _("记下了：{span}，{content}，计 {hours}，等专员确认。")
    said = text.format(span=span, content=hours_words.content(row.content), hours=hours_words.hours(row.minutes))
    return Reply(said, (_back(),))


def _cannot(reason: str) -> str:
    return {
        "future": _("这个时间还没有到。"),
        "too_short": _("到那时还不满半小时，不计时长。"),
        "too_long": _("一次最多 24 小时。"),
        "overlap": _("和你的另一条时长重叠了。"),
    }.get(reason, _("这次签到已经处理过了。"))


def _back() -> Option:
    return Option("m:hours", _("我的时长"))


CHECK_OUT_ASKED = Dialogue(NAME, AskedFacts, _facts, _talk, _say)


def _asked(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """None once it is over, or goes on."""
    row = session.get(ServiceRecord, str(params["record"]))
    if row is None or row.state != ASKED or row.planned_end is None or row.person_id not in family(session, person.id):
        return None
    if row.planned_end.isoformat() != params["planned"]:
        return None
    begun = hours_words.span(person.zone, row.starts_at, None)
    text = _("{begun}的{content}，到 {time} 没有签退。几点结束的？两天内没有回答，就按 {time} 交给专员。")
    at = hours_words.clock(row.planned_end.astimezone(ZoneInfo(person.zone)))
    facts = AskedFacts(
        record=row.id, starts_at=row.starts_at.isoformat(), planned=row.planned_end.isoformat(), zone=person.zone
    )
    labels = [(choice.value, choice.label) for choice in _choices(person.zone, row.planned_end)]
    said = text.format(begun=begun, content=hours_words.content(row.content), time=at)
    return Reply(said, asked(session, person.id, NAME, "when", facts, labels))


NOTICES = {"notice.check_out_asked": _asked}
