"""连心卡: cards for the doors of families who are served, printed in sheets (programme §7).

A card holds an opaque token. Whoever serves there and scans it checks in; anybody else learns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlmodel import Session, col, select

from models import audit
from models.beneficiary import LISTED, Beneficiary, may_see, record_of
from models.database import now_of, vault_of
from models.door_card import DoorCard
from models.family_consent import VISITS, agreed
from models.ids import new_id, new_token
from models.pairing import OPEN, Stint

TOKEN = 22  # characters


@dataclass(frozen=True, slots=True)
class Printed:
    """One card as it is printed: `serial` tells cards apart, `form` is the form of address, empty where the family did
    not agree to visits (or has none)."""

    token: str
    serial: str
    form: str


@dataclass(frozen=True, slots=True)
class Made:
    """`replaced` = how many older cards have ended by this and open nothing any more."""

    cards: tuple[Printed, ...]
    replaced: int


def served_in(session: Session, region: str, team_id: str | None = None) -> list[str]:
    """Who of a region is served today, by anybody or by one team; those of one county and town beside each other."""
    stints = select(Stint.beneficiary_id).where(Stint.state == OPEN, col(Stint.beneficiary_id).is_not(None))
    if team_id is not None:
        stints = stints.where(Stint.team_id == team_id)
    query = select(Beneficiary.id).where(
        col(Beneficiary.id).in_(stints),
        col(Beneficiary.county).startswith(region, autoescape=True),
        Beneficiary.status == LISTED,
        col(Beneficiary.merged_into).is_(None),
    )
    return list(session.exec(query.order_by(col(Beneficiary.county), col(Beneficiary.town), Beneficiary.id)))


def standing_among(session: Session, people: Sequence[str]) -> int:
    """How many of these have a card already, which a new one would end."""
    query = select(DoorCard.id).where(col(DoorCard.beneficiary_id).in_(people), col(DoorCard.ended_at).is_(None))
    return len(session.exec(query).all())


def make(session: Session, by: str, people: Sequence[str]) -> Made:
    """A new card for each of these whom `by` answers for; the card before it ends. Others are passed over."""
    now, replaced, made = now_of(session), 0, []
    for one in people:
        query = select(Beneficiary).where(Beneficiary.id == one).with_for_update()
        somebody = session.exec(query.execution_options(populate_existing=True)).first()
        if somebody is None or not may_see(session, by, somebody.county):
            continue
        before = standing_of(session, one)
        if before is not None:
            before.ended_at = now
            session.add(before)
            session.flush()
            replaced += 1
        row = DoorCard(id=new_id(), beneficiary_id=one, token=new_token(), made_by=by, made_at=now)
        session.add(row)
        session.flush()
        audit.note(session, by, "card.made", row.id, beneficiary=one)
        made.append(Printed(row.token, serial_of(row), _form(session, somebody)))
    return Made(tuple(made), replaced)


def serial_of(card: DoorCard) -> str:
    """What tells cards apart when somebody asks about one: nothing about whose it is."""
    return card.id[-8:].upper()


def _form(session: Session, somebody: Beneficiary) -> str:
    """Only the form of address that stands in the ledger, and only with the family's yes to visits."""
    if agreed(session, somebody.id, VISITS) is None:
        return ""
    return record_of(vault_of(session), somebody).called or ""


def standing_of(session: Session, beneficiary_id: str) -> DoorCard | None:
    """The card that hangs there now."""
    query = select(DoorCard).where(DoorCard.beneficiary_id == beneficiary_id, col(DoorCard.ended_at).is_(None))
    return session.exec(query).first()


def card_of(session: Session, token: str) -> DoorCard | None:
    """The card with this token, whether it has ended or not."""
    if len(token) != TOKEN:
        return None
    return session.exec(select(DoorCard).where(DoorCard.token == token)).first()


Verdict = Literal["good", "ended", "foreign"]


def scanned(session: Session, by: str, token: str, serving: Sequence[Stint]) -> tuple[Verdict, Stint | None]:
    """What a scan of a card means for somebody who serves in these stints. Whoever does not serve there learns no more
    than from a card that never was; that somebody tried is written down."""
    card = card_of(session, token)
    if card is None:
        return "foreign", None
    stint = next((one for one in serving if one.beneficiary_id == card.beneficiary_id), None)
    if stint is None:
        audit.note(session, by, "card.foreign", card.id)
        return "foreign", None
    return ("good" if card.ended_at is None else "ended"), stint
