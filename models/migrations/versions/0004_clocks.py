"""When pauses were written down, so that a clock that was set back ends them; messages that wait for the next day,
or for somebody to send; messages told on the phone.

Revision 0004_clocks, after 0003_channels.
"""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision: str = "0004_clocks"
down_revision: str | None = "0003_channels"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was put back or paused before is believed as it stands."""
    when = sqlmodel.sql.sqltypes.UTCDateTime()
    op.add_column("lease", sa.Column("paused_at", when, nullable=True))
    op.add_column("outbox", sa.Column("put_back_at", when, nullable=True))
    with op.batch_alter_table("channel_day") as days:  # one row a day
        days.drop_constraint(op.f("pk_channel_day"), type_="primary")
        days.create_primary_key(op.f("pk_channel_day"), ["platform", "account", "channel", "day"])
    told = sa.text("state = 'withdrawn' AND params_sealed IS NOT NULL")
    op.create_index("ix_outbox_told", "outbox", ["ended_at"], sqlite_where=told, postgresql_where=told)
    later = sa.text("state = 'held' AND why IN ('day quota', 'nobody sends')")
    op.create_index("ix_outbox_later", "outbox", ["not_before"], sqlite_where=later, postgresql_where=later)
