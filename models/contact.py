"""联系专员: what somebody wrote to a person of the programme, and what was answered. The words are sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Field, Session, SQLModel, col, func, select

from config.catalogue import rules
from models import audit
from models.contact_routes import Concern, Firsts, concerns, receivers
from models.database import now_of
from models.ids import new_id
from models.outbox import enqueue, journeys, withdraw_unsent
from models.person import Door, doors
from models.role import RoleGrant, covers_county, grants, reaches
from models.sealed import seal, sealed_columns, unseal
from models.standing_in import Duty, away_today, duties
from models.volunteer import volunteer_of
from models.wards import first_ward

MAX_WORDS = 1_000
READ = "contact.read"  # in the audit trail
TAKEN_BACK = "contact.taken_back"  # in the audit trail, too


class ContactMessage(SQLModel, table=True):
    """One message of a thread (`thread` = id of its first one) between `asker_id` and who answers.

    `about` = the team or the served person that it is about, by which it goes to their specialist first
    (models/contact_routes.py). `author_id` is who wrote it; `answered_at` completes an asker's message once somebody
    answered it.
    """

    __tablename__ = "contact_message"
    id: str = Field(default_factory=new_id, primary_key=True)
    thread: str = Field(index=True)
    asker_id: str = Field(foreign_key="person.id", index=True)
    author_id: str = Field(foreign_key="person.id")
    by_asker: bool
    county: str | None = None
    words_sealed: bytes | None
    at: datetime
    answered_at: datetime | None = None
    about: str | None = None


sealed_columns("contact_message", "id", "words_sealed")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that nobody answered yet. `number` is the asker's volunteer number, empty without one.

    `delivery` is how far it came to whoever is responsible, the best of them: "sent"; "waiting" = not sent yet, or held
    until they write; "uncertain" = sent twice without the platform's word, and offered again when they write; "lost" =
    it will not arrive (refused, withdrawn); "nobody" = there was nobody to send it to.
    """

    id: str
    asker_id: str
    number: str
    county: str | None
    at: datetime
    words: str
    delivery: str


class ContactError(Exception):
    """`reason`: "gone" = the message or its asker is no longer there; "not_yours" = somebody else answers for it;
    "too_many" = the asker wrote contacts_per_hour messages within the last hour; "answered" and "read" = somebody
    answered or opened it, so that it cannot be taken back."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def answers_for(session: Session, person_id: str) -> list[str]:
    """Who answers for a person: those responsible for the volunteer's county; for somebody without a registration
    the organisers with the widest scope. Never the person; empty when nobody can be reached."""
    return reachable(session, county_of(session, person_id), but=person_id)


def county_of(session: Session, person_id: str) -> str | None:
    """The county where somebody is registered today; of a guardian who is not, the minor's; None for anybody else."""
    registered = volunteer_of(session, person_id)
    if registered is not None:
        return registered.county
    ward = first_ward(session, person_id)
    return ward.county if ward else None


def may_deal(session: Session, person_id: str, by: str) -> bool:
    """Whether `by` may read and answer what this person writes: a role that covers their county today. Another role,
    or one that ended, gives nothing, and nobody deals with their own."""
    return by != person_id and covers_county(session, by, county_of(session, person_id))


def reachable(session: Session, county: str | None, *, but: str) -> list[str]:
    """Who answers for a county and can be reached now: its specialists, else the organisers nearest to it; without a
    county the organisers with the widest scope. Whoever has left every door is passed over, and so is `but`; whoever is
    on leave is stood in for (models/standing_in.py)."""
    return next(iter(steps(reachable_grants(session), county, but=but)), [])


def steps(held: Sequence[Duty], county: str | None, *, but: str) -> list[list[str]]:
    """Who is told of what comes from a county: first who answers for it (`reachable`), then, where that reaches nobody,
    each wider scope in turn. Nobody stands in two steps. Without a county it begins with the widest scope. Where all
    who answer for it are on leave and nobody stands in for them, they are told all the same: never nobody."""
    reaching = [duty for duty in held if reaches(duty, county)]
    found = [duty for duty in reaching if duty.person_id not in ("", but)]
    if not found:
        found = [replace(duty, person_id=duty.held_by) for duty in reaching if duty.held_by != but]
    lengths = sorted({len(duty.scope) for duty in found}, reverse=county is not None)
    groups = [{duty.person_id for duty in found if len(duty.scope) == length} for length in lengths]
    specialists = [duty for duty in found if duty.role == "specialist"]
    if specialists:
        nearest = max(len(duty.scope) for duty in specialists)
        groups.insert(0, {duty.person_id for duty in specialists if len(duty.scope) == nearest})
    made: list[list[str]] = []
    for group in groups:
        made.append(sorted(group.difference(*made)))
    return [step for step in made if step]


def reachable_grants(session: Session, kinds: Sequence[str] = ("region",)) -> list[Duty]:
    """The roles for regions (or scopes of these kinds) in force of all who have an open door, each with who answers by
    it today."""
    query = select(RoleGrant).where(
        col(RoleGrant.scope_kind).in_(kinds),
        col(RoleGrant.ended_at).is_(None),
        col(RoleGrant.person_id).in_(select(Door.person_id).where(col(Door.blocked_at).is_(None))),
    )
    return duties(session, list(session.exec(query)))


def write(session: Session, asker_id: str, words: str, thread: str = "", about: str = "") -> tuple[ContactMessage, int]:
    """Keep what somebody wrote and pass it on; returns the row and how many people it goes to. What goes on with a
    thread is about what that is about. Raises ContactError("too_many"); nothing is kept then."""
    if is_too_many(session, asker_id):
        raise ContactError("too_many")
    first = session.get(ContactMessage, thread) if thread else None
    kept = first.about if first is not None else about
    if kept not in {each.about for each in concerns(session, asker_id)}:
        kept = None
    row = _keep(session, thread, asker_id, asker_id, words, county_of(session, asker_id), kept)
    receivers = receivers_of(session, row)
    for receiver in receivers:
        key = f"contact:{row.id}:{receiver}"
        enqueue(session, receiver, "notice.contact", {"message": row.id}, unique_key=key)
    audit.note(session, asker_id, "contact.written", row.id, receivers=len(receivers))
    return row, len(receivers)


def is_too_many(session: Session, asker_id: str) -> bool:
    """Whether this person has written as many messages as one may within an hour (rules.toml)."""
    query = select(func.count()).where(
        ContactMessage.asker_id == asker_id,
        col(ContactMessage.by_asker).is_(True),
        col(ContactMessage.at) > now_of(session) - timedelta(hours=1),
    )
    return session.exec(query).one() >= rules().messages.contacts_per_hour


def receivers_of(session: Session, row: ContactMessage) -> list[str]:
    """Who is to hear of an asker's message now: within a thread whoever answered there, as long as they may and can be
    reached; else the specialist of what it is about (models/contact_routes.py), and where they are silent the county's
    people too; else whoever answers for the asker."""
    held = reachable_grants(session)
    first = Firsts(session, [(row.asker_id, row.about)], held).of(row.asker_id, row.about)
    answered = _answered_by(session, row) if row.thread != row.id else []
    county = steps(held, county_of(session, row.asker_id), but=row.asker_id)
    return receivers(answered or first, county, late=bool(first) and is_late(session, row.at))


def is_late(session: Session, at: datetime) -> bool:
    """Whether a message has waited so long that others hear of it too (rules.toml, messages.contact_silent_hours)."""
    return at <= now_of(session) - timedelta(hours=rules().messages.contact_silent_hours)


def is_heard(session: Session, asker_id: str) -> bool:
    """Whether anybody can be reached who would hear of what this person writes."""
    if answers_for(session, asker_id):
        return True
    about = [(asker_id, each.about) for each in concerns(session, asker_id)]
    firsts = Firsts(session, about, reachable_grants(session))
    return any(firsts.of(*each) for each in about)


def ways(session: Session, asker_id: str) -> list[Concern]:
    """Of what somebody may write about, those between which they have to choose: one for each of those
    who would hear of it."""
    found = concerns(session, asker_id)
    held = reachable_grants(session)
    firsts = Firsts(session, [(asker_id, each.about) for each in found], held)
    kept: dict[frozenset[str], Concern] = {}
    for each in found:
        kept.setdefault(firsts.of(asker_id, each.about), each)
    return list(kept.values())


def take_back(session: Session, message_id: str, by: str) -> bool:
    """The asker takes a message back; its words go, and so does every notice of it that has not left. Returns whether
    it may have been seen: a notice has left, or may have. Raises ContactError: "gone", "answered" or "read"."""
    row = _locked(session, message_id)
    if row is None or row.words_sealed is None or not row.by_asker or row.asker_id != by:
        raise ContactError("gone")
    if row.answered_at is not None:
        raise ContactError("answered")
    if audit.noted(session, READ, row.id):
        raise ContactError("read")
    row.words_sealed = row.county = row.about = None
    session.add(row)
    session.flush()
    audit.note(session, by, TAKEN_BACK, row.id)
    withdraw_unsent(session, *_notices(row), why="taken back")
    # What another copy has in its hands at this moment still waits here, and may leave yet.
    come = journeys(session, *_notices(row))
    return any(each.may_have_come or each.state in ("waiting", "held") for each in come)


def read_words(session: Session, message_id: str, reader: str) -> str | None:
    """The words for somebody who opens this message now ("machine" = by the command line): from now on it is not taken
    back. None once erased."""
    row = _locked(session, message_id)
    if row is None or row.words_sealed is None:
        return None
    audit.note(session, reader, READ, message_id)
    return words_of(session, row)


def _locked(session: Session, message_id: str) -> ContactMessage | None:
    """As it stands once whoever else reads, answers or takes it back at this moment has ended."""
    return session.get(ContactMessage, message_id, with_for_update=True, populate_existing=True)


def _notices(row: ContactMessage) -> tuple[str, str]:
    """The kind of the notices of an asker's message, and how their keys begin."""
    return "notice.contact", f"contact:{row.id}:"


def _answered_by(session: Session, row: ContactMessage) -> list[str]:
    query = select(ContactMessage.author_id).where(
        ContactMessage.thread == row.thread, col(ContactMessage.by_asker).is_(False)
    )
    authors = sorted(set(session.exec(query)))
    if not authors:
        return []
    away = away_today(session)
    return [each for each in authors if each not in away and may_answer(session, row, each) and doors(session, each)]


def everybody(held: Sequence[Duty], county: str | None, *, but: str = "") -> frozenset[str]:
    """Whoever answers for a county today in any scope: everybody in its `steps`."""
    return frozenset(one for step in steps(held, county, but=but) for one in step)


def answer(session: Session, message_id: str, by: str, words: str, *, for_nobody: bool = False) -> ContactMessage:
    """Answer a message: the asker gets the words as a notice. Raises ContactError.

    With `for_nobody` any organiser of a region may answer (never the asker) where nobody responsible can be reached.
    """
    asked = session.get(ContactMessage, message_id)
    before = _locked_until(session, asked) if asked is not None else []
    if asked is None or asked.words_sealed is None:
        raise ContactError("gone")
    if not may_answer(session, asked, by) and not (for_nobody and _stands_in(session, asked, by)):
        raise ContactError("not_yours")
    row = _keep(session, asked.thread, asked.asker_id, by, words, asked.county, asked.about)
    now = now_of(session)
    for each in before:
        if each.answered_at is None:
            each.answered_at = now
            session.add(each)
    key = f"contact:{row.id}:{asked.asker_id}"
    params = {"message": row.id, "asked": asked.id}
    enqueue(session, asked.asker_id, "notice.contact_answer", params, unique_key=key)
    audit.note(session, by, "contact.answered", asked.id)
    return row


def _locked_until(session: Session, asked: ContactMessage) -> list[ContactMessage]:
    """What the asker wrote in the thread up to this message, as `_locked`; the oldest first, so that two who answer in
    one thread wait for each other in the same order."""
    query = select(ContactMessage).where(
        ContactMessage.thread == asked.thread,
        col(ContactMessage.by_asker).is_(True),
        col(ContactMessage.at) <= asked.at,
    )
    query = query.order_by(col(ContactMessage.at), ContactMessage.id).with_for_update()
    return list(session.exec(query.execution_options(populate_existing=True)))


def may_answer(session: Session, asked: ContactMessage, by: str) -> bool:
    """Whether it is this person's to answer: as `may_deal`, and whoever hears first of what it is about: a team's
    specialists as long as the asker belongs to it, whoever is responsible for the served person whose family the asker
    is, who may be registered in another county. Having answered in the thread before gives no right."""
    if may_deal(session, asked.asker_id, by):
        return True
    held = reachable_grants(session) if asked.about is not None else []
    return by in Firsts(session, [(asked.asker_id, asked.about)], held).of(asked.asker_id, asked.about)


def _stands_in(session: Session, asked: ContactMessage, by: str) -> bool:
    organises = any(held.role == "organiser" and held.scope_kind == "region" for held in grants(session, by))
    return by != asked.asker_id and organises and not receivers_of(session, asked)


def may_read(session: Session, row: ContactMessage, reader: str) -> bool:
    """Whether somebody may read these words now: who may answer them, or the asker for whom an answer was written."""
    return may_answer(session, row, reader) if row.by_asker else row.asker_id == reader


def latest(session: Session, asker_id: str) -> ContactMessage | None:
    """What this person wrote last, as long as its words are there."""
    query = select(ContactMessage).where(
        ContactMessage.asker_id == asker_id,
        col(ContactMessage.by_asker).is_(True),
        col(ContactMessage.words_sealed).is_not(None),
    )
    return session.exec(query.order_by(col(ContactMessage.at).desc(), col(ContactMessage.id).desc())).first()


def words_of(session: Session, row: ContactMessage) -> str | None:
    """What was written; None once erased."""
    return unseal(session, "contact_message.words_sealed", row.id, row.words_sealed)


def open_contacts(session: Session) -> list[Waiting]:
    """The messages that nobody answered yet, the oldest first, for `nuanyang contacts`."""
    query = select(ContactMessage).where(*unanswered())
    found = []
    for row in session.exec(query.order_by(col(ContactMessage.at), ContactMessage.id)).all():
        registered = volunteer_of(session, row.asker_id)
        number = registered.number if registered else ""
        words, delivery = words_of(session, row) or "", _delivery(session, row)
        found.append(Waiting(row.id, row.asker_id, number, row.county, row.at, words, delivery))
    return found


def unanswered() -> tuple[ColumnElement[bool], ...]:
    """What makes a message wait for an answer."""
    return (
        col(ContactMessage.by_asker).is_(True),
        col(ContactMessage.answered_at).is_(None),
        col(ContactMessage.words_sealed).is_not(None),
    )


def _delivery(session: Session, row: ContactMessage) -> str:
    come = journeys(session, *_notices(row))
    found = {each.state for each in come}
    if not come or "sent" in found:
        return "sent" if come else "nobody"
    # Beside one that ended as uncertain another is held, for whoever it is for to come (models/unsure.py).
    if found & {"waiting", "sending"} or ("held" in found and "uncertain" not in found):
        return "waiting"
    return "uncertain" if any(each.may_have_come for each in come) else "lost"


def written_with(session: Session, asker_id: str) -> list[ContactMessage]:
    """All messages of a person's threads, theirs and the answers, the oldest first."""
    query = select(ContactMessage).where(ContactMessage.asker_id == asker_id)
    return list(session.exec(query.order_by(col(ContactMessage.at), ContactMessage.id)))


def forget_words(session: Session, asker_id: str) -> None:
    """Take the words out of all of a person's threads; that something was written stays."""
    query = select(ContactMessage).where(ContactMessage.asker_id == asker_id)
    query = query.order_by(col(ContactMessage.at), ContactMessage.id).with_for_update()
    for row in session.exec(query.execution_options(populate_existing=True)).all():
        row.words_sealed = row.county = row.about = None
        session.add(row)
    session.flush()


def _keep(
    session: Session,
    thread: str,
    asker_id: str,
    author_id: str,
    words: str,
    county: str | None,
    about: str | None = None,
) -> ContactMessage:
    key = new_id()
    row = ContactMessage(
        id=key,
        thread=thread or key,
        asker_id=asker_id,
        author_id=author_id,
        by_asker=asker_id == author_id,
        county=county,
        about=about,
        words_sealed=seal(session, "contact_message.words_sealed", key, words),
        at=now_of(session),
    )
    session.add(row)
    session.flush()
    return row
