"""What checking out asks, wherever it is begun: 签退, the menu, or a second scan of the same code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.days import with_weekday
from handlers.dialogue import Ask, Choice, Invalid, Refused, Talk
from handlers.free_text import free_words
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.moments import behind
from models import lone_timing, serving
from models.activity import Activity
from models.database import now_of
from models.person import Person
from models.service import ASKED, ServiceRecord
from models.serving import ServiceError
from models.station import Station

CHECK_OUT = "check_out"  # the dialogue's name
LONGEST_NOTE = 200  # characters


class Running(BaseModel):
    """A service under way, without a name: where it is, and local times (ISO)."""

    record: str = ""
    where: str = ""
    visit: bool = False
    began: str = ""
    planned: str = ""
    asked: bool = False
    now: str = ""


@dataclass(frozen=True, slots=True)
class CheckOut:
    """It ends `at` as they wrote it; "now", or "planned"."""

    record: str
    at: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class TakeBack:
    """It was a mistake."""

    record: str


def running(session: Session, person: Person) -> Running:
    """What runs for somebody now; empty where nothing does."""
    row = serving.running_of(session, person.id)
    if row is None:
        return Running()
    zone = ZoneInfo(person.zone)
    return Running(
        record=row.id,
        where=place_words(session, row),
        visit=row.stint_id is not None,
        began=row.starts_at.astimezone(zone).isoformat(),
        planned=row.planned_end.astimezone(zone).isoformat() if row.planned_end is not None else "",
        asked=row.state == ASKED,
        now=now_of(session).astimezone(zone).isoformat(),
    )


def place_words(session: Session, row: ServiceRecord) -> str:
    """Where a service is, by the public name of the place; never whom it serves."""
    activity = session.get(Activity, row.activity_id) if row.activity_id is not None else None
    if activity is not None:
        return activity.name
    station = session.get(Station, row.station_id) if row.station_id is not None else None
    return station.name if station is not None else ""


def steps(facts: Running) -> Talk:
    """When it ended, and of a visit a word for the specialist."""
    began, now = datetime.fromisoformat(facts.began), datetime.fromisoformat(facts.now)
    planned = datetime.fromisoformat(facts.planned) if facts.planned else None
    what = yield Ask("what", _question(facts, began, now), _choices(facts, planned, now))
    if what == "void":
        return TakeBack(facts.record)
    if what == "stay":
        return None
    at = what
    if what == "earlier":
        text = _("几点结束的？例如 15:30 或“十分钟前”。")
        at = yield Ask("at", text, check=_past(now), numeric=True)
    note = None
    if facts.visit:
        text = _("TA今天怎么样？写一两句给专员看；没有特别的，就跳过。")
        note = yield Ask("note", text, check=free_words(LONGEST_NOTE), skippable=True, told=True, sensitive=True)
    return CheckOut(facts.record, at, note or "")


def _question(facts: Running, began: datetime, now: datetime) -> str:
    where = _("“{place}”").format(place=facts.where) if facts.where else _("上门服务") if facts.visit else _("服务")
    day = "" if began.date() == now.date() else f"{with_weekday(began.date())} "
    if facts.asked:
        return _("{where}，{time} 签到，还没有签退。是几点结束的？").format(where=where, time=f"{day}{began:%H:%M}")
    return _("{where}，{time} 签到，还在进行。现在签退吗？").format(where=where, time=f"{day}{began:%H:%M}")


def _choices(facts: Running, planned: datetime | None, now: datetime) -> tuple[Choice, ...]:
    """Where it was forgotten, the planned end comes first, and that it goes on is not offered."""
    earlier = Choice("earlier", _("更早就结束了"), words=(_("早就走了"),))
    void = Choice("void", _("签错了，取消这次签到"), words=(_("签错了"),))
    present = Choice("now", _("现在签退"), words=("签退", "現在簽退", "check out"))
    if planned is not None and facts.asked and planned <= now:
        first = Choice("planned", _("就到 {time}").format(time=f"{planned:%H:%M}"))
        return first, earlier, present, void
    return present, earlier, void, Choice("stay", _("还没结束"))


def _past(now: datetime) -> Callable[[str], str]:
    def check(words: str) -> str:
        if behind(words, now) is None:
            raise Invalid(_("请写一个已经过去的时间，例如 15:30 或“十分钟前”。"))
        return words

    return check


def carry_out(session: Session, person: Person, command: CheckOut | TakeBack) -> Reply:
    """Check out, or take the check-in back; everything is looked at again. Raises Refused."""
    row = serving.running_of(session, person.id)
    if row is None or row.id != command.record:
        text = _("这次服务已经签退或取消了，没有改动。")
        return Reply(text, (Option("m:hours", _("我的时长")), Option("m:check_in", _("签到签退"))))
    if isinstance(command, TakeBack):
        serving.void(session, person.id, row.id)
        text = _("好的，这次签到取消了，不算时长。")
        return Reply(text, (Option("m:check_in", _("签到签退")), Option("m:add_hours", _("补记时长"))))
    return _check_out(session, person, row, command)


def _check_out(session: Session, person: Person, row: ServiceRecord, command: CheckOut) -> Reply:
    now = now_of(session).astimezone(ZoneInfo(person.zone))
    at: datetime | None = now
    if command.at == "planned":
        at = row.planned_end
    elif command.at != "now":
        at = behind(command.at, now)
    key = "at" if command.at not in ("now", "planned") else "what"
    try:
        done = serving.check_out(session, person.id, at, command.note)
    except ServiceError as error:
        raise Refused(key, _not_ended(error)) from None
    text = ended_words(person, done)
    if lone_timing.out(session, person.id) is not None:
        text += "\n" + _("独自上门的提醒也结束了。")
    report = (Option("m:visit_report", _("探访记录")),) if done.stint_id is not None else ()
    if report:
        text += "\n" + _("这次算探访的话，请接着写探访记录。")
    return Reply(text, (*report, Option("m:hours", _("我的时长"))))


def ended_words(person: Person, row: ServiceRecord) -> str:
    """The echo of a service that has ended: weekday, date, times and total."""
    zone = ZoneInfo(person.zone)
    began, ended = row.starts_at.astimezone(zone), (row.ends_at or row.starts_at).astimezone(zone)
    last = f"{ended:%H:%M}" if began.date() == ended.date() else f"{with_weekday(ended.date())} {ended:%H:%M}"
    text = _("签退好了：{day} {start} 到 {end}，记 {hours} 小时（不满半小时的不算），等专员确认。")
    hours = f"{row.minutes / 60:g}"
    return text.format(day=with_weekday(began.date()), start=f"{began:%H:%M}", end=last, hours=hours)


def _not_ended(error: ServiceError) -> str:
    return {
        "too_short": _("到这个时间还不满半小时，记不了时长。签错了可以取消，也可以晚一点再签退。"),
        "future": _("这个时间还没有到。请写一个已经过去的时间，例如 15:30。"),
        "too_long": _("这样算下来太长了。请选更早的时间，或者取消这次签到，再用“补记时长”。"),
        "overlap": _("这段时间和另一条记录重叠。请写别的时间，或者取消这次签到。"),
    }.get(error.reason, _("现在签退不了。请换一个时间，或回复“联系专员”。"))


def mistake_button(session: Session, person: Person) -> tuple[Option, ...]:
    """Below a check-in: one press takes it back."""
    return asked(session, person.id, CHECK_OUT, "what", running(session, person), [("void", _("签错了，取消"))])
