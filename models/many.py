"""Many values in one parameter: a statement reads the same whatever their number, so that SQLAlchemy compiles it and
PostgreSQL plans it once. (An IN list is another statement for each length.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, String, any_, bindparam, column, func, select, text
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


def _among_sqlite(what: Any) -> Any:
    return what.in_(select(column("value")).select_from(func.json_each(bindparam("ids", type_=String))))


def _among_postgresql(what: Any) -> Any:
    return what == any_(bindparam("ids", type_=ARRAY(String)))


_AMONG: dict[str, Callable[[Any], Any]] = {"sqlite": _among_sqlite, "postgresql": _among_postgresql}
