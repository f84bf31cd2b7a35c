"""Directions about pairings: 〔志愿者 阿林 林哥〕, 〔结对 阿林 1〕, 〔团队 GZ01 阿林 阿青〕, 〔去世 1〕, 〔撤下〕.

Numbers are those of the people of 〔台账 …〕; 〔结对 …〕 of somebody whose relay seeks makes the successor.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Protocol

from sqlmodel import Session, select

from models import volunteer
from models.beneficiary import DIED
from models.person import Person, address_form, set_address_form
from models.served_gone import left
from models.team import Team
from models.volunteer import Registered, volunteer_of
from tests import directions_check_in
from tests.pairings import hush, pair, somebody, team_with


class Stage(Protocol):
    """What a direction needs of a play."""

    numbers: list[str]

    def person_id(self, session: Session, name: str) -> str: ...


def _volunteer(play: Stage, session: Session, name: str, form: str = "") -> None:
    """Somebody who has written before is registered; with a form of address, if one is given."""
    person = session.get_one(Person, play.person_id(session, name))
    if volunteer_of(session, person.id) is None:
        born, phone = date(2004, 5, 1), f"+86139{len(play.numbers):08d}"
        made = volunteer.register(session, person, Registered("王小明", phone, born, "440106"))
        play.numbers.append(made.number)
    if form and address_form(session, person) is None:
        set_address_form(session, person, form)


def _pair(play: Stage, session: Session, name: str, number: str, team: str = "") -> None:
    """Paired with this person of the ledger; what others tell of it is taken for told."""
    found = session.exec(select(Team).where(Team.number == team)).first()
    pair(session, play.person_id(session, name), somebody(session, int(number)), team=found)
    hush(session)


def _team(play: Stage, session: Session, number: str, leader: str, *members: str) -> None:
    """A team with its leader and members."""
    team_with(session, number, play.person_id(session, leader), *(play.person_id(session, one) for one in members))


def _died(play: Stage, session: Session, number: str) -> None:
    """Somebody served has died."""
    found = somebody(session, int(number))
    found.status = DIED
    session.add(found)
    session.flush()
    left(session, found.id)
    hush(session, "notice.served_left")


def _withdrawn(_play: Stage, session: Session, *kinds: str) -> None:
    """What others tell of a pairing that comes about is taken for told."""
    hush(session, *kinds)


DIRECTIONS: dict[str, Callable[..., None]] = {
    "志愿者": _volunteer,
    "结对": _pair,
    "团队": _team,
    "去世": _died,
    "撤下": _withdrawn,
    **directions_check_in.DIRECTIONS,
}
