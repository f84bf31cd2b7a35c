"""The engine with talks and answers made at random: replay is deterministic and loses no answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.dialogue import Answer, Ask, Finished, Invalid, Talk, Waiting, advance, back, replay
from tests.talking import YES_NO, Facts, anything, dialogue, number
from tests.talking import source_language as source_language


@dataclass(frozen=True)
class Shape:
    """One random question: an answer leads to the questions below the choice, then on."""

    key: str
    kind: str
    below: tuple[tuple[Shape, ...], ...] = field(default=())


def shapes() -> st.SearchStrategy[tuple[Shape, ...]]:
    def keyed(kinds: list[Any], prefix: str) -> tuple[Shape, ...]:
        found = []
        for at, (kind, below) in enumerate(kinds):
            key = f"{prefix}{at}"
            branches = tuple(keyed(branch, f"{key}.{number}.") for number, branch in enumerate(below))
            found.append(Shape(key, kind, branches))
        return tuple(found)

    kind = st.sampled_from(["text", "number", "choice", "many", "skippable"])
    leaf: Any = st.lists(st.tuples(kind, st.just([])), max_size=3)
    branch = st.lists(st.tuples(st.just("choice"), st.lists(leaf, min_size=2, max_size=2)), max_size=2)
    return st.tuples(leaf, branch, leaf).map(lambda parts: keyed([*parts[0], *parts[1], *parts[2]], "q"))


def talk_of(shape: tuple[Shape, ...]) -> Callable[[Facts], Talk]:
    def ask(one: Shape) -> Ask:
        if one.kind == "text":
            return Ask(one.key, "？", check=anything)
        if one.kind == "number":
            return Ask(one.key, "？", check=number, numeric=True)
        return Ask(one.key, "？", choices=YES_NO, many=one.kind == "many", skippable=one.kind == "skippable")

    def walk(some: tuple[Shape, ...]) -> Talk:
        said = []
        for one in some:
            value = yield ask(one)
            said.append((one.key, value))
            if one.below:
                said += yield from walk(one.below[0 if value == "yes" else 1])
        return said

    def talk(facts: Facts) -> Talk:
        return tuple((yield from walk(shape)))

    return talk


ANSWERS = st.one_of(
    st.text(max_size=4).map(lambda words: {"t": words}),
    st.integers(0, 99).map(lambda n: {"t": str(n)}),
    st.sampled_from(["yes", "no", "gone"]).map(lambda value: {"c": value}),
    st.lists(st.sampled_from(["yes", "no", "gone"]), max_size=3).map(lambda values: {"m": values}),
    st.just({"s": True}),
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(shape=shapes(), given_answers=st.lists(ANSWERS, max_size=25))
def test_replay_is_deterministic_and_never_loses_a_valid_answer(
    shape: tuple[Shape, ...], given_answers: list[Answer]
) -> None:
    made = dialogue(talk_of(shape))
    at = replay(made, Facts(), {})
    taken: dict[str, Answer] = {}
    for answer in given_answers:
        if isinstance(at, Finished):
            break
        stored = json.loads(json.dumps(at.answers))  # as it comes back from the database
        key = at.ask.key
        try:
            after = advance(made, Facts(), stored, key, answer)
        except Invalid:
            assert replay(made, Facts(), stored) == at, "a refused answer changes nothing"
            continue
        assert stored == at.answers, "the caller's answers are not touched"
        assert advance(made, Facts(), stored, key, answer) == after
        taken[key] = answer
        at = after
        assert at.answers == taken, "every accepted answer is kept as it was given"
        assert replay(made, Facts(), at.answers) == at
    if isinstance(at, Finished):
        assert [key for key, _value in at.command] == list(taken)
    elif at.visited:
        one_back = back(made, Facts(), at.answers)
        assert isinstance(one_back, Waiting)
        assert one_back.ask.key == at.visited[-1]
        assert one_back.answers == {key: value for key, value in taken.items() if key != at.visited[-1]}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(shape=shapes(), picks=st.lists(st.integers(0, 9), min_size=30, max_size=30), where=st.integers(0, 9))
def test_a_question_inserted_anywhere_loses_no_answer(shape: tuple[Shape, ...], picks: list[int], where: int) -> None:
    plain: dict[str, Answer] = {"text": {"t": "x"}, "number": {"t": "7"}, "many": {"m": ["no"]}}
    old = dialogue(talk_of(shape))
    at = replay(old, Facts(), {})
    for pick in picks[: len(picks) // 2]:
        if isinstance(at, Finished):
            return
        kind = "number" if at.ask.numeric else "text" if at.ask.check else "many" if at.ask.many else "choice"
        at = advance(old, Facts(), at.answers, at.ask.key, plain.get(kind, {"c": "yes" if pick % 2 else "no"}))
    if isinstance(at, Finished):
        return
    place = where % (len(shape) + 1)
    new = dialogue(talk_of((*shape[:place], Shape("inserted", "text"), *shape[place:])))
    grown = replay(new, Facts(), at.answers)
    assert isinstance(grown, Waiting)
    assert grown.answers == at.answers
    if grown.ask.key == "inserted":
        grown = advance(new, Facts(), grown.answers, "inserted", {"t": "new"})
    assert isinstance(grown, Waiting)
    assert grown.ask.key == at.ask.key
    assert {key: value for key, value in grown.answers.items() if key != "inserted"} == at.answers
