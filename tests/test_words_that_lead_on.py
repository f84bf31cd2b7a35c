"""Words that somebody types because the bot itself has shown them: they lead on, also in the middle of a talk."""

from __future__ import annotations

import pytest

from models.contact import open_contacts
from models.database import Database
from tests.chatting import Chat
from tests.outgoing import deliver
from tests.people import alin as alin
from tests.people import specialist as specialist
from tests.test_guardian import child

WAITS = "刚才的问题还等着你：直接回答就行，或回复“取消”。"


def waiting(database: Database) -> list[str]:
    with database.read() as session:
        return [each.words for each in open_contacts(session)]


def test_the_words_of_the_button_take_a_message_back_when_it_is_no_longer_on_the_screen(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    alin.say("联系专员", "第一句")
    alin.say("联系专员", "第二句", "绑定", "取消")
    assert "撤回留言" not in alin.labels()
    assert alin.say("撤回留言").startswith("已经撤回并删除")
    assert waiting(database) == ["第一句"], "the last one"


def test_they_are_no_answer_to_an_open_question(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "说错了", "称呼")
    said = alin.say("撤回留言")
    assert said.startswith("已经撤回并删除")
    assert "我们接着刚才的" in said
    assert "林哥" in alin.say("林哥")
    assert waiting(database) == []


def test_on_the_screen_they_mean_the_button_there(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "第一句")
    older = alin.said
    alin.say("联系专员", "第二句")
    alin.act("choice", choice=older.options[0].id)
    assert "正在转给" in alin.say("补一句")
    alin.say("撤回留言")
    assert waiting(database) == ["第一句", "第二句"]


def test_nothing_to_take_back_is_said_so(alin: Chat) -> None:
    assert alin.say("撤回留言").startswith("现在没有可以撤回的留言")


def test_something_is_added_by_words_to_what_was_written_last(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "第一句", "绑定", "取消")
    assert alin.say("补充留言").startswith("请写下想说的事")
    assert "正在转给" in alin.say("补一句")
    with database.read() as session:
        assert [each.words for each in open_contacts(session)] == ["第一句", "补一句"]
    assert alin.say("撤回留言").startswith("已经撤回并删除")
    assert waiting(database) == ["第一句"]


@pytest.mark.parametrize(("typed", "opened"), [("月报", "正在准备"), ("我的资料", "王小明"), ("绑定", "绑定后")])
def test_the_name_of_an_entry_that_a_question_refuses_opens_it_and_the_question_waits(
    alin: Chat, database: Database, typed: str, opened: str
) -> None:
    _minor, code = child(database)
    alin.say("我是监护人")
    said = alin.say(typed)
    assert opened in said
    assert "监护码是 8 位" not in said
    if typed != "绑定":
        assert said.endswith(WAITS)
        assert alin.say(code).startswith("小雨同学想当助残志愿者")


def test_the_talks_own_name_asks_its_question_again_without_a_reproach(alin: Chat) -> None:
    first = alin.say("绑定").splitlines()[0]
    said = alin.say("绑定")
    assert said.startswith("我们接着上次的地方：")
    assert first in said
    assert "码是 8 位" not in said


def test_what_a_question_takes_opens_nothing(alin: Chat) -> None:
    alin.say("称呼")
    assert WAITS not in alin.say("时长哥")
    alin.say("联系专员")
    assert "记下了" in alin.say("我的时长少了"), "words for a person"


@pytest.mark.parametrize("typed", ["我的时长", "报名", "register", "要打电话的人"])
def test_nothing_but_an_entrys_name_is_no_message_to_a_person(
    alin: Chat, specialist: Chat, database: Database, typed: str
) -> None:
    alin.say("联系专员")
    alin.say(typed)
    assert waiting(database) == []
    assert "记下" in alin.say("上月怎么少算了两小时？")
    assert waiting(database) == ["上月怎么少算了两小时？"]


def test_nor_is_it_an_answer_to_somebody(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "在吗")
    deliver(database, specialist)
    specialist.press("回复")
    assert WAITS in specialist.say("月报")
    assert [one.text for one in deliver(database, alin)] == []
    assert "正在转给对方" in specialist.say("在的")


def test_other_words_at_the_question_about_a_minor_are_asked_again(specialist: Chat, database: Database) -> None:
    minor, _code = child(database)
    number = getattr(minor.volunteer(), "number", "")
    specialist.say("登记监护人书面同意", number)
    said = specialist.say("李妈妈")
    assert "请选择下面的一项" in said
    assert said.endswith("是这位吗？")
    assert "姓名" in specialist.say("1")


@pytest.mark.parametrize("typed", ["监护", "监护码", "監護"])
def test_the_word_before_a_code_begins_the_guardians_talk(database: Database, typed: str) -> None:
    assert Chat(database, "mother").say(typed).startswith("请写孩子转发给您的监护码")


def test_a_child_with_their_own_code_is_not_asked_for_one(database: Database) -> None:
    minor, code = child(database)
    said = minor.say(f"监护 {code}")
    assert "这是你自己的监护码" in said
    assert "请写" not in said
    assert "我们接着" not in minor.say("我的时长")


def test_an_answer_names_the_message_that_it_answers(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "下周考试，探访能改到周日上午吗？还是等考完再说？")
    first = deliver(database, specialist)
    assert first[0].text.endswith("要答复，请先选“回复”，再写要说的话。")
    specialist.press("回复")
    alin.say("联系专员", "在哪里集合？")
    specialist.say("可以")
    (sent,) = [one for one in deliver(database, alin) if one.sender == "alin"]
    assert sent.text == "负责的同事回复你：\n可以\n（你问的是：“下周考试，探访能改到周日上午吗？还是等考…”）"


def test_enough_is_heard_between_two_items(alin: Chat) -> None:
    alin.say("填写更多资料", "跳过")
    assert alin.say("够了").startswith("好的，先到这里")


@pytest.mark.parametrize(
    ("language", "shown", "typed"),
    [("English", "Submit", "提交"), ("繁體", "提交", "提交"), ("English", "Submit", "submit")],
)
def test_a_label_of_before_the_language_changed_is_still_taken(
    database: Database, language: str, shown: str, typed: str
) -> None:
    chat = Chat(database)
    chat.say("报名", "同意", "王小明", "13800138000", "2005-08-13", "广州天河")
    chat.say(language)
    assert shown in chat.labels()
    chat.say(typed)
    assert chat.volunteer() is not None


@pytest.mark.parametrize("typed", ["高中生", "中小学生", "School pupil"])
def test_an_occupation_is_known_by_what_people_call_it(alin: Chat, typed: str) -> None:
    alin.say("改一项资料")
    alin.press("职业")
    assert "中小学生" in alin.say(typed)
