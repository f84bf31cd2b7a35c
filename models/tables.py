"""Every table of the programme in one place: what migrations and tests create."""

from __future__ import annotations

from sqlmodel import SQLModel

from models import (  # noqa: F401 imported for their tables
    account,
    activity,
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
    door_card,
    duty_leave,
    family_consent,
    guardian,
    guardianship,
    guards,
    inbox,
    installed,
    institution,
    lease,
    ledger_batch,
    lone_visit,
    offer,
    outbox,
    page,
    pairing,
    person,
    proposal,
    qualification,
    recognition,
    relay,
    role,
    sealed,
    service,
    silence,
    station,
    team,
    turn,
    visit,
    volunteer,
)
from models.database import Database

METADATA = SQLModel.metadata


def create_all(database: Database) -> None:
    """Make all tables at once, for tests; a deployment's come from the migrations."""
    METADATA.create_all(database.engine)
