"""What leads from a waiting person to the steps that can be taken: shared by the talks that offer them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.days import with_weekday
from handlers.dialogue import Choice
from handlers.late import asked
from handlers.message import Option
from models.beneficiary import Beneficiary, is_minor
from models.family_doors import doors_of
from models.person import Person, local_now

STEP, PICK = "served_step", "proposal_pick"  # the talks' names
LOOK = "~look"
# The steps of a state, in the order in which they are offered.
STEPS = {
    "consent": ("agreed",),
    "nobody": ("invite", "called", "door", "cut", "took_back"),
    "relay": ("invite", "called", "door", "cut", "took_back"),
    "asked": ("again", "called", "door", "cut", "took_back"),
    "agreeing": ("meet", "write", "called", "door", "cut", "off", "took_back"),
    "paired": ("called", "door", "cut", "took_back"),
}


class StepFacts(BaseModel):
    """For whom, in which state; `today` where whoever is asked lives, in ISO form. `minor` = only a guardian can agree:
    under age, or without a date of birth."""

    served: str = ""
    state: str = ""
    today: str = "2000-01-01"
    minor: bool = False


class PickFacts(BaseModel):
    """Whom the proposals are for; without any they are still to be found."""

    served: str = ""
    proposals: tuple[str, ...] = ()


def steps(state: str) -> tuple[Choice, ...]:
    """What can be done for somebody in this state."""
    words = {
        "agreed": _("记录家里的同意"),
        "invite": _("按编号邀请"),
        "again": _("再邀请一位"),
        "called": _("设称呼"),
        "door": _("给家里一个码"),
        "cut": _("断开家里的账号"),
        "took_back": _("家里不同意了"),
        "meet": _("约第一次见面"),
        "write": _("见过面了，写协议"),
        "off": _("没有谈成"),
    }
    also = {"meet": (_("约见面"),)}
    return tuple(Choice(step, words[step], words=also.get(step, ())) for step in STEPS.get(state, ()))


def look() -> Choice:
    """The way to the proposals."""
    return Choice(LOOK, _("看建议"))


def step_options(session: Session, person: Person, served: str, state: str) -> tuple[Option, ...]:
    """The buttons of everything that can be done now."""
    found: tuple[Option, ...] = ()
    if state in ("nobody", "relay"):
        found = asked(session, person.id, PICK, "look", PickFacts(served=served), [(LOOK, look().label)])
    joined = bool(doors_of(session, served))
    labels = [(choice.value, choice.label) for choice in steps(state) if joined or choice.value != "cut"]
    today, somebody = local_now(session, person).date(), session.get(Beneficiary, served)
    minor = somebody is not None and is_minor(somebody, today)
    facts = StepFacts(served=served, state=state, today=today.isoformat(), minor=minor)
    return (*found, *asked(session, person.id, STEP, "step", facts, labels))


def when(person: Person, at: datetime) -> str:
    """A time where this person lives: 2026-12-05（星期六）14:00."""
    local = at.astimezone(ZoneInfo(person.zone))
    return f"{with_weekday(local.date())} {local:%H:%M}"
