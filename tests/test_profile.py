"""我的资料: filling in, correcting, taking away, and what is read aloud (see also transcripts)."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import text

from config.services import entries
from handlers.here import Here
from handlers.items import FURTHER, ITEMS
from handlers.profile import CHANGE, PROFILE, Told, perform
from models import volunteer as volunteers
from models.account import stop_serving
from models.database import Database
from models.person import Person
from models.volunteer import Volunteer
from tests.chatting import Chat

PLATFORMS = pytest.mark.parametrize("platform", ["wechat", "telegram"])
ANSWERS = {
    "occupation": "大学生",
    "workplace": "广州大学",
    "skills": "教育 手语",
    "services": "支教助学、文体活动",
    "free_times": "周末白天",
    "travel_km": "5 公里以内",
    "spot": "五山街道",
    "official_number": "440106123456789",
    "membership": "共青团员",
    "languages": "普通话 粤语 手语",
    "sex": "女",
}


def registered(database: Database, platform: str = "wechat") -> Chat:
    chat = Chat(database, platform=platform)
    chat.register()
    return chat


def row_of(chat: Chat) -> Volunteer:
    found = chat.volunteer()
    assert found is not None
    return found


@PLATFORMS
def test_every_item_can_be_filled_in_one_by_one_and_is_kept_at_once(database: Database, platform: str) -> None:
    chat = registered(database, platform)
    assert set(ANSWERS) == set(FURTHER)
    for answer in ANSWERS.values():
        chat.act("menu", menu="more_profile")
        assert "记下了" in chat.say(answer)
    row = row_of(chat)
    assert (row.occupation, row.travel_km, row.membership) == ("student", 5, "league")
    assert (row.skills, row.services) == (["education", "sign_language"], ["study", "culture"])
    assert (row.free_times, row.languages) == (["weekend_day"], ["mandarin", "cantonese", "sign"])
    with database.read() as session:
        assert volunteers.workplace_of(session, row) == "广州大学"
        assert volunteers.official_number_of(session, row) == "440106123456789"
    assert "都填好了" in chat.act("menu", menu="more_profile")


def test_several_choices_can_be_ticked_by_buttons(database: Database) -> None:
    chat = registered(database, "telegram")
    chat.act("menu", menu="change_profile")
    chat.press("技能")
    chat.press("教育")
    assert "已选：教育" in chat.press("法律").replace("、法律", "")
    chat.press("教育")
    chat.press("选好了")
    assert row_of(chat).skills == ["law"]


def test_cancelling_loses_nothing_that_was_answered(database: Database) -> None:
    chat = registered(database)
    chat.act("menu", menu="more_profile")
    chat.say("大学生")
    chat.press("填下一项")
    chat.say("取消")
    assert row_of(chat).occupation == "student"
    assert "学校或单位" in chat.act("menu", menu="more_profile")


def test_the_items_left_are_counted_down_also_by_those_passed_over(database: Database) -> None:
    chat = registered(database)
    chat.act("menu", menu="more_profile")
    for left in range(len(FURTHER) - 1, 0, -1):
        assert f"还有 {left} 项可以填" in chat.say("跳过")
        chat.press("填下一项")
    assert f"都问过了。跳过的 {len(FURTHER)} 项" in chat.say("跳过")
    chat.press("填写更多资料")
    assert f"跳过的 {len(FURTHER) - 1} 项" in chat.say("大学生")


@PLATFORMS
def test_filling_in_can_end_at_any_item_and_says_that_all_of_it_is_kept(database: Database, platform: str) -> None:
    chat = registered(database, platform)
    for at, (key, answer) in enumerate(ANSWERS.items()):
        chat.act("menu", menu="more_profile")
        assert chat.labels()[-1] == "先到这里", key
        text = chat.press("先到这里") if at % 2 else chat.say("先到这里")
        assert "填过的都保存了" in text
        assert "填写更多资料" in text
        assert "菜单" in text
        assert "没看懂" in chat.say("没有对话在等了")
        chat.act("menu", menu="more_profile")
        assert "记下了" in chat.say(answer)
    row = row_of(chat)
    assert (row.occupation, row.languages) == ("student", ["mandarin", "cantonese", "sign"])


def test_what_is_ticked_when_filling_in_ends_is_kept(database: Database) -> None:
    chat = registered(database, "telegram")
    chat.act("menu", menu="more_profile")
    chat.say("跳过")
    chat.press("填下一项")
    chat.say("跳过")
    chat.press("填下一项")
    chat.press("教育")
    assert "记下了。技能：教育" in chat.press("先到这里")
    assert row_of(chat).skills == ["education"]


def test_between_two_items_one_can_stop_too(database: Database) -> None:
    chat = registered(database)
    chat.act("menu", menu="more_profile")
    chat.say("大学生")
    assert "先到这里" in chat.labels()
    assert "记下的都保存了" in chat.press("先到这里")


def test_correcting_an_item_offers_no_early_end(database: Database) -> None:
    chat = registered(database)
    chat.act("menu", menu="change_profile")
    chat.press("职业")
    assert "先到这里" not in chat.labels()


def test_every_item_can_be_passed_over_and_comes_again_after_the_others(database: Database) -> None:
    chat = registered(database)
    asked = []
    for _round in FURTHER:
        asked.append(chat.act("menu", menu="more_profile"))
        chat.say("跳过")
    assert len(set(asked)) == len(FURTHER)
    assert chat.act("menu", menu="more_profile") == asked[0]
    assert all(getattr(row_of(chat), key, None) is None for key in FURTHER)


def test_ticks_that_a_later_catalogue_dropped_count_as_passed_over(database: Database) -> None:
    chat = registered(database)
    with database.write() as session:
        session.info["here"] = Here("wechat", "test")
        reply = perform(session, session.get_one(Person, chat.person().id), Told("skills", ()))
    assert "先不填" in reply.text
    row = row_of(chat)
    assert (row.skills, row.skipped) == (None, ["skills"])


def test_an_item_can_be_taken_away(database: Database) -> None:
    chat = registered(database)
    for key in ("official_number", "languages", "workplace"):
        chat.act("menu", menu="change_profile")
        chat.press(ITEMS[key].label)
        chat.say(ANSWERS[key])
        chat.act("menu", menu="change_profile")
        chat.press(ITEMS[key].label)
        assert "已经清除" in chat.press("清除这一项")
    row = row_of(chat)
    assert row.official_number_sealed is row.languages is row.workplace_sealed is None
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM blind_index WHERE kind = 'official_number'")).scalar() == 0


def test_what_was_asked_at_registering_can_be_corrected_but_not_taken_away(database: Database) -> None:
    chat = registered(database)
    chat.act("menu", menu="change_profile")
    chat.press("姓名")
    assert chat.labels() == []
    assert "王晓明" in chat.say("王晓明")


def test_a_changed_phone_number_is_found_and_the_old_one_is_not(database: Database) -> None:
    chat = registered(database)
    chat.say("换手机号了")
    chat.press("手机号")
    chat.say("+852 9123 4567")
    with database.read() as session:
        assert volunteers.find_by_phone(session, "+85291234567") == [chat.person().id]
        assert volunteers.find_by_phone(session, "+8613800138000") == []


def test_a_birth_date_of_sixteen_asks_about_own_earnings(database: Database) -> None:
    chat = registered(database)
    chat.act("menu", menu="change_profile")
    chat.press("出生日期")
    assert "劳动收入" in chat.say("2010-01-05")
    assert "监护人" not in chat.press("是")
    row = row_of(chat)
    assert (row.status, row.self_supporting, row.birth_date) == ("active", True, date(2010, 1, 5))


def test_a_minor_cannot_grow_up_by_a_correction(database: Database) -> None:
    chat = Chat(database)
    chat.register(born="2011-05-01")
    chat.act("menu", menu="change_profile")
    chat.press("出生日期")
    assert "联系专员" in chat.say("2001-05-01")
    assert row_of(chat).birth_date == date(2011, 5, 1)
    assert "2011-05-02" in chat.say("2011-05-02")


@pytest.mark.parametrize(("platform", "number"), [("wechat", "13800138000"), ("telegram", "138****8000")])
def test_the_overview_masks_the_phone_number_where_it_must(database: Database, platform: str, number: str) -> None:
    chat = registered(database, platform)
    said = chat.say("我的资料")
    assert f"手机号：{number}" in said
    assert "还没填：职业、" in said
    assert [option.id for option in chat.said.options] == ["m:change_profile", "m:more_profile", "m:my"]
    chat.act("menu", menu="change_profile")
    chat.press("手机号")
    assert ("13900139000" in chat.say("13900139000")) is (platform == "wechat")


def test_a_waiting_minor_finds_the_way_to_the_guardian_in_the_overview(database: Database) -> None:
    chat = Chat(database)
    chat.register(born="2011-05-01")
    assert "等监护人同意" in chat.say("我的资料")
    assert "监护 " in chat.press("请监护人同意")


def test_one_who_took_the_consent_back_reads_so_and_finds_the_way_to_give_it_again(database: Database) -> None:
    chat = registered(database)
    with database.write() as session:
        stop_serving(session, session.get_one(Person, chat.person().id))
    assert "登记授权已撤回" in chat.say("我的资料")
    assert "m:consents" in [option.id for option in chat.said.options]
    assert "登记停着" in chat.say("报名")
    assert chat.said.options[0].id == "m:consents"


def test_somebody_unregistered_is_shown_the_way(database: Database) -> None:
    chat = Chat(database)
    for said in (chat.say("我的资料"), chat.act("menu", menu="more_profile"), chat.act("menu", menu="change_profile")):
        assert "还没有报名" in said
        assert [option.id for option in chat.said.options] == ["m:register", "m:recognise"]


def test_my_hub_offers_everything_that_can_be_set(database: Database) -> None:
    chat = registered(database)
    assert chat.say("我的").startswith("王小明，")
    assert [option.id for option in chat.said.options] == [
        "m:profile",
        "m:address_form",
        "m:language",
        "m:quiet_hours",
        "m:pause",
        "m:bind",
        "m:privacy",
    ]


def test_the_language_can_change_in_the_middle_and_answers_stay(database: Database) -> None:
    chat = Chat(database)
    chat.say("报名")
    chat.press("同意")
    chat.say("王小明", "13800138000")
    chat.act("menu", menu="language")
    assert "2005-08-13" in chat.press("English")
    chat.say("2005-08-13", "广州天河")
    chat.act("choice", choice=chat.said.options[0].id)
    row = row_of(chat)
    assert row.status == "active"
    with database.read() as session:
        assert volunteers.name_of(session, row) == "王小明"


def test_a_choice_that_a_later_catalogue_dropped_is_still_read_aloud(database: Database) -> None:
    chat = registered(database)
    with database.write() as session:
        row = session.get_one(Volunteer, row_of(chat).id)
        row.skills = ["law", "dropped_long_ago"]
        row.occupation = "dropped_too"
        session.add(row)
    said = chat.say("我的资料")
    assert "技能：法律、dropped_long_ago" in said
    assert "职业：dropped_too" in said


def test_the_facts_of_an_older_version_are_still_understood() -> None:
    for dialogue in (PROFILE, CHANGE):
        assert dialogue.facts.model_validate({}) == dialogue.facts()


def test_the_keys_of_the_catalogue_are_words_that_can_stand_in_a_database() -> None:
    for kind in ("service", "skill", "occupation", "free_time", "language"):
        assert all(key.isidentifier() and key.islower() for key in entries(kind))
