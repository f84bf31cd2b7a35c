"""Relays, leaves and substitutes in chat: what transcripts cannot show. The rules have their own tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from handlers import menu, notices
from handlers.here import Here
from handlers.late import saw
from handlers.menu import Begun, Entry
from handlers.message import Option, Reply
from handlers.relay_answers import note_page
from handlers.relay_ways import has_long_number
from models import leave, relay_days, relaying, relaying_asked, relaying_lists, relaying_teams, substituting
from models.audit import AuditEntry
from models.beneficiary import DIED
from models.database import Database, now_of
from models.page import Page
from models.pairing import Stint
from models.person import Door, Person
from models.relay import Relay
from models.role import grants
from models.stints import StintError, served_left
from scheduler import jobs
from tests.chatting import PUBLIC, Chat
from tests.conftest import StoppedClock
from tests.ledger_files import people, person
from tests.outgoing import deliver
from tests.pairings import hush, open_stint, pair, somebody, team_with
from tests.people import alin as alin
from tests.people import follow, grant
from tests.people import specialist as specialist
from tests.test_ledger_import import OTHER, brought

NAMES = [person(number)["姓名"] for number in range(3)]


def given(name: str) -> str:
    return name[1:]


@pytest.fixture
def paired(database: Database, alin: Chat, specialist: Chat) -> Chat:
    """alin is paired with the first of three people of the ledger."""
    brought(database, people(3))
    with database.write() as session:
        pair(session, alin.person().id, somebody(session, 0))
        hush(session)
    return alin


@contextmanager
def at(database: Database, chat: Chat, platform: str = "wechat") -> Iterator[Session]:
    """A session in which words are made for this platform."""
    with database.write() as session:
        session.info["here"] = Here(platform, "test", sensitive_in_chat=platform == "wechat", public_url=PUBLIC)
        yield session


def other_volunteer(database: Database, name: str, phone: str) -> Chat:
    chat = Chat(database, name)
    chat.register(phone=phone)
    return chat


def begin(database: Database, chat: Chat, number: int = 0, *, note: str = "", private: str = "") -> str:
    """The relay of somebody's pairing, begun by the volunteer, with thirty days to go."""
    with database.write() as session:
        stint = open_stint(session, somebody(session, number))
        day = now_of(session).date() + timedelta(days=30)
        return relaying.begin(session, stint.id, "graduation", day, chat.person().id, note=note, private=private).id


def worded(
    database: Database, chat: Chat, kind: str, params: dict[str, object], platform: str = "wechat"
) -> Reply | None:
    with at(database, chat, platform) as session:
        return notices.words(session, session.get_one(Person, chat.person().id), kind, params, again=False)


def relay_of(database: Database, key: str) -> Relay:
    with database.read() as session:
        return session.get_one(Relay, key)


# --- wishes ---


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("我六月毕业去深圳小宇咋办", "graduation"),
        ("要毕业了", "graduation"),
        ("我下個月要畢業啦", "graduation"),
        ("明年6月就毕业了", "graduation"),
        ("下个月我要搬去广州", "moved"),
        ("我做不下去了", "stopped"),
        ("做唔落去", "stopped"),
        ("我不想做志愿者了", "stopped"),
        ("我要搬家了", "moved"),
        ("下个月考试去不了", "leave"),
        ("想请假", "leave"),
        ("我想請個假", "leave"),
        ("生病了这周去不了", "leave"),
        ("can I take leave", "leave"),
        ("我又能继续了", "go_on"),
        ("看交接留言", "note"),
    ],
)
def test_a_wish_in_plain_words_says_what_it_is(words: str, what: str) -> None:
    found = menu.begins(words)
    assert isinstance(found, Begun), words
    assert (found.dialogue.name, found.answers) == ("hand_over", {"what": {"c": what}})


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("我六月毕业，想当志愿者", "registration"),
        ("刚毕业想报名", "registration"),
        ("大一的想当义工咋报名", "registration"),
        ("暂停两周", "pause"),
        ("请假交接", "hand_over"),
        ("交接清单", "hand_overs"),
        ("整隊交接", "hand_over_team"),
        ("换手机号了", "change_profile"),
    ],
)
def test_it_swallows_no_other_wish(words: str, name: str) -> None:
    found = menu.begins(words)
    dialogue = found.dialogue if isinstance(found, Begun | Entry) else None
    assert dialogue is not None and dialogue.name == name, words


@pytest.mark.parametrize(
    "words",
    [
        "小宇今年毕业考试考得很好",
        "他快毕业了",
        "小宇请假了没上学",
        "我妹快毕业了",
        "她家要搬家了",
        "小宇作业做不下去了",
        "她生病了去不了学校",
        "你好",
        "收到",
        "谢谢你们",
    ],
)
def test_what_is_told_of_somebody_else_begins_no_relay(words: str) -> None:
    found = menu.begins(words)
    assert not (isinstance(found, Begun) and found.dialogue.name == "hand_over"), words


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("电话13800138000", True),
        ("电话 138 0013 8000", True),
        ("020-12345678", True),
        ("440106201001010012", True),
        ("１３８００１３８０００", True),
        ("2026-12-01 到 2027-01-02 不在", False),
        ("周六 14:00-16:00，三楼 302", False),
    ],
)
def test_a_telephone_or_id_number_is_told_from_a_date(text: str, long: bool) -> None:
    assert has_long_number(text) is long


# --- the volunteer ---


def test_whoever_has_no_pairing_is_told_so_kindly(alin: Chat, specialist: Chat) -> None:
    assert "没有已经开始的结对" in alin.say("请假交接")
    assert "没有已经开始的结对" in alin.say("我做不下去了")


def test_a_talk_begun_on_wechat_and_continued_on_telegram_names_nobody_there(database: Database, paired: Chat) -> None:
    with database.write() as session:
        pair(session, paired.person().id, somebody(session, 1))
        hush(session)
    paired.say("要毕业了")
    assert [given(NAMES[0]), given(NAMES[1]), "全部"] == paired.labels()
    with database.write() as session:
        own = session.exec(select(Door).where(Door.sender == paired.sender)).one()
        session.add(
            Door(
                person_id=own.person_id,
                opened_at=own.opened_at,
                last_in_at=own.last_in_at,
                platform="telegram",
                account="test",
                sender="9000001",
            )
        )
    phone = Chat(database, "9000001", "telegram")
    with database.write() as session:
        door = session.exec(select(Door).where(Door.sender == "9000001")).one()
        saw(session, door.person_id, (Option("m:messages", "留言"),), door.id)
    said = [phone.say("1"), *phone.labels()]
    paired.say("全部")
    said += [phone.say("菜单"), phone.say("你好"), *phone.labels()]
    said += [phone.say("还没定"), phone.say("跳过"), phone.say("跳过"), phone.press("提交")]
    assert not any(given(name) in text for name in NAMES for text in said), said
    assert "记下了" in said[-1]


def test_the_words_for_the_specialist_alone_never_reach_the_successor(
    database: Database, paired: Chat, specialist: Chat
) -> None:
    key = begin(database, paired, note="喜欢下棋", private="家里最近吵架")
    successor = other_volunteer(database, "aqing", "13800138001")
    with database.write() as session:
        pair(session, successor.person().id, somebody(session, 0))
    assert "看交接留言" in successor.say("请假交接") or "看交接留言" in successor.labels()
    successor.press("看交接留言")
    said = successor.press("看交接留言") if "看交接留言" in successor.labels() else successor.said.text
    assert "喜欢下棋" in said and "吵架" not in said
    with at(database, specialist) as session:
        page = note_page(session, specialist.person().id, key, reading=True)
        assert page is not None and "吵架" in page.words
        stranger = Chat(database, "stranger")
    follow(stranger)
    with at(database, stranger) as session:
        assert note_page(session, stranger.person().id, key, reading=True) is None


def test_a_note_that_was_read_stands_in_the_audit_trail_and_one_not_yet_opened_does_not(
    database: Database, paired: Chat, specialist: Chat
) -> None:
    key = begin(database, paired, note="喜欢下棋")
    with at(database, specialist) as session:
        assert note_page(session, specialist.person().id, key, reading=False) is not None
        looks = select(AuditEntry).where(AuditEntry.action == "relay.note_read")
        assert session.exec(looks).all() == []
        note_page(session, specialist.person().id, key, reading=True)
        assert [entry.actor for entry in session.exec(looks)] == [specialist.person().id]
        assert "喜欢下棋" not in str([entry.details for entry in session.exec(select(AuditEntry))])


def test_on_telegram_the_note_is_read_on_a_page_of_its_own(database: Database, paired: Chat, specialist: Chat) -> None:
    key = begin(database, paired, note="喜欢下棋")
    dialogue = menu.DIALOGUES["relay_note"]
    with at(database, specialist, "telegram") as session:
        said = dialogue.perform(session, session.get_one(Person, specialist.person().id), key)
        assert isinstance(said, Reply) and said.links and "下棋" not in said.text
        assert session.exec(select(Page.kind)).all() == ["data"]


def test_the_earlier_last_day_stays_and_that_is_said(database: Database, paired: Chat) -> None:
    begin(database, paired)
    paired.say("我要搬家了", "半年后", "跳过", "跳过")
    assert "以前定的日子" in paired.press("提交")


def test_a_day_that_has_passed_meanwhile_is_asked_again(database: Database, paired: Chat, clock: StoppedClock) -> None:
    paired.say("我做不下去了", "明天", "跳过", "跳过")
    clock.at += timedelta(days=3)
    assert "已经过了" in paired.press("提交")
    paired.say("下周日")
    assert "记下了" in paired.said.text


def test_nobody_answers_for_the_county_and_nothing_is_promised(
    database: Database, paired: Chat, specialist: Chat
) -> None:
    with database.write() as session:
        for held in grants(session, specialist.person().id):
            held.ended_at = now_of(session)
            session.add(held)
    paired.say("我做不下去了", "下周日", "跳过", "跳过")
    assert "还没有记下" in paired.press("提交")
    paired.say("想请假", "两周后")
    assert "没有能联系上的专员" in paired.press("请假")


def test_a_pairing_that_ended_during_the_talk_is_not_handed_over(database: Database, paired: Chat) -> None:
    paired.say("我做不下去了", "下周日", "跳过", "跳过")
    died(database)
    assert "没有已经开始的结对" in paired.press("提交")
    with database.read() as session:
        assert session.exec(select(Relay)).all() == []


def died(database: Database, number: int = 0) -> None:
    with database.write() as session:
        found = somebody(session, number)
        found.status = DIED
        session.add(found)
        session.flush()
        served_left(session, found.id)


# --- the specialist ---


def test_a_colleague_of_another_county_sees_and_moves_nothing(
    database: Database, paired: Chat, specialist: Chat
) -> None:
    begin(database, paired, note="喜欢下棋")
    specialist.say("交接清单")
    specialist.press(specialist.labels()[0])
    far = Chat(database, "far")
    follow(far)
    grant(database, far, "specialist", OTHER)
    assert "没有等着交接" in far.say("交接清单")
    pressed = next(option.id for option in specialist.said.options if option.label == "取消交接")
    assert "取消了" not in far.act("choice", choice=pressed)


def test_whoever_lost_the_role_meanwhile_cancels_nothing(database: Database, paired: Chat, specialist: Chat) -> None:
    key = begin(database, paired)
    specialist.say("交接清单")
    specialist.press(specialist.labels()[0])
    specialist.press("取消交接")
    with database.write() as session:
        for held in grants(session, specialist.person().id):
            held.ended_at = now_of(session)
            session.add(held)
    assert "不归你负责" in specialist.press("确定")
    assert relay_of(database, key).state == "seeking"


def test_the_list_is_read_page_by_page(database: Database, alin: Chat, specialist: Chat) -> None:
    brought(database, people(7))
    for number in range(7):
        chat = other_volunteer(database, f"v{number}", f"1390000000{number}")
        with database.write() as session:
            pair(session, chat.person().id, somebody(session, number))
        begin(database, chat, number)
    specialist.say("交接清单")
    assert "等着交接 7 件" in specialist.said.text and "第 1 页，共 2 页" in specialist.said.text
    specialist.press("后面的")
    assert len([label for label in specialist.labels() if "毕业" in label]) == 2


def test_a_look_at_a_minors_name_on_the_list_is_logged(database: Database, paired: Chat, specialist: Chat) -> None:
    begin(database, paired)
    specialist.say("交接清单")
    assert specialist.labels()[0].startswith(NAMES[0])
    with database.read() as session:
        looks = session.exec(select(AuditEntry).where(AuditEntry.action == "beneficiary.read")).all()
    assert specialist.person().id in {entry.actor for entry in looks}


@pytest.mark.parametrize("against", ["unknown", "minor", "same"])
def test_who_cannot_stand_in_is_asked_for_again(
    database: Database, paired: Chat, specialist: Chat, against: str
) -> None:
    paired.say("想请假", "两周后")
    paired.press("请假")
    child = Chat(database, "child")
    child.register(phone="13800138009", born="2010-01-01")
    number = {"unknown": "1234567897", "minor": number_of(child), "same": number_of(paired)}[against]
    deliver(database, specialist)
    specialist.press("安排替补")
    specialist.say(number)
    specialist.press(specialist.labels()[0])
    said = specialist.press("去问对方")
    assert any(words in said for words in ("请核对", "未满 18 岁", "不是可以服务", "就是现在的志愿者")), said
    with database.read() as session:
        assert session.exec(select(Stint).where(Stint.part == "substitute")).all() == []


def number_of(chat: Chat) -> str:
    found = chat.volunteer()
    assert found is not None
    return found.number


# --- a whole team ---


def test_a_batch_takes_the_pairings_of_the_team_and_of_its_members_and_no_others(
    database: Database, paired: Chat, specialist: Chat
) -> None:
    member, outside = (
        other_volunteer(database, "member", "13800138001"),
        other_volunteer(database, "out", "13800138002"),
    )
    with database.write() as session:
        team = team_with(session, "GZ01", paired.person().id, member.person().id)
        pair(session, member.person().id, somebody(session, 1))
        pair(session, outside.person().id, somebody(session, 2))
        hush(session)
        day = now_of(session).date() + timedelta(days=40)
        done = relaying_teams.hand_over_team(
            session, team, "graduation", day, specialist.person().id, keeper=specialist.person().id
        )
        assert (done.begun, done.before, done.left) == (2, 0, 0)
        again = relaying_teams.hand_over_team(session, team, "graduation", day, specialist.person().id)
        assert (again.begun, again.before) == (0, 2)
    [told] = [one for one in deliver(database, paired) if one.sender == paired.sender]
    assert "毕业或换届" in told.text
    with database.read() as session:
        assert {row.keeper_id for row in session.exec(select(Relay))} == {specialist.person().id}


def test_a_keeper_of_another_county_keeps_nobody(database: Database, paired: Chat, specialist: Chat) -> None:
    far = Chat(database, "far")
    follow(far)
    grant(database, far, "specialist", OTHER)
    with database.write() as session:
        team = team_with(session, "GZ01", paired.person().id)
        day = now_of(session).date() + timedelta(days=40)
        stints, _others = relaying_teams.pairings_of(session, team.id, specialist.person().id)
        assert not relaying_teams.may_keep(session, far.person().id, stints)
        with pytest.raises(StintError):
            relaying_teams.hand_over_team(
                session, team, "graduation", day, specialist.person().id, keeper=far.person().id
            )


def test_many_of_one_batch_are_told_in_one_message(database: Database, alin: Chat, specialist: Chat) -> None:
    brought(database, people(3))
    boss = Chat(database, "boss")
    follow(boss)
    grant(database, boss, "organiser", "44")
    chats = [other_volunteer(database, f"v{number}", f"1390000000{number}") for number in range(3)]
    with database.write() as session:
        team = team_with(session, "GZ01", *(chat.person().id for chat in chats))
        for number, chat in enumerate(chats):
            pair(session, chat.person().id, somebody(session, number))
        hush(session)
        day = now_of(session).date() + timedelta(days=40)
        relaying_teams.hand_over_team(session, team, "graduation", day, boss.person().id)
    told = [one for one in deliver(database, specialist) if one.kind == "notice.relay" and one.text]
    assert len(told) == 1 and "有 3 个结对要交接" in told[0].text


def test_a_large_team_is_handed_over_beside_the_turn_and_the_end_is_told(
    database: Database, paired: Chat, specialist: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying_asked, "AT_ONCE", 1)
    with database.write() as session:
        team_with(session, "GZ01", paired.person().id)
        pair(session, paired.person().id, somebody(session, 1))
        hush(session)
    specialist.say("整队交接", "GZ01", "毕业", "下月底", "我来")
    assert "要交接的 2 个结对正在逐个开始" in specialist.press("开始交接")
    with database.read() as session:
        assert session.exec(select(Relay)).all() == [], "the turn writes it down alone"
    jobs.hand_over_teams(database)
    [told] = [one for one in deliver(database, specialist) if one.kind == "notice.team_relay"]
    assert "交接都开始了" in told.text and "开始交接 2 个结对" in told.text


# --- what is told ---

TO_VOLUNTEERS = ("notice.relay_begun", "notice.hand_over", "notice.relay_day", "notice.thanks", "notice.stood_in_for")


def test_no_notice_names_anybody_on_telegram(database: Database, paired: Chat, specialist: Chat) -> None:
    said = [reply.text for reply in all_notices(database, paired, specialist, "telegram") if reply is not None]
    assert len(said) >= 8
    assert not any(name in text or given(name) in text for name in NAMES for text in said), said


def test_nothing_is_told_of_somebody_who_died(database: Database, paired: Chat, specialist: Chat) -> None:
    known = everything(database, paired, specialist)
    died(database)
    for chat, kind, params in known:
        assert worded(database, chat, kind, params) is None, kind


def all_notices(database: Database, paired: Chat, specialist: Chat, platform: str) -> list[Reply | None]:
    known = everything(database, paired, specialist)
    return [worded(database, chat, kind, params, platform) for chat, kind, params in known]


def everything(database: Database, paired: Chat, specialist: Chat) -> list[tuple[Chat, str, dict[str, object]]]:
    """Every notice of relays, with what it is about, as true as can be all at once."""
    successor, stands_in = (
        other_volunteer(database, "aqing", "13800138001"),
        other_volunteer(database, "amu", "13800138002"),
    )
    with database.write() as session:
        stint = open_stint(session, somebody(session, 0))
        until = now_of(session).date() + timedelta(days=14)
        leave.ask(session, stint.id, until, paired.person().id)
    told: list[tuple[Chat, str, dict[str, object]]] = [
        (specialist, "notice.leave", {"stint": stint.id, "until": until.isoformat()})
    ]
    with database.write() as session:
        asked = substituting.ask(session, stint.id, stands_in.person().id, until, specialist.person().id)
    assert worded(database, stands_in, "notice.stand_in", {"stint": asked.id}) is not None
    with database.write() as session:
        substituting.answer(session, asked.id, stands_in.person().id, yes=True)
    key = begin(database, paired, note="喜欢下棋")
    assert worded(database, specialist, "notice.relay", {"relay": key}) is not None
    with database.write() as session:
        pair(session, successor.person().id, somebody(session, 0))
        relaying.agree_day(session, key, until, specialist.person().id)
    told += [
        (paired, "notice.stood_in_for", {"stint": asked.id}),
        (specialist, "notice.substitute", {"stint": asked.id}),
        (paired, "notice.back", {"stint": asked.id}),
        (specialist, "notice.relay", {"relay": key}),
        (paired, "notice.hand_over", {"relay": key}),
        (paired, "notice.relay_day", {"relay": key, "day": until.isoformat()}),
        (successor, "notice.relay_day", {"relay": key, "day": until.isoformat()}),
        (specialist, "notice.renewed", {"stint": stint.id}),
    ]
    for chat, kind, params in told:
        if kind != "notice.leave":  # somebody stands in
            assert worded(database, chat, kind, params) is not None, kind
    return told


def test_a_notice_is_no_longer_true_once_it_is_settled(database: Database, paired: Chat, specialist: Chat) -> None:
    key = begin(database, paired)
    with database.write() as session:
        relaying.agree_day(session, key, now_of(session).date() + timedelta(days=5), specialist.person().id)
        first = (now_of(session).date() + timedelta(days=5)).isoformat()
        relaying.agree_day(session, key, now_of(session).date() + timedelta(days=6), specialist.person().id)
    assert worded(database, paired, "notice.relay_day", {"relay": key, "day": first}) is None
    paired.say("我又能继续了")
    assert worded(database, specialist, "notice.relay", {"relay": key}) is None
    assert worded(database, specialist, "notice.relay_cancelled", {"relay": key}) is not None
    begin(database, paired)
    assert worded(database, specialist, "notice.relay_cancelled", {"relay": key}) is None


def test_handing_over_waits_for_the_successor_and_is_done_once(
    database: Database, paired: Chat, specialist: Chat
) -> None:
    key = begin(database, paired)
    successor = other_volunteer(database, "aqing", "13800138001")
    with database.write() as session:
        with pytest.raises(StintError):
            relaying.give(session, key, paired.person().id)
        pair(session, successor.person().id, somebody(session, 0))
        hush(session)
    deliver(database, paired)
    paired.press("交接好了")
    assert "已经交接" in paired.press("确定")
    assert relay_of(database, key).state == "done"
    with database.read() as session:
        assert open_stint(session, somebody(session, 0)).person_id == successor.person().id


def test_a_term_is_renewed_by_its_button_and_whoever_answers_hears_one_thing(
    database: Database, paired: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    clock.at += timedelta(days=310)
    with database.write() as session:
        assert relay_days.begin_for_terms(session, relay_days.terms_ending(session)) == 1
    deliver(database, paired)
    assert "又续了一期" in paired.press("再续一期")
    told = [one for one in deliver(database, specialist) if one.text]
    assert [one.kind for one in told if one.kind in ("notice.renewed", "notice.relay_cancelled")] == ["notice.renewed"]


def test_later_asks_once_more_before_the_last_day(
    database: Database, paired: Chat, specialist: Chat, clock: StoppedClock
) -> None:
    clock.at += timedelta(days=310)
    with database.write() as session:
        relay_days.begin_for_terms(session, relay_days.terms_ending(session))
    deliver(database, paired)
    assert "过两周再问你" in paired.press("晚点说")
    assert [one for one in deliver(database, paired) if one.kind == "notice.relay_begun"] == []
    clock.at += timedelta(days=relaying_lists.AGAIN_DAYS)
    assert [one for one in deliver(database, paired) if one.kind == "notice.relay_begun"]


def test_who_can_come_after_all_takes_the_leave_back(database: Database, paired: Chat, specialist: Chat) -> None:
    paired.say("想请假", "两周后")
    paired.press("请假")
    assert "请假 1 件" in specialist.say("交接清单")
    assert "请假取消了" in paired.say("我又能继续了")
    assert "没有人请假" in specialist.say("交接清单")
    assert [one.text for one in deliver(database, specialist) if one.kind == "notice.leave"] == [""]


def test_a_leave_is_over_with_its_last_day_or_once_it_is_settled(
    database: Database, paired: Chat, clock: StoppedClock
) -> None:
    with database.write() as session:
        stint = open_stint(session, somebody(session, 0))
        until = now_of(session).date() + timedelta(days=7)
        with pytest.raises(StintError):
            leave.ask(session, stint.id, until + timedelta(days=400), paired.person().id)
        leave.ask(session, stint.id, until, paired.person().id)
        found = leave.leave_of(session, stint.id)
        assert found is not None and found.until == until
    clock.at += timedelta(days=8)
    with database.write() as session:
        assert leave.leave_of(session, stint.id) is None
        assert not leave.settle(session, stint.id, paired.person().id)
