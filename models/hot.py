"""Statements of the hot rows (inbox, conversation, outbox): compiled once, run on the transaction's own cursor.

Building, keying and executing a statement through a Session costs a quarter of a millisecond, which is more than the
database needs for it; a turn has half a dozen of them (architecture.md §4; `make bench` shows the difference).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.orm import class_mapper
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.sql import Executable
from sqlmodel import Session, SQLModel

from models.database import run_on

T = TypeVar("T", bound=SQLModel)
_Processor = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """`names` in the driver's order, or none where the driver takes them by name."""

    sql: str
    names: tuple[str, ...] | None
    constants: dict[str, Any]
    binds: dict[str, _Processor]
    results: tuple[_Processor | None, ...]


class Hot:
    """One statement with named parameters (`bindparam`); `make` builds it for a dialect ("sqlite", "postgresql").

    It neither flushes nor refreshes objects: what the ORM changed and this statement must see is flushed before, and
    what it changes must not be read from an object afterwards. Lists (`IN`) are not expanded.
    """

    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make
        self._compiled: dict[str, _Compiled] = {}
        self._one = Lock()

    def changed(self, session: Session, **values: Any) -> int:
        """Run it; returns how many rows it touched. Raises what the same statement raises through a Session."""
        return int(self._run(session, values)[0].rowcount)

    def first(self, session: Session, **values: Any) -> tuple[Any, ...] | None:
        """Run a query; returns its first row, or None."""
        cursor, compiled = self._run(session, values)
        row = cursor.fetchone()
        if row is None:
            return None
        return tuple(
            value if process is None else process(value) for process, value in zip(compiled.results, row, strict=True)
        )

    def _run(self, session: Session, values: dict[str, Any]) -> tuple[DBAPICursor, _Compiled]:
        connection, cursor = _under(session)
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name) or self._compile(dialect)
        for name, process in compiled.binds.items():
            values[name] = process(values[name])
        values.update(compiled.constants)
        parameters: Any = values if compiled.names is None else tuple(values[name] for name in compiled.names)
        run_on(connection, cursor, compiled.sql, parameters)
        return cursor, compiled

    def _compile(self, dialect: Dialect) -> _Compiled:
        with self._one:
            statement: Executable = self._make(dialect.name)
            made: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
            constants: dict[str, Any] = {}
            binds: dict[str, _Processor] = {}
            for name, bound in made.binds.items():
                process = bound.type.dialect_impl(dialect).bind_processor(dialect)
                if not bound.required:
                    constants[name] = process(bound.effective_value) if process else bound.effective_value
                elif process is not None:
                    binds[name] = process
            results = tuple(
                column.type.dialect_impl(dialect).result_processor(dialect, None)
                for column in getattr(statement, "exported_columns", ())  # what it selects, or returns
            )
            names = tuple(made.positiontup) if made.positional else None
            self._compiled[dialect.name] = _Compiled(str(made), names, constants, binds, results)
            return self._compiled[dialect.name]


def loaded(session: Session, table: type[T], values: tuple[Any, ...]) -> T:
    """The object of a row that was read past the session (all columns, in the table's order), as if that had read it.

    Only for a session that does not hold the row yet. Whoever wants it to stay must hold it, as everything loaded.
    """
    mapper = class_mapper(table)
    made: T = mapper.class_manager.new_instance()
    state = instance_state(made)
    state.dict.update(zip(_names(table), values, strict=True))
    # As SQLAlchemy's own loading does it: make_transient_to_detached and Session.add ask ten times as many questions.
    state.key = mapper.identity_key_from_primary_key((state.dict[_key(table)],))
    state.session_id = session.hash_key
    session.identity_map.add(state)
    return made


@cache
def _key(table: type[SQLModel]) -> str:
    mapper = class_mapper(table)
    return mapper.get_property_by_column(mapper.primary_key[0]).key


@cache
def _names(table: type[SQLModel]) -> tuple[str, ...]:
    columns = class_mapper(table).local_table.c
    return tuple(class_mapper(table).get_property_by_column(column).key for column in columns)


def cursor_of(session: Session) -> DBAPICursor:
    """The cursor of the session's transaction, which begins here if it has not begun."""
    return _under(session)[1]


def dialect_of(session: Session) -> str:
    """ "sqlite" or "postgresql"."""
    return _under(session)[0].dialect.name


def _under(session: Session) -> tuple[Connection, DBAPICursor]:
    """The connection and cursor under a session: of the transaction that it was made for, or of its own one now."""
    made: tuple[Connection, DBAPICursor] | None = session.info.get("hot")
    if made is not None:
        return made
    transaction, connection, cursor = session.info.get("cursor", (None, None, None))
    if cursor is None or transaction is not session.get_transaction():
        connection = session.connection()
        cursor = connection.connection.cursor()
        session.info["cursor"] = session.get_transaction(), connection, cursor
    return connection, cursor
