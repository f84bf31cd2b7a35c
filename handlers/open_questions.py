"""What waits for somebody's answer though no talk is under way: invitations, an agreement, their turn, the question
whether all is well. What each is about, and the buttons that answer it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session, col, select

from config.texts import _
from handlers import offer, pairings, silence
from handlers.message import Option, Reply
from handlers.turn_words import about, kind_of, number_words, turn_options
from models import offering, turn_acts
from models import silence as silences
from models.database import now_of
from models.offer import OVERDUE, Offer
from models.outbox import OutboxMessage
from models.pairing import AGREEING, Stint
from models.person import Person, family
from models.silence import Silence
from models.stints import standing_of
from models.turn import ASKED, Turn

INVITATION, AGREEMENT, TURN, WELL = "offer", "agreement", "turn", "silence"
WELL_DAYS = timedelta(days=14)  # so long after their first word the question whether all is well may still be answered


@dataclass(frozen=True, slots=True)
class Waits:
    """One thing: its kind, the row that it hangs on, and whether it has been on the person's screen (what nobody has
    seen no word answers). `lapsed` = a yes still counts, and nobody waits for it."""

    kind: str
    row: Offer | Stint | Turn | Silence
    seen: bool = True
    lapsed: bool = False


def waiting(session: Session, person: Person) -> list[Waits]:
    """All that waits for this person, invitations first."""
    found = [
        Waits(INVITATION, row, _seen(session, f"offer:{row.id}"), row.state == OVERDUE)
        for row in offering.offers_of(session, person.id)
    ]
    found += [
        Waits(AGREEMENT, stint)
        for stint in standing_of(session, person.id)
        if stint.state == AGREEING and stint.confirmed_at is not None and stint.accepted_at is None
    ]
    query = select(Turn).where(col(Turn.person_id).in_(family(session, person.id)), Turn.state == ASKED)
    found += [
        Waits(TURN, turn, _seen(session, f"turn:{turn.id}:"))
        for turn in session.exec(query.order_by(col(Turn.asked_at), col(Turn.id))).all()
        if turn_acts.current(session, turn.id, person.id) is not None
    ]
    asked = silences.unanswered(session, person.id, now_of(session) - WELL_DAYS)
    if asked is not None:
        found.append(Waits(WELL, asked, lapsed=asked.ended_at is not None))
    return found


def _seen(session: Session, key: str) -> bool:
    """Whether what asks it has gone out, as far as anybody knows."""
    query = select(OutboxMessage.state).where(col(OutboxMessage.unique_key).startswith(key, autoescape=True))
    states = set(session.exec(query))
    return not states or not states <= {"waiting", "held", "sending"}


def option(session: Session, person: Person, one: Waits, said: str = "yes", *, named: bool = False) -> Option:
    """The button that answers one of them: "yes" (of an agreement: shows it), or of an invitation "declined" or
    "later". `named` = with what it is about."""
    row = one.row
    if isinstance(row, Offer):
        said = "accepted" if said == "yes" else said
        found = next(each for each in offer.options(session, person, row) if each[0] == said)[1]
    elif isinstance(row, Stint):
        (found,) = pairings.agreement_options(session, person, row, _("看协议"))
    elif isinstance(row, Turn):
        found = _turn_options(session, person, row)[0]
    else:
        found = silence.well_option(session, person, row)
    if not named:
        return found
    return Option(found.id, _("{item}：{value}").format(item=found.label, value=what(session, person, one)))


def what(session: Session, person: Person, one: Waits) -> str:
    """What it is about, in a few words that every platform may carry."""
    row = one.row
    if isinstance(row, Offer):
        return offer.in_short(person, row)
    if isinstance(row, Stint):
        return pairings.called(session, person, row)
    if isinstance(row, Turn):
        found = turn_acts.current(session, row.id, person.id)
        if found is None:
            return ""
        plan, stint = found[1].plan, found[1].stint
        return _("{when}，{called}").format(when=number_words(plan, row.number), called=about(session, person, stint))
    return _("结对还在继续")


def _turn_options(session: Session, person: Person, turn: Turn) -> tuple[Option, ...]:
    return turn_options(session, person.id, turn.id, kind_of(session, person, turn))


def once_more(session: Session, person: Person, one: Waits, before: str = "") -> Reply:
    """The question as it stands, for whoever has not answered it: what it is about and what to write."""
    row = one.row
    if isinstance(row, Offer):
        reply = offer.invitation(session, person, row)
        how = _("愿意请回复“接受”，不方便请回复“不方便”，还想想请回复“晚点问我”。")
        return Reply("\n".join(filter(None, (before, reply.text, how))), reply.options)
    if isinstance(row, Stint):
        said = _("和{called}的协议还没有接受。请先看一看，合适就接受；不合适可以先和专员谈谈。")
        text = said.format(called=pairings.called(session, person, row))
        options = pairings.agreement_options(session, person, row, _("看协议"))
        return Reply("\n".join(filter(None, (before, text))), options)
    if isinstance(row, Turn):
        text = _("{what}：这次轮到你，还没有回答。能去请回复“能去”，去不了请回复“换人”。")
        said = text.format(what=what(session, person, one))
        return Reply("\n".join(filter(None, (before, said))), _turn_options(session, person, row))
    reply = silence.question(session, person, row)
    return Reply("\n".join(filter(None, (before, reply.text))), reply.options)


def which(session: Session, person: Person, among: Iterable[Waits], said: str, before: str) -> Reply:
    """Which of several is meant."""
    options: list[Option] = []
    for one in among:
        made = option(session, person, one, said, named=True)
        same = sum(each.label.startswith(made.label) for each in options)
        options.append(
            Option(made.id, _("{label}（第 {number} 个）").format(label=made.label, number=same + 1)) if same else made
        )
    return Reply(before, tuple(options), numbered=True)
