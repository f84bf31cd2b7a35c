"""“我以前注册过”: finding somebody again by phone number and birth date, proved by a code sent to the old door or by
the word of whoever is responsible. Never by name alone, and nothing tells a stranger whether a number is registered.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, func
from sqlmodel import Field, Session, SQLModel, col, select

from config.catalogue import rules
from models import audit
from models.account import BadCode, CannotJoin, Join, Joined, join, was_parted_from
from models.code import check_code, issue_code, use_code
from models.contact import TAKEN_BACK, ContactMessage, reachable
from models.database import machine_now_of, now_of
from models.ids import new_id
from models.outbox import enqueue
from models.person import Person, doors, survivor
from models.role import holds
from models.volunteer import find_by_phone, phone_of, volunteer_of

STATES = ("nothing", "code", "open", "confirmed", "refused", "expired")
OPEN_FOR = timedelta(days=30)
NEWS_FOR = timedelta(days=30)  # an end that is noticed later still (nothing ran meanwhile) is told to nobody
UNDECIDED = ("nothing", "code", "open")
DISPUTED_FOR = timedelta(hours=48)  # after being unbound by another account a person decides, not that account
CODES_A_DAY = 3  # to one old door, so that nobody can be flooded by a stranger who knows the number


class Recognition(SQLModel, table=True):
    """One search. `found` is the registered person, None where nothing fitted: a row stands there too, so that a
    search costs the same and is counted. `at` is programme time, `tried_at` the machine's.

    `code`: a code went to the old door. `open`: waits for a specialist's word. Whatever came of a search, it is over
    after OPEN_FOR (`expired`). The others are final.
    """

    __tablename__ = "recognition"
    __table_args__ = (CheckConstraint(f"state IN {STATES}", name="state"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    asker: str = Field(foreign_key="person.id", index=True)
    found: str | None = Field(default=None, foreign_key="person.id", index=True)
    state: str = Field(index=True)
    county: str | None = None
    at: datetime
    tried_at: datetime
    decided_by: str | None = Field(default=None, foreign_key="person.id")
    decided_at: datetime | None = None


class TooManySearches(Exception):
    """So many searches by one person that a pause is due (code_tries in code_pause_minutes)."""


class NotToDecide(Exception):
    """`reason`: "decided" = somebody was faster; "expired" = nobody decided within OPEN_FOR; "gone" = there is no such
    request, or what it was about has been deleted; "not_yours" = another county's."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def may_seek(session: Session, asker: Person) -> bool:
    """Whether the person has not searched too often lately (code_tries in code_pause_minutes)."""
    limits = rules().doors
    since = machine_now_of(session) - timedelta(minutes=limits.code_pause_minutes)
    return _count(session, col(Recognition.asker) == asker.id, col(Recognition.tried_at) > since) < limits.code_tries


def seek(session: Session, asker: Person, e164: str, born: date) -> None:
    """Look for the registration; what was found is told to its old doors or its specialist only.

    Raises TooManySearches.
    """
    if not may_seek(session, asker):
        raise TooManySearches
    fitting: list[Person] = []
    for person_id in find_by_phone(session, e164):
        registered = volunteer_of(session, person_id)
        person = survivor(session, person_id)
        if registered is not None and registered.birth_date == born and person.id != asker.id:
            fitting.append(person)
    if not fitting:
        _keep(session, asker, None, "nothing")
    for person in fitting:
        held = doors(session, person.id)
        if held:
            _send_code(session, asker, person)
        if not held or was_parted_from(session, asker.id, person.id, DISPUTED_FOR):
            # The account that unbound this one would be asked otherwise, and it may be the thief's.
            _ask_responsible(session, asker, person)


def answer_code(session: Session, asker: Person, typed: str) -> Joined:
    """The code that went to the old door: the asker's door joins the old registration. Raises BadCode, CannotJoin."""
    found = check_code(session, "recognition", typed, asker.id)
    if found.verdict != "good":
        raise BadCode(found.verdict)
    if (found.facts or {}).get("asker") != asker.id:
        raise BadCode("wrong")
    if not use_code(session, found.row):
        raise BadCode("used")
    joined = join(session, asker, survivor(session, found.person_id), "recognition")
    _decide_all(session, asker.id, "confirmed", None)
    _tell_old_doors(session, joined)
    return joined


def was_sent_to(session: Session, person: Person, typed: str) -> bool:
    """Whether a code that counts went to this very person, who is typing it at the old account, not at the new one."""
    found = check_code(session, "recognition", typed, person.id)
    return found.verdict == "good" and survivor(session, found.person_id).id == person.id


def to_decide(session: Session, request_id: str, by: str) -> Recognition:
    """An open request that this person may decide. Raises NotToDecide."""
    query = select(Recognition).where(Recognition.id == request_id).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).first()
    if row is None:
        raise NotToDecide("gone")
    if row.state in ("confirmed", "refused"):
        raise NotToDecide("decided")
    if row.state in ("open", "expired") and is_over(session, row):
        raise NotToDecide("expired")
    if row.state != "open":
        raise NotToDecide("gone")
    covered = row.county is not None and any(
        holds(session, by, role, row.county) for role in ("specialist", "organiser")
    )
    if not covered or by == survivor(session, row.asker).id:
        raise NotToDecide("not_yours")
    return row


def registered_phone(session: Session, row: Recognition, reader: str) -> str:
    """The registered number (E.164) of whoever is in question, for somebody who reads it now ("machine" = by the
    command line), which leaves a line in the audit trail; empty where no registration is left."""
    registered = volunteer_of(session, survivor(session, row.found).id) if row.found else None
    if registered is None:
        return ""
    audit.note(session, reader, "phone.read", registered.person_id, request=row.id)
    return phone_of(session, registered)


def confirm(session: Session, request_id: str, by: str) -> None:
    """The specialist's word “是本人”: the asker's doors join the old registration, and the asker is told.

    Raises NotToDecide, or CannotJoin when the two cannot be one person (any more).
    """
    row = to_decide(session, request_id, by)
    if row.found is None:
        raise NotToDecide("gone")
    asker = survivor(session, row.asker)
    stays = survivor(session, row.found)
    joined = join(session, asker, stays, "specialist")
    row.state, row.decided_by, row.decided_at = "confirmed", by, now_of(session)
    session.add(row)
    _decide_all(session, row.asker, "confirmed", by)
    enqueue(session, joined.person.id, "notice.recognised", {}, unique_key=f"recognised:{row.id}")
    _tell_old_doors(session, joined)
    audit.note(session, by, "recognition.confirmed", stays.id, request=row.id)


def refuse(session: Session, request_id: str, by: str) -> None:
    """The specialist's word “不是”: nothing is joined, and the asker is told. Raises NotToDecide."""
    row = to_decide(session, request_id, by)
    row.state, row.decided_by, row.decided_at = "refused", by, now_of(session)
    session.add(row)
    enqueue(session, row.asker, "notice.recognition_refused", {}, unique_key=f"recognition-refused:{row.id}")
    audit.note(session, by, "recognition.refused", row.found or "", request=row.id)


def is_over(session: Session, row: Recognition) -> bool:
    """Whether it has waited for as long as a search may (OPEN_FOR)."""
    return now_of(session) - row.at > OPEN_FOR


def overdue(session: Session) -> list[str]:
    """Searches that came to nothing within OPEN_FOR, the oldest first."""
    query = select(Recognition.id).where(*_overdue(session))
    return list(session.exec(query.order_by(col(Recognition.at), col(Recognition.id))))


def _overdue(session: Session) -> tuple[Any, ...]:
    return col(Recognition.state).in_(UNDECIDED), col(Recognition.at) < now_of(session) - OPEN_FOR


def expire(session: Session, among: Sequence[str]) -> int:
    """End those of these searches that are `overdue` still, and tell whoever searched unless it is no news any more
    (NEWS_FOR); returns how many.

    Nobody learns by this whether a number is registered: it is told of every search alike, once, after the last one.
    """
    query = select(Recognition).where(col(Recognition.id).in_(among), *_overdue(session))
    query = query.order_by(col(Recognition.at), col(Recognition.id)).with_for_update(skip_locked=True)
    rows = session.exec(query).all()
    for row in rows:
        row.state, row.decided_at = "expired", now_of(session)
        session.add(row)
    session.flush()
    for row in rows:
        if now_of(session) - row.at <= OPEN_FOR + NEWS_FOR and came_to_nothing(session, row):
            key = f"recognition-expired:{row.id}"
            enqueue(session, row.asker, "notice.recognition_expired", {"request": row.id}, unique_key=key)
    return len(rows)


def came_to_nothing(session: Session, row: Recognition) -> bool:
    """Whether this search ended for want of time and was the asker's last one, nothing has been decided since, and the
    account has not become one with another person in some other way, from either side: then there is something to
    tell."""
    if row.state != "expired" or row.decided_at is None or survivor(session, row.asker).id != row.asker:
        return False
    if row.found is not None and survivor(session, row.found).id == row.asker:
        return False
    joins = select(Join.id).where(Join.stays == row.asker, Join.at >= row.at, col(Join.undone_at).is_(None))
    if session.exec(joins).first() is not None:
        return False
    others = select(Recognition).where(Recognition.asker == row.asker, Recognition.id != row.id)
    return not any(
        (other.at, other.id) > (row.at, row.id)
        or (other.state in ("confirmed", "refused") and other.decided_at is not None and other.decided_at >= row.at)
        for other in session.exec(others)
    )


def left_unanswered(session: Session, person_id: str) -> int:
    """How many messages of somebody who is back went with the chat when they left, before anybody had answered them;
    of an earlier return they have heard."""
    returns = select(Recognition).where(Recognition.found == person_id, Recognition.state == "confirmed")
    back = session.exec(returns.order_by(col(Recognition.decided_at).desc(), col(Recognition.id))).all()
    earlier = next((each.decided_at for each in back if each.asker != back[0].asker), None)
    lost = select(ContactMessage.id).where(
        ContactMessage.asker_id == person_id,
        col(ContactMessage.by_asker).is_(True),
        col(ContactMessage.answered_at).is_(None),
        col(ContactMessage.words_sealed).is_(None),
    )
    if earlier is not None:
        lost = lost.where(col(ContactMessage.at) > earlier)
    return sum(not audit.noted(session, TAKEN_BACK, message) for message in session.exec(lost))


def open_requests(session: Session) -> list[Recognition]:
    """What waits for somebody's word, the oldest first; also those that no specialist is responsible for."""
    since = now_of(session) - OPEN_FOR
    query = select(Recognition).where(Recognition.state == "open", col(Recognition.at) > since)
    return list(session.exec(query.order_by(col(Recognition.at), Recognition.id)))


def forget_requests(session: Session, person_id: str) -> None:
    """End what is open about or from a person (their data is deleted), and forget where the person lived. Whoever
    searched for them hears the same as everybody whose search found nothing."""
    query = select(Recognition).where((col(Recognition.asker) == person_id) | (col(Recognition.found) == person_id))
    for row in session.exec(query).all():
        if row.asker == person_id and row.state in UNDECIDED:
            row.state = "expired"
        elif row.state in ("open", "code"):
            row.state = "nothing"
        if row.found == person_id:
            row.county = None
        session.add(row)


def _send_code(session: Session, asker: Person, person: Person) -> None:
    since = machine_now_of(session) - timedelta(days=1)
    sent = _count(
        session,
        col(Recognition.found) == person.id,
        col(Recognition.state).in_(("code", "confirmed")),
        col(Recognition.tried_at) > since,
    )
    if sent >= CODES_A_DAY:
        _keep(session, asker, None, "nothing")
        return
    row = _keep(session, asker, person, "code")
    lasts = timedelta(minutes=rules().doors.code_minutes)
    code = issue_code(session, "recognition", person.id, {"asker": asker.id}, lasts)
    enqueue(
        session,
        person.id,
        "notice.recognition_code",
        {"code": code},
        unique_key=f"recognition:{row.id}",
        expires_at=now_of(session) + lasts,
    )


def _ask_responsible(session: Session, asker: Person, person: Person) -> None:
    mine = (col(Recognition.asker) == asker.id, col(Recognition.found) == person.id)
    if _count(session, *mine, col(Recognition.state) == "open", col(Recognition.at) >= now_of(session) - OPEN_FOR):
        _keep(session, asker, None, "nothing")
        return
    row = _keep(session, asker, person, "open")
    for receiver in reachable(session, row.county, but=asker.id) if row.county else ():
        key = f"recognition:{row.id}:{receiver}"
        enqueue(session, receiver, "notice.recognition_check", {"request": row.id}, unique_key=key)


def _keep(session: Session, asker: Person, found: Person | None, state: str) -> Recognition:
    registered = volunteer_of(session, found.id) if found else None
    row = Recognition(
        asker=asker.id,
        found=found.id if found else None,
        state=state,
        county=registered.county if registered else None,
        at=now_of(session),
        tried_at=machine_now_of(session),
    )
    session.add(row)
    session.flush()
    audit.note(session, asker.id, "recognition.asked", row.id)
    return row


def _tell_old_doors(session: Session, joined: Joined) -> None:
    """Whoever reads at the old doors hears that another account has joined them, and can part it again."""
    new = {door.id for door in joined.moved}
    platform = next((door.platform for door in joined.moved), "")
    for door in doors(session, joined.person.id):
        if door.id not in new:
            key = f"notice.bound:{door.id}:{new_id()}"
            params = {"platform": platform}
            enqueue(session, joined.person.id, "notice.bound", params, unique_key=key, door_id=door.id)


def _decide_all(session: Session, asker: str, state: str, by: str | None) -> None:
    """The asker is recognised: no other search of theirs is open any more."""
    query = select(Recognition).where(Recognition.asker == asker, col(Recognition.state).in_(("open", "code")))
    for row in session.exec(query).all():
        row.state, row.decided_by, row.decided_at = state, by, now_of(session)
        session.add(row)
    session.flush()


def _count(session: Session, *where: object) -> int:
    query = select(func.count()).select_from(Recognition).where(*where)  # type: ignore[arg-type]
    return int(session.exec(query).one())


__all__ = [
    "BadCode",
    "CannotJoin",
    "NotToDecide",
    "Recognition",
    "TooManySearches",
    "answer_code",
    "came_to_nothing",
    "confirm",
    "expire",
    "forget_requests",
    "is_over",
    "may_seek",
    "open_requests",
    "refuse",
    "registered_phone",
    "seek",
    "to_decide",
    "was_sent_to",
]
