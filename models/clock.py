"""Two clocks: the programme's may be moved in the sandbox and in tests, the machine's never."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlmodel import Field, Session, SQLModel

from models import naming  # noqa: F401 sets the names of constraints before the first table


def _machine() -> datetime:
    return datetime.now(UTC)


class ProgrammeClock(SQLModel, table=True):
    """How far the programme clock runs ahead of the machine's; one row, none where it was never moved."""

    __tablename__ = "programme_clock"
    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    offset_seconds: int = 0


class Clock:
    """`now()` is programme time (due days, windows, quiet hours); `machine()` is for leases, tokens and limits."""

    def __init__(self, offset: timedelta = timedelta(0), machine: Callable[[], datetime] = _machine) -> None:
        self.offset = offset
        self.machine = machine

    def now(self) -> datetime:
        """UTC, aware."""
        return self.machine() + self.offset

    def advance(self, session: Session, by: timedelta) -> None:
        """Move the programme clock forward and remember it. Raises ValueError for a step backwards."""
        if by <= timedelta(0):
            raise ValueError("the programme clock moves forward only")
        row = session.get(ProgrammeClock, 1) or ProgrammeClock()
        row.offset_seconds += int(by.total_seconds())
        session.add(row)
        session.flush()
        self.offset = timedelta(seconds=row.offset_seconds)


def moved_by(session: Session) -> timedelta:
    """How far the stored programme clock is from the machine's."""
    row = session.get(ProgrammeClock, 1)
    return timedelta(seconds=row.offset_seconds if row else 0)
