"""Proposals from the database and back: everybody waiting in a region, or the best few for one person.

What is read and computed holds no lock; proposals are stored in slices. numpy and scipy are loaded at the first run, so
the modules that work with them are imported inside functions: a start does without.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select, text, update
from sqlmodel import Session, SQLModel, col

from config import regions
from models import audit
from models.beneficiary import MACHINE, Beneficiary, BeneficiaryError, may_see
from models.database import Database, now_of
from models.ids import new_id
from models.many import Many
from models.outbox import REPLY, enqueue
from models.proposal import NEW, STALE, MatchingRun
from models.proposing_who import still_waiting, waiting_by_county

SLICE = 250  # proposals in one transaction: well under 250 ms on both databases (architecture.md §9)
MOST_TOGETHER = 20_000  # people whose counties share helpers or teams are matched together up to so many

_T = SQLModel.metadata.tables
_P, _B = _T["proposal"].c, _T["beneficiary"].c
_STALE_OF = Many(
    lambda among, _d: update(_T["proposal"]).where(_P.state == NEW, among(_P.beneficiary_id)).values(state=STALE)
)
_STALE = Many(lambda among, _d: update(_T["proposal"]).where(_P.state == NEW, among(_P.id)).values(state=STALE))
_OLDER = (
    select(_P.id)
    .join_from(_T["proposal"], _T["beneficiary"], _P.beneficiary_id == _B.id)
    .where(_P.state == NEW, _P.made_at < bindparam("began"), _B.county.between(bindparam("low"), bindparam("high")))
)

# One statement for a slice, its rows as one parameter: row by row the drivers took half a second for 10,000.
_PUT = (
    "INSERT INTO proposal (id, run_id, beneficiary_id, person_id, team_id, state, cost, reasons, made_at, decided_by) "
    "SELECT rows.id, :run, rows.key, rows.person, rows.team, :state, rows.cost, rows.reasons, :made_at, '' FROM "
)
_FIELDS = ("id", "key", "person", "team", "cost", "reasons")
_AS_ROWS = {
    "sqlite": f"(SELECT {', '.join(f'value->>{name!r} AS {name}' for name in _FIELDS)} FROM json_each(:rows)) AS rows",  # noqa: S608 named in code
    "postgresql": "json_to_recordset(CAST(:rows AS json)) AS "
    "rows(id text, key text, person text, team text, cost double precision, reasons json)",
}
_PUT_ON = {
    dialect: text(_PUT + rows).bindparams(bindparam("made_at", type_=_P.made_at.type))
    for dialect, rows in _AS_ROWS.items()
}

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who could serve a person: a volunteer, or a team and who leads it; `reasons` as in a Proposal."""

    person_id: str
    team_id: str | None
    cost: float
    reasons: list[Any]


def nobody_hears(_done: int, _total: int) -> None:
    """For callers that show no progress."""


def run(database: Database, region: str, by: str, told: Told = nobody_hears, *, asked: str = "") -> MatchingRun:
    """Propose somebody for everybody waiting in a region (a code of 2, 4 or 6 digits), or store why nobody was found;
    earlier proposals that nobody has acted on are stale then. `asked` = the row of a run
    that was asked for (`ask`). Raises BeneficiaryError("scope")."""
    place = regions.get(region)
    with database.read() as session:
        if place is None or not may_see(session, by, place.code):
            raise BeneficiaryError("scope")
        blocks = _blocks(session, waiting_by_county(session, place.code))
    with database.write() as session:
        new = MatchingRun(region=place.code, made_by=by, made_at=now_of(session))
        made = (session.get(MatchingRun, asked) if asked else None) or new
        session.add(made)
    total, counts, why = sum(size for _counties, size in blocks), Counter[str](), Counter[str]()
    used: Counter[tuple[str, str | None]] = Counter()
    done = 0
    for counties, _size in blocks:
        for rows in _slices(_matched(database, counties, used)):
            _keep(database, made, rows, counts, why)
            done += len(rows)
            told(min(done, total), total)
    _forget_older(database, made)
    with database.write() as session:
        row = session.get_one(MatchingRun, made.id)
        row.done_at = now_of(session)
        row.counts = {name: counts[name] for name in ("waiting", "matched", "left")} | {"why": dict(why)}
        told_of = {name: counts[name] for name in ("waiting", "matched", "left")}
        audit.note(session, by, "matching.run", row.id, region=row.region, **told_of)
    return row


def ask(session: Session, region: str, by: str) -> MatchingRun:
    """Ask for a run over a region, which a job does beside the turns (`asked_for`); one that waits already stays.
    Raises BeneficiaryError("scope")."""
    place = regions.get(region)
    if place is None or not may_see(session, by, place.code):
        raise BeneficiaryError("scope")
    query = select(MatchingRun).where(col(MatchingRun.region) == place.code, col(MatchingRun.made_by) == by)
    waiting = session.scalars(query.where(col(MatchingRun.asked), col(MatchingRun.done_at).is_(None))).first()
    row = waiting or MatchingRun(region=place.code, made_by=by, made_at=now_of(session), asked=True)
    session.add(row)
    session.flush()
    return row


def run_asked(database: Database) -> int:
    """Do what was asked for, and tell whoever asked; returns how many runs."""
    with database.read() as session:
        query = select(MatchingRun).where(col(MatchingRun.asked), col(MatchingRun.done_at).is_(None))
        waiting = [
            (row.id, row.region, row.made_by) for row in session.scalars(query.order_by(col(MatchingRun.made_at)))
        ]
    for key, region, by in waiting:
        try:
            run(database, region, by, asked=key)
        except BeneficiaryError:
            # The role ended meanwhile: nobody is to be told.
            with database.write() as session:
                session.get_one(MatchingRun, key).done_at = now_of(session)
            continue
        with database.write() as session:
            enqueue(session, by, "notice.matched", {"run": key}, unique_key=f"matched:{key}", priority=REPLY)
    return len(waiting)


def propose_for(session: Session, beneficiary_id: str, count: int = 3, *, by: str = MACHINE) -> list[Candidate]:
    """The best few for one listed person, the best first; whether the family agreed, or somebody serves or is asked
    already, is for the caller to know (those people are not among them). It reads all who may serve in the county: half
    a second for 5,000, so not while a lock is held. Raises BeneficiaryError("scope")."""
    from models import matching

    found = _alone(session, beneficiary_id, by)
    if found is None:
        return []
    places, costs, reasons = matching.shortlist(found.waiting, found.places, found.terms, count)
    whom = [found.whom[at] for at in places.tolist()]
    return [
        Candidate(person, team, cost, [list(one) for one in why])
        for (person, team), cost, why in zip(whom, costs.tolist(), reasons, strict=True)
    ]


def why_nobody(session: Session, beneficiary_id: str, *, by: str = MACHINE) -> list[Any]:
    """Where `propose_for` finds nobody: the reasons, as in a Proposal; empty where it finds somebody. Raises
    BeneficiaryError("scope")."""
    from models import matching

    found = _alone(session, beneficiary_id, by)
    if found is None:
        return []
    matched = matching.match(found.waiting, found.places, found.terms)
    return [] if matched.place[0] >= 0 else [list(one) for one in matched.reasons[0]]


def _alone(session: Session, beneficiary_id: str, by: str) -> Any:
    from models.proposing_places import helpers
    from models.proposing_rows import gathered

    row = session.get(Beneficiary, beneficiary_id)
    if row is None or not may_see(session, by, row.county):
        raise BeneficiaryError("scope")
    found = gathered(session, [row.county], helpers(session), Counter(), one=row.id)
    return found if found.ids else None


def _blocks(session: Session, counties: dict[str, int]) -> list[tuple[list[str], int]]:
    """Counties that share helpers or teams are matched together, others apart, which changes nothing; too large a block
    falls apart into its counties, the first of which then choose first."""
    from models.proposing_places import helpers

    known = helpers(session)
    reaches = known.pairs + [(region, helps or region) for _team, region, helps, _capacity in known.teams]
    home = {county: county for county in counties}

    def head(county: str) -> str:
        while home[county] != county:
            county = home[county]
        return county

    for two in reaches:
        touched = [county for county in counties if county.startswith(two)]
        for county in touched[1:]:
            home[head(county)] = head(touched[0])
    together: dict[str, list[str]] = {}
    for county in counties:
        together.setdefault(head(county), []).append(county)
    blocks: list[tuple[list[str], int]] = []
    for some in together.values():
        size = sum(counties[county] for county in some)
        if size <= MOST_TOGETHER:
            blocks.append((some, size))
        else:
            blocks += [([county], counties[county]) for county in some]
    return blocks


@dataclass(frozen=True, slots=True)
class _Found:
    """What is proposed for one person; `person` is None where nobody was found."""

    id: str
    key: str
    person: str | None
    team: str | None
    cost: float
    reasons: list[Any]


def _matched(database: Database, counties: list[str], used: Counter[tuple[str, str | None]]) -> list[_Found]:
    """The proposals of a block; what they use up is noted."""
    from models.matching import match
    from models.proposing_places import helpers
    from models.proposing_rows import gathered

    with database.read() as session:
        found = gathered(session, counties, helpers(session), used)
    matched = match(found.waiting, found.places, found.terms)
    places, costs = matched.place.tolist(), matched.cost.tolist()
    proposals = []
    for key, at, cost, reasons in zip(found.ids, places, costs, matched.reasons, strict=True):
        person, team = found.whom[at] if at >= 0 else (None, None)
        if person:
            used[person, team] += 1
        proposals.append(_Found(new_id(), key, person, team, cost if person else 0.0, reasons))
    return proposals


def _slices(rows: list[_Found]) -> Iterator[list[_Found]]:
    for begin in range(0, len(rows), SLICE):
        yield rows[begin : begin + SLICE]


def _keep(database: Database, made: MatchingRun, rows: list[_Found], counts: Counter[str], why: Counter[str]) -> None:
    """Store these, but for those who found somebody meanwhile."""
    with database.write() as session:
        still = still_waiting(session, [row.key for row in rows])
        kept = [row for row in rows if row.key in still]
        _STALE_OF.run(session, still)
        told = json.dumps([{name: getattr(row, name) for name in _FIELDS} for row in kept])
        given = {"rows": told, "run": made.id, "state": NEW, "made_at": made.made_at}
        session.connection().execute(_PUT_ON[session.get_bind().dialect.name], given)
    counts["waiting"] += len(kept)
    for row in kept:
        counts["matched" if row.person else "left"] += 1
        if not row.person:
            why[row.reasons[0][0]] += 1


def _forget_older(database: Database, made: MatchingRun) -> None:
    """What an earlier run proposed for people of the region who do not wait any more."""
    given = {"began": made.made_at, "low": made.region.ljust(6, "0"), "high": made.region.ljust(6, "9")}
    with database.read() as session:
        ids = [row[0] for row in session.connection().execute(_OLDER, given)]
    for begin in range(0, len(ids), SLICE):
        with database.write() as session:
            _STALE.run(session, ids[begin : begin + SLICE])
