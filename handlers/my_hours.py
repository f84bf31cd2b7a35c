"""我的时长: what counts, by month and content, the stars and when the next one comes; what waits, what was refused and
why. A record can be taken back while it waits, and anything can be said to be wrong.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers import hours_words
from handlers.days import with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.here import here
from handlers.hours_ways import About, wrong_option
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.paging import MORE, PAGE, Show, next_begin, onward, where
from models import hours_cases, serving
from models.hours_ledger import by_month, minutes_of
from models.hours_rules import forecast, stars_of
from models.hours_told import records_of
from models.person import Person, family, local_now
from models.service import ASKED, CONFIRMED, REFUSED, RUNNING, WAITING, HoursCase, ServiceRecord
from models.serving import ServiceError
from models.volunteer import volunteer_of

NAME = "hours"
PACE = 90  # days that the forecast looks back
CASES_SHOWN = 5


class HoursFacts(BaseModel):
    """What is on the screen: `ids` are values of the choices that stand there, `first` the place of the first one in
    the whole list; without any the view is made anew. `view` is "", "months", "month:2026-11", "waiting", "refused"."""

    view: str = ""
    ids: tuple[str, ...] = ()
    first: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """`picked` is a choice of what was on the screen; empty = show the view."""

    facts: HoursFacts
    picked: str = ""


def _facts(session: Session, person: Person) -> HoursFacts:
    return HoursFacts()


def _talk(facts: HoursFacts) -> Talk:
    if not facts.ids:
        return Look(facts)
    choices = (*(Choice(key, key) for key in facts.ids), Choice(MORE, _("后面的"), words=(_("从头看"),)))
    picked = yield Ask("pick", _("想看哪一项？"), choices)
    if picked.startswith("void:"):
        text = _("撤回以后，这一条不再等确认，也不计时长。确定撤回吗？")
        if (yield Ask("sure", text, (Choice("yes", _("撤回")), Choice("no", _("不撤回"))))) == "no":
            return Look(facts, f"r:{picked.removeprefix('void:')}")
    return Look(facts, picked)


def _look(session: Session, person: Person, command: Look) -> Reply:
    if volunteer_of(session, person.id) is None:
        text = _("还没有注册成为志愿者，所以没有时长。想加入，回复“报名”。")
        return Reply(text, (Option("m:register", _("报名注册")), Option("m:recognise", _("我以前注册过"))))
    facts, (kind, _colon, value) = command.facts, command.picked.partition(":")
    if kind == "r":
        return _record(session, person, value)
    if kind == "void":
        return _take_back(session, person, value)
    if kind == MORE:
        return _listed(session, person, facts.view, Show(seen=facts.ids, first=facts.first))
    if kind in ("months", "waiting", "refused", "month"):
        return _listed(session, person, command.picked, Show())
    if kind == "cases":
        return _cases(session, person)
    return _overview(session, person)


# --- all of it ---


def _overview(session: Session, person: Person) -> Reply:
    total, today = minutes_of(session, person.id), local_now(session, person).date()
    months = by_month(session, person.id)
    count = Counter(row.state for row in records_of(session, person.id))
    opened = sum(case.state == "open" for case in hours_cases.cases_of(session, person.id))
    lines = [_("已确认：{hours}，{stars} 星。").format(hours=hours_words.hours(total), stars=stars_of(total).stars)]
    lines += _next_star(session, person, total)
    this = months.get(f"{today:%Y-%m}", {})
    if this:
        lines.append(_("这个月：{contents}。").format(contents=_contents(this)))
    if count[RUNNING]:
        lines.append(_("有一次服务正在进行，离开时记得签退。"))
    labels = [("months", _("按月看"))] if months else []
    asked_about = count[ASKED]
    if asked_about:
        lines.append(_("有 {count} 次没有签退，等你说几点结束。").format(count=asked_about))
    for key, many, words in (
        ("waiting", count[WAITING], _("等确认的：{count} 条")),
        ("refused", count[REFUSED], _("没有通过的：{count} 条")),
        ("cases", opened, _("等答复的“时长有误”：{count} 件")),
    ):
        if many:
            labels.append((key, words.format(count=many)))
    options = _buttons(session, person, HoursFacts(), labels, 0) if labels else ()
    return Reply("\n".join(lines), (*options, Option("m:hours_wrong", _("我的时长有误"))), numbered=True)


def _next_star(session: Session, person: Person, total: int) -> list[str]:
    following = stars_of(total)
    if following.next_hours is None:
        return [_("五星已经到了，谢谢你！")]
    lacking = _("再 {hours}到 {stars} 星。").format(
        hours=hours_words.hours(following.next_hours * 60 - total), stars=following.stars + 1
    )
    today = local_now(session, person).date()
    lately = minutes_of(session, person.id, today - timedelta(days=PACE - 1), today)
    day = forecast(total, lately, PACE, today)
    if day is None:
        return [lacking]
    return [lacking + hours_words.star_ahead(day, today, following.stars + 1)]


def _contents(told: dict[str, int]) -> str:
    text = _("{content} {hours}")
    said = (
        text.format(content=hours_words.content(key), hours=hours_words.hours(minutes))
        for key, minutes in sorted(told.items(), key=lambda pair: -pair[1])
    )
    return _("，").join(said)


# --- lists ---


def _listed(session: Session, person: Person, view: str, seen: Show) -> Reply:
    if view == "months":
        return _months(session, person, seen)
    rows = records_of(session, person.id)
    if view.startswith("month:"):
        key = view.removeprefix("month:")
        chosen = [row for row in rows if row.state == CONFIRMED and _month_of(person, row) == key]
        contents = by_month(session, person.id).get(key, {})
        title = _("{month}：共 {hours}。").format(
            month=hours_words.month(key), hours=hours_words.hours(sum(contents.values()))
        )
        lines = [title, *([_contents(contents) + _("。")] if contents else [])]
    else:
        state = WAITING if view == "waiting" else REFUSED
        chosen = [row for row in rows if row.state == state]
        words = _("等确认的：{count} 条，共 {hours}。") if view == "waiting" else _("没有通过的：{count} 条。")
        total = hours_words.hours(sum(row.minutes for row in chosen))
        lines = [words.format(count=len(chosen), hours=total)]
    keys = [f"r:{row.id}" for row in chosen]
    begin = next_begin(keys, seen)
    labels = [(f"r:{row.id}", hours_words.brief(person, row)) for row in chosen[begin : begin + PAGE]]
    labels += onward(begin, len(keys), _("后面的"))
    text = "\n".join([*lines, *where(begin, len(keys))])
    facts = HoursFacts(view=view)
    wrong: tuple[Option, ...] = ()
    if view.startswith("month:"):
        wrong = wrong_option(session, person.id, About(month=view.removeprefix("month:")), person.zone)
    return Reply(text, (*_buttons(session, person, facts, labels, begin), *wrong, _back()), numbered=True)


def _months(session: Session, person: Person, seen: Show) -> Reply:
    found = by_month(session, person.id)
    keys = [f"month:{key}" for key in found]
    begin = next_begin(keys, seen)
    text = _("{month}：{hours}")
    labels = [
        (f"month:{key}", text.format(month=hours_words.month(key), hours=hours_words.hours(sum(told.values()))))
        for key, told in list(found.items())[begin : begin + PAGE]
    ]
    labels += onward(begin, len(keys), _("后面的"))
    lines = [_("想看哪个月？"), *where(begin, len(keys))]
    options = _buttons(session, person, HoursFacts(view="months"), labels, begin)
    return Reply("\n".join(lines), (*options, _back()), numbered=True)


def _month_of(person: Person, row: ServiceRecord) -> str:
    return f"{row.starts_at.astimezone(ZoneInfo(person.zone)):%Y-%m}"


def _buttons(
    session: Session, person: Person, facts: HoursFacts, labels: list[tuple[str, str]], begin: int
) -> tuple[Option, ...]:
    if not labels:
        return ()
    ids = tuple(key for key, _label in labels if key != MORE)
    shown = facts.model_copy(update={"ids": ids, "first": begin})
    return asked(session, person.id, NAME, "pick", shown, labels)


def _back() -> Option:
    return Option(f"m:{NAME}", _("我的时长"))


# --- one record ---


def _record(session: Session, person: Person, record_id: str) -> Reply:
    row = session.get(ServiceRecord, record_id)
    if row is None or row.person_id not in family(session, person.id):
        return Reply(_("这一条已经不在了。"), (_back(),))
    lines = [hours_words.short(person, row), _("怎么记的：{way}").format(way=hours_words.way(row))]
    lines.append(_("现在：{state}").format(state=hours_words.state(row)))
    before = hours_words.first_told(person, row)
    if before:
        lines.append(_("改过，原来是：{before}").format(before=before))
    why = hours_words.why(session, row)
    if why:
        lines.append(_("原因：{why}").format(why=why))
    options: tuple[Option, ...] = ()
    if row.state == WAITING:
        options = _buttons(session, person, HoursFacts(), [(f"void:{row.id}", _("撤回这一条"))], 0)
    return Reply("\n".join(lines), (*options, *wrong_option(session, person.id, about(row), person.zone), _back()))


def about(row: ServiceRecord) -> About:
    """A record as something may be wrong with it."""
    return About(
        record=row.id,
        starts_at=row.starts_at.isoformat(),
        ends_at=row.ends_at.isoformat() if row.ends_at is not None else "",
        content=row.content,
        minutes=row.minutes,
    )


def _take_back(session: Session, person: Person, record_id: str) -> Reply:
    try:
        serving.void(session, person.id, record_id)
    except ServiceError:
        return Reply(_("这一条已经处理过了，不能撤回。有误可以告诉专员。"), (_back(),))
    return Reply(_("撤回了，这一条不计时长。"), (_back(),))


# --- cases ---


def _cases(session: Session, person: Person) -> Reply:
    found = hours_cases.cases_of(session, person.id)[:CASES_SHOWN]
    lines = [line for case in found for line in _case_lines(session, person, case)]
    return Reply("\n".join(lines) or _("没有等答复的。"), (_back(),))


def _case_lines(session: Session, person: Person, case: HoursCase) -> list[str]:
    day = case.opened_at.astimezone(ZoneInfo(person.zone)).date()
    if case.state == "open":
        return [_("{day} 提出的：最晚 {due}答复。").format(day=day, due=with_weekday(case.due_on))]
    if case.state == "withdrawn":
        return [_("{day} 提出的：你撤回了。").format(day=day)]
    words = hours_cases.answer_of(session, case) if here(session).sensitive_in_chat else ""
    return [_("{day} 提出的：已答复。{words}").format(day=day, words=words)]


MY_HOURS = Dialogue(NAME, HoursFacts, _facts, _talk, _look, repeats=True)


# --- what is told ---


def _decided(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the volunteer, about all that was decided. What was decided anew since is told as it is now."""
    own = family(session, person.id)
    rows = [row for key in params["records"] if (row := session.get(ServiceRecord, str(key))) is not None]
    rows = [row for row in rows if row.person_id in own and row.state in (CONFIRMED, REFUSED)]
    if not rows:
        return None
    counted = [row for row in rows if row.state == CONFIRMED]
    lines = []
    if counted:
        text = _("确认了 {count} 条时长，共 {hours}。谢谢你！")
        lines.append(text.format(count=len(counted), hours=hours_words.hours(sum(row.minutes for row in counted))))
    for row in counted:
        if row.first_told:
            text = _("其中改过的：{record}。原来是：{before}。原因：{why}")
            before = hours_words.first_told(person, row)
            lines.append(
                text.format(record=hours_words.short(person, row), before=before, why=hours_words.why(session, row))
            )
    for row in rows:
        if row.state == REFUSED:
            text = _("没有通过：{record}。原因：{why}")
            lines.append(text.format(record=hours_words.short(person, row), why=hours_words.why(session, row)))
    if len(lines) > 1 or not counted:
        lines.append(_("有不对的，选“我的时长有误”。"))
    return Reply("\n".join(lines), (_back(), Option("m:hours_wrong", _("我的时长有误"))))


NOTICES = {"notice.hours_decided": _decided}
