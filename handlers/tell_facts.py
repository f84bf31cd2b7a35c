"""What the talk of told hours knows when it begins: whom somebody serves, and which activities there were lately."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session, col, select

from config.catalogue import rules
from handlers.here import here
from handlers.tell_parts import Event, Served
from models.activity import Activity
from models.beneficiary import Beneficiary
from models.called import called_by
from models.institution import Institution
from models.person import Person, local_now
from models.served import served_of
from models.stints import standing_of
from models.volunteer import volunteer_of

SHOWN = 10  # activities that are remembered for one talk


class TellFacts(BaseModel):
    """`now` = when the talk began, in the zone of whoever tells. `named` = forms of address may stand on this screen.
    `pieces` are the sentences of the services that are told, `at` the one that is talked about, `one_by_one` = they
    could not be told apart and are asked for singly; `saved` = so many are written down."""

    registered: bool = True
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    zone: str = "Asia/Shanghai"
    named: bool = True
    people: list[Served] = []
    events: list[Event] = []
    pieces: tuple[str, ...] = ()
    at: int = 0
    one_by_one: bool = False
    saved: int = 0

    @property
    def local(self) -> datetime:
        """The moment as their clocks show it."""
        return self.now.astimezone(ZoneInfo(self.zone))

    @property
    def forms(self) -> tuple[str, ...]:
        """How those are called whom they serve."""
        return tuple(one.form for one in self.people if one.form)


def prepare(session: Session, person: Person) -> TellFacts:
    """Whom they serve, and which activities there were lately."""
    registered = volunteer_of(session, person.id)
    place = here(session)
    return TellFacts(
        registered=registered is not None,
        now=local_now(session, person).astimezone(UTC),
        zone=person.zone,
        named=place.sensitive_in_chat,
        people=_people(session, person) if registered else [],
        events=_events(session, person, str(registered.county)) if registered else [],
    )


def _people(session: Session, person: Person) -> list[Served]:
    found = []
    for stint in standing_of(session, person.id):
        about = served_of(session, stint)
        if isinstance(about, Institution):
            found.append(Served(stint=stint.id, form=about.name, mark=about.id[-6:].upper()))
            continue
        found.append(_served(session, person, stint.id, about))
    return found


def _served(session: Session, person: Person, stint: str, about: Beneficiary) -> Served:
    name, mark = called_by(session, about, person.id), about.id[-6:].upper()
    if name is None:
        return Served(stint=stint, mark=mark)
    form = name.form or name.given
    return Served(stint=stint, form=form, surname=name.surname if name.sex else "", sex=name.sex or "", mark=mark)


def _events(session: Session, person: Person, county: str) -> list[Event]:
    now = local_now(session, person).astimezone(UTC)
    query = select(Activity).where(Activity.county == county, col(Activity.cancelled_at).is_(None))
    lately = now - timedelta(days=rules().hours.told_days)
    query = query.where(col(Activity.starts_at) >= lately, col(Activity.starts_at) <= now)
    rows = session.exec(query.order_by(col(Activity.starts_at).desc()).limit(SHOWN)).all()
    return [Event(id=row.id, name=row.name, starts=row.starts_at, ends=row.ends_at) for row in rows]
