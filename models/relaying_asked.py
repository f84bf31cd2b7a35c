"""Whole teams that are handed over beside the turns. What was asked stands in the audit trail; it is done in slices,
each of which notes there how far it came, so that whoever goes on after a crash goes on behind it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, select

from models import audit
from models.audit import AuditEntry
from models.ids import new_id
from models.outbox import REPLY, enqueue
from models.relaying import LONGEST_DAYS
from models.relaying_teams import Batch, hand_over, leader_of, may_keep, pairings_of
from models.stints import StintError, today_of
from models.team import Team

AT_ONCE = 10  # a turn does so many pairings itself
SLICE, SLICE_OFFERED = 10, 5  # in one transaction; with `to` each is offered to somebody as well
TOLD_AFTER = timedelta(minutes=2)  # whoever is responsible hears of all of them in one message, once they have begun
# In the audit trail: what was asked, how far it came, and what became of it. The first and the last are about
# `_TEAMS`, so that what is still to do is found in the index.
ASKED, WENT, DONE = "team_relay.asked", "team_relay.went", "team_relay.done"
_TEAMS = "team_relays"
_COUNTS = ("begun", "before", "offered", "not_offered")


@dataclass(frozen=True, slots=True)
class Asked:
    """A team that is to be handed over, and how far that is: `looked_at` of `total` pairings, `done` at the end."""

    team: str
    looked_at: int
    total: int
    done: Batch | None


def ask(
    session: Session,
    team: Team,
    reason: str,
    last_day: date,
    by: str,
    *,
    keeper: str | None = None,
    to: Team | None = None,
) -> str:
    """Write down what is to be done, as `relaying_teams.hand_over_team`; returns the batch's name, that of the same
    wish if it waits already. Raises StintError ("keeper", "leader", "day")."""
    stints, others = pairings_of(session, team.id, by)
    if to is not None and leader_of(session, to.id) is None:
        raise StintError("leader")
    if keeper is not None and not may_keep(session, keeper, stints):
        raise StintError("keeper")
    today = today_of(session, by)
    if not today - timedelta(days=1) <= last_day <= today + timedelta(days=LONGEST_DAYS):
        raise StintError("day")
    wish = {"team": team.id, "why": reason, "last_day": last_day.isoformat(), "keeper": keeper}
    wish["to"] = to.id if to is not None else None
    for entry in _waiting(session):
        if entry.actor == by and wish.items() <= entry.details.items():
            return str(entry.details["batch"])
    batch = new_id()
    audit.note(session, by, ASKED, _TEAMS, batch=batch, total=len(stints), others=others, **wish)
    return batch


def waiting(session: Session) -> list[str]:
    """The batches that are not done yet, the first one asked for in front."""
    return [str(entry.details["batch"]) for entry in _waiting(session)]


def _waiting(session: Session) -> list[AuditEntry]:
    rows = _entries(session)
    done = {entry.details["batch"] for entry in rows if entry.action == DONE}
    return [entry for entry in rows if entry.action == ASKED and entry.details["batch"] not in done]


def _entries(session: Session) -> list[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.subject == _TEAMS, col(AuditEntry.action).in_((ASKED, DONE)))
    return list(session.exec(query.order_by(col(AuditEntry.at), col(AuditEntry.id))))


def asked_for(session: Session, batch: str) -> Asked | None:
    """What was asked under this name, and how far it is."""
    found = {entry.action: entry for entry in _entries(session) if entry.details["batch"] == batch}
    if ASKED not in found:
        return None
    wish = found[ASKED].details
    done = _became(batch, wish, Counter(_counts(found[DONE].details))) if DONE in found else None
    looked_at = wish["total"] if done else _went(session, batch).get("looked_at", 0)
    return Asked(str(wish["team"]), int(looked_at), int(wish["total"]), done)


def _counts(details: dict[str, int]) -> dict[str, int]:
    return {name: int(details.get(name, 0)) for name in _COUNTS}


def _became(batch: str, wish: dict[str, int], counts: Counter[str]) -> Batch:
    left = max(0, wish["total"] - counts["begun"] - counts["before"]) + wish["others"]
    return Batch(batch, counts["begun"], counts["before"], left, counts["offered"], counts["not_offered"])


def _went(session: Session, batch: str) -> dict[str, int]:
    """What the last slice noted; empty before the first one."""
    query = select(AuditEntry.details).where(AuditEntry.subject == batch, AuditEntry.action == WENT)
    return max(map(dict, session.exec(query)), key=lambda details: int(details["looked_at"]), default={})


def go_on(session: Session, batch: str, most: int = SLICE, *, skip: bool = False) -> bool:
    """Do the next few, at most `most`, and note it; `skip` = note it alone. Whoever asked is told of the end. Returns
    whether there is more to do. Of two at the same moment the second one goes on behind the first."""
    entry = next((one for one in _waiting(session) if one.details["batch"] == batch), None)
    if entry is None:
        return False
    session.exec(select(AuditEntry.id).where(AuditEntry.id == entry.id).with_for_update()).all()
    if batch not in waiting(session):
        return False
    wish, went = entry.details, _went(session, batch)
    behind = (str(went.get("served", "")), str(went.get("stint", "")))
    stints, _others = pairings_of(session, wish["team"], entry.actor)
    rest = sorted(
        (one for one in stints if _is_meant(one.opened_at, entry.at) and (one.beneficiary_id or "", one.id) > behind),
        key=lambda one: (one.beneficiary_id or "", one.id),
    )
    some = rest[: min(most, SLICE_OFFERED if wish["to"] else SLICE)]
    counts = Counter(_counts(went))
    if some and not skip:
        keeper = wish["keeper"]
        done = hand_over(
            session,
            some,
            wish["why"],
            date.fromisoformat(wish["last_day"]),
            entry.actor,
            # A keeper who left meanwhile is followed by whoever is responsible (models/keepings.py).
            keeper=keeper if keeper is not None and may_keep(session, keeper, some) else None,
            to=session.get(Team, wish["to"]) if wish["to"] else None,
            batch=batch,
            told_after=TOLD_AFTER,
        )
        counts += Counter({name: getattr(done, name) for name in _COUNTS})
    told = {name: counts[name] for name in _COUNTS}
    if some:
        last, looked_at = some[-1], int(went.get("looked_at", 0)) + len(some)
        audit.note(
            session,
            entry.actor,
            WENT,
            batch,
            served=last.beneficiary_id,
            stint=last.id,
            looked_at=looked_at,
            **told,
        )
    if len(rest) > len(some):
        return True
    audit.note(session, entry.actor, DONE, _TEAMS, batch=batch, **told)
    key = f"team_relay:{batch}"
    enqueue(session, entry.actor, "notice.team_relay", {"batch": batch}, unique_key=key, priority=REPLY)
    return False


def _is_meant(opened_at: datetime | None, asked_at: datetime) -> bool:
    """What began after it was asked is none of it."""
    return opened_at is not None and opened_at <= asked_at
