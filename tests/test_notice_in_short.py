"""The privacy notice before registering: whole at first, in short to whoever has read it, and whole at a press."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.catalogue import own_rules_off, use_rules
from models.consent import standing
from models.database import Database
from tests.chatting import Chat
from tests.test_guardian import child

WHOLE, SHORT = "报名大约两分钟。先请看隐私说明", "报名前要先同意隐私说明"
PLATFORMS = pytest.mark.parametrize("platform", ["wechat", "telegram"])


@pytest.fixture
def newer_notice(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "rules.toml"
    file.write_text('[registration]\nnotice_version = "2027-01"\n', "utf-8")
    yield file
    own_rules_off()


@PLATFORMS
def test_after_a_refusal_it_is_put_in_short_with_a_button_for_the_whole(database: Database, platform: str) -> None:
    chat = Chat(database, platform=platform)
    assert chat.say("报名").startswith(WHOLE)
    assert chat.labels() == ["同意", "不同意", "我以前注册过"]
    chat.press("不同意")
    said = chat.say("报名")
    assert said.startswith(SHORT)
    assert "谁负责" in said
    assert chat.labels() == ["同意", "不同意", "我以前注册过", "看完整的隐私说明"]
    assert chat.press("看完整的隐私说明").startswith(WHOLE)
    assert chat.labels() == ["同意", "不同意", "我以前注册过"]
    chat.press("同意")
    chat.say("王小明", "13800138000", "2005-08-13", "广州天河")
    assert "注册成功" in chat.press("提交")
    with database.read() as session:
        (given,) = standing(session, chat.person().id)
    assert (given.version, given.language) == ("2026-11", "zh_CN")


def test_it_is_agreed_to_in_short_too(database: Database) -> None:
    chat = Chat(database)
    chat.say("报名", "不同意", "报名")
    assert "请写你的姓名" in chat.press("同意")


def test_asked_once_more_it_is_short_and_the_buttons_shown_before_stay_good(database: Database) -> None:
    chat = Chat(database)
    chat.say("报名")
    before = chat.said
    assert SHORT in chat.act("media", media_kind="sticker")
    assert SHORT in chat.say("什么意思")
    assert "请写你的姓名" in chat.act("choice", choice=before.options[0].id)


def test_back_from_the_first_question_it_is_short(database: Database) -> None:
    chat = Chat(database)
    chat.say("报名", "同意")
    assert chat.say("返回").startswith(SHORT)


def test_in_another_language_it_is_whole(database: Database) -> None:
    chat = Chat(database)
    chat.say("报名", "不同意", "English")
    assert chat.say("register").startswith("Registering takes about two minutes.")
    assert WHOLE in chat.say("简体"), "the talk began in English, where nothing had been declined"


def test_a_new_version_is_whole(database: Database, newer_notice: Path) -> None:
    chat = Chat(database)
    chat.say("报名", "不同意")
    use_rules(newer_notice)
    assert chat.say("报名").startswith(WHOLE + "（2027-01 版）")


def test_what_one_person_refused_is_whole_for_another(database: Database) -> None:
    Chat(database, "first").say("报名", "不同意")
    assert Chat(database, "second").say("报名").startswith(WHOLE)


def test_it_says_what_stays_after_a_deletion(database: Database) -> None:
    said = Chat(database).say("报名")
    stays = next(line for line in said.splitlines() if line.startswith("存多久"))
    for word in ("30 天", "编号", "服务", "同意", "操作", "求助"):
        assert word in stays


def test_the_guardian_reads_what_stays_too(database: Database) -> None:
    _minor, code = child(database)
    said = Chat(database, "mother").say(f"监护 {code}")
    stays = next(line for line in said.splitlines() if line.startswith("存多久"))
    for word in ("30 天", "编号", "服务", "同意", "操作", "求助"):
        assert word in stays
