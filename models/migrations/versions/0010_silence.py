"""Volunteers who say nothing for long: when they were asked, and how it ended; and what a message to a specialist is
about.

Revision 0010_silence, after 0009_rosters.
"""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision: str = '0010_silence'
down_revision: str | None = '0009_rosters'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('contact_message', schema=None) as batch_op:
        batch_op.add_column(sa.Column('about', sqlmodel.sql.sqltypes.AutoString(), nullable=True))

    op.create_table('silence',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('person_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('since', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('asked_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('again_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('given_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('ended_why', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.CheckConstraint("ended_why IN ('word', 'answered', 'phone', 'settled')", name=op.f('ck_silence_ended_why')),
    sa.CheckConstraint('(ended_at IS NULL) = (ended_why IS NULL)', name=op.f('ck_silence_ended')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_silence_person_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_silence'))
    )
    with op.batch_alter_table('silence', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_silence_person_id'), ['person_id'], unique=False)
        batch_op.create_index('uq_silence_standing', ['person_id'], unique=True, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))
