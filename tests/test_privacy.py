"""Consents, the readable copy, deletion."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import SQLModel, select

from bot.run import own_settings
from config.services import entries
from config.settings import Settings
from config.texts import speaking
from handlers import onpage
from handlers.here import Here
from handlers.message import Inbound
from handlers.turn import turn
from models import audit, consent
from models.code import OneTimeCode, issue_code
from models.conversation import Conversation, Prompt
from models.copy import copy_of
from models.database import Database, now_of
from models.inbox import InboxMessage, enter, finish
from models.outbox import OutboxMessage, enqueue
from models.page import OpenPage, Page, issue_page, open_page
from models.person import Person
from models.role import grants
from models.sealed import SEALED
from models.volunteer import ACTIVE, ENDED, Volunteer, find_by_phone
from tests.chatting import Chat
from tests.outgoing import deliver
from tests.people import bind, follow, grant


@pytest.fixture
def alin(database: Database) -> Chat:
    return Chat(database)


def test_the_overview_leads_to_consents_copy_and_deletion(alin: Chat) -> None:
    alin.act("menu", menu="privacy")
    assert alin.labels() == ["查看和撤回授权", "我的数据", "删除我的数据"]
    assert "没有生效的同意" in alin.press("查看和撤回授权")


@pytest.mark.parametrize("platform", ["wechat", "telegram"])
def test_the_copy_is_a_page_for_half_an_hour_on_every_platform(database: Database, platform: str) -> None:
    chat = Chat(database, "1001", platform)
    assert "30 分钟内有效" in chat.say("我的数据")
    token = chat.said.links[0].url.rsplit("/", 1)[1]
    with database.read() as session:
        page = open_page(session, token)
        assert page is not None
        assert (page.kind, page.person_id, page.facts) == ("data", chat.person().id, {})


@pytest.mark.parametrize("platform", ["wechat", "telegram"])
@pytest.mark.parametrize("words", ["1", "1.", "１", "yes", "是", "好的", "ok", "对", "delete", "确认"])
def test_no_number_and_no_yes_deletes_anybody(database: Database, platform: str, words: str) -> None:
    chat = Chat(database, "1001", platform)
    chat.say("删除我的数据")
    assert "只回数字不会删除" in chat.press("继续")
    assert "还没有删除" in chat.say(words)
    assert "确认删除" in chat.labels()


@pytest.mark.parametrize("words", ["确认删除", "確認刪除", "Confirm deletion", "“确认删除”。"])
def test_the_phrase_deletes_in_any_language(alin: Chat, words: str) -> None:
    alin.say("删除我的数据")
    alin.press("继续")
    assert "已经删除" in alin.say(words)


def told(database: Database, words: str, *, operator: str, contact: str, sender: str = "1001") -> str:
    """The answer to some words in a deployment with this body behind it."""
    place = Here("wechat", "test", public_url="https://nuanyang.example", operator=operator, operator_contact=contact)
    with database.write() as session:
        now = now_of(session)
        inbound = Inbound("wechat", "test", sender, f"{sender}:{words}", "text", now, text=words)
        reply, _person = turn(session, inbound, place)
    assert reply is not None
    return reply.text


@pytest.mark.parametrize("words", ["报名", "帮助", "我的数据"])
def test_the_body_that_answers_for_the_deployment_is_named_with_its_contact(database: Database, words: str) -> None:
    text = told(database, words, operator="某县志愿者协会", contact="020-00000000")
    assert "谁负责：某县志愿者协会，联系方式：020-00000000。" in text


@pytest.mark.parametrize("words", ["报名", "帮助", "我的数据"])
@pytest.mark.parametrize(
    ("operator", "contact", "said"),
    [
        ("", "", "谁负责：运行这个服务的单位还没有写明名称和联系方式。"),
        ("某县志愿者协会", "", "谁负责：某县志愿者协会，还没有写明联系方式。"),
        ("", "020-00000000", "谁负责：还没有写明名称，联系方式：020-00000000。"),
    ],
)
def test_what_nobody_wrote_down_is_said_honestly(
    database: Database, words: str, operator: str, contact: str, said: str
) -> None:
    assert said in told(database, words, operator=operator, contact=contact)


def test_the_sandbox_names_a_body_that_is_plainly_made_up_unless_one_is_set(tmp_path: Path) -> None:
    sandbox = own_settings(Settings(), "http://127.0.0.1:1", tmp_path, None)
    assert "虚构" in sandbox.operator_name
    assert sandbox.operator_contact.endswith(".invalid")
    own = own_settings(Settings(operator_name="某县志愿者协会"), "http://127.0.0.1:1", tmp_path, None)
    assert (own.operator_name, own.operator_contact) == ("某县志愿者协会", "")


def test_help_promises_no_answer_that_may_never_come(alin: Chat) -> None:
    text = alin.say("帮助")
    assert "会有真人" not in text
    assert "要等多久说不准" in text


def test_everything_kept_about_a_person_stands_in_the_copy(alin: Chat, database: Database) -> None:
    alin.register()
    alin.say("称呼", "林哥")
    alin.say("联系专员", "我想换个时间")
    alin.act("menu", menu="sos")
    alin.press("写下发生了什么")
    alin.say("有人跟着我")
    grant(database, alin, "specialist", "440106")
    alin.say("免打扰")
    alin.press("关闭免打扰")
    with database.read() as session:
        sections = {section.title: section.rows for section in copy_of(session, alin.person().id)}
    assert list(sections) == ["登记资料", "账号", "设置", "同意过的事", "写给专员的话", "求助记录", "职责"]
    values = {row.value for rows in sections.values() for row in rows}
    expected = {"王小明", "+8613800138000", "2005-08-13", "林哥", "我想换个时间", "有人跟着我", "微信", "简体中文"}
    assert expected <= values
    assert {"440106", "已关闭", "登记成为志愿者", "本人", "正常"} <= values
    assert getattr(alin.volunteer(), "number", "") in values
    assert alin.sender not in values


@pytest.mark.parametrize("language", ["en", "zh_HK"])
def test_the_copy_is_shown_in_the_readers_language(alin: Chat, database: Database, language: str) -> None:
    alin.register(name="Mary Lee")
    alin.say("联系专员", "Hello")
    grant(database, alin, "specialist", "440106")
    with database.write() as session:
        row = session.exec(select(Volunteer)).one()
        row.skills, row.services = list(entries("skill"))[:2], list(entries("service"))[:2]
        row.free_times, row.languages = list(entries("free_time"))[:2], list(entries("language"))[:2]
        row.occupation, row.membership, row.travel_km = next(iter(entries("occupation"))), "league", 5
        session.add(row)
        person = session.get_one(Person, row.person_id)
        person.language, person.quiet_until, person.campaigns_off = language, person.quiet_from, True
        session.add(person)
    with database.read() as session, speaking(language):
        page = OpenPage(id="", kind="data", person_id=alin.person().id, door_id=None, facts={})
        sections = onpage.data(session, page)
    words = [section.title for section in sections]
    words += [text for section in sections for row in section.rows for text in (row.label, str(row.value))]
    if language == "en":
        chinese = [text for text in words if re.search("[\u4e00-\u9fff]", text)]
        assert chinese == ["Tianhe, Guangzhou, Guangdong (广东省广州市天河区)"] * 2
        assert len(words) > 50
    else:
        assert words.count("廣東省廣州市天河區") == 2
        assert "技能" in words
        assert "登記資料" in words


def test_a_copy_of_somebody_unknown_raises(database: Database) -> None:
    with database.read() as session, pytest.raises(LookupError):
        copy_of(session, "nobody")


def test_taking_back_the_registrations_consent_ends_serving_and_deletes_nothing(alin: Chat) -> None:
    alin.register()
    assert "登记成为志愿者：2026-11-22 同意" in alin.act("menu", menu="consents")
    assert "不会因此删除" in alin.press("撤回：登记成为志愿者")
    assert "资料还在" in alin.press("确定")
    registered = alin.volunteer()
    assert registered is not None
    assert registered.status == ENDED
    assert registered.birth_date is not None
    assert "登记授权已撤回" in alin.say("我的资料")
    assert "查看和撤回授权" in alin.labels()
    assert "登记停着" in alin.say("报名")


def test_a_consent_taken_back_can_be_given_again(alin: Chat, database: Database) -> None:
    alin.register()
    alin.act("menu", menu="consents")
    alin.press("撤回：登记成为志愿者")
    alin.press("确定")
    assert "登记已停" in alin.act("menu", menu="consents")
    alin.press("重新同意登记，恢复服务")
    assert "已经恢复" in alin.press("确定")
    registered = alin.volunteer()
    assert registered is not None
    assert registered.status == ACTIVE
    with database.read() as session:
        rows = consent.history(session, alin.person().id)
    assert [row.withdrawn_at is None for row in rows] == [False, True]


def test_a_minors_registration_given_again_waits_for_the_guardian(alin: Chat) -> None:
    alin.register(born="2011-08-13")
    alin.act("menu", menu="consents")
    alin.press("撤回：登记成为志愿者")
    alin.press("确定")
    alin.act("menu", menu="consents")
    alin.press("重新同意登记，恢复服务")
    assert "监护人同意后" in alin.press("确定")
    assert getattr(alin.volunteer(), "status", "") == "waiting_guardian"


def test_no_in_either_step_leaves_the_consent(alin: Chat) -> None:
    alin.register()
    alin.act("menu", menu="consents")
    alin.press("不改动")
    alin.act("menu", menu="consents")
    alin.press("撤回：登记成为志愿者")
    alin.press("不了")
    assert getattr(alin.volunteer(), "status", "") == ACTIVE


def test_other_consents_are_taken_back_one_by_one(alin: Chat, database: Database) -> None:
    alin.register()
    with database.write() as session:
        consent.give(session, alin.person().id, "photos", "2026-11", "zh_CN")
    alin.act("menu", menu="consents")
    alin.press("撤回：拍照")
    alin.press("确定")
    with database.read() as session:
        assert [row.kind for row in consent.standing(session, alin.person().id)] == ["registration"]


# Deletion


def delete(chat: Chat) -> str:
    chat.say("删除我的数据")
    chat.press("继续")
    return chat.press("确认删除")


def test_deletion_names_what_goes_and_what_stays_and_takes_two_steps(alin: Chat) -> None:
    alin.register()
    said = alin.say("删除我的数据")
    assert all(word in said for word in ("姓名", "手机号", "志愿者编号", "不少于三年", "不能恢复"))
    alin.press("继续")
    for word in ("好的", "是", "确认"):
        assert "还没有删除" in alin.say(word)
    assert alin.volunteer() is not None
    assert "已经删除" in alin.say("确认删除")
    assert alin.volunteer() is None


def test_a_change_of_mind_deletes_nothing(alin: Chat) -> None:
    alin.register()
    alin.say("删除我的数据")
    alin.press("不删了")
    alin.say("删除我的数据")
    alin.press("继续")
    alin.press("不删了")
    alin.say("删除我的数据")
    alin.press("继续")
    alin.say("取消")
    assert alin.volunteer() is not None


def test_nothing_personal_is_left_and_what_the_law_keeps_is(alin: Chat, database: Database) -> None:
    alin.register()
    alin.say("称呼", "林哥")
    alin.say("联系专员", "悄悄话")
    alin.say("救命")
    old, number = alin.person().id, getattr(alin.volunteer(), "number", "")
    with database.write() as session:
        issue_code(session, "bind", old, {}, timedelta(minutes=10))
        issue_page(session, old, "data", {})
        enqueue(session, old, "reply", {"text": "等着"}, unique_key="waiting")
        row = enter(session, "wechat", "test", "k1", "alin", "text", {"text": "悄悄话"})
        assert row is not None
        finish(session, row, old, {"text": "回话"}, "passive")
    delete(alin)
    with database.read() as session:
        person = session.get_one(Person, old)
        assert person.deleted_at is not None
        assert person.address_form_sealed is None
        registration = session.exec(select(Volunteer)).one()
        assert (registration.number, registration.status, registration.birth_date) == (number, "deleted", None)
        assert find_by_phone(session, "+8613800138000") == []
        for table in (OneTimeCode, Page, Prompt):
            assert session.exec(select(table)).all() == []
        assert session.get(Conversation, old) is None
        assert [row.payload_sealed for row in session.exec(select(InboxMessage))] == [None]
        waiting = session.exec(select(OutboxMessage).where(OutboxMessage.person_id == old)).all()
        assert {row.state for row in waiting} == {"withdrawn"}
        assert [row.withdrawn_at is None for row in consent.history(session, old)] == [False]
        assert session.exec(select(audit.AuditEntry).where(audit.AuditEntry.action == "person.deleted")).all()
        left = []
        for table_name, _key, column in SEALED:
            table = SQLModel.metadata.tables[table_name]
            left += [f"{table_name}.{column}" for value in session.execute(select(table.c[column])).scalars() if value]
        assert set(left) == {"alert.words_sealed"}
        assert session.execute(select(SQLModel.metadata.tables["blind_index"].c.row_id)).scalars().all() == []


def test_afterwards_the_door_talks_as_somebody_new(alin: Chat) -> None:
    alin.register()
    old = alin.person().id
    delete(alin)
    assert alin.person().id != old
    assert "没看懂" in alin.say("确认删除")
    assert "注册成功" in alin.register_by_talk()


def test_all_doors_lead_to_the_new_person(alin: Chat, database: Database) -> None:
    other = Chat(database, "1001", "telegram")
    alin.register()
    bind(alin, other)
    delete(other)
    assert other.person().id == alin.person().id
    assert alin.volunteer() is None


def test_a_talk_pushed_aside_is_forgotten_too(alin: Chat) -> None:
    alin.say("报名")
    alin.press("同意")
    alin.say("王小明")
    alin.act("menu", menu="delete_me")
    alin.press("继续")
    said = alin.press("确认删除")
    assert "接着" not in said
    assert "没看懂" in alin.say("13800138000")


def test_a_registration_that_was_merged_away_is_deleted_too(alin: Chat, database: Database) -> None:
    other = Chat(database, "1001", "telegram")
    alin.register()
    other.register()
    bind(alin, other)
    delete(alin)
    with database.read() as session:
        assert {row.status for row in session.exec(select(Volunteer))} == {"deleted"}


def test_the_last_organiser_is_refused_kindly_and_roles_end_otherwise(alin: Chat, database: Database) -> None:
    follow(alin)
    grant(database, alin, "organiser", "44")
    old = alin.person().id
    assert "唯一的管理员" in alin.say("删除我的数据")
    assert alin.person().id == old
    other = Chat(database, "other")
    follow(other)
    grant(database, other, "organiser", "4401")
    assert "已经删除" in delete(alin)
    with database.read() as session:
        assert grants(session, old) == []


def test_a_guardian_who_deletes_is_forgotten_and_the_child_is_paused(alin: Chat, database: Database) -> None:
    child = Chat(database, "child")
    child.register(name="李小雨", born="2012-05-01", phone="13900139000")
    with database.write() as session:
        from models.guardian import Guardian, agree

        follow(alin)
        volunteer_id = getattr(child.volunteer(), "id", "")
        agree(session, alin.person(), volunteer_id, Guardian("李大山", "father", "+8613700137000"), "zh_CN")
    assert getattr(child.volunteer(), "status", "") == ACTIVE
    alin.say("删除我的数据")
    assert "1 个孩子" in alin.said.text
    alin.press("继续")
    alin.press("确认删除")
    assert getattr(child.volunteer(), "status", "") == "paused_guardian"
    assert "notice.guardian" in {one.kind for one in deliver(database)}


def test_a_guardian_takes_the_consent_back_in_two_taps(alin: Chat, database: Database) -> None:
    child = Chat(database, "child")
    child.register(name="李小雨", born="2012-05-01", phone="13900139000")
    follow(alin)
    with database.write() as session:
        from models.guardian import Guardian, agree

        volunteer_id = getattr(child.volunteer(), "id", "")
        agree(session, alin.person(), volunteer_id, Guardian("李大山", "father", "+8613700137000"), "zh_CN")
    alin.act("menu", menu="consents")
    assert "李小雨" not in alin.said.text
    alin.press(next(label for label in alin.labels() if label.startswith("撤回：监护人同意")))
    assert "服务停下了" in alin.press("确定")
    assert getattr(child.volunteer(), "status", "") == "paused_guardian"


def test_a_child_cannot_take_back_the_guardians_consent(alin: Chat, database: Database) -> None:
    alin.register(born="2012-05-01", phone="13900139000")
    with database.write() as session:
        consent.give(session, alin.person().id, "guardian", "2026-11", "zh_CN", giver="specialist")
    alin.act("menu", menu="consents")
    assert alin.labels() == ["撤回：登记成为志愿者", "不改动"]
