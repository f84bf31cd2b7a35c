"""The members of a team take turns.

Revision 0011_turns, after 0010_silence.
"""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision: str = '0011_turns'
down_revision: str | None = '0010_silence'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('turn_plan',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('stint_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('rhythm', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('left_number', sa.Integer(), nullable=True),
    sa.Column('made_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('made_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint("rhythm IN ('visit', 'month')", name=op.f('ck_turn_plan_rhythm')),
    sa.ForeignKeyConstraint(['stint_id'], ['stint.id'], name=op.f('fk_turn_plan_stint_id_stint')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_turn_plan'))
    )
    with op.batch_alter_table('turn_plan', schema=None) as batch_op:
        batch_op.create_index('uq_turn_plan_standing', ['stint_id'], unique=True, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))

    op.create_table('turn',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('plan_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('person_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('beside_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('part', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('state', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('asked_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('answered_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint("part IN ('member', 'leader')", name=op.f('ck_turn_part')),
    sa.CheckConstraint("state IN ('asked', 'accepted', 'swapped', 'silent', 'released', 'skipped', 'done')", name=op.f('ck_turn_state')),
    sa.ForeignKeyConstraint(['beside_id'], ['person.id'], name=op.f('fk_turn_beside_id_person')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_turn_person_id_person')),
    sa.ForeignKeyConstraint(['plan_id'], ['turn_plan.id'], name=op.f('fk_turn_plan_id_turn_plan')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_turn'))
    )
    with op.batch_alter_table('turn', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_turn_beside_id'), ['beside_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_turn_person_id'), ['person_id'], unique=False)
        batch_op.create_index('ix_turn_plan_id_number', ['plan_id', 'number'], unique=False)
        batch_op.create_index('uq_turn_standing', ['plan_id', 'number'], unique=True, sqlite_where=sa.text("state IN ('asked', 'accepted')"), postgresql_where=sa.text("state IN ('asked', 'accepted')"))

    op.create_table('turn_member',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('plan_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('place', sa.Integer(), nullable=False),
    sa.Column('person_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_turn_member_person_id_person')),
    sa.ForeignKeyConstraint(['plan_id'], ['turn_plan.id'], name=op.f('fk_turn_member_plan_id_turn_plan')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_turn_member')),
    sa.UniqueConstraint('plan_id', 'place', name='uq_turn_member_place')
    )
    with op.batch_alter_table('turn_member', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_turn_member_person_id'), ['person_id'], unique=False)
