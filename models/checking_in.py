"""Checking in where somebody serves: at a station, at an activity, or at a family's home (programme §7).

Of a shared location nothing is kept but whether it matched: neither here nor in the inbox (bot/hearing.py), and the
talk asks for it last, so that it never waits in a conversation.
"""

from __future__ import annotations

from math import isfinite

from sqlmodel import Session, col, or_, select

from config.catalogue import rules
from models import audit
from models.beneficiary import Beneficiary, is_minor, record_of
from models.database import now_of, vault_of
from models.distance import kilometres
from models.pairing import OPEN, Stint
from models.person import family
from models.served import is_gone, served_of
from models.service import PLACE, UNPROVEN, ServiceRecord
from models.serving import Doing, check_in
from models.team import memberships


def serving_in(session: Session, person_id: str) -> list[Stint]:
    """The open stints in which somebody serves, alone or as a member of a team; the oldest first."""
    teams = [held.team_id for held in memberships(session, person_id)]
    query = select(Stint).where(
        Stint.state == OPEN,
        or_(col(Stint.person_id).in_(family(session, person_id)), col(Stint.team_id).in_(teams)),
    )
    found = session.exec(query.order_by(col(Stint.made_at), Stint.id)).all()
    once = {stint.beneficiary_id or stint.institution_id: stint for stint in reversed(found)}
    return [stint for stint in found if stint in once.values() and not is_gone(served_of(session, stint))]


def has_place(session: Session, person_id: str, stint: Stint) -> bool:
    """Whether the ledger knows where the family lives, so that a location can match."""
    return _place(session, person_id, stint) is not None


def _place(session: Session, reader: str, stint: Stint) -> tuple[float, float] | None:
    """In degrees, WGS-84; a look at a minor's row is logged."""
    somebody = session.get(Beneficiary, stint.beneficiary_id) if stint.beneficiary_id is not None else None
    if somebody is None:
        return None
    if is_minor(somebody, now_of(session).date()):
        audit.note(session, reader, "beneficiary.read", somebody.id, why="check_in")
    record = record_of(vault_of(session), somebody)
    if record.latitude is None or record.longitude is None:
        return None
    return record.latitude, record.longitude


def is_place(latitude: float, longitude: float) -> bool:
    """Whether these are degrees of a place on earth."""
    return isfinite(latitude) and isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 180


def at_home(
    session: Session, person_id: str, stint: Stint, content: str, latitude: float, longitude: float
) -> ServiceRecord | None:
    """Check in by one shared location (degrees, WGS-84); None where it does not match within near_metres of rules.toml.
    Raises ServiceError."""
    known = _place(session, person_id, stint)
    if known is None or not is_place(latitude, longitude):
        return None
    if kilometres(latitude, longitude, *known) * 1_000 > rules().hours.near_metres:
        return None
    return check_in(session, person_id, Doing(content, PLACE, stint_id=stint.id))


def unproven(session: Session, person_id: str, stint: Stint, content: str, why: str) -> ServiceRecord:
    """Check in without proof of the place, and say why (service.UNPROVEN_WHY). Raises ServiceError."""
    return check_in(session, person_id, Doing(content, UNPROVEN, stint_id=stint.id, unproven_why=why))
