"""The dialogue engine: pure. A talk is a generator that only asks; its state is the answers by key.

To go on, the talk is replayed from its frozen facts with the answers given so far, up to the first question that
has none, or none that its check still accepts. So a deploy may insert, drop or tighten questions and nobody's
half-done talk is lost. No I/O, no clock and no platform belong in here or in a talk.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from handlers.message import Reply
from models.person import Person

Answer = dict[str, Any]  # {"c": value} chosen · {"m": [values]} several · {"t": raw text} · {"s": True} skipped
Talk = Generator["Ask", Any, Any]

# What agrees to a notice when it is typed; a bare 收到, 好的 or ok never does (programme §13).
AGREE = ("同意", "同意吧", "同意的", "我同意", "是", "是的", "yes", "agree", "i agree", "yes i agree")
_DENIED = re.compile(r"[不没沒別别无無未勿唔冇]|\b(no|not|never|nobody|without)\b|n['’]t\b")


class Invalid(Exception):
    """What was said does not fit; the text tells the person what to say instead."""


class Refused(Exception):
    """Raised by `perform`: the rules do not take this answer (any more); `key` is asked again with `text` before it.

    What `perform` wrote is rolled back; `then` is carried out after that and stays (a wrong code is counted).
    """

    def __init__(self, key: str, text: str, then: Callable[[Session], None] | None = None) -> None:
        super().__init__(text)
        self.key = key
        self.text = text
        self.then = then


class TalkError(Exception):
    """The talk itself is wrong (a key used twice). A programmer's mistake, never a person's."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose. `words` are also accepted; `drops` = choosing it forgets these answers and asks again.
    `before` are other values that this choice was stored by; such an answer stays as it is. `later` = it is offered
    only when the question is asked once more.
    """

    value: str
    label: str
    words: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    later: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """One question. `key` is unique in a run and never changes its meaning. `again` are the words for asking it once
    more in the same language, where the first ones are long.

    `check` turns typed text into a value or raises Invalid; without it only the choices are accepted. A shared
    location reaches `check` as "geo:LAT,LON" (WGS-84) when `location` is set. `many` collects several choices.
    `numeric` says that a small number is itself an answer here, so numbers are not taken for choices.
    `numbered` says that the words speak of the numbers of the choices, so that buttons carry them too.
    `told` says that the words go to a person as they are: the bare name of a menu entry is not taken for them.
    `stoppable` offers 先到这里: the talk ends here, and what earlier talks kept stays.
    `own` are words that mean something in this talk itself: typed here, they do not open the entry of that name.
    `sensitive` moves the question to a one-time page on platforms where it must not be asked in chat; what is typed
    there all the same is turned away, unless `keeps_typed` (a cry for help is never turned away).
    """

    key: str
    text: str
    choices: tuple[Choice, ...] = ()
    check: Callable[[str], Any] | None = None
    location: bool = False
    many: bool = False
    skippable: bool = False
    stoppable: bool = False
    numeric: bool = False
    numbered: bool = False
    told: bool = False
    own: tuple[str, ...] = ()
    sensitive: bool = False
    keeps_typed: bool = False
    again: str = ""


@dataclass(frozen=True, slots=True)
class Further:
    """Returned by `perform`: the talk goes on, knowing more. It is replayed with these facts, `note` goes before the
    next question, and what `perform` wrote stays. The talk must ask something under them that it did not ask before.
    """

    facts: BaseModel
    note: str = ""


@dataclass(frozen=True)
class Dialogue:
    """A talk with its name, what it reads before (`prepare`) and what it does at the end (`perform`).

    `facts` is a versioned model with defaults: it is stored, and holds no words of a language. `resumes` says that
    a talk pushed aside by another one is taken up again by itself afterwards. Idle talks end after
    `idle_days`; zero = rules.toml, registration.half_done_days. `repeats` = a question of it that was asked outside a
    talk may be answered again and again. `offers` = the options of its last reply offer something and ask nothing: a
    talk pushed aside goes on at once, with them below its question. `rereads` = until its first question is answered
    its facts are read anew whenever it is asked once more.
    """

    name: str
    facts: type[BaseModel]
    prepare: Callable[[Session, Person], BaseModel]
    talk: Callable[[Any], Talk]
    perform: Callable[[Session, Person, Any], Reply | Further]
    idle_days: int = 0
    resumes: bool = True
    repeats: bool = False
    offers: bool = False
    rereads: bool = False


@dataclass(frozen=True)
class Waiting:
    """The talk stands at `ask`. `visited` are the keys answered before it, in order; `note` goes before the text."""

    ask: Ask
    answers: dict[str, Answer]
    visited: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Finished:
    """The talk came to its end with a command for `perform`; None = the person changed their mind."""

    command: Any
    answers: dict[str, Answer] = field(default_factory=dict)


def value_of(ask: Ask, answer: Answer) -> Any:
    """The value of a stored answer under today's question; raises Invalid with an empty text if it no longer fits."""
    if answer.get("s"):
        if not ask.skippable:
            raise Invalid("")
        return None
    if "m" in answer or "c" in answer:
        given = answer["m"] if "m" in answer else [answer["c"]]
        known = tuple(
            value for choice in ask.choices for value in dict.fromkeys((choice.value, *choice.before)) if value in given
        )
        if not known or (len(given) > 1 and not ask.many):
            raise Invalid("")
        return known if ask.many else known[0]
    if ask.check is not None:
        return ask.check(answer["t"])
    # Typed while another question had come before the one shown: only now is it known what it was an answer to.
    choice = chosen(ask.choices, answer["t"])
    if choice is None:
        raise Invalid("")
    return (choice.value,) if ask.many else choice.value


def replay(dialogue: Dialogue, facts: BaseModel, answers: dict[str, Answer], *, given: str = "") -> Waiting | Finished:
    """Run the talk over the answers up to the first question without a valid one, or to its end.

    An answer that drops others is carried out when the run reaches it, and goes with them. Answers that the finished
    talk did not ask for (of branches that died by a correction) are discarded there and at every question that offers
    corrections. `given` is the key of an answer that has just come: where it does not fit, that is raised as Invalid
    and not asked again. Raises TalkError when a key comes twice.
    """
    answers = dict(answers)
    visited: list[str] = []
    talk = dialogue.talk(facts)
    try:
        ask = next(talk)
        while True:
            if ask.key in visited:
                raise TalkError(f"{dialogue.name}: the key {ask.key!r} comes twice in one run")
            if any(choice.drops for choice in ask.choices):
                answers = {key: answers[key] for key in (*visited, ask.key) if key in answers}
            if ask.key not in answers:
                return Waiting(ask, answers, tuple(visited))
            try:
                value = value_of(ask, answers[ask.key])
            except Invalid as refusal:
                if ask.key == given:
                    raise
                del answers[ask.key]
                return Waiting(ask, answers, tuple(visited), str(refusal))
            dropped = drops_of(ask, answers[ask.key])
            if dropped:
                kept = {key: given for key, given in answers.items() if key not in (*dropped, ask.key)}
                return replay(dialogue, facts, kept, given=given)
            visited.append(ask.key)
            ask = talk.send(value)
    except StopIteration as end:
        return Finished(end.value, {key: answers[key] for key in visited})
    finally:
        talk.close()


def advance(
    dialogue: Dialogue, facts: BaseModel, answers: dict[str, Answer], waiting: str, given: Answer
) -> Waiting | Finished:
    """Give an answer to the question that was shown (`waiting`) and go on to the next.

    Where a deploy has put another question before the one that was shown, the answer is kept and that question
    comes first. Raises Invalid when the answer does not fit the question that it was given to.
    """
    return replay(dialogue, facts, {**answers, waiting: given}, given=waiting)


def back(dialogue: Dialogue, facts: BaseModel, answers: dict[str, Answer]) -> Waiting | Finished | None:
    """One question back: forget the last answer before the waiting question. None at the first question."""
    at = replay(dialogue, facts, answers)
    if not isinstance(at, Waiting) or not at.visited:
        return None
    last = at.visited[-1]
    return replay(dialogue, facts, {key: value for key, value in at.answers.items() if key != last})


def drops_of(ask: Ask, given: Answer) -> tuple[str, ...]:
    """What choosing this answer forgets."""
    return next((choice.drops for choice in ask.choices if choice.value == given.get("c")), ())


def chosen(choices: Sequence[Choice], words: str) -> Choice | None:
    """The choice whose label, value or other word was typed, whatever its case and width."""
    plain = folded(words)
    for choice in choices:
        if plain in map(folded, (choice.label, choice.value, *choice.words)):
            return choice
    return None


def part_of(choices: Sequence[Choice], words: str) -> Choice | None:
    """The one choice whose label has these words in it; None where there are several, or none. Never what agrees to a
    notice, and not what a label denies: 同意 does not choose 不同意."""
    plain = folded(words)
    if not is_part(plain):
        return None
    found = [choice for choice in choices if stands_in(plain, folded(choice.label))]
    return found[0] if len(found) == 1 and not set(found[0].words) & set(AGREE) else None


def is_part(plain: str) -> bool:
    """Whether folded words say enough to be looked for in a label."""
    return len(plain) >= (4 if plain.isdecimal() else 3 if plain.isascii() else 2)


def stands_in(plain: str, label: str) -> bool:
    """Whether the folded words stand in the label, from the beginning of one of its words, and undenied."""
    at = label.find(plain)
    if at < 0 or (plain.isascii() and at and label[at - 1].isalnum()):
        return False
    return not _DENIED.search(label[:at])


def folded(words: str) -> str:
    """Words as they are compared: “（香港）” and "(香港)" are the same."""
    return unicodedata.normalize("NFKC", words).casefold().strip()
