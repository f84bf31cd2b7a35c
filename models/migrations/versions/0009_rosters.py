"""Tables of teams, specialists, institutions and stations are imports like ledgers; people of one ledger that are alike.

Revision 0009_rosters, after 0008_stations.
"""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision: str = "0009_rosters"
down_revision: str | None = "0008_stations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("ledger_batch", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("sheet", sqlmodel.sql.sqltypes.AutoString(), server_default=sa.text("'ledger'"), nullable=False)
        )
        batch_op.create_check_constraint(
            op.f("ck_ledger_batch_sheet"), "sheet IN ('ledger', 'teams', 'specialists', 'institutions', 'stations')"
        )

    with op.batch_alter_table("ledger_batch_row", schema=None) as batch_op:
        batch_op.add_column(sa.Column("target_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
        batch_op.create_index(
            "ix_ledger_batch_row_target_id",
            ["target_id"],
            unique=False,
            sqlite_where=sa.text("target_id IS NOT NULL"),
            postgresql_where=sa.text("target_id IS NOT NULL"),
        )

    with op.batch_alter_table("ledger_question", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_ledger_question_reason"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_ledger_question_reason"), "reason IN ('absent', 'elsewhere', 'alike')"
        )
