"""What one-time pages show and check: the waiting question, a person's own copy, a message that was written to them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from config.regions import place_name
from config.texts import _, speaking
from handlers import (
    activities,
    calls,
    contact_words,
    hours_pages,
    menu,
    on_duty,
    pairings,
    recognition,
    relay_answers,
    visit_read,
)
from handlers.dialogue import Ask, Invalid, Waiting
from handlers.message import Inbound, Written
from handlers.standing import replay_run
from handlers.turn import plain
from handlers.typed import typed
from models.conversation import Run, State, lock
from models.copy import Row, Section, copy_of
from models.page import OpenPage
from models.person import Person, door_of


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a page shows it: its words, and what can be chosen."""

    text: str
    choices: tuple[str, ...]
    skippable: bool


def question(session: Session, page: OpenPage) -> Question | None:
    """The question that the page was made for; None when the talk has gone on meanwhile."""
    state = lock(session, page.person_id)
    ask = _waiting(state, str(page.facts.get("prompt", "")))
    if ask is None:
        return None
    return Question(ask.text, tuple(choice.label for choice in ask.choices), ask.skippable)


def problem(session: Session, inbound: Inbound) -> tuple[str, str]:
    """(language, what is wrong with this answer); empty = it will be taken."""
    door = door_of(session, inbound.platform, inbound.account, inbound.sender)
    person = session.get(Person, door.person_id) if door else None
    if person is None:
        return "", ""
    with speaking(person.language):
        state = lock(session, person.id)
        ask, run = _waiting(state, inbound.choice), state.current
        if ask is None or run is None:
            return person.language, ""
        try:
            typed(run, ask, plain(inbound.text))
        except Invalid as refusal:
            return person.language, str(refusal)
    return person.language, ""


def message(session: Session, page: OpenPage, *, reading: bool = False) -> Written | None:
    """The message, cry for help or phone number that a page was made for; None when it is no longer to be read."""
    if "alert" in page.facts:
        return on_duty.written(session, page.person_id, str(page.facts["alert"]), reading=reading)
    if "alert_phone" in page.facts:
        return on_duty.phone_page(session, page.person_id, str(page.facts["alert_phone"]), reading=reading)
    if "call" in page.facts:
        return calls.phone_page(session, page.person_id, str(page.facts["call"]), reading=reading)
    if "recognition" in page.facts:
        return recognition.phone_page(session, page.person_id, str(page.facts["recognition"]), reading=reading)
    if "address" in page.facts:
        return pairings.address_page(session, page.person_id, str(page.facts["address"]), reading=reading)
    if "relay_note" in page.facts:
        return relay_answers.note_page(session, page.person_id, str(page.facts["relay_note"]), reading=reading)
    if "visit_report" in page.facts:
        return visit_read.report_page(session, page.person_id, str(page.facts["visit_report"]), reading=reading)
    if "hours_case" in page.facts:
        return hours_pages.written(session, page.person_id, str(page.facts["hours_case"]))
    return contact_words.written(session, page.person_id, str(page.facts["message"]), reading=reading)


def activity_code(session: Session, page: OpenPage) -> activities.CodePage | None:
    """The code of an activity, for whoever leads it; None once it is over or no longer theirs."""
    return activities.code_page(session, page.person_id, str(page.facts["activity_code"]))


def data(session: Session, page: OpenPage) -> list[Section]:
    """The person's own copy, in sections, in the words of the current language."""
    return [
        Section(_(section.title), tuple(Row(_(row.label), _shown(row)) for row in section.rows))
        for section in copy_of(session, page.person_id)
    ]


def _shown(row: Row) -> str:
    if isinstance(row.value, tuple):
        return _("、").join(row.value)
    if row.is_message:
        return _(row.value)
    return place_name(row.value) if row.is_place else row.value


def _waiting(state: State, prompt: str) -> Ask | None:
    run: Run | None = state.current
    dialogue = menu.dialogue(run.dialogue) if run else None
    if run is None or dialogue is None or run.prompt != prompt:
        return None
    at = replay_run(dialogue, run)
    return at.ask if isinstance(at, Waiting) else None
