"""Stations (阵地: 助残V站, 驿站, 基地, 温馨家园), places that are open to everybody (programme §11)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, Session, SQLModel, col, select

from config import regions
from models import audit
from models.beneficiary import may_see
from models.database import insert_once, now_of
from models.ids import new_id, new_number

KINDS = ("v_station", "post", "base", "home", "other")
LONGEST_NAME, LONGEST_TEXT = 60, 200  # characters
MOST_PEOPLE = 10_000


class Station(SQLModel, table=True):
    """One place. `number` is public and never used twice; `county` is a region code of six digits (four where a city
    has no counties); `address` and `opening_hours` are plain, for everybody is told them; `capacity` = how many people
    find room, None = nobody said. `made_by` is a person's id, or "machine". Times are programme time, UTC."""

    __tablename__ = "station"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint("capacity > 0", name="capacity"),
        Index(
            "uq_station_standing",
            "county",
            "name",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    number: str = Field(unique=True)
    name: str
    kind: str
    county: str
    town: str | None = None
    address: str = ""
    opening_hours: str = ""
    capacity: int | None = None
    made_by: str
    made_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What is told of a station; None = nothing is said, and what was said before stays."""

    town: str | None = None
    address: str | None = None
    opening_hours: str | None = None
    capacity: int | None = None


class StationError(Exception):
    """`reason`: "scope" — not theirs to keep; "county" — no county; "name" — empty, or too long; "kind"; "text" — town,
    address or hours too long; "capacity" — not 1 to MOST_PEOPLE; "taken" — one of this name stands in the county;
    "gone" — no such station stands."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def create(session: Session, by: str, name: str, kind: str, county: str, about: About | None = None) -> Station:
    """Write a station down, by whoever answers for its county (or MACHINE). Raises StationError."""
    plain = " ".join(name.split())
    told = about or About()
    if not plain or len(plain) > LONGEST_NAME:
        raise StationError("name")
    if kind not in KINDS:
        raise StationError("kind")
    if not regions.leaf(county):
        raise StationError("county")
    _check(told)
    if not may_see(session, by, county):
        raise StationError("scope")
    if named(session, plain, county) is not None:
        raise StationError("taken")
    key = new_id()
    made = session.execute(
        insert_once(session, Station).values(
            id=key,
            number=_unused_number(session),
            name=plain,
            kind=kind,
            county=county,
            town=told.town,
            address=told.address or "",
            opening_hours=told.opening_hours or "",
            capacity=told.capacity,
            made_by=by,
            made_at=now_of(session),
        )
    )
    if not getattr(made, "rowcount", 0):  # somebody else was faster
        raise StationError("taken")
    row = session.get_one(Station, key)
    audit.note(session, by, "station.made", row.id, county=county, kind=kind)
    return row


def describe(session: Session, by: str, station_id: str, about: About, *, clear: Collection[str] = ()) -> list[str]:
    """Change what is told of it, and forget what is in `clear` (names of About's fields), by whoever answers for its
    county; returns the names of what has changed. Raises StationError."""
    row = _locked(session, by, station_id)
    _check(about)
    said = dict.fromkeys(clear) | _said(about)
    said |= {field: "" for field in ("address", "opening_hours") if field in said and said[field] is None}
    changed = [field for field, value in said.items() if getattr(row, field) != value]
    for field in changed:
        setattr(row, field, said[field])
    if changed:
        session.add(row)
        session.flush()
        audit.note(session, by, "station.described", row.id, fields=" ".join(changed))
    return changed


def end(session: Session, by: str, station_id: str) -> None:
    """It is open no more; nothing is deleted. Raises StationError."""
    row = _locked(session, by, station_id)
    row.ended_at = now_of(session)
    session.add(row)
    session.flush()
    audit.note(session, by, "station.ended", row.id)


def standing(session: Session, region: str = "") -> list[Station]:
    """The stations of a region that have not ended, by county and name."""
    query = select(Station).where(col(Station.ended_at).is_(None))
    query = query.where(col(Station.county).startswith(region, autoescape=True))
    return list(session.exec(query.order_by(col(Station.county), col(Station.name), col(Station.id))))


def named(session: Session, name: str, county: str) -> Station | None:
    """The standing one of exactly this name in a county."""
    query = select(Station).where(Station.county == county, Station.name == name, col(Station.ended_at).is_(None))
    return session.exec(query.order_by(Station.id)).first()


def by_station_number(session: Session, number: str) -> Station | None:
    """The one with this number."""
    return session.exec(select(Station).where(Station.number == number)).first()


def _unused_number(session: Session) -> str:
    """A number that none had before; the unique key stands behind it."""
    while True:
        number = new_number()
        if by_station_number(session, number) is None:
            return number


def _said(about: About) -> dict[str, str | int]:
    return {field: value for field, value in asdict(about).items() if value is not None}


def _check(about: About) -> None:
    if any(isinstance(value, str) and len(value) > LONGEST_TEXT for value in _said(about).values()):
        raise StationError("text")
    if about.capacity is not None and not 0 < about.capacity <= MOST_PEOPLE:
        raise StationError("capacity")


def _locked(session: Session, by: str, station_id: str) -> Station:
    query = select(Station).where(Station.id == station_id, col(Station.ended_at).is_(None)).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).first()
    if row is None:
        raise StationError("gone")
    if not may_see(session, by, row.county):
        raise StationError("scope")
    return row
