"""One standing consent of a kind and one standing role of a scope for each person; replies never handed over are found
quickly.

Revision 0002_standing_keys, after 0001_first_tables. Some databases have these keys already: for a while before the
first release 0001 made them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0002_standing_keys"
down_revision: str | None = "0001_first_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of rows that stand twice the newest is ended, at the time it began: the oldest says since when it holds."""
    _end_doubles("consent", "given_at", "withdrawn_at", ("person_id", "kind"))
    _end_doubles("role_grant", "granted_at", "ended_at", ("person_id", "role", "scope_kind", "scope"))
    _key("uq_consent_standing", "consent", ["person_id", "kind"], "withdrawn_at IS NULL", unique=True)
    standing = ["person_id", "role", "scope_kind", "scope"]
    _key("uq_role_grant_standing", "role_grant", standing, "ended_at IS NULL", unique=True)
    _key("ix_inbox_never_handed", "inbox", ["received_at"], "door = 'passive' AND handed_at IS NULL", unique=False)


def _end_doubles(name: str, began: str, ended: str, same: tuple[str, ...]) -> None:
    table = sa.table(name, sa.column("id"), sa.column(began), sa.column(ended), *(sa.column(each) for each in same))
    older = table.alias("older")
    earlier = sa.or_(
        older.c[began] < table.c[began], sa.and_(older.c[began] == table.c[began], older.c.id < table.c.id)
    )
    double = (
        sa.select(older.c.id)
        .where(older.c[ended].is_(None), earlier, *(older.c[each] == table.c[each] for each in same))
        .exists()
    )
    op.execute(table.update().where(table.c[ended].is_(None), double).values({ended: table.c[began]}))


def _key(name: str, table: str, columns: list[str], where: str, *, unique: bool) -> None:
    condition = sa.text(where)
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
        if_not_exists=True,
    )
