"""What time does to relays: terms that end soon begin one, and nobody is left without somebody who is named when a last
day is over (programme §5). Days are those of whoever serves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlmodel import Session, col, or_, select

from config.catalogue import rules
from models.outbox import REMINDER, enqueue
from models.pairing import LEAD, OPEN, Stint
from models.person import doors
from models.relay import CANCELLED, STANDING, TERM, Relay
from models.relaying import PROGRAMME, begin, finish, is_ready, standing
from models.served import in_order, served_of, servers, tell_responsible
from models.stints import StintError, end_stint, latest_today, today_in

_WHY = {"organisation": "relayed"}  # why a stint ends, where that is not the relay's own reason


def ending(session: Session) -> list[str]:
    """Relays whose last day is over somewhere."""
    query = select(Relay.id).join(Stint, col(Stint.id) == Relay.stint_id)
    query = query.where(col(Relay.state).in_(STANDING), col(Relay.last_day) < latest_today(session))
    # In the order in which those they are about are locked.
    return list(session.exec(query.where(Stint.state == OPEN).order_by(col(Stint.beneficiary_id), col(Relay.id))))


def leave_last_days(session: Session, among: Sequence[str]) -> int:
    """The last day is over: where the successor is ready they begin now, else somebody who is named keeps the served
    person, and knows it. Returns how many."""
    done = 0
    for relay_id in among:
        try:
            row, stint = standing(session, relay_id)
        except StintError:
            continue
        if row.last_day >= today_in(session, stint):
            continue
        people = servers(session, stint)
        if row.undecided and not is_ready(session, row):
            _ask_again(session, row, stint)
            continue
        if is_ready(session, row):
            finish(session, row, stint)
        else:
            end_stint(session, stint, _WHY.get(row.reason, row.reason), PROGRAMME, row.keeper_id or row.specialist_id)
            if stint.institution_id is not None:  # whom nobody keeps: the county has to know
                _tell_left(session, stint)
        for one in people:
            key = f"relay:{row.id}:thanks:{one}"
            enqueue(session, one, "notice.thanks", {"stint": stint.id}, unique_key=key, priority=REMINDER)
        done += 1
    return done


def _tell_left(session: Session, stint: Stint) -> None:
    key, params = f"stint:{stint.id}:institution_left", {"stint": stint.id}
    somebody, kind = served_of(session, stint), "notice.institution_left"
    tell_responsible(session, somebody, kind, params, key, team=stint.team_id, priority=REMINDER)


def _ask_again(session: Session, row: Relay, stint: Stint) -> None:
    """Nobody has decided about somebody silent: nothing ends by itself, whoever is responsible is asked again. Whom no
    door reaches any more will not answer: then it is the last day, as in models/volunteer_gone.py."""
    people, figures = servers(session, stint), rules().pairing
    gone = bool(people) and not any(doors(session, one) for one in people)
    if gone:
        row.batch = ""
    row.last_day = today_in(session, stint) + timedelta(
        days=figures.silence_days if gone else figures.silent_relay_days
    )
    session.add(row)
    session.flush()
    key = f"relay:{row.id}:{row.last_day.isoformat()}:{row.specialist_id}"
    enqueue(session, row.specialist_id, "notice.relay", {"relay": row.id}, unique_key=key, priority=REMINDER)


def terms_ending(session: Session) -> list[str]:
    """Open lead stints whose term ends within rules.toml, pairing.relay_before_days, without a relay. Where a person
    said that they go on after all, and no new term was agreed, it begins again when the term is over."""
    today = latest_today(session)
    until = today + timedelta(days=rules().pairing.relay_before_days)
    sought = select(Relay.stint_id).where(col(Relay.state).in_(STANDING))
    gone_on = select(Relay.stint_id).where(Relay.state == CANCELLED, Relay.reason == TERM)
    query = select(Stint.id).where(Stint.state == OPEN, Stint.part == LEAD, col(Stint.ends_on) <= until)
    query = query.where(col(Stint.id).not_in(sought), or_(col(Stint.id).not_in(gone_on), col(Stint.ends_on) < today))
    return list(session.exec(query.order_by(col(Stint.beneficiary_id), col(Stint.id))))


def begin_for_terms(session: Session, among: Sequence[str]) -> int:
    """Their relay begins; whoever serves is asked whether to go on for another term. Returns how many."""
    done = 0
    for stint_id in in_order(session, list(among)):
        stint = session.get(Stint, stint_id)
        if stint is None or stint.ends_on is None:
            continue
        try:
            begin(session, stint_id, TERM, max(stint.ends_on, today_in(session, stint)), PROGRAMME)
        except StintError:
            continue
        done += 1
    return done
