"""联系专员: to a person and back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from config.catalogue import rules
from config.texts import speaking
from handlers import onpage
from handlers.emergency import emergency_text
from handlers.message import Written
from models.contact import ContactMessage, answers_for, may_read, open_contacts, write
from models.database import Database
from models.outbox import end, hold
from models.page import open_page
from models.person import Person
from models.role import RoleGrant
from models.volunteer import volunteer_of
from scheduler import jobs
from tests import outgoing
from tests.chatting import PUBLIC, Chat
from tests.conftest import StoppedClock
from tests.outgoing import ACCOUNTS, Sent, claim, deliver
from tests.people import alin as alin
from tests.people import end_role, follow, grant, unfollow
from tests.people import specialist as specialist

HOW = "\n要答复，请先选“回复”，再写要说的话。"


def test_words_go_to_the_specialist_and_the_answer_comes_back(alin: Chat, specialist: Chat, database: Database) -> None:
    alin.say("称呼", "林哥")
    alin.say("联系专员")
    assert "正在转给" in alin.say("下周考试，探访能改到周日吗？")
    sent = deliver(database, specialist)
    number = getattr(alin.volunteer(), "number", "")
    assert f"来自林哥（志愿者 {number}）：\n下周考试，探访能改到周日吗？{HOW}" == sent[0].text
    specialist.press("回复")
    assert "正在转给对方" in specialist.say("可以，周日上午九点。")
    back = deliver(database, alin)
    assert [(one.sender, one.kind) for one in back] == [("alin", "notice.contact_answer")]
    assert alin.said.text == "负责的同事回复你：\n可以，周日上午九点。\n（你问的是：“下周考试，探访能改到周日吗？”）"
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


ADDRESS = "请到天河区体育东路 12 号找我，138 0013 8000。下午3点"


def written_on(database: Database, sent: Sent) -> Written | None:
    """What the page behind a notice's link shows."""
    assert sent.reply is not None
    (link,) = sent.reply.links
    assert link.url.startswith(f"{PUBLIC}/p/")
    with database.read() as session:
        page = open_page(session, link.url.rsplit("/", 1)[1])
        return onpage.message(session, page) if page is not None else None


def test_on_telegram_nothing_of_the_words_is_shown_and_a_page_has_them(alin: Chat, database: Database) -> None:
    far = Chat(database, "2001", "telegram")
    follow(far)
    grant(database, far, "specialist", "440106")
    alin.say("称呼", "林哥")
    alin.say("联系专员", ADDRESS)
    (sent,) = deliver(database, far)
    number = getattr(alin.volunteer(), "number", "")
    assert sent.text.startswith(f"有人联系你（志愿者 {number}）。")
    assert not any(word in sent.text for word in ("体育东路", "8000", "下午", "林哥"))
    assert written_on(database, sent) == Written(f"来自林哥（志愿者 {number}）", ADDRESS)
    far.press("回复")
    assert "正在转给对方" in far.say("好的")


def test_an_answer_to_a_volunteer_on_telegram_is_read_on_a_page_too(specialist: Chat, database: Database) -> None:
    far = Chat(database, "1001", "telegram")
    far.register()
    far.say("联系专员", "在哪里集合？")
    assert deliver(database, specialist)[0].text.endswith("在哪里集合？" + HOW)
    specialist.press("回复")
    specialist.say(ADDRESS)
    (sent,) = deliver(database, far)
    assert sent.text.startswith("负责的同事回复你了。你的留言写于：刚刚。")
    assert "我的数据" in sent.text
    assert not any(word in sent.text for word in ("体育东路", "8000"))
    assert written_on(database, sent) == Written("负责的同事的回复", ADDRESS)
    assert far.labels() == ["接着说"]


def test_a_page_shows_its_words_only_as_long_as_they_are_for_its_reader(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    far = Chat(database, "2001", "telegram")
    follow(far)
    grant(database, far, "specialist", "440106")
    alin.say("联系专员", "在吗")
    (sent,) = deliver(database)
    assert written_on(database, sent) is not None
    with database.write() as session:
        held = session.exec(select(RoleGrant)).one()
        held.ended_at = held.granted_at
        session.add(held)
    assert written_on(database, sent) is None, "no role, no words"
    with database.write() as session:
        session.get_one(RoleGrant, held.id).ended_at = None
    assert written_on(database, sent) is not None
    clock.pass_time(timedelta(hours=72))
    assert written_on(database, sent) is None, "too old"


def test_words_that_were_taken_back_are_on_no_page_any_more(alin: Chat, database: Database) -> None:
    far = Chat(database, "2001", "telegram")
    follow(far)
    grant(database, far, "specialist", "440106")
    alin.say("联系专员", "在吗")
    (sent,) = deliver(database)
    unfollow(database, alin)
    assert written_on(database, sent) is None


def test_where_no_page_can_be_offered_telegram_still_shows_no_words(
    alin: Chat, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "PUBLIC", "")
    far = Chat(database, "2001", "telegram")
    follow(far)
    grant(database, far, "specialist", "440106")
    alin.say("联系专员", ADDRESS)
    (sent,) = deliver(database)
    assert "体育东路" not in sent.text
    assert "微信" in sent.text


def test_so_many_messages_an_hour_are_taken_and_the_next_is_refused_with_the_numbers(
    alin: Chat, specialist: Chat, database: Database, clock: StoppedClock
) -> None:
    most = rules().messages.contacts_per_hour
    with database.write() as session:
        for number in range(most - 1):
            write(session, alin.person().id, f"第{number}句")
    assert "正在转给" in alin.say("联系专员", "最后一句")
    for said in (alin.say("联系专员"), alin.say("联系专员")):
        assert f"最多写 {most} 条" in said
        assert emergency_text() in said
    with database.read() as session:
        assert len(open_contacts(session)) == most
    clock.pass_time(timedelta(minutes=61))
    assert "正在转给" in alin.say("联系专员", "过了一小时")


def test_a_message_that_became_too_many_while_it_was_written_says_that_it_was_not_kept(
    alin: Chat, database: Database
) -> None:
    alin.say("联系专员")
    with database.write() as session:
        for number in range(rules().messages.contacts_per_hour):
            write(session, alin.person().id, f"第{number}句")
    said = alin.say("又一句")
    assert "没有转，也没有保存" in said
    assert emergency_text() in said


def test_one_persons_many_messages_stop_nobody_else(alin: Chat, database: Database) -> None:
    with database.write() as session:
        for number in range(rules().messages.contacts_per_hour):
            write(session, alin.person().id, f"第{number}句")
    other = Chat(database, "other")
    assert "记下了" in other.say("联系专员", "在吗")


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


def test_whoever_answered_and_holds_a_role_in_a_team_only_hears_and_reads_no_more(
    alin: Chat, database: Database
) -> None:
    far, organiser = Chat(database, "2001", "telegram"), Chat(database, "organiser")
    for chat, name, scope in ((far, "specialist", "440106"), (organiser, "organiser", "44")):
        follow(chat)
        grant(database, chat, name, scope)
    alin.say("联系专员", "在吗")
    (asked,) = deliver(database, far)
    far.press("回复")
    far.say("在的")
    deliver(database, alin)
    alin.press("接着说")
    alin.say("第一句秘密")
    (going_on,) = deliver(database, far)
    assert going_on.sender == "2001"
    assert written_on(database, going_on) is not None
    end_role(database, far)
    grant(database, far, "specialist", "sun", kind="team")
    assert written_on(database, asked) is None
    assert written_on(database, going_on) is None
    far.press("回复")
    assert "不归你负责" in far.say("我还在")
    assert jobs.hand_over(database) == 1
    (passed,) = deliver(database, organiser)
    assert (passed.sender, passed.text.splitlines()[-2]) == ("organiser", "第一句秘密")
    with database.write() as session:
        thread = session.exec(select(ContactMessage.thread).distinct()).one()
        _row, told = write(session, alin.person().id, "第二句秘密", thread)
        assert told == 1
    assert [one.sender for one in deliver(database)] == ["organiser"]


def test_whoever_moved_to_another_county_is_read_by_those_who_answer_there_only(
    alin: Chat, specialist: Chat, database: Database
) -> None:
    there = Chat(database, "there")
    follow(there)
    grant(database, there, "specialist", "440305")
    alin.say("联系专员", "在吗")
    with database.write() as session:
        row = session.exec(select(ContactMessage)).one()
        volunteer = volunteer_of(session, alin.person().id)
        assert volunteer is not None
        volunteer.county = "440305"
        session.add(volunteer)
        session.flush()
        assert not may_read(session, row, specialist.person().id)
        assert may_read(session, row, there.person().id)


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
    assert [one.text.splitlines()[-2] for one in deliver(database)] == ["在的", "我也在"]


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
