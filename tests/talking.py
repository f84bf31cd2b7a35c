"""Small talks for the tests of the dialogue engine, alone and in a chat whose menu begins them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from config.texts import speaking
from handlers import menu
from handlers.dialogue import Answer, Ask, Choice, Dialogue, Finished, Invalid, Talk, Waiting, advance, replay
from handlers.message import Reply
from models.conversation import State, lock
from models.database import Database
from tests.chatting import Chat

YES_NO = (Choice("yes", "好"), Choice("no", "不好"))


class Facts(BaseModel):
    """Nothing is known beforehand."""

    known: str = ""


def number(words: str) -> int:
    if not words.isdecimal():
        raise Invalid("请写数字，例如 3。")
    return int(words)


def anything(words: str) -> str:
    if not words.strip():
        raise Invalid("请写点什么。")
    return words


def dialogue(talk: Callable[[Any], Talk], name: str = "trial", **more: Any) -> Dialogue:
    """A dialogue around a talk; `perform` tells what it was given."""
    usual: dict[str, Any] = {
        "facts": Facts,
        "prepare": lambda session, person: Facts(),
        "perform": lambda session, person, command: Reply(f"完成 {command}"),
    }
    return Dialogue(name=name, talk=talk, **{**usual, **more})


def run(made: Dialogue, *given: tuple[str, Answer]) -> Waiting | Finished:
    """Answer the questions of these keys in order, as somebody does who is shown them one by one."""
    answers: dict[str, Answer] = {}
    at = replay(made, Facts(), answers)
    for key, answer in given:
        at = advance(made, Facts(), answers, key, answer)
        answers = at.answers
    return at


def at_question(at: Waiting | Finished | None) -> str:
    assert isinstance(at, Waiting), at
    return at.ask.key


def three(facts: Facts) -> Talk:
    name = yield Ask("name", "名字？", check=anything)
    age = yield Ask("age", "年龄？", check=number, numeric=True)
    sure = yield Ask("sure", "对吗？", choices=YES_NO)
    return (name, age, sure)


def with_question_before(facts: Facts) -> Talk:
    yield Ask("name", "名字？", check=anything)
    yield Ask("city", "城市？", check=anything)
    yield Ask("age", "年龄？", check=number, numeric=True)
    yield Ask("sure", "对吗？", choices=YES_NO)
    return "done"


def branching(facts: Facts) -> Talk:
    kind = yield Ask("kind", "学生还是上班？", choices=(Choice("pupil", "学生"), Choice("worker", "上班")))
    if kind == "pupil":
        place = yield Ask("school", "学校？", check=anything)
    else:
        place = yield Ask("firm", "单位？", check=anything)
    phone = yield Ask("phone", "电话？", check=number, numeric=True)
    yield Ask(
        "confirm",
        f"{kind} {place} {phone}",
        choices=(
            Choice("ok", "提交"),
            Choice("kind", "改身份", drops=("kind",)),
            Choice("phone", "改电话", drops=("phone",)),
        ),
    )
    return (kind, place, phone)


@pytest.fixture
def chat(database: Database) -> Chat:
    made = Chat(database, "alin")
    made.act("follow")
    return made


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[Dialogue], Dialogue]:
    """Put a dialogue into the menu under the entry `check_in`, as a deploy would; again for the next version."""

    def deploy(made: Dialogue, key: str = "check_in") -> Dialogue:
        monkeypatch.setitem(menu.DIALOGUES, made.name, made)
        monkeypatch.setitem(menu.ENTRIES, key, menu.Entry(key, menu.ENTRIES[key].label, made))
        return made

    return deploy


Register = Callable[..., Dialogue]


def begin(chat: Chat, key: str = "check_in") -> str:
    return chat.act("menu", menu=key)


def option(chat: Chat, label: str) -> str:
    return next(option.id for option in chat.said.options if option.label == label)


def state_of(chat: Chat) -> State:
    with chat.database.read() as session:
        return lock(session, chat.person().id)


@pytest.fixture(autouse=True)
def source_language() -> Iterator[None]:
    with speaking("zh_CN"):
        yield
