"""联系专员: to a person and back."""

from __future__ import annotations

import pytest
from sqlmodel import select

from config.texts import speaking
from handlers.safeguarding import emergency_text
from models.contact import ContactMessage, answers_for, open_contacts
from models.database import Database
from models.outbox import claim, end, hold
from models.person import Person
from models.role import RoleGrant
from tests.chatting import Chat
from tests.outgoing import ACCOUNTS, deliver
from tests.test_account import follow, grant, unfollow


@pytest.fixture
def alin(database: Database) -> Chat:
    chat = Chat(database)
    chat.register()
    return chat


@pytest.fixture
def specialist(database: Database) -> Chat:
    chat = Chat(database, "specialist")
    follow(chat)
    grant(database, chat, "specialist", "440106")
    return chat


def test_words_go_to_the_specialist_and_the_answer_comes_back(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("称呼", "林哥")
    alin.say("联系专员")
    assert "正在转给" in alin.say("下周考试，探访能改到周日吗？")
    sent = deliver(database, specialist)
    number = getattr(alin.volunteer(), "number", "")
    assert f"来自林哥（志愿者 {number}）：\n下周考试，探访能改到周日吗？" == sent[0].text
    specialist.press("回复")
    assert "正在转给对方" in specialist.say("可以，周日上午九点。")
    back = deliver(database, alin)
    assert [(one.sender, one.kind) for one in back] == [("alin", "notice.contact_answer")]
    assert "周日上午九点" in alin.said.text
    alin.press("接着说")
    alin.say("谢谢老师")
    assert [one.sender for one in deliver(database, specialist)] == ["specialist"]
    specialist.press("回复")
    specialist.say("不客气")
    with database.read() as session:
        assert open_contacts(session) == []
        assert len({row.thread for row in session.exec(select(ContactMessage))}) == 1


def test_the_words_are_kept_sealed(alin: Chat, database: Database) -> None:
    alin.say("联系专员", "悄悄话")
    with database.read() as session:
        row = session.exec(select(ContactMessage)).one()
        assert row.words_sealed is not None
        assert "悄悄话".encode() not in row.words_sealed
        assert [waiting.words for waiting in open_contacts(session)] == ["悄悄话"]


def test_nobody_responsible_is_said_honestly_with_the_numbers(alin: Chat, database: Database) -> None:
    assert "还没有负责的同事" in alin.say("联系专员")
    said = alin.say("你好")
    assert all(word in said for word in ("保存", "110", "120", "12110", "12355"))
    assert deliver(database) == []
    with database.read() as session:
        assert [waiting.number for waiting in open_contacts(session)] == [getattr(alin.volunteer(), "number", "")]


def test_on_telegram_no_phone_number_is_shown(alin: Chat, database: Database) -> None:
    far = Chat(database, "2001", "telegram")
    follow(far)
    grant(database, far, "specialist", "440106")
    alin.say("联系专员", "请打 138 0013 8000 找我，身份证 44010620050813001X，下午3点")
    text = deliver(database, far)[0].text
    assert "8000" not in text
    assert "001X" not in text
    assert "下午3点" in text
    assert "王小明" not in text


def test_whoever_is_not_registered_reaches_the_organisers_with_the_widest_scope(database: Database) -> None:
    wide, narrow, asker = Chat(database, "wide"), Chat(database, "narrow"), Chat(database, "asker")
    for chat, scope in ((wide, "44"), (narrow, "4401")):
        follow(chat)
        grant(database, chat, "organiser", scope)
    asker.say("联系专员", "怎么报名？")
    assert [one.sender for one in deliver(database)] == ["wide"]


def test_a_specialist_who_left_is_passed_over_for_the_organiser(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    organiser = Chat(database, "organiser")
    follow(organiser)
    grant(database, organiser, "organiser", "4401")
    unfollow(database, specialist)
    alin.say("联系专员", "在吗")
    assert [one.sender for one in deliver(database)] == ["organiser"]


def test_a_specialist_of_their_own_county_reaches_the_organiser(specialist: Chat, database: Database) -> None:
    organiser = Chat(database, "organiser")
    follow(organiser)
    grant(database, organiser, "organiser", "44")
    specialist.register(phone="13900139000")
    specialist.say("联系专员", "在吗")
    assert [one.sender for one in deliver(database)] == ["organiser"]


def test_nobody_is_asked_to_answer_themselves(specialist: Chat, database: Database) -> None:
    specialist.register(phone="13900139000")
    with database.read() as session:
        assert answers_for(session, specialist.person().id) == []
    assert "还没有负责的同事" in specialist.say("联系专员")


def test_too_long_words_are_asked_again_with_the_count(alin: Chat) -> None:
    alin.say("联系专员")
    assert "1001" in alin.say("字" * 1001)
    assert "保存" in alin.say("字" * 1000)


def test_a_specialist_whose_role_ended_answers_no_more(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "在吗")
    deliver(database, specialist)
    specialist.press("回复")
    with database.write() as session:
        held = session.exec(select(RoleGrant)).one()
        held.ended_at = held.granted_at
        session.add(held)
    assert "不归你负责" in specialist.say("在的")
    assert deliver(database) == []


def test_an_answer_to_somebody_who_left_is_not_passed_on(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("联系专员", "在吗")
    deliver(database, specialist)
    specialist.press("回复")
    unfollow(database, alin)
    assert "已经不在了" in specialist.say("在的")


def test_a_message_answered_by_the_one_is_not_sent_to_the_other_any_more(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    second = Chat(database, "second")
    follow(second)
    grant(database, second, "specialist", "440106")
    alin.say("联系专员", "在吗")
    both = deliver(database, specialist, second)
    assert {one.sender for one in both} == {"specialist", "second"}
    specialist.press("回复")
    specialist.say("在的")
    second.press("回复")
    assert "正在转给对方" in second.say("我也在")
    assert [one.text.splitlines()[-1] for one in deliver(database)] == ["在的", "我也在"]


def test_a_sticker_in_the_middle_is_answered_kindly_and_the_question_stays(alin: Chat) -> None:
    alin.say("联系专员")
    assert "请写下想说的事" in alin.act("media", media_kind="sticker")
    assert "保存" in alin.say("好了")


def deliveries(database: Database) -> list[str]:
    with database.read() as session:
        return [waiting.delivery for waiting in open_contacts(session)]


@pytest.mark.parametrize(
    ("ends", "delivery"),
    [("uncertain", "uncertain"), ("refused", "lost"), ("withdrawn", "lost"), ("sent", "sent")],
)
def test_a_message_stays_open_however_its_delivery_ended_and_says_how(
    alin: Chat, specialist: Chat, database: Database, ends: str, delivery: str
) -> None:
    said = alin.say("联系专员", "在吗")
    assert "已经记下，正在转给" in said
    assert deliveries(database) == ["waiting"]
    with database.write() as session:
        (row,) = claim(session, "test", ACCOUNTS, 10)
        assert end(session, row.id, "test", ends, "")
    assert deliveries(database) == [delivery]


def test_a_message_counts_as_sent_once_one_of_several_has_it(alin: Chat, specialist: Chat, database: Database) -> None:
    second = Chat(database, "second")
    follow(second)
    grant(database, second, "specialist", "440106")
    alin.say("联系专员", "在吗")
    with database.write() as session:
        one, other = claim(session, "test", ACCOUNTS, 10)
        assert end(session, one.id, "test", "refused", "")
        assert hold(session, other.id, "test", "closed")
    assert deliveries(database) == ["waiting"]
    second.say("菜单")
    specialist.say("菜单")
    assert len(deliver(database)) == 1
    assert deliveries(database) == ["sent"]


def test_a_message_that_nobody_could_be_sent_says_so(alin: Chat, database: Database) -> None:
    alin.say("联系专员", "在吗")
    assert deliveries(database) == ["nobody"]


@pytest.mark.parametrize("anybody", [True, False])
@pytest.mark.parametrize(("language", "number"), [("en", "999"), ("zh_HK", "999"), ("zh_CN", "110")])
def test_the_numbers_to_call_are_those_of_the_readers_place(
    alin: Chat, database: Database, anybody: bool, language: str, number: str
) -> None:
    if anybody:
        chat = Chat(database, "specialist")
        follow(chat)
        grant(database, chat, "specialist", "440106")
    with database.write() as session:
        person = session.get_one(Person, alin.person().id)
        person.language = language
        session.add(person)
    alin.say("联系专员")
    said = alin.say("hello there")
    with speaking(language):
        assert emergency_text() in said
    assert number in said
    assert ("999" in said) == (language != "zh_CN")
