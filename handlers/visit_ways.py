"""What leads to the talks about visits: their names, what they know at the start, and words that several use."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.days import with_weekday
from handlers.dialogue import Choice
from handlers.late import asked
from handlers.message import Option
from handlers.served_words import by_name, served
from models import visit_reporting, visiting, visits_owed
from models.beneficiary import Beneficiary, may_see
from models.institution import Institution
from models.pairing import Stint
from models.person import Person, local_now
from models.served import Served, served_of
from models.visit import Booking, Visit

ANSWER, BOOK, OFF, VAIN, REPORT, BEHALF, HOLD, READ = (
    "visit_answer",
    "book_visit",
    "visit_off",
    "visit_vain",
    "visit_report",
    "visit_behalf",
    "visit_hold",
    "visit_read",
)


class Home(BaseModel):
    """Whom a pairing serves, for the talk: `since` = the day on which it began; `visit` = what is owed first, `due`
    until when, `opens` from when on."""

    stint: str
    who: str
    since: str = ""
    visit: str = ""
    due: str = ""
    opens: str = ""


class Booked(BaseModel):
    """A time that stands; `at` is local, without zone."""

    booking: str
    stint: str
    who: str
    at: str


class VisitFacts(BaseModel):
    """What a talk about visits knows at the start: `now` is local time, without zone; `fresh` = that of today, and not
    of the day on which a message with buttons was sent."""

    now: str = "2000-01-01T00:00"
    fresh: bool = False
    homes: tuple[Home, ...] = ()
    booked: tuple[Booked, ...] = ()
    visit: str = ""
    stint: str = ""
    who: str = ""
    due: str = ""
    booking: str = ""
    at: str = ""


class OwedFacts(BaseModel):
    """Obligations that somebody is told of, and the local time; `fresh` as of VisitFacts."""

    visits: tuple[str, ...] = ()
    who: str = ""
    fresh: bool = False
    now: str = "2000-01-01T00:00"


def now_at(session: Session, person: Person) -> str:
    """The local time, as facts keep it."""
    return local_now(session, person).replace(tzinfo=None).isoformat(timespec="minutes")


def freshened(session: Session, person: Person, facts: VisitFacts) -> VisitFacts:
    """The same facts, today."""
    return facts.model_copy(update={"now": now_at(session, person), "fresh": True})


def local(person: Person, at: datetime) -> str:
    """A time where this person lives, as facts keep it."""
    return at.astimezone(ZoneInfo(person.zone)).replace(tzinfo=None).isoformat(timespec="minutes")


def instant(person: Person, at: str) -> datetime:
    """The time that was meant where this person lives."""
    return datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(person.zone))


def called(session: Session, person: Person, about: Served) -> str:
    """Whom it is about: by name for whoever answers for the county, else as those who serve read it."""
    if isinstance(about, Beneficiary) and may_see(session, person.id, about.county):
        return by_name(session, person, about)
    return served(session, person, about)


def homes(session: Session, person: Person, *, went: bool = False) -> tuple[Home, ...]:
    """Whom somebody visits, with what is owed there first; `went` = also whom they may have visited in turn."""
    found = []
    stints = (visiting.gone_to if went else visiting.going)(session, person.id)
    owed = visits_owed.owed_of(session, [stint.id for stint in stints])
    for stint in stints:
        first = next((visit for visit in owed if visit.stint_id == stint.id), None)
        told = (
            {"visit": first.id, "due": first.due_on.isoformat(), "opens": first.opens_on.isoformat()} if first else {}
        )
        told["since"] = local(person, stint.opened_at or stint.made_at)[:10]
        found.append(Home(stint=stint.id, who=served(session, person, served_of(session, stint)), **told))
    return tuple(found)


def bookings(session: Session, person: Person) -> tuple[Booked, ...]:
    """The times that stand, the next one first."""
    found = []
    for row in visiting.bookings_of(session, person.id):
        who = served(session, person, served_of(session, session.get_one(Stint, row.stint_id)))
        found.append(Booked(booking=row.id, stint=row.stint_id, who=who, at=local(person, row.at)))
    return tuple(found)


def served_by_visit(session: Session, visit: Visit) -> Served:
    """Whom an obligation is about."""
    if visit.beneficiary_id is not None:
        return session.get_one(Beneficiary, visit.beneficiary_id)
    return session.get_one(Institution, visit.institution_id)


# --- words ---


def answer_choices() -> tuple[Choice, ...]:
    """The three answers to a reminder."""
    return (
        Choice("go", _("能去（约时间）"), words=("能去", "可以去", "我去", "去", "约时间", "能", "can go", "yes")),
        Choice("cannot", _("去不了"), words=("去不成", "不能去", "没空", "唔得閒", "去唔到", "can't go", "cannot go")),
        Choice("later", _("晚点问我"), words=("晚点", "以后再说", "遲啲問我", "later", "ask me later")),
    )


def answer_options(session: Session, person: Person, visit: Visit, stint: Stint, who: str) -> tuple[Option, ...]:
    """The answers to a reminder as buttons; they may be pressed late, and more than once. `who` = whom it is about."""
    facts = VisitFacts(
        now=now_at(session, person), visit=visit.id, stint=stint.id, who=who, due=visit.due_on.isoformat()
    )
    labels = [(choice.value, choice.label) for choice in answer_choices()]
    return asked(session, person.id, ANSWER, "what", facts, labels)


def booked_choices() -> dict[str, str]:
    """What can be done with a time that stands."""
    return {
        "new": _("再约一个时间"),
        "move": _("改时间"),
        "cancel": _("取消约好的探访"),
        "vain": _("去了，没人在家"),
        "report": _("去过了，写探访记录"),
    }


def booked_options(session: Session, person: Person, row: Booking, *what: str) -> tuple[Option, ...]:
    """Some of that as buttons, for one booking."""
    who = served(session, person, served_of(session, session.get_one(Stint, row.stint_id)))
    booked = Booked(booking=row.id, stint=row.stint_id, who=who, at=local(person, row.at))
    facts = VisitFacts(now=now_at(session, person), booked=(booked,), booking=row.id)
    words = booked_choices()
    return asked(session, person.id, BOOK, "what", facts, [(one, words[one]) for one in what])


def report_option(session: Session, person: Person, row: Booking) -> tuple[Option, ...]:
    """The way from a booked time to its report."""
    stint = session.get_one(Stint, row.stint_id)
    who = served(session, person, served_of(session, stint))
    facts = VisitFacts(now=now_at(session, person), stint=stint.id, who=who, booking=row.id, at=local(person, row.at))
    return asked(session, person.id, REPORT, "go", facts, [("yes", _("去过了，写探访记录"))])


def behalf_options(session: Session, person: Person, visit: Visit) -> tuple[Option, ...]:
    """What whoever answers for an obligation may do about it in the volunteer's place."""
    who = called(session, person, served_by_visit(session, visit))
    facts = OwedFacts(visits=(visit.id,), who=who, now=now_at(session, person))
    words = behalf_choices()
    return asked(session, person.id, BEHALF, "what", facts, list(words.items()))


def behalf_choices() -> dict[str, str]:
    """The same as words by value."""
    return {"made": _("志愿者去过了，我来记"), "excuse": _("这次不用去了")}


def hold_option(session: Session, person: Person, visits: list[str]) -> tuple[Option, ...]:
    """收到，我来处理."""
    facts = OwedFacts(visits=tuple(visits), now=now_at(session, person))
    return asked(session, person.id, HOLD, "go", facts, [("hold", _("收到，我来处理"))])


class ReadFacts(BaseModel):
    """Which report."""

    report: str = ""


def read_option(session: Session, person: Person, beneficiary_id: str | None) -> tuple[Option, ...]:
    """看最近的探访记录, where there is one and they answer for the county."""
    row = visit_reporting.newest_for(session, person.id, beneficiary_id) if beneficiary_id else None
    if row is None:
        return ()
    return asked(session, person.id, READ, "go", ReadFacts(report=row.id), [("read", _("看最近的探访记录"))])


def answer_labels() -> dict[str, str]:
    """What a report tells of how somebody is, by key."""
    return {"mood": _("心情"), "body": _("身体和精神"), "days": _("吃住和照顾"), "note": _("想说的话")}


def forms() -> dict[str, str]:
    """How a visit is made."""
    return {
        "home": _("入户探访"),
        "institution": _("在机构见面"),
        "together": _("一起参加活动"),
        "call": _("电话或视频"),
        "parcel": _("书信或物资"),
    }


def form_words() -> dict[str, tuple[str, ...]]:
    """Other words for it."""
    return {
        "home": ("入户", "上门", "去家里", "家里", "家訪", "家访"),
        "institution": ("机构", "機構", "学校"),
        "together": ("活动", "活動", "陪同活动"),
        "call": ("电话", "電話", "视频", "視像", "打电话"),
        "parcel": ("书信", "写信", "物资", "寄东西"),
    }


def form_choices() -> tuple[Choice, ...]:
    """The same as choices."""
    return tuple(Choice(form, label, words=form_words()[form]) for form, label in forms().items())


def flag_words(flags: list[str]) -> str:
    """What of a visit does not quite fit a rule, told without a reproach."""
    words = {
        "same_form": _("今年两次探访是同一种方式，下次换一种会更好。"),
        "no_face": _("今年还没有见过面，方便的话请当面去一次。"),
    }
    return "".join(words[one] for one in flags if one in words)


def refused(reason: str, day: date | None = None) -> str:
    """Why a rule did not take it."""
    on = with_weekday(day) if day is not None else ""
    return {
        "gone": _("这一项已经不在了，没有改动。回复“约探访”看现在的安排。"),
        "scope": _("这次探访现在不由你负责，没有改动。有疑问请回复“联系专员”。"),
        "past": _("这个时间已经过了，请换一个。"),
        "future": _("这个时间还没有到。"),
        "far": _("太远了，最晚可以约到 {day}，请换一个近一点的时间。").format(day=on),
        "day": _("这一天不行，请换一个日子。")
        if day is None
        else _("这一天不行，界限是 {day}，请换一个。").format(day=on),
        "early": _("这一次要在 {day}以后去才算（两次之间隔 60 天），请换一个时间。").format(day=on),
        "booked": _("这次探访已经约了时间。要改，请回复“约探访”，选“改时间”。"),
        "taken": _("那个时间前后一小时里，你或这一家已经有别的安排了，请换一个时间。"),
        "closed": _("这次探访已经完成或不用去了，不用再办。"),
        "form": _("请选一种方式。"),
        "why": _("请写明原因。"),
        "held": _("这一项已经有人说过来处理了。"),
    }.get(reason, _("现在办不了，没有改动。"))
