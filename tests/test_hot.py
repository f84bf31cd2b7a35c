"""Statements compiled once: they mean what the same statement means through a Session, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlmodel import SQLModel

from models import tables  # noqa: F401 so that every table is known
from models.database import Database, DatabaseAway
from models.hot import Hot, cursor_of

_T: Any = SQLModel.metadata.tables["inbox"]
AT = datetime(2026, 2, 28, 23, 59, 59, 123456, tzinfo=UTC)
GIVEN = ("id", "platform", "account", "key", "sender", "kind", "received_at", "payload_sealed")
PUT = Hot(
    lambda _dialect: insert(_T).values(
        **{name: bindparam(name) for name in GIVEN}, state="done", failures=0, door="none"
    )
)
FIND = Hot(
    lambda _dialect: select(_T.c.received_at, _T.c.payload_sealed, _T.c.person_id, _T.c.failures).where(
        _T.c.id == bindparam("row")
    )
)
COUNT = Hot(
    lambda _dialect: update(_T).where(_T.c.sender == bindparam("who")).values(failures=_T.c.failures + 1, state="aside")
)


def row(number: int, **changed: Any) -> dict[str, Any]:
    values = dict.fromkeys(GIVEN, f"值{number}") | {
        "id": f"row{number}",
        "received_at": AT,
        "payload_sealed": b"\x00\xff",
    }
    return values | changed


def test_what_is_written_is_read_again_with_its_types(database: Database) -> None:
    with database.write() as session:
        assert PUT.changed(session, **row(1)) == 1
    with database.read() as session:
        assert FIND.first(session, row="row1") == (AT, b"\x00\xff", None, 0)
        assert FIND.first(session, row="row2") is None
        assert session.execute(select(_T.c.received_at)).scalar_one() == AT, "and through a Session the same"


def test_an_update_says_how_many_rows_it_touched(database: Database) -> None:
    with database.write() as session:
        for number in range(3):
            PUT.changed(session, **row(number, sender="a" if number else "b", key=str(number)))
        assert COUNT.changed(session, who="a") == 2
        assert COUNT.changed(session, who="nobody") == 0
        assert session.execute(select(_T.c.state, _T.c.failures).where(_T.c.sender == "a")).all() == [("aside", 1)] * 2


def test_a_broken_key_raises_what_a_session_raises_and_tells_no_value(database: Database) -> None:
    with pytest.raises(IntegrityError) as broken, database.write() as session:
        PUT.changed(session, **row(1))
        PUT.changed(session, **row(1))
    assert "值1" not in str(broken.value.statement)
    assert broken.value.params is None
    with database.read() as session:
        assert FIND.first(session, row="row1") is None, "the transaction was rolled back"


def test_a_forgotten_parameter_is_named(database: Database) -> None:
    with pytest.raises((KeyError, ProgrammingError), match="row"), database.read() as session:
        FIND.first(session)


def test_a_lock_that_is_not_given_is_the_database_being_away(database: Database, tmp_path: Any) -> None:
    other = Database(database.url.render_as_string(hide_password=False), database.vault, database.clock, durable=False)
    try:
        with database.write() as first:
            PUT.changed(first, **row(1, sender="a"))
            first.flush()
            with pytest.raises(DatabaseAway), other.write() as second:
                if not other.is_sqlite:
                    second.execute(text("SET LOCAL lock_timeout = 200"))
                PUT.changed(second, **row(1))
    finally:
        other.dispose()


def test_each_transaction_of_a_session_has_its_own_cursor(database: Database) -> None:
    with database.write() as session:
        before = cursor_of(session)
        assert cursor_of(session) is before
        with session.begin_nested():
            assert cursor_of(session) is before, "a savepoint is the same transaction"
            PUT.changed(session, **row(1))
        session.commit()
        assert cursor_of(session) is not before
        assert FIND.first(session, row="row1") is not None


def test_a_savepoint_takes_its_work_back(database: Database) -> None:
    with database.write() as session:
        with pytest.raises(RuntimeError), session.begin_nested():
            PUT.changed(session, **row(1))
            raise RuntimeError
        assert FIND.first(session, row="row1") is None
