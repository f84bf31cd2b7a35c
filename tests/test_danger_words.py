"""What is heard as a cry for help, and what is said at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.catalogue import rules
from config.texts import speaking
from handlers.emergency import emergency_text, is_danger
from models.database import Database
from tests.chatting import Chat


@pytest.mark.parametrize(
    "words",
    [
        "救命",
        "救命啊有人吗",
        "救 命",
        "我不想活了",
        "她说想死",
        "ＳＯＳ救命",
        "他要自\u200b杀",
        "報警",
        "有人要輕生",
        "爸爸喝醉了打我",
        "他打我电话打不通就打我",
        "孩子胳膊上有烟头印，说自己弄的",
        "胳膊上有煙頭印",
        "I want to KILL MYSELF",
        "he thinks about suicide",
        "kill  myself",
        "被打了不敢回家",
        "闻到煤气味",
        "叫他叫不醒",
        "i want to die",
        "I just wanna die",
        "活着没意思",
        "不想活了",
        "他快没呼吸了",
        "爷爷没有呼吸",
        "老人摔倒了起不来",
        "我被同學欺凌",
        "同学霸凌我",
        "他们欺负我",
        "老师摸我",
        "jiuming",
        "Jiu Ming!!",
        "Help me!",
        "please help",
        "someone help me",
        "救救我",
    ],
)
def test_a_danger_word_is_heard_however_it_is_written(words: str) -> None:
    assert is_danger(words)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "打卡",
        "怎么打卡签到",
        "你真是我的救命恩人",
        "救命之恩难忘",
        "他打我电话了",
        "请打她的电话",
        "想死你了，下周见",
        "跳楼价大甩卖",
        "报警器装好了吗",
        "我想，死党也来报名可以吗",
        "活动别老发提醒可以发",
        "13800138000",
        "周六考四级去不成能往后挪不",
        "走了哈刚从小雨屋头出来",
        "打扫卫生打羽毛球",
        "help",
        "help me register",
        "please help me change my phone number",
        "Chen Jiuming",
        "学校有反欺凌讲座",
        "估摸我周六能来",
    ],
)
def test_everyday_words_raise_no_alarm(words: str) -> None:
    assert not is_danger(words)


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_no_text_at_all_breaks_the_look_for_danger(words: str) -> None:
    assert is_danger(words + "救命")


def test_every_danger_word_of_the_rules_is_heard_in_both_scripts() -> None:
    assert all(is_danger(f"喂，{word}！") for word in rules().safety.danger_words)


def test_the_emergency_text_needs_no_database_and_names_every_number() -> None:
    assert all(number in emergency_text() for number in ("110", "120", "12110", "12355"))


@pytest.mark.parametrize("language", ["en", "zh_HK"])
@pytest.mark.parametrize("county", ["", "440106", "999999"])
def test_readers_of_other_languages_see_the_mainlands_numbers_first_and_hong_kongs_last(
    language: str, county: str
) -> None:
    with speaking(language):
        first, *rest = emergency_text(county).splitlines()
    assert "110" in first
    assert "120" in first
    assert "12355" in " ".join(rest)
    assert "999" in rest[-1]


@pytest.mark.parametrize("language", ["zh_CN", "en", "zh_HK"])
@pytest.mark.parametrize("county", ["810016", "820004"])
def test_who_lives_in_hong_kong_or_macao_sees_their_own_number_first(language: str, county: str) -> None:
    with speaking(language):
        first, *rest = emergency_text(county).splitlines()
    assert "999" in first
    assert "110" not in first
    assert "110" in rest[0]


def test_the_mainlands_readers_of_chinese_see_no_other_numbers() -> None:
    assert "999" not in emergency_text() + emergency_text("440106")


@pytest.mark.parametrize(("place", "first"), [("香港沙田", "999"), ("广州天河", "110")])
def test_the_numbers_are_those_of_the_place_that_somebody_registered_with(
    database: Database, place: str, first: str
) -> None:
    chat = Chat(database)
    chat.register(place=place)
    for said in (chat.say("救命"), chat.say("他又来了"), chat.act("menu", menu="sos")):
        assert first in said.splitlines()[0]
