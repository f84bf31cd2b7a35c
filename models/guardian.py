"""A minor's guardian: agreeing, refusing, taking back, and what happens when nobody answers or the minor grows up.

Consent comes from the guardian's own door, or from paper that a specialist saw; never from the minor's (PIPL §31,
programme §3). The tables stand in models/volunteer.py and models/guardianship.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session, and_, col, or_, select

from config.catalogue import rules
from models import audit, consent
from models.account import ever_one
from models.code import has_code, issue_code
from models.database import now_of
from models.guardianship import Guardianship
from models.ids import new_id
from models.outbox import enqueue
from models.page import close_pages, issue_page
from models.person import Person, local_now
from models.role import holds
from models.sealed import seal
from models.volunteer import (
    ACTIVE,
    ENDED,
    PAUSED,
    WAITING,
    Volunteer,
    activate,
    age_on,
    blank,
    needs_guardian,
    phone_of,
    volunteer_of,
)

CODE = "guardian"


class GuardianError(Exception):
    """This consent cannot stand; `reason` is what the dialogue chooses its words by.

    "gone" — the registration is no more, or waits for nobody; "own" — whoever acts is, or once was, bound to the minor;
    "phone" — the guardian's number is the minor's; "minor" — the guardian is registered as below 18;
    "scope" — the specialist's scope does not cover the minor's county.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Guardian:
    """What a guardian tells. `relation` is one of RELATIONS, `phone` E.164."""

    name: str
    relation: str
    phone: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """The ways to a guardian: a code to type and the token of a page to open. `replaces` = earlier ones, which could
    still be used, no longer work."""

    code: str
    page: str
    replaces: bool


def invite(session: Session, volunteer: Volunteer, label: str) -> Invitation:
    """A new code and page for the guardian of a minor, good for guardian_link_days; earlier ones stop working.

    `label` is how the page calls the minor; it holds no surname.
    """
    lasts = timedelta(days=rules().registration.guardian_link_days)
    replaces = has_code(session, CODE, volunteer.person_id)
    code = issue_code(session, CODE, volunteer.person_id, {"volunteer": volunteer.id}, lasts)
    close_pages(session, volunteer.person_id, CODE)
    page = issue_page(session, volunteer.person_id, CODE, {"code": code, "called": label}, lasts=lasts)
    return Invitation(code, page, replaces)


def waiting(session: Session, volunteer_id: str) -> Volunteer | None:
    """The registration, if it needs a guardian's word now."""
    # Locked, so that of two words at the same moment the second one sees what the first one did.
    query = select(Volunteer).where(Volunteer.id == volunteer_id).with_for_update(key_share=True)
    row = session.exec(query.execution_options(populate_existing=True)).first()
    return row if row is not None and row.merged_into is None and row.status in (WAITING, PAUSED) else None


def agree(session: Session, guardian: Person, volunteer_id: str, told: Guardian, language: str) -> Volunteer:
    """A guardian agrees on his or her own door. Raises GuardianError."""
    volunteer = _checked(session, guardian, volunteer_id, told)
    own = volunteer_of(session, guardian.id)
    today = local_now(session, guardian).date()
    if (
        own is not None
        and own.birth_date
        and age_on(own.birth_date, today) < rules().registration.guardian_consent_below
    ):
        raise GuardianError("minor")
    return _stand(session, volunteer, told, language, giver="guardian", by=guardian.id, guardian_person=guardian.id)


def record(session: Session, specialist: Person, volunteer_id: str, told: Guardian, language: str) -> Volunteer:
    """A specialist or organiser of the minor's county saw the written consent. Raises GuardianError."""
    volunteer = _checked(session, specialist, volunteer_id, told)
    if not may_record(session, specialist.id, volunteer):
        raise GuardianError("scope")
    return _stand(session, volunteer, told, language, giver="specialist", by=specialist.id, guardian_person=None)


def may_record(session: Session, person_id: str, volunteer: Volunteer) -> bool:
    """Whether somebody's role covers the minor's county; nobody records a consent for oneself."""
    if volunteer.county is None or volunteer.person_id == person_id:
        return False
    return any(holds(session, person_id, role, volunteer.county) for role in ("specialist", "organiser"))


def refuse(session: Session, guardian: Person, volunteer_id: str) -> None:
    """The guardian does not agree: what was never active is erased, a volunteer of longer standing stays paused."""
    volunteer = waiting(session, volunteer_id)
    if volunteer is None:
        raise GuardianError("gone")
    audit.note(session, guardian.id, "guardian.refused", volunteer.id)
    erased = volunteer.active_since is None
    if erased:
        _drop(session, volunteer)
    _tell(session, volunteer, "refused", erased=erased)


def wards(session: Session, person_id: str) -> list[tuple[Guardianship, Volunteer]]:
    """Whom somebody has agreed for, the first one in front; only consents that still stand."""
    query = (
        select(Guardianship, Volunteer)
        .join(Volunteer, col(Volunteer.id) == Guardianship.volunteer_id)
        .where(Guardianship.guardian_person == person_id, col(Guardianship.withdrawn_at).is_(None))
        .order_by(col(Guardianship.given_at))
    )
    return [(held, volunteer) for held, volunteer in session.exec(query)]


def take_back(session: Session, guardian: Person, guardianship_id: str) -> None:
    """The guardian takes the consent back; a minor is paused by it at once. Raises GuardianError("gone")."""
    held = session.get(Guardianship, guardianship_id)
    if held is None or held.withdrawn_at is not None or held.guardian_person != guardian.id:
        raise GuardianError("gone")
    volunteer = session.get_one(Volunteer, held.volunteer_id)
    held.withdrawn_at = now_of(session)
    session.add(held)
    consent.withdraw(session, volunteer.person_id, "guardian")
    audit.note(session, guardian.id, "guardian.withdrawn", volunteer.id)
    if volunteer.status == ACTIVE and _needs(session, volunteer):
        volunteer.status = PAUSED
        session.add(volunteer)
        session.flush()
        _tell(session, volunteer, "withdrew", erased=False)


def overdue(session: Session) -> list[str]:
    """Registrations of which `drop_pending` may erase some."""
    return list(session.exec(select(Volunteer.id).where(*_overdue(session)).order_by(Volunteer.id)))


def drop_pending(session: Session, among: Sequence[str] | None = None) -> int:
    """Erase registrations that waited longer than pending_minor_days for a guardian and were never active; all of
    them, or those of these ids.

    One who ended the registration while waiting is no exception. Who had come of age before that time ran out waited
    for nobody any more, however late this runs (`come_of_age`). Returns how many. A job calls it; twice
    changes nothing.
    """
    query = select(Volunteer).where(*_overdue(session))
    if among is not None:
        query = query.where(col(Volunteer.id).in_(among))
    found = session.exec(query.with_for_update(skip_locked=True, key_share=True)).all()
    rows = [row for row in found if row.status == ENDED or _needs(session, row, _given_up_at(row))]
    for row in rows:
        audit.note(session, "programme", "guardian.never_answered", row.id)
        _drop(session, row)
        _tell(session, row, "unanswered", erased=True)
    return len(rows)


def growing(session: Session) -> list[str]:
    """Registrations of which `come_of_age` may lift the need for a guardian from some."""
    return list(session.exec(select(Volunteer.id).where(*_growing(session)).order_by(Volunteer.id)))


def come_of_age(session: Session, among: Sequence[str] | None = None) -> int:
    """Lift the need for a guardian from who has grown out of it, of all or of these ids; returns how many. A job calls
    it. A registration whose waiting time had run out before the birthday is `drop_pending`'s, however late this runs.
    """
    query = select(Volunteer).where(*_growing(session))
    if among is not None:
        query = query.where(col(Volunteer.id).in_(among))
    locked = query.with_for_update(skip_locked=True, key_share=True)
    grown = [row for row in session.exec(locked).all() if not _needs(session, row, _given_up_at(row))]
    for row in grown:
        activate(session, row)
        audit.note(session, "programme", "volunteer.of_age", row.id)
        _tell(session, row, "of_age", erased=False)
    return len(grown)


def _checked(session: Session, by: Person, volunteer_id: str, told: Guardian) -> Volunteer:
    volunteer = waiting(session, volunteer_id)
    if volunteer is None:
        raise GuardianError("gone")
    if ever_one(session, by.id, volunteer.person_id):
        raise GuardianError("own")
    if told.phone == phone_of(session, volunteer):
        raise GuardianError("phone")
    return volunteer


def _stand(
    session: Session,
    volunteer: Volunteer,
    told: Guardian,
    language: str,
    *,
    giver: str,
    by: str,
    guardian_person: str | None,
) -> Volunteer:
    version = rules().registration.notice_version
    given = consent.give(session, volunteer.person_id, "guardian", version, language, giver=giver, given_by=by)
    row = new_id()
    session.add(
        Guardianship(
            id=row,
            volunteer_id=volunteer.id,
            guardian_person=guardian_person,
            recorded_by=by,
            consent_id=given.id,
            relation=told.relation,
            name_sealed=seal(session, "guardianship.name_sealed", row, told.name),
            phone_sealed=seal(session, "guardianship.phone_sealed", row, told.phone),
            given_at=now_of(session),
        )
    )
    activate(session, volunteer)
    close_pages(session, volunteer.person_id, CODE)
    _tell(session, volunteer, "agreed", erased=False)
    return volunteer


def _drop(session: Session, volunteer: Volunteer) -> None:
    consent.withdraw(session, volunteer.person_id, "registration")
    close_pages(session, volunteer.person_id, CODE)
    blank(session, volunteer)


def _tell(session: Session, volunteer: Volunteer, news: str, *, erased: bool) -> None:
    params = {"volunteer": volunteer.id, "news": news, "erased": erased}
    enqueue(session, volunteer.person_id, "notice.guardian", params, unique_key=f"guardian:{volunteer.id}:{new_id()}")


def _overdue(session: Session) -> tuple[Any, ...]:
    before = now_of(session) - timedelta(days=rules().registration.pending_minor_days)
    return (
        col(Volunteer.status).in_((WAITING, ENDED)),
        col(Volunteer.active_since).is_(None),
        col(Volunteer.waiting_since) < before,
    )


def _growing(session: Session) -> tuple[Any, ...]:
    # A day of grace, since the last time zone has its birthday before UTC.
    tomorrow = (now_of(session) + timedelta(days=1)).date()
    limits = rules().registration
    born = col(Volunteer.birth_date)
    adult = born <= _years_before(tomorrow, limits.guardian_consent_below)
    earning = and_(
        col(Volunteer.self_supporting).is_(True), born <= _years_before(tomorrow, limits.self_supporting_from)
    )
    return col(Volunteer.status).in_((WAITING, PAUSED)), or_(adult, earning)


def _given_up_at(volunteer: Volunteer) -> datetime | None:
    """Until when a registration that was never active waits for a guardian; None where nothing runs out."""
    if volunteer.active_since is not None or volunteer.waiting_since is None:
        return None
    return volunteer.waiting_since + timedelta(days=rules().registration.pending_minor_days)


def _needs(session: Session, volunteer: Volunteer, until: datetime | None = None) -> bool:
    """Whether the need for a guardian stands now, or stood at `until` if that is past."""
    person = session.get_one(Person, volunteer.person_id)
    at = now_of(session) if until is None else min(until, now_of(session))
    day = at.astimezone(ZoneInfo(person.zone)).date()
    born = volunteer.birth_date
    return born is not None and needs_guardian(born, volunteer.self_supporting, day)


def _years_before(day: date, years: int) -> date:
    """The same day so many years earlier; 1 March where that year has no 29 February."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, month=3, day=1)
