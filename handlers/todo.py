"""待办清单: what waits for whoever answers for others, by kind, each opening the talk in which it is done; what is told
in the morning, once a week, and of what has climbed. Counts alone, but for the visits that are overdue longest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.regions import place_name
from config.texts import _
from handlers.days import with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.served_words import mark
from handlers.visit_ways import behalf_options, called, served_by_visit
from models import duty_list, role, unvisited, visit_days
from models.database import now_of
from models.duty_list import Item
from models.duty_mail import CLIMBED, LED, MORNING, WEEK
from models.institution import Institution
from models.person import Person, family, local_now
from models.served import led_by
from models.unvisited import Bulk, Wanted

SHOWN = 5  # visits that a message names
MOST_LINES = 20  # counties of a message


def overview(session: Session, person: Person) -> Reply:
    """待办清单, typed or from the menu."""
    if not role.grants(session, person.id):
        text = _("“待办清单”是负责的同事用的。你自己的事在“我的”里。")
        return Reply(text, (Option("m:my", _("我的")),))
    found = duty_list.items(session, person.id)
    if not found:
        return Reply(_("现在没有等你办的事，辛苦了！"), (Option("m:unvisited", _("未探访")),))
    return _listed(session, person, found, _("等你办的事，要紧的在前面："))


def _listed(session: Session, person: Person, found: list[Item], head: str) -> Reply:
    """The kinds as buttons that open what they speak of; cries for help before all else."""
    today, lines = visit_days.day_in_china(now_of(session)), [head]
    kinds = {item.kind: item for item in found}
    if "cries" in kinds:
        text = _("有 {count} 条求助没有办结，请先回复“求助”查看。")
        lines.insert(0, text.format(count=kinds["cries"].count))
    options = [Option(f"m:{key}", label) for item in found for key, label in _labels(item, today)]
    options += _bulk_options(session, person, kinds)
    if "visits" in kinds:
        said, more = _overdue(session, person, today)
        lines += said
        options += more
    return Reply("\n".join(lines), tuple(options), numbered=True)


def _labels(item: Item, today: date) -> list[tuple[str, str]]:
    """The entry that an item opens, and what its button says."""
    opens, text = {
        "contacts": ("messages", _("等你答复的留言：{count} 条")),
        "visits": ("unvisited", _("过期没有探访：{count} 户，最久的 {days} 天")),
        "climbed": ("unvisited", _("区县报上来的过期探访：{count} 户")),
        "cases": ("hours_to_confirm", _("要答复的“时长有误”：{count} 件，最早 {day}")),
        "hours": ("hours_to_confirm", _("超过 {hours} 小时没确认的时长：{count} 条")),
        "deputies": ("duty_leave", _("有人请你代班：{count} 次，最早 {day}")),
        "relays": ("hand_overs", _("快到最后一天的交接：{count} 个，最早 {day}")),
        "agreements": ("unpaired", _("等见面或写协议：{count} 位")),
        "unpaired": ("unpaired", _("家里同意了，还没有邀请人：{count} 位")),
        "offers": ("unpaired", _("邀请在等回答：{count} 位")),
        "own_papers": ("qualifications", _("你的培训或证书：{count} 项，最早 {day} 到期")),
        "papers": ("qualifications", _("专员的培训或证书：{count} 项，最早 {day} 到期")),
    }.get(item.kind, ("", ""))
    if not opens:
        return []
    first = item.first or today
    hours = rules().hours.confirm_hours
    return [(opens, text.format(count=item.count, days=(today - first).days, day=first, hours=hours))]


def _overdue(session: Session, person: Person, today: date) -> tuple[list[str], tuple[Option, ...]]:
    """The visits that are overdue longest, by name where the chat may carry it; of a single one what can be done."""
    found = unvisited.lines(session, person.id, unvisited.keys(session, person.id, Wanted("overdue"), SHOWN))
    text, lines = _("{who}：过期 {days} 天"), []
    for line in found:
        who = called(session, person, served_by_visit(session, line.visit))
        said = text.format(who=who, days=(today - line.visit.due_on).days)
        lines.append(said + (_("，有人在处理") if unvisited.is_held(line.visit, today) else ""))
    if any(not unvisited.is_held(line.visit, today) for line in found):
        lines.append(
            _("选“收到，我来处理”，{days} 天内不再往上报；只回“收到”不算。").format(days=rules().visits.held_days)
        )
    return lines, behalf_options(session, person, found[0].visit) if len(found) == 1 else ()


# --- many at once ---


class ActFacts(BaseModel):
    """Nothing has to be known: what is done is decided when it is done."""


@dataclass(frozen=True, slots=True)
class Act:
    """`what`: "nudge" or "hold", of all that is overdue."""

    what: str


def _act_facts(session: Session, person: Person) -> ActFacts:
    return ActFacts()


def _act_choices() -> tuple[Choice, ...]:
    # A bare 收到 takes nothing over (programme §13).
    hold = Choice("hold", _("收到，我来处理"), words=("都由我来处理", "都由我處理", "我来处理", "我來處理"))
    return hold, Choice("nudge", _("提醒全部没去的志愿者"), words=("全部提醒", "提醒全部", "都催一下"))


def _act_talk(facts: ActFacts) -> Talk:
    what = yield Ask("what", _("过期的探访，要怎么办？"), _act_choices())
    return Act(what)


def _bulk_options(session: Session, person: Person, kinds: dict[str, Item]) -> tuple[Option, ...]:
    if "visits" not in kinds:
        return ()
    free = unvisited.counts(session, person.id).free
    labels = [(choice.value, choice.label) for choice in _act_choices() if choice.value != "hold" or free]
    return asked(session, person.id, TODO_ACT.name, "what", ActFacts(), labels)


def _act(session: Session, person: Person, command: Act) -> Reply:
    hold = command.what == "hold"
    done = unvisited.hold_all(session, person.id) if hold else unvisited.nudge_all(session, person.id)
    lines = _held(done) if hold else _nudged(done)
    options: tuple[Option, ...] = (Option("m:unvisited", _("未探访")), Option("m:todo", _("待办清单")))
    if done.left:
        lines.append(_("还有 {count} 户，再选一次就接着办。").format(count=done.left))
        label = next(choice.label for choice in _act_choices() if choice.value == command.what)
        options = (*asked(session, person.id, TODO_ACT.name, "what", ActFacts(), [(command.what, label)]), *options)
    return Reply("\n".join(lines), options)


def _held(done: Bulk) -> list[str]:
    if not done.done:
        return [_("过期的探访都有人在处理了，没有改动。") if done.already else _("现在没有过期的探访。")]
    days = rules().visits.held_days
    text = _("好的，{count} 户由你处理，{days} 天内不再往上报。有了结果请记下来。")
    lines = [text.format(count=done.done, days=days)]
    return [*lines, _("另有 {count} 户之前已经有人说过来处理。").format(count=done.already)] if done.already else lines


def _nudged(done: Bulk) -> list[str]:
    if not (done.done or done.already or done.not_possible):
        return [_("现在没有过期的探访。")]
    lines = [_("正在提醒 {count} 户的志愿者。").format(count=done.done)] if done.done else []
    if done.already:
        lines.append(_("{count} 户今天提醒过了，明天可以再提醒。").format(count=done.already))
    if done.not_possible:
        lines.append(_("{count} 户现在没有志愿者，先找人：回复“待结对”。").format(count=done.not_possible))
    return lines


TODO_ACT = Dialogue("todo_act", ActFacts, _act_facts, _act_talk, _act, repeats=True)


# --- what is told without being asked ---


def _is_today(session: Session, person: Person, params: dict[str, Any]) -> bool:
    """Whether a message that was made for a day still is of that day: an older one is followed by a newer one."""
    return str(params["day"]) == local_now(session, person).date().isoformat()


def _morning(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """None where nothing waits."""
    if not _is_today(session, person, params):
        return None
    found = duty_list.items(session, person.id)
    if all(item.kind in duty_list.UNHURRIED for item in found):
        return None
    return _listed(session, person, found, _("早上好，今天等你办的事："))


def _weekly(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """The week behind and the one ahead, in counts, with marks of cases that say nothing. None without any of it."""
    week = duty_list.week(session, person.id) if _is_today(session, person, params) else None
    if week is None:
        return None
    ahead = len(week.due)
    if not any((week.made, week.excused, week.minutes, ahead, week.overdue, week.unconfirmed)):
        return None
    today = visit_days.day_in_china(now_of(session))
    lines = [_("一周小结")]
    lines.append(
        _("上周：探访完成 {made} 户，说明不用去 {excused} 户，确认时长 {hours} 小时。").format(
            made=week.made, excused=week.excused, hours=f"{week.minutes / 60:g}"
        )
    )
    lines.append(_("这周到期：{count} 户。").format(count=ahead))
    lines += _cases(session, person, week.due[:SHOWN])
    if ahead > SHOWN:
        lines.append(_("还有 {count} 户，在“未探访”里看。").format(count=ahead - SHOWN))
    if week.overdue:
        days = (today - (week.oldest or today)).days
        lines.append(_("已经过期：{count} 户，最久的 {days} 天。").format(count=week.overdue, days=days))
    if week.unconfirmed:
        lines.append(_("还没确认的时长：{count} 条。").format(count=week.unconfirmed))
    return Reply("\n".join(lines), (Option("m:todo", _("待办清单")), Option("m:unvisited", _("未探访"))))


def _cases(session: Session, person: Person, ids: tuple[str, ...]) -> list[str]:
    """By a mark on every platform: a digest is read over shoulders."""
    text = _("{who}：{day}以前")
    found = []
    for line in unvisited.lines(session, person.id, ids):
        somebody = served_by_visit(session, line.visit)
        who = somebody.name if isinstance(somebody, Institution) else mark(somebody)
        found.append(text.format(who=who, day=with_weekday(line.visit.due_on)))
    return found


def _climbed(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To a city or province, once a week: how many, and where; never who."""
    found = unvisited.climbed(session, person.id)
    if not found or not _is_today(session, person, params):
        return None
    text = _("{place}：{count} 户")
    lines = [_("过期很久的探访，已经报到你这里的有 {count} 户，请督促所在区县安排：").format(count=sum(found.values()))]
    lines += [text.format(place=place_name(county), count=many) for county, many in list(found.items())[:MOST_LINES]]
    return Reply("\n".join(lines), (Option("m:unvisited", _("未探访")),))


def _led(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To a team's leader who has no role: how many of the team's visits are overdue."""
    late = timedelta(days=rules().visits.overdue_days[0])
    count = unvisited.overdue_of_teams(session, led_by(family(session, person.id)), late)
    if not count or not _is_today(session, person, params):
        return None
    text = _("你的团队有 {count} 户的探访过期了。请看看队里谁能去；去不了请告诉专员。")
    return Reply(text.format(count=count), (Option("m:book_visit", _("约探访")), Option("m:contact", _("联系专员"))))


NOTICES = {MORNING: _morning, WEEK: _weekly, CLIMBED: _climbed, LED: _led}
