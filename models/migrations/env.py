"""What Alembic runs: the connection comes from models/migrate.py, which has begun and locked the transaction."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from models.migrate import OPTIONS
from models.tables import METADATA


def _run() -> None:
    connection = context.config.attributes["connection"]
    if not isinstance(connection, Connection):
        raise TypeError("migrations are run by models.migrate, which hands the connection in")
    told = context.config.attributes.get("on_version_apply", ())
    context.configure(connection=connection, target_metadata=METADATA, on_version_apply=told, **OPTIONS)
    context.run_migrations()


_run()
