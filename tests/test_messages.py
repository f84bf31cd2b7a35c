"""留言: the list of what waits for a specialist's answer, and answering from it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from models.contact import ContactMessage, write
from models.contact_waiting import waiting_for
from models.database import Database
from models.person import Person
from models.role import RoleGrant
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import deliver
from tests.people import follow, grant, unfollow

HOW = "\n要答复，请先选“回复”，再写要说的话。"
WORDS = "下周考试，探访能改到周日吗？还有一件事想问，不急，等你方便的时候再说"


@pytest.fixture
def alin(database: Database) -> Chat:
    chat = Chat(database)
    chat.register()
    return chat


@pytest.fixture
def specialist(database: Database) -> Chat:
    return responsible(database)


def responsible(
    database: Database, sender: str = "specialist", platform: str = "wechat", scope: str = "440106"
) -> Chat:
    chat = Chat(database, sender, platform)
    follow(chat)
    grant(database, chat, "specialist" if len(scope) == 6 else "organiser", scope)
    return chat


def asks(database: Database, count: int) -> list[Chat]:
    """So many volunteers, each with one message."""
    chats = []
    for number in range(count):
        chat = Chat(database, f"asker{number}")
        chat.register(phone=f"139001390{number:02}")
        with database.write() as session:
            write(session, chat.person().id, f"第 {number} 句")
        chats.append(chat)
    return chats


def number_of(chat: Chat) -> str:
    row = chat.volunteer()
    assert row is not None
    return row.number


def test_the_list_names_who_and_since_when_the_oldest_first_and_shows_no_words(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    alin.say("称呼", "林哥")
    alin.say("联系专员", WORDS)
    clock.pass_time(timedelta(hours=3))
    asks(database, 1)
    clock.pass_time(timedelta(minutes=2))
    assert specialist.say("留言") == "有 2 条留言等你答复，最早的在前面。"
    first, second = specialist.labels()
    number = number_of(alin)
    assert first == f"林哥（志愿者 {number}），3 小时前"
    assert second.endswith("，2 分钟前")
    assert specialist.say("1") == f"来自林哥（志愿者 {number}），3 小时前：\n{WORDS}{HOW}"
    assert specialist.labels() == ["回复", "看等着的留言"]
    assert f"会原样转给志愿者 {number}。" in specialist.say("回复")
    assert specialist.say("可以") == "已经记下，正在转给对方。还有 1 条留言等着，回复“留言”接着看。"
    deliver(database, alin)
    assert "：\n可以\n（你问的是：“下周考试" in alin.said.text
    specialist.press("看等着的留言")
    assert specialist.said.text.endswith("第 0 句" + HOW), "the only one is opened at once"
    assert specialist.labels() == ["回复"]
    specialist.say("1", "好的")
    assert "没有等你答复的留言" in specialist.say("留言")


def test_a_second_reply_typed_after_the_first_is_understood(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "在吗")
    deliver(database, specialist)
    specialist.say("回复", "在的")
    assert "没有等你答复的留言" in specialist.say("回复")
    other, *_more = asks(database, 2)
    assert specialist.say("回复").startswith("有 2 条留言等你答复")
    specialist.say("1")
    specialist.say("回复", "收到")
    assert specialist.say("回复").endswith("第 1 句" + HOW), "straight to the only one"
    assert [one.sender for one in deliver(database) if one.kind == "notice.contact_answer"] == ["alin", other.sender]


def test_an_answered_message_is_answered_again_from_its_notice(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    alin.say("联系专员", "在吗")
    deliver(database, specialist)
    button = specialist.said.options[0].id
    for words in ("在的", "补一句：周日上午"):
        assert "请写回复" in specialist.act("choice", choice=button)
        assert "正在转给对方" in specialist.say(words)
    sent = [one.text.splitlines()[-2] for one in deliver(database) if one.sender == "alin"]
    assert sent == ["在的", "补一句：周日上午"]


def test_the_same_button_pressed_twice_asks_once(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "在吗")
    deliver(database, specialist)
    button = specialist.said.options[0].id
    specialist.act("choice", choice=button)
    specialist.act("choice", choice=button)
    assert specialist.say("在的") == "已经记下，正在转给对方。"
    assert "没看懂" in specialist.say("今天天气不错"), "no second question waits"


def test_the_buttons_own_word_is_not_sent_as_an_answer(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "在吗")
    deliver(database, specialist)
    assert "请写回复" in specialist.say("回复")
    assert "直接写要对对方说的话" in specialist.say("回复")
    assert "看等着的留言" not in specialist.labels()
    specialist.say("在的")
    assert [one.text.splitlines()[-2] for one in deliver(database)] == ["在的"]


def test_the_list_is_opened_in_the_middle_of_an_answer_and_nothing_is_sent_by_it(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    alin.say("联系专员", "在吗")
    deliver(database, specialist)
    specialist.say("回复")
    assert specialist.say("留言").endswith("在吗" + HOW)
    assert deliver(database) == []


@pytest.mark.parametrize("words", ["消息", "inbox", "message"])
def test_common_words_for_the_list_end_nobodys_talk(
    alin: Chat, specialist: Chat, database: Database, words: str
) -> None:
    alin.say("联系专员")
    assert "正在转给" in alin.say(words), "an answer like any other"
    deliver(database, specialist)
    specialist.say("回复")
    assert "直接写要对对方说的话" in specialist.say(words)
    specialist.say("取消")
    assert specialist.say(words).endswith(words + HOW), "the list"


def test_a_long_list_is_read_page_by_page_and_begins_again(specialist: Chat, database: Database) -> None:
    asks(database, 7)
    assert specialist.say("消息") == "有 7 条留言等你答复，最早的在前面。\n第 1 页，共 2 页。"
    assert len(specialist.labels()) == 6
    assert specialist.labels()[-1] == "后面的留言"
    older = specialist.said
    assert "第 2 页，共 2 页" in specialist.say("6")
    assert len(specialist.labels()) == 3
    assert specialist.say("1").endswith("第 5 句" + HOW)
    specialist.say("留言")
    specialist.press("后面的留言")
    assert "第 1 页，共 2 页" in specialist.press("从头看")
    assert specialist.act("choice", choice=older.options[1].id).endswith("第 1 句" + HOW), "an older list is still good"
    assert specialist.act("choice", choice=older.options[1].id).endswith("第 1 句" + HOW)


def test_the_next_page_goes_on_after_what_was_seen_although_some_were_answered(
    specialist: Chat, database: Database
) -> None:
    asks(database, 8)
    specialist.say("留言")
    more = specialist.said.options[-1].id
    specialist.say("1", "回复", "好")
    assert "第 2 页，共 2 页" in specialist.act("choice", choice=more)
    assert specialist.say("1").endswith("第 5 句" + HOW)


def test_on_telegram_the_list_shows_no_words_and_no_form_of_address(alin: Chat, database: Database) -> None:
    far = responsible(database, "2001", "telegram")
    alin.say("称呼", "林哥")
    alin.say("联系专员", WORDS)
    asks(database, 1)
    assert "点开以后在网页上看" in far.say("留言")
    assert far.labels()[0] == f"志愿者 {number_of(alin)}，刚刚"
    assert "周日" not in far.said.text + str(far.labels())
    assert far.say("1").startswith(f"有人联系你（志愿者 {number_of(alin)}，刚刚）。")
    assert "周日" not in far.said.text
    assert far.said.links[0].label == "看写了什么"
    assert "正在转给对方" in far.say("回复", "好")


def test_whoever_has_no_role_is_shown_the_way_to_a_person(alin: Chat) -> None:
    for words in ("留言", "回复"):
        assert "联系专员" in alin.say(words)
        assert alin.labels() == ["联系专员"]


def test_nobody_sees_what_is_not_theirs_to_answer(alin: Chat, specialist: Chat, database: Database) -> None:
    elsewhere, above = responsible(database, "elsewhere", scope="440305"), responsible(database, "above", scope="44")
    alin.say("联系专员", "在吗")
    assert specialist.say("留言").endswith("在吗" + HOW)
    for chat in (elsewhere, above):
        assert "没有等你答复的留言" in chat.say("留言"), "the specialist of the county is asked first"
    unfollow(database, specialist)
    assert "没有等你答复的留言" in elsewhere.say("留言")
    assert above.say("留言").endswith("在吗" + HOW)


def test_a_thread_stays_with_whoever_answered_in_it(alin: Chat, specialist: Chat, database: Database) -> None:
    second = responsible(database, "second")
    alin.say("联系专员", "在吗")
    deliver(database, specialist)
    specialist.say("回复", "在的")
    deliver(database, alin)
    alin.press("接着说")
    alin.say("谢谢")
    assert specialist.say("留言").endswith("谢谢" + HOW)
    assert "没有等你答复的留言" in second.say("留言")


def test_the_list_asks_whom_the_notice_would_ask(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "在吗")
    with database.read() as session:
        row = session.exec(select(ContactMessage)).one()
        assert waiting_for(session, specialist.person().id) == [row.id]
        assert waiting_for(session, alin.person().id) == []


def test_what_is_gone_or_no_longer_theirs_says_so(alin: Chat, specialist: Chat, database: Database) -> None:
    asks(database, 1)
    alin.say("联系专员", "在吗")
    specialist.say("留言")
    shown = specialist.said
    with database.write() as session:
        held = session.exec(select(RoleGrant)).one()
        held.ended_at = held.granted_at
        session.add(held)
        grant_elsewhere = RoleGrant(
            person_id=held.person_id,
            role="specialist",
            scope_kind="region",
            scope="440305",
            granted_by="machine",
            granted_at=held.granted_at,
        )
        session.add(grant_elsewhere)
    assert "不归你负责" in specialist.act("choice", choice=shown.options[0].id)
    unfollow(database, alin)
    assert "已经不在了" in specialist.act("choice", choice=shown.options[1].id)


def test_whoever_has_a_role_is_offered_the_list(specialist: Chat) -> None:
    for words in ("菜单", "帮助", "今天天气不错"):
        specialist.say(words)
        assert specialist.labels()[:2] == ["留言", "报名注册"]


def test_the_list_is_read_in_english(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "在吗")
    with database.write() as session:
        person = session.get_one(Person, specialist.person().id)
        person.language = "en"
        session.add(person)
    said = specialist.say("messages")
    assert said.startswith("From Volunteer")
    assert "just now" in said
    assert "Please write your reply" in specialist.say("reply")
