"""How a visit was, said by the family in one tap on its own phone; only whoever answers for the county sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.days import with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.late import asked
from handlers.message import Option, Reply
from models import hours_told
from models.family_consent import holds_door
from models.person import Person
from models.service import CONFIRMED, ServiceRecord

NAME = "family_feedback"


class VisitFacts(BaseModel):
    """Which record."""

    record: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """`what` is one of service.FAMILY_SAYS."""

    record: str
    what: str


def _facts(session: Session, person: Person) -> VisitFacts:
    return VisitFacts()


def _choices() -> tuple[Choice, ...]:
    return Choice("good", _("挺好")), Choice("fair", _("一般")), Choice("change", _("想换人"))


def _talk(facts: VisitFacts) -> Talk:
    if not facts.record:
        return None
    return Say(facts.record, (yield Ask("how", _("这次怎么样？"), _choices())))


def _say(session: Session, person: Person, command: Say) -> Reply:
    back = (Option("m:family", _("我家的志愿者")),)
    if not hours_told.family_says(session, person.id, command.record, command.what):
        return Reply(_("这个账号没有连着这一家，没有改动。"))
    text = _("记下了，只有专员看得到。谢谢！")
    return Reply(text + (_("专员会联系您商量换人。") if command.what == "change" else ""), back)


FAMILY_FEEDBACK = Dialogue(NAME, VisitFacts, _facts, _talk, _say, repeats=True)


def _asked(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the family's phone. None where it has left, or the record does not count any more."""
    row = session.get(ServiceRecord, str(params["record"]))
    if row is None or row.state != CONFIRMED or row.beneficiary_id is None or row.family_said is not None:
        return None
    if not holds_door(session, row.beneficiary_id, person.id):
        return None
    day = with_weekday(row.starts_at.astimezone(ZoneInfo(person.zone)).date())
    labels = [(choice.value, choice.label) for choice in _choices()]
    text = _("{day}志愿者来过。这次怎么样？点一下就行，不想说也可以；只有专员看得到。").format(day=day)
    return Reply(text, asked(session, person.id, NAME, "how", VisitFacts(record=row.id), labels))


NOTICES = {"notice.family_asked": _asked}
