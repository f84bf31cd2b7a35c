"""Leave of those who answer for others (值班请假): days, a deputy who says yes, and what is told at both ends.

Who gets what meanwhile is decided in models/standing_in.py; it changes with the day, also where no job runs. What
nobody has passes on by models/handover.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_
from sqlmodel import Session, col, select

from config.catalogue import rules
from models import audit, role
from models.about import unsay
from models.beneficiary import MACHINE
from models.database import now_of
from models.duty_leave import DutyLeave
from models.outbox import REMINDER, REPLY, enqueue
from models.person import Person, doors, family, local_now
from models.role import RoleGrant
from models.standing_in import covers
from models.team import by_team_number

AHEAD_DAYS = 366  # a leave begins within so many
MOST_CANDIDATES = 8  # deputies that a talk offers by a button


class DutyLeaveError(Exception):
    """`reason`: "role" — holds no role; "day" — days that are over, too far ahead or too many; "overlap" — there is a
    leave on some of these days; "deputy" — does not answer for the same; "self"; "unreachable" — the deputy has no open
    door; "away" — the deputy is on leave then, too; "gone" — the leave is over or called off, or the question is
    answered; "scope" — not theirs to decide."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# --- who may stand in ---


def answers_for_same(session: Session, person_id: str, deputy: str) -> bool:
    """Whether a deputy holds roles that cover every one that the person holds; False for somebody without a role."""
    wanted, theirs = role.grants(session, person_id), role.grants(session, deputy)
    return bool(wanted) and all(any(covers(one, each, _home(session, each)) for one in theirs) for each in wanted)


def _home(session: Session, grant: RoleGrant) -> str:
    team = by_team_number(session, grant.scope) if grant.scope_kind == "team" else None
    return team.region if team is not None else ""


def candidates(session: Session, person_id: str, first: date, last: date) -> list[str]:
    """Who could stand in on these days, the nearest scope first; at most MOST_CANDIDATES."""
    held = session.exec(select(RoleGrant).where(col(RoleGrant.ended_at).is_(None))).all()
    wanted = [(each, _home(session, each)) for each in held if each.person_id == person_id]
    own: dict[str, list[RoleGrant]] = {}
    for each in held:
        if each.person_id != person_id:
            own.setdefault(each.person_id, []).append(each)
    fit = {
        one: max(len(mine.scope) for mine in theirs)
        for one, theirs in own.items()
        if wanted and all(any(covers(mine, each, home) for mine in theirs) for each, home in wanted)
    }
    away = {leave.person_id for leave in _on(session, list(fit), first, last)}
    near = sorted(fit.keys() - away, key=lambda one: (-fit[one], one))
    return [one for one in near[: 4 * MOST_CANDIDATES] if doors(session, one)][:MOST_CANDIDATES]


def _on(session: Session, people: Sequence[str], first: date, last: date) -> list[DutyLeave]:
    """The standing leaves of these people that have any of these days."""
    query = select(DutyLeave).where(
        col(DutyLeave.person_id).in_(people),
        col(DutyLeave.ended_at).is_(None),
        col(DutyLeave.first_day) <= last,
        col(DutyLeave.last_day) >= first,
    )
    return list(session.exec(query.order_by(col(DutyLeave.first_day), col(DutyLeave.id))))


# --- acts ---


def ask(session: Session, person_id: str, first: date, last: date, deputy: str | None, by: str) -> DutyLeave:
    """A leave from `first` to `last` (both included, days in their zone). A deputy is asked, and stands in from the day
    on which they say yes; until then, and without one, what comes goes to the others of the county. `by` = they
    themselves, an organiser who answers for all of their scopes, or MACHINE. Raises DutyLeaveError."""
    if not role.grants(session, person_id):
        raise DutyLeaveError("role")
    _check_may(session, person_id, by)
    today = local_now(session, session.get_one(Person, person_id)).date()
    longest = timedelta(days=rules().duty.leave_most_days - 1)
    if not today <= first <= today + timedelta(days=AHEAD_DAYS) or not first <= last <= first + longest:
        raise DutyLeaveError("day")
    # Of two at the same moment the second one sees the first.
    session.exec(select(Person).where(Person.id == person_id).with_for_update(key_share=True)).all()
    if _on(session, [person_id], first, last):
        raise DutyLeaveError("overlap")
    if deputy is not None:
        _check_deputy(session, person_id, deputy, first, last)
    row = DutyLeave(
        person_id=person_id,
        deputy_id=deputy,
        first_day=first,
        last_day=last,
        made_by=by,
        made_at=now_of(session),
    )
    session.add(row)
    session.flush()
    audit.note(session, by, "duty_leave.asked", row.id, first=str(first), last=str(last), deputy=deputy or "")
    if by not in family(session, person_id):
        _tell(session, row, person_id, "made")
    if deputy is not None:
        _tell(session, row, deputy, "asked")
    _tell_those_relying(session, row)
    return row


def name_deputy(session: Session, leave_id: str, deputy: str, by: str) -> DutyLeave:
    """Ask somebody (else) to stand in. Raises DutyLeaveError."""
    row = _standing(session, leave_id)
    _check_may(session, row.person_id, by)
    if deputy == row.deputy_id:
        return row
    _check_deputy(session, row.person_id, deputy, row.first_day, row.last_day)
    _leave_out(session, row)
    row.deputy_id, row.taken_at, row.begun_at = deputy, None, None
    session.add(row)
    session.flush()
    audit.note(session, by, "duty_leave.deputy", row.id, deputy=deputy)
    _tell(session, row, deputy, "asked")
    return row


def take(session: Session, leave_id: str, by: str) -> DutyLeave:
    """我来代班. Raises DutyLeaveError ("gone", "scope", "deputy")."""
    row = _asked(session, leave_id, by)
    if row.taken_at is not None:
        return row
    if not answers_for_same(session, row.person_id, by):
        raise DutyLeaveError("deputy")
    row.taken_at = now_of(session)
    session.add(row)
    session.flush()
    audit.note(session, by, "duty_leave.taken", row.id)
    _tell(session, row, row.person_id, "taken", about=by)
    return row


def decline(session: Session, leave_id: str, by: str) -> DutyLeave:
    """我代不了, at first or later: what comes goes to the others again. Raises DutyLeaveError ("gone", "scope")."""
    row = _asked(session, leave_id, by)
    row.deputy_id = row.taken_at = row.begun_at = None
    session.add(row)
    session.flush()
    audit.note(session, by, "duty_leave.declined", row.id)
    _tell(session, row, row.person_id, "declined", about=by)
    return row


def end(session: Session, leave_id: str, by: str) -> DutyLeave:
    """It is called off, or ends earlier: from now on what comes goes to the person again. Raises DutyLeaveError."""
    row = _standing(session, leave_id)
    _check_may(session, row.person_id, by)
    _end(session, row, by)
    if by not in family(session, row.person_id):
        _tell(session, row, row.person_id, "back")
    return row


def _end(session: Session, row: DutyLeave, by: str) -> None:
    row.ended_at = now_of(session)
    session.add(row)
    session.flush()
    audit.note(session, by, "duty_leave.ended", row.id)
    _leave_out(session, row)


def _leave_out(session: Session, row: DutyLeave) -> None:
    """Whoever was asked, or stood in, does so no more; who has not read the question need not."""
    if row.deputy_id is None:
        return
    unsay(session, [row.deputy_id], [f"duty_leave:{row.id}:asked:"], why="answered")
    if row.taken_at is not None:
        _tell(session, row, row.deputy_id, "over")


def _check_may(session: Session, person_id: str, by: str) -> None:
    if by == MACHINE or by in family(session, person_id):
        return
    wanted = role.grants(session, person_id)
    mine = [held for held in role.grants(session, by) if held.role == "organiser"]
    if not wanted or not all(any(covers(one, each, _home(session, each)) for one in mine) for each in wanted):
        raise DutyLeaveError("scope")


def _check_deputy(session: Session, person_id: str, deputy: str, first: date, last: date) -> None:
    if deputy in family(session, person_id):
        raise DutyLeaveError("self")
    if not answers_for_same(session, person_id, deputy):
        raise DutyLeaveError("deputy")
    if not doors(session, deputy):
        raise DutyLeaveError("unreachable")
    if _on(session, [deputy], first, last):
        raise DutyLeaveError("away")


def _standing(session: Session, leave_id: str) -> DutyLeave:
    query = select(DutyLeave).where(DutyLeave.id == leave_id, col(DutyLeave.ended_at).is_(None)).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).first()
    if row is None:
        raise DutyLeaveError("gone")
    return row


def _asked(session: Session, leave_id: str, by: str) -> DutyLeave:
    row = _standing(session, leave_id)
    if row.deputy_id not in family(session, by):
        raise DutyLeaveError("gone" if row.deputy_id is None else "scope")
    return row


def _tell_those_relying(session: Session, row: DutyLeave) -> None:
    """Whoever counted on this person as a deputy for some of these days hears that they are away, too."""
    query = select(DutyLeave).where(
        col(DutyLeave.deputy_id).in_(family(session, row.person_id)),
        col(DutyLeave.ended_at).is_(None),
        col(DutyLeave.first_day) <= row.last_day,
        col(DutyLeave.last_day) >= row.first_day,
    )
    for other in session.exec(query).all():
        _tell(session, other, other.person_id, "deputy_away", about=row.person_id)


def _tell(session: Session, row: DutyLeave, person_id: str, what: str, about: str = "", *, waits: bool = False) -> None:
    """`what` is told to somebody; `about` = the deputy whom it is about. What time brings waits for the morning."""
    params: dict[str, Any] = {"leave": row.id, "what": what, "about": about}
    at = "" if waits else f":{now_of(session).isoformat()}"
    key = f"duty_leave:{row.id}:{what}:{person_id}{at}"
    enqueue(session, person_id, "notice.duty_leave", params, unique_key=key, priority=REMINDER if waits else REPLY)


# --- lists ---


def leaves_of(session: Session, person_id: str) -> list[DutyLeave]:
    """The standing leaves of somebody, the next one first; one whose last day is over is not among them."""
    today = local_now(session, session.get_one(Person, person_id)).date()
    query = select(DutyLeave).where(col(DutyLeave.person_id).in_(family(session, person_id)))
    query = query.where(col(DutyLeave.ended_at).is_(None), col(DutyLeave.last_day) >= today)
    return list(session.exec(query.order_by(col(DutyLeave.first_day), col(DutyLeave.id))))


def standing_in_for(session: Session, person_id: str) -> list[DutyLeave]:
    """The standing leaves for which somebody is asked to stand in, or said yes; the next one first."""
    yesterday = now_of(session).date() - timedelta(days=1)
    query = select(DutyLeave).where(col(DutyLeave.deputy_id).in_(family(session, person_id)))
    query = query.where(col(DutyLeave.ended_at).is_(None), col(DutyLeave.last_day) >= yesterday)
    return list(session.exec(query.order_by(col(DutyLeave.first_day), col(DutyLeave.id))))


def leave_of(session: Session, leave_id: str) -> DutyLeave | None:
    """One of them, whatever became of it."""
    return session.get(DutyLeave, leave_id)


def standing(session: Session) -> list[DutyLeave]:
    """Every standing leave, the next one first; for `nuanyang duty list`."""
    query = select(DutyLeave).where(col(DutyLeave.ended_at).is_(None))
    return list(session.exec(query.order_by(col(DutyLeave.first_day), col(DutyLeave.id))))


def forget(session: Session, person_id: str) -> None:
    """Somebody's data is deleted: their leaves end, and they stand in for nobody."""
    mine = or_(col(DutyLeave.person_id) == person_id, col(DutyLeave.deputy_id) == person_id)
    for row in session.exec(select(DutyLeave).where(mine, col(DutyLeave.ended_at).is_(None))).all():
        if row.person_id == person_id:
            _end(session, row, person_id)
        else:
            row.deputy_id = row.taken_at = row.begun_at = None
            session.add(row)
            _tell(session, row, row.person_id, "declined")


# --- the job ---


def changing(session: Session) -> list[str]:
    """The leaves that begin for their deputy, or are over, by the day in their people's zones."""
    now = now_of(session)
    query = (
        select(DutyLeave, Person.zone)
        .join(Person, col(Person.id) == DutyLeave.person_id)
        .where(col(DutyLeave.ended_at).is_(None), col(DutyLeave.first_day) <= now.date() + timedelta(days=1))
    )
    rows = session.exec(query.order_by(col(DutyLeave.first_day), col(DutyLeave.id)))
    return [row.id for row, zone in rows if _due(row, now.astimezone(ZoneInfo(zone)).date())]


def _due(row: DutyLeave, today: date) -> str:
    """ "over", "begins" or nothing."""
    if row.last_day < today:
        return "over"
    begins = row.first_day <= today and row.taken_at is not None and row.begun_at is None
    return "begins" if begins else ""


def change(session: Session, ids: Sequence[str]) -> int:
    """Tell deputies that it begins, and both that it is over; returns how many leaves changed. One that was over before
    its deputy heard of it is told as over only."""
    query = select(DutyLeave).where(col(DutyLeave.id).in_(ids), col(DutyLeave.ended_at).is_(None)).with_for_update()
    done = 0
    for row in session.exec(query.order_by(col(DutyLeave.id)).execution_options(populate_existing=True)).all():
        what = _due(row, local_now(session, session.get_one(Person, row.person_id)).date())
        if what == "begins":
            row.begun_at = now_of(session)
            session.add(row)
            _tell(session, row, str(row.deputy_id), "begins", waits=True)
        elif what == "over":
            row.ended_at = now_of(session)
            session.add(row)
            if row.taken_at is not None:
                _tell(session, row, str(row.deputy_id), "over", waits=True)
            _tell(session, row, row.person_id, "back", waits=True)
        done += bool(what)
    session.flush()
    return done
