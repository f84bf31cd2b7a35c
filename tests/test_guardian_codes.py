"""Codes without the word before them (a guardian's, a binding's, a recognition's), and one that was replaced."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from config.catalogue import rules
from handlers.codes import bare_code
from models.code import CodeTry
from models.database import Database
from models.ids import new_code
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import deliver
from tests.test_guardian import child

REPLACED = "这个监护码已经换成新的，旧的不能用了。请孩子把最新的那段转发给您，用那里面的码。"


@pytest.mark.parametrize("written", [str, str.lower, lambda code: f"{code[:4]} {code[4:]}"])
@pytest.mark.parametrize("platform", ["wechat", "telegram"])
def test_a_bare_code_that_stands_is_taken(database: Database, platform: str, written: object) -> None:
    _minor, code = child(database)
    mother = Chat(database, "mother", platform)
    assert callable(written)
    assert mother.say(written(code)).startswith("小雨同学想当助残志愿者，请您作为监护人决定。")
    assert mother.labels() == ["同意", "不同意"]


def test_a_bare_code_of_another_account_is_taken_too(database: Database) -> None:
    phone = Chat(database)
    phone.say("绑定")
    phone.press("在这里拿一个绑定码")
    code = phone.said.text.partition("绑定码：")[2][:8]
    assert "那个账号是你自己的吗" in Chat(database, "other", "telegram").say(code)


def test_wrong_bare_codes_are_counted_and_end_in_a_pause(database: Database) -> None:
    _minor, code = child(database)
    stranger = Chat(database, "stranger")
    for letter in "ABCDE"[: rules().doors.code_tries]:
        assert "没有这个码" in stranger.say(f"2222222{letter}")
    assert "试错次数太多" in stranger.say(code), "a pause tells nothing of a good code"
    assert "试错次数太多" in stranger.say("2222222F"), "nor of a wrong one"
    with database.read() as session:
        assert len(session.exec(select(CodeTry)).all()) == rules().doors.code_tries


@pytest.mark.parametrize(
    "typed", ["thursday", "HAPPYDAY", "98765432", "20261122", "1234567890", "K7M2P9Q", "K7M2P9QX 吗"]
)
def test_what_has_not_the_shape_of_a_code_is_not_counted(database: Database, typed: str) -> None:
    chat = Chat(database)
    assert "没有这个码" not in chat.say(typed)
    with database.read() as session:
        assert session.exec(select(CodeTry)).all() == []


def test_every_code_has_the_shape_that_is_looked_for() -> None:
    for _number in range(200):
        code = new_code()
        assert bare_code(code) == code


def test_a_bare_code_answers_no_question_of_another_talk(database: Database) -> None:
    _minor, code = child(database)
    chat = Chat(database, "mother")
    chat.say("报名", "同意")
    assert "请写你的姓名" in chat.say(code)


def test_a_code_that_was_replaced_says_so_and_the_child_was_told(database: Database) -> None:
    minor, old = child(database)
    told = minor.say("报名")
    new = told.partition("监护 ")[2][:8]
    assert "以前转发过的监护码和网页已经不能用了" in told
    mother = Chat(database, "mother")
    for typed in (old, f"监护 {old}"):
        assert mother.say(typed).startswith(REPLACED)
    assert "请您作为监护人决定" in mother.say(new)


def test_the_first_code_replaces_nothing_and_an_expired_one_is_called_expired(
    database: Database, clock: StoppedClock
) -> None:
    minor, old = child(database)
    assert "不能用了" not in minor.said.text
    clock.pass_time(timedelta(days=8))
    mother = Chat(database, "mother")
    assert "过期了" in mother.say(old)
    assert "以前转发过的" not in minor.say("报名"), "it had ended by itself"
    assert mother.say(f"监护 {old}").startswith(REPLACED), "and there is a newer one now"


def sent_code(database: Database) -> str:
    (notice,) = [one for one in deliver(database) if one.kind == "notice.recognition_code"]
    return notice.text.partition("验证码：")[2][:8]


@pytest.fixture
def returned(database: Database) -> tuple[Chat, Chat]:
    """The old account, and a new one that looked for it and left it at that."""
    old, new = Chat(database, "2001", "telegram"), Chat(database)
    old.register()
    new.say("我以前注册过", "13800138000", "2005-08-13")
    new.press("没有码，等核实")
    return old, new


def test_a_recognition_code_by_itself_is_taken_after_its_talk_has_ended(
    returned: tuple[Chat, Chat], database: Database
) -> None:
    old, new = returned
    assert new.say(sent_code(database)).startswith("欢迎回来，王小明！")
    assert new.person().id == old.person().id


def test_a_recognition_code_that_has_expired_says_so_and_is_no_wrong_try(
    returned: tuple[Chat, Chat], database: Database, clock: StoppedClock
) -> None:
    _old, new = returned
    code = sent_code(database)
    clock.pass_time(timedelta(minutes=rules().doors.code_minutes + 1))
    for _try in range(rules().doors.code_tries + 1):
        assert "这个码过期了" in new.say(code)
    assert new.labels() == ["我以前注册过"]
    with database.read() as session:
        assert session.exec(select(CodeTry)).all() == []


def test_a_recognition_code_helps_nobody_else_and_is_no_guess_either(
    returned: tuple[Chat, Chat], database: Database
) -> None:
    old, new = returned
    code = sent_code(database)
    stranger = Chat(database, "stranger")
    assert "没有这个码" in stranger.say(code)
    assert "要在新账号里输入" in old.say(code)
    with database.read() as session:
        assert session.exec(select(CodeTry)).all() == []
    assert "欢迎回来" in new.say(code), "it has not been used up"
