"""How service records and hours are said: times, contents, how it is known, and why something cannot be done."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from config.services import entries
from config.texts import _
from handlers.days import with_weekday
from handlers.served_words import mark
from models.beneficiary import Beneficiary
from models.confirming import reason_of
from models.institution import Institution
from models.person import Person
from models.service import (
    ACTIVITY,
    ASKED,
    CARD,
    CONFIRMED,
    PLACE,
    REFUSED,
    RUNNING,
    STATION,
    TOLD,
    UNPROVEN,
    VOID,
    WAITING,
    ServiceRecord,
)
from models.station import Station


def hours(minutes: int) -> str:
    """2 小时, 2.5 小时."""
    return _("{count} 小时").format(count=f"{minutes / 60:g}")


def content(key: str) -> str:
    """A content of services in words."""
    found = entries("service").get(key)
    return found.label if found is not None else key


def span(zone: str, starts: datetime, ends: datetime | None) -> str:
    """2026-11-21（星期六）9:00–11:30, in the reader's zone; what ends on another day says so."""
    at = ZoneInfo(zone)
    begun = starts.astimezone(at)
    day = with_weekday(begun.date())
    if ends is None:
        return _("{day}{start} 开始").format(day=day, start=clock(begun))
    over = ends.astimezone(at)
    end = clock(over)
    if over.date() != begun.date():
        end = _("{day} {time}").format(day=over.date().isoformat(), time=end)
    return _("{day}{start}–{end}").format(day=day, start=clock(begun), end=end)


def clock(at: datetime) -> str:
    """9:05."""
    return f"{at.hour}:{at:%M}"


def short(person: Person, row: ServiceRecord) -> str:
    """A record in a list: when, what, how long, and what is to be looked at."""
    said = _("{span}，{content}，{hours}").format(
        span=span(person.zone, row.starts_at, row.ends_at), content=content(row.content), hours=hours(row.minutes)
    )
    return _("，").join([said, *marks(row)])


def brief(person: Person, row: ServiceRecord) -> str:
    """The same on a button, where there is little room: what is to be looked at first, no weekday."""
    zone = ZoneInfo(person.zone)
    begun = row.starts_at.astimezone(zone)
    ends = clock(row.ends_at.astimezone(zone)) if row.ends_at is not None else "…"
    said = _("{day} {start}–{end} {content} {hours}").format(
        day=begun.date().isoformat(),
        start=clock(begun),
        end=ends,
        content=content(row.content),
        hours=hours(row.minutes),
    )
    over = _("超上限：") if row.over_cap and row.state == WAITING else ""
    told = [way(row)] if row.way in (TOLD, UNPROVEN) else []
    told += [_("没有签退")] if row.end_assumed else []
    return over + _("，").join([said, *told])


def marks(row: ServiceRecord) -> list[str]:
    """What whoever confirms has to look at."""
    found = []
    if row.way in (TOLD, UNPROVEN):
        found.append(way(row))
    if row.end_assumed:
        found.append(_("没说几点结束，按计划算"))
    if row.over_cap and row.state == WAITING:
        found.append(_("超过一天或一周的上限"))
    return found


def way(row: ServiceRecord) -> str:
    """How the times are known."""
    if row.way == UNPROVEN:
        return {
            "no_match": _("签到位置对不上"),
            "no_place": _("签到时没有位置"),
            "no_signal": _("签到时没有信号"),
            "no_phone": _("签到时没有智能手机"),
            "refused": _("签到时没有给位置"),
        }.get(row.unproven_why, _("签到没有核对"))
    return {
        STATION: _("站点扫码签到"),
        ACTIVITY: _("活动签到码"),
        PLACE: _("签到位置相符"),
        CARD: _("连心卡签到"),
        TOLD: _("补录"),
    }[row.way]


def state(row: ServiceRecord) -> str:
    """Where a record stands, for whoever it is about."""
    return {
        RUNNING: _("进行中"),
        ASKED: _("还没有说几点结束"),
        WAITING: _("等专员确认"),
        CONFIRMED: _("已确认"),
        REFUSED: _("没有通过"),
        VOID: _("已撤回"),
    }[row.state]


def why(session: Session, row: ServiceRecord) -> str:
    """Why it was refused or changed; empty where nothing was said."""
    if row.decided_why == "merged":
        return _("两个账号合并了，这段时间已经记在另一条里")
    return reason_of(session, row)


def first_told(person: Person, row: ServiceRecord) -> str:
    """What stood there before somebody changed it; empty where nobody did."""
    told = row.first_told
    if not told:
        return ""
    ends = datetime.fromisoformat(told["ends_at"]) if told["ends_at"] else None
    when = span(person.zone, datetime.fromisoformat(told["starts_at"]), ends)
    return _("{span}，{content}").format(span=when, content=content(told["content"]))


def where(session: Session, row: ServiceRecord) -> str:
    """For whom or where it was, as every platform may carry it; empty where nothing was said."""
    if row.beneficiary_id is not None:
        return mark(session.get_one(Beneficiary, row.beneficiary_id))
    if row.institution_id is not None:
        return session.get_one(Institution, row.institution_id).name
    station = session.get(Station, row.station_id) if row.station_id is not None else None
    return station.name if station is not None else ""


def month(key: str) -> str:
    """ "2026-11" as 2026 年 11 月."""
    year, number = key.split("-")
    return _("{year} 年 {month} 月").format(year=year, month=int(number))


def star_ahead(day: date, today: date, stars: int) -> str:
    """When the next star comes, at the pace of late: by a month of this year, of the next one, or with its year."""
    if (day.year, day.month) == (today.year, today.month):
        return _("照这样这个月就够 {stars} 星。").format(stars=stars)
    if day.year == today.year:
        return _("照这样到今年 {month} 月够 {stars} 星。").format(month=day.month, stars=stars)
    if day.year == today.year + 1:
        return _("照这样到明年 {month} 月够 {stars} 星。").format(month=day.month, stars=stars)
    return _("照这样到 {year} 年 {month} 月够 {stars} 星。").format(year=day.year, month=day.month, stars=stars)


def cannot(reason: str) -> str:
    """Why a decision about a record is not possible."""
    return {
        "gone": _("这一条已经不在了。"),
        "self": _("自己的时长要由别人确认。"),
        "scope": _("这一条现在不归你确认。"),
        "state": _("这一条已经处理过了，或者对方撤回了。"),
        "over": _("这一条让一天超过 8 小时或一周超过 24 小时，要打开这一条单独批准。"),
        "overlap": _("和这位志愿者的另一条时间重叠了。"),
        "future": _("结束的时间还没有到。"),
        "too_short": _("不到半小时，不计时长。"),
        "too_long": _("一次最多 24 小时。"),
        "content": _("没有这样的服务内容。"),
        "why": _("要写原因。"),
    }.get(reason, _("现在不能这样做。"))
