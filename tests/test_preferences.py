"""Language, quiet hours, pause, form of address."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from config import texts
from handlers.checks import form_of_address
from handlers.dialogue import Invalid
from models.database import Database
from models.person import Person, address_form, is_paused, is_quiet
from tests.chatting import Chat

CATALOGUE = texts.catalogue
ENGLISH = {
    "请写你的手机号。": "Your mobile number, please.",
    "好的，以后用{language}和你说话。": "We speak {language} now.",
}


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few translations of our own, so that a better wording breaks nothing here."""
    monkeypatch.setattr("config.texts.catalogue", lambda language: ENGLISH if language == "en" else {})


@pytest.fixture
def alin(database: Database) -> Chat:
    return Chat(database)


def test_the_language_is_chosen_and_confirmed_in_the_new_one(alin: Chat) -> None:
    alin.say("语言")
    assert alin.labels() == ["简体中文", "繁體中文（香港）", "English"]
    alin.press("English")
    assert alin.person().language == "en"
    assert "English" in alin.said.text


def test_a_language_may_be_chosen_by_number_or_word(alin: Chat) -> None:
    alin.say("语言", "2")
    assert alin.person().language == "zh_HK"
    alin.say("language", "简体")
    assert alin.person().language == "zh_CN"


def test_a_registration_pushed_aside_goes_on_after_the_language_was_changed(alin: Chat) -> None:
    alin.say("报名")
    alin.press("同意")
    alin.say("王小明")
    alin.act("menu", menu="language")
    alin.press("English")
    assert alin.person().language == "en"
    alin.say("13800138000", "2005-08-13", "广州天河")
    assert alin.said.options
    alin.act("choice", choice=alin.said.options[0].id)
    registered = alin.volunteer()
    assert registered is not None
    assert registered.county == "440106"


def test_the_resumed_question_is_asked_in_the_new_language(alin: Chat) -> None:
    alin.say("报名")
    alin.press("同意")
    alin.say("王小明")
    alin.act("menu", menu="language")
    said = alin.press("English")
    assert said.startswith("We speak English now.")
    assert said.endswith("Your mobile number, please.")


@pytest.mark.parametrize(
    ("language", "zone", "said"),
    [
        ("zh_CN", "Asia/Shanghai", "（按北京时间）"),
        ("zh_CN", "Asia/Tokyo", "（按 Asia/Tokyo 时间）"),
        ("en", "Asia/Hong_Kong", "(Hong Kong time)"),
        ("en", "Asia/Tokyo", "(Asia/Tokyo time)"),
    ],
)
def test_the_zone_of_quiet_hours_is_named_as_the_language_writes_it(
    alin: Chat, monkeypatch: pytest.MonkeyPatch, language: str, zone: str, said: str
) -> None:
    monkeypatch.setattr("config.texts.catalogue", CATALOGUE)
    alin.act("follow")
    with alin.database.write() as session:
        person = session.get_one(Person, alin.person().id)
        person.language, person.zone = language, zone
        session.add(person)
    alin.say("免打扰")
    assert said in alin.say("22:00-08:00")


def test_quiet_hours_are_typed_or_taken_from_the_list(alin: Chat) -> None:
    assert "21:00–08:30" in alin.say("免打扰")
    assert "22:00 到 08:00" in alin.say("22:00-08:00")
    assert (alin.person().quiet_from, alin.person().quiet_until) == (time(22), time(8))
    assert "22:00–08:00" in alin.say("免打扰")
    alin.press("23:00–09:00")
    assert (alin.person().quiet_from, alin.person().quiet_until) == (time(23), time(9))


def test_quiet_hours_can_be_off_and_on_again(alin: Chat) -> None:
    alin.say("免打扰")
    assert "已经关闭" in alin.press("关闭免打扰")
    assert not is_quiet(alin.person(), datetime(2026, 11, 22, 16, 0, tzinfo=UTC))
    assert "已关闭" in alin.say("免打扰")
    alin.press("21:00–08:30")
    assert is_quiet(alin.person(), datetime(2026, 11, 22, 16, 0, tzinfo=UTC))


def test_nonsense_hours_are_asked_again_with_an_example(alin: Chat) -> None:
    alin.say("免打扰")
    assert "22:00-08:00" in alin.say("晚上别吵")
    assert "没有这个时间" in alin.say("25:00-08:00")
    assert "22:30 到 07:30" in alin.say("22点半到早上7点半")


def test_quiet_hours_follow_the_zone_of_the_person() -> None:
    night = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)  # 22:00 in Shanghai, 09:00 in New York
    at_home = Person(created_at=night)
    abroad = Person(created_at=night, zone="America/New_York")
    assert is_quiet(at_home, night)
    assert not is_quiet(abroad, night)
    assert not is_quiet(at_home, datetime(2026, 11, 22, 0, 30, tzinfo=UTC))  # 08:30 on the dot


def test_a_pause_is_set_told_and_ended(alin: Chat) -> None:
    assert "紧急消息照常" in alin.say("暂停")
    assert "2026-11-29" in alin.press("一周")
    assert alin.person().paused_until == date(2026, 11, 29)
    assert "2026-11-29" in alin.say("暂停")
    alin.press("现在恢复")
    assert alin.person().paused_until is None
    alin.say("暂停")
    assert "现在恢复" not in alin.labels()


def test_a_pause_until_a_typed_day_is_at_most_a_year_long(alin: Chat) -> None:
    alin.say("暂停")
    assert "最长可以暂停一年" in alin.say("2028-01-01")
    assert "已经过了" in alin.say("2026-11-01")
    assert "日历上没有" in alin.say("2027-02-29")
    assert "2027-03-01" in alin.say("3月1日")
    assert alin.person().paused_until == date(2027, 3, 1)


def test_a_pause_holds_up_to_and_including_its_day() -> None:
    person = Person(created_at=datetime(2026, 11, 22, tzinfo=UTC), paused_until=date(2026, 11, 29))
    assert is_paused(person, datetime(2026, 11, 29, 15, 59, tzinfo=UTC))  # 23:59 in Shanghai
    assert not is_paused(person, datetime(2026, 11, 29, 16, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("words", "day"),
    [("明天", "2026-11-23（星期一）"), ("下周三", "2026-11-25（星期三）"), ("两周后", "2026-12-06（星期日）")],
)
def test_a_day_told_in_words_is_echoed_with_weekday_and_date(alin: Chat, words: str, day: str) -> None:
    alin.say("暂停")
    assert f"暂停到 {day}，含当天" in alin.say(words)
    assert alin.person().paused_until == date.fromisoformat(day[:10])
    assert f"现在已经暂停到 {day}" in alin.say("暂停")


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("pause until tomorrow", date(2026, 11, 23)),
        ("Pause messages for two weeks", date(2026, 12, 6)),
        ("暂停两周", date(2026, 12, 6)),
        ("請暫停一個月", date(2026, 12, 22)),
        ("pause two weeks", date(2026, 12, 6)),
        ("Please pause messages 3 days", date(2026, 11, 25)),
        ("暂停到下周三", date(2026, 11, 25)),
        ("請暫停到3月1日", date(2027, 3, 1)),
    ],
)
def test_a_pause_is_set_by_one_message_that_says_all(alin: Chat, words: str, day: date) -> None:
    assert day.isoformat() in alin.say(words)
    assert alin.person().paused_until == day


def test_a_pause_until_what_is_no_day_asks_for_one(alin: Chat) -> None:
    said = alin.say("暂停到猴年马月")
    assert said.startswith("请写一个日期")
    assert "想暂停到哪一天？" in said
    assert "2026-11-23" in alin.say("明天")


@pytest.mark.parametrize("words", ["暂停怎么弄", "pause please", "暂停一下行吗"])
def test_a_wish_to_pause_that_tells_no_day_asks_for_one(alin: Chat, words: str) -> None:
    said = alin.say(words)
    assert "请写一个日期" not in said
    assert alin.person().paused_until is None


@pytest.mark.parametrize("words", ["免打扰 22点到7点", "quiet hours 10pm to 7am", "勿扰：晚上十点到早上七点"])
def test_quiet_hours_are_set_by_one_message_that_says_all(alin: Chat, words: str) -> None:
    assert "22:00 到 07:00" in alin.say(words)
    assert (alin.person().quiet_from, alin.person().quiet_until) == (time(22), time(7))


def test_a_question_about_quiet_hours_sets_nothing(alin: Chat) -> None:
    assert "想改成几点到几点？" in alin.say("免打扰怎么设")


def test_a_form_of_address_is_kept_sealed_and_taken_back(alin: Chat, database: Database) -> None:
    assert "陈姐" in alin.say("称呼")
    assert "“林哥”" in alin.say("林哥")
    with database.read() as session:
        assert address_form(session, alin.person()) == "林哥"
    assert b"\xe6\x9e\x97\xe5\x93\xa5" not in (alin.person().address_form_sealed or b"")
    alin.say("称呼")
    alin.press("不用称呼了")
    assert alin.person().address_form_sealed is None


@pytest.mark.parametrize(
    "words", ["哥", "一二三四五六七八九十多", "13800138000", "😀😀", "傻瓜哥", "官方客服", "Admin", "<b>a"]
)
def test_a_form_of_address_that_abuses_or_misleads_is_refused(words: str) -> None:
    with pytest.raises(Invalid):
        form_of_address(words)


@pytest.mark.parametrize("words", ["陈姐", "林哥", "周老师", "Auntie Mei", "阿依古丽", "Mr. Wong"])
def test_a_usual_form_of_address_is_taken(words: str) -> None:
    assert form_of_address(words) == words
