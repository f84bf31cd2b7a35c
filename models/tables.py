"""Every table of the programme in one place: what migrations and tests create."""

from __future__ import annotations

from sqlmodel import SQLModel

from models import (  # noqa: F401 imported for their tables
    account,
    alert,
    audit,
    beneficiary,
    beneficiary_merging,
    channel,
    clock,
    code,
    consent,
    contact,
    conversation,
    family_consent,
    guardian,
    guardianship,
    inbox,
    installed,
    institution,
    lease,
    ledger_batch,
    offer,
    outbox,
    page,
    pairing,
    person,
    proposal,
    recognition,
    relay,
    role,
    sealed,
    silence,
    station,
    team,
    turn,
    volunteer,
)
from models.database import Database

METADATA = SQLModel.metadata


def create_all(database: Database) -> None:
    """Make all tables at once, for tests; a deployment's come from the migrations."""
    METADATA.create_all(database.engine)
