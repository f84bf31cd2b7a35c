"""The channels of a door: what was tried by which, permissions to write once, calls of a day; the person's preferred
door; the line in which a message waits, and indexes by which the outbox is claimed.

Revision 0003_channels, after 0002_standing_keys.
"""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision: str = "0003_channels"
down_revision: str | None = "0002_standing_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Calls made before name no channel, which means the ordinary one. A default stays in the database: a process of
    the version before may go on inserting while others are restarted."""
    word = sqlmodel.sql.sqltypes.AutoString()
    when = sqlmodel.sql.sqltypes.UTCDateTime()
    for name in ("channel", "passed"):
        op.add_column("attempt", sa.Column(name, word, nullable=False, server_default=sa.text("''")))
    op.create_index("ix_attempt_door", "attempt", ["door_id", "started_at"])
    op.add_column("person", sa.Column("preferred_door_id", word, nullable=True))
    op.create_table(
        "channel_grant",
        sa.Column("id", word, nullable=False),
        sa.Column("door_id", word, nullable=False),
        sa.Column("channel", word, nullable=False),
        sa.Column("subject", word, nullable=False),
        sa.Column("granted_at", when, nullable=False),
        sa.Column("ended_at", when, nullable=True),
        sa.Column("attempt_id", word, nullable=True),
        sa.Column("why", word, nullable=False),
        sa.CheckConstraint("channel IN ('once', 'subscription')", name=op.f("ck_channel_grant_channel")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_grant")),
    )
    op.create_index(op.f("ix_channel_grant_attempt_id"), "channel_grant", ["attempt_id"])
    _partial("ix_channel_grant_open", "channel_grant", ["door_id"], "ended_at IS NULL")
    op.create_table(
        "channel_day",
        sa.Column("platform", word, nullable=False),
        sa.Column("account", word, nullable=False),
        sa.Column("channel", word, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("over", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "account", "channel", name=op.f("pk_channel_day")),
    )
    op.add_column("inbox", sa.Column("claimed_at", when, nullable=True))
    # Every message passes through each state once: an index of the state alone is written often and asked by nobody.
    op.drop_index(op.f("ix_outbox_state"), "outbox")
    # Rows put in before belong to no line yet: whoever sends finds theirs.
    op.add_column("outbox", sa.Column("line", word, nullable=False, server_default=sa.text("''")))
    _partial("ix_outbox_ready", "outbox", ["line", "priority", "due_at", "id"], "state = 'waiting'")
    _partial("ix_outbox_open", "outbox", ["person_id"], "state IN ('waiting', 'sending', 'held')")
    _partial("ix_outbox_sending", "outbox", ["deadline"], "state = 'sending'")


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
