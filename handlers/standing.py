"""Where a saved talk stands now, and what its waiting question takes."""

from __future__ import annotations

from handlers import menu
from handlers.dialogue import Ask, Dialogue, Finished, Invalid, Waiting, folded, replay
from handlers.typed import typed
from models.conversation import Run, State


def replay_run(dialogue: Dialogue, run: Run) -> Waiting | Finished:
    """Where a saved run stands now."""
    return replay(dialogue, dialogue.facts.model_validate(run.facts), run.answers)


def takes_location(state: State) -> str:
    """The name of the talk whose waiting question takes a shared place as an answer; empty when none does."""
    asked = _asked(state)
    return state.runs[-1].dialogue if asked is not None and asked.location else ""


def takes_told_words(state: State) -> bool:
    """Whether the waiting question takes words that go to a person as they are."""
    asked = _asked(state)
    return asked is not None and asked.told


def keeps_as_own(state: State, words: str) -> bool:
    """Whether the waiting question's talk has a meaning of its own for these words."""
    asked = _asked(state)
    return asked is not None and folded(words) in map(folded, asked.own)


def takes_words(state: State, words: str) -> bool:
    """Whether the question of the talk under way takes these words as an answer."""
    run, asked = state.current, _asked(state)
    if run is None or asked is None:
        return False
    try:
        typed(run, asked, words)
    except Invalid:
        return False
    return True


def _asked(state: State) -> Ask | None:
    run = state.current
    dialogue = menu.dialogue(run.dialogue) if run else None
    at = replay_run(dialogue, run) if run is not None and dialogue is not None else None
    return at.ask if isinstance(at, Waiting) else None
