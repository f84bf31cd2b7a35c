"""Volunteers who fall silent though a door still reaches them (programme §5: “after silence, a relay starts”): they are
asked kindly, asked once more, and then whoever is responsible gets a relay to decide on. Nothing ends by itself.

One row a person, whatever they serve; of a team its leaders are one, and a word of any of them counts, and so does a
member's who says that they go in turns (models/turn.py). Who is on a pause or a leave, or has somebody standing in, is
not asked; afterwards it counts anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ColumnElement, Index, text
from sqlmodel import Field, Session, SQLModel, and_, col, exists, func, or_, select

from config.catalogue import rules
from models import audit, leave
from models.calls import BY_PHONE
from models.database import now_of
from models.ids import new_id
from models.outbox import REMINDER, REPLY, OutboxMessage, enqueue
from models.pairing import LEAD, OPEN, SUBSTITUTE, Stint
from models.person import Door, Person, family
from models.relay import SILENCE, STANDING, Relay
from models.relaying import PROGRAMME, begin_batch
from models.served import leaders, servers
from models.stints import substitute_of, today_of
from models.team import LEADER, TeamMember
from models.turn import ACCEPTED, DONE, Turn, TurnPlan

# How it ended: they wrote something; they said that all is well; they were told by phone; something else settled it (a
# relay, a leave, a substitute …).
WORD, ANSWERED, PHONE, SETTLED = ENDS = ("word", "answered", "phone", "settled")


class Silence(SQLModel, table=True):
    """One time that somebody who serves was silent. `since` = their last word before it; asked at `asked_at`, once more
    at `again_at`; at `given_at` whoever is responsible got relays to decide on, whose `batch` is this row's id. Times
    are programme time, UTC."""

    __tablename__ = "silence"
    __table_args__ = (
        CheckConstraint(f"ended_why IN {ENDS}", name="ended_why"),
        CheckConstraint("(ended_at IS NULL) = (ended_why IS NULL)", name="ended"),
        Index(
            "uq_silence_standing",
            "person_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: str = Field(default_factory=new_id, primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    since: datetime
    asked_at: datetime
    again_at: datetime | None = None
    given_at: datetime | None = None
    ended_at: datetime | None = None
    ended_why: str | None = None


# --- who is silent ---


def fallen_silent(session: Session) -> list[str]:
    """Who may have to be asked: people who serve in an open lead and have not written for rules.toml,
    pairing.silent_ask_days, nor has anybody who leads their team. `ask` looks closer."""
    before = now_of(session) - timedelta(days=rules().pairing.silent_ask_days)
    leading = select(TeamMember.person_id).where(
        TeamMember.team_id == Stint.team_id, TeamMember.part == LEADER, col(TeamMember.left_at).is_(None)
    )
    alone = and_(col(Stint.team_id).is_(None), *_quiet(col(Door.person_id) == col(Stint.person_id), before))
    team = and_(col(Stint.team_id).is_not(None), *_quiet(col(Door.person_id).in_(leading), before))
    sought = select(Relay.id).where(Relay.stint_id == Stint.id, col(Relay.state).in_(STANDING))
    asked = select(Silence.id).where(Silence.person_id == Stint.person_id, col(Silence.ended_at).is_(None))
    query = select(Stint).where(Stint.state == OPEN, Stint.part == LEAD, col(Stint.opened_at) <= before)
    query = query.where(or_(alone, team), ~exists(sought), ~exists(asked)).order_by(col(Stint.id))
    people = (_asked_one(session, stint) for stint in session.exec(query).all())
    return sorted({one for one in people if one is not None})


def _quiet(whose: ColumnElement[bool], before: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """They have an open door, and nothing came through any since."""
    open_one = select(Door.id).where(whose, col(Door.blocked_at).is_(None))
    return exists(open_one), ~exists(select(Door.id).where(whose, col(Door.last_in_at) > before))


def _asked_one(session: Session, stint: Stint) -> str | None:
    """Who is asked of those who serve in a stint: the first whom a door reaches."""
    people = servers(session, stint)
    query = select(Door.person_id).where(col(Door.person_id).in_(people), col(Door.blocked_at).is_(None))
    reached = set(session.exec(query))
    return next((one for one in people if one in reached), None)


def _quiet_since(session: Session, stint: Stint) -> datetime | None:
    """Since when nobody who serves in a stint has said anything, though they could have; None while they are away."""
    people, now = _voices(session, stint), now_of(session)
    if not people or stint.opened_at is None or substitute_of(session, stint) is not None:
        return None
    known = [stint.opened_at, _last_word(session, people)]
    stood_in = select(func.max(Stint.ended_at)).where(Stint.follows_id == stint.id, Stint.part == SUBSTITUTE)
    off = select(func.max(Relay.closed_at)).where(Relay.stint_id == stint.id)
    before = select(func.max(Silence.ended_at)).where(col(Silence.person_id).in_(people))
    goes = select(func.max(Turn.answered_at)).join(TurnPlan, col(TurnPlan.id) == Turn.plan_id)
    goes = goes.where(TurnPlan.stint_id == stint.id, col(Turn.state).in_((ACCEPTED, DONE)))
    known += [session.exec(query).one() for query in (stood_in, off, before, goes)]
    person = session.get_one(Person, _asked_one(session, stint) or people[0])
    zone, away = ZoneInfo(person.zone), [person.paused_until, leave.away_until(session, stint)]
    known += [datetime.combine(day + timedelta(days=1), time(0), zone) for day in away if day is not None]
    since = max(each for each in known if each is not None)
    return since if since <= now else None


def _voices(session: Session, stint: Stint) -> tuple[str, ...]:
    """Whose word counts: the volunteer's; of a team that of anybody who leads it."""
    return servers(session, stint) if stint.team_id is None else leaders(session, stint.team_id)


def _last_word(session: Session, people: Sequence[str]) -> datetime | None:
    """When any of these wrote, pressed or scanned something last, through a door that they have not left since."""
    return session.exec(select(func.max(Door.last_in_at)).where(col(Door.person_id).in_(people))).one()


def about(session: Session, person_id: str, quiet_since: datetime) -> list[Stint]:
    """The open leads of which this one is the person to be asked, quiet since then or longer, without a relay."""
    leads = select(TeamMember.team_id).where(TeamMember.part == LEADER, col(TeamMember.left_at).is_(None))
    mine = or_(
        and_(col(Stint.team_id).is_(None), Stint.person_id == person_id),
        col(Stint.team_id).in_(leads.where(TeamMember.person_id == person_id)),
    )
    sought = select(Relay.id).where(Relay.stint_id == Stint.id, col(Relay.state).in_(STANDING))
    query = select(Stint).where(Stint.state == OPEN, Stint.part == LEAD, mine, ~exists(sought))
    found = session.exec(query.order_by(col(Stint.opened_at), col(Stint.id))).all()
    quiet = ((stint, _quiet_since(session, stint)) for stint in found if _asked_one(session, stint) == person_id)
    return [stint for stint, since in quiet if since is not None and since <= quiet_since]


# --- the ladder ---


def ask(session: Session, people: Sequence[str]) -> int:
    """Those of these who are silent still are asked, once for all whom they serve; returns how many. Quiet hours and
    pauses hold the question."""
    done = 0
    for person_id in sorted(people):
        person, now = _locked(session, person_id), now_of(session)
        before = now - timedelta(days=rules().pairing.silent_ask_days)
        if person is None or standing(session, person_id) is not None or not about(session, person_id, before):
            continue
        row = Silence(person_id=person_id, since=_last_word(session, [person_id]) or before, asked_at=now)
        session.add(row)
        session.flush()
        _tell(session, row, "first")
        audit.note(session, PROGRAMME, "silence.asked", row.id)
        done += 1
    return done


def standing(session: Session, person_id: str) -> Silence | None:
    """The one that stands; there is one at most."""
    query = select(Silence).where(Silence.person_id == person_id, col(Silence.ended_at).is_(None))
    return session.exec(query).first()


def unanswered(session: Session, person_id: str, since: datetime) -> Silence | None:
    """The newest question to this person that they have not answered itself: nothing has come, or other words have,
    not before `since`."""
    query = select(Silence).where(col(Silence.person_id).in_(family(session, person_id)))
    row = session.exec(query.order_by(col(Silence.asked_at).desc(), col(Silence.id))).first()
    if row is None or row.ended_why not in (None, WORD) or (row.ended_at is not None and row.ended_at < since):
        return None
    return row


def heard_again(session: Session) -> list[str]:
    """Of whom a word has come since they were asked, or who became one with another account."""
    came = select(Door.id).where(Door.person_id == Silence.person_id, col(Door.last_in_at) >= col(Silence.asked_at))
    joined = select(Person.id).where(Person.id == Silence.person_id, col(Person.merged_into).is_not(None))
    query = select(Silence.id).where(col(Silence.ended_at).is_(None), or_(exists(came), exists(joined)))
    return list(session.exec(query.order_by(col(Silence.id))))


def due(session: Session) -> list[str]:
    """Those who were asked so long ago that it is to be looked at again (rules.toml, pairing.silent_again_days and
    silent_relay_days)."""
    now, figures = now_of(session), rules().pairing
    again = and_(
        col(Silence.again_at).is_(None), col(Silence.asked_at) <= now - timedelta(days=figures.silent_again_days)
    )
    given = col(Silence.again_at) <= now - timedelta(days=figures.silent_relay_days)
    query = select(Silence.id).where(col(Silence.ended_at).is_(None), or_(again, given))
    return list(session.exec(query.order_by(col(Silence.id))))


def go_on(session: Session, among: Sequence[str]) -> int:
    """The next step of each of these: ended where a word came, else asked once more, else relays for whoever is
    responsible. Returns for how many something was done."""
    done = 0
    for key in among:
        about_row = session.get(Silence, key)
        if about_row is None or _locked(session, about_row.person_id) is None:
            continue
        session.refresh(about_row, with_for_update=True)
        done += about_row.ended_at is None and _step(session, about_row)
    return done


def _step(session: Session, row: Silence) -> bool:
    now, figures = now_of(session), rules().pairing
    why = _word_of(session, row)
    if why is not None:
        _heard(session, row, why)
        return True
    if _team_spoke(session, row):
        _heard(session, row, SETTLED)
        return True
    stints, open_ones = about(session, row.person_id, row.asked_at), relays(session, row)
    if not stints and not open_ones:
        _end(session, row, SETTLED)
        return True
    if row.again_at is None:
        if not stints or row.asked_at > now - timedelta(days=figures.silent_again_days):
            return False
        row.again_at = now
        session.add(row)
        _tell(session, row, "again")
        return True
    if not stints or row.again_at > now - timedelta(days=figures.silent_relay_days):
        return False
    return _give(session, row, stints)


def _give(session: Session, row: Silence, stints: Sequence[Stint]) -> bool:
    """Whoever is responsible gets a relay of each to decide on, and is told; and so is the one who is silent, once for
    all. Where nobody answers for the county it is tried again."""
    last_day = today_of(session, row.person_id) + timedelta(days=rules().pairing.silent_relay_days)
    ids = [stint.id for stint in stints]
    _batch, begun, _left = begin_batch(session, ids, SILENCE, last_day, PROGRAMME, batch=row.id)
    if not begun:
        return False
    row.given_at = row.given_at or now_of(session)
    session.add(row)
    session.flush()
    _tell(session, row, "given")
    return True


def relays(session: Session, row: Silence) -> list[Relay]:
    """Those that whoever is responsible has to decide on still."""
    query = select(Relay).where(Relay.batch == row.id, col(Relay.state).in_(STANDING))
    return list(session.exec(query.order_by(col(Relay.last_day), col(Relay.id))))


# --- a word ---


def answered(session: Session, silence_id: str, by: str) -> list[Relay]:
    """一切都好: it ends here. Returns the relays that were begun meanwhile and stand."""
    row = session.get(Silence, silence_id)
    if row is None or row.person_id not in family(session, by):
        return []
    session.refresh(row, with_for_update=True)
    if row.ended_at is None:
        _heard(session, row, ANSWERED)
    elif row.ended_why == WORD:
        row.ended_why = ANSWERED
        session.add(row)
    return relays(session, row)


def is_heard(session: Session, row: Silence) -> bool:
    """Whether they have said anything since they were asked."""
    return row.ended_at is not None or _word_of(session, row) is not None


def _word_of(session: Session, row: Silence) -> str | None:
    """How it was that they were heard of since they were asked; None where they were not."""
    word = _last_word(session, [row.person_id])
    if session.get_one(Person, row.person_id).merged_into is not None or (word is not None and word >= row.asked_at):
        return WORD
    keys = [_key(row, step) for step in ("first", "again")]
    told = select(OutboxMessage.id).where(col(OutboxMessage.unique_key).in_(keys), OutboxMessage.why == BY_PHONE)
    return PHONE if session.exec(told).first() is not None else None


def _team_spoke(session: Session, row: Silence) -> bool:
    """Whether of all teams about which somebody has to decide now another leader has been heard of since."""
    words = []
    for each in relays(session, row):
        people = _voices(session, session.get_one(Stint, each.stint_id))
        words.append(_last_word(session, [one for one in people if one != row.person_id]))
    return bool(words) and all(word is not None and word >= row.asked_at for word in words)


def was_heard(session: Session, relay: Relay) -> bool:
    """Whether somebody over whose silence this relay began has been heard of since."""
    row = session.get(Silence, relay.batch) if relay.batch else None
    return row is not None and is_heard(session, row)


def _heard(session: Session, row: Silence, why: str) -> None:
    """They are told kindly what became of it meanwhile, and whoever is responsible that they are there again."""
    _end(session, row, why)
    found = relays(session, row)
    if not found:
        return
    if why == WORD and not _comes_by_itself(session, row):
        _tell(session, row, "back")
    for one in sorted({each.specialist_id for each in found}):
        params, key = {"silence": row.id}, f"{_key(row, 'over')}:{one}"
        enqueue(session, one, "notice.silence_over", params, unique_key=key, priority=REMINDER)


def _comes_by_itself(session: Session, row: Silence) -> bool:
    """Whether what was told when the relays began reaches them only now, by what they wrote."""
    query = select(OutboxMessage).where(OutboxMessage.unique_key == _key(row, "given"))
    told = session.exec(query).first()
    word = _last_word(session, [row.person_id])
    return told is not None and (told.ended_at is None or (word is not None and told.ended_at >= word))


def _end(session: Session, row: Silence, why: str) -> None:
    row.ended_at, row.ended_why = now_of(session), why
    session.add(row)
    session.flush()
    audit.note(session, row.person_id if why in (WORD, ANSWERED) else PROGRAMME, "silence.ended", row.id, why=why)


def _key(row: Silence, step: str) -> str:
    return f"silence:{row.id}:{step}"


def _tell(session: Session, row: Silence, step: str) -> None:
    """What they are told at this step: "first" and "again" ask, "given" and "back" say what became of it. Each once."""
    kind = "notice.silence" if step in ("first", "again") else "notice.silence_given"
    params, priority = {"silence": row.id, "step": step}, REPLY if step == "back" else REMINDER
    person_id = _today(session, row.person_id)
    enqueue(session, person_id, kind, params, unique_key=_key(row, step), priority=priority)


def _today(session: Session, person_id: str) -> str:
    """Who they are by now: two accounts may have become one."""
    person = session.get_one(Person, person_id)
    return person.merged_into or person.id


def _locked(session: Session, person_id: str) -> Person | None:
    """The person, locked before whom they serve, as a turn of theirs does it."""
    query = select(Person).where(Person.id == person_id).with_for_update(key_share=True)
    return session.exec(query.execution_options(populate_existing=True)).first()
