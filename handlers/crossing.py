"""A question waits, and a message with options of its own has come below it: whose is a number that is typed now?

It belongs to the newest message on that screen that offers it. Where somebody may have typed it before they saw that
message, or where the question takes the number as its own words, they are asked which they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import Session

from config.texts import _
from handlers import late
from handlers.asking import show
from handlers.dialogue import Ask, Invalid
from handlers.here import here
from handlers.message import Option, Reply
from handlers.typed import bare_number, came, newest_notice, shown, typed
from models.conversation import Notice, Run, State
from models.database import machine_now_of
from models.person import Person

# Dialogues whose choices are names of people.
NAMING = frozenset({"hand_over", "hand_overs", "households", "ledger", "relay_note", "unpaired"})

CROSSED = timedelta(seconds=10)  # so soon after a message came, what is typed may have been meant for what was above it


def decide(
    session: Session, person: Person, state: State, run: Run, asked: Ask | None, words: str, taken: str | None
) -> Option | Reply | None:
    """The option of the newer message that a number means, or the question which was meant; None = it is the waiting
    question's. `taken` is the option that the number means there."""
    notice, meant = newest_notice(state), came(state, words) if bare_number(words) is not None else None
    if notice is None or meant is None:
        return None
    new = Option(meant, _label(notice.options, meant))
    if not _is_open(session, person, meant):
        return None
    if taken is None and not _takes(session, run, asked, words):
        return new
    if taken is not None and notice.numbers == "its" and not _crossed(session, notice):
        return new
    if taken is not None:
        old = Option(taken, _before(session, person, state, taken))
    else:
        number = str(bare_number(words))
        old = Option(f"{run.prompt}:t{number}", _("前面的问题：就写“{answer}”").format(answer=number))
    return _which(state, words, old, new)


def without_talk(session: Session, person: Person, state: State, words: str) -> Reply | None:
    """The question which was meant, where no talk is under way: a list on the screen, or a message that has just come
    below it. None = it is clear. What only leads to a menu entry is no list."""
    notice, meant = newest_notice(state), came(state, words) if bare_number(words) is not None else None
    taken = shown(state, words)
    if notice is None or meant is None or taken is None or taken[:2] == "m:" or not _crossed(session, notice):
        return None
    if not _is_open(session, person, taken) or not _is_open(session, person, meant):
        return None
    old = Option(taken, _before(session, person, state, taken))
    return _which(state, words, old, Option(meant, _label(notice.options, meant)))


def _which(state: State, words: str, old: Option, new: Option) -> Reply:
    text = _("刚才来了一条新消息，“{number}”是回答哪一个？请选一个。").format(number=bare_number(words))
    new = replace(new, label=_("新消息：{answer}").format(answer=new.label))
    reply = show(state, Reply(text, (old, new), numbered=True))
    state.which = True
    return reply


def _before(session: Session, person: Person, state: State, taken: str) -> str:
    """What was on the screen, which may have been that of another door: a name that stands there this one may not
    carry."""
    asked = late.waiting(session, person.id, taken.partition(":")[0])
    if asked is not None and asked.dialogue in NAMING and not here(session).sensitive_in_chat:
        return _("前面的问题：第 {number} 项").format(number=1 + [each for each, _text in state.shown].index(taken))
    return _("前面的问题：{answer}").format(answer=_label(state.shown, taken))


def _label(options: Sequence[tuple[str, str]], option: str) -> str:
    return next(label for each, label in options if each == option)


def _is_open(session: Session, person: Person, option: str) -> bool:
    return option[:2] == "m:" or late.waiting(session, person.id, option.partition(":")[0]) is not None


def _crossed(session: Session, notice: Notice) -> bool:
    return machine_now_of(session) - datetime.fromisoformat(notice.at) <= CROSSED


def meant_as_words(index: str) -> str | None:
    """The number that is itself the answer, from the button that says so."""
    return index[1:] if index[:1] == "t" and index[1:].isdecimal() and len(index) <= 3 else None


def _takes(session: Session, run: Run, asked: Ask | None, words: str) -> bool:
    """Whether the waiting question takes a number as an answer in words."""
    if asked is not None and asked.sensitive and not asked.keeps_typed and not here(session).sensitive_in_chat:
        return False
    try:
        typed(run, asked, words)
    except Invalid:
        return False
    return True
