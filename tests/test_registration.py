"""Registering as a volunteer: what is kept, what is not, and what happens off the good way (see also transcripts)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from config import catalogue
from config.catalogue import rules, use_rules
from handlers.dialogue import Finished, Waiting, replay
from handlers.registration import REGISTRATION, Ended, Facts, Submit
from models import volunteer as volunteers
from models.audit import AuditEntry
from models.consent import Consent, standing
from models.conversation import lock
from models.database import Database
from models.ids import new_number
from models.page import open_page
from models.volunteer import Registered, Volunteer, register
from tests.chatting import Chat
from tests.conftest import StoppedClock

PLATFORMS = pytest.mark.parametrize("platform", ["wechat", "telegram"])


@pytest.fixture
def own_rules(tmp_path: Path) -> Iterator[Path]:
    """A deployment's own rules file, taken away afterwards."""
    yield tmp_path / "rules.toml"
    catalogue._file.clear()
    rules.cache_clear()


@PLATFORMS
def test_seven_messages_make_a_volunteer(database: Database, platform: str) -> None:
    chat = Chat(database, platform=platform)
    assert "注册成功" in chat.register_by_talk()
    assert chat.count <= 7
    row = chat.volunteer()
    assert row is not None
    assert row.number in chat.said.text
    assert (row.status, row.birth_date, row.county) == ("active", date(2005, 8, 13), "440106")
    assert [option.id for option in chat.said.options] == ["m:more_profile", "m:my"]
    with database.read() as session:
        assert volunteers.name_of(session, row) == "王小明"
        assert volunteers.phone_of(session, row) == "+8613800138000"


@pytest.mark.parametrize("typed", ["同意", "同意吧", "我同意", "是", "是的", "yes", "I agree", "Agree", "1"])
def test_a_clear_yes_agrees_to_the_notice(database: Database, typed: str) -> None:
    chat = Chat(database)
    chat.say("报名")
    assert "请写你的姓名" in chat.say(typed)


@pytest.mark.parametrize("typed", ["好的", "好", "收到", "ok", "[OK]", "嗯", "知道了", "我同意吗"])
def test_a_bare_acknowledgement_agrees_to_nothing(database: Database, typed: str) -> None:
    chat = Chat(database)
    chat.say("报名")
    assert "同意吗" in chat.say(typed)
    assert chat.labels() == ["同意", "不同意", "我以前注册过", "看完整的隐私说明"]


@pytest.mark.parametrize("typed", ["对", "都對", "没错", "好", "好的", "ok", "OK", "yes", "確認", "提交", "1"])
def test_a_yes_under_the_summary_submits(database: Database, typed: str) -> None:
    chat = Chat(database)
    chat.say("报名", "同意", "王小明", "13800138000", "2005-08-13", "广州天河")
    assert "注册成功" in chat.say(typed)


@pytest.mark.parametrize("typed", ["不对", "no", "收到", "错了"])
def test_what_is_no_yes_under_the_summary_submits_nothing(database: Database, typed: str) -> None:
    chat = Chat(database)
    chat.say("报名", "同意", "王小明", "13800138000", "2005-08-13", "广州天河", typed)
    assert "提交" in chat.labels()
    assert chat.volunteer() is None


@pytest.mark.parametrize("typed", ["hi", "Hello!", "hi there", "你好", "您好呀", "早上好", "在吗？"])
def test_a_hello_outside_a_talk_gets_the_greeting(database: Database, typed: str) -> None:
    chat = Chat(database)
    greeting = chat.act("follow")
    assert chat.say(typed) == greeting
    assert chat.labels() == ["报名注册", "我以前注册过", "语言 Language"]
    assert "没看懂" in chat.say("你好像不对")


def test_whoever_is_registered_is_not_offered_to_register(database: Database) -> None:
    chat = Chat(database)
    for words in ("今天天气不错", "帮助"):
        chat.say(words)
        assert chat.labels() == ["报名注册", "我的", "联系专员"]
    chat.register_by_talk()
    for words in ("今天天气不错", "帮助"):
        chat.say(words)
        assert chat.labels() == ["我的", "联系专员"]
    chat.act("media", media_kind="sticker")
    assert chat.labels() == ["我的", "联系专员"]


def test_the_consent_is_kept_with_version_language_and_time(database: Database) -> None:
    chat = Chat(database)
    chat.register_by_talk()
    with database.read() as session:
        (given,) = standing(session, chat.person().id)
    assert (given.kind, given.giver, given.version, given.language) == ("registration", "self", "2026-11", "zh_CN")
    assert given.given_at == datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def test_the_consent_is_kept_in_the_language_in_which_it_was_given(database: Database) -> None:
    chat = Chat(database)
    chat.say("报名")
    chat.press("同意")
    chat.say("王小明", "13800138000", "2005-08-13", "广州天河", "English")
    assert chat.labels()[0] == "Submit"
    chat.press("Submit")
    with database.read() as session:
        (given,) = standing(session, chat.person().id)
    assert (given.version, given.language) == ("2026-11", "zh_CN")


def test_a_consent_stored_before_it_told_its_language_still_stands() -> None:
    at = replay(REGISTRATION, Facts(today="2026-11-22"), {"consent": {"c": "agree:2026-11"}})
    assert isinstance(at, Waiting)
    assert at.ask.key == "name"


def test_a_consent_to_an_earlier_notice_is_asked_again() -> None:
    at = replay(REGISTRATION, Facts(today="2026-11-22"), {"consent": {"c": "agree:2025-01:zh_CN"}})
    assert isinstance(at, Waiting)
    assert at.ask.key == "consent"


@pytest.mark.parametrize("label", ["不同意", "我以前注册过"])
def test_who_does_not_agree_leaves_nothing_behind(database: Database, label: str) -> None:
    chat = Chat(database)
    chat.say("报名")
    chat.press(label)
    assert chat.volunteer() is None
    with database.write() as session:
        assert session.exec(select(Consent)).all() == []
        state = lock(session, chat.person().id)
        assert state.runs == []


def test_nothing_is_stored_before_submitting(database: Database) -> None:
    chat = Chat(database)
    chat.say("报名")
    chat.press("同意")
    chat.say("王小明", "13800138000", "2005-08-13", "广州天河")
    with database.read() as session:
        for table in ("volunteer", "consent", "blind_index"):
            assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0
    chat.say("取消")
    assert chat.volunteer() is None


def test_a_half_done_registration_is_found_again_by_a_new_process(database: Database) -> None:
    chat = Chat(database)
    chat.say("报名")
    chat.press("同意")
    chat.say("王小明", "13800138000")
    again = Chat(Database(database.url.render_as_string(hide_password=False), database.vault, database.clock))
    again.count = chat.count
    again.say("2005-08-13", "广州天河")
    assert "注册成功" in again.press("提交")
    again.database.dispose()


def test_a_new_privacy_notice_asks_for_consent_again_and_loses_no_answer(database: Database, own_rules: Path) -> None:
    chat = Chat(database)
    chat.say("报名")
    chat.press("同意")
    chat.say("王小明", "13800138000", "2005-08-13", "广州天河")
    own_rules.write_text('[registration]\nnotice_version = "2027-01"\n', "utf-8")
    use_rules(own_rules)
    assert "2027-01" in chat.press("提交")
    # The pressed 提交 was kept, so that one tap is enough.
    assert "注册成功" in chat.press("同意")
    with database.read() as session:
        (given,) = standing(session, chat.person().id)
    assert given.version == "2027-01"


def test_a_tightened_minimum_age_asks_for_the_birth_date_again(database: Database, own_rules: Path) -> None:
    chat = Chat(database)
    chat.say("报名")
    chat.press("同意")
    chat.say("王小明", "13800138000", "2014-08-13", "广州天河")
    own_rules.write_text("[registration]\nminimum_age = 14\n", "utf-8")
    use_rules(own_rules)
    assert "满 14 岁" in chat.press("提交")
    assert chat.volunteer() is None


def test_a_half_done_registration_of_somebody_registered_meanwhile_says_so(database: Database) -> None:
    chat = Chat(database)
    chat.say("报名")
    chat.press("同意")
    chat.say("王小明", "13800138000", "2005-08-13", "广州天河")
    with database.write() as session:
        register(session, chat.person(), Registered("王小明", "+8613800138000", date(2005, 8, 13), "440106"))
    assert "已经注册过了" in chat.press("提交")


@PLATFORMS
def test_whose_phone_is_registered_cannot_be_found_out_by_registering(database: Database, platform: str) -> None:
    first = Chat(database, "first", platform)
    first.register_by_talk()
    second, third = Chat(database, "second", platform), Chat(database, "third", platform)
    duplicate, new = second.register_by_talk(), third.register_by_talk(phone="13900139000")
    numbers = [chat.volunteer().number for chat in (second, third)]  # type: ignore[union-attr]
    assert duplicate.replace(numbers[0], "#") == new.replace(numbers[1], "#")
    with database.read() as session:
        found = session.exec(select(AuditEntry).where(AuditEntry.action == "volunteer.possible_duplicate")).all()
    assert [entry.subject for entry in found] == [second.volunteer().id]  # type: ignore[union-attr]


def test_a_number_that_is_taken_is_drawn_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Chat(database, "first")
    first.register_by_talk()
    taken = first.volunteer()
    assert taken is not None
    drawn = iter([taken.number, taken.number, new_number()])
    monkeypatch.setattr(volunteers, "new_number", lambda: next(drawn))
    second = Chat(database, "second")
    assert "注册成功" in second.register_by_talk(phone="13900139000")
    assert list(drawn) == []


def test_a_volunteer_is_recognised_at_once(database: Database) -> None:
    chat = Chat(database)
    chat.register_by_talk()
    assert "已经注册过了" in chat.say("报名")
    assert "m:profile" in [option.id for option in chat.said.options]
    with database.read() as session:
        assert len(session.exec(select(Volunteer)).all()) == 1


@PLATFORMS
def test_a_minor_waits_and_gets_a_text_with_page_and_code_to_forward(database: Database, platform: str) -> None:
    chat = Chat(database, platform=platform)
    said = chat.register_by_talk(name="李小雨", born="2014-05-01")
    row = chat.volunteer()
    assert row is not None
    assert row.status == "waiting_guardian"
    assert "李小雨" not in said
    assert "小雨同学" in said
    token = said.partition("/p/")[2][:22]
    with database.read() as session:
        page = open_page(session, token)
    assert page is not None
    assert page.facts["called"] == "小雨同学"
    assert f"监护 {page.facts['code']}" in said


def test_asking_again_gives_a_new_code_and_ends_the_old_page(database: Database, clock: StoppedClock) -> None:
    chat = Chat(database)
    old = chat.register_by_talk(name="李小雨", born="2011-05-01").partition("/p/")[2][:22]
    clock.pass_time(timedelta(days=1))
    new = chat.say("报名").partition("/p/")[2][:22]
    with database.read() as session:
        assert open_page(session, old) is None
        assert open_page(session, new) is not None


@pytest.mark.parametrize(("born", "asked"), [("2010-11-22", True), ("2010-11-23", False), ("2008-11-22", False)])
def test_only_between_sixteen_and_eighteen_own_earnings_are_asked(born: str, asked: bool) -> None:
    answers = {"consent": {"c": "agree:2026-11"}, "name": {"t": "王小明"}, "phone": {"t": "13800138000"}}
    at = replay(REGISTRATION, Facts(today="2026-11-22"), {**answers, "birth_date": {"t": born}})
    assert isinstance(at, Waiting)
    assert (at.ask.key == "self_supporting") is asked


def test_answers_of_a_branch_that_died_by_a_correction_are_gone() -> None:
    facts = Facts(today="2026-11-22")
    answers = {
        "consent": {"c": "agree:2026-11"},
        "name": {"t": "王小明"},
        "phone": {"t": "13800138000"},
        "birth_date": {"t": "2005-08-13"},
        "self_supporting": {"c": "yes"},
        "county": {"t": "鼓楼"},
        "county_2": {"c": "350102"},
        "confirm": {"c": "submit"},
    }
    end = replay(REGISTRATION, facts, answers)
    assert isinstance(end, Finished)
    assert "self_supporting" not in end.answers
    assert end.command == Submit(
        "2026-11",
        Registered("王小明", "+8613800138000", date(2005, 8, 13), "350102", self_supporting=False),
        "agree:2026-11",
    )


def test_somebody_registered_is_asked_nothing() -> None:
    assert replay(REGISTRATION, Facts(registered=True), {}) == Finished(Ended("known"))


def test_the_stored_facts_of_an_older_version_are_still_understood() -> None:
    assert Facts.model_validate({}) == Facts()
    assert Facts.model_validate({"today": "2026-11-22", "dropped": 1}).today == "2026-11-22"


@pytest.mark.parametrize("key", ["name", "phone", "birth_date", "county"])
def test_every_answer_can_be_corrected_with_one_tap_at_the_summary(database: Database, key: str) -> None:
    label, new = {
        "name": ("改姓名", "王晓明"),
        "phone": ("改手机号", "+852 9123 4567"),
        "birth_date": ("改出生日期", "2004-02-29"),
        "county": ("改所在地", "湖南平江"),
    }[key]
    chat = Chat(database)
    chat.say("报名")
    chat.press("同意")
    chat.say("王小明", "13800138000", "2005-08-13", "鼓楼")
    chat.press("福建省福州市鼓楼区")
    before = chat.said.text.splitlines()
    chat.press(label)
    after = chat.say(new).splitlines()
    assert after[0] == "请核对："
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
    assert "注册成功" in chat.press("提交")


def at_the_summary(database: Database) -> Chat:
    chat = Chat(database)
    chat.say("报名")
    chat.press("同意")
    chat.say("王小明", "13800138000", "2005-08-13", "广州天河")
    return chat


@pytest.mark.parametrize("correction", ["改姓名", "改手机号", "改出生日期", "改所在地"])
def test_going_back_from_a_correction_leads_to_the_summary_with_everything_kept(
    database: Database, correction: str
) -> None:
    chat = at_the_summary(database)
    summary = chat.said.text
    assert "请核对" not in chat.press(correction)
    assert chat.say("返回") == summary
    assert "注册成功" in chat.press("提交")


def test_going_back_inside_a_correction_leads_to_its_beginning_and_then_to_the_summary(database: Database) -> None:
    chat = at_the_summary(database)
    summary = chat.said.text
    chat.press("改所在地")
    first = chat.said.text
    chat.press("从列表里选")
    assert chat.said.text != first
    assert chat.say("返回") == first
    assert chat.say("返回") == summary


def test_after_a_correction_going_back_leads_to_the_last_question(database: Database) -> None:
    chat = at_the_summary(database)
    chat.press("改手机号")
    chat.say("13900139000")
    assert "你在哪个县" in chat.say("返回")
    assert "13900139000" in chat.say("广州天河")
