"""How people of a pairing are spoken of in chat: whom it is about, who serves, who answers for it.

Those who serve read a form of address; whoever answers for the county reads the name. On a platform that must not carry
either there is a mark of the case.
"""

from __future__ import annotations

from datetime import date

from sqlmodel import Session

from config.texts import _
from handlers.here import here
from handlers.somebody import who
from models.beneficiary import Beneficiary, dossier_of, may_see
from models.called import called_by
from models.institution import Institution
from models.pairing import Stint
from models.person import Person, address_form
from models.relay import Relay
from models.relaying_lists import Handing, responsible_for
from models.served import Served, servers


def mark(somebody: Beneficiary) -> str:
    """A case by a mark of its own, which every platform may carry; in quotation marks, as it stands in sentences."""
    return _("“档案 {mark}”").format(mark=somebody.id[-6:].upper())


def served(session: Session, person: Person, somebody: Served) -> str:
    """Somebody served, for whoever serves them; an institution by its name."""
    if isinstance(somebody, Institution):
        return somebody.name
    called = called_by(session, somebody, person.id) if here(session).sensitive_in_chat else None
    if called is not None and (called.form or called.given):
        return called.form or called.given
    if called is None or called.sex is None:
        return mark(somebody)
    polite = {"female": _("{surname}女士"), "male": _("{surname}先生")}[called.sex]
    return polite.format(surname=called.surname)


def by_name(session: Session, person: Person, somebody: Served) -> str:
    """Somebody served, for whoever answers for the county; a look at a minor's row is logged."""
    if isinstance(somebody, Institution):
        return somebody.name
    if not here(session).sensitive_in_chat or not may_see(session, person.id, somebody.county):
        return mark(somebody)
    return dossier_of(session, somebody, person.id, why="relay").name


def volunteer(session: Session, person_id: str | None) -> str:
    """Somebody who serves, by form of address and number; by the number alone where the platform carries no more."""
    if person_id is None:
        return _("团队")
    number = who(session, person_id)
    somebody = session.get(Person, person_id) if here(session).sensitive_in_chat else None
    form = address_form(session, somebody) if somebody else None
    return _("{what}（{number}）").format(what=form, number=number) if form else number


def server(session: Session, stint: Stint) -> str:
    """Who serves in a stint, as `volunteer`; of a team whoever leads it today."""
    return volunteer(session, next(iter(servers(session, stint)), None))


def colleague(session: Session, person: Person, other: str | None) -> str:
    """Who answers for something, by the form of address they chose."""
    if other == person.id:
        return _("你自己")
    somebody = session.get(Person, other) if other else None
    form = address_form(session, somebody) if somebody else None
    return form or _("当地的专员")


def responsible(session: Session, person: Person, found: Handing) -> str:
    """Who is responsible for a relay today, as `colleague`."""
    return colleague(session, person, responsible_for(session, found))


def reason(why: str) -> str:
    """Why a relay was begun, without a reproach."""
    return {
        "graduation": _("毕业"),
        "moved": _("搬走"),
        "stopped": _("不能继续"),
        "term": _("一期快满了"),
        "silence": _("联系不上"),
        "organisation": _("换团队"),
        "specialist": _("专员安排"),
        "gone": _("已经离开"),
    }.get(why, why)


def relay_reason(row: Relay) -> str:
    """The same of one that stands: somebody whom a door still reaches only said nothing."""
    return _("没有回音") if row.undecided else reason(row.reason)


def day_of(iso: str) -> date | None:
    """A day kept in facts or parameters; None where it is none."""
    try:
        return date.fromisoformat(iso)
    except ValueError:
        return None
