"""Sealed columns and the blind index: how rows keep what only keys may open.

A table names its sealed columns once, with `sealed_columns`; key rotation and deletion walk that list.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, UniqueConstraint, delete, insert, select
from sqlmodel import Field, Session, SQLModel

from models.database import vault_of


class BlindIndex(SQLModel, table=True):
    """One row per indexed value and key of the ring: equality look-up without the value.

    `kind` says what is indexed ("phone"), `scope` within what it is looked up (empty = everywhere).
    """

    __tablename__ = "blind_index"
    __table_args__ = (
        UniqueConstraint("kind", "scope", "key_id", "digest", "row_id"),
        # A digest is looked up under every key, and sometimes in every scope.
        Index("ix_blind_index_digest", "digest"),
        # With kind and scope: without statistics SQLite takes the unique key for these two, and reads all of a kind.
        Index("ix_blind_index_row_id_kind_scope", "row_id", "kind", "scope"),
    )
    id: int | None = Field(default=None, primary_key=True)
    kind: str
    scope: str = ""
    key_id: str
    digest: bytes
    row_id: str


# (table, key column, sealed column, associated place): what `nuanyang keys rotate` walks.
SEALED: list[tuple[str, str, str]] = []
# (kind, table.column): what is indexed, so that rotation can add digests under a new key.
INDEXED: list[tuple[str, str, str, str]] = []


def sealed_columns(table: str, key: str, *columns: str) -> None:
    """Register a table's sealed columns; `key` is its primary key column, part of the associated data."""
    SEALED.extend((table, key, column) for column in columns)


def indexed_column(kind: str, table: str, key: str, column: str) -> None:
    """Register a sealed column that the blind index can find; values are indexed as they are stored."""
    INDEXED.append((kind, table, key, column))


def seal(session: Session, place: str, row: str, value: str | None) -> bytes | None:
    """Seal a value for "table.column" of a row; None stays None."""
    return None if value is None else vault_of(session).seal(place, row, value)


def unseal(session: Session, place: str, row: str, sealed: bytes | None) -> str | None:
    """The reverse; raises VaultError."""
    return None if sealed is None else vault_of(session).open(place, row, sealed)


def index(session: Session, kind: str, row: str, value: str | None, scope: str = "") -> None:
    """Make the row findable by this value of the kind, and by no earlier one."""
    table: Any = SQLModel.metadata.tables["blind_index"]
    session.execute(delete(table).where(table.c.kind == kind, table.c.row_id == row, table.c.scope == scope))
    if value is None:
        return
    session.execute(
        insert(table),
        [
            {"kind": kind, "scope": scope, "key_id": key_id, "digest": digest, "row_id": row}
            for key_id, digest in vault_of(session).digests(kind, value).items()
        ],
    )


def find(session: Session, kind: str, value: str, scope: str = "") -> list[str]:
    """The rows indexed under this value, each once."""
    table: Any = SQLModel.metadata.tables["blind_index"]
    digests = list(vault_of(session).digests(kind, value).values())
    # The kind is a part of the digest; named here as well, SQLite would read everything of that kind and scope.
    query = select(table.c.row_id, table.c.scope).where(table.c.digest.in_(digests))
    return sorted({row.row_id for row in session.execute(query) if row.scope == scope})
