"""How turns are planned and pass from one member to the next (programme §5): asked, accepted, swapped, skipped; and who
hears of it when nobody can go. The lock is the plan's row, after that of its stint where both are taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from models import audit
from models.about import unsay
from models.beneficiary import Beneficiary
from models.database import now_of
from models.ids import new_id
from models.outbox import REMINDER, enqueue
from models.pairing import LEAD, OPEN, Stint
from models.person import family
from models.served import answering, decides, locked_stint, served_of, serves, tell_responsible
from models.stints import today_in
from models.team import TeamMember
from models.turn import (
    ACCEPTED,
    ASKED,
    DONE,
    HOME,
    LEADER,
    MEMBER,
    RELEASED,
    RHYTHMS,
    SILENT,
    SKIPPED,
    STANDING,
    SWAPPED,
    VISIT,
    Turn,
    TurnMember,
    TurnPlan,
    accepted,
    locked_plan,
    month_number,
    plan_of,
    tell_off,
    today,
)
from models.turns import AWAY, SLICE, Planned, looked_at, overdue, planned, substitutes
from models.volunteer import volunteer_of


class TurnError(Exception):
    """`reason`: "gone" — no open pairing of a team, or not this turn any more; "scope" — not theirs; "empty" — nobody
    is named; "stranger" — not a member; "adult" — nobody named is grown up; "taken" — somebody else goes; "rhythm" —
    not each visit; or an obstacle (models/obstacles.py) of `person_id`."""

    def __init__(self, reason: str, person_id: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.person_id = person_id


def may_plan(session: Session, stint: Stint, by: str) -> bool:
    """Whoever leads the team, or decides about the pairing."""
    return serves(session, stint, by) or decides(session, by, stint)


def plan(session: Session, stint_id: str, people: Sequence[str], rhythm: str, by: str) -> TurnPlan:
    """These members go in this order from now on, each visit or each month another one; the first one is asked at once.
    Raises TurnError."""
    stint = _theirs(session, stint_id, by)
    if rhythm not in RHYTHMS:
        raise ValueError(rhythm)
    _check(session, stint, list(dict.fromkeys(people)))
    gone = _end(session, stint)
    number = 0 if rhythm == VISIT else month_number(today(session))
    row = TurnPlan(stint_id=stint.id, rhythm=rhythm, number=number, made_by=by, made_at=now_of(session))
    session.add(row)
    session.flush()
    for place, person in enumerate(dict.fromkeys(people)):
        session.add(TurnMember(plan_id=row.id, place=place, person_id=person))
    session.flush()
    audit.note(session, by, "turns.planned", stint.id, plan=row.id, rhythm=rhythm, members=len(set(people)))
    move_on(session, [row.id])
    asked = select(Turn).where(Turn.plan_id == row.id, col(Turn.state).in_(STANDING))
    tell_off(session, gone, but=[one for turn in session.exec(asked) for one in (turn.person_id, turn.beside_id)])
    return row


def drop(session: Session, stint_id: str, by: str) -> bool:
    """No turns any more: the leader sees to it. False when there was no plan. Raises TurnError."""
    stint = _theirs(session, stint_id, by)
    if plan_of(session, stint.id) is None:
        return False
    tell_off(session, _end(session, stint))
    audit.note(session, by, "turns.dropped", stint.id)
    return True


def _theirs(session: Session, stint_id: str, by: str) -> Stint:
    stint = locked_stint(session, stint_id)
    if stint is None or (stint.state, stint.part) != (OPEN, LEAD) or stint.team_id is None:
        raise TurnError("gone")
    if not may_plan(session, stint, by):
        raise TurnError("scope")
    return stint


def _check(session: Session, stint: Stint, people: list[str]) -> None:
    if not people:
        raise TurnError("empty")
    query = select(TeamMember.person_id).where(TeamMember.team_id == stint.team_id, col(TeamMember.left_at).is_(None))
    members = set(session.exec(query))
    served, day = served_of(session, stint), today_in(session, stint)
    somebody = served if isinstance(served, Beneficiary) else None
    adults = 0
    for one in people:
        if one not in members:
            raise TurnError("stranger", one)
        slot = looked_at(session, somebody, one, volunteer_of(session, one), day)
        if slot.against is not None:
            raise TurnError(slot.against, one)
        adults += slot.adult
    if not adults:
        raise TurnError("adult")


def _end(session: Session, stint: Stint) -> list[Turn]:
    """The plan in force ends. Returns the turns to which somebody has said yes and that are due still."""
    row = plan_of(session, stint.id)
    locked = locked_plan(session, row.id) if row is not None else None
    if locked is None:
        return []
    asked = select(Turn).where(Turn.plan_id == locked.id, col(Turn.state).in_(STANDING))
    for turn in session.exec(asked).all():
        _unsay(session, turn)
    found = accepted(session, locked)
    locked.ended_at = now_of(session)
    session.add(locked)
    session.flush()
    return found


def _looked(session: Session, plan_id: str) -> Planned | None:
    """The plan as it stands today; None where it or its pairing has ended."""
    row = locked_plan(session, plan_id)
    stint = session.get(Stint, row.stint_id, populate_existing=True) if row is not None else None
    if stint is None or stint.state != OPEN:
        return None
    return next(iter(planned(session, [stint], today(session))), None)


# --- what a member says ---


def current(session: Session, turn_id: str, reader: str) -> tuple[Turn, Planned] | None:
    """A turn that is still the one that is due, for whoever was asked or goes beside them; nothing is locked."""
    turn = session.get(Turn, turn_id)
    row = session.get(TurnPlan, turn.plan_id) if turn is not None else None
    stint = session.get(Stint, row.stint_id) if row is not None else None
    if turn is None or row is None or stint is None or row.ended_at is not None or stint.state != OPEN:
        return None
    about = next(iter(planned(session, [stint], today(session))), None)
    own = set(family(session, reader))
    if about is None or about.number != turn.number or not own.intersection({turn.person_id, turn.beside_id}):
        return None
    return turn, about


def accept(session: Session, turn_id: str, by: str) -> Turn:
    """好的，我去. Also late, as long as nobody else has accepted; whoever was asked meanwhile is told. Raises
    TurnError ("gone", "scope", "taken", or why they may not go)."""
    turn, about = _mine(session, turn_id, by)
    against = about.lost(turn)
    if against is not None:
        raise TurnError(against, turn.person_id)
    covered = substitutes(session, [about.stint]).get(about.stint.id)
    if covered is not None:
        raise TurnError("taken", covered)
    standing = about.standing()
    if standing is not None and standing.id != turn.id:
        if standing.state == ACCEPTED:
            raise TurnError("taken", standing.person_id)
        _settle(session, standing, RELEASED)
        _tell(session, standing.person_id, "notice.turn_released", {"turn": standing.id, "by": turn.person_id})
    if turn.state != ACCEPTED:
        _settle(session, turn, ACCEPTED)
        _somebody_again(session, about.plan)
        audit.note(session, by, "turn.accepted", turn.id)
        if turn.beside_id is not None:
            _tell(session, turn.beside_id, "notice.turn_beside", {"turn": turn.id})
    return turn


def swap(session: Session, turn_id: str, by: str) -> Turn | None:
    """换人, also after a yes: the next one is asked. Returns whom, in the end the leader; None = nobody is left, which
    whoever answers for the county hears. Raises TurnError ("gone", "scope")."""
    turn, about = _mine(session, turn_id, by)
    if turn.state in STANDING:
        _settle(session, turn, SWAPPED)
        audit.note(session, by, "turn.swapped", turn.id)
        _pass_on(session, about.plan.id)
    fresh = _looked(session, about.plan.id)
    return fresh.standing() if fresh is not None else None


def stay_away(session: Session, turn_id: str, by: str) -> Turn:
    """A minor who was to go beside somebody cannot; that one is told, and goes alone. Raises TurnError."""
    turn, _about = _mine(session, turn_id, by, beside=True)
    unsay(session, [turn.beside_id], [f"turn:{turn.id}:"], why="turn over")
    beside, turn.beside_id = turn.beside_id, None
    session.add(turn)
    now, asked = now_of(session), turn.asked_at  # nor beside whoever goes instead
    away = {"person_id": str(beside), "state": SWAPPED}
    session.add(Turn(plan_id=turn.plan_id, number=turn.number, asked_at=asked, answered_at=now, **away))
    session.flush()
    audit.note(session, by, "turn.beside_away", turn.id)
    _tell(session, turn.person_id, "notice.turn_alone", {"turn": turn.id, "who": str(beside)})
    return turn


def went(session: Session, turn_id: str, by: str) -> Turn | None:
    """去过了, where another one goes each visit: the turn of the next one begins. It counts as no visit and no hours.
    Returns who is asked next. Raises TurnError ("gone", "scope", "rhythm")."""
    turn, about = _mine(session, turn_id, by)
    if about.plan.rhythm != VISIT:
        raise TurnError("rhythm")
    if turn.state not in STANDING:
        raise TurnError("gone")
    visited(session, about.stint.id, by)
    fresh = _looked(session, about.plan.id)
    return fresh.standing() if fresh is not None else None


def goes(session: Session, stint_id: str, by: str) -> bool:
    """Somebody has booked a time: where it is their turn, that is a yes. False where they are not asked."""
    row = plan_of(session, stint_id)
    if row is None:
        return False
    _pass_on(session, row.id)
    about = _looked(session, row.id)
    standing = about.standing() if about is not None else None
    if about is None or standing is None or standing.state != ASKED:
        return False
    if standing.person_id not in family(session, by) or about.lost(standing) is not None:
        return False
    if substitutes(session, [about.stint]):
        return False
    accept(session, standing.id, by)
    return True


def visited(session: Session, stint_id: str, by: str, on: date | None = None) -> bool:
    """A visit was made in this pairing, by whomever: where another one goes each visit, the next turn begins. False
    where no such plan stands. What records visits calls it with the day of the visit in China: whatever is told of one
    day, or of a day before the last turn was over or the plan was made, is told of a turn that is over already."""
    row = plan_of(session, stint_id)
    about = _looked(session, row.id) if row is not None and row.rhythm == VISIT else None
    if about is None or (on is not None and on <= _counted(session, about.plan)):
        return False
    standing = about.standing()
    if standing is not None:
        _settle(session, standing, DONE)
    else:
        now, went_by = now_of(session), {"person_id": by, "state": DONE}
        session.add(Turn(plan_id=about.plan.id, number=about.number, asked_at=now, answered_at=now, **went_by))
    about.plan.number += 1
    session.add(about.plan)
    session.flush()
    audit.note(session, by, "turn.done", about.plan.id, number=about.number)
    _pass_on(session, about.plan.id)
    return True


def _counted(session: Session, about: TurnPlan) -> date:
    """Up to which day visits have moved the turns on; the day before the plan was made, where none has."""
    query = select(func.max(Turn.answered_at)).where(Turn.plan_id == about.id, Turn.state == DONE)
    last = session.exec(query).one()
    if last is not None:
        return last.astimezone(HOME).date()
    return about.made_at.astimezone(HOME).date() - timedelta(days=1)


def _mine(session: Session, turn_id: str, by: str, *, beside: bool = False) -> tuple[Turn, Planned]:
    turn = session.get(Turn, turn_id)
    about = _looked(session, turn.plan_id) if turn is not None else None
    if turn is None or about is None:
        raise TurnError("gone")
    session.refresh(turn)
    if (turn.beside_id if beside else turn.person_id) not in family(session, by):
        raise TurnError("scope")
    if about.number != turn.number or turn.state == DONE:
        raise TurnError("gone")
    return turn, about


# --- what moves on by itself ---


def due(session: Session) -> list[str]:
    """Plans in which somebody is to be asked now: a month has begun, somebody did not answer in time, or cannot go any
    more. Looked at in slices, however many there are."""
    query = select(Stint).join(TurnPlan, col(TurnPlan.stint_id) == Stint.id)
    query = query.where(Stint.state == OPEN, col(TurnPlan.ended_at).is_(None)).order_by(col(Stint.id)).limit(SLICE)
    found: list[str] = []
    last = ""
    while stints := session.exec(query.where(col(Stint.id) > last)).all():
        last = stints[-1].id
        covered = substitutes(session, stints)
        for about in planned(session, stints, today(session)):
            if about.stint.id not in covered and _needs(session, about):
                found.append(about.plan.id)
    return found


def _needs(session: Session, about: Planned) -> bool:
    row = about.standing()
    if row is not None:
        lost = about.lost(row) is not None or overdue(session, row)
        return lost or about.beside(row) != row.beside_id
    if about.next() is not None:
        return True
    asked = about.leader is None or about.refused()
    return about.plan.left_number != about.number if asked else True


def move_on(session: Session, among: Sequence[str]) -> int:
    """Ask whoever is to be asked now in these plans; running it again changes nothing. Returns in how many somebody
    was."""
    return sum(_pass_on(session, plan_id) for plan_id in sorted(among))


def _pass_on(session: Session, plan_id: str) -> int:
    about = _looked(session, plan_id)
    if about is None or substitutes(session, [about.stint]) or not _needs(session, about):
        return 0
    earlier = select(Turn).where(Turn.plan_id == plan_id, Turn.number < about.number, Turn.state == ASKED)
    for old in session.exec(earlier).all():  # a month that is over: nobody has to answer any more
        _settle(session, old, SILENT)
    row = about.standing()
    if row is not None:
        lost = about.lost(row)
        if lost is None and not overdue(session, row):
            row.beside_id = about.beside(row)
            session.add(row)
            session.flush()
            return 1
        _settle(session, row, SILENT if lost is None else SKIPPED)
        if lost is not None and row.part == MEMBER:
            _tell_skipped(session, about, [(row, lost)])
        about = _looked(session, plan_id) or about
    _ask_next(session, about)
    return 1


def _ask_next(session: Session, about: Planned) -> None:
    """The next one who can, and nobody twice; then the leader; then whoever answers for the county hears of it."""
    found = about.next()
    _pass_over(session, about, found[0] if found is not None else None)
    if found is not None:
        _ask(session, about, found[0], found[1], MEMBER)
    elif about.leader is not None and not about.refused():
        _ask(session, about, about.leader, None, LEADER)
    elif about.plan.left_number != about.number and _tell_left(session, about):
        about.plan.left_number = about.number
        session.add(about.plan)
        session.flush()


def _tell_left(session: Session, about: Planned) -> int:
    """Nobody of the team can go, also once more after somebody could. Returns how many hear of it; where nobody answers
    for the county it is tried again."""
    params: dict[str, str | int] = {"plan": about.plan.id, "number": about.number}
    key, served = f"turn:{about.plan.id}:{about.number}:left:", served_of(session, about.stint)
    team, kind, first = about.stint.team_id, "notice.turn_left", about.plan.made_by
    unsay(session, [first, *answering(session, served.county)], [key], why="turn over")
    key += new_id()  # once: `left_number` says that it was told
    return tell_responsible(session, served, kind, params, key, first, team=team, priority=REMINDER)


def _somebody_again(session: Session, plan: TurnPlan) -> None:
    """Somebody is asked or goes after all: should they not be able to either, it is told again."""
    plan.left_number = None
    session.add(plan)
    session.flush()


def _ask(session: Session, about: Planned, person: str, beside: str | None, part: str) -> None:
    now = now_of(session)
    row = Turn(plan_id=about.plan.id, number=about.number, person_id=person, beside_id=beside, part=part, asked_at=now)
    session.add(row)
    session.flush()
    _somebody_again(session, about.plan)
    audit.note(session, "programme", "turn.asked", row.id, plan=about.plan.id, part=part)
    kind = "notice.turn" if part == MEMBER else "notice.turn_nobody"
    _tell(session, person, kind, {"turn": row.id})


def _pass_over(session: Session, about: Planned, until: str | None) -> None:
    """Those before the one who is asked who cannot go: the leader hears of each once a turn."""
    known = {row.person_id for row in about.rows if row.state == SKIPPED}
    passed = []
    for slot in about.slots:
        if slot.person_id == until:
            break
        if slot.against is not None and slot.person_id not in known:
            row = Turn(
                plan_id=about.plan.id,
                number=about.number,
                person_id=slot.person_id,
                state=SKIPPED,
                asked_at=now_of(session),
            )
            session.add(row)
            passed.append((row, slot.against))
    session.flush()
    _tell_skipped(session, about, passed)


def _tell_skipped(session: Session, about: Planned, passed: list[tuple[Turn, str]]) -> None:
    if about.leader is None:
        return
    for row, why in passed:
        if row.person_id != about.leader or why != AWAY:
            _tell(session, about.leader, "notice.turn_skipped", {"turn": row.id, "why": why})


def _settle(session: Session, turn: Turn, state: str) -> None:
    turn.state, turn.answered_at = state, now_of(session)
    session.add(turn)
    session.flush()
    _unsay(session, turn)


def _unsay(session: Session, turn: Turn) -> None:
    unsay(session, [turn.person_id, turn.beside_id], [f"turn:{turn.id}:"], why="turn over")


def _tell(session: Session, person: str, kind: str, params: dict[str, str]) -> None:
    """Not at night: it is what time brings, or somebody else's act."""
    key = f"turn:{params['turn']}:{kind.removeprefix('notice.')}:{params.get('who', '')}"
    enqueue(session, person, kind, params, unique_key=key, priority=REMINDER)
