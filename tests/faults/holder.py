"""Somebody else who holds a lock, in a process of its own: `held` is printed once it has it, and it lets go when a line
comes on standard input.

SQLite: the one write lock. PostgreSQL: the statements given, one an argument.
"""

from __future__ import annotations

import sqlite3
import sys

import psycopg
from sqlalchemy import make_url


def main() -> None:
    """Arguments: the database's address, then statements."""
    url, statements = make_url(sys.argv[1]), sys.argv[2:]
    if url.get_backend_name() == "sqlite":
        plain = sqlite3.connect(str(url.database), timeout=60, isolation_level=None)
        plain.execute("BEGIN IMMEDIATE")
        _wait()
        plain.execute("ROLLBACK")
        return
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        for statement in statements:
            connection.execute(statement)
        _wait()
        connection.rollback()


def _wait() -> None:
    print("held", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()
