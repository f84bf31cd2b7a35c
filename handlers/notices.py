"""The words of what goes out by the outbox, made when it is sent: language and truth are those of that moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlmodel import Session

from config.texts import _, speaking
from handlers import (
    account,
    activities,
    calls,
    confirming,
    contact,
    duty_leave,
    family,
    family_feedback,
    forgotten,
    guardian,
    handover_notices,
    hours_wrong,
    ledger,
    ledger_imports,
    lone_visit,
    matched,
    merging,
    messages,
    my_hours,
    my_turn,
    nudge,
    offer,
    on_duty,
    pairings,
    privacy,
    qualifications,
    recognition,
    relay_answers,
    roles,
    silence,
    substitutes,
    team_relay,
    teams,
    todo,
    unpaired,
    visit_notices,
    volunteer_dates,
)
from handlers.message import Reply
from models.person import Person

Maker = Callable[[Session, Person, dict[str, Any]], Reply | None]


def _reply(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """An answer that was made in its turn and could not leave with it."""
    return Reply.from_json(params)


NOTICES: dict[str, Maker] = {
    "reply": _reply,
    **guardian.NOTICES,
    **account.NOTICES,
    **contact.NOTICES,
    **messages.NOTICES,
    **recognition.NOTICES,
    **roles.NOTICES,
    **on_duty.NOTICES,
    **duty_leave.NOTICES,
    **qualifications.NOTICES,
    **todo.NOTICES,
    **privacy.NOTICES,
    **calls.NOTICES,
    **ledger.NOTICES,
    **family.NOTICES,
    **offer.NOTICES,
    **pairings.NOTICES,
    **unpaired.NOTICES,
    **matched.NOTICES,
    **teams.NOTICES,
    **volunteer_dates.NOTICES,
    **relay_answers.NOTICES,
    **handover_notices.NOTICES,
    **team_relay.NOTICES,
    **substitutes.NOTICES,
    **nudge.NOTICES,
    **silence.NOTICES,
    **my_turn.NOTICES,
    **ledger_imports.NOTICES,
    **merging.NOTICES,
    **lone_visit.NOTICES,
    **activities.NOTICES,
    **my_hours.NOTICES,
    **hours_wrong.NOTICES,
    **confirming.NOTICES,
    **forgotten.NOTICES,
    **family_feedback.NOTICES,
    **visit_notices.NOTICES,
}


def words(session: Session, person: Person, kind: str, params: dict[str, Any], *, again: bool) -> Reply | None:
    """The message as it stands now; None when it is no longer true. `again` = it may have arrived before.

    Raises LookupError for a kind that no code knows (a deploy went backwards).
    """
    make = NOTICES.get(kind)
    if make is None:
        raise LookupError(f"no words for the outbox kind {kind}")
    with speaking(person.language):
        reply = make(session, person, params)
        if reply is not None and again:
            reply = replace(reply, text=_("（补发，如已收到请忽略）") + "\n" + reply.text)
    return replace(reply, language=person.language) if reply is not None else None
