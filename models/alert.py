"""Safeguarding: every cry for help is kept at once, and closed by a person who says why, never by the programme.

The route of duty people with its times (programme.md §12) comes later; until then whoever is responsible is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from config.catalogue import rules
from models import audit
from models.audit import AuditEntry
from models.contact import answers_for, county_of, everybody, may_deal, reachable_grants
from models.database import now_of
from models.guardianship import Guardianship
from models.ids import new_id
from models.outbox import EMERGENCY, OutboxMessage, enqueue, is_waiting
from models.person import Person, doors, survivor
from models.role import grants
from models.sealed import seal, sealed_columns, unseal
from models.standing_in import is_away
from models.volunteer import phone_of, volunteer_of

WORDS, SOS, WORRIED, SILENT, LONE = SOURCES = ("words", "sos", "worried", "silent", "lone")
# Whoever cried is not told that somebody has seen it: it is not about them, or others may read it.
UNSAID = (WORRIED, SILENT)
STATES = ("open", "closed")
RECENT = timedelta(minutes=30)
TAKEN = "alert.taken"  # the line of the audit trail that says who has it; there is no other record of that


class Alert(SQLModel, table=True):
    """`source`: danger words in a message, the entry 紧急求助, 我很担心TA, the silent help word of a lone visit, or
    a lone visit that nobody has come out of (models/lone_timing.py). Times are programme time.

    The record outlives a deletion of the person's data: the law asks for it (未成年人保护法). `closing_sealed` is what
    whoever closed it wrote.
    """

    __tablename__ = "alert"
    __table_args__ = (
        CheckConstraint(f"source IN {SOURCES}", name="source"),
        CheckConstraint(f"state IN {STATES}", name="state"),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    source: str
    words_sealed: bytes | None = None
    more_sealed: bytes | None = None
    at: datetime
    state: str = Field(default="open", index=True)
    closed_by: str | None = Field(default=None, foreign_key="person.id")
    closed_at: datetime | None = None
    closing_sealed: bytes | None = None


sealed_columns("alert", "id", "words_sealed", "more_sealed", "closing_sealed")


class CannotClose(Exception):
    """`reason`: "gone" = no open record of this id; "not_yours" = not this person's to close; "empty" = no words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CannotAdd(Exception):
    """`reason`: "gone" = the record is closed; "full" = it has reached alert_characters of rules.toml."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CannotTake(Exception):
    """`reason`: "gone" = no open record of this id; "not_yours" = not this person's to deal with; "taken" = `by` has
    it, who may be the very person; "away" = whoever wants to take it is on leave, and others answer in their place."""

    def __init__(self, reason: str, by: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.by = by


def raise_alert(session: Session, person_id: str, source: str, words: str = "") -> tuple[Alert, int]:
    """Keep a cry for help and tell whoever answers for this person; returns the record and how many are told."""
    row = Alert(person_id=person_id, source=source, at=now_of(session))
    row.words_sealed = seal(session, "alert.words_sealed", row.id, words or None)
    session.add(row)
    session.flush()
    audit.note(session, person_id, "alert.raised", row.id, source=source)
    told = answers_for(session, person_id)
    for receiver in told:
        enqueue(
            session,
            receiver,
            "notice.alert",
            {"alert": row.id},
            unique_key=f"alert:{row.id}:{receiver}",
            priority=EMERGENCY,
        )
    return row, len(told)


def recent_alert(session: Session, person_id: str) -> Alert | None:
    """The person's newest open record of the last half hour."""
    query = select(Alert).where(
        Alert.person_id == person_id, Alert.state == "open", col(Alert.at) > now_of(session) - RECENT
    )
    return session.exec(query.order_by(col(Alert.at).desc(), col(Alert.id).desc())).first()


def is_repeated(session: Session, alert: Alert) -> bool:
    """Whether the same person had cried for help within the half hour before."""
    query = select(Alert.id).where(
        Alert.person_id == alert.person_id, col(Alert.at) < alert.at, col(Alert.at) > alert.at - RECENT
    )
    return session.exec(query).first() is not None


def add_words(session: Session, alert: Alert, words: str) -> None:
    """What the person wrote afterwards; it joins what was written before. Raises CannotAdd, with nothing added."""
    # Whoever closes it at the same moment comes before or after, never in between: nobody reads a closed record.
    if _locked(session, alert.id) is None:
        raise CannotAdd("gone")
    before = unseal(session, "alert.more_sealed", alert.id, alert.more_sealed) or ""
    if len(before) + len(words) > rules().safety.alert_characters:
        raise CannotAdd("full")
    alert.more_sealed = seal(session, "alert.more_sealed", alert.id, f"{before}\n{words}" if before else words)
    session.add(alert)
    audit.note(session, alert.person_id, "alert.words_added", alert.id)
    # A new key each time, so that whoever was told hears of every addition; one that waits already will hold it.
    key = new_id()
    for receiver in hear_more(session, alert):
        if is_waiting(session, receiver, "notice.alert", f"alert:{alert.id}:"):
            continue
        enqueue(
            session,
            receiver,
            "notice.alert",
            {"alert": alert.id, "added": len(before)},
            unique_key=f"alert:{alert.id}:{key}:{receiver}",
            priority=EMERGENCY,
        )


def hear_more(session: Session, alert: Alert) -> list[str]:
    """Who hears of what comes later: who answers for the person, and whoever else heard of this record because those
    did not read it, while a role of theirs covers the county and they can be reached."""
    first = answers_for(session, alert.person_id)
    others = heard(session, alert.id).difference(first)
    return [*first, *(one for one in sorted(others) if _deals(session, alert, one))]


def heard(session: Session, alert_id: str) -> set[str]:
    """Everybody for whom there was a notice of this record: the people they are today, whatever they may do now."""
    key = col(OutboxMessage.unique_key).startswith(f"alert:{alert_id}:", autoescape=True)
    query = select(OutboxMessage.person_id).where(OutboxMessage.kind == "notice.alert", key)
    return {survivor(session, one).id for one in session.exec(query.distinct())}


def deals_with(session: Session, alert: Alert, by: str) -> bool:
    """Whether `by` may read this record, take it and close it: as `models.contact.may_deal`. With a deletion the county
    goes, so whoever had it by then keeps it, for as long as they are responsible for any county."""
    if may_deal(session, alert.person_id, by):
        return True
    if by == alert.person_id or not is_deleted(session, alert.person_id):
        return False
    keeps = any(held.scope_kind == "region" for held in grants(session, by))
    return keeps and by in takers(session, [alert.id]).get(alert.id, ())


def is_deleted(session: Session, person_id: str) -> bool:
    """Whether whoever cried for help has had their data deleted: nobody can reach them through us any more."""
    person = session.get(Person, person_id)
    return person is not None and person.deleted_at is not None


def _deals(session: Session, alert: Alert, person_id: str) -> bool:
    if not deals_with(session, alert, person_id) or not doors(session, person_id):
        return False
    return not _stands_back(session, alert, person_id)


def _stands_back(session: Session, alert: Alert, person_id: str) -> bool:
    """Whether somebody is on leave and others answer in their place."""
    if not is_away(session, person_id):
        return False
    county = county_of(session, alert.person_id)
    return person_id not in everybody(reachable_grants(session), county, but=alert.person_id)


def take(session: Session, alert_id: str, by: str) -> Alert:
    """收到，我来处理: the first one to say so has it, as long as they may deal with it and can be reached. Everybody
    else who heard of it is told who that is; whoever cried for help for themselves hears once that somebody has seen
    it, and nothing else. Raises CannotTake."""
    row = _locked(session, alert_id)
    if row is None:
        raise CannotTake("gone")
    if not deals_with(session, row, by):
        raise CannotTake("not_yours")
    has_it = holder(session, row)
    if has_it is not None:
        raise CannotTake("taken", has_it)
    if _stands_back(session, row, by):
        raise CannotTake("away")
    audit.note(session, by, TAKEN, row.id)
    for receiver in hear_more(session, row):
        # A notice that waits to be sent will say who has it.
        if receiver == by or is_waiting(session, receiver, "notice.alert", f"alert:{row.id}:"):
            continue
        key = f"alert-taken:{row.id}:{by}:{receiver}"
        enqueue(session, receiver, "notice.alert_taken", {"alert": row.id}, unique_key=key)
    if row.source not in UNSAID and not is_deleted(session, row.person_id):
        key = f"alert-seen:{row.id}"
        told = {"alert": row.id}
        enqueue(session, row.person_id, "notice.alert_seen", told, unique_key=key, priority=EMERGENCY)
    session.flush()
    return row


def holder(session: Session, alert: Alert) -> str | None:
    """Who said 收到，我来处理 and can still deal with it; None = nobody (any more)."""
    said = takers(session, [alert.id]).get(alert.id, [])
    return next((one for one in reversed(said) if _deals(session, alert, one)), None)


def takers(session: Session, alerts: Iterable[str]) -> dict[str, list[str]]:
    """Who said 收到，我来处理, by record, the last one last: the people they are today, whatever they may do now."""
    query = select(AuditEntry.subject, AuditEntry.actor).where(
        AuditEntry.action == TAKEN, col(AuditEntry.subject).in_(list(alerts))
    )
    found: dict[str, list[str]] = {}
    for alert, actor in session.exec(query.order_by(col(AuditEntry.at), col(AuditEntry.id))).all():
        found.setdefault(alert, []).append(survivor(session, actor).id)
    return found


def delivery(session: Session, alert: Alert) -> Counter[str]:
    """How far the newest notice of this record came to each of those who are told of it, and to how many people.

    "sent" = the platform took it; "waiting" = not sent yet; "held" = until they write, since no door takes it now;
    "uncertain" = sent without the platform's word; "lost" = it will not arrive. Empty = there was nobody to tell.
    """
    key = col(OutboxMessage.unique_key).startswith(f"alert:{alert.id}:", autoescape=True)
    query = select(OutboxMessage.person_id, OutboxMessage.state).where(OutboxMessage.kind == "notice.alert", key)
    newest: dict[str, str] = {}
    for person_id, state in session.exec(query.order_by(col(OutboxMessage.created_at), col(OutboxMessage.id))).all():
        newest[survivor(session, person_id).id] = state
    same = {"sending": "waiting", "refused": "lost", "superseded": "lost", "expired": "lost", "withdrawn": "lost"}
    return Counter(same.get(state, state) for state in newest.values())


def added_since(session: Session, alert: Alert, already: int) -> str:
    """What was added after the first `already` characters of the additions."""
    return (unseal(session, "alert.more_sealed", alert.id, alert.more_sealed) or "")[already:].strip()


def words_of(session: Session, alert: Alert) -> str:
    """Everything the person wrote, for people who may read it; empty when only the entry was pressed."""
    parts = (
        unseal(session, "alert.words_sealed", alert.id, alert.words_sealed),
        unseal(session, "alert.more_sealed", alert.id, alert.more_sealed),
    )
    return "\n".join(part for part in parts if part)


def open_alerts(session: Session) -> list[Alert]:
    """What nobody has closed, the oldest first."""
    return list(session.exec(select(Alert).where(Alert.state == "open").order_by(col(Alert.at), Alert.id)))


def open_for(session: Session, person_id: str) -> list[Alert]:
    """The open records that this person may deal with, the oldest first; none for somebody without a role."""
    if not any(held.scope_kind == "region" for held in grants(session, person_id)):
        return []
    return [each for each in open_alerts(session) if deals_with(session, each, person_id)]


def untaken_for(session: Session, person_id: str) -> list[Alert]:
    """Those of `open_for` that this person was told of and nobody has, the oldest first."""
    found = open_for(session, person_id)
    return [each for each in found if holder(session, each) is None and person_id in heard(session, each.id)]


def phone_to_call(session: Session, alert: Alert, reader: str) -> str:
    """The number (E.164) of whoever cried for help, for somebody who reads it now ("machine" = by the command line),
    which leaves a line in the audit trail; empty where none is registered."""
    number = number_of(session, alert.person_id)
    if number:
        audit.note(session, reader, "phone.read", alert.person_id, alert=alert.id)
    return number


def has_phone(session: Session, alert: Alert) -> bool:
    """Whether there is a number to call."""
    return bool(number_of(session, alert.person_id))


def number_of(session: Session, person_id: str) -> str:
    """Of a volunteer the registered one, of a guardian the one that was given with the consent."""
    registered = volunteer_of(session, person_id)
    if registered is not None:
        return phone_of(session, registered)
    query = select(Guardianship).where(
        Guardianship.guardian_person == person_id, col(Guardianship.withdrawn_at).is_(None)
    )
    given = session.exec(query.order_by(col(Guardianship.given_at).desc(), col(Guardianship.id))).first()
    return (unseal(session, "guardianship.phone_sealed", given.id, given.phone_sealed) or "") if given else ""


def close_alert(session: Session, alert_id: str, by: str, words: str) -> Alert:
    """A person who answers for the one in need says how it ended. Raises CannotClose.

    Nobody closes their own cry for help, and whoever is responsible must cover the county: a specialist or organiser
    there; for somebody who is not registered, any organiser of a region; after a deletion also whoever had it.
    """
    row = _locked(session, alert_id)
    if row is None:
        raise CannotClose("gone")
    if not deals_with(session, row, by):
        raise CannotClose("not_yours")
    if not words.strip():
        raise CannotClose("empty")
    row.state, row.closed_by, row.closed_at = "closed", by, now_of(session)
    row.closing_sealed = seal(session, "alert.closing_sealed", row.id, words.strip())
    session.add(row)
    audit.note(session, by, "alert.closed", row.id)
    return row


def _locked(session: Session, alert_id: str) -> Alert | None:
    """The record, if it is open, locked until the transaction ends."""
    query = select(Alert).where(Alert.id == alert_id, Alert.state == "open").with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).first()
