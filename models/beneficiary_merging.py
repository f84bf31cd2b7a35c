"""Two rows of the ledgers that are one person: they become one, and a merge can be taken back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Date, Index, and_, func, or_, select, text, update
from sqlmodel import Field, Session, SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from models import audit, family_consent, offer, pairing, proposal, visits_owed
from models.beneficiary import DIED, LISTED, MACHINE, Beneficiary, may_see, name_in
from models.database import machine_now_of, now_of, vault_of
from models.ids import new_id
from models.ledger_batch import ALIKE, ELSEWHERE, HERE, LedgerQuestion
from models.outbox import enqueue
from models.served import answering

ASKED, MERGED, UNDONE, DECLINED = STATES = ("asked", "merged", "undone", "declined")

_B: Any = SQLModel.metadata.tables[str(Beneficiary.__tablename__)]
_Q: Any = SQLModel.metadata.tables[str(LedgerQuestion.__tablename__)]
_S: Any = SQLModel.metadata.tables[str(pairing.Stint.__tablename__)]
_K: Any = SQLModel.metadata.tables[str(pairing.Keeping.__tablename__)]
_O: Any = SQLModel.metadata.tables[str(offer.Offer.__tablename__)]
_C: Any = SQLModel.metadata.tables[str(family_consent.FamilyConsent.__tablename__)]
_F: Any = SQLModel.metadata.tables[str(family_consent.FamilyDoor.__tablename__)]
_P: Any = SQLModel.metadata.tables[str(proposal.Proposal.__tablename__)]


class BeneficiaryMerge(SQLModel, table=True):
    """One merge: `gone_id` was set aside for `kept_id`. `asked_by` and the others are ids of persons, or "machine".

    "asked": the other county has not said yet that it is the same person; "declined": somebody said that it is not.
    `changes` = [table, id, {column: [before, after]}], ids, codes and times only, so that all of it can be put back.
    """

    __tablename__ = "beneficiary_merge"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index(
            "uq_beneficiary_merge_standing",
            "gone_id",
            unique=True,
            sqlite_where=text("state IN ('asked', 'merged')"),
            postgresql_where=text("state IN ('asked', 'merged')"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    kept_id: str = Field(foreign_key="beneficiary.id", index=True)
    gone_id: str = Field(foreign_key="beneficiary.id", index=True)
    state: str = ASKED
    asked_by: str
    asked_at: datetime
    decided_by: str = ""
    decided_at: datetime | None = None
    undone_by: str = ""
    undone_at: datetime | None = None
    changes: list[Any] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))


_M: Any = SQLModel.metadata.tables["beneficiary_merge"]

# --- what stands in the way ---


class MergeError(Exception):
    """`reason`: "unknown"; "same" — one row only; "merged" — one of them was set aside already; "asked" — it waits for
    the other county; "died" or "not_listed" — what the ledgers say of them does not fit; "both_lead" — somebody serves
    each of them; "scope" — it is for others to say; "nobody" — the other county has nobody who could agree; "state" —
    it does not stand as it would have to; "later" — too much has happened since to take it back: `what` names it
    ("stint", "offer", "keeping", "question", "door", "consent", "proposal", "visit", "merge")."""

    def __init__(self, reason: str, what: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.what = what


def newer(one: Beneficiary, other: Beneficiary) -> tuple[Beneficiary, Beneficiary]:
    """(kept, gone): whoever still stands in a ledger, else the one that came last."""
    ordered = sorted((one, other), key=lambda each: (each.status == LISTED, each.listed_at, each.id))
    return ordered[1], ordered[0]


def ask(session: Session, one: str, other: str, by: str, *, keep: str = "") -> BeneficiaryMerge:
    """These two are the same person, says whoever answers for one of the counties: where it is for both, they are one
    from now on, else the other county is asked. `keep` = which of the rows stays; empty = `newer`. Raises MergeError.
    """
    rows = _both(session, one, other)
    kept, gone = newer(*rows) if not keep else sorted(rows, key=lambda each: each.id != keep)
    _check(session, kept, gone)
    mine = [row for row in rows if may_see(session, by, row.county)]
    if not mine:
        raise MergeError("scope")
    if waiting_for(session, kept.id, gone.id) is not None:
        raise MergeError("asked")
    merge = BeneficiaryMerge(kept_id=kept.id, gone_id=gone.id, asked_by=by, asked_at=now_of(session))
    session.add(merge)
    session.flush()
    if len(mine) == len(rows):
        return _merge(session, merge, kept, gone, by)
    theirs = next(row.county for row in rows if row not in mine)
    people = [person for person in answering(session, theirs) if person != by]
    if not people:
        raise MergeError("nobody")
    audit.note(session, by, "ledger.merge_asked", merge.id, kept=kept.county, gone=gone.county)
    for person in people:
        _tell(session, merge, person, ASKED)
    return merge


def agree(session: Session, merge_id: str, by: str) -> BeneficiaryMerge:
    """The other county says so, too. Raises MergeError."""
    merge = _locked(session, merge_id)
    if merge.state != ASKED:
        raise MergeError("state")
    kept, gone = sorted(_both(session, merge.kept_id, merge.gone_id), key=lambda row: row.id != merge.kept_id)
    for row in (kept, gone):
        if not may_see(session, by, row.county) and not may_see(session, merge.asked_by, row.county):
            raise MergeError("scope")
    if not any(may_see(session, by, row.county) for row in (kept, gone)):
        raise MergeError("scope")
    _check(session, kept, gone)
    return _merge(session, merge, kept, gone, by)


def decline(session: Session, merge_id: str, by: str) -> None:
    """They are two people, says somebody who answers for one of them. Raises MergeError."""
    merge = _locked(session, merge_id)
    if merge.state != ASKED:
        raise MergeError("state")
    rows = _both(session, merge.kept_id, merge.gone_id)
    if not any(may_see(session, by, row.county) for row in rows):
        raise MergeError("scope")
    merge.state, merge.decided_by, merge.decided_at = DECLINED, by, now_of(session)
    session.add(merge)
    pair = (merge.kept_id, merge.gone_id)
    open_one = and_(_Q.c.reason.in_((ELSEWHERE, ALIKE)), _Q.c.closed_at.is_(None))
    between = and_(_Q.c.beneficiary_id.in_(pair), _Q.c.other_id.in_(pair))
    said = {"closed_at": now_of(session), "answer": HERE, "answered_by": by}
    session.execute(update(_Q).where(open_one, between).values(**said))
    audit.note(session, by, "ledger.merge_declined", merge.id)
    if merge.asked_by != by:
        _tell(session, merge, merge.asked_by, DECLINED)


def waiting_for(session: Session, one: str, other: str) -> BeneficiaryMerge | None:
    """A merge of these two that the other county has not answered yet."""
    pair = (one, other)
    query = select(BeneficiaryMerge).where(_M.c.state == ASKED, _M.c.kept_id.in_(pair), _M.c.gone_id.in_(pair))
    return session.execute(query).scalars().first()


def _both(session: Session, one: str, other: str) -> list[Beneficiary]:
    """Both rows, kept from others until the transaction ends. Raises MergeError."""
    if one == other:
        raise MergeError("same")
    query = select(Beneficiary).where(_B.c.id.in_((one, other))).order_by(_B.c.id).with_for_update()
    rows = list(session.execute(query.execution_options(populate_existing=True)).scalars())
    if len(rows) != 2:
        raise MergeError("unknown")
    return rows


def _locked(session: Session, merge_id: str) -> BeneficiaryMerge:
    query = select(BeneficiaryMerge).where(_M.c.id == merge_id).with_for_update()
    found: BeneficiaryMerge | None = session.execute(
        query.execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if found is None:
        raise MergeError("unknown")
    return found


def _check(session: Session, kept: Beneficiary, gone: Beneficiary) -> None:
    if kept.merged_into is not None or gone.merged_into is not None:
        raise MergeError("merged")
    if DIED in (kept.status, gone.status):
        raise MergeError("died")
    if kept.status != LISTED:
        raise MergeError("not_listed")
    led = select(_S.c.beneficiary_id).where(
        _S.c.beneficiary_id.in_((kept.id, gone.id)), _S.c.part == pairing.LEAD, _S.c.state != pairing.ENDED
    )
    if len(set(session.execute(led).scalars())) == 2:
        raise MergeError("both_lead")


def _tell(session: Session, merge: BeneficiaryMerge, person: str, news: str) -> None:
    if person != MACHINE:
        key = f"merging:{merge.id}:{news}:{person}"
        enqueue(session, person, "notice.merging", {"merge": merge.id, "news": news}, unique_key=key)


# --- two become one ---


class _Changes:
    """Writes, and keeps what stood there before."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.kept: list[Any] = []

    def set(self, table: Any, row: Any, **values: Any) -> None:
        """Write these columns of a row."""
        told = {name: [_plain(getattr(row, name)), _plain(value)] for name, value in values.items()}
        self.kept.append([table.name, row.id, told])
        self._session.execute(update(table).where(table.c.id == row.id).values(**values))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _merge(
    session: Session, merge: BeneficiaryMerge, kept: Beneficiary, gone: Beneficiary, by: str
) -> BeneficiaryMerge:
    now, changes = now_of(session), _Changes(session)
    for table, open_one in ((_S, _S.c.state != pairing.ENDED), (_P, _P.c.state.in_((proposal.NEW, proposal.OFFERED)))):
        for row in session.execute(select(table).where(table.c.beneficiary_id == gone.id, open_one)).all():
            changes.set(table, row, beneficiary_id=kept.id)
    _move_offers(session, changes, kept.id, gone.id, now)
    _move_consents(session, changes, kept.id, gone.id, now)
    _move_keepings(session, changes, kept.id, gone.id, now)
    _move_doors(session, changes, kept.id, gone.id, now)
    visits_owed.merged(session, kept.id, gone.id, changes.set)
    if gone.person_id is not None and kept.person_id is None:
        changes.set(_B, kept, person_id=gone.person_id)
    pair = (kept.id, gone.id)
    between = and_(_Q.c.reason.in_((ELSEWHERE, ALIKE)), _Q.c.beneficiary_id.in_(pair), _Q.c.other_id.in_(pair))
    query = select(_Q).where(or_(_Q.c.beneficiary_id == gone.id, between), _Q.c.closed_at.is_(None))
    for row in session.execute(query).all():
        changes.set(_Q, row, closed_at=now)
    changes.set(_B, gone, merged_into=kept.id)
    merge.state, merge.decided_by, merge.decided_at, merge.changes = MERGED, by, now, changes.kept
    session.add(merge)
    session.flush()
    session.expire(kept)
    session.expire(gone)
    visits_owed.settle(session, kept.id)
    audit.note(session, by, "ledger.merged", merge.id, kept=kept.county, gone=gone.county, rows=len(changes.kept))
    if merge.asked_by != by:
        _tell(session, merge, merge.asked_by, MERGED)
    return merge


def _move_offers(session: Session, changes: _Changes, kept: str, gone: str, now: datetime) -> None:
    """Nobody is asked twice about one person."""
    standing = _O.c.state.in_(offer.ANSWERABLE)
    asked = set(session.execute(select(_O.c.person_id).where(_O.c.beneficiary_id == kept, standing)).scalars())
    for row in session.execute(select(_O).where(_O.c.beneficiary_id == gone, standing)).all():
        if row.person_id in asked:
            changes.set(_O, row, state=offer.WITHDRAWN, answered_at=now)
        else:
            changes.set(_O, row, beneficiary_id=kept)


def _move_consents(session: Session, changes: _Changes, kept: str, gone: str, now: datetime) -> None:
    """What was agreed to twice stands where it counts now; the other yes stays beside it. Neither row's yes outlives
    what the family took back later, whichever row said so: of pairing what is asked ends with it."""
    standing = _C.c.withdrawn_at.is_(None)
    _take_back(session, changes, kept, gone, now)
    taken = select(_C.c.kind, func.max(_C.c.withdrawn_at)).where(_C.c.beneficiary_id == kept, ~standing)
    last = dict(session.execute(taken.group_by(_C.c.kind)).all())
    given = set(session.execute(select(_C.c.kind).where(_C.c.beneficiary_id == kept, standing)).scalars())
    for row in session.execute(select(_C).where(_C.c.beneficiary_id == gone, standing)).all():
        if row.kind not in given and (row.kind not in last or last[row.kind] < row.given_at):
            changes.set(_C, row, beneficiary_id=kept)


def _take_back(session: Session, changes: _Changes, kept: str, gone: str, now: datetime) -> None:
    """A yes of the row that stays ends where the other one's last word on it is a later no."""
    query = select(_C).where(_C.c.beneficiary_id == gone).order_by(_C.c.withdrawn_at.is_(None), _C.c.withdrawn_at)
    last = {row.kind: row for row in session.execute(query)}  # a standing one comes last
    given = select(_C).where(_C.c.beneficiary_id == kept, _C.c.withdrawn_at.is_(None))
    for row in session.execute(given).all():
        word = last.get(row.kind)
        if word is None or word.withdrawn_at is None or word.withdrawn_at <= row.given_at:
            continue
        changes.set(_C, row, withdrawn_at=word.withdrawn_at, withdrawn_by=word.withdrawn_by)
        if row.kind == family_consent.PAIRING:
            asked = select(_O).where(_O.c.beneficiary_id == kept, _O.c.state.in_(offer.ANSWERABLE))
            for one in session.execute(asked).all():
                changes.set(_O, one, state=offer.WITHDRAWN, answered_at=now)


def _given_anew(session: Session, row: Any) -> bool:
    """Whether the family has agreed to the same once more."""
    same = and_(_C.c.beneficiary_id == row.beneficiary_id, _C.c.kind == row.kind, _C.c.withdrawn_at.is_(None))
    return session.execute(select(_C.c.id).where(same, _C.c.id != row.id)).first() is not None


def _move_keepings(session: Session, changes: _Changes, kept: str, gone: str, now: datetime) -> None:
    """One keeper at most, and none where somebody serves the person."""
    query = select(_K).where(_K.c.beneficiary_id.in_((kept, gone)), _K.c.until.is_(None)).order_by(_K.c.since, _K.c.id)
    rows = {row.beneficiary_id: row for row in session.execute(query)}
    led = select(_S.c.id).where(_S.c.beneficiary_id == kept, _S.c.part == pairing.LEAD, _S.c.state == pairing.OPEN)
    if session.execute(led).first() is not None:
        for row in rows.values():
            changes.set(_K, row, until=now)
    elif len(rows) == 2:
        changes.set(_K, rows[gone], until=now)
    elif gone in rows:
        changes.set(_K, rows[gone], beneficiary_id=kept)


def _move_doors(session: Session, changes: _Changes, kept: str, gone: str, now: datetime) -> None:
    """The family's phones and unused codes go with the person, each phone once and one of a holder's codes; a served
    person has one phone of their own."""
    machine = machine_now_of(session)
    standing = _F.c.ended_at.is_(None)
    here = session.execute(select(_F).where(_F.c.beneficiary_id == kept, standing)).all()
    phones = {row.person_id for row in here if row.person_id is not None}
    has_own = any(row.person_id is not None and row.holder == family_consent.SELF for row in here)
    coded = {row.holder for row in here if row.person_id is None and row.expires_at > machine}
    for row in session.execute(select(_F).where(_F.c.beneficiary_id == gone, standing).order_by(_F.c.id)).all():
        if row.person_id is None:
            if row.expires_at > machine:
                twice = row.holder in coded
                changes.set(_F, row, **({"expires_at": machine} if twice else {"beneficiary_id": kept}))
        elif row.person_id in phones or (has_own and row.holder == family_consent.SELF):
            changes.set(_F, row, ended_at=now)
        else:
            changes.set(_F, row, beneficiary_id=kept)


# --- and two again ---


def undo(session: Session, merge_id: str, by: str) -> BeneficiaryMerge:
    """Put back all that the merge changed, as whoever answers for one of the counties wants: both had to agree. Raises
    MergeError."""
    merge = _locked(session, merge_id)
    if merge.state != MERGED:
        raise MergeError("state")
    rows = _both(session, merge.kept_id, merge.gone_id)
    if not any(may_see(session, by, row.county) for row in rows):
        raise MergeError("scope")
    later = _later(session, merge)
    if later:
        raise MergeError("later", later)
    for name, row_id, told in reversed(merge.changes):
        table = SQLModel.metadata.tables[name]
        if name == _Q.name and _asked_again(session, row_id):
            continue
        values = {column: _read(table.c[column], before) for column, (before, _after) in told.items()}
        session.execute(update(table).where(table.c.id == row_id).values(**values))
    _keep_withdrawals(session, merge)
    merge.state, merge.undone_by, merge.undone_at = UNDONE, by, now_of(session)
    session.add(merge)
    session.flush()
    for row in rows:
        session.expire(row)
        visits_owed.settle(session, row.id)
    audit.note(session, by, "ledger.unmerged", merge.id)
    for person in sorted({merge.asked_by, merge.decided_by} - {by}):
        _tell(session, merge, person, UNDONE)
    return merge


def _read(column: Any, value: Any) -> Any:
    if value is not None and isinstance(column.type, UTCDateTime):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if value is not None and isinstance(column.type, Date) else value


_NAMES = {
    "stint": "stint",
    "offer": "offer",
    "keeping": "keeping",
    "proposal": "proposal",
    "family_consent": "consent",
    "family_door": "door",
    "ledger_question": "question",
    "visit": "visit",
}


def _later(session: Session, merge: BeneficiaryMerge) -> tuple[str, ...]:
    """What has happened since that forbids it: a row stands otherwise than the merge left it, or a new one needs it."""
    found, moved = [], {"stint": [""], "offer": [""]}
    for name, row_id, told in merge.changes:
        table = SQLModel.metadata.tables[name]
        row = session.execute(select(table).where(table.c.id == row_id)).one_or_none()
        if row is None or any(_plain(getattr(row, column)) != after for column, (_before, after) in told.items()):
            found.append(_NAMES.get(name) or ("door" if "person_id" in told else "merge"))
        if name == _F.name and row is not None and row.bound_at is not None and row.bound_at > merge.decided_at:
            found.append("door")
        if name in moved and "beneficiary_id" in told:
            moved[name].append(row_id)
        if name == _K.name and "until" in told and _is_kept(session, row):
            found.append("keeping")
        if name == _C.name and "withdrawn_at" in told and _given_anew(session, row):
            found.append("consent")
    kept = session.get_one(Beneficiary, merge.kept_id)
    if kept.merged_into is not None:
        found.append("merge")
    since = merge.decided_at
    stints = select(_S.c.id).where(
        or_(_S.c.follows_id.in_(moved["stint"]), _S.c.offer_id.in_(moved["offer"])), _S.c.made_at > since
    )
    if session.execute(stints).first() is not None:
        found.append("stint")
    if session.execute(select(_O.c.id).where(_O.c.follows_id.in_(moved["stint"]), _O.c.made_at > since)).first():
        found.append("offer")
    return tuple(dict.fromkeys(found))


def _is_kept(session: Session, row: Any) -> bool:
    """Whether somebody keeps, or serves, whom this keeping was about, by now."""
    now = select(_K.c.id).where(_K.c.beneficiary_id == row.beneficiary_id, _K.c.until.is_(None))
    return session.execute(now).first() is not None


def _asked_again(session: Session, question: str) -> bool:
    """Whether the same is open about the same person anew."""
    mine = select(_Q.c.beneficiary_id, _Q.c.reason).where(_Q.c.id == question).subquery()
    same = and_(_Q.c.beneficiary_id == mine.c.beneficiary_id, _Q.c.reason == mine.c.reason)
    return session.execute(select(_Q.c.id).join(mine, same).where(_Q.c.closed_at.is_(None))).first() is not None


def _keep_withdrawals(session: Session, merge: BeneficiaryMerge) -> None:
    """A family that took its yes back while the two were one has taken it back for both; a phone that left has left
    both."""
    since = merge.decided_at
    taken = select(_C).where(_C.c.beneficiary_id == merge.kept_id, _C.c.withdrawn_at >= since)
    for row in session.execute(taken).all():
        other = and_(_C.c.beneficiary_id == merge.gone_id, _C.c.kind == row.kind, _C.c.withdrawn_at.is_(None))
        said = {"withdrawn_at": row.withdrawn_at, "withdrawn_by": row.withdrawn_by}
        session.execute(update(_C).where(other).values(**said))
    left = select(_F).where(_F.c.beneficiary_id == merge.kept_id, _F.c.ended_at >= since)
    for row in session.execute(left).all():
        other = and_(_F.c.beneficiary_id == merge.gone_id, _F.c.person_id == row.person_id, _F.c.ended_at.is_(None))
        session.execute(update(_F).where(other).values(ended_at=row.ended_at))


# --- looking for them ---


def alike(session: Session, county: str, limit: int = 100) -> list[tuple[Beneficiary, Beneficiary]]:
    """Pairs of one county's ledger with the same name and birth date, and different numbers."""
    here = and_(_B.c.county == county, _B.c.merged_into.is_(None), _B.c.status == LISTED)
    twice = select(_B.c.birth_date).where(here).group_by(_B.c.birth_date).having(func.count() > 1)
    query = select(Beneficiary).where(here, _B.c.birth_date.in_(twice)).order_by(_B.c.birth_date, _B.c.listed_at)
    seen: dict[tuple[Any, str], Beneficiary] = {}
    found = []
    for row in session.execute(query).scalars():
        first = seen.setdefault((row.birth_date, name_in(vault_of(session), row)), row)
        if first is not row:
            found.append((first, row))
        if len(found) >= limit:
            break
    return found


def recent(session: Session, viewer: str, limit: int = 20) -> list[BeneficiaryMerge]:
    """The newest merges that stand or wait, of the people whom the viewer answers for."""
    states = (ASKED, MERGED)
    query = select(BeneficiaryMerge).where(_M.c.state.in_(states)).order_by(_M.c.asked_at.desc(), _M.c.id).limit(limit)
    rows = list(session.execute(query).scalars())
    return [row for row in rows if may_see(session, viewer, session.get_one(Beneficiary, row.kept_id).county)]
