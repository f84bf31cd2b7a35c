"""What typed words mean: an answer to the question that was shown, or one of the options on the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlmodel import Session

from config.texts import _
from handlers import late, menu
from handlers.dialogue import Answer, Ask, Choice, Invalid, Waiting, chosen, folded, part_of, replay
from handlers.numerals import NUMERAL
from handlers.numerals import number as numeral
from models.conversation import Notice, Run, State
from models.person import Person

SKIP, DONE, STOP = "~skip", "~done", "~stop"
_BETWEEN = re.compile("[,，、;；\n]")
_PLACE = re.compile(rf"(?:看|选|選)?第\s*(\d{{1,2}}|{NUMERAL})\s*[个個位项項条條件户戶]")
_NUMBER_AND_LABEL = re.compile(r"(\d{1,2})\s*[.。、:：)）]?\s*(\D.*)")


def typed(run: Run, asked: Ask | None, words: str) -> Answer:
    """Typed words as an answer to the question that was shown; raises Invalid. `asked` is None where another question
    has come before it meanwhile: then only a later replay can tell whether the words fit."""
    if asked is None and words.startswith("geo:"):
        raise Invalid(_("请再发一次位置。"))  # no place waits in a conversation
    if asked is None:
        return {"t": words}
    if words.startswith("geo:") and not asked.location:
        raise Invalid(_("这里不需要位置，请用文字回答。"))
    if asked.skippable and words in ("跳过", "略过", "skip", "跳過", "略過"):
        return {"s": True}
    if asked.many:
        return {"m": list(dict.fromkeys([*run.draft, *_several(run, asked, words)]))}
    choice = None if asked.numeric and words.isdecimal() else _chosen(asked.choices, words)
    if choice is not None:
        return {"c": choice.value}
    choice = part_of(asked.choices, words) if asked.check is None and not menu.is_named(words) else None
    if choice is not None:
        return {"c": choice.value}
    if asked.check is None:
        raise Invalid(_("请选择下面的一项，回复数字或文字都可以。"))
    asked.check(words)
    return {"t": words}


def _several(run: Run, asked: Ask, words: str) -> list[str]:
    """The choices that were typed; numbers mean the list as it was shown."""
    listed = [value for value in run.values if value not in (SKIP, DONE, STOP)]

    def one(part: str) -> str | None:
        if part.isdecimal() and len(part) <= 3 and 1 <= int(part) <= len(listed):
            return listed[int(part) - 1]
        choice = _chosen(asked.choices, part)
        return choice.value if choice else None

    whole = one(words)
    if whole is not None:
        return [whole]
    values: list[str] = []
    for part in filter(None, map(str.strip, _BETWEEN.split(words))):
        # A label may have spaces in it (“Sign language”), so spaces divide only what is no label.
        for piece in [part] if one(part) is not None else part.split():
            value = one(piece)
            if value is None:
                raise Invalid(_("没看懂“{part}”。可以一次选几项，例如回复：1 3").format(part=piece[:20]))
            values.append(value)
    if not values:
        raise Invalid(_("请至少选一项，或回复“跳过”。"))
    return values


def _chosen(choices: Sequence[Choice], words: str) -> Choice | None:
    """As `chosen`; also by the label that stood there before the language was changed to another than the source."""
    return chosen(choices, words) or (chosen(choices, _(words)) if words else None)


def is_tick(run: Run, option: str) -> bool:
    """Whether an option is one of the choices that the waiting question collects."""
    prompt, _colon, index = option.partition(":")
    return prompt == run.prompt and run.values[int(index)] not in (SKIP, DONE, STOP)


def shown(state: State, words: str) -> str | None:
    """The option that a typed number or label means, against the list of the last answer."""
    return _among(state.shown, words)


def _among(options: Sequence[tuple[str, str]], words: str) -> str | None:
    plain, number = folded(words), bare_number(words) or _place(words)
    if number is not None and 1 <= number <= len(options):
        return options[number - 1][0]
    both = _NUMBER_AND_LABEL.match(words)
    if both and 1 <= int(both[1]) <= len(options):
        option, label = options[int(both[1]) - 1]
        if folded(label) == folded(both[2]):
            return option
    matching: Iterator[str] = (option for option, label in options if folded(label) == plain)
    return next(matching, None)


def bare_number(words: str) -> int | None:
    """The number, where one is all that was typed; None for anything else, and for one too long to count options."""
    number = words.rstrip(".。、 ")
    return int(number) if number.isdecimal() and len(number) <= 2 else None


def _place(words: str) -> int | None:
    """Which place of a list is named: 第一个, 第 2 位."""
    found = _PLACE.fullmatch(words)
    return numeral(found[1]) if found else None


def newest_notice(state: State) -> Notice | None:
    """The message that came by itself to this door after all that has numbers there; None when there is none."""
    mine = [notice for notice in state.notices if notice.door in ("", state.door) or not state.door]
    return mine[-1] if mine and mine[-1].numbers else None


def came(state: State, words: str) -> str | None:
    """The option of the newest such message that a typed number or label means."""
    notice = newest_notice(state)
    return _among(notice.options, words) if notice is not None else None


def came_earlier(session: Session, person: Person, state: State, words: str) -> str | None:
    """The button of any message that came by itself and may still be answered, by exactly its label. Where the talk
    under way is of the same kind its question may have meant its own button: only a newer message is heard there."""
    both = _NUMBER_AND_LABEL.match(words)
    plain = folded(both[2] if both else words)
    for notice in reversed(state.notices):
        for option, label in notice.options:
            question = late.waiting(session, person.id, option.partition(":")[0]) if folded(label) == plain else None
            if question is None:
                continue
            same = state.current is not None and state.current.dialogue == question.dialogue
            return None if same and not notice.numbers else option
    return None


def shown_late(session: Session, person: Person, state: State, words: str) -> str | None:
    """The button of a question asked outside a talk, by any word that its talk takes for that choice (“是”, “yes”)."""
    notice = newest_notice(state)
    seen = [*(notice.options if notice is not None else ()), *state.shown]
    for prompt in dict.fromkeys(option.partition(":")[0] for option, _label in seen if option[:2] != "m:"):
        question = late.waiting(session, person.id, prompt)
        dialogue = menu.dialogue(question.dialogue) if question else None
        if question is None or dialogue is None:
            continue
        at = replay(dialogue, dialogue.facts.model_validate(late.facts_of(session, question)), {})
        choice = _chosen(at.ask.choices, words) if isinstance(at, Waiting) and at.ask.key == question.question else None
        values = late.values_of(question)
        known = (choice.value, *choice.before) if choice is not None else ()
        meant = next((value for value in values if value in known), None)
        if meant is not None:
            return f"{prompt}:{values.index(meant)}"
    return None
