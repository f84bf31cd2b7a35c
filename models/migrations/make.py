"""For developers: write a migration from the difference between the tables and the newest revision.

`python -m models.migrations.make next "what changes"` writes the next revision, to be read and mended by hand. What
stands is never written anew: some database has it already.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from mako.template import Template  # type: ignore[import-untyped]
from sqlalchemy import create_engine

from models import migrate
from models.database import Database
from models.tables import METADATA
from models.vault import Vault


def render(url: str, revision: str, after: str | None, message: str) -> str:
    """The text of a revision that brings the database behind `url` to the tables as they stand."""
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={**migrate.OPTIONS, "target_metadata": METADATA})
        script = produce_migrations(context, METADATA)
        assert script.upgrade_ops is not None
        imports: set[str] = set()
        body = render_python_code(
            script.upgrade_ops, render_as_batch=True, imports=list(imports), migration_context=context
        )
    engine.dispose()
    template = Template(filename=str(migrate.FOLDER / "script.py.mako"))  # noqa: S702 our own file, no web page
    text: str = template.render(
        message=message, up_revision=revision, down_revision=after, imports="", upgrades=body, comma=str
    )
    return text.rstrip() + "\n"


def following(message: str) -> Path:
    """Write the next revision."""
    known = migrate.revisions()
    words = "_".join(message.lower().split())
    revision = f"{len(known) + 1:04d}_{words}"
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/scratch.db"
        database = Database(url, Vault([bytes(32)]), durable=False)
        migrate.upgrade(database)
        database.dispose()
        text = render(url, revision, known[-1], message)
    path = migrate.FOLDER / "versions" / f"{revision}.py"
    path.write_text(text, "utf-8")
    return path


def main(arguments: list[str]) -> int:
    """The command line of a developer."""
    if len(arguments) == 2 and arguments[0] == "next":
        print(following(arguments[1]))
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
