"""Buttons that lead from one talk about hours to another, and what those talks begin with."""

from __future__ import annotations

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.late import asked
from handlers.message import Option

RECORD, WRONG, CASE = "hours_record", "hours_wrong", "hours_case"


class RecordFacts(BaseModel):
    """A record that somebody decides about, as it stood when it was shown. Times are ISO, UTC; `zone` is the reader's.
    `case` = the case for which it is changed."""

    record: str = ""
    zone: str = "Asia/Shanghai"
    starts_at: str = ""
    ends_at: str = ""
    content: str = ""
    state: str = ""
    over: bool = False
    leader: bool = False
    case: str = ""


class About(BaseModel):
    """A record or, with `month` alone, a month that something may be wrong with."""

    record: str = ""
    month: str = ""
    starts_at: str = ""
    ends_at: str = ""
    content: str = ""
    minutes: int = 0


class WrongFacts(BaseModel):
    """What it may be about; exactly one where the person has chosen already."""

    about: tuple[About, ...] = ()
    chosen: bool = False
    zone: str = "Asia/Shanghai"
    known: bool = True


class CaseFacts(BaseModel):
    """A case that somebody answers; `record` = the record it is about, empty without one."""

    case: str = ""
    record: str = ""


def wrong_option(session: Session, person_id: str, about: About, zone: str) -> tuple[Option, ...]:
    """我的时长有误, about this one."""
    facts = WrongFacts(about=(about,), chosen=True, zone=zone)
    return asked(session, person_id, WRONG, "go", facts, [("yes", _("我的时长有误"))])


def case_options(session: Session, person_id: str, facts: CaseFacts) -> tuple[Option, ...]:
    """What can be done about a case."""
    labels = [("answer", _("写答复")), *([("change", _("改这一条"))] if facts.record else [])]
    return asked(session, person_id, CASE, "what", facts, labels)
