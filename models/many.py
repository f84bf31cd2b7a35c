"""Many values in one parameter: a statement reads the same whatever their number, so that SQLAlchemy compiles it and
PostgreSQL plans it once. (An IN list is another statement for each length.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, String, all_, any_, bindparam, column, func, select, text
from sqlmodel import Session


class Many:
    """One statement per dialect; `make` gets the dialect's name and `among`, which says that a column is one of the
    values given as `ids`."""

    def __init__(self, make: Callable[[Callable[[Any], Any], str], Any]) -> None:
        self._make = make
        self._made: dict[str, Any] = {}

    def run(self, session: Session, ids: Iterable[str], **values: Any) -> Any:
        """The result of the statement for these values."""
        dialect = session.get_bind().dialect.name
        statement = self._made.get(dialect)
        if statement is None:
            statement = self._made[dialect] = self._make(_AMONG[dialect], dialect)
        listed = list(ids)
        given = listed if dialect == "postgresql" else json.dumps(listed)
        return session.connection().execute(statement, {"ids": given} | values)


class Rows:
    """One statement of plain SQL over a table `rows` of text columns, which comes as one parameter. It is written with
    `{rows}` where the table stands; `types` are those of other parameters."""

    def __init__(self, sql: str, columns: Sequence[str], **types: Any) -> None:
        self._columns = tuple(columns)
        bound = [bindparam(name, type_=kind) for name, kind in types.items()]
        values = ", ".join(f"json_extract(value, '$[{at}]') AS {name}" for at, name in enumerate(columns))
        lists = ", ".join(f"CAST(:rows_{name} AS varchar[])" for name in columns)
        names = ", ".join(columns)
        self._made = {
            "sqlite": text(sql.format(rows=f"(SELECT {values} FROM json_each(:rows)) AS rows")).bindparams(*bound),  # noqa: S608 columns are named in code
            "postgresql": text(sql.format(rows=f"unnest({lists}) AS rows({names})")).bindparams(*bound),
        }

    def run(self, session: Session, rows: Sequence[Sequence[str]], **values: Any) -> None:
        """Run it, if there are rows."""
        if not rows:
            return
        dialect = session.get_bind().dialect.name
        if dialect == "postgresql":
            given: dict[str, Any] = {
                f"rows_{name}": list(each) for name, each in zip(self._columns, zip(*rows, strict=True), strict=True)
            }
        else:
            given = {"rows": json.dumps(rows)}
        session.connection().execute(self._made[dialect], given | values)


class Besides:
    """One statement per dialect that passes over values; `make` gets `but_for`, which says of a column that it is none
    of those given under a name. (As with `Many`, their number does not change the statement.)"""

    def __init__(self, make: Callable[[Callable[[Any, str], Any]], Any]) -> None:
        self._make = make
        self._made: dict[str, Any] = {}

    def run(self, session: Session, values: Mapping[str, Any], **lists: Iterable[str]) -> Any:
        """The result of the statement, `lists` by their names."""
        dialect = session.get_bind().dialect.name
        statement = self._made.get(dialect)
        if statement is None:
            statement = self._made[dialect] = self._make(_BUT_FOR[dialect])
        given = {name: list(ids) if dialect == "postgresql" else json.dumps(list(ids)) for name, ids in lists.items()}
        return session.connection().execute(statement, {**values, **given})


def _among_sqlite(what: Any) -> Any:
    return what.in_(select(column("value")).select_from(func.json_each(bindparam("ids", type_=String))))


def _among_postgresql(what: Any) -> Any:
    return what == any_(bindparam("ids", type_=ARRAY(String)))


def _but_for_sqlite(what: Any, name: str) -> Any:
    return what.not_in(select(column("value")).select_from(func.json_each(bindparam(name, type_=String))))


def _but_for_postgresql(what: Any, name: str) -> Any:
    return what != all_(bindparam(name, type_=ARRAY(String)))


_BUT_FOR: dict[str, Callable[[Any, str], Any]] = {"sqlite": _but_for_sqlite, "postgresql": _but_for_postgresql}
_AMONG: dict[str, Callable[[Any], Any]] = {"sqlite": _among_sqlite, "postgresql": _among_postgresql}
