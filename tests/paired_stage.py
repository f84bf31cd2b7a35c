"""Directions about pairings: 〔志愿者 阿林 林哥〕, 〔结对 阿林 1〕, 〔团队 GZ01 阿林 阿青〕, 〔团队专员 陈老师 GZ01〕,
〔机构结对 阳光家园 GZ01 何老师〕, 〔机构 440106 阳光家园〕, 〔去世 1〕, 〔撤下〕.

Numbers are those of the people of 〔台账 …〕; 〔结对 …〕 of somebody whose relay seeks makes the successor.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Protocol

from sqlmodel import Session, select

from models import agreement, institution, institution_pairing, volunteer
from models.agreement import Terms
from models.beneficiary import DIED, MACHINE
from models.database import now_of
from models.ids import new_number
from models.institution import Institution
from models.person import Person, address_form, set_address_form
from models.role import RoleGrant
from models.served import leaders
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


def _team_specialist(play: Stage, session: Session, name: str, number: str) -> None:
    """Somebody becomes a specialist of this team."""
    told = {"scope_kind": "team", "scope": number, "granted_by": "machine", "granted_at": now_of(session)}
    session.add(RoleGrant(person_id=play.person_id(session, name), role="specialist", **told))


def _institution_paired(play: Stage, session: Session, name: str, number: str, by: str) -> None:
    """An institution with which this team is paired; its leader accepts."""
    boss, now = play.person_id(session, by), now_of(session)
    house = Institution(number=new_number(), name=name, kind="care", county="440106", made_by=MACHINE, made_at=now)
    session.add(house)
    session.flush()
    team = session.exec(select(Team).where(Team.number == number)).one()
    stint = institution_pairing.agree(session, house.id, team.id, Terms(("study",), 12, 12), boss)
    [leader] = leaders(session, team.id)
    assert stint.confirmed_at is not None
    agreement.accept(session, stint.id, leader, stint.confirmed_at)
    hush(session)


def _institution(_play: Stage, session: Session, county: str, name: str, town: str = "") -> None:
    """An institution of a county."""
    made = institution.create(session, MACHINE, name, "care", county)
    made.town = town or None
    session.add(made)


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
    "团队专员": _team_specialist,
    "机构结对": _institution_paired,
    "机构": _institution,
    "去世": _died,
    "撤下": _withdrawn,
    **directions_check_in.DIRECTIONS,
}
