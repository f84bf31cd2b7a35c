"""Upgrading: by the real command, and while copies of the version before still run."""

from __future__ import annotations

import pytest
from sqlalchemy import MetaData, inspect, select

from models import migrate
from models.database import Database
from tests.backing import Told, opened
from tests.backing import live as live
from tests.backing import told as told
from tests.backing import tools as tools
from tests.test_migrations import _row, counts, fill
from tests.test_migrations import bare as bare


@pytest.mark.parametrize("revision", migrate.revisions()[1:-1])
def test_a_copy_of_the_version_before_goes_on_writing_while_and_after_the_upgrade(
    bare: Database, revision: str
) -> None:
    """A rolling upgrade: old programs know the old columns alone."""
    migrate.upgrade(bare, revision)
    old = MetaData()
    with bare.engine.connect() as connection:
        old.reflect(connection)
        inspector = inspect(connection)
        rows = {
            table.name: _row(table, [check["sqltext"] for check in inspector.get_check_constraints(table.name)])
            for table in old.sorted_tables
            if table.name != "alembic_version"
        }
    migrate.upgrade(bare)
    with bare.engine.begin() as connection:
        for table in old.sorted_tables:
            if table.name in rows:
                connection.execute(table.insert().values(rows[table.name]))
    with bare.engine.begin() as connection:
        for name, row in rows.items():
            assert len(connection.execute(select(old.tables[name])).all()) == 1, name
            keys = {key: value for key, value in row.items() if key in old.tables[name].primary_key.columns}
            connection.execute(old.tables[name].update().values(row | keys))
        for table in reversed(old.sorted_tables):
            if table.name in rows:
                connection.execute(table.delete())


def test_the_service_names_the_command_that_upgrades_and_the_command_keeps_every_row(live: str, told: Told) -> None:
    before, newest = migrate.revisions()[-2:]
    with opened(live) as database:
        start_anew(database)
        migrate.upgrade(database, before)
        with database.engine.begin() as connection:
            fill(connection)
        kept = counts(database)
    for command in ("serve", "worker"):
        assert "nuanyang db upgrade" in told(command, status=1)
    assert "nuanyang db upgrade" in told("db", "check", status=1)
    with opened(live) as database:
        assert migrate.state(database).revision == before, "to look changes nothing"
    assert newest in told("db", "upgrade")
    with opened(live) as database:
        assert {name: count for name, count in counts(database).items() if name in kept} == kept
    told("db", "check")
    assert "已是最新" in told("db", "upgrade")


def start_anew(database: Database) -> None:
    """Away with every table."""
    found = MetaData()
    with database.engine.connect() as connection:
        found.reflect(connection)
    with database.engine.begin() as connection:
        found.drop_all(connection)
