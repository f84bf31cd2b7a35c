"""Imports: what a file would change, kept row by row until somebody takes it, and what came of it. Ledgers come so, and
tables of teams, specialists, institutions and stations (models/roster_batch.py).

A batch is checked first (nothing changes), then taken, and may be taken back. Its rows are sealed; what is taken is
what was shown, not what the file holds by then.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Index, UniqueConstraint, text, true
from sqlmodel import Field, SQLModel

from models.ids import new_id
from models.sealed import sealed_columns

CHECKING, CHECKED, TAKING, TAKEN, UNDOING, UNDONE = STATES = (
    "checking",
    "checked",
    "taking",
    "taken",
    "undoing",
    "undone",
)
NEW, CHANGED, SAME, DOUBTFUL, REFUSED = KINDS = ("new", "changed", "same", "doubtful", "refused")
LEDGER = "ledger"
SHEETS = (LEDGER, "teams", "specialists", "institutions", "stations")
ABSENT, ELSEWHERE, ALIKE = REASONS = ("absent", "elsewhere", "alike")
HERE, LEFT, DEAD, ENDED = ANSWERS = ("listed", "moved", "died", "cancelled")
BUSY = "ledger"


class LedgerBatch(SQLModel, table=True):
    """One import; `sheet` = one of SHEETS. `region` = whose ledger the file is (a code of four or six digits), `part` =
    the file is a part of it, so that nobody counts as gone; of other tables a region that their rows lie in (a code, or
    empty: wherever whoever brings them may). `file_digest` = SHA-256 of the file, in hex. `made_by`, `taken_by` and
    `undone_by` are ids of persons, or "machine". `counts` are rows by kind, with "gone" and "problems" (bad cells of
    rows that are taken).

    "checking": the check has not come to its end; "taking" and "undoing" have begun and go on after a crash; `busy` is
    BUSY while they are under way: one at a time changes ledgers, and what a row finds there does not change under it.
    Other tables do not keep each other waiting: theirs is their own id.
    """

    __tablename__ = "ledger_batch"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"sheet IN {SHEETS}", name="sheet"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    region: str
    part: bool = False
    state: str = CHECKING
    busy: str | None = Field(default=None, unique=True)
    file_digest: str
    headings: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    total: int
    made_by: str
    made_at: datetime
    taken_by: str = ""
    taken_at: datetime | None = None
    undone_at: datetime | None = None
    forgotten_at: datetime | None = None
    counts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    undone_by: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    sheet: str = Field(default=LEDGER, sa_column_kwargs={"server_default": text("'ledger'")})


class LedgerBatchRow(SQLModel, table=True):
    """One row of the file, `number` as Excel shows it. `why` says why it is doubtful, or could not be undone. What is
    sealed is forgotten after some time (rules.toml, ledger.undo_days). `decided` = doubtful, and to be taken; `faulty`
    = some of its cells may be bad.

    `row_sealed` = the record, and for rows with problems their cells and problems; `before_sealed` = what stood in the
    ledger before it was taken, so that it can be put back; `other_id` = whom it may be instead. Of tables of teams and
    so on `target_id` is the row that it is about, and `before_sealed` how that stood before and after.
    """

    __tablename__ = "ledger_batch_row"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        UniqueConstraint("batch_id", "number"),
        Index("ix_ledger_batch_row_beneficiary_id_batch_id", "beneficiary_id", "batch_id"),
        Index(
            "ix_ledger_batch_row_kept",
            "batch_id",
            sqlite_where=text("row_sealed IS NOT NULL"),
            postgresql_where=text("row_sealed IS NOT NULL"),
        ),
        Index("ix_ledger_batch_row_batch_id_other_id", "batch_id", "other_id"),
        Index(
            "ix_ledger_batch_row_target_id",
            "target_id",
            sqlite_where=text("target_id IS NOT NULL"),
            postgresql_where=text("target_id IS NOT NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    batch_id: str = Field(foreign_key="ledger_batch.id")
    number: int
    kind: str
    why: str = ""
    done: bool = False
    decided: bool = False
    beneficiary_id: str | None = None
    other_id: str | None = None
    row_sealed: bytes | None = None
    before_sealed: bytes | None = None
    # True for what was checked before this was written down: it has to be looked at.
    faulty: bool = Field(default=False, sa_column_kwargs={"server_default": true()})
    target_id: str | None = None


class LedgerQuestion(SQLModel, table=True):
    """What a ledger leaves open about one of its people, for whoever answers for the county.

    "absent": a newer ledger does not name the person any more, which closes nothing by itself; "elsewhere": the same
    number stands in another county's ledger (`other_id`); "alike": somebody of the same name and birth date stands in
    the same one (`other_id`), under another number. One question of a kind is open about somebody at a time.
    """

    __tablename__ = "ledger_question"
    __table_args__ = (
        CheckConstraint(f"reason IN {REASONS}", name="reason"),
        CheckConstraint(f"answer IN {ANSWERS}", name="answer"),
        Index(
            "uq_ledger_question_open",
            "beneficiary_id",
            "reason",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    beneficiary_id: str = Field(foreign_key="beneficiary.id", index=True)
    batch_id: str = Field(foreign_key="ledger_batch.id", index=True)
    reason: str
    other_id: str | None = Field(default=None, foreign_key="beneficiary.id", index=True)
    asked_at: datetime
    closed_at: datetime | None = None
    answer: str | None = None
    answered_by: str = ""


sealed_columns("ledger_batch_row", "id", "row_sealed", "before_sealed")
