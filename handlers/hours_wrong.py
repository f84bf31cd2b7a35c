"""我的时长有误: which record or month, and what is wrong; it becomes a case, answered within some working days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers import hours_words
from handlers.days import with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Refused, Talk
from handlers.free_text import free_words
from handlers.here import here
from handlers.hours_pages import elsewhere
from handlers.hours_ways import WRONG, About, WrongFacts
from handlers.message import Option, Reply
from models import hours_cases
from models.hours_ledger import by_month
from models.hours_told import records_of
from models.months import months_on
from models.person import Person, family, local_now
from models.service import VOID, HoursCase
from models.serving import ServiceError
from models.volunteer import volunteer_of
from models.workdays import announced

RECORDS, MONTHS = 5, 3  # offered
LONGEST = 500  # characters
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Open:
    """What is wrong; `about` None = they are no volunteer."""

    about: About | None
    words: str = ""


def _facts(session: Session, person: Person) -> WrongFacts:
    if volunteer_of(session, person.id) is None:
        return WrongFacts(known=False)
    records = [row for row in records_of(session, person.id) if row.state != VOID and row.ends_at is not None]
    found = [
        About(
            record=row.id,
            starts_at=row.starts_at.isoformat(),
            ends_at=row.ends_at.isoformat() if row.ends_at is not None else "",
            content=row.content,
            minutes=row.minutes,
        )
        for row in records[:RECORDS]
    ]
    found += [About(month=key) for key in _months(session, person)]
    return WrongFacts(about=tuple(found), zone=person.zone)


def _months(session: Session, person: Person) -> Iterator[str]:
    """This month and the ones before, whatever was recorded in them: what is missing may be all of it."""
    first, known = local_now(session, person).date().replace(day=1), by_month(session, person.id)
    for back in range(MONTHS):
        yield f"{months_on(first, -back):%Y-%m}"
    yield from [key for key in known if key < f"{months_on(first, 1 - MONTHS):%Y-%m}"][:1]


def _talk(facts: WrongFacts) -> Talk:
    if not facts.known:
        return Open(None)
    about = facts.about[0] if facts.chosen else None
    if facts.chosen:
        # The button that began it answers this one; the words are read only where it is asked again.
        yield Ask("go", _("这一条有误？"), (Choice("yes", _("是")),))
    else:
        choices = [Choice(str(at), _label(facts, each)) for at, each in enumerate(facts.about)]
        picked = yield Ask("about", _("哪里不对？选一条，或者选一个月。"), (*choices, Choice(OTHER, _("都不是"))))
        about = facts.about[int(picked)] if picked != OTHER else About()
    words = yield Ask(
        "words",
        _("是怎么不对？写清楚哪天、几点到几点、做了什么。"),
        check=free_words(LONGEST),
        told=True,
        sensitive=True,
    )
    # Not said again here: this platform may be one that must not carry it.
    sure = yield Ask(
        "sure",
        _("写好了。交给专员吗？"),
        (Choice("yes", _("提交")), Choice("again", _("重写"), drops=("words",)), Choice("no", _("先不提"))),
    )
    return Open(about, words) if sure == "yes" else None


def _label(facts: WrongFacts, about: About) -> str:
    if about.month:
        return hours_words.month(about.month)
    ends = datetime.fromisoformat(about.ends_at) if about.ends_at else None
    when = hours_words.span(facts.zone, datetime.fromisoformat(about.starts_at), ends)
    return _("{span}，{content}，{hours}").format(
        span=when, content=hours_words.content(about.content), hours=hours_words.hours(about.minutes)
    )


def _open(session: Session, person: Person, command: Open) -> Reply:
    about = command.about
    if about is None:
        text = _("还没有注册成为志愿者，所以没有时长。想加入，回复“报名”。")
        return Reply(text, (Option("m:register", _("报名注册")),))
    try:
        case = hours_cases.open_case(session, person.id, command.words, about.record or None, about.month)
    except ServiceError as error:
        if error.reason == "state":
            text = _("这件事已经提过了，还在等答复；或者同时提了太多件。答复了会告诉你。")
            return Reply(text, (_back(), Option("m:contact", _("联系专员"))))
        if error.reason == "why":
            raise Refused("words", _("这条消息里没有文字，请写一两句。")) from error
        return Reply(_("这一条已经不在了。"), (_back(),))
    text = _("交给专员了，最晚 {day}答复（{count} 个工作日）。").format(
        day=with_weekday(case.due_on), count=rules().hours.answer_days
    )
    return Reply(text + _provisional(case.due_on), (_back(),))


def _provisional(day: date) -> str:
    return "" if announced(day) else _("那一年的放假安排还没有公布，日期可能会变。")


def _back() -> Option:
    return Option("m:hours", _("我的时长"))


HOURS_WRONG = Dialogue(WRONG, WrongFacts, _facts, _talk, _open)


# --- what is told ---


def _answered(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the volunteer."""
    case = session.get(HoursCase, str(params["case"]))
    if case is None or case.state != "answered" or case.person_id not in family(session, person.id):
        return None
    day = case.opened_at.astimezone(ZoneInfo(person.zone)).date()
    text = _("你 {day} 提的“时长有误”有答复了。").format(day=day)
    place, options = here(session), (_back(), Option("m:hours_wrong", _("还是不对")))
    if place.sensitive_in_chat:
        said = _("专员说：{words}").format(words=hours_cases.answer_of(session, case))
        return Reply(f"{text}\n{said}", options)
    return elsewhere(session, person, case.id, text, options)


NOTICES = {"notice.hours_case_answered": _answered}
