"""Two clocks: the programme's may be moved in the sandbox and in tests, the machine's never.

Copies of the program on several machines share one machine clock, that of their database server: a lease or a claim
that one of them takes is looked at by all, and their own clocks may differ, or be set.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlmodel import Field, Session, SQLModel

from models import naming  # noqa: F401 sets the names of constraints before the first table

# What was written down this far ahead of the machine's clock was written before that was set back; less is what the
# clocks of two machines differ by.
SET_BACK = timedelta(seconds=30)


_SURE_SECONDS = 0.5  # whoever answers later has perhaps looked at the clock long before
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Seconds that nobody can set, and that go on while the machine sleeps: other machines' leases do so, too."""
    return time.clock_gettime(_STEADY)


def _machine() -> datetime:
    return datetime.now(UTC)


class ProgrammeClock(SQLModel, table=True):
    """How far the programme clock runs ahead of the machine's; one row, none where it was never moved."""

    __tablename__ = "programme_clock"
    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    offset_seconds: int = 0


class Clock:
    """`now()` is programme time (due days, windows, quiet hours); `shared()` is for leases, tokens and limits, and
    `machine()` this machine's own time.

    `follows` = it may be told the database server's time; None = if it is the machine's real clock.
    """

    def __init__(
        self,
        offset: timedelta = timedelta(0),
        machine: Callable[[], datetime] = _machine,
        *,
        follows: bool | None = None,
    ) -> None:
        self.offset = offset
        self.machine = machine
        self.follows = machine is _machine if follows is None else follows
        self._met: tuple[datetime, float] | None = None  # the server's time, and when that was by `steady`

    def shared(self) -> datetime:
        """The machine time of all copies, UTC, aware: the server's, as it was told last, and what has passed since."""
        if self._met is None:
            return self.machine()
        at, since = self._met
        return at + timedelta(seconds=steady() - since)

    def tell(self, at: datetime, asked: float, answered: float) -> None:
        """The server's time, with the `steady` seconds when it was asked for and when its answer came. An answer that
        took long is believed only where there is no better one."""
        if self._met is None or answered - asked <= _SURE_SECONDS:
            self._met = at.astimezone(UTC), (asked + answered) / 2

    @property
    def was_told(self) -> bool:
        """Whether it goes by the server's time."""
        return self._met is not None

    @property
    def apart(self) -> timedelta:
        """How far this machine's own clock is ahead of the server's; zero where it was never told."""
        return self.machine() - self.shared() if self._met is not None else timedelta(0)

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
