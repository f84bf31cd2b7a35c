"""Proposals that are shown to a specialist for one waiting person: kept, so that silence moves on to the next."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, false, func, or_, select, update

from models import audit, proposing
from models.beneficiary import Beneficiary, BeneficiaryError, may_see
from models.database import now_of
from models.ledger_questions import scopes
from models.offering import Candidate
from models.proposal import NEW, REFUSED, STALE, MatchingRun, Proposal


def propose(session: Session, beneficiary_id: str, by: str, count: int) -> list[Proposal]:
    """The best few for somebody, as rows, the best first; those of a run over the whole county are kept where they
    still stand. Raises BeneficiaryError."""
    somebody = session.get(Beneficiary, beneficiary_id)
    if somebody is None or not may_see(session, by, somebody.county):
        raise BeneficiaryError("scope")
    standing = _standing(session, beneficiary_id)
    found = proposing.propose_for(session, beneficiary_id, count, by=by)
    fresh = {(each.person_id, each.team_id) for each in found}
    kept = [row for row in standing if (row.person_id, row.team_id) in fresh]
    for row in standing:
        if row not in kept:
            row.state = STALE
            session.add(row)
    known = {(row.person_id, row.team_id) for row in kept}
    new = [each for each in found if (each.person_id, each.team_id) not in known]
    if new:
        run = MatchingRun(
            region=somebody.county, made_by=by, made_at=now_of(session), counts={"waiting": 1, "matched": len(found)}
        )
        session.add(run)
        session.flush()
        for each in new:
            row = Proposal(
                run_id=run.id,
                beneficiary_id=beneficiary_id,
                person_id=each.person_id,
                team_id=each.team_id,
                cost=each.cost,
                reasons=list(each.reasons),
                made_at=now_of(session),
            )
            session.add(row)
            kept.append(row)
    session.flush()
    return sorted(kept, key=lambda row: (row.cost, row.id))[:count]


def _standing(session: Session, beneficiary_id: str) -> list[Proposal]:
    query = select(Proposal).where(Proposal.beneficiary_id == beneficiary_id, Proposal.state == NEW)
    return list(session.exec(query.where(col(Proposal.person_id).is_not(None))))


def next_of_run(session: Session, run_id: str, viewer: str, seen: Sequence[str]) -> Proposal | None:
    """The best proposal of a run that nobody has decided on and that was not seen yet, of the viewer's people."""
    query = select(Proposal).join(Beneficiary, col(Beneficiary.id) == Proposal.beneficiary_id)
    query = query.where(*_undecided(session, run_id, viewer))
    query = query.where(col(Proposal.id).not_in(list(seen)))
    query = query.order_by(col(Proposal.cost), col(Beneficiary.county), col(Beneficiary.town), col(Proposal.id))
    return session.exec(query.limit(1)).first()


def _undecided(session: Session, run_id: str, viewer: str) -> tuple[ColumnElement[bool], ...]:
    """What makes a proposal of a run, joined with whom it is about, wait for the viewer's decision."""
    theirs = (col(Beneficiary.county).startswith(scope, autoescape=True) for scope in scopes(session, viewer))
    waits = col(Proposal.run_id) == run_id, col(Proposal.state) == NEW, col(Proposal.person_id).is_not(None)
    return *waits, or_(false(), *theirs)


def left_of_run(session: Session, run_id: str, viewer: str) -> int:
    """How many proposals of a run wait for the viewer's decision."""
    query = select(func.count()).select_from(Proposal)
    query = query.join(Beneficiary, col(Beneficiary.id) == Proposal.beneficiary_id)
    return int(session.exec(query.where(*_undecided(session, run_id, viewer))).one())


def refuse_one(session: Session, proposal_id: str, by: str) -> None:
    """This one will not do. Raises BeneficiaryError."""
    row = session.get(Proposal, proposal_id)
    somebody = session.get(Beneficiary, row.beneficiary_id) if row else None
    if row is None or somebody is None or not may_see(session, by, somebody.county):
        raise BeneficiaryError("scope")
    if row.state == NEW:
        row.state, row.decided_at, row.decided_by = REFUSED, now_of(session), by
        session.add(row)
        audit.note(session, by, "proposal.refused", row.beneficiary_id, count=1)


def candidates(session: Session, beneficiary_id: str, keys: Sequence[str]) -> list[Candidate]:
    """Of these proposals, those that stand still, to be asked."""
    query = select(Proposal).where(
        col(Proposal.id).in_(list(keys)), Proposal.beneficiary_id == beneficiary_id, Proposal.state == NEW
    )
    rows = session.exec(query.order_by(col(Proposal.cost), col(Proposal.id))).all()
    return [Candidate(str(row.person_id), row.team_id, row.id) for row in rows]


def refuse(session: Session, beneficiary_id: str, by: str) -> int:
    """None of these will do; returns how many. Raises BeneficiaryError."""
    somebody = session.get(Beneficiary, beneficiary_id)
    if somebody is None or not may_see(session, by, somebody.county):
        raise BeneficiaryError("scope")
    rows = _standing(session, beneficiary_id)
    values = {"state": REFUSED, "decided_at": now_of(session), "decided_by": by}
    session.execute(update(Proposal).where(col(Proposal.id).in_([row.id for row in rows])).values(**values))
    audit.note(session, by, "proposal.refused", beneficiary_id, count=len(rows))
    return len(rows)
