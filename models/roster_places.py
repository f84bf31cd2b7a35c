"""Rows of a table of institutions, and of one of stations."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlmodel import Session, col, select

from models import institution, station
from models.institution import Contact, Institution, InstitutionError
from models.ledger_batch import CHANGED, NEW, SAME
from models.ledger_cells import RowCells
from models.ledger_values import choice, folded, plain
from models.roster import (
    CHANGED_SINCE,
    NOT_YOURS,
    OFFERED,
    PAIRED,
    Doing,
    Later,
    Refused,
    State,
    brought_by,
    count,
    county,
    hanging,
    named,
    need,
)
from models.station import About, Station, StationError


@dataclass(frozen=True, slots=True)
class InstitutionEntry:
    """An institution as a row has it; `county` is a region code."""

    name: str
    kind: str
    county: str
    contact: Contact


class Institutions:
    """Institutions: the same name in the same county is the same one; an empty cell leaves what stands."""

    name = "institutions"
    entry = InstitutionEntry

    def __init__(self) -> None:
        self._standing: set[tuple[str, ...]] = set()

    def prepare(self, session: Session, batch: str = "") -> None:
        """The names that stand, as they are compared."""
        query = select(Institution.name, Institution.county).where(col(Institution.ended_at).is_(None))
        rows = session.exec(query.where(col(Institution.id).not_in(brought_by(batch))))
        self._standing = {(folded(name), code) for name, code in rows}

    def read(self, row: RowCells, here: str | None) -> InstitutionEntry | None:
        """The row as it is meant."""
        name = need(row, "name", named(institution.LONGEST_NAME))
        kind = need(row, "kind", lambda cell: choice("institution_kind", cell, "institution_kind"))
        place = need(row, "county", county(here))
        contact = Contact(row.take("address", plain), row.take("contact", plain), row.phone("phone"))
        return InstitutionEntry(name, kind, place, contact) if name and kind and place else None

    def key(self, entry: InstitutionEntry) -> tuple[str, ...]:
        """Name and county."""
        return folded(entry.name), entry.county

    def do(self, doing: Doing, entry: InstitutionEntry) -> str:
        """Write it down, or bring its contact to what the row says."""
        session, by = doing.session, doing.by
        found = institution.named(session, entry.name, entry.county)
        try:
            if found is not None:
                if found.kind != entry.kind:
                    doing.row.problem("kind", "kind_stays")
                return CHANGED if institution.set_contact(session, by, found.id, entry.contact) else SAME
            if self.key(entry) in self._standing:
                doing.doubt("name", "alike")
            made = institution.create(session, by, entry.name, entry.kind, entry.county)
            institution.set_contact(session, by, made.id, entry.contact)
        except InstitutionError as error:
            raise Refused("county", "not_yours" if error.reason == "scope" else "place_rule") from None
        return NEW

    def place(self, session: Session, entry: InstitutionEntry) -> tuple[str, str | None]:
        """Its county."""
        return "county", entry.county

    def called(self, session: Session, entry: InstitutionEntry) -> str:
        """Its name."""
        return entry.name

    def state(self, session: Session, entry: InstitutionEntry) -> State:
        """Which one it is, and how it is reached."""
        found = institution.named(session, entry.name, entry.county)
        contact = institution.contact_of(session, found) if found is not None else Contact()
        return {"id": found.id if found is not None else None, **asdict(contact)}

    def put_back(self, session: Session, by: str, entry: InstitutionEntry, before: State, after: State) -> None:
        """A new one ends, and how it is reached is forgotten."""
        said = {name: before[name] for name in asdict(Contact()) if before[name] != after[name]}
        try:
            if before["id"] is None:
                _check_hanging(session, "institution", after["id"])
            institution.set_contact(session, by, after["id"], Contact(**said), clear=said)
            if before["id"] is None:
                institution.end(session, by, after["id"])
        except InstitutionError as error:
            raise Later(_LATER.get(error.reason, CHANGED_SINCE)) from None


@dataclass(frozen=True, slots=True)
class StationEntry:
    """A station as a row has it; `county` is a region code."""

    name: str
    kind: str
    county: str
    about: About


class Stations:
    """Stations: the same name in the same county is the same one; an empty cell leaves what stands."""

    name = "stations"
    entry = StationEntry

    def __init__(self) -> None:
        self._standing: set[tuple[str, ...]] = set()

    def prepare(self, session: Session, batch: str = "") -> None:
        """The names that stand, as they are compared."""
        query = select(Station.name, Station.county).where(col(Station.ended_at).is_(None))
        rows = session.exec(query.where(col(Station.id).not_in(brought_by(batch))))
        self._standing = {(folded(name), code) for name, code in rows}

    def read(self, row: RowCells, here: str | None) -> StationEntry | None:
        """The row as it is meant."""
        name = need(row, "name", named(station.LONGEST_NAME))
        kind = need(row, "kind", lambda cell: choice("station_kind", cell, "station_kind"))
        place = need(row, "county", county(here))
        about = About(
            row.take("town", plain),
            row.take("address", plain),
            row.take("opening_hours", plain),
            row.take("capacity", count(station.MOST_PEOPLE)),
        )
        return StationEntry(name, kind, place, about) if name and kind and place else None

    def key(self, entry: StationEntry) -> tuple[str, ...]:
        """Name and county."""
        return folded(entry.name), entry.county

    def do(self, doing: Doing, entry: StationEntry) -> str:
        """Write it down, or bring it to what the row says."""
        session, by = doing.session, doing.by
        found = station.named(session, entry.name, entry.county)
        try:
            if found is not None:
                if found.kind != entry.kind:
                    doing.row.problem("kind", "kind_stays")
                return CHANGED if station.describe(session, by, found.id, entry.about) else SAME
            if self.key(entry) in self._standing:
                doing.doubt("name", "alike")
            station.create(session, by, entry.name, entry.kind, entry.county, entry.about)
        except StationError as error:
            raise Refused("county", "not_yours" if error.reason == "scope" else "place_rule") from None
        return NEW

    def place(self, session: Session, entry: StationEntry) -> tuple[str, str | None]:
        """Its county."""
        return "county", entry.county

    def called(self, session: Session, entry: StationEntry) -> str:
        """Its name."""
        return entry.name

    def state(self, session: Session, entry: StationEntry) -> State:
        """Which one it is, and what is told of it."""
        found = station.named(session, entry.name, entry.county)
        told = {name: getattr(found, name) for name in asdict(About())} if found is not None else asdict(About())
        return {"id": found.id if found is not None else None, **told}

    def put_back(self, session: Session, by: str, entry: StationEntry, before: State, after: State) -> None:
        """A new one ends."""
        try:
            if before["id"] is None:
                _check_hanging(session, "station", after["id"])
                station.end(session, by, after["id"])
                return
            said = {name: before[name] for name in asdict(About()) if before[name] != after[name]}
            station.describe(session, by, after["id"], About(**said), clear=said)
        except StationError as error:
            raise Later(_LATER.get(error.reason, CHANGED_SINCE)) from None


_LATER = {"scope": NOT_YOURS, "paired": PAIRED}


def _check_hanging(session: Session, table: str, key: str) -> None:
    """Something else than the import has come to hang on it. Raises Later."""
    found = hanging(session, table, key)
    if found:
        raise Later({"stint": PAIRED, "offer": OFFERED}.get(found, CHANGED_SINCE))
