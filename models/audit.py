"""The audit trail: who did what to what, and when. Append-only, and without personal data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, insert
from sqlmodel import Field, Session, SQLModel, select

from models.database import now_of
from models.ids import new_id


class AuditEntry(SQLModel, table=True):
    """One line. `actor` is a person's id, or "machine" for the command line, or "programme" for jobs."""

    __tablename__ = "audit"
    id: str = Field(default_factory=new_id, primary_key=True)
    at: datetime
    actor: str = Field(index=True)
    action: str
    subject: str = Field(index=True)
    details: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


def note(session: Session, actor: str, action: str, subject: str, **details: str | int | bool | None) -> None:
    """Add a line; `details` hold opaque ids, codes and versions only."""
    session.add(AuditEntry(at=now_of(session), actor=actor, action=action, subject=subject, details=details))


def note_all(
    session: Session, actor: str, action: str, subjects: Sequence[str], **details: str | int | bool | None
) -> None:
    """The same line about each of these, in one statement."""
    told = {"at": now_of(session), "actor": actor, "action": action, "details": details}
    if subjects:
        session.execute(insert(AuditEntry), [told | {"id": new_id(), "subject": subject} for subject in subjects])


def noted(session: Session, action: str, subject: str, **details: str) -> bool:
    """Whether such a line stands there, with these details among its own."""
    query = select(AuditEntry.details).where(AuditEntry.subject == subject, AuditEntry.action == action)
    return any(details.items() <= found.items() for found in session.exec(query))
