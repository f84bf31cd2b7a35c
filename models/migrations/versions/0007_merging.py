"""Merges of people who stand in two ledgers; who took an import back; which rows of one may be faulty.

Revision 0007_merging, after 0006_pairings.
"""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision: str = "0007_merging"
down_revision: str | None = "0006_pairings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "beneficiary_merge",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kept_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("gone_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("asked_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("asked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("decided_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("decided_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("undone_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("undone_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "state IN ('asked', 'merged', 'undone', 'declined')", name=op.f("ck_beneficiary_merge_state")
        ),
        sa.ForeignKeyConstraint(["gone_id"], ["beneficiary.id"], name=op.f("fk_beneficiary_merge_gone_id_beneficiary")),
        sa.ForeignKeyConstraint(["kept_id"], ["beneficiary.id"], name=op.f("fk_beneficiary_merge_kept_id_beneficiary")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_beneficiary_merge")),
    )
    with op.batch_alter_table("beneficiary_merge", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_beneficiary_merge_gone_id"), ["gone_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_beneficiary_merge_kept_id"), ["kept_id"], unique=False)
        batch_op.create_index(
            "uq_beneficiary_merge_standing",
            ["gone_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('asked', 'merged')"),
            postgresql_where=sa.text("state IN ('asked', 'merged')"),
        )

    with op.batch_alter_table("ledger_batch", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("undone_by", sqlmodel.sql.sqltypes.AutoString(), server_default=sa.text("''"), nullable=False)
        )

    with op.batch_alter_table("ledger_batch_row", schema=None) as batch_op:
        batch_op.add_column(sa.Column("faulty", sa.Boolean(), server_default=sa.true(), nullable=False))
