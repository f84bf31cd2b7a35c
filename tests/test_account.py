"""Binding, unbinding, unfollowing, and being recognised after coming back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from models.code import OneTimeCode
from models.consent import standing, withdraw
from models.database import Database
from models.outbox import OutboxMessage, enqueue
from models.person import survivor
from models.role import grants, organisers
from models.volunteer import Volunteer, find_by_phone
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.outgoing import deliver
from tests.people import bind, code_in, follow, get_code, grant


@pytest.fixture
def wechat(database: Database) -> Chat:
    return Chat(database, "alin")


@pytest.fixture
def telegram(database: Database) -> Chat:
    return Chat(database, "1001", "telegram")


# Binding


def test_a_code_from_one_door_typed_into_the_other_makes_one_person(
    wechat: Chat, telegram: Chat, database: Database
) -> None:
    wechat.register()
    code = get_code(wechat)
    asked = telegram.say(f"绑定 {code.lower()}")
    assert "微信账号" in asked
    assert "没有设称呼" in asked
    assert "王小明" not in asked
    assert "13800138000" not in asked
    assert "绑好了" in telegram.press("是我的，绑定")
    assert telegram.person().id == wechat.person().id
    assert telegram.volunteer() is not None
    sent = deliver(database)
    assert [(one.sender, one.kind) for one in sent] == [("alin", "notice.bound")]
    assert "Telegram" in sent[0].text


def test_binding_works_the_other_way_round_and_keeps_the_registration(
    wechat: Chat, telegram: Chat, database: Database
) -> None:
    wechat.register()
    kept = wechat.person().id
    bind(telegram, wechat)
    assert telegram.person().id == wechat.person().id == kept
    assert [one.sender for one in deliver(database)] == ["1001"]


def test_both_sides_hear_which_language_applies_and_how_to_change_it(
    wechat: Chat, telegram: Chat, database: Database
) -> None:
    wechat.register()
    telegram.say("English")
    telegram.say(f"link {get_code(wechat)}")
    text = telegram.act("choice", choice=telegram.said.options[0].id)
    assert telegram.person().language == "zh_CN"
    assert "两边现在的语言：简体中文。想换，回复“语言”。" in text
    assert "Language of both accounts: 简体中文. To change it, reply “language”." in text
    told = [each.text for each in deliver(database)]
    assert len(told) == 1
    assert "两边现在的语言：简体中文。" in told[0]
    assert "English" not in told[0]


def test_the_side_whose_language_changes_hears_it_in_its_own(wechat: Chat, telegram: Chat, database: Database) -> None:
    wechat.register()
    telegram.say("English")
    # The one who asks goes where the registration is.
    telegram.say("link")
    code = code_in(telegram.press("Get a code here"))
    wechat.say(f"绑定 {code}")
    assert "Language" not in wechat.press("是我的，绑定")
    told = [each.text for each in deliver(database)]
    assert len(told) == 1
    assert "两边现在的语言：简体中文。" in told[0]
    assert "Language of both accounts: 简体中文." in told[0]


def test_the_confirmation_shows_the_form_of_address(wechat: Chat, telegram: Chat) -> None:
    wechat.say("称呼", "林哥")
    assert "称呼“林哥”" in telegram.say(f"绑定 {get_code(wechat)}")


def test_a_code_may_be_typed_after_the_choice_or_right_away_or_come_by_a_link(wechat: Chat, database: Database) -> None:
    for number, way in enumerate(("choice", "bare", "link")):
        chat = Chat(database, f"200{number}", "telegram")
        code = get_code(wechat)
        if way == "link":
            chat.act("follow", scene=f"b_{code}")
        else:
            chat.say("绑定")
            if way == "choice":
                chat.press("我有一个码，来输入")
            chat.say(f"{code[:4]} {code[4:]}")
        assert "绑好了" in chat.press("是我的，绑定")
        assert chat.person().id == wechat.person().id


def test_another_account_of_the_same_platform_may_be_bound(wechat: Chat, database: Database) -> None:
    wechat.register()
    new = Chat(database, "alin-new-phone")
    bind(wechat, new)
    assert new.person().id == wechat.person().id


def test_the_talk_of_whoever_asked_for_the_code_stays(wechat: Chat, telegram: Chat) -> None:
    code = get_code(wechat)
    wechat.say("报名")
    wechat.press("同意")
    telegram.say(f"绑定 {code}")
    telegram.press("是我的，绑定")
    assert "手机号" in wechat.say("王小明")
    assert "出生日期" in telegram.say("13800138000")


def test_a_talk_pushed_aside_by_binding_is_not_resumed_for_somebody_else(wechat: Chat, telegram: Chat) -> None:
    code = get_code(wechat)
    telegram.say("报名")
    telegram.press("同意")
    telegram.say(f"绑定 {code}")
    said = telegram.press("是我的，绑定")
    assert "接着" not in said
    assert "没看懂" in telegram.say("王小明")


def test_no_to_the_confirmation_binds_nothing_and_leaves_the_code_good(wechat: Chat, telegram: Chat) -> None:
    code = get_code(wechat)
    telegram.say(f"绑定 {code}")
    telegram.press("不绑定")
    assert telegram.person().id != wechat.person().id
    telegram.say(f"绑定 {code}")
    telegram.press("是我的，绑定")
    assert telegram.person().id == wechat.person().id


def test_another_code_typed_after_going_back_is_looked_at_anew(
    wechat: Chat, telegram: Chat, database: Database
) -> None:
    other = Chat(database, "other")
    other.say("称呼", "周老师")
    telegram.say(f"绑定 {get_code(wechat)}")
    telegram.say("返回")
    assert "周老师" in telegram.say(get_code(other))
    telegram.press("是我的，绑定")
    assert telegram.person().id == other.person().id != wechat.person().id


def test_a_wrong_code_is_counted_and_five_bring_a_pause(wechat: Chat, telegram: Chat, clock: StoppedClock) -> None:
    code = get_code(wechat)
    telegram.say("绑定")
    for number in range(5):
        assert "没有这个码" in telegram.say(f"WRNG222{number + 2}")
    assert "30 分钟" in telegram.say(code)
    clock.pass_time(timedelta(minutes=31))
    telegram.say("取消")
    assert "微信账号" in telegram.say(f"绑定 {get_code(wechat)}")


def test_used_expired_and_own_codes_get_answers_of_their_own(
    wechat: Chat, telegram: Chat, clock: StoppedClock, database: Database
) -> None:
    code = get_code(wechat)
    assert "你自己拿的" in wechat.say(f"绑定 {code}")
    wechat.say("取消")
    telegram.say(f"绑定 {code}")
    telegram.press("是我的，绑定")
    assert "已经用过了" in Chat(database, "third").say(f"绑定 {code}")
    code = get_code(wechat)
    clock.pass_time(timedelta(minutes=11))
    assert "过期了（10 分钟内有效）" in Chat(database, "fourth").say(f"绑定 {code}")


def test_a_code_expires_by_the_machine_clock_only(wechat: Chat, telegram: Chat, database: Database) -> None:
    code = get_code(wechat)
    with database.write() as session:
        database.clock.advance(session, timedelta(days=2))
    assert "微信账号" in telegram.say(f"绑定 {code}")


def test_a_newer_code_ends_the_older_one(wechat: Chat, telegram: Chat) -> None:
    old = get_code(wechat)
    get_code(wechat)
    assert "已经换成新的" in telegram.say(f"绑定 {old}")


def test_what_is_no_code_is_asked_again_without_being_counted(telegram: Chat) -> None:
    telegram.say("绑定")
    for _again in range(7):
        assert "8 位字母和数字" in telegram.say("我不知道")


def test_a_code_used_between_look_and_confirmation_binds_once(wechat: Chat, telegram: Chat, database: Database) -> None:
    code = get_code(wechat)
    late = Chat(database, "late")
    late.say(f"绑定 {code}")
    telegram.say(f"绑定 {code}")
    telegram.press("是我的，绑定")
    assert "已经用过了" in late.press("是我的，绑定")
    assert late.person().id != wechat.person().id


def test_two_registrations_of_one_human_are_merged_and_parted_again(
    wechat: Chat, telegram: Chat, database: Database
) -> None:
    wechat.register()
    telegram.register()
    first, second = wechat.volunteer(), telegram.volunteer()
    gone = telegram.person().id
    assert first is not None
    assert second is not None
    assert "合成一份" in bind(wechat, telegram)
    now = telegram.volunteer()
    assert now is not None
    assert now.number == first.number
    with database.read() as session:
        assert find_by_phone(session, "+8613800138000") == [wechat.person().id]
        assert survivor(session, gone).id == wechat.person().id
    telegram.say("解除绑定")
    telegram.press(next(label for label in telegram.labels() if label.startswith("Telegram")))
    assert "恢复了绑定前的登记" in telegram.press("确定分出去")
    again = telegram.volunteer()
    assert again is not None
    assert again.number == second.number
    with database.read() as session:
        assert telegram.person().id == gone
        assert [row.kind for row in standing(session, gone)] == ["registration"]
        assert len(find_by_phone(session, "+8613800138000")) == 2


def test_what_was_taken_back_while_two_accounts_were_one_is_taken_back_of_both(
    wechat: Chat, telegram: Chat, database: Database
) -> None:
    wechat.register()
    telegram.register()
    gone = telegram.person().id
    bind(wechat, telegram)
    with database.write() as session:
        withdraw(session, wechat.person().id, "registration")
    telegram.say("解除绑定")
    telegram.press(next(label for label in telegram.labels() if label.startswith("Telegram")))
    telegram.press("确定分出去")
    with database.read() as session:
        assert telegram.person().id == gone
        assert standing(session, gone) == []


def test_a_role_that_both_accounts_hold_stands_once(wechat: Chat, telegram: Chat, database: Database) -> None:
    for chat in (wechat, telegram):
        follow(chat)
        grant(database, chat, "organiser", "44")
    gone = telegram.person().id
    assert wechat.person().id != gone
    bind(wechat, telegram)
    with database.read() as session:
        assert [(row.role, row.scope) for row in grants(session, wechat.person().id)] == [("organiser", "44")]
        assert organisers(session) == {wechat.person().id}


def test_two_registrations_of_different_people_are_refused_kindly(wechat: Chat, telegram: Chat) -> None:
    wechat.register()
    telegram.register(name="李小红", phone="13900139000", born="2001-02-03")
    assert "联系专员" in telegram.say(f"绑定 {get_code(wechat)}")
    assert telegram.person().id != wechat.person().id


def test_a_role_is_named_before_binding_and_goes_along(wechat: Chat, telegram: Chat, database: Database) -> None:
    follow(telegram)
    grant(database, telegram, "specialist", "440106")
    wechat.register()
    assert "权限" in telegram.say(f"绑定 {get_code(wechat)}")
    telegram.press("是我的，绑定")
    with database.read() as session:
        assert [row.role for row in grants(session, wechat.person().id)] == ["specialist"]


def test_what_waits_for_the_one_who_goes_reaches_the_one_who_stays(
    wechat: Chat, telegram: Chat, database: Database
) -> None:
    follow(telegram)
    with database.write() as session:
        enqueue(session, telegram.person().id, "reply", {"text": "等着的话"}, unique_key="waiting")
    bind(wechat, telegram)
    with database.read() as session:
        row = session.exec(select(OutboxMessage).where(OutboxMessage.unique_key == "waiting")).one()
    assert row.person_id == wechat.person().id
    assert "等着的话" in [one.text for one in deliver(database)]


def test_a_join_can_be_chained_and_everybody_leads_to_the_last(database: Database) -> None:
    one, two, three = (Chat(database, name) for name in ("one", "two", "three"))
    first = one.act("follow") and one.person().id
    bind(two, one)
    bind(three, two)
    assert one.person().id == two.person().id == three.person().id
    with database.read() as session:
        assert survivor(session, first).id == three.person().id


def test_codes_are_kept_as_digests_only(wechat: Chat, database: Database) -> None:
    code = get_code(wechat)
    with database.read() as session:
        row = session.exec(select(OneTimeCode)).one()
        assert code.encode() not in row.facts_sealed
        assert session.exec(select(Volunteer)).all() == []
