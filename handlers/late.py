"""Questions asked outside a talk: by a reminder, or on behalf of another person. They may be answered late."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

from pydantic import BaseModel
from sqlalchemy import update
from sqlmodel import Session, col

from handlers.message import Option
from models.conversation import MAX_NOTICES, Notice, Prompt, lock, save
from models.database import machine_now_of, now_of, vault_of
from models.ids import new_token


def asked(
    session: Session,
    person_id: str,
    dialogue: str,
    question: str,
    facts: BaseModel,
    choices: list[tuple[str, str]],
    *,
    lasts: timedelta = timedelta(days=60),
) -> tuple[Option, ...]:
    """Buttons (value, label) whose press begins the dialogue with these facts and that answer given.

    Once they are on the screen (`saw`, or the answer of a turn), a typed number means them as well, and so does any
    word that the dialogue takes for that choice, when this is its first question under these facts.
    """
    prompt = new_token()
    now = now_of(session)
    session.add(
        Prompt(
            id=prompt,
            person_id=person_id,
            dialogue=dialogue,
            question=question,
            facts_sealed=vault_of(session).seal_json("prompt.facts_sealed", prompt, facts.model_dump(mode="json")),
            choices=json.dumps([value for value, _label in choices]),
            asked_at=now,
            expires_at=now + lasts,
        )
    )
    session.flush()
    return tuple(Option(f"{prompt}:{number}", label) for number, (_value, label) in enumerate(choices))


def saw(session: Session, person_id: str, options: tuple[Option, ...], door: str = "", *, sure: bool = True) -> None:
    """A message with these options has arrived at this door (empty = any): a number that is typed there means them,
    until something newer offers numbers. Before that a number must not mean what nobody has seen. Not `sure` = this is
    written down late, and something else may have come meanwhile: then it is asked what a number means."""
    if not options:
        return
    state = lock(session, person_id)
    at = machine_now_of(session).isoformat()
    came = Notice(door, at, [(option.id, option.label) for option in options], "its" if sure else "perhaps")
    state.notices = [*state.notices, came][-MAX_NOTICES:]
    save(session, person_id, state)


def answered(
    session: Session,
    person_id: str,
    prompt: str,
    index: str,
    repeats: Callable[[str], bool] = lambda _name: False,
) -> tuple[Prompt, str] | None:
    """The question and the value behind a pressed button; None when it is not this person's to answer now. It is used
    up, unless `repeats` says of its dialogue's name that it may be answered again."""
    row = _of(session, person_id, prompt)
    values = values_of(row) if row else []
    if row is None or not index.isdecimal() or len(index) > 3 or int(index) >= len(values):
        return None
    if repeats(row.dialogue):
        return row, values[int(index)]
    used = session.execute(
        update(Prompt)
        .where(col(Prompt.id) == prompt, col(Prompt.answered_at).is_(None))
        .values(answered_at=now_of(session))
    )
    return (row, values[int(index)]) if getattr(used, "rowcount", 0) else None


def waiting(session: Session, person_id: str, prompt: str) -> Prompt | None:
    """A question that this person may still answer."""
    row = _of(session, person_id, prompt)
    return row if row is not None and row.answered_at is None else None


def values_of(prompt: Prompt) -> list[str]:
    """What its buttons mean, in the order in which they were shown."""
    return [str(value) for value in json.loads(prompt.choices)]


def _of(session: Session, person_id: str, prompt: str) -> Prompt | None:
    row = session.get(Prompt, prompt)
    return row if row is not None and row.person_id == person_id and row.expires_at > now_of(session) else None


def facts_of(session: Session, prompt: Prompt) -> dict[str, object]:
    """The frozen facts that the question was asked with."""
    facts = vault_of(session).open_json("prompt.facts_sealed", prompt.id, prompt.facts_sealed)
    return dict(facts)
