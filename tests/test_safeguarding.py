"""Danger words, 紧急求助, 我很担心TA: answered at once, kept, and told to whoever is responsible."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from config.catalogue import rules
from handlers.emergency import emergency_text
from models.alert import Alert, CannotAdd, add_words, open_alerts, words_of
from models.database import Database
from models.outbox import EMERGENCY
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import deliver
from tests.people import follow, grant


@pytest.fixture
def alin(database: Database) -> Chat:
    return Chat(database)


def test_a_broken_character_beside_a_danger_word_is_kept_without_it(alin: Chat, database: Database) -> None:
    alin.say("救命\x00\u200b")
    with database.read() as session:
        assert words_of(session, open_alerts(session)[0]) == "救命"


def test_a_danger_word_is_answered_kept_sealed_and_told(alin: Chat, database: Database) -> None:
    near, far = Chat(database, "specialist"), Chat(database, "2001", "telegram")
    for chat in (near, far):
        follow(chat)
        grant(database, chat, "specialist", "440106")
    alin.register()
    said = alin.say("爸爸又打我了，救命")
    assert said.startswith(emergency_text())
    assert "正在通知" in said
    with database.read() as session:
        kept = open_alerts(session)
        assert [words_of(session, row) for row in kept] == ["爸爸又打我了，救命"]
        assert "救命".encode() not in (kept[0].words_sealed or b"")
        assert kept[0].person_id == alin.person().id
    sent = {one.platform: one for one in deliver(database)}
    assert {one.priority for one in sent.values()} == {EMERGENCY}
    assert "爸爸又打我了" in sent["wechat"].text
    assert "爸爸" not in sent["telegram"].text
    assert "请点链接在网页上看" in sent["telegram"].text
    number = getattr(alin.volunteer(), "number", "")
    for one in sent.values():
        assert number in one.text
        assert "王小明" not in one.text
        assert "13800138000" not in one.text


def test_nobody_on_duty_is_said_honestly(alin: Chat) -> None:
    assert "请一定先打上面的电话" in alin.say("救命")


def test_a_danger_word_in_the_middle_of_a_registration_leaves_the_talk_where_it_was(alin: Chat) -> None:
    alin.say("报名")
    alin.press("同意")
    assert alin.say("救命").startswith(emergency_text())
    assert "手机号" in alin.say("王小明")


def test_what_is_written_in_the_half_hour_after_joins_the_record(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    alin.say("救命")
    assert "已经加到" in alin.say("他拿着刀打我妈，打我")
    clock.pass_time(timedelta(minutes=31))
    alin.say("救命")
    with database.read() as session:
        kept = [words_of(session, row) for row in session.exec(select(Alert).order_by(Alert.at))]  # type: ignore[arg-type]
    assert kept == ["救命\n他拿着刀打我妈，打我", "救命"]


@pytest.mark.parametrize(("way", "source"), [("sos", "sos"), ("worried", "worried")])
def test_the_menu_entries_answer_the_same_and_offer_to_tell_more(
    alin: Chat, database: Database, way: str, source: str
) -> None:
    assert alin.act("menu", menu=way).startswith(emergency_text())
    assert alin.labels() == ["写下发生了什么"]
    assert "谁、在哪里" in alin.press("写下发生了什么")
    assert "加到这条求助里" in alin.say("邻居家孩子好几天没吃饭")
    with database.read() as session:
        row = session.exec(select(Alert)).one()
        assert (row.source, words_of(session, row)) == (source, "邻居家孩子好几天没吃饭")


def test_sos_is_heard_in_the_middle_of_a_talk_and_its_number_means_telling_more(alin: Chat) -> None:
    alin.say("称呼")
    assert alin.say("sos").startswith(emergency_text())
    assert "谁、在哪里" in alin.say("1")
    alin.say("没事了，误按")
    assert "称呼" in alin.said.text


def test_on_telegram_more_is_told_on_a_page_only(database: Database) -> None:
    chat = Chat(database, "1001", "telegram")
    chat.act("menu", menu="sos")
    chat.press("写下发生了什么")
    assert chat.said.links
    assert chat.said.links[0].url.startswith("https://nuanyang.example/p/")


def test_whoever_was_told_hears_of_words_that_come_later(alin: Chat, database: Database) -> None:
    specialist = Chat(database, "specialist")
    follow(specialist)
    grant(database, specialist, "organiser", "44")
    alin.act("menu", menu="sos")
    assert "还没有注册的人" in deliver(database)[0].text
    alin.press("写下发生了什么")
    alin.say("在学校后门")
    assert ["在学校后门" in one.text for one in deliver(database)] == [True]


def test_a_notice_about_a_closed_record_is_not_sent(alin: Chat, database: Database) -> None:
    specialist = Chat(database, "specialist")
    follow(specialist)
    grant(database, specialist, "organiser", "44")
    alin.say("救命")
    with database.write() as session:
        row = session.exec(select(Alert)).one()
        row.state = "closed"
        session.add(row)
    assert [one.reply for one in deliver(database)] == [None]


def records(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        rows = session.exec(select(Alert).order_by(Alert.at, Alert.id))  # type: ignore[arg-type]
        return [(row.source, words_of(session, row)) for row in rows]


@pytest.mark.parametrize("platform", ["wechat", "telegram"])
def test_what_fits_nothing_else_in_the_half_hour_after_joins_the_record(
    database: Database, clock: StoppedClock, platform: str
) -> None:
    chat = Chat(database, "2001", platform)
    chat.act("menu", menu="sos")
    said = chat.say("我在学校后门，他还在外面")
    assert said.startswith(emergency_text())
    assert "已经加到刚才那条求助里" in said
    clock.pass_time(timedelta(minutes=29))
    chat.say("他走了")
    clock.pass_time(timedelta(minutes=2))
    assert "没看懂" in chat.say("今天天气不错")
    assert records(database) == [("sos", "我在学校后门，他还在外面\n他走了")]


def test_after_a_cry_for_help_the_button_below_it_still_means_the_same(alin: Chat, database: Database) -> None:
    alin.act("menu", menu="sos")
    alin.say("我在学校后门")
    assert "谁、在哪里" in alin.say("1")


def test_what_means_something_else_is_not_added_to_the_record(alin: Chat, database: Database) -> None:
    alin.say("救命")
    alin.say("菜单", "谢谢", "帮助")
    alin.say("报名")
    alin.press("同意")
    alin.say("王小明", "取消")
    alin.act("media", media_kind="sticker")
    assert records(database) == [("words", "救命")]


def test_nothing_joins_a_record_that_is_closed(alin: Chat, database: Database) -> None:
    alin.say("救命")
    with database.write() as session:
        row = session.exec(select(Alert)).one()
        row.state = "closed"
        session.add(row)
    assert "没看懂" in alin.say("我到家了呀")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("我很担心TA", ""),
        ("我很担心她。", ""),
        ("I am worried", ""),
        ("我很擔心佢", ""),
        ("我很担心小雨，她好几天没吃饭", "我很担心小雨，她好几天没吃饭"),
        ("I'm worried about my neighbour", "I'm worried about my neighbour"),
    ],
)
def test_a_concern_typed_with_words_keeps_them(alin: Chat, database: Database, typed: str, kept: str) -> None:
    assert alin.say(typed).startswith(emergency_text())
    assert alin.labels() == ["写下发生了什么"]
    assert records(database) == [("worried", kept)]


def test_a_concern_typed_in_the_middle_of_a_registration_keeps_its_words(alin: Chat, database: Database) -> None:
    alin.say("报名")
    alin.press("同意")
    alin.say("我很担心小雨")
    assert records(database) == [("worried", "我很担心小雨")]
    assert "手机号" in alin.say("王小明")


@pytest.mark.parametrize(
    ("cry", "kind"),
    [
        ({"kind": "text", "text": "救命"}, "写了危险的话"),
        ({"kind": "menu", "menu": "sos"}, "按了紧急求助"),
        ({"kind": "text", "text": "我很担心小雨"}, "我很担心TA"),
    ],
)
def test_whoever_is_told_reads_kind_who_and_where_and_what_is_an_addition(
    alin: Chat, database: Database, cry: dict[str, str], kind: str
) -> None:
    near, far = Chat(database, "specialist"), Chat(database, "2001", "telegram")
    for chat in (near, far):
        follow(chat)
        grant(database, chat, "specialist", "440106")
    alin.register()
    alin.say("称呼", "林哥")
    number = getattr(alin.volunteer(), "number", "")
    alin.act(**cry)
    sent = {one.platform: one.text for one in deliver(database)}
    for text in sent.values():
        assert text.startswith("有一条求助，请马上处理。")
        assert f"类型：{kind}" in text
    assert f"求助人：林哥（志愿者 {number}）\n所在地：广东省广州市天河区" in sent["wechat"]
    assert f"求助人：志愿者 {number}\n" in sent["telegram"]
    assert not any(word in sent["telegram"] for word in ("林哥", "天河", "救命", "小雨"))
    alin.say("后门这里")
    alin.say("快点来")
    added = {one.platform: one.text for one in deliver(database)}
    assert "补充：后门这里\n快点来\n" in added["wechat"]
    alin.say("他走了")
    last = {one.platform: one.text for one in deliver(database)}
    assert "补充：他走了\n" in last["wechat"]
    for text in (*added.values(), *last.values()):
        assert "不是新的求助" in text
        assert "请马上处理" not in text
        assert number in text
    assert "后门" not in added["telegram"]


# What is shared and not typed


@pytest.mark.parametrize("platform", ["wechat", "telegram"])
def test_a_place_shared_after_a_cry_for_help_joins_the_record_and_is_told(database: Database, platform: str) -> None:
    specialist = Chat(database, "specialist")
    follow(specialist)
    grant(database, specialist, "organiser", "44")
    chat = Chat(database, "1001", platform)
    chat.act("menu", menu="sos")
    deliver(database)
    said = chat.act("location", latitude=23.1291, longitude=113.3612)
    assert said.startswith(emergency_text())
    assert "已经加到刚才那条求助里" in said
    assert records(database) == [("sos", "位置（WGS-84）：纬度 23.129100，经度 113.361200")]
    assert "纬度 23.129100" in deliver(database)[0].text
    with database.read() as session:
        assert b"23.129" not in (session.exec(select(Alert)).one().more_sealed or b"")


def test_a_place_in_the_middle_of_another_talk_joins_the_record_and_the_talk_goes_on(
    alin: Chat, database: Database
) -> None:
    alin.say("报名")
    alin.press("同意")
    alin.say("救命")
    said = alin.act("location", latitude=23.1291, longitude=113.3612)
    assert "已经加到" in said
    assert "请写你的姓名" in said
    assert "纬度 23.129100" in records(database)[0][1]


def test_a_place_that_a_question_asks_for_joins_the_record_and_is_its_answer(alin: Chat, database: Database) -> None:
    alin.say("报名")
    alin.press("同意")
    alin.say("王小明", "13800138000", "2005-08-13")
    alin.say("救命")
    said = alin.act("location", latitude=23.1291, longitude=113.3612)
    assert said.startswith(emergency_text())
    assert "是下面哪一个" in said
    assert "天河区" in " ".join(alin.labels())
    assert records(database) == [("words", "救命\n位置（WGS-84）：纬度 23.129100，经度 113.361200")]


@pytest.mark.parametrize("platform", ["wechat", "telegram"])
def test_a_place_is_an_answer_to_what_happened(database: Database, platform: str) -> None:
    chat = Chat(database, "1001", platform)
    chat.act("menu", menu="sos")
    chat.press("写下发生了什么")
    assert "已经加到这条求助里" in chat.act("location", latitude=23.1291, longitude=113.3612)
    assert records(database) == [("sos", "位置（WGS-84）：纬度 23.1291，经度 113.3612")]


def test_a_place_without_a_cry_for_help_is_not_kept(alin: Chat, database: Database, clock: StoppedClock) -> None:
    assert "没有保存" in alin.act("location", latitude=23.1291, longitude=113.3612)
    alin.say("救命")
    clock.pass_time(timedelta(minutes=31))
    assert "没有保存" in alin.act("location", latitude=23.1291, longitude=113.3612)
    assert records(database) == [("words", "救命")]


def test_words_below_a_picture_after_a_cry_for_help_join_the_record(alin: Chat, database: Database) -> None:
    alin.say("救命")
    said = alin.act("media", media_kind="image", text="他就在门口")
    assert said.startswith(emergency_text())
    assert "已经加到" in said
    assert "看不懂" in alin.act("media", media_kind="image")
    alin.say("报名")
    said = alin.act("media", media_kind="image", text="穿黑衣服")
    assert "已经加到" in said
    assert "同意吗" in said
    assert records(database) == [("words", "救命\n他就在门口\n穿黑衣服")]


# So much, and no more


def test_a_record_that_is_full_takes_no_more_words_and_says_so_with_the_numbers(alin: Chat, database: Database) -> None:
    most = rules().safety.alert_characters
    alin.say("救命")
    for _time in range(most // 2_000):
        assert "已经加到" in alin.say("字" * 1_990)
    for said in (
        alin.say("字" * 1_990),
        alin.act("media", media_kind="image", text="字" * 1_990),
    ):
        assert said.startswith(emergency_text())
        assert "没有加进去" in said
        assert "已经加到" not in said
    assert len(records(database)) == 1
    assert len(records(database)[0][1]) <= most + 2
    alin.act("location", latitude=23.1291, longitude=113.3612)
    assert "纬度 23.129100" in records(database)[0][1], "what still fits is taken"


def test_a_danger_word_after_the_record_is_full_opens_a_new_one_and_is_told_again(
    alin: Chat, database: Database, clock: StoppedClock
) -> None:
    specialist = Chat(database, "specialist")
    follow(specialist)
    grant(database, specialist, "organiser", "44")
    alin.say("救命")
    fill(database)
    deliver(database)
    clock.pass_time(timedelta(minutes=1))
    said = alin.say("他又打我了")
    assert said.startswith(emergency_text())
    assert "正在通知" in said
    (told,) = deliver(database)
    assert told.text.startswith("再次求助：同一个人又在求助，请马上处理。")
    assert "写的话：他又打我了" in told.text
    assert "已经加到" in alin.say("救命，在后门"), "the new record goes on"
    assert [words for _source, words in records(database)][1:] == ["他又打我了\n救命，在后门"]


def fill(database: Database) -> None:
    """Nothing more goes into the one record there is."""
    with database.write() as session:
        alert = session.exec(select(Alert)).one()
        add_words(session, alert, "字" * rules().safety.alert_characters)


@pytest.mark.parametrize("platform", ["wechat", "telegram"])
def test_a_danger_word_told_as_more_of_a_full_record_opens_a_new_one(database: Database, platform: str) -> None:
    chat = Chat(database, "1001", platform)
    chat.act("menu", menu="sos")
    chat.press("写下发生了什么")
    fill(database)
    assert emergency_text() in chat.say("他又打我了")
    assert [words for _source, words in records(database)][1:] == ["他又打我了"]


# What only waits


def test_telling_more_into_a_full_record_says_that_nothing_was_added(alin: Chat, database: Database) -> None:
    alin.act("menu", menu="sos")
    alin.press("写下发生了什么")
    with database.write() as session:
        alert = session.exec(select(Alert)).one()
        add_words(session, alert, "字" * rules().safety.alert_characters)
        with pytest.raises(CannotAdd, match="full"):
            add_words(session, alert, "字")
    said = alin.say("在后门")
    assert "没有加进去" in said
    assert emergency_text() in said
