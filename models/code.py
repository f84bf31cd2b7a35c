"""One-time codes that a person types from one phone into another. Kept as blind digests only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import CheckConstraint, delete, func, update
from sqlmodel import Field, Session, SQLModel, col, select

from config.catalogue import rules
from models import sealed
from models.database import machine_now_of, vault_of
from models.ids import new_code, new_id
from models.sealed import sealed_columns

KINDS = ("bind", "guardian", "recognition")
Verdict = Literal["good", "wrong", "used", "replaced", "expired", "own", "pause"]


class OneTimeCode(SQLModel, table=True):
    """`person_id` is who asked for the code. Times are the machine's."""

    __tablename__ = "one_time_code"
    __table_args__ = (CheckConstraint(f"kind IN {KINDS}", name="kind"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    kind: str
    person_id: str = Field(foreign_key="person.id", index=True)
    facts_sealed: bytes
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


class CodeTry(SQLModel, table=True):
    """A wrong code typed by somebody, counted so that guessing ends soon."""

    __tablename__ = "code_try"
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    at: datetime


sealed_columns("one_time_code", "id", "facts_sealed")


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a typed code; `row`, `person_id` and `facts` are set when it is good."""

    verdict: Verdict
    row: str = ""
    person_id: str = ""
    facts: dict[str, Any] | None = None


def normal(typed: str) -> str:
    """A typed code as it is compared: capitals, without spaces and dashes."""
    return "".join(c for c in typed.upper() if c.isascii() and c.isalnum())


def issue_code(session: Session, kind: str, person_id: str, facts: dict[str, Any], lasts: timedelta) -> str:
    """A new code of the kind; earlier unused ones of the same person and kind stop working."""
    now = machine_now_of(session)
    session.execute(
        update(OneTimeCode)
        .where(
            col(OneTimeCode.person_id) == person_id,
            col(OneTimeCode.kind) == kind,
            col(OneTimeCode.used_at).is_(None),
            col(OneTimeCode.expires_at) > now,
        )
        .values(expires_at=now)
    )
    code = new_code()
    row = new_id()
    session.add(
        OneTimeCode(
            id=row,
            kind=kind,
            person_id=person_id,
            facts_sealed=vault_of(session).seal_json("one_time_code.facts_sealed", row, facts),
            created_at=now,
            expires_at=now + lasts,
        )
    )
    session.flush()
    sealed.index(session, "code", row, code, scope=kind)
    return code


def known(session: Session, typed: str, kinds: tuple[str, ...] = KINDS) -> bool:
    """Whether a code was given to anybody, of whichever kind: then it is no guess, though it counts elsewhere."""
    return any(sealed.find(session, "code", normal(typed), scope=kind) for kind in kinds)


def has_code(session: Session, kind: str, person_id: str) -> bool:
    """Whether a code of this kind that the person asked for could still be used."""
    query = select(OneTimeCode.id).where(
        OneTimeCode.person_id == person_id,
        OneTimeCode.kind == kind,
        col(OneTimeCode.used_at).is_(None),
        OneTimeCode.expires_at > machine_now_of(session),
    )
    return session.exec(query).first() is not None


def kind_of(session: Session, typed: str, by_person: str, kinds: tuple[str, ...]) -> str:
    """Of which of these kinds a typed code is, whatever became of it since; empty for one that nobody was given, which
    counts as a wrong try. During a pause it says the first kind, so that nothing can be found out.

    A recognition code is known only to the account that searched and to the old one that was sent it. To anybody else
    it does not exist, but a code that exists is no guess and is not counted.
    """
    if pauses(session, by_person):
        return kinds[0]
    exists = False
    for kind in kinds:
        found = sealed.find(session, "code", normal(typed), scope=kind)
        if found and (kind != "recognition" or _concerns(session, found[0], by_person)):
            return kind
        exists = exists or bool(found)
    if not exists:
        count_wrong(session, by_person)
    return ""


def _concerns(session: Session, row_id: str, by_person: str) -> bool:
    """Whether this person searched for the recognition that the code proves, or is the one who was sent it."""
    row = session.get(OneTimeCode, row_id)
    if row is None:
        return False
    facts = vault_of(session).open_json("one_time_code.facts_sealed", row.id, row.facts_sealed)
    return by_person in (row.person_id, facts.get("asker"))


def pauses(session: Session, by_person: str) -> bool:
    """Whether somebody has typed so many wrong codes that nothing is looked up for them for a while."""
    limits = rules().doors
    since = machine_now_of(session) - timedelta(minutes=limits.code_pause_minutes)
    tries = select(func.count()).select_from(CodeTry).where(CodeTry.person_id == by_person, CodeTry.at > since)
    return session.exec(tries).one() >= limits.code_tries


def check_code(session: Session, kind: str, typed: str, by_person: str) -> Checked:
    """Look at a typed code without using it. Too many wrong ones (`count_wrong`) bring a pause. "replaced" = it no
    longer counts, and a newer one was made since."""
    now = machine_now_of(session)
    if pauses(session, by_person):
        return Checked("pause")
    found = sealed.find(session, "code", normal(typed), scope=kind)
    row = session.get(OneTimeCode, found[0]) if found else None
    if row is None:
        return Checked("wrong")
    if row.used_at is not None:
        return Checked("used")
    if row.expires_at <= now:
        return Checked("replaced" if _has_newer(session, row) else "expired")
    if row.person_id == by_person and kind != "recognition":
        return Checked("own")
    facts = vault_of(session).open_json("one_time_code.facts_sealed", row.id, row.facts_sealed)
    return Checked("good", row.id, row.person_id, facts)


def _has_newer(session: Session, row: OneTimeCode) -> bool:
    query = select(OneTimeCode.id).where(
        OneTimeCode.person_id == row.person_id,
        OneTimeCode.kind == row.kind,
        OneTimeCode.id > row.id,  # ids grow with time
        OneTimeCode.created_at >= row.expires_at,
    )
    return session.exec(query).first() is not None


def count_wrong(session: Session, by_person: str) -> None:
    """Count a wrong code. Called outside the savepoint of the rule that refused it, so that the count stays."""
    session.add(CodeTry(person_id=by_person, at=machine_now_of(session)))
    session.flush()


def use_code(session: Session, row: str) -> bool:
    """Use a code up; False when somebody was faster."""
    result = session.execute(
        update(OneTimeCode)
        .where(col(OneTimeCode.id) == row, col(OneTimeCode.used_at).is_(None))
        .values(used_at=machine_now_of(session))
    )
    return bool(getattr(result, "rowcount", 0))


def close_codes(session: Session, person_id: str, kind: str | None = None) -> None:
    """Make a person's unused codes unusable, of one kind if named."""
    statement = update(OneTimeCode).where(col(OneTimeCode.person_id) == person_id, col(OneTimeCode.used_at).is_(None))
    if kind is not None:
        statement = statement.where(col(OneTimeCode.kind) == kind)
    session.execute(statement.values(expires_at=machine_now_of(session)))


def forget_codes(session: Session, older_than: timedelta, limit: int = 500) -> int:
    """Retention: codes that ended so long ago, with their places in the index; returns how many, at most `limit`.
    Until then a late one is told why it does not count."""
    old = select(OneTimeCode.id).where(OneTimeCode.expires_at < machine_now_of(session) - older_than)
    ids = session.exec(old.limit(limit).with_for_update(skip_locked=True)).all()
    session.execute(
        delete(sealed.BlindIndex).where(col(sealed.BlindIndex.kind) == "code", col(sealed.BlindIndex.row_id).in_(ids))
    )
    session.execute(delete(OneTimeCode).where(col(OneTimeCode.id).in_(ids)))
    return len(ids)


def forget_tries(session: Session, older_than: timedelta, limit: int = 500) -> int:
    """Retention: wrong codes that were counted so long ago; returns how many, at most `limit`."""
    old = select(CodeTry.id).where(CodeTry.at < machine_now_of(session) - older_than).limit(limit)
    result = session.execute(delete(CodeTry).where(col(CodeTry.id).in_(old)))
    return int(getattr(result, "rowcount", 0))
