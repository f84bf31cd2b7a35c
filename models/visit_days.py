"""The calendar of owed visits: halves of a year, due days, spacing, late starts, and on which day who is reminded or
told (programme §6). Pure: no database, no clock; days are those of China's zone.

The steps of an obligation are numbered from 0: first the reminders before the due day (rules.toml,
visits.remind_before_days), the last of them on the day itself, then what follows when it is overdue
(visits.overdue_days): the volunteer, the specialist, deputy or leader, the county's organiser, the city. What is told
to people at work (from the specialist on) falls on working days.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from config.catalogue import rules
from models.visit import LATE_START, SPACING
from models.workdays import announced, workdays_after

ZONE = ZoneInfo("Asia/Shanghai")  # due days are the programme's, wherever a volunteer lives


@dataclass(frozen=True, slots=True, order=True)
class Half:
    """January to June (`half` 1), or July to December (2)."""

    year: int
    half: int

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, 1 if self.half == 1 else 7, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return date(self.year, 6, 30) if self.half == 1 else date(self.year, 12, 31)

    @property
    def next(self) -> Half:
        """The half after it."""
        return Half(self.year, 2) if self.half == 1 else Half(self.year + 1, 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """When a visit may be made and must be made; `flags` are of visit.FLAGS."""

    opens_on: date
    due_on: date
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is next, and the day on which it falls."""

    number: int
    on: date


def day_in_china(at: datetime) -> date:
    """The day of a time."""
    return at.astimezone(ZONE).date()


def half_of(day: date) -> Half:
    """The half in which a day lies."""
    return Half(day.year, 1 if day.month <= 6 else 2)


def halves(first: Half, last: Half) -> Iterator[Half]:
    """From the first one to the last one, both included."""
    found = first
    while found <= last:
        yield found
        found = found.next


def due_day(half: Half, *, student: bool) -> date:
    """Until when a half is owed: of teams of students earlier (rules.toml). In a year without it 29 February is the
    28th."""
    said = (rules().visits.student_due if student else rules().visits.other_due)[half.half - 1]
    month, day = (int(part) for part in said.split("-"))
    return date(half.year, month, min(day, monthrange(half.year, month)[1]))


def plan(half: Half, *, student: bool, began: date | None = None, last_made: date | None = None) -> Plan:
    """What somebody owes for a half. `began` = the day on which the pairing began, if it was in this half; `last_made`
    = the day of the last owed visit that was made.

    A late start is owed within rules.toml, visits.late_start_days or by the half's end, whichever is later. The days
    between two visits yield to the due day, where both cannot hold (programme §6)."""
    figures, due, flags = rules().visits, due_day(half, student=student), []
    opens = half.first
    if began is not None and began > opens:
        opens = began
        within = began + timedelta(days=figures.late_start_days)
        if within > due:
            due = max(within, half.last)
            flags.append(LATE_START)
    spaced, tight = spaced_from(opens, due, last_made)
    return Plan(spaced, due, (*flags, SPACING) if tight else tuple(flags))


def spaced_from(opens: date, due: date, last_made: date | None) -> tuple[date, bool]:
    """From when on a visit may be made after one on `last_made`, and whether the spacing had to yield."""
    if last_made is None:
        return opens, False
    after = max(opens, last_made + timedelta(days=rules().visits.spacing_days))
    return min(after, due), after > due


# --- the steps ---


def _offsets() -> list[int]:
    """Days after the due day of each step."""
    figures = rules().visits
    return [*(-days for days in sorted(figures.remind_before_days, reverse=True)), *figures.overdue_days]


def steps() -> int:
    """How many steps there are."""
    return len(_offsets())


def overdue_step() -> int:
    """The first step after the due day: the volunteer once more. Those behind it are told to people at work."""
    return len(rules().visits.remind_before_days)


def step_day(due: date, number: int) -> date:
    """On which day a step falls."""
    day = due + timedelta(days=_offsets()[number])
    return workdays_after(day, 0) if number > overdue_step() else day


def is_provisional(due: date, number: int) -> bool:
    """Whether the day was reckoned with a calendar of working days that is not announced yet."""
    return number > overdue_step() and not announced(due + timedelta(days=_offsets()[number]))


def first_step(opens: date, due: date, today: date) -> Step:
    """The first step of an obligation that is planned today. Those whose day is past are passed over, and those so long
    before it may be made at all that nobody could make use of them; one that is overdue begins with the volunteer."""
    notice = min((days for days in rules().visits.remind_before_days if days), default=0)
    useful = max(today, opens - timedelta(days=notice))
    for number in range(overdue_step() + 1):
        if step_day(due, number) >= useful:
            return Step(number, step_day(due, number))
    return Step(overdue_step(), today)


def taken(due: date, number: int, today: date) -> int:
    """Which step is taken today, when step `number` is next and has come. Of several that went by while nobody looked,
    the volunteer gets the last one only; each of those after it has receivers of its own, and is never left out."""
    found = number
    while found < overdue_step() and step_day(due, found + 1) <= today:
        found += 1
    return found


def following(due: date, number: int, today: date) -> Step | None:
    """What comes after step `number`, which is taken today; None after the last one. However late it is, as many days
    lie between two steps of the overdue as the rules have between them."""
    if number + 1 >= steps():
        return None
    on = step_day(due, number + 1)
    if number >= overdue_step():
        between = _offsets()[number + 1] - _offsets()[number]
        on = max(on, workdays_after(today + timedelta(days=between), 0))
    return Step(number + 1, max(on, today + timedelta(days=1)))


def not_before(due: date, number: int, day: date) -> date | None:
    """When step `number` comes, if nobody is to be asked before `day`; None after the last one."""
    if number >= steps():
        return None
    on = max(step_day(due, number), day)
    return workdays_after(on, 0) if number > overdue_step() else on


def anew(due: date, number: int, today: date) -> Step:
    """The next step when somebody else owes it from today on: what the one before was told is told to them, too, as far
    as it still lies ahead; of one that is overdue they hear within a few days, and the others count from then."""
    if due >= today:
        return first_step(today, due, today)
    wait = rules().visits.overdue_days[0]
    return Step(overdue_step(), max(step_day(due, overdue_step()), today + timedelta(days=wait)))
