"""Volunteers: who registered to serve, what is known of them, and whether they may serve now.

Names, phones, school or employer and outside numbers are sealed; birth date, county and enumerations are plain,
because matching and reports read them in sets. What guardians do is in models/guardian.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import JSON, CheckConstraint, Column, Index, text
from sqlmodel import Field, Session, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from config import regions
from config.catalogue import rules
from models import audit, guardianship, sealed
from models.database import now_of
from models.ids import new_id, new_number
from models.person import Person, address_form, local_now
from models.sealed import indexed_column, seal, sealed_columns, unseal

WAITING, ACTIVE, PAUSED, ENDED, DELETED = STATUSES = (
    "waiting_guardian",
    "active",
    "paused_guardian",
    "ended",
    "deleted",
)
MEMBERSHIPS = ("none", "league", "party", "untold")
OLDEST = 110  # full years

PHONE, OFFICIAL = "phone", "official_number"


class VolunteerError(Exception):
    """The rules of registering do not allow this; `reason` is what the dialogue chooses its words by.

    "registered" — the person is a volunteer already; "too_young", "birth_date", "county" — that answer cannot stand;
    "minor" — a minor's own word cannot end the need for a guardian.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Volunteer(SQLModel, table=True):
    """One registration. `number` is public and never used twice; times are programme time, UTC. Where somebody can be
    found is kept to about a kilometre (`latitude`, `longitude`: degrees in WGS-84 with two decimals). `cleared_until` =
    so long a clearance for work with minors is good; `trained_on` = the last training.

    `waiting_guardian`: a guardian has not agreed yet. `paused_guardian`: a guardian took the consent back.
    `ended`: the consent to being registered was taken back; nothing is deleted by that.
    `deleted`: personal data is gone, number and dates stay. A person has at most one row that counts;
    `merged_into` marks the one that was set aside when two people turned out to be one, `moved_from` the person
    that a moved row came from, so that a merge can be undone.
    """

    __tablename__ = "volunteer"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint(f"membership IN {MEMBERSHIPS}", name="membership"),
        CheckConstraint("travel_km > 0", name="travel_km"),
        CheckConstraint("sex IN ('female', 'male')", name="sex"),
        CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name="place"),
        CheckConstraint("status = 'deleted' OR (birth_date IS NOT NULL AND county IS NOT NULL)", name="complete"),
        Index(
            "uq_volunteer_person",
            "person_id",
            unique=True,
            sqlite_where=text("status != 'deleted' AND merged_into IS NULL"),
            postgresql_where=text("status != 'deleted' AND merged_into IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    number: str = Field(unique=True)
    status: str = Field(index=True)
    registered_at: datetime
    active_since: datetime | None = None
    waiting_since: datetime | None = None
    deleted_at: datetime | None = None
    merged_into: str | None = Field(default=None, foreign_key="volunteer.id")
    moved_from: str | None = Field(default=None, foreign_key="person.id")

    name_sealed: bytes | None = None
    phone_sealed: bytes | None = None
    birth_date: date | None = None
    county: str | None = Field(default=None, index=True)
    self_supporting: bool = False

    occupation: str | None = None
    workplace_sealed: bytes | None = None
    skills: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    services: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    free_times: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    travel_km: int | None = None
    official_number_sealed: bytes | None = None
    membership: str | None = None
    languages: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    skipped: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    sex: str | None = None
    town: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    trained_on: date | None = None
    cleared_until: date | None = None


sealed_columns("volunteer", "id", "name_sealed", "phone_sealed", "workplace_sealed", "official_number_sealed")
indexed_column(PHONE, "volunteer", "id", "phone_sealed")
indexed_column(OFFICIAL, "volunteer", "id", "official_number_sealed")


@dataclass(frozen=True, slots=True)
class Registered:
    """What a person registers with. `phone` is E.164, `county` a six-digit region code."""

    name: str
    phone: str
    birth_date: date
    county: str
    self_supporting: bool = False


def volunteer_of(session: Session, person_id: str) -> Volunteer | None:
    """The person's registration that counts, whatever its status but deleted."""
    return session.exec(counting().where(Volunteer.person_id == person_id)).first()


def by_number(session: Session, number: str) -> Volunteer | None:
    """The registration behind a volunteer's number."""
    return session.exec(counting().where(Volunteer.number == number)).first()


def find_by_phone(session: Session, e164: str) -> list[str]:
    """The persons registered with this number, the one registered first in front."""
    return [row.person_id for row in _with_phone(session, e164)]


def name_of(session: Session, volunteer: Volunteer) -> str:
    """The registered name; empty once deleted."""
    return _open(session, volunteer, "name_sealed") or ""


def phone_of(session: Session, volunteer: Volunteer) -> str:
    """The registered mobile number in E.164; empty once deleted."""
    return _open(session, volunteer, "phone_sealed") or ""


def workplace_of(session: Session, volunteer: Volunteer) -> str | None:
    """School or employer, if told."""
    return _open(session, volunteer, "workplace_sealed")


def official_number_of(session: Session, volunteer: Volunteer) -> str | None:
    """The number on i志愿 or 广东志愿者, if told."""
    return _open(session, volunteer, "official_number_sealed")


def called(session: Session, person: Person) -> str:
    """How to speak to somebody: the form of address, else the registered name, else an empty string."""
    chosen = address_form(session, person)
    if chosen:
        return chosen
    volunteer = volunteer_of(session, person.id)
    return name_of(session, volunteer) if volunteer else ""


def age_on(birth_date: date, day: date) -> int:
    """Full years; somebody born on 29 February becomes a year older on 1 March of other years."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))


def needs_guardian(birth_date: date, self_supporting: bool, day: date) -> bool:
    """Programme §3: below 18 a guardian agrees; who lives on own earnings from 16 on decides alone."""
    limits = rules().registration
    age = age_on(birth_date, day)
    return age < limits.guardian_consent_below and not (self_supporting and age >= limits.self_supporting_from)


def register(session: Session, person: Person, answers: Registered) -> Volunteer:
    """Make the person a volunteer: active, or waiting for a guardian. Raises VolunteerError.

    Somebody else with the same number and birth date is noted for staff and not told, so that nobody can find out
    whose number is registered.
    """
    if volunteer_of(session, person.id) is not None:
        raise VolunteerError("registered")
    today = local_now(session, person).date()
    _check_birth_date(answers.birth_date, today)
    _check_county(answers.county)
    now = now_of(session)
    waits = needs_guardian(answers.birth_date, answers.self_supporting, today)
    row = Volunteer(
        person_id=person.id,
        number=_unused_number(session),
        status=WAITING if waits else ACTIVE,
        registered_at=now,
        active_since=None if waits else now,
        waiting_since=now if waits else None,
        birth_date=answers.birth_date,
        county=answers.county,
        self_supporting=answers.self_supporting,
    )
    session.add(row)
    session.flush()
    set_name(session, row, answers.name)
    set_phone(session, row, answers.phone)
    audit.note(session, person.id, "volunteer.registered", row.id, status=row.status)
    for other in _with_phone(session, answers.phone):
        if other.id != row.id and other.birth_date == answers.birth_date:
            audit.note(session, person.id, "volunteer.possible_duplicate", row.id, other=other.id)
    return row


def set_name(session: Session, volunteer: Volunteer, name: str) -> None:
    """Keep the name."""
    volunteer.name_sealed = _seal(session, volunteer, "name_sealed", name)
    session.add(volunteer)


def set_phone(session: Session, volunteer: Volunteer, e164: str | None) -> None:
    """Keep the mobile number and make the registration findable by it, and by no earlier one."""
    volunteer.phone_sealed = _seal(session, volunteer, "phone_sealed", e164)
    sealed.index(session, PHONE, volunteer.id, e164)
    session.add(volunteer)


def set_workplace(session: Session, volunteer: Volunteer, words: str | None) -> None:
    """Keep school or employer; None takes it away."""
    volunteer.workplace_sealed = _seal(session, volunteer, "workplace_sealed", words)
    session.add(volunteer)


def set_official_number(session: Session, volunteer: Volunteer, number: str | None) -> None:
    """Keep the number on i志愿 or 广东志愿者; None takes it away."""
    volunteer.official_number_sealed = _seal(session, volunteer, "official_number_sealed", number)
    sealed.index(session, OFFICIAL, volunteer.id, number)
    session.add(volunteer)


def set_county(session: Session, volunteer: Volunteer, county: str) -> None:
    """Keep the county. Raises VolunteerError("county")."""
    _check_county(county)
    volunteer.county = county
    session.add(volunteer)


def set_birth_date(session: Session, person: Person, volunteer: Volunteer, born: date, self_supporting: bool) -> None:
    """Correct the birth date; whoever becomes a minor by it waits for a guardian. Raises VolunteerError."""
    today = local_now(session, person).date()
    _check_birth_date(born, today)
    needed = needs_guardian(born, self_supporting, today)
    before = volunteer.birth_date
    if before and needs_guardian(before, volunteer.self_supporting, today) and not needed:
        raise VolunteerError("minor")
    volunteer.birth_date = born
    volunteer.self_supporting = self_supporting
    session.add(volunteer)
    session.flush()
    if needed and volunteer.status == ACTIVE and not guardianship.stands(session, volunteer.id):
        volunteer.status = WAITING
        volunteer.waiting_since = now_of(session)
        session.flush()


def activate(session: Session, volunteer: Volunteer) -> None:
    """From now on the volunteer may serve."""
    volunteer.status = ACTIVE
    volunteer.active_since = volunteer.active_since or now_of(session)
    volunteer.waiting_since = None
    session.add(volunteer)
    session.flush()


def erase(session: Session, person_id: str) -> None:
    """Blank everything personal of all the person's registrations; number and dates stay, consents too."""
    for row in session.exec(select(Volunteer).where(Volunteer.person_id == person_id)).all():
        blank(session, row)
        audit.note(session, person_id, "volunteer.erased", row.id)


def blank(session: Session, volunteer: Volunteer) -> None:
    """Take the personal data out of one registration, with its guardians' and its places in the index."""
    sealed.index(session, PHONE, volunteer.id, None)
    sealed.index(session, OFFICIAL, volunteer.id, None)
    for column in ("name_sealed", "phone_sealed", "workplace_sealed", "official_number_sealed"):
        setattr(volunteer, column, None)
    own = ("sex", "town", "latitude", "longitude", "trained_on", "cleared_until")
    for column in ("birth_date", "occupation", "skills", "services", "free_times", "travel_km", *own):
        setattr(volunteer, column, None)
    volunteer.county = volunteer.membership = volunteer.languages = None
    volunteer.skipped = []
    volunteer.self_supporting = False
    volunteer.status = DELETED
    volunteer.waiting_since = None
    volunteer.deleted_at = volunteer.deleted_at or now_of(session)
    session.add(volunteer)
    guardianship.blank(session, volunteer.id)
    session.flush()


def counting() -> SelectOfScalar[Volunteer]:
    """The registrations that count: not deleted, and not set aside for another of the same person."""
    return select(Volunteer).where(Volunteer.status != DELETED, col(Volunteer.merged_into).is_(None))


def _with_phone(session: Session, e164: str) -> list[Volunteer]:
    rows = sealed.find(session, PHONE, e164)
    query = counting().where(col(Volunteer.id).in_(rows)).order_by(col(Volunteer.registered_at), Volunteer.id)
    return list(session.exec(query))


def _unused_number(session: Session) -> str:
    """A number that nobody had before; the unique key stands behind it."""
    while True:
        number = new_number()
        if session.exec(select(Volunteer.id).where(Volunteer.number == number)).first() is None:
            return number


def _check_birth_date(born: date, today: date) -> None:
    if born > today or age_on(born, today) > OLDEST:
        raise VolunteerError("birth_date")
    if age_on(born, today) < rules().registration.minimum_age:
        raise VolunteerError("too_young")


def _check_county(county: str) -> None:
    if len(county) != 6 or not regions.leaf(county):
        raise VolunteerError("county")


def _seal(session: Session, volunteer: Volunteer, column: str, value: str | None) -> bytes | None:
    return seal(session, f"volunteer.{column}", volunteer.id, value)


def _open(session: Session, volunteer: Volunteer, column: str) -> str | None:
    return unseal(session, f"volunteer.{column}", volunteer.id, getattr(volunteer, column))
