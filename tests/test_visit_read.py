"""Who may read what a visit report says: whoever answers for the county, and it is written down."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import select

from models import visit_reporting
from models.audit import AuditEntry
from models.database import Database
from tests.conftest import StoppedClock
from tests.pairing_world import YUEXIU, World


def test_the_county_reads_a_report_logged_and_nobody_else_does(database: Database, clock: StoppedClock) -> None:
    world = World(database)
    boss, person, other = world.specialist(), world.volunteer(), world.specialist(YUEXIU)
    served = world.beneficiary()
    stint = world.paired(served, person, boss)
    clock.at += timedelta(hours=3)
    told = visit_reporting.Report(stint, clock.at, "home", {"note": "想学画画"})
    row = world.do(visit_reporting.report, person, told)
    assert world.do(visit_reporting.newest_for, boss, served).id == row.id
    for reader in (person, other):
        assert world.do(visit_reporting.newest_for, reader, served) is None
        assert world.do(visit_reporting.read, reader, row.id) is None
    found = world.do(visit_reporting.read, boss, row.id)
    assert found is not None and found[1] == {"note": "想学画画"}
    with database.read() as session:
        logged = session.exec(select(AuditEntry).where(AuditEntry.action == "visit_report.read")).all()
    assert [(one.actor, one.subject) for one in logged] == [(boss, served)]
