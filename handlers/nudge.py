"""A kind reminder from 一户不落: the volunteer says in one tap how it goes, and the specialist hears of it.

A bare 收到 says nothing of it, and counts as nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.here import here
from handlers.household_words import called, mark
from handlers.invitation import given_name
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.somebody import who
from models import household_acts
from models.beneficiary import Beneficiary, may_see
from models.household_acts import BEEN, PLANS, TROUBLE, HouseholdError
from models.person import Person


class NudgeFacts(BaseModel):
    """Who it is about, and who asks."""

    beneficiary: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """`what` is one of household_acts.ANSWERS."""

    beneficiary: str
    by: str
    what: str


def _facts(session: Session, person: Person) -> NudgeFacts:
    return NudgeFacts()


def _choices() -> tuple[Choice, ...]:
    return Choice(BEEN, _("最近去过")), Choice(PLANS, _("准备去")), Choice(TROUBLE, _("有困难"))


def _talk(facts: NudgeFacts) -> Talk:
    if not facts.beneficiary:
        return None
    what = yield Ask("how", _("最近怎么样？"), _choices())
    return Say(facts.beneficiary, facts.by, what)


def _say(session: Session, person: Person, command: Say) -> Reply:
    try:
        household_acts.answer(session, command.beneficiary, person.id, command.by, command.what)
    except HouseholdError:
        return Reply(_("这一位现在不由你结对了，不用再回复。谢谢你！"))
    if command.what == TROUBLE:
        text = _("谢谢你说出来。已经告诉专员你有困难；想说具体一点，请选“联系专员”。需要换人也没关系。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    return Reply(_("谢谢你！已经告诉专员。"))


NUDGE = Dialogue("nudge", NudgeFacts, _facts, _talk, _say, repeats=True)


def _reminder(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """For whoever serves somebody. None once they do not."""
    somebody = session.get(Beneficiary, str(params["beneficiary"]))
    if somebody is None or household_acts.serves(session, somebody, person.id) is None:
        return None
    said = _("专员想知道最近好不好：{who}。方便的时候点一下就行。")
    facts = NudgeFacts(beneficiary=somebody.id, by=str(params["by"]))
    labels = [(choice.value, choice.label) for choice in _choices()]
    text = said.format(who=_known_as(session, person, somebody))
    return Reply(text, asked(session, person.id, NUDGE.name, "how", facts, labels))


def _known_as(session: Session, person: Person, somebody: Beneficiary) -> str:
    """By the given name alone where the chat may carry it."""
    name = None
    if here(session).sensitive_in_chat:
        name = household_acts.name_for(session, somebody, person.id, why="nudge")
    return given_name(name) if name else mark(somebody.id)


def _answered(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """For whoever asked. None where the person is not theirs any more."""
    somebody = session.get(Beneficiary, str(params["beneficiary"]))
    if somebody is None or not may_see(session, person.id, somebody.county):
        return None
    words = {
        BEEN: _("{who}：最近去过（{volunteer}）。"),
        PLANS: _("{who}：准备去（{volunteer}）。"),
        TROUBLE: _("{who}：志愿者有困难，请联系对方（{volunteer}）。"),
    }[str(params["answer"])]
    name = called(session, person, [somebody.id])[somebody.id]
    text = words.format(who=name, volunteer=who(session, str(params["volunteer"])))
    return Reply(text, (Option("m:nobody_dropped", _("一户不落")),))


NOTICES = {"notice.nudge": _reminder, "notice.nudge_answer": _answered}
