"""One-time pages: an opaque token, bound to a person and a purpose, short-lived (architecture.md §9)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, delete, update
from sqlmodel import Field, Session, SQLModel, col, select

from config.catalogue import rules
from models.database import machine_now_of, vault_of
from models.ids import new_token
from models.sealed import sealed_columns

KINDS = ("answer", "data", "guardian")


class Page(SQLModel, table=True):
    """The token itself is not kept, only its SHA-256. Times are the machine's.

    `answer`: a sensitive question is answered there, once, or the platform asks there for a permission (`allow` in the
    facts). `data`: something to read until it expires: a person's own copy, one thing about somebody else
    (`message`, `alert`, `recognition`, `call`, `address` or `relay_note` in the facts), or a list of people
    (`households`); or a ledger is handed in there (`import`). `guardian`: what a guardian is asked to agree to, with
    the way into the guardian's own chat.
    """

    __tablename__ = "page"
    __table_args__ = (CheckConstraint(f"kind IN {KINDS}", name="kind"),)
    id: str = Field(primary_key=True)
    kind: str
    person_id: str = Field(foreign_key="person.id", index=True)
    door_id: str | None = None
    facts_sealed: bytes
    created_at: datetime
    expires_at: datetime = Field(index=True)
    used_at: datetime | None = None


sealed_columns("page", "id", "facts_sealed")


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page that may be shown now."""

    id: str
    kind: str
    person_id: str
    door_id: str | None
    facts: dict[str, Any]


def _id(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def issue_page(
    session: Session,
    person_id: str,
    kind: str,
    facts: dict[str, Any],
    *,
    door_id: str | None = None,
    lasts: timedelta | None = None,
) -> str:
    """Make a page and return its token, which is nowhere else. `lasts` defaults to page_minutes of rules.toml."""
    token = new_token()
    now = machine_now_of(session)
    session.add(
        Page(
            id=_id(token),
            kind=kind,
            person_id=person_id,
            door_id=door_id,
            facts_sealed=vault_of(session).seal_json("page.facts_sealed", _id(token), facts),
            created_at=now,
            expires_at=now + (lasts or timedelta(minutes=rules().doors.page_minutes)),
        )
    )
    session.flush()
    return token


def open_page(session: Session, token: str) -> OpenPage | None:
    """The page behind a token; None when there is none, it expired, or it was used."""
    row = session.get(Page, _id(token)) if len(token) == 22 else None
    if row is None or row.used_at is not None or row.expires_at <= machine_now_of(session):
        return None
    facts = vault_of(session).open_json("page.facts_sealed", row.id, row.facts_sealed)
    return OpenPage(row.id, row.kind, row.person_id, row.door_id, facts)


def facts_of(session: Session, page_id: str, *, locked: bool = False) -> dict[str, Any] | None:
    """What a page says, even when its time is over; None when it is forgotten. `locked` = nobody else writes it until
    the transaction ends."""
    query = select(Page).where(Page.id == page_id)
    row = session.exec(query.with_for_update() if locked else query).one_or_none()
    return dict(vault_of(session).open_json("page.facts_sealed", row.id, row.facts_sealed)) if row else None


def write_facts(session: Session, page_id: str, facts: dict[str, Any]) -> None:
    """What the page says from now on."""
    sealed = vault_of(session).seal_json("page.facts_sealed", page_id, facts)
    session.execute(update(Page).where(col(Page.id) == page_id).values(facts_sealed=sealed))


def use_page(session: Session, page_id: str) -> bool:
    """Use a page up; False when somebody was faster."""
    result = session.execute(
        update(Page).where(col(Page.id) == page_id, col(Page.used_at).is_(None)).values(used_at=machine_now_of(session))
    )
    return bool(getattr(result, "rowcount", 0))


def close_pages(session: Session, person_id: str, kind: str | None = None) -> None:
    """Make a person's open pages unusable."""
    statement = update(Page).where(col(Page.person_id) == person_id, col(Page.used_at).is_(None))
    if kind is not None:
        statement = statement.where(col(Page.kind) == kind)
    session.execute(statement.values(used_at=machine_now_of(session)))


def forget_pages(session: Session, older_than: timedelta, limit: int = 500) -> int:
    """Retention: pages that ended so long ago, since what they would show is kept in them; returns how many, at most
    `limit`."""
    old = select(Page.id).where(Page.expires_at < machine_now_of(session) - older_than).limit(limit)
    result = session.execute(delete(Page).where(col(Page.id).in_(old)))
    return int(getattr(result, "rowcount", 0))
