"""Beneficiaries, and the imports of ledgers that bring them.

Revision 0005_ledgers, after 0004_clocks.
"""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision: str = "0005_ledgers"
down_revision: str | None = "0004_clocks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_blind_index_row_id"), table_name="blind_index")
    op.create_index("ix_blind_index_digest", "blind_index", ["digest"])
    op.create_index("ix_blind_index_row_id_kind_scope", "blind_index", ["row_id", "kind", "scope"])
    op.create_table(
        "ledger_batch",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("region", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("part", sa.Boolean(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("busy", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("file_digest", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("headings", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("made_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("made_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("taken_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("taken_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("undone_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("forgotten_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "state IN ('checking', 'checked', 'taking', 'taken', 'undoing', 'undone')",
            name=op.f("ck_ledger_batch_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_batch")),
        sa.UniqueConstraint("busy", name=op.f("uq_ledger_batch_busy")),
    )
    op.create_table(
        "beneficiary",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("county", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("group_key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("status_since", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("listed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("changed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("checked_on", sa.Date(), nullable=True),
        sa.Column("batch_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("person_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("merged_into", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("sex", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("residence", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("town", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("needs", sa.JSON(), nullable=False),
        sa.Column("id_number_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("record_sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("residence IN ('urban', 'rural')", name=op.f("ck_beneficiary_residence")),
        sa.CheckConstraint("sex IN ('female', 'male')", name=op.f("ck_beneficiary_sex")),
        sa.CheckConstraint(
            "status IN ('listed', 'moved', 'died', 'cancelled', 'over_age')", name=op.f("ck_beneficiary_status")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["ledger_batch.id"], name=op.f("fk_beneficiary_batch_id_ledger_batch")),
        sa.ForeignKeyConstraint(
            ["merged_into"], ["beneficiary.id"], name=op.f("fk_beneficiary_merged_into_beneficiary")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_beneficiary_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_beneficiary")),
    )
    with op.batch_alter_table("beneficiary", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_beneficiary_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index("ix_beneficiary_county_birth_date", ["county", "birth_date"], unique=False)
        batch_op.create_index(batch_op.f("ix_beneficiary_merged_into"), ["merged_into"], unique=False)
        batch_op.create_index(batch_op.f("ix_beneficiary_person_id"), ["person_id"], unique=False)

    op.create_table(
        "ledger_batch_row",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("batch_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("why", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("decided", sa.Boolean(), nullable=False),
        sa.Column("beneficiary_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("other_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("row_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("before_sealed", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('new', 'changed', 'same', 'doubtful', 'refused')", name=op.f("ck_ledger_batch_row_kind")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["ledger_batch.id"], name=op.f("fk_ledger_batch_row_batch_id_ledger_batch")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_batch_row")),
        sa.UniqueConstraint("batch_id", "number", name=op.f("uq_ledger_batch_row_batch_id_number")),
    )
    with op.batch_alter_table("ledger_batch_row", schema=None) as batch_op:
        batch_op.create_index(
            "ix_ledger_batch_row_beneficiary_id_batch_id", ["beneficiary_id", "batch_id"], unique=False
        )
        kept = sa.text("row_sealed IS NOT NULL")
        batch_op.create_index("ix_ledger_batch_row_kept", ["batch_id"], sqlite_where=kept, postgresql_where=kept)
        batch_op.create_index("ix_ledger_batch_row_batch_id_other_id", ["batch_id", "other_id"], unique=False)

    op.create_table(
        "ledger_question",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("beneficiary_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("batch_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("other_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("asked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("closed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("answer", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("answered_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.CheckConstraint(
            "answer IN ('listed', 'moved', 'died', 'cancelled')", name=op.f("ck_ledger_question_answer")
        ),
        sa.CheckConstraint("reason IN ('absent', 'elsewhere')", name=op.f("ck_ledger_question_reason")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["ledger_batch.id"], name=op.f("fk_ledger_question_batch_id_ledger_batch")
        ),
        sa.ForeignKeyConstraint(
            ["beneficiary_id"], ["beneficiary.id"], name=op.f("fk_ledger_question_beneficiary_id_beneficiary")
        ),
        sa.ForeignKeyConstraint(["other_id"], ["beneficiary.id"], name=op.f("fk_ledger_question_other_id_beneficiary")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_question")),
    )
    with op.batch_alter_table("ledger_question", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ledger_question_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ledger_question_beneficiary_id"), ["beneficiary_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ledger_question_other_id"), ["other_id"], unique=False)
        batch_op.create_index(
            "uq_ledger_question_open",
            ["beneficiary_id", "reason"],
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )
