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
from models.contact import answers_for, may_deal
from models.database import now_of
from models.ids import new_id
from models.outbox import EMERGENCY, OutboxMessage, enqueue, is_waiting
from models.person import doors, survivor
from models.sealed import seal, sealed_columns, unseal

SOURCES = ("words", "sos", "worried")
STATES = ("open", "closed")
RECENT = timedelta(minutes=30)
TAKEN = "alert.taken"  # the line of the audit trail that says who has it; there is no other record of that


class Alert(SQLModel, table=True):
    """`source`: danger words in a message, the entry 紧急求助, or 我很担心TA. Times are programme time.

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


class CannotTake(Exception):
    """`reason`: "gone" = no open record of this id; "not_yours" = not this person's to deal with; "taken" = `by` has
    it, who may be the very person."""

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


def add_words(session: Session, alert: Alert, words: str) -> bool:
    """What the person wrote afterwards; it joins what was written before. False when the record is full
    (alert_characters of rules.toml) and nothing was added."""
    before = unseal(session, "alert.more_sealed", alert.id, alert.more_sealed) or ""
    if len(before) + len(words) > rules().safety.alert_characters:
        return False
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
    return True


def hear_more(session: Session, alert: Alert) -> list[str]:
    """Who hears of what comes later: who answers for the person, and whoever else heard of this record because those
    did not read it, while a role of theirs covers the county and they can be reached."""
    key = col(OutboxMessage.unique_key).startswith(f"alert:{alert.id}:", autoescape=True)
    heard = set(session.exec(select(OutboxMessage.person_id).where(OutboxMessage.kind == "notice.alert", key)))
    first = answers_for(session, alert.person_id)
    others = heard.difference(first)
    return [*first, *(one for one in sorted(others) if _deals(session, alert, one))]


def _deals(session: Session, alert: Alert, person_id: str) -> bool:
    return may_deal(session, alert.person_id, person_id) and bool(doors(session, person_id))


def take(session: Session, alert_id: str, by: str) -> Alert:
    """收到，我来处理: the first one to say so has it, as long as they may deal with it and can be reached. Everybody
    else who heard of it is told who that is. Raises CannotTake."""
    row = _locked(session, alert_id)
    if row is None:
        raise CannotTake("gone")
    if not may_deal(session, row.person_id, by):
        raise CannotTake("not_yours")
    has_it = holder(session, row)
    if has_it is not None:
        raise CannotTake("taken", has_it)
    audit.note(session, by, TAKEN, row.id)
    for receiver in hear_more(session, row):
        # A notice that waits to be sent will say who has it.
        if receiver == by or is_waiting(session, receiver, "notice.alert", f"alert:{row.id}:"):
            continue
        key = f"alert-taken:{row.id}:{by}:{receiver}"
        enqueue(session, receiver, "notice.alert_taken", {"alert": row.id}, unique_key=key)
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


def close_alert(session: Session, alert_id: str, by: str, words: str) -> Alert:
    """A person who answers for the one in need says how it ended. Raises CannotClose.

    Nobody closes their own cry for help, and whoever is responsible must cover the county: a specialist or organiser
    there; for somebody who is not registered, any organiser of a region.
    """
    row = _locked(session, alert_id)
    if row is None:
        raise CannotClose("gone")
    if not may_deal(session, row.person_id, by):
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
