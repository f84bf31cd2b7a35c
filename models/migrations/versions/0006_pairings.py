"""Teams, institutions, families' consents, proposals, offers, pairings and relays.

Revision 0006_pairings, after 0005_ledgers.
"""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision: str = "0006_pairings"
down_revision: str | None = "0005_ledgers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "institution",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("number", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("county", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("town", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("contact_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("made_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("made_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("ended_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('rehabilitation', 'care', 'employment', 'school', 'other')", name=op.f("ck_institution_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_institution")),
        sa.UniqueConstraint("number", name=op.f("uq_institution_number")),
    )
    with op.batch_alter_table("institution", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_institution_county"), ["county"], unique=False)

    op.create_table(
        "matching_run",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("region", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("made_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("made_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.Column("done_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matching_run")),
    )
    op.create_table(
        "region_pair",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("helper", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("helped", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("granted_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("seconded_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("granted_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("ended_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("helper <> helped", name=op.f("ck_region_pair_differ")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_region_pair")),
    )
    with op.batch_alter_table("region_pair", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_region_pair_helped"), ["helped"], unique=False)
        batch_op.create_index(
            "uq_region_pair_standing",
            ["helper", "helped"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "team",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("number", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("region", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("helps", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("made_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("made_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("ended_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("kind IN ('student', 'general')", name=op.f("ck_team_kind")),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_team_capacity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
        sa.UniqueConstraint("number", name=op.f("uq_team_number")),
    )
    with op.batch_alter_table("team", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_team_helps"), ["helps"], unique=False)
        batch_op.create_index(batch_op.f("ix_team_region"), ["region"], unique=False)

    op.create_table(
        "team_member",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("team_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("person_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("part", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("added_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("joined_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("left_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("part IN ('leader', 'member')", name=op.f("ck_team_member_part")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_team_member_person_id_person")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_team_member_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_member")),
    )
    with op.batch_alter_table("team_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_team_member_person_id"), ["person_id"], unique=False)
        batch_op.create_index(
            "uq_team_member_standing",
            ["team_id", "person_id"],
            unique=True,
            sqlite_where=sa.text("left_at IS NULL"),
            postgresql_where=sa.text("left_at IS NULL"),
        )

    op.create_table(
        "family_consent",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("beneficiary_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("version", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("giver", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("way", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("recorded_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("given_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("withdrawn_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("withdrawn_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.CheckConstraint("giver IN ('self', 'guardian')", name=op.f("ck_family_consent_giver")),
        sa.CheckConstraint("kind IN ('pairing', 'visits', 'photos', 'publicity')", name=op.f("ck_family_consent_kind")),
        sa.CheckConstraint("way IN ('paper', 'phone', 'spoken', 'chat')", name=op.f("ck_family_consent_way")),
        sa.ForeignKeyConstraint(
            ["beneficiary_id"], ["beneficiary.id"], name=op.f("fk_family_consent_beneficiary_id_beneficiary")
        ),
        sa.ForeignKeyConstraint(["recorded_by"], ["person.id"], name=op.f("fk_family_consent_recorded_by_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family_consent")),
    )
    with op.batch_alter_table("family_consent", schema=None) as batch_op:
        batch_op.create_index(
            "uq_family_consent_standing",
            ["beneficiary_id", "kind"],
            unique=True,
            sqlite_where=sa.text("withdrawn_at IS NULL"),
            postgresql_where=sa.text("withdrawn_at IS NULL"),
        )

    op.create_table(
        "family_door",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("beneficiary_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("holder", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("issued_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("issued_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("expires_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("person_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("bound_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("ended_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("holder IN ('self', 'guardian')", name=op.f("ck_family_door_holder")),
        sa.ForeignKeyConstraint(
            ["beneficiary_id"], ["beneficiary.id"], name=op.f("fk_family_door_beneficiary_id_beneficiary")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_family_door_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family_door")),
    )
    with op.batch_alter_table("family_door", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_family_door_person_id"), ["person_id"], unique=False)
        batch_op.create_index(
            "uq_family_door_standing",
            ["beneficiary_id", "person_id"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "keeping",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("beneficiary_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("person_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("why", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("since", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["beneficiary_id"], ["beneficiary.id"], name=op.f("fk_keeping_beneficiary_id_beneficiary")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_keeping_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keeping")),
    )
    with op.batch_alter_table("keeping", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_keeping_person_id"), ["person_id"], unique=False)
        batch_op.create_index(
            "uq_keeping_standing",
            ["beneficiary_id"],
            unique=True,
            sqlite_where=sa.text("until IS NULL"),
            postgresql_where=sa.text("until IS NULL"),
        )

    op.create_table(
        "proposal",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("run_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("beneficiary_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("person_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("team_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("made_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("decided_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("decided_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.CheckConstraint("state IN ('new', 'offered', 'refused', 'stale')", name=op.f("ck_proposal_state")),
        sa.ForeignKeyConstraint(
            ["beneficiary_id"], ["beneficiary.id"], name=op.f("fk_proposal_beneficiary_id_beneficiary")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_proposal_person_id_person")),
        sa.ForeignKeyConstraint(["run_id"], ["matching_run.id"], name=op.f("fk_proposal_run_id_matching_run")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_proposal_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
    )
    with op.batch_alter_table("proposal", schema=None) as batch_op:
        batch_op.create_index("ix_proposal_beneficiary_id_state", ["beneficiary_id", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_proposal_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_proposal_run_id"), ["run_id"], unique=False)

    op.create_table(
        "offer",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("beneficiary_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("institution_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("person_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("team_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("proposal_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("follows_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("bands", sa.JSON(), nullable=False),
        sa.Column("made_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("made_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("holds_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("asked_again_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("answered_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.CheckConstraint("reason IN ('busy', 'far', 'unsure', 'full', 'other')", name=op.f("ck_offer_reason")),
        sa.CheckConstraint(
            "state IN ('waiting', 'later', 'overdue', 'accepted', 'declined', 'taken', 'withdrawn', 'passed_by')",
            name=op.f("ck_offer_state"),
        ),
        sa.CheckConstraint("(beneficiary_id IS NULL) <> (institution_id IS NULL)", name=op.f("ck_offer_one_served")),
        sa.ForeignKeyConstraint(
            ["beneficiary_id"], ["beneficiary.id"], name=op.f("fk_offer_beneficiary_id_beneficiary")
        ),
        sa.ForeignKeyConstraint(
            ["institution_id"], ["institution.id"], name=op.f("fk_offer_institution_id_institution")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_offer_person_id_person")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_offer_proposal_id_proposal")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_offer_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
    )
    with op.batch_alter_table("offer", schema=None) as batch_op:
        batch_op.create_index("ix_offer_beneficiary_id_state", ["beneficiary_id", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_offer_follows_id"), ["follows_id"], unique=False)
        batch_op.create_index("ix_offer_holds_until", ["holds_until"], unique=False)
        batch_op.create_index(batch_op.f("ix_offer_institution_id"), ["institution_id"], unique=False)
        batch_op.create_index("ix_offer_person_id_state", ["person_id", "state"], unique=False)
        batch_op.create_index(
            "uq_offer_standing",
            ["beneficiary_id", "person_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('waiting', 'later', 'overdue')"),
            postgresql_where=sa.text("state IN ('waiting', 'later', 'overdue')"),
        )

    op.create_table(
        "stint",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("beneficiary_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("institution_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("person_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("team_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("part", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("services", sa.JSON(), nullable=False),
        sa.Column("activities", sa.Integer(), nullable=False),
        sa.Column("relay_months", sa.Integer(), nullable=False),
        sa.Column("follows_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("offer_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("made_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("made_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("meets_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("met_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("accepted_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("conduct_version", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("confirmed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("confirmed_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("family_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("opened_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("ended_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("ended_why", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("ended_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name=op.f("ck_stint_ended")),
        sa.CheckConstraint(
            "ended_why IN ('term', 'graduation', 'stopped', 'moved', 'silence', 'relayed', 'objected', 'gone', 'taken_back', 'back', 'specialist')",
            name=op.f("ck_stint_ended_why"),
        ),
        sa.CheckConstraint("part IN ('lead', 'co', 'substitute')", name=op.f("ck_stint_part")),
        sa.CheckConstraint("state IN ('agreeing', 'open', 'ended')", name=op.f("ck_stint_state")),
        sa.CheckConstraint("(beneficiary_id IS NULL) <> (institution_id IS NULL)", name=op.f("ck_stint_one_served")),
        sa.CheckConstraint("ended_at IS NULL OR ended_at >= made_at", name=op.f("ck_stint_in_order")),
        sa.CheckConstraint("person_id IS NOT NULL OR team_id IS NOT NULL", name=op.f("ck_stint_somebody_serves")),
        sa.ForeignKeyConstraint(
            ["beneficiary_id"], ["beneficiary.id"], name=op.f("fk_stint_beneficiary_id_beneficiary")
        ),
        sa.ForeignKeyConstraint(["follows_id"], ["stint.id"], name=op.f("fk_stint_follows_id_stint")),
        sa.ForeignKeyConstraint(
            ["institution_id"], ["institution.id"], name=op.f("fk_stint_institution_id_institution")
        ),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_stint_offer_id_offer")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_stint_person_id_person")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_stint_team_id_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stint")),
    )
    with op.batch_alter_table("stint", schema=None) as batch_op:
        batch_op.create_index("ix_stint_beneficiary_id_state", ["beneficiary_id", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_stint_follows_id"), ["follows_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_stint_offer_id"), ["offer_id"], unique=False)
        batch_op.create_index("ix_stint_person_id_state", ["person_id", "state"], unique=False)
        batch_op.create_index("ix_stint_team_id_state", ["team_id", "state"], unique=False)
        batch_op.create_index(
            "uq_stint_agreeing_beneficiary",
            ["beneficiary_id"],
            unique=True,
            sqlite_where=sa.text("state = 'agreeing' AND part = 'lead'"),
            postgresql_where=sa.text("state = 'agreeing' AND part = 'lead'"),
        )
        batch_op.create_index(
            "uq_stint_agreeing_institution",
            ["institution_id"],
            unique=True,
            sqlite_where=sa.text("state = 'agreeing' AND part = 'lead'"),
            postgresql_where=sa.text("state = 'agreeing' AND part = 'lead'"),
        )
        batch_op.create_index(
            "uq_stint_open_beneficiary",
            ["beneficiary_id"],
            unique=True,
            sqlite_where=sa.text("state = 'open' AND part = 'lead'"),
            postgresql_where=sa.text("state = 'open' AND part = 'lead'"),
        )
        batch_op.create_index(
            "uq_stint_open_institution",
            ["institution_id"],
            unique=True,
            sqlite_where=sa.text("state = 'open' AND part = 'lead'"),
            postgresql_where=sa.text("state = 'open' AND part = 'lead'"),
        )

    op.create_table(
        "relay",
        sa.Column("id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("stint_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("successor_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("batch", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("begun_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("begun_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("hands_over_on", sa.Date(), nullable=True),
        sa.Column("specialist_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("keeper_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("private_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("given_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("taken_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("closed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint(
            "reason IN ('graduation', 'stopped', 'term', 'moved', 'silence', 'organisation', 'specialist', 'gone')",
            name=op.f("ck_relay_reason"),
        ),
        sa.CheckConstraint("state IN ('seeking', 'agreeing', 'done', 'cancelled')", name=op.f("ck_relay_state")),
        sa.ForeignKeyConstraint(["keeper_id"], ["person.id"], name=op.f("fk_relay_keeper_id_person")),
        sa.ForeignKeyConstraint(["specialist_id"], ["person.id"], name=op.f("fk_relay_specialist_id_person")),
        sa.ForeignKeyConstraint(["stint_id"], ["stint.id"], name=op.f("fk_relay_stint_id_stint")),
        sa.ForeignKeyConstraint(["successor_id"], ["stint.id"], name=op.f("fk_relay_successor_id_stint")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relay")),
    )
    with op.batch_alter_table("relay", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_relay_batch"), ["batch"], unique=False)
        batch_op.create_index("ix_relay_specialist_id_state", ["specialist_id", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_relay_successor_id"), ["successor_id"], unique=False)
        batch_op.create_index(
            "uq_relay_standing",
            ["stint_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('seeking', 'agreeing')"),
            postgresql_where=sa.text("state IN ('seeking', 'agreeing')"),
        )

    with op.batch_alter_table("volunteer", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sex", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
        batch_op.add_column(sa.Column("town", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
        batch_op.add_column(sa.Column("latitude", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("longitude", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("trained_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("cleared_until", sa.Date(), nullable=True))
        batch_op.create_check_constraint(op.f("ck_volunteer_sex"), "sex IN ('female', 'male')")
        batch_op.create_check_constraint(op.f("ck_volunteer_place"), "(latitude IS NULL) = (longitude IS NULL)")
