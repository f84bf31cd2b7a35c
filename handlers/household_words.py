"""How a line of 一户不落 is said: in the chat, on its page and in the operator's list. Never a disability, an address,
a phone number or an ID."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from config.texts import _
from handlers.here import here
from models.beneficiary import names_of
from models.household import Answering, Household
from models.households import AGREEING, ASKED, CONSENT, NOBODY, PAIRED, RELAY
from models.person import Person


def mark(beneficiary_id: str) -> str:
    """A short mark of a case, which every platform may carry."""
    return _("档案 {mark}").format(mark=beneficiary_id[-6:].upper())


def called(session: Session, person: Person, ids: list[str]) -> dict[str, str]:
    """By name where the chat may carry it, which is logged for minors; by a mark of the case elsewhere."""
    if not here(session).sensitive_in_chat:
        return {one: mark(one) for one in ids}
    return names_of(session, ids, person.id, why="household")


def state(name: str) -> str:
    """What somebody's state is, in a few words."""
    return {
        NOBODY: _("家里同意了，还没有人"),
        RELAY: _("正在换人"),
        CONSENT: _("还没有征得家里同意"),
        ASKED: _("已经邀请，等回复"),
        AGREEING: _("有人答应，正在商定"),
        PAIRED: _("有人结对"),
    }[name]


def who(line: Household, viewer: str) -> str:
    """Who answers for somebody today, and by what right."""
    people = _("、").join(_person(one, viewer) for one in line.people)
    if not people:
        return _("没有人：这个区县还没有专员，也没有管理员")
    if line.kind == "team":
        return _("{who}（团队：{team}）").format(who=people, team=line.team)
    text = {
        "substitute": _("{who}（替补）"),
        "keeper": _("{who}（名单上的负责人）"),
        "specialist": _("{who}（区县负责人）"),
    }.get(line.kind)
    return text.format(who=people) if text else people


def _person(one: Answering, viewer: str) -> str:
    if one.person_id == viewer:
        return _("你")
    return _("志愿者 {number}").format(number=one.number) if one.number else _("一位同事")


def warnings(line: Household) -> list[str]:
    """What somebody should know at once of whoever answers for the person."""
    told = []
    if line.people and line.unreachable:
        told.append(_("现在消息送不到负责的人，请打电话"))
    if line.departing:
        told.append(_("结对的人要离开"))
    return told


def due(line: Household, zone: str) -> str:
    """What comes next, and when; empty for nothing."""
    what, day = due_parts(line, zone)
    return _("{item}：{value}").format(item=what, value=day) if day else ""


def due_parts(line: Household, zone: str) -> tuple[str, str]:
    """What comes next, and its day; both empty for nothing."""
    if line.due is None:
        return "", ""
    what = {
        "meeting": _("第一次见面"),
        "hand_over": _("交接"),
        "last_day": _("结对的人最后一天"),
        "visit": _("探访最晚"),
        "term": _("约定到期"),
    }[line.due_what]
    day = line.due if line.due_what != "meeting" or line.meets_at is None else _day(line.meets_at, zone)
    return what, day.isoformat()


def contact(line: Household, zone: str) -> str:
    """The last contact that is known."""
    what, day = contact_parts(line, zone)
    return _("{day}（{what}）").format(day=day, what=what) if day else what


def contact_parts(line: Household, zone: str) -> tuple[str, str]:
    """What the last contact was, and its day; without one that nothing is on record."""
    if line.contact is None:
        return _("还没有记录"), ""
    what, at = line.contact
    words = {"visit": _("探访"), "opened": _("开始结对"), "met": _("第一次见面"), "handed": _("交接")}[what]
    return words, _day(at, zone).isoformat()


def agreed(line: Household) -> str:
    """What was agreed a year, and how many visits of this year were told of."""
    if line.activities is None:
        return _("还没有约定")
    return _("约定一年 {count} 次，今年探访记录 {done} 次").format(count=line.activities, done=line.done)


def waiting(line: Household, zone: str) -> str:
    """Why somebody waits, in full; empty for who does not."""
    lines = []
    if line.state == ASKED and line.asked_until is not None:
        lines.append(_("邀请等到 {day}").format(day=_day(line.asked_until, zone).isoformat()))
    if line.state == RELAY and line.last_day is not None:
        after = _("接的人已经答应") if line.successor else _("接的人还没有找到")
        lines.append(after)
    if line.state == AGREEING:
        lines.append(_("{day} 答应的").format(day=_day(line.since, zone).isoformat()))
    if line.state == CONSENT:
        lines.append(_("要先征得家里同意，才能邀请志愿者"))
    if line.declined and line.state in (NOBODY, ASKED, RELAY):
        lines.append(_("上一位邀请的人去不了"))
    if line.unmatched and line.state in (NOBODY, RELAY):
        lines.append(_("上次找人没有找到合适的"))
    return _("；").join(lines)


def short(line: Household, name: str) -> str:
    """Somebody on one line of a list: the state, who answers today, and what comes next, as short as a button."""
    parts = [_("{item}：{value}").format(item=name, value=state(line.state))]
    numbers = [one.number for one in line.people if one.number]
    if line.stint and numbers:
        parts.append(numbers[0])
    if line.people and line.unreachable:
        parts.append(_("消息送不到"))
    if line.due is not None:
        parts.append(line.due.isoformat())
    return _("，").join(parts)


def _day(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()
