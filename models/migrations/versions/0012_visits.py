"""Visits that are owed, service records and the hours ledger, activities, door cards, lone visits, qualifications, leave
of those who answer for others.

Revision 0012_visits, after 0011_turns.
"""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision: str = '0012_visits'
down_revision: str | None = '0011_turns'
branch_labels = None
depends_on = None


# As models/guards.py had it when this was written.
_SQLITE = (
    """CREATE TRIGGER service_record_overlap_insert BEFORE INSERT ON service_record
WHEN NEW.state IN ('running', 'asked', 'waiting', 'confirmed') BEGIN 
    SELECT RAISE(ABORT, 'service_record_overlap') WHERE EXISTS (
        SELECT 1 FROM service_record AS other
        WHERE other.person_no = NEW.person_no AND other.id <> NEW.id AND other.state IN ('running', 'asked', 'waiting', 'confirmed')
        AND other.starts_at < coalesce(NEW.ends_at, '9999-12-31 00:00:00.000000') AND NEW.starts_at < coalesce(other.ends_at, '9999-12-31 00:00:00.000000')
    );
END""",
    """CREATE TRIGGER service_record_overlap_update
BEFORE UPDATE OF person_no, state, starts_at, ends_at ON service_record
WHEN NEW.state IN ('running', 'asked', 'waiting', 'confirmed') BEGIN 
    SELECT RAISE(ABORT, 'service_record_overlap') WHERE EXISTS (
        SELECT 1 FROM service_record AS other
        WHERE other.person_no = NEW.person_no AND other.id <> NEW.id AND other.state IN ('running', 'asked', 'waiting', 'confirmed')
        AND other.starts_at < coalesce(NEW.ends_at, '9999-12-31 00:00:00.000000') AND NEW.starts_at < coalesce(other.ends_at, '9999-12-31 00:00:00.000000')
    );
END""",
    """CREATE TRIGGER hours_entry_no_update BEFORE UPDATE ON hours_entry
BEGIN SELECT RAISE(ABORT, 'hours_entry_append_only');
END""",
    """CREATE TRIGGER hours_entry_no_delete BEFORE DELETE ON hours_entry
BEGIN SELECT RAISE(ABORT, 'hours_entry_append_only');
END""",
)
_POSTGRESQL = (
    """ALTER TABLE service_record ADD CONSTRAINT service_record_overlap EXCLUDE USING gist (
int8range(person_no, person_no, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&) WHERE (state IN ('running', 'asked', 'waiting', 'confirmed'))""",
    """CREATE OR REPLACE FUNCTION hours_entry_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'hours_entry_append_only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER hours_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hours_entry
FOR EACH STATEMENT EXECUTE FUNCTION hours_entry_append_only()""",
)


def upgrade() -> None:
    with op.batch_alter_table('alert', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('ck_alert_source'), type_='check')
        batch_op.create_check_constraint(op.f('ck_alert_source'), "source IN ('words', 'sos', 'worried', 'silent', 'lone')")

    op.create_table('hours_entry',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('county', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('record_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('person_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('content', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('minutes', sa.Integer(), nullable=False),
    sa.Column('why', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('made_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('made_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('before', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('hash', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.CheckConstraint('minutes <> 0 AND minutes % 30 = 0', name=op.f('ck_hours_entry_half_hours')),
    sa.CheckConstraint('seq >= 1', name=op.f('ck_hours_entry_seq')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hours_entry')),
    sa.UniqueConstraint('county', 'seq', name=op.f('uq_hours_entry_county_seq'))
    )
    with op.batch_alter_table('hours_entry', schema=None) as batch_op:
        batch_op.create_index('ix_hours_entry_person_id', ['person_id', 'day'], unique=False)
        batch_op.create_index('ix_hours_entry_record_id', ['record_id'], unique=False)

    op.create_table('activity',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('number', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('name', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('county', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('team_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('station_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('leader_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('content', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('place', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('places', sa.Integer(), nullable=True),
    sa.Column('starts_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('ends_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('secret_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('made_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('made_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('cancelled_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint('ends_at > starts_at', name=op.f('ck_activity_in_order')),
    sa.CheckConstraint('places > 0', name=op.f('ck_activity_places')),
    sa.ForeignKeyConstraint(['leader_id'], ['person.id'], name=op.f('fk_activity_leader_id_person')),
    sa.ForeignKeyConstraint(['station_id'], ['station.id'], name=op.f('fk_activity_station_id_station')),
    sa.ForeignKeyConstraint(['team_id'], ['team.id'], name=op.f('fk_activity_team_id_team')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_activity')),
    sa.UniqueConstraint('number', name=op.f('uq_activity_number'))
    )
    with op.batch_alter_table('activity', schema=None) as batch_op:
        batch_op.create_index('ix_activity_county_starts_at', ['county', 'starts_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_activity_leader_id'), ['leader_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_activity_team_id'), ['team_id'], unique=False)

    op.create_table('duty_leave',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('person_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('deputy_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('first_day', sa.Date(), nullable=False),
    sa.Column('last_day', sa.Date(), nullable=False),
    sa.Column('made_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('made_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('taken_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('begun_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint('first_day <= last_day', name=op.f('ck_duty_leave_in_order')),
    sa.CheckConstraint('person_id <> deputy_id', name=op.f('ck_duty_leave_somebody_else')),
    sa.ForeignKeyConstraint(['deputy_id'], ['person.id'], name=op.f('fk_duty_leave_deputy_id_person')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_duty_leave_person_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_duty_leave'))
    )
    with op.batch_alter_table('duty_leave', schema=None) as batch_op:
        batch_op.create_index('ix_duty_leave_deputy_id', ['deputy_id', 'first_day'], unique=False)
        batch_op.create_index('ix_duty_leave_person_id', ['person_id', 'first_day'], unique=False)
        batch_op.create_index('ix_duty_leave_standing', ['first_day'], unique=False, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))

    op.create_table('qualification',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('person_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('kind', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('number_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('since', sa.Date(), nullable=True),
    sa.Column('until', sa.Date(), nullable=True),
    sa.Column('steps', sa.Integer(), nullable=False),
    sa.Column('next_on', sa.Date(), nullable=True),
    sa.Column('noted_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('noted_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint("kind IN ('first_training', 'training', 'certificate', 'insurance')", name=op.f('ck_qualification_kind')),
    sa.CheckConstraint('since IS NULL OR until IS NULL OR since <= until', name=op.f('ck_qualification_in_order')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_qualification_person_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_qualification'))
    )
    with op.batch_alter_table('qualification', schema=None) as batch_op:
        batch_op.create_index('ix_qualification_next', ['next_on'], unique=False, sqlite_where=sa.text('ended_at IS NULL AND next_on IS NOT NULL'), postgresql_where=sa.text('ended_at IS NULL AND next_on IS NOT NULL'))
        batch_op.create_index('uq_qualification_standing', ['person_id', 'kind'], unique=True, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))

    op.create_table('door_card',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('beneficiary_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('token', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('made_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('made_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['beneficiary_id'], ['beneficiary.id'], name=op.f('fk_door_card_beneficiary_id_beneficiary')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_door_card')),
    sa.UniqueConstraint('token', name=op.f('uq_door_card_token'))
    )
    with op.batch_alter_table('door_card', schema=None) as batch_op:
        batch_op.create_index('uq_door_card_standing', ['beneficiary_id'], unique=True, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))

    op.create_table('lone_visit',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('person_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('stint_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('partner_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('state', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('began_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('until', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('next_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('alert_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.CheckConstraint("state IN ('running', 'asked', 'partner', 'specialist', 'out', 'help')", name=op.f('ck_lone_visit_state')),
    sa.ForeignKeyConstraint(['alert_id'], ['alert.id'], name=op.f('fk_lone_visit_alert_id_alert')),
    sa.ForeignKeyConstraint(['partner_id'], ['person.id'], name=op.f('fk_lone_visit_partner_id_person')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_lone_visit_person_id_person')),
    sa.ForeignKeyConstraint(['stint_id'], ['stint.id'], name=op.f('fk_lone_visit_stint_id_stint')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lone_visit'))
    )
    with op.batch_alter_table('lone_visit', schema=None) as batch_op:
        batch_op.create_index('ix_lone_visit_next', ['next_at'], unique=False, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))
        batch_op.create_index('uq_lone_visit_standing', ['person_id'], unique=True, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))

    op.create_table('service_record',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('person_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('person_no', sa.BigInteger(), nullable=False),
    sa.Column('county', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('team_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('stint_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('beneficiary_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('institution_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('station_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('activity_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('content', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('starts_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('ends_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('planned_end', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('way', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('unproven_why', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('state', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('minutes', sa.Integer(), nullable=False),
    sa.Column('over_cap', sa.Boolean(), nullable=False),
    sa.Column('note_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('made_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('asked_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('waiting_since', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('end_assumed', sa.Boolean(), nullable=False),
    sa.Column('first_told', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('decided_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('decided_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('decided_why', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('why_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('told_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('family_said', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('family_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint("(state IN ('confirmed', 'refused')) = (decided_by <> '')", name=op.f('ck_service_record_decided')),
    sa.CheckConstraint("decided_why IN ('', 'said', 'merged')", name=op.f('ck_service_record_decided_why')),
    sa.CheckConstraint("family_said IN ('good', 'fair', 'change')", name=op.f('ck_service_record_family_said')),
    sa.CheckConstraint("state IN ('running', 'asked', 'waiting', 'confirmed', 'refused', 'void')", name=op.f('ck_service_record_state')),
    sa.CheckConstraint("state NOT IN ('waiting', 'confirmed') OR ends_at IS NOT NULL", name=op.f('ck_service_record_has_end')),
    sa.CheckConstraint("unproven_why IN ('', 'no_match', 'no_place', 'no_signal', 'no_phone', 'refused')", name=op.f('ck_service_record_unproven_why')),
    sa.CheckConstraint("way IN ('station', 'activity', 'place', 'card', 'told', 'unproven')", name=op.f('ck_service_record_way')),
    sa.CheckConstraint('decided_by <> person_id', name=op.f('ck_service_record_not_oneself')),
    sa.CheckConstraint('ends_at IS NULL OR ends_at > starts_at', name=op.f('ck_service_record_in_order')),
    sa.CheckConstraint('minutes >= 0 AND minutes % 30 = 0', name=op.f('ck_service_record_half_hours')),
    sa.ForeignKeyConstraint(['activity_id'], ['activity.id'], name=op.f('fk_service_record_activity_id_activity')),
    sa.ForeignKeyConstraint(['beneficiary_id'], ['beneficiary.id'], name=op.f('fk_service_record_beneficiary_id_beneficiary')),
    sa.ForeignKeyConstraint(['institution_id'], ['institution.id'], name=op.f('fk_service_record_institution_id_institution')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_service_record_person_id_person')),
    sa.ForeignKeyConstraint(['station_id'], ['station.id'], name=op.f('fk_service_record_station_id_station')),
    sa.ForeignKeyConstraint(['stint_id'], ['stint.id'], name=op.f('fk_service_record_stint_id_stint')),
    sa.ForeignKeyConstraint(['team_id'], ['team.id'], name=op.f('fk_service_record_team_id_team')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_service_record'))
    )
    with op.batch_alter_table('service_record', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_service_record_activity_id'), ['activity_id'], unique=False)
        batch_op.create_index('ix_service_record_beneficiary_id', ['beneficiary_id', 'starts_at'], unique=False)
        batch_op.create_index('ix_service_record_open', ['state', 'county'], unique=False, sqlite_where=sa.text("state IN ('running', 'asked', 'waiting')"), postgresql_where=sa.text("state IN ('running', 'asked', 'waiting')"))
        batch_op.create_index('ix_service_record_person_id', ['person_id', 'starts_at'], unique=False)
        batch_op.create_index('ix_service_record_person_no', ['person_no', 'starts_at'], unique=False)
        batch_op.create_index('ix_service_record_untold', ['decided_at'], unique=False, sqlite_where=sa.text("told_at IS NULL AND state IN ('confirmed', 'refused')"), postgresql_where=sa.text("told_at IS NULL AND state IN ('confirmed', 'refused')"))
        batch_op.create_index(batch_op.f('ix_service_record_stint_id'), ['stint_id'], unique=False)

    op.create_table('visit',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('beneficiary_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('institution_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('half', sa.Integer(), nullable=False),
    sa.Column('county', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('stint_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('opens_on', sa.Date(), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('flags', sa.JSON(), nullable=False),
    sa.Column('state', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('steps', sa.Integer(), nullable=False),
    sa.Column('next_on', sa.Date(), nullable=True),
    sa.Column('quiet_until', sa.Date(), nullable=True),
    sa.Column('held_until', sa.Date(), nullable=True),
    sa.Column('held_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('made_on', sa.Date(), nullable=True),
    sa.Column('form', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('closed_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('closed_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('why', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('planned_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.CheckConstraint("(state = 'owed') = (closed_at IS NULL)", name=op.f('ck_visit_closed')),
    sa.CheckConstraint("form IN ('home', 'institution', 'together', 'call', 'parcel')", name=op.f('ck_visit_form')),
    sa.CheckConstraint("state <> 'excused' OR (closed_by <> '' AND why <> '')", name=op.f('ck_visit_excused')),
    sa.CheckConstraint("state <> 'made' OR (made_on IS NOT NULL AND form IS NOT NULL)", name=op.f('ck_visit_made')),
    sa.CheckConstraint("state IN ('owed', 'made', 'excused', 'void')", name=op.f('ck_visit_state')),
    sa.CheckConstraint('(beneficiary_id IS NULL) <> (institution_id IS NULL)', name=op.f('ck_visit_one_served')),
    sa.CheckConstraint('half IN (1, 2)', name=op.f('ck_visit_half')),
    sa.CheckConstraint('opens_on <= due_on', name=op.f('ck_visit_in_order')),
    sa.ForeignKeyConstraint(['beneficiary_id'], ['beneficiary.id'], name=op.f('fk_visit_beneficiary_id_beneficiary')),
    sa.ForeignKeyConstraint(['institution_id'], ['institution.id'], name=op.f('fk_visit_institution_id_institution')),
    sa.ForeignKeyConstraint(['stint_id'], ['stint.id'], name=op.f('fk_visit_stint_id_stint')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit'))
    )
    with op.batch_alter_table('visit', schema=None) as batch_op:
        batch_op.create_index('ix_visit_next', ['next_on'], unique=False, sqlite_where=sa.text("state = 'owed' AND next_on IS NOT NULL"), postgresql_where=sa.text("state = 'owed' AND next_on IS NOT NULL"))
        batch_op.create_index('ix_visit_owed', ['county', 'due_on'], unique=False, sqlite_where=sa.text("state = 'owed'"), postgresql_where=sa.text("state = 'owed'"))
        batch_op.create_index('ix_visit_stint_id', ['stint_id'], unique=False)
        batch_op.create_index('uq_visit_beneficiary', ['beneficiary_id', 'year', 'half'], unique=True, sqlite_where=sa.text('beneficiary_id IS NOT NULL'), postgresql_where=sa.text('beneficiary_id IS NOT NULL'))
        batch_op.create_index('uq_visit_institution', ['institution_id', 'year', 'half'], unique=True, sqlite_where=sa.text('institution_id IS NOT NULL'), postgresql_where=sa.text('institution_id IS NOT NULL'))

    op.create_table('visit_plan',
    sa.Column('year', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('half', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('after', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('begun_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('done_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('year', 'half', name=op.f('pk_visit_plan'))
    )
    op.create_table('booking',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('visit_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('stint_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('person_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('state', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('made_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('made_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('ended_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.CheckConstraint("(state = 'standing') = (ended_at IS NULL)", name=op.f('ck_booking_ended')),
    sa.CheckConstraint("state IN ('standing', 'moved', 'cancelled', 'vain', 'kept', 'lapsed')", name=op.f('ck_booking_state')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_booking_person_id_person')),
    sa.ForeignKeyConstraint(['stint_id'], ['stint.id'], name=op.f('fk_booking_stint_id_stint')),
    sa.ForeignKeyConstraint(['visit_id'], ['visit.id'], name=op.f('fk_booking_visit_id_visit')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_booking'))
    )
    with op.batch_alter_table('booking', schema=None) as batch_op:
        batch_op.create_index('ix_booking_person_id_state', ['person_id', 'state'], unique=False)
        batch_op.create_index('ix_booking_standing_at', ['at'], unique=False, sqlite_where=sa.text("state = 'standing'"), postgresql_where=sa.text("state = 'standing'"))
        batch_op.create_index(batch_op.f('ix_booking_stint_id'), ['stint_id'], unique=False)
        batch_op.create_index('uq_booking_standing', ['visit_id'], unique=True, sqlite_where=sa.text("state = 'standing'"), postgresql_where=sa.text("state = 'standing'"))

    op.create_table('hours_case',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('person_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('record_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('month', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('county', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('team_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('state', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('said_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('answer_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('opened_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('told_late', sa.Boolean(), nullable=False),
    sa.Column('closed_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('closed_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.CheckConstraint("(state = 'open') = (closed_at IS NULL)", name=op.f('ck_hours_case_closed')),
    sa.CheckConstraint("state IN ('open', 'answered', 'withdrawn')", name=op.f('ck_hours_case_state')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_hours_case_person_id_person')),
    sa.ForeignKeyConstraint(['record_id'], ['service_record.id'], name=op.f('fk_hours_case_record_id_service_record')),
    sa.ForeignKeyConstraint(['team_id'], ['team.id'], name=op.f('fk_hours_case_team_id_team')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hours_case'))
    )
    with op.batch_alter_table('hours_case', schema=None) as batch_op:
        batch_op.create_index('ix_hours_case_open', ['due_on'], unique=False, sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))
        batch_op.create_index(batch_op.f('ix_hours_case_person_id'), ['person_id'], unique=False)

    op.create_table('visit_note',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('visit_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('kind', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('said_sealed', sa.LargeBinary(), nullable=True),
    sa.CheckConstraint("kind IN ('call', 'nudge', 'why')", name=op.f('ck_visit_note_kind')),
    sa.ForeignKeyConstraint(['visit_id'], ['visit.id'], name=op.f('fk_visit_note_visit_id_visit')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit_note'))
    )
    with op.batch_alter_table('visit_note', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_visit_note_visit_id'), ['visit_id'], unique=False)

    op.create_table('visit_report',
    sa.Column('id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('visit_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('booking_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('stint_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('beneficiary_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('institution_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('person_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('record_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('alert_id', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('form', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('answers_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('worrying', sa.Boolean(), nullable=False),
    sa.Column('told_by', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('told_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('why', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.CheckConstraint("form IN ('home', 'institution', 'together', 'call', 'parcel')", name=op.f('ck_visit_report_form')),
    sa.CheckConstraint('(beneficiary_id IS NULL) <> (institution_id IS NULL)', name=op.f('ck_visit_report_one_served')),
    sa.ForeignKeyConstraint(['beneficiary_id'], ['beneficiary.id'], name=op.f('fk_visit_report_beneficiary_id_beneficiary')),
    sa.ForeignKeyConstraint(['booking_id'], ['booking.id'], name=op.f('fk_visit_report_booking_id_booking')),
    sa.ForeignKeyConstraint(['institution_id'], ['institution.id'], name=op.f('fk_visit_report_institution_id_institution')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_visit_report_person_id_person')),
    sa.ForeignKeyConstraint(['record_id'], ['service_record.id'], name=op.f('fk_visit_report_record_id_service_record')),
    sa.ForeignKeyConstraint(['stint_id'], ['stint.id'], name=op.f('fk_visit_report_stint_id_stint')),
    sa.ForeignKeyConstraint(['visit_id'], ['visit.id'], name=op.f('fk_visit_report_visit_id_visit')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit_report'))
    )
    with op.batch_alter_table('visit_report', schema=None) as batch_op:
        batch_op.create_index('ix_visit_report_beneficiary_id', ['beneficiary_id', 'at'], unique=False)
        batch_op.create_index('ix_visit_report_institution_id', ['institution_id', 'at'], unique=False)
        batch_op.create_index(batch_op.f('ix_visit_report_person_id'), ['person_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_visit_report_stint_id'), ['stint_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_visit_report_visit_id'), ['visit_id'], unique=False)
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)
