"""The hours ledger (programme §7): what counts, line by line, never changed; what was wrong has a counter-entry.

Each county has a chain of its own: a line's hash covers its content and the hash of the line before, over opaque ids
and stable text only, so that it can be checked for ever, also after people have deleted their data. The last line's
number and hash (`heads`) can be taken out of the house: kept elsewhere they show whether a tail was cut off.

Only models/serving.py and models/serving_moves.py write here, and the database refuses changes (models/guards.py).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from typing import Literal

from sqlalchemy import case, func, text
from sqlmodel import Session, col, select

from models.database import now_of
from models.ids import new_id
from models.person import family
from models.service import CONFIRMED, HoursEntry, ServiceRecord

CONFIRM, CORRECT, REFUSE, MERGE, TOGETHER = WHYS = (
    "confirmed",
    "corrected",
    "refused",
    "merged",  # the two accounts of one person had both this time
    "together",  # whoever confirmed it turned out to be the very person
)
_LOCK = 7_402_015  # the first half of the advisory lock's key; the second one is the county
_AT_ONCE = 1_000  # lines read at a time when a chain is checked


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of a county's chain."""

    county: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a county's ledger is not what was written. `seq` = the first line that is wrong or missing; `what`:
    "missing" — there is no such line; "changed" — its hash is not its own; "chain" — it does not follow the one before;
    "cut" — lines that were there when a head was taken are gone; "head" — the line is another one than the head's;
    "record" — the sum of the record `id` is not what it counts for."""

    county: str
    seq: int
    what: Literal["missing", "changed", "chain", "cut", "head", "record"]
    id: str = ""


def digest(entry: HoursEntry) -> str:
    """SHA-256 over a line and the hash of the one before it, in hexadecimal."""
    at = entry.made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    told = [entry.county, entry.seq, entry.id, entry.record_id, entry.person_id, entry.content]
    told += [entry.day.isoformat(), entry.minutes, entry.why, entry.made_by, at, entry.before]
    return hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()


def hold(session: Session, counties: Iterable[str]) -> None:
    """Nobody else writes into the ledgers of these counties until the transaction ends. Whoever needs several takes
    them at once, and after the volunteers' rows, or two might wait for each other. On SQLite a write transaction is
    alone anyhow."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for county in sorted(set(counties)):
        session.execute(text("SELECT pg_advisory_xact_lock(:space, :county)"), {"space": _LOCK, "county": int(county)})


def append(session: Session, record: ServiceRecord, minutes: Mapping[date, int], why: str, by: str) -> list[HoursEntry]:
    """New lines for a record: so many minutes of its content on these days. `by` = a person's id, or "programme"."""
    return _write(session, record, [(day, record.content, one) for day, one in sorted(minutes.items())], why, by)


def counter(session: Session, record: ServiceRecord, why: str, by: str) -> list[HoursEntry]:
    """Lines with the opposite minutes of all that a record counts for: afterwards it counts for nothing."""
    net = sorted(of_record(session, record.id).items())
    return _write(session, record, [(day, content, -minutes) for (day, content), minutes in net], why, by)


def _write(
    session: Session, record: ServiceRecord, lines: list[tuple[date, str, int]], why: str, by: str
) -> list[HoursEntry]:
    hold(session, [record.county])
    last = head(session, record.county)
    seq, before = (last.seq, last.hash) if last is not None else (0, "")
    now, made = now_of(session), []
    for day, content, minutes in lines:
        seq += 1
        row = HoursEntry(
            id=new_id(),
            county=record.county,
            seq=seq,
            record_id=record.id,
            person_id=record.person_id,
            content=content,
            day=day,
            minutes=minutes,
            why=why,
            made_by=by,
            made_at=now,
            before=before,
            hash="",
        )
        row.hash = before = digest(row)
        session.add(row)
        made.append(row)
    session.flush()
    return made


def of_record(session: Session, record_id: str) -> dict[tuple[date, str], int]:
    """What a record counts for, in minutes by local day and content; nothing that has come to zero."""
    net: Counter[tuple[date, str]] = Counter()
    for row in session.exec(select(HoursEntry).where(HoursEntry.record_id == record_id)):
        net[row.day, row.content] += row.minutes
    return {key: minutes for key, minutes in net.items() if minutes}


# What counts for somebody


def minutes_of(session: Session, person_id: str, first: date | None = None, last: date | None = None) -> int:
    """The confirmed minutes of a person and of everybody who became this person; between two local days, both counted,
    where they are named."""
    query = select(func.coalesce(func.sum(HoursEntry.minutes), 0))
    query = query.where(col(HoursEntry.person_id).in_(family(session, person_id)))
    if first is not None:
        query = query.where(col(HoursEntry.day) >= first)
    if last is not None:
        query = query.where(col(HoursEntry.day) <= last)
    return int(session.exec(query).one())


def by_days(session: Session, people: Iterable[str], first: date, last: date, but: str = "") -> dict[date, int]:
    """The confirmed minutes of these accounts by local day, without those of the record `but`."""
    query = select(col(HoursEntry.day), func.sum(HoursEntry.minutes)).where(
        col(HoursEntry.person_id).in_(list(people)),
        col(HoursEntry.day) >= first,
        col(HoursEntry.day) <= last,
        HoursEntry.record_id != but,
    )
    return {day: int(minutes) for day, minutes in session.exec(query.group_by(col(HoursEntry.day))) if minutes}


def by_month(session: Session, person_id: str) -> dict[str, dict[str, int]]:
    """The confirmed minutes of a person, as `minutes_of`, by month ("2026-11", the newest first) and content; months
    and contents that came to nothing are left out."""
    query = select(col(HoursEntry.day), HoursEntry.content, func.sum(HoursEntry.minutes))
    query = query.where(col(HoursEntry.person_id).in_(family(session, person_id)))
    months: dict[str, Counter[str]] = {}
    for day, content, minutes in session.exec(query.group_by(col(HoursEntry.day), HoursEntry.content)):
        months.setdefault(f"{day:%Y-%m}", Counter())[content] += int(minutes)
    found = {month: {key: one for key, one in sorted(said.items()) if one} for month, said in months.items()}
    return {month: found[month] for month in sorted(found, reverse=True) if found[month]}


def entries_of(session: Session, person_id: str) -> list[HoursEntry]:
    """Every line about a person and whoever became this person, as written."""
    query = select(HoursEntry).where(col(HoursEntry.person_id).in_(family(session, person_id)))
    return list(session.exec(query.order_by(col(HoursEntry.made_at), HoursEntry.county, col(HoursEntry.seq))))


# The chain


def head(session: Session, county: str) -> Head | None:
    """The last line of a county; None where there is none yet."""
    query = select(HoursEntry.seq, HoursEntry.hash).where(HoursEntry.county == county)
    row = session.exec(query.order_by(col(HoursEntry.seq).desc()).limit(1)).first()
    return Head(county, row[0], row[1]) if row is not None else None


def counties(session: Session, region: str = "") -> list[str]:
    """The counties that have lines, within a region (2, 4 or 6 digits)."""
    query = select(HoursEntry.county).distinct().where(col(HoursEntry.county).startswith(region))
    return sorted(session.exec(query))


def heads(session: Session, region: str = "") -> list[Head]:
    """The last line of every county that has any, within a region."""
    found = [head(session, county) for county in counties(session, region)]
    return [one for one in found if one is not None]


def first_broken(session: Session, county: str, taken: Head | None = None) -> Broken | None:
    """The first line of a county's chain that is not what was written, None where all is whole; `taken` = a head of
    this county that was kept elsewhere."""
    seq, before = 0, ""
    for row in _lines(session, county):
        seq += 1
        if row.seq != seq:
            return Broken(county, seq, "missing")
        if row.before != before:
            return Broken(county, seq, "chain", row.id)
        if row.hash != digest(row):
            return Broken(county, seq, "changed", row.id)
        if taken is not None and taken.seq == seq and taken.hash != row.hash:
            return Broken(county, seq, "head", row.id)
        before = row.hash
    if taken is not None and taken.seq > seq:
        return Broken(county, seq + 1, "cut")
    return None


def _lines(session: Session, county: str) -> Iterator[HoursEntry]:
    last = -(2**31)  # whatever stands there, also what was never numbered so by us
    while True:
        query = select(HoursEntry).where(HoursEntry.county == county, col(HoursEntry.seq) > last)
        rows = session.exec(query.order_by(col(HoursEntry.seq)).limit(_AT_ONCE)).all()
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1].seq
        session.expunge_all()


def disagreeing(session: Session, county: str) -> Broken | None:
    """The first record of a county whose lines do not come to what it counts for: a confirmed one to its minutes, any
    other to nothing. And the first line whose record is not there."""
    total, first = func.sum(HoursEntry.minutes).label("minutes"), func.min(HoursEntry.seq).label("seq")
    grouped = select(HoursEntry.record_id, total, first).where(HoursEntry.county == county)
    sums = grouped.group_by(HoursEntry.record_id).subquery()
    record_id, minutes, seq = sums.c.record_id, sums.c.minutes, sums.c.seq
    counts = case((col(ServiceRecord.state) == CONFIRMED, col(ServiceRecord.minutes)), else_=0)
    wrong = select(record_id, seq).select_from(sums)
    wrong = wrong.outerjoin(ServiceRecord, (col(ServiceRecord.id) == record_id) & (ServiceRecord.county == county))
    found = session.exec(wrong.where(minutes != counts).order_by(seq).limit(1)).first()
    if found is not None:
        return Broken(county, found[1], "record", found[0])
    lacking = select(ServiceRecord.id).outerjoin(sums, record_id == col(ServiceRecord.id))
    lacking = lacking.where(ServiceRecord.county == county, ServiceRecord.state == CONFIRMED)
    lacking = lacking.where(ServiceRecord.minutes > 0, record_id.is_(None)).order_by(ServiceRecord.id).limit(1)
    missing = session.exec(lacking).first()
    return Broken(county, 0, "record", missing) if missing is not None else None


def audited(session: Session, region: str = "", taken: Iterable[Head] = ()) -> Iterator[tuple[str, Broken | None]]:
    """Every county of a region that has lines, or had when the heads were taken, with what is wrong in it first."""
    kept = {one.county: one for one in taken if one.county.startswith(region)}
    for county in sorted({*counties(session, region), *kept}):
        yield county, first_broken(session, county, kept.get(county)) or disagreeing(session, county)


def as_text(found: Iterable[Head]) -> str:
    """Heads, one a line: county, number and hash."""
    return "".join(f"{one.county} {one.seq} {one.hash}\n" for one in found)


def from_text(words: str) -> list[Head]:
    """The reverse. Raises ValueError, which names the line."""
    found = []
    for number, line in enumerate(words.splitlines(), 1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 3 or not parts[0].isdigit() or not parts[1].isdigit() or len(parts[2]) != 64:
            raise ValueError(number)
        found.append(Head(parts[0], int(parts[1]), parts[2]))
    return found
