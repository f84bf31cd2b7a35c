"""Language, quiet hours, a pause until a day, and the form of address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time, timedelta

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.texts import LANGUAGE_NAMES, LANGUAGES, _, speaking
from handlers.checks import form_of_address
from handlers.days import day_ahead, is_day, months_on, with_weekday
from handlers.dialogue import Answer, Ask, Choice, Dialogue, Invalid, Talk
from handlers.hours import Span, hours
from handlers.message import Reply
from models import audit
from models.outbox import wake
from models.person import Person, address_form, local_now, set_address_form
from models.role import highest

_SPELLINGS = {
    "zh_CN": ("简体", "简中", "中文", "简体字", "普通话", "chinese"),
    "zh_HK": ("繁體", "繁体", "繁中", "廣東話", "粤语", "粵語", "香港", "正體"),
    "en": ("英文", "英语", "英語", "eng"),
}


class LanguageFacts(BaseModel):
    """The language spoken until now."""

    language: str = "zh_CN"


def _language_facts(session: Session, person: Person) -> LanguageFacts:
    return LanguageFacts(language=person.language)


def _language_talk(facts: LanguageFacts) -> Talk:
    choices = tuple(Choice(value, LANGUAGE_NAMES[value], words=_SPELLINGS[value]) for value in LANGUAGES)
    language = yield Ask("language", "请选择语言。\n請選擇語言。\nPlease choose your language.", choices=choices)
    return language


def _set_language(session: Session, person: Person, language: str) -> Reply:
    person.language = language
    session.add(person)
    with speaking(language):
        text = _("好的，以后用{language}和你说话。").format(language=LANGUAGE_NAMES[language])
        return Reply(text, menu=highest(session, person.id))  # the account's menu changes its language too


LANGUAGE = Dialogue("language", LanguageFacts, _language_facts, _language_talk, _set_language)


class QuietFacts(BaseModel):
    """Local times as HH:MM in the person's zone; equal ones = no quiet hours."""

    quiet_from: str = "21:00"
    quiet_until: str = "08:30"
    usual_from: str = "21:00"
    usual_until: str = "08:30"


def _quiet_facts(session: Session, person: Person) -> QuietFacts:
    usual = rules().messages
    return QuietFacts(
        quiet_from=f"{person.quiet_from:%H:%M}",
        quiet_until=f"{person.quiet_until:%H:%M}",
        usual_from=f"{usual.quiet_from:%H:%M}",
        usual_until=f"{usual.quiet_until:%H:%M}",
    )


def _quiet_talk(facts: QuietFacts) -> Talk:
    now = _("已关闭") if facts.quiet_from == facts.quiet_until else f"{facts.quiet_from}–{facts.quiet_until}"
    span = yield Ask(
        "span",
        _(
            "免打扰时段里，提醒和活动消息会等到时段结束再发；你发消息时的回复和紧急消息不受影响。\n"
            "现在是：{now}\n"
            "想改成几点到几点？选一项，或者直接写，例如 22:00-08:00 或“晚上十点到早上八点”。"
        ).format(now=now),
        choices=(
            Choice("usual", f"{facts.usual_from}–{facts.usual_until}"),
            Choice("late", "23:00–09:00"),
            Choice("night", "22:00–07:00"),
            Choice("off", _("关闭免打扰"), words=(_("关闭"), _("不要"), "off")),
        ),
        check=hours,
    )
    presets = {"usual": f"{facts.usual_from}-{facts.usual_until}", "late": "23:00-09:00", "night": "22:00-07:00"}
    if span == "off":
        return Span(time(0), time(0))
    return hours(presets[span]) if isinstance(span, str) else span


def _set_quiet(session: Session, person: Person, span: Span) -> Reply:
    person.quiet_from, person.quiet_until = span.start, span.end
    session.add(person)
    wake(session, person.id)
    if span.start == span.end:
        return Reply(_("免打扰已经关闭，提醒随时会发来。想再打开，回复“免打扰”。"))
    return Reply(
        _("好的，每天 {start} 到 {end} 不打扰你（按{zone}）。").format(
            start=f"{span.start:%H:%M}", end=f"{span.end:%H:%M}", zone=_zone(person.zone)
        )
    )


def _zone(name: str) -> str:
    known = {"Asia/Shanghai": _("北京时间"), "Asia/Hong_Kong": _("香港时间"), "Asia/Macau": _("澳门时间")}
    return known.get(name) or _(" {zone} 时间").format(zone=name)


QUIET = Dialogue("quiet_hours", QuietFacts, _quiet_facts, _quiet_talk, _set_quiet)


class PauseFacts(BaseModel):
    """Days as ISO dates in the person's zone; `until` is empty where nothing is paused."""

    today: str = "2000-01-01"
    until: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """Until and including this day; None = go on now."""

    until: date | None


def _pause_facts(session: Session, person: Person) -> PauseFacts:
    today = local_now(session, person).date()
    until = person.paused_until
    return PauseFacts(today=today.isoformat(), until=until.isoformat() if until and until >= today else "")


def _pause_talk(facts: PauseFacts) -> Talk:
    today = date.fromisoformat(facts.today)
    now = (
        _("现在已经暂停到 {day}。").format(day=with_weekday(date.fromisoformat(facts.until))) + "\n"
        if facts.until
        else ""
    )
    resume = (Choice("resume", _("现在恢复"), words=(_("恢复"), "resume")),) if facts.until else ()
    until = yield Ask(
        "until",
        now
        + _(
            "暂停的时候，提醒和活动消息都不发；你发消息时的回复和紧急消息照常。\n"
            "想暂停到哪一天？选一项，或者直接写，例如 {example}、“下周一”或“两周后”，最长一年。"
        ).format(example=(today + timedelta(days=45)).isoformat()),
        choices=(
            *resume,
            Choice("week", _("一周")),
            Choice("month", _("一个月")),
            Choice("quarter", _("三个月")),
        ),
        check=day_ahead(today),
    )
    if until == "resume":
        return Pause(None)
    if isinstance(until, str):
        return Pause(
            {"week": today + timedelta(days=7), "month": months_on(today, 1), "quarter": months_on(today, 3)}[until]
        )
    return Pause(until)


def _set_pause(session: Session, person: Person, command: Pause) -> Reply:
    person.paused_until = command.until
    session.add(person)
    wake(session, person.id)
    audit.note(session, person.id, "person.paused" if command.until else "person.resumed", person.id)
    if command.until is None:
        return Reply(_("已经恢复，提醒会照常发来。欢迎回来！"))
    return Reply(
        _(
            "好的，暂停到 {day}，含当天。这期间不发提醒和活动消息；你来说话我照样回复，紧急消息照发。\n"
            "想提前恢复，回复“暂停”。"
        ).format(day=with_weekday(command.until))
    )


PAUSE = Dialogue("pause", PauseFacts, _pause_facts, _pause_talk, _set_pause)

_PAUSE_TOLD = re.compile(
    r"(?:请|請|please )?(?:暂停|暫停|pause(?: (?:messages|reminders))?)\s*(?P<told>到|至|until|till|for)?\s*"
    r"(?P<until>\S.*)",
    re.IGNORECASE,
)
_QUIET_TOLD = re.compile(
    r"(?:免打扰|免打擾|勿扰|勿擾|quiet(?: hours)?)(?:时段|時段)?\s*[:：]?\s*(?:改成|改為|设为|設為)?\s*(?P<span>\S.*)",
    re.IGNORECASE,
)


def told_at_once(words: str) -> tuple[Dialogue, dict[str, Answer]] | None:
    """A wish that says all there is to ask (“pause until Monday”, “免打扰 22:00-7:00”): its talk and the answer."""
    pause = _PAUSE_TOLD.fullmatch(words)
    if pause and (pause["told"] or is_day(pause["until"])):  # “暂停一下行吗” tells no day
        return PAUSE, {"until": {"t": pause["until"]}}
    quiet = _QUIET_TOLD.fullmatch(words)
    if quiet is None:
        return None
    try:
        hours(quiet["span"])
    except Invalid:
        return None  # “免打扰怎么设” asks how, and tells no hours
    return QUIET, {"span": {"t": quiet["span"]}}


class AddressFacts(BaseModel):
    """The form of address chosen before; empty without one."""

    chosen: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """How to speak to the person; None = by name again."""

    words: str | None


def _address_facts(session: Session, person: Person) -> AddressFacts:
    return AddressFacts(chosen=address_form(session, person) or "")


def _address_talk(facts: AddressFacts) -> Talk:
    now = _("现在称呼你“{words}”。").format(words=facts.chosen) + "\n" if facts.chosen else ""
    clear = (Choice("~clear", _("不用称呼了"), words=(_("清除"), "clear")),) if facts.chosen else ()
    words = yield Ask(
        "words",
        now + _("希望大家怎么称呼你？2 到 10 个字，例如：陈姐、林哥、周老师。聊天里会用它代替你的姓名。"),
        choices=clear,
        check=form_of_address,
    )
    return Address(None if words == "~clear" else words)


def _set_address(session: Session, person: Person, command: Address) -> Reply:
    set_address_form(session, person, command.words)
    if command.words is None:
        return Reply(_("好的，不再用称呼了。"))
    return Reply(_("好的，以后称呼你“{words}”。").format(words=command.words))


ADDRESS = Dialogue("address_form", AddressFacts, _address_facts, _address_talk, _set_address)
