"""未探访: who has not been visited yet, what is due first in front, and what can be done about each in one tap.

First how many, then a list by page, narrowed by team or town, then one of them. Above a county counts alone are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.regions import place_name
from config.texts import _
from handlers.days import with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.free_text import free_words
from handlers.here import here
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.paging import MORE, PAGE, Show, next_begin, onward, where
from handlers.relay_ways import SUBSTITUTE, LeaveFacts
from handlers.served_words import volunteer
from handlers.visit_ways import behalf_options, called, flag_words, hold_option, read_option, refused, served_by_visit
from models import role, unvisited, visit_days
from models.beneficiary import Beneficiary
from models.database import now_of
from models.person import Person, local_now
from models.team import Team
from models.unvisited import MISSED, REACHED, Line, Wanted
from models.visiting import VisitError

LONGEST = 200  # characters of what was said
MOST_LINES = 20  # counties of a message


class ListFacts(BaseModel):
    """What is on the screen: `ids` are values of the choices that stand there, `first` the place of the first one in
    the list; without any the counts are shown. `view`: "teams", "towns", "visits"; empty = counts."""

    view: str = ""
    when: str = ""
    team: str = ""
    town: str = ""
    ids: tuple[str, ...] = ()
    first: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """`picked` is a choice of what was on the screen; empty = show the counts."""

    facts: ListFacts
    picked: str = ""


def _facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _talk(facts: ListFacts) -> Talk:
    if not facts.ids:
        return Look(facts)
    choices = (*(Choice(key, key) for key in facts.ids), Choice(MORE, _("后面的"), words=(_("从头看"),)))
    picked = yield Ask("pick", _("想看哪一类，或者哪一户？"), choices)
    return Look(facts, picked)


def _look(session: Session, person: Person, command: Look) -> Reply:
    if not role.grants(session, person.id):
        text = _("“未探访”是负责的同事用的。自己要去的，回复“约探访”。")
        return Reply(text, (Option("m:book_visit", _("约探访")),))
    facts, (kind, _colon, value) = command.facts, command.picked.partition(":")
    if kind == MORE:
        return _shown(session, person, facts, Show(seen=facts.ids, first=facts.first))
    if kind == "v":
        return card(session, person, value)
    found = {
        "w": ListFacts(view="visits", when=value),
        "teams": ListFacts(view="teams"),
        "towns": ListFacts(view="towns"),
        "t": ListFacts(view="visits", team=value),
        "p": ListFacts(view="visits", town=value),
    }.get(kind, ListFacts())
    return _shown(session, person, found, Show())


def _shown(session: Session, person: Person, facts: ListFacts, seen: Show) -> Reply:
    if facts.view == "visits":
        return _visits(session, person, facts, seen)
    if facts.view in ("teams", "towns"):
        return _groups(session, person, facts, seen)
    return _counts(session, person)


def _counts(session: Session, person: Person) -> Reply:
    """How many of one's own; of the regions above a county only that, place by place."""
    count = unvisited.counts(session, person.id)
    above = unvisited.overdue_above(session, person.id)
    if not count.owed and not above:
        return Reply(_("现在要去的都去过了，谢谢你和大家！"), (Option("m:todo", _("待办清单")),))
    lines: list[str] = []
    if above:
        text = _("{place}：过期 {count} 户")
        lines.append(_("别的区县有专员的，只看数目：过期 {count} 户。").format(count=sum(above.values())))
        lines += [text.format(place=place_name(one), count=many) for one, many in list(above.items())[:MOST_LINES]]
    if not count.owed:
        return Reply("\n".join(lines), (Option("m:todo", _("待办清单")),))
    lines.append(_("还没探访的：{count} 户。想看哪一类？").format(count=count.owed))
    soon = rules().duty.soon_days
    named = [
        ("w:overdue", _("已经过期：{count} 户").format(count=count.overdue), count.overdue),
        ("w:soon", _("{days} 天内到期：{count} 户").format(days=soon, count=count.soon), count.soon),
        ("w:", _("全部：{count} 户").format(count=count.owed), count.owed),
    ]
    labels = [(key, label) for key, label, many in named if many]
    labels += [("teams", _("按团队看")), ("towns", _("按乡镇街道看"))]
    return _listed(session, person, ListFacts(), "\n".join(lines), labels, 0)


def _groups(session: Session, person: Person, facts: ListFacts, seen: Show) -> Reply:
    teams = facts.view == "teams"
    found = (unvisited.by_team if teams else unvisited.by_town)(session, person.id)
    found = {key: many for key, many in found.items() if key}
    if not found:
        said = _("没有团队要去的。") if teams else _("台账里没有写乡镇街道。")
        return Reply(said, _back(session, person))
    named = {key: _team(session, key) if teams else key for key in found}
    keys = sorted(found, key=lambda key: (-found[key], named[key]))
    kind = "t" if teams else "p"
    begin = next_begin([f"{kind}:{key}" for key in keys], seen)
    text = _("{item}：{count} 户")
    labels = [(f"{kind}:{key}", text.format(item=named[key], count=found[key])) for key in keys[begin : begin + PAGE]]
    labels += [*onward(begin, len(keys), _("后面的")), ("counts", _("未探访"))]
    head = _("想看哪个团队？") if teams else _("想看哪个乡镇街道？")
    return _listed(session, person, facts, "\n".join([head, *where(begin, len(keys))]), labels, begin)


def _team(session: Session, team_id: str) -> str:
    team = session.get(Team, team_id)
    return team.name if team is not None else team_id


def _visits(session: Session, person: Person, facts: ListFacts, seen: Show) -> Reply:
    keys = unvisited.keys(session, person.id, Wanted(facts.when, facts.team, facts.town))
    if not keys:
        return Reply(_("这一类现在没有了。"), _back(session, person))
    begin = next_begin([f"v:{key}" for key in keys], seen)
    today = visit_days.day_in_china(now_of(session))
    shown = unvisited.lines(session, person.id, keys[begin : begin + PAGE])
    labels = [(f"v:{line.visit.id}", _label(session, person, line, today)) for line in shown]
    labels += [*onward(begin, len(keys), _("后面的")), ("counts", _("未探访"))]
    what = {"overdue": _("已经过期"), "soon": _("快到期")}.get(facts.when, _("还没探访的"))
    what = _team(session, facts.team) if facts.team else facts.town or what
    head = _("{item}：{count} 户，先到期的在前面。").format(item=what, count=len(keys))
    return _listed(session, person, facts, "\n".join([head, *where(begin, len(keys))]), labels, begin)


def _label(session: Session, person: Person, line: Line, today: date) -> str:
    parts = [called(session, person, served_by_visit(session, line.visit)), _late(line.visit.due_on, today)]
    if line.booked_at is not None:
        parts.append(_("约好了"))
    elif unvisited.is_held(line.visit, today):
        parts.append(_("有人在处理"))
    elif line.nudged_at is not None:
        parts.append(_("{day}提醒过").format(day=_day(line.nudged_at, person)))
    return _("，").join(parts)


def _late(due: date, today: date) -> str:
    if due < today:
        return _("过期 {days} 天").format(days=(today - due).days)
    return _("{day} 到期").format(day=due.isoformat())


def _day(at: datetime, person: Person) -> str:
    day = at.astimezone(ZoneInfo(person.zone))
    return _("{month}月{day}日").format(month=day.month, day=day.day)


def _listed(
    session: Session, person: Person, facts: ListFacts, text: str, labels: list[tuple[str, str]], begin: int
) -> Reply:
    on_screen = tuple(key for key, _label in labels if key != MORE)
    shown = facts.model_copy(update={"ids": on_screen, "first": begin})
    return Reply(text, asked(session, person.id, UNVISITED.name, "pick", shown, labels), numbered=True)


def _back(session: Session, person: Person) -> tuple[Option, ...]:
    return (Option("m:unvisited", _("未探访")),)


UNVISITED = Dialogue("unvisited", ListFacts, _facts, _talk, _look, repeats=True)


# --- one of them ---


def card(session: Session, person: Person, visit_id: str, said: str = "") -> Reply:
    """What is known of one owed visit, and what can be done."""
    line = unvisited.one_of(session, person.id, visit_id)
    if line is None:
        return Reply(_("这一户已经去过、不用去了，或者现在不归你负责。"), _back(session, person))
    today = visit_days.day_in_china(now_of(session))
    lines = [*([said] if said else []), *_lines(session, person, line, today)]
    return Reply("\n".join(lines), (*_options(session, person, line, today), *_back(session, person)))


def _lines(session: Session, person: Person, line: Line, today: date) -> list[str]:
    visit, private = line.visit, here(session).sensitive_in_chat
    somebody = served_by_visit(session, visit)
    lines = [called(session, person, somebody)]
    town = somebody.town if private else None
    lines.append(_("所在地：{place}").format(place=place_name(visit.county) + (town or "")))
    due = _("要在 {day} 以前去").format(day=with_weekday(visit.due_on))
    lines.append(_("，").join([due, *([_late(visit.due_on, today)] if visit.due_on < today else [])]))
    people = _("、").join(volunteer(session, one) for one in line.people)
    lines.append(_("该去的人：{people}").format(people=people or _("现在没有人结对")))
    zone = ZoneInfo(person.zone)
    if line.booked_at is not None:
        lines.append(_("约好的时间：{time}").format(time=f"{line.booked_at.astimezone(zone):%Y-%m-%d %H:%M}"))
    if line.nudged_at is not None:
        at = f"{line.nudged_at.astimezone(zone):%Y-%m-%d %H:%M}"
        lines.append(_("上次提醒：{time}").format(time=at))
    lines += _calls(session, person, visit.id, zone) if private else []
    if unvisited.is_held(visit, today):
        who = _("你") if visit.held_by == person.id else volunteer(session, visit.held_by)
        lines.append(_("{who}在处理，到 {day}").format(who=who, day=visit.held_until))
    return [*lines, *filter(None, [flag_words(list(visit.flags))])]


def _calls(session: Session, person: Person, visit_id: str, zone: ZoneInfo) -> list[str]:
    text = {REACHED: _("{time} 打过电话，打通了"), MISSED: _("{time} 打过电话，没打通")}
    found = []
    for at, outcome, words in unvisited.calls_of(session, visit_id, person.id):
        said = text[outcome].format(time=f"{at.astimezone(zone):%Y-%m-%d %H:%M}")
        found.append(_("{item}：{value}").format(item=said, value=words) if words else said)
    return found


def _options(session: Session, person: Person, line: Line, today: date) -> tuple[Option, ...]:
    visit = line.visit
    labels = [("nudge", _("催一下"))] if line.people else []
    labels.append(("call", _("打过电话")))
    options = asked(session, person.id, VISIT_ACT.name, "what", ActFacts(visit=visit.id), labels)
    if visit.due_on < today and visit.held_until is None:
        options += hold_option(session, person, [visit.id])
    options += behalf_options(session, person, visit)
    options += read_option(session, person, visit.beneficiary_id)
    if visit.stint_id is None:
        return (*options, Option("m:unpaired", _("找人结对")))
    if isinstance(served_by_visit(session, visit), Beneficiary):
        day = local_now(session, person).date().isoformat()
        facts = LeaveFacts(stint=visit.stint_id, until="", today=day)
        options += asked(session, person.id, SUBSTITUTE, "what", facts, [("find", _("找人替"))])
    return options


class ActFacts(BaseModel):
    """Which visit."""

    visit: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """`what`: "nudge" or "call"; of a call how it went and what was said."""

    visit: str
    what: str
    outcome: str = ""
    words: str = ""


def _act_facts(session: Session, person: Person) -> ActFacts:
    return ActFacts()


def _act_talk(facts: ActFacts) -> Talk:
    if not facts.visit:
        return None
    what = yield Ask("what", _("要做什么？"), (Choice("nudge", _("催一下")), Choice("call", _("打过电话"))))
    if what == "nudge":
        return Act(facts.visit, what)
    got = (Choice(REACHED, _("打通了"), words=("通了", "接了")), Choice(MISSED, _("没打通"), words=("没接", "没人接")))
    outcome = yield Ask("outcome", _("给该去的志愿者打电话，打通了吗？"), got)
    words = None
    if outcome == REACHED:
        text = _("说了什么？简单写一句，{limit} 字以内；不想写就回复“跳过”。").format(limit=LONGEST)
        words = yield Ask("said", text, check=free_words(LONGEST), skippable=True, sensitive=True, told=True)
    return Act(facts.visit, what, outcome, words or "")


def _do(session: Session, person: Person, command: Act) -> Reply:
    try:
        if command.what == "nudge":
            unvisited.nudge(session, command.visit, person.id)
            return card(session, person, command.visit, _("正在提醒。"))
        unvisited.called(session, command.visit, person.id, command.outcome, command.words)
        return card(session, person, command.visit, _("记下了。打电话不算探访，也不停止往上报。"))
    except VisitError as error:
        why = {
            "today": _("今天已经提醒过了，明天可以再提醒；也可以打电话。"),
            "nobody": _("现在没有人结对，先找人：回复“待结对”。"),
        }.get(error.reason) or refused(error.reason, error.day)
        return Reply(why, _back(session, person))


VISIT_ACT = Dialogue("visit_act", ActFacts, _act_facts, _act_talk, _do, repeats=True)
