"""The lone-visit timer: somebody says until when they are alone in a home, and is looked for when they do not come out
(programme §12).

At the time they are asked gently; lone_grace_minutes later the partner is told, if one was named, and after as long
again everybody who answers for them, as of a cry for help. Each step counts from the one before it, not from the clock:
after a machine was down the question comes late, and whoever is asked has the same minutes to answer. A step is one
conditional update with its messages in the same transaction, so it can be neither doubled nor lost.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from config.catalogue import rules
from config.texts import _, simplified
from models import audit
from models.alert import LONE, SILENT, Alert, CannotAdd, add_words, raise_alert, recent_alert
from models.checking_in import serving_in
from models.database import now_of
from models.lone_visit import ASKED, HELP, OUT, PARTNER, RUNNING, SPECIALIST, LoneVisit
from models.outbox import EMERGENCY, REPLY, enqueue
from models.pairing import OPEN, Stint
from models.person import doors, family, survivor
from models.served import servers
from models.stints import standing_of as stints_of
from models.team import LEADER, Team, leader_of, members, memberships

WAITS = (RUNNING, ASKED, PARTNER)  # a step is still to come


class LoneError(Exception):
    """`reason`: "past" — the time is over already; "too_long" — more than lone_longest_hours of rules.toml; "partner" —
    nobody whom they may name; "gone" — no timer runs."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def running_of(session: Session, person_id: str) -> LoneVisit | None:
    """The timer that runs for somebody."""
    query = select(LoneVisit).where(col(LoneVisit.person_id).in_(family(session, person_id)))
    query = query.where(col(LoneVisit.ended_at).is_(None)).order_by(col(LoneVisit.began_at).desc())
    return session.exec(query).first()


def times(session: Session, person_id: str) -> int:
    """How many lone visits somebody has begun."""
    query = select(func.count()).where(col(LoneVisit.person_id).in_(family(session, person_id)))
    return session.exec(query).one()


def partners_of(session: Session, person_id: str) -> list[str]:
    """Whom somebody may name: who serves the same people, and the leaders of their teams; with an open door."""
    found: list[str] = []
    for stint in stints_of(session, person_id):
        if stint.beneficiary_id is not None:
            query = select(Stint).where(Stint.beneficiary_id == stint.beneficiary_id, Stint.state == OPEN)
            found += [one for other in session.exec(query.order_by(Stint.id)) for one in servers(session, other)]
    for held in memberships(session, person_id):
        team = session.get(Team, held.team_id)
        leader = leader_of(session, team) if team is not None else None
        if leader is not None:
            found.append(leader.person_id)
        if held.part == LEADER and team is not None:
            found += [one.person_id for one in members(session, team)]
    own = family(session, person_id)
    return [one for one in dict.fromkeys(found) if one not in own and doors(session, one)]


def begin(
    session: Session, person_id: str, until: datetime, stint_id: str | None = None, partner_id: str | None = None
) -> LoneVisit:
    """They are in, and come out by `until` (aware). One that runs already goes on with this time. Raises LoneError."""
    _check(session, until)
    if partner_id is not None and partner_id not in partners_of(session, person_id):
        raise LoneError("partner")
    if stint_id is not None and stint_id not in {stint.id for stint in serving_in(session, person_id)}:
        stint_id = None  # not theirs any more: nobody is sent to a wrong door
    row = _mine(session, person_id)
    if row is None:
        now = now_of(session)
        row = LoneVisit(person_id=person_id, began_at=now, until=until, next_at=until)
    else:
        _told_otherwise(session, row, "longer", until)
    row.state, row.until, row.next_at = RUNNING, until, until
    row.stint_id, row.partner_id = stint_id or row.stint_id, partner_id or row.partner_id
    session.add(row)
    session.flush()
    audit.note(session, person_id, "lone.began", row.id)
    return row


def longer(session: Session, person_id: str, until: datetime) -> LoneVisit:
    """还要一会儿: they come out later. Raises LoneError."""
    row = running_of(session, person_id)
    if row is None:
        raise LoneError("gone")
    return begin(session, person_id, until)


def _check(session: Session, until: datetime) -> None:
    now = now_of(session)
    if until <= now:
        raise LoneError("past")
    if until > now + timedelta(hours=rules().hours.lone_longest_hours):
        raise LoneError("too_long")


def out(session: Session, person_id: str, *, by: str = "") -> LoneVisit | None:
    """They are out; whoever was told hears of it. None where no timer runs. `by` = the partner says so."""
    row = _mine(session, person_id)
    if row is None:
        return None
    _told_otherwise(session, row, "out", row.until)
    row.state, row.ended_at = OUT, now_of(session)
    session.add(row)
    session.flush()
    audit.note(session, by or person_id, "lone.out", row.id)
    return row


def partner_says(session: Session, partner_id: str, lone_id: str, *, safe: bool) -> bool:
    """The partner who was told reached them, and all is well; or could not reach them: then everybody who answers for
    them is told at once. False where the timer does not run any more, or is not the partner's."""
    row = _locked(session, lone_id)
    if row is None or row.state not in (PARTNER, SPECIALIST) or row.partner_id not in family(session, partner_id):
        return False
    if safe:
        out(session, row.person_id, by=partner_id)
    elif row.state == PARTNER:
        _take(session, row, SPECIALIST)
    return True


def _told_otherwise(session: Session, row: LoneVisit, news: str, until: datetime) -> None:
    """Whoever was told that somebody has not come out hears what is true now."""
    if row.state in (PARTNER, SPECIALIST) and row.partner_id is not None:
        key = f"lone:{row.id}:{news}:{until.isoformat()}:{row.partner_id}"
        params = {"lone": row.id, "news": news, "until": until.isoformat()}
        enqueue(session, row.partner_id, "notice.lone_news", params, unique_key=key)
    alert = session.get(Alert, row.alert_id) if row.alert_id is not None else None
    if row.state == SPECIALIST and alert is not None:
        _join(session, alert, _("（已经出来了）") if news == "out" else _("（说还要一会儿）"))


def _join(session: Session, alert: Alert, words: str) -> None:
    """What is known now joins the record; one that is closed or full stays as it is."""
    try:
        add_words(session, alert, words)
    except CannotAdd as cannot:
        audit.note(session, "programme", "alert.not_added", alert.id, why=cannot.reason)


# --- what time brings ---


def due(session: Session, limit: int = 500) -> list[str]:
    """The timers whose next step has come, the oldest first."""
    query = select(LoneVisit.id).where(col(LoneVisit.ended_at).is_(None), col(LoneVisit.state).in_(WAITS))
    query = query.where(LoneVisit.next_at <= now_of(session))
    return list(session.exec(query.order_by(col(LoneVisit.next_at), LoneVisit.id).limit(limit)))


def take_steps(session: Session, ids: Sequence[str]) -> int:
    """Take the next step of each of these that is due; returns how many."""
    done = 0
    for one in ids:
        row = _locked(session, one)
        if row is not None and row.state in WAITS and row.next_at <= now_of(session):
            done += _take(session, row, _next(row))
    return done


def _next(row: LoneVisit) -> str:
    if row.state == RUNNING:
        return ASKED
    return PARTNER if row.state == ASKED and row.partner_id is not None else SPECIALIST


def _take(session: Session, row: LoneVisit, step: str) -> int:
    now = now_of(session)
    moved = session.execute(
        update(LoneVisit)
        .where(col(LoneVisit.id) == row.id, col(LoneVisit.state) == row.state, col(LoneVisit.until) == row.until)
        .where(col(LoneVisit.ended_at).is_(None))
        .values(state=step, next_at=now + timedelta(minutes=rules().hours.lone_grace_minutes))
    )
    if not getattr(moved, "rowcount", 0):
        return 0
    session.refresh(row)
    if step == ASKED:
        _tell(session, row, row.person_id, "notice.lone_ask", REPLY)
    elif step == PARTNER and row.partner_id is not None:
        _tell(session, row, row.partner_id, "notice.lone_partner", EMERGENCY)
        _tell(session, row, row.person_id, "notice.lone_told", REPLY)
    else:
        alert, told = raise_alert(session, survivor(session, row.person_id).id, LONE)
        row.alert_id = alert.id
        session.add(row)
        session.flush()
        if told:
            _tell(session, row, row.person_id, "notice.lone_told", REPLY)
    audit.note(session, "programme", f"lone.{step}", row.id)
    return 1


def _tell(session: Session, row: LoneVisit, person_id: str, kind: str, priority: int) -> None:
    """Each is told once of each time and step. No quiet hours hold it: it is an answer to what they said, or urgent."""
    until = row.until.isoformat()
    key = f"lone:{row.id}:{until}:{row.state}:{person_id}"
    params = {"lone": row.id, "until": until, "step": row.state}
    enqueue(session, survivor(session, person_id).id, kind, params, unique_key=key, priority=priority)


def still(session: Session, lone_id: str, until: str, step: str) -> LoneVisit | None:
    """The timer that a message was about, as long as it is true: it runs, with this time, and stands at this step."""
    row = session.get(LoneVisit, lone_id)
    if row is None or row.ended_at is not None or row.until.isoformat() != until or row.state != step:
        return None
    return row


def of_alert(session: Session, alert_id: str) -> LoneVisit | None:
    """The lone visit that a cry for help came of."""
    return session.exec(select(LoneVisit).where(LoneVisit.alert_id == alert_id)).first()


def _mine(session: Session, person_id: str) -> LoneVisit | None:
    """As `running_of`, held until the end of the transaction: no step is taken meanwhile."""
    row = running_of(session, person_id)
    return _locked(session, row.id) if row is not None else None


def _locked(session: Session, lone_id: str) -> LoneVisit | None:
    query = select(LoneVisit).where(LoneVisit.id == lone_id, col(LoneVisit.ended_at).is_(None)).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).first()


# --- the silent help word ---


def is_silent_call(words: str) -> bool:
    """Whether a whole message is the help word, however it is written."""
    return _bare(words) in _silent(rules().safety.silent_words)


@cache
def _silent(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_bare(one) for one in words)


def _bare(words: str) -> str:
    plain = simplified(unicodedata.normalize("NFKC", words[:200]).casefold())
    return "".join(c for c in plain if c.isalnum())


def call_silently(session: Session, person_id: str) -> Alert:
    """The help word: a cry for help of which nothing is said to whoever wrote it. Said again within half an hour it
    joins the record that is there."""
    before = recent_alert(session, person_id)
    if before is not None and before.source == SILENT:
        _join(session, before, _("（又发了一次暗语）"))
        return before
    alert, _told = raise_alert(session, person_id, SILENT)
    row = _mine(session, person_id)
    if row is not None:
        row.state, row.ended_at, row.alert_id = HELP, now_of(session), alert.id
        session.add(row)
        session.flush()
    return alert


def after_silent_call(session: Session, person_id: str, words: str) -> bool:
    """What somebody writes after the help word joins its record, and nothing of it is said either. False where they
    have not called silently within the last half hour."""
    before = recent_alert(session, person_id)
    if before is None or before.source != SILENT:
        return False
    _join(session, before, words)
    return True
