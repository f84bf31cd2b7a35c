"""Checking in and out: at a station, an activity, a home; what cannot be proved is recorded as what it is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, SQLModel, select

from bot.receive import Receiver
from bot.spool import Spool
from config.catalogue import rules
from handlers import check_in, talk
from handlers.here import Here
from handlers.message import Inbound
from models import activities, activity_codes, checking_in, door_cards, station
from models.activities import New
from models.activity import Activity
from models.alert import Alert, words_of
from models.audit import AuditEntry
from models.beneficiary import MACHINE, Beneficiary, as_columns, record_of
from models.database import Database, now_of, vault_of
from models.pairing import Stint
from models.service import ServiceRecord
from models.serving import note_of
from models.station import Station
from models.vault import Vault
from tests.chatting import PUBLIC, Chat
from tests.conftest import StoppedClock
from tests.ledger_files import people
from tests.pairings import hush, pair, somebody
from tests.people import alin as alin
from tests.people import follow, grant
from tests.people import specialist as specialist
from tests.test_ledger_import import brought

HOME = (23.12911, 113.32071)  # where the family lives, WGS-84
NEAR = (23.13101, 113.32171)  # some 230 m from there
FAR = (23.15501, 113.39871)


@pytest.fixture
def paired(database: Database, alin: Chat, specialist: Chat) -> str:
    """阿林 is paired with somebody whose place the ledger knows; returns the stint."""
    brought(database, people(1))
    with database.write() as session:
        served = somebody(session, 0)
        settle(session, served, *HOME)
        stint = pair(session, alin.person().id, served)
        hush(session)
        return stint.id


def settle(session: Session, served: Beneficiary, latitude: float | None, longitude: float | None) -> None:
    vault = vault_of(session)
    record = replace(record_of(vault, served), latitude=latitude, longitude=longitude)
    served.record_sealed = as_columns(vault, served.id, record)["record_sealed"]
    session.add(served)


@pytest.fixture
def v_station(database: Database) -> Station:
    with database.write() as session:
        return station.create(session, MACHINE, "五山V站", "v_station", "440106")


@pytest.fixture
def reading(database: Database, alin: Chat) -> Activity:
    """An activity that 阿林 leads, from now until noon."""
    with database.write() as session:
        now = now_of(session)
        ends = now + timedelta(hours=2)
        new = New("周末读书会", now, ends, "study", "440106", alin.person().id, place="文化站二楼")
        made = activities.create(session, MACHINE, new)
        hush(session, "notice.activity")
        return made


@pytest.fixture
def azhen(database: Database) -> Chat:
    chat = Chat(database, "azhen")
    chat.register("林阿珍", "13800138009")
    return chat


def records(database: Database) -> list[ServiceRecord]:
    with database.read() as session:
        return list(session.exec(select(ServiceRecord).order_by(ServiceRecord.made_at)))  # type: ignore[arg-type]


def the_record(database: Database) -> ServiceRecord:
    [found] = records(database)
    return found


def code_now(database: Database, activity: Activity) -> str:
    with database.read() as session:
        return activity_codes.current(session, activity).digits


def wrong(database: Database, activity: Activity) -> str:
    """Six digits that are not good, now or lately."""
    with database.read() as session:
        tried = (f"{number:06d}" for number in range(50))
        return next(digits for digits in tried if activity_codes.verdict(session, activity, digits) == "wrong")


# --- a station ---


def test_a_scan_at_a_station_checks_in_and_the_next_one_out(
    database: Database, clock: StoppedClock, alin: Chat, v_station: Station
) -> None:
    assert "你在“五山V站”签到" in alin.act("scan", scene=f"s_{v_station.number}")
    assert "签到好了：文体活动，10:00 开始" in alin.press("文体活动")
    row = the_record(database)
    assert (row.way, row.state, row.station_id, row.content) == ("station", "running", v_station.id, "culture")
    clock.pass_time(timedelta(minutes=95))
    assert "“五山V站”，10:00 签到" in alin.act("scan", scene=f"s_{v_station.number}")
    said = alin.press("现在签退")
    assert "2026-11-22（星期日） 10:00 到 11:35，记 1.5 小时" in said
    row = the_record(database)
    assert (row.state, row.minutes) == ("waiting", 90)


def test_whoever_follows_by_the_code_of_a_station_is_asked_to_register(database: Database, v_station: Station) -> None:
    chat = Chat(database, "new")
    said = chat.act("follow", scene=f"s_{v_station.number}")
    assert "在哪里签到" not in said and "报名" in said
    assert records(database) == []


@pytest.mark.parametrize("scene", ["s_0000000000", "s_1234567890"])
def test_a_station_that_never_was_or_is_closed_says_so(
    database: Database, alin: Chat, v_station: Station, scene: str
) -> None:
    with database.write() as session:
        station.end(session, MACHINE, v_station.id)
    for each in (scene, f"s_{v_station.number}"):
        assert "现在用不了" in alin.act("scan", scene=each)
    assert records(database) == []


@pytest.mark.parametrize(
    "scene",
    ["s_", "s_12", "s_abcdefghij", "d_", "d_short", "a_1", "s_１２３４５６７８９０", "d_" + "x" * 40, "s_1' OR 1=1"],
)
def test_broken_scenes_are_not_known(database: Database, alin: Chat, scene: str) -> None:
    assert "我不认识" in alin.act("scan", scene=scene)


# --- an activity ---


def test_six_digits_check_in_at_an_activity_also_when_typed_by_themselves(
    database: Database, azhen: Chat, reading: Activity
) -> None:
    assert "签到好了：支教助学" in azhen.say(code_now(database, reading))
    row = the_record(database)
    assert (row.way, row.activity_id, row.unproven_why) == ("activity", reading.id, "")


def test_the_talk_leads_to_the_code_and_its_qr_code_too(
    database: Database, azhen: Chat, alin: Chat, reading: Activity
) -> None:
    azhen.say("签到")
    assert "活动：周末读书会" in azhen.press("参加活动")
    assert "签到码是 6 位数字" in azhen.say("不知道")
    digits = code_now(database, reading)
    assert "签到好了" in azhen.say(f"{digits[:3]} {digits[3:]}")
    assert "活动：周末读书会" in alin.act("scan", scene=f"a_{reading.number}")


def test_the_code_before_is_good_one_older_is_told_and_a_future_one_is_wrong(
    database: Database, clock: StoppedClock, reading: Activity
) -> None:
    digits, span = code_now(database, reading), timedelta(seconds=rules().hours.code_seconds)
    expected = ["good", "good", *["late"] * activity_codes.LATE, "wrong"]
    with database.read() as session:
        for verdict in expected:
            assert activity_codes.verdict(session, reading, digits) == verdict
            clock.pass_time(span)
        clock.pass_time(-len(expected) * span)
        ahead = activity_codes.code_at(secret(session, reading), int(clock.at.timestamp()) // 60 + 1)
        assert activity_codes.verdict(session, reading, ahead) == "wrong"


def secret(session: Session, activity: Activity) -> str:
    found: str = activity_codes._secret(session, activity)
    return found


def test_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, with SHA-256 and the last six of its eight digits."""
    seed = b"12345678901234567890123456789012".hex()
    for at, code in ((59, "119246"), (1111111109, "084774"), (1234567890, "819424"), (20000000000, "737706")):
        assert activity_codes.code_at(seed, at // 30)[-6:] == code


def test_guessing_ends_soon(database: Database, clock: StoppedClock, azhen: Chat, reading: Activity) -> None:
    bad = wrong(database, reading)
    for _try in range(rules().doors.code_tries):
        assert "签到码不对" in azhen.say(bad)
    assert "写错太多次" in azhen.say(code_now(database, reading))
    azhen.act("scan", scene=f"a_{reading.number}")
    assert "写错太多次" in azhen.say(code_now(database, reading))
    assert records(database) == []
    clock.pass_time(timedelta(minutes=rules().doors.code_pause_minutes, seconds=1))
    assert "签到好了" in azhen.say(code_now(database, reading))


def test_wrong_codes_in_the_talk_count_too(database: Database, azhen: Chat, reading: Activity) -> None:
    azhen.act("scan", scene=f"a_{reading.number}")
    bad = wrong(database, reading)
    for _try in range(rules().doors.code_tries):
        assert "签到码不对" in azhen.say(bad)
    assert "写错太多次" in azhen.say(bad)


def test_six_digits_mean_nothing_where_no_activity_is_open(database: Database, azhen: Chat) -> None:
    assert "没看懂" in azhen.say("440106")


def test_six_digits_after_a_cry_for_help_join_its_record(database: Database, azhen: Chat, reading: Activity) -> None:
    azhen.say("救命")
    azhen.say("201305")
    with database.read() as session:
        assert "201305" in words_of(session, session.exec(select(Alert)).one())


def test_an_activity_far_away_or_over_opens_by_no_code(
    database: Database, clock: StoppedClock, azhen: Chat, reading: Activity
) -> None:
    other = Chat(database, "far")
    other.register("王远", "13800138011", place="北京东城")
    assert "没看懂" in other.say(code_now(database, reading))
    assert "活动：周末读书会" in other.act("scan", scene=f"a_{reading.number}"), "its QR code says which it is"
    clock.pass_time(timedelta(hours=3))
    assert "不能签到" in azhen.act("scan", scene=f"a_{reading.number}")
    with database.write() as session:
        row = session.get_one(Activity, reading.id)
        row.cancelled_at = now_of(session)
        session.add(row)
    assert "已经取消" in azhen.act("scan", scene=f"a_{reading.number}")


# --- at a home, by one place ---


def test_one_place_that_is_near_checks_in(database: Database, alin: Chat, paired: str) -> None:
    alin.say("签到")
    assert "只用来比对这一次" in alin.press("上门探访或服务")
    said = alin.act("location", latitude=NEAR[0], longitude=NEAR[1])
    assert "签到好了：支教助学" in said and "注明" not in said
    row = the_record(database)
    assert (row.way, row.stint_id, row.unproven_why) == ("place", paired, "")


def test_a_place_that_is_not_near_is_asked_again_and_may_be_said_as_it_is(
    database: Database, alin: Chat, paired: str
) -> None:
    alin.say("签到")
    alin.press("上门探访或服务")
    assert "到了，可是对不上，就这样签到" not in alin.labels()
    said = alin.act("location", latitude=FAR[0], longitude=FAR[1])
    assert "对不上" in said and "公里" not in said and "米" not in said
    assert "位置没有对上" in alin.press("到了，可是对不上，就这样签到")
    row = the_record(database)
    assert (row.way, row.unproven_why) == ("unproven", "no_match")
    with database.read() as session:
        tried = session.exec(select(AuditEntry).where(AuditEntry.action == "service.no_match")).one()
        assert tried.details == {}


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("这里信号不好，定不了位", "no_signal"),
        ("家里没有智能手机和连心卡，我也定不了位", "no_phone"),
        ("不想发位置", "refused"),
    ],
)
def test_every_other_way_ends_in_a_record_that_says_what_it_is(
    database: Database, alin: Chat, paired: str, label: str, why: str
) -> None:
    alin.say("签到")
    alin.press("上门探访或服务")
    assert "记录里注明" in alin.press(label)
    row = the_record(database)
    assert (row.way, row.unproven_why, row.state) == ("unproven", why, "running")


def test_without_coordinates_in_the_ledger_no_place_is_asked_for(database: Database, alin: Chat, paired: str) -> None:
    with database.write() as session:
        settle(session, session.exec(select(Beneficiary)).one(), None, None)
    alin.say("签到")
    assert "没有这里的坐标" in alin.press("上门探访或服务")
    assert not alin.said.asks_location
    assert "没有核对" in alin.press("直接签到，注明没有核对")
    assert (the_record(database).way, the_record(database).unproven_why) == ("unproven", "no_place")


HOSTILE = [
    (float("nan"), float("nan")),
    (float("inf"), 0.0),
    (1e308, -1e308),
    (91.0, 0.0),
    (0.0, 181.0),
    (float("-inf"), float("nan")),
]


@pytest.mark.parametrize(("latitude", "longitude"), HOSTILE)
def test_what_is_no_place_on_earth_is_no_place(
    database: Database, alin: Chat, paired: str, latitude: float, longitude: float
) -> None:
    alin.say("签到")
    alin.press("上门探访或服务")
    assert "请用手机的“发送位置”" in alin.act("location", latitude=latitude, longitude=longitude)
    assert records(database) == []
    with database.write() as session:
        stint = session.get_one(Stint, paired)
        found = checking_in.at_home(session, alin.person().id, stint, "study", latitude, longitude)
        assert found is None


@pytest.mark.parametrize("words", ["geo:23.12911,113.32071", "geo:", "geo:1", "geo:1,2,3", "geo:a,b", "１２３"])
def test_a_place_that_is_typed_is_the_same_as_one_shared_or_none(
    database: Database, alin: Chat, paired: str, words: str
) -> None:
    """Whoever forges a place on their phone can do so by hand as well: it is compared the same, and kept by nobody."""
    alin.say("签到")
    alin.press("上门探访或服务")
    alin.say(words)
    assert len(records(database)) == (words == "geo:23.12911,113.32071")


def test_near_is_what_the_rules_say(database: Database, alin: Chat, paired: str) -> None:
    metre = 1 / 111_195
    for metres, near in ((rules().hours.near_metres - 5, True), (rules().hours.near_metres + 5, False)):
        with database.write() as session:
            stint = session.get_one(Stint, paired)
            found = checking_in.at_home(session, alin.person().id, stint, "study", HOME[0] + metres * metre, HOME[1])
            assert (found is not None) == near
            if found is not None:
                session.delete(found)


# --- the position is nowhere ---


def everything(database: Database) -> str:
    """Every value of every table, what is sealed opened, as one text."""
    vault: Vault = database.vault
    found: list[str] = []
    with database.engine.connect() as connection:
        for table in SQLModel.metadata.sorted_tables:
            keys = [column.name for column in table.primary_key.columns]
            for row in connection.execute(text(f'SELECT * FROM "{table.name}"')).mappings():
                for name, value in row.items():
                    if isinstance(value, bytes | memoryview) and name.endswith("_sealed"):
                        value = vault.open(f"{table.name}.{name}", str(row[keys[0]]), bytes(value))
                    found.append(f"{table.name}.{name}={value}")
    return "\n".join(found)


@pytest.mark.parametrize(("place", "way"), [(NEAR, "place"), (FAR, "")])
def test_the_position_stands_nowhere_in_the_database_nor_in_the_spool(
    database: Database, alin: Chat, paired: str, tmp_path: Path, place: tuple[float, float], way: str
) -> None:
    spool = Spool(tmp_path / "spool", database.vault)
    receiver = Receiver(
        database,
        spool,
        lambda inbound: Here(inbound.platform, inbound.account, sensitive_in_chat=True, public_url=PUBLIC),
    )
    alin.say("签到")
    alin.press("上门探访或服务")
    shared = Inbound(
        platform="wechat",
        account="test",
        sender="alin",
        key="place",
        kind="location",
        sent_at=database.clock.now(),
        latitude=place[0],
        longitude=place[1],
        text="天河路 208 号天河城 3 栋 502",
    )
    for _time in range(2):
        assert receiver.transact(shared, passive=True).reply is not None
    assert [row.way for row in records(database)] == ([way] if way else [])
    kept = everything(database)
    assert "inbox.kind=location" in kept and '"kind":"location"' in kept.replace(" ", "")
    for number in place:
        for digits in (f"{number}", f"{number:.2f}", f"{number:.3f}"):
            assert digits not in kept.replace(f"{HOME[0]}", "").replace(f"{HOME[1]}", ""), digits
    assert "天河城" not in kept
    assert list((tmp_path / "spool").glob("*")) == []


def test_a_place_whose_turn_failed_is_kept_by_no_message_but_by_the_record_of_a_cry_for_help(
    database: Database, alin: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise RuntimeError("a bug")

    receiver = Receiver(database, Spool(tmp_path / "spool", database.vault), lambda inbound: Here("wechat", "test"))
    monkeypatch.setattr(talk, "hear", broken)
    shared = Inbound(
        "wechat", "test", "alin", "one", "location", database.clock.now(), latitude=23.111, longitude=113.222
    )
    assert receiver.transact(shared, passive=True).reply is not None
    assert "23.111" not in everything(database)
    alin.act("menu", menu="sos")
    monkeypatch.undo()
    monkeypatch.setattr("handlers.turn._location", broken)
    again = Inbound(
        "wechat", "test", "alin", "two", "location", database.clock.now(), latitude=23.111, longitude=113.222
    )
    assert receiver.transact(again, passive=True).reply is not None
    with database.read() as session:
        assert "23.111" in words_of(session, session.exec(select(Alert)).one())


# --- the card at the door ---


def test_a_scan_of_the_familys_card_checks_in_and_names_nobody(database: Database, alin: Chat, paired: str) -> None:
    with database.write() as session:
        served = session.exec(select(Beneficiary)).one()
        made = door_cards.make(session, MACHINE, [served.id])
    [card] = made.cards
    assert made.replaced == 0 and len(card.token) == 22
    assert "签到好了" in alin.act("scan", scene=f"d_{card.token}")
    assert (the_record(database).way, the_record(database).stint_id) == ("card", paired)


def test_whoever_does_not_serve_there_learns_no_more_than_from_a_card_that_never_was(
    database: Database, azhen: Chat, paired: str
) -> None:
    with database.write() as session:
        served = session.exec(select(Beneficiary)).one()
        [card] = door_cards.make(session, MACHINE, [served.id]).cards
    real = azhen.act("scan", scene=f"d_{card.token}")
    forged = azhen.act("scan", scene="d_" + "A" * 22)
    assert real == forged and "只能由在这里服务的志愿者" in real
    assert records(database) == []
    with database.read() as session:
        tried = session.exec(select(AuditEntry).where(AuditEntry.action == "card.foreign")).one()
        assert tried.actor == azhen.person().id
    stranger = Chat(database, "stranger")
    follow(stranger)
    assert "先报名" in stranger.act("scan", scene=f"d_{card.token}")


def test_an_older_card_ends_with_the_new_one_and_says_so_to_whoever_serves_there(
    database: Database, alin: Chat, azhen: Chat, paired: str
) -> None:
    with database.write() as session:
        served = session.exec(select(Beneficiary)).one()
        [old] = door_cards.make(session, MACHINE, [served.id]).cards
        assert door_cards.standing_among(session, [served.id]) == 1
        again = door_cards.make(session, MACHINE, [served.id])
        assert again.replaced == 1 and again.cards[0].token != old.token
    assert "这是旧的连心卡" in alin.act("scan", scene=f"d_{old.token}")
    assert "只能由" in azhen.act("scan", scene=f"d_{old.token}")
    assert records(database) == []


# --- checking out ---


def at_home(alin: Chat) -> None:
    alin.say("签到")
    alin.press("上门探访或服务")
    alin.act("location", latitude=NEAR[0], longitude=NEAR[1])


def test_checking_out_of_a_visit_asks_how_the_person_is_and_offers_the_report(
    database: Database, clock: StoppedClock, alin: Chat, paired: str
) -> None:
    at_home(alin)
    clock.pass_time(timedelta(hours=2, minutes=10))
    alin.say("签退")
    assert "TA今天怎么样" in alin.press("现在签退")
    said = alin.say("精神不错，想学画画")
    assert "10:00 到 12:10，记 2 小时" in said and "探访记录" in alin.labels()
    with database.read() as session:
        assert note_of(session, session.exec(select(ServiceRecord)).one()) == "精神不错，想学画画"


def test_the_end_may_be_told_and_is_looked_at(database: Database, clock: StoppedClock, alin: Chat, paired: str) -> None:
    at_home(alin)
    clock.pass_time(timedelta(hours=3))
    alin.say("签退")
    alin.press("更早就结束了")
    assert "已经过去的时间" in alin.say("不记得了")
    alin.say("10:10")
    assert "还不满半小时" in alin.press("跳过")
    assert "10:00 到 11:30，记 1.5 小时" in alin.say("11点半")


def test_too_soon_leaves_it_running(database: Database, clock: StoppedClock, alin: Chat, v_station: Station) -> None:
    alin.act("scan", scene=f"s_{v_station.number}")
    alin.press("文体活动")
    clock.pass_time(timedelta(minutes=20))
    alin.say("签退")
    assert "还不满半小时" in alin.press("现在签退")
    assert "没有做任何改动" in alin.press("还没结束")
    assert the_record(database).state == "running"


def test_a_check_in_by_mistake_is_taken_back_by_its_button_or_in_the_talk(
    database: Database, alin: Chat, paired: str, v_station: Station
) -> None:
    at_home(alin)
    assert "不算时长" in alin.press("签错了，取消")
    alin.act("scan", scene=f"s_{v_station.number}")
    alin.press("日常照料")
    alin.say("签退")
    assert "不算时长" in alin.press("签错了，取消这次签到")
    assert [row.state for row in records(database)] == ["void", "void"]
    assert "没有在签到的服务" in alin.say("签退")


def test_checking_out_ends_the_lone_visit_too(database: Database, clock: StoppedClock, alin: Chat, paired: str) -> None:
    at_home(alin)
    alin.say("我进门了，一个小时后出来")
    clock.pass_time(timedelta(minutes=50))
    alin.say("签退")
    alin.press("现在签退")
    assert "独自上门的提醒也结束了" in alin.press("跳过")


def test_an_old_button_checks_nothing_out_twice(
    database: Database, clock: StoppedClock, alin: Chat, v_station: Station
) -> None:
    alin.act("scan", scene=f"s_{v_station.number}")
    alin.press("文体活动")
    mistake = next(option.id for option in alin.said.options if option.label == "签错了，取消")
    clock.pass_time(timedelta(hours=1))
    alin.say("签退")
    alin.press("现在签退")
    assert "没有改动" in alin.act("choice", choice=mistake)
    assert the_record(database).state == "waiting"


def test_several_pairings_are_asked_for_by_what_the_chat_may_carry(
    database: Database, alin: Chat, specialist: Chat
) -> None:
    brought(database, people(2))
    with database.write() as session:
        for number in (0, 1):
            pair(session, alin.person().id, somebody(session, number))
        hush(session)
    alin.say("签到")
    assert "现在在谁那里" in alin.press("上门探访或服务")
    assert len(alin.labels()) == 2
    assert "没有这里的坐标" in alin.press(alin.labels()[1])
    assert "没有核对" in alin.press("直接签到，注明没有核对")
    with database.read() as session:
        assert session.exec(select(ServiceRecord)).one().beneficiary_id == somebody(session, 1).id


def test_whoever_serves_nobody_and_whoever_may_not_serve_are_told(database: Database, alin: Chat) -> None:
    alin.say("签到")
    assert "上门探访或服务" not in alin.labels()
    assert "扫一扫驿站墙上的签到码" in alin.press("在驿站、基地等阵地")
    alin.say("签到")
    assert "没有可以签到的活动" in alin.press("参加活动")
    stranger = Chat(database, "stranger")
    follow(stranger)
    assert "先报名" in stranger.say("签到")


# --- activities ---


def test_a_specialist_makes_an_activity_in_chat_and_sees_its_code(
    database: Database, clock: StoppedClock, alin: Chat
) -> None:
    grant(database, alin, "specialist", "440106")
    alin.say("新建活动")
    alin.say("周末读书会")
    assert "请写日期和时间" in alin.say("下午")
    alin.say("今天 14:30")
    assert "比开始晚" in alin.say("13:00")
    alin.say("两个小时", "五山街道文化站二楼")
    alin.press("支教助学")
    assert "最多 20 人" in alin.say("20人")
    said = alin.press("建活动")
    assert "周末读书会，2026-11-22（星期日） 14:30–16:30" in said
    with database.read() as session:
        row = session.exec(select(Activity)).one()
    assert (row.county, row.places, row.content) == ("440106", 20, "study")
    clock.pass_time(timedelta(hours=5))
    assert "由你带队" in alin.say("近期活动")
    said = alin.press("看签到码")
    digits = code_now(database, row)
    assert f"{digits[:3]} {digits[3:]}" in said and alin.said.links
    alin.say("近期活动")
    alin.press("取消活动")
    assert "活动取消了" in alin.press("取消活动")
    assert "还没有登记的活动" in alin.say("近期活动")


def test_whoever_answers_for_nothing_makes_none(database: Database, alin: Chat) -> None:
    assert "新建活动" not in (alin.say("近期活动") and alin.labels())
    assert "队长、专员或管理员" in alin.say("新建活动")


def test_nobody_else_sees_the_code_or_cancels(database: Database, alin: Chat, azhen: Chat, reading: Activity) -> None:
    azhen.say("近期活动")
    assert "看签到码" not in azhen.labels()
    alin.say("近期活动")
    code = next(option.id for option in alin.said.options if option.label == "看签到码")
    assert "已经回答过" in azhen.act("choice", choice=code)
    with database.write() as session:
        with pytest.raises(activities.ActivityError) as refused:
            activities.cancel(session, azhen.person().id, reading.id)
        assert refused.value.reason == "scope"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "x"}, "name"),
        ({"content": "none"}, "content"),
        ({"county": "44"}, "county"),
        ({"places": 0}, "places"),
        ({"ends_at": timedelta(0)}, "time"),
        ({"ends_at": timedelta(hours=25)}, "time"),
        ({"leader_id": "nobody"}, "leader"),
        ({"station_id": "none"}, "station"),
    ],
)
def test_an_activity_that_cannot_be_is_refused(
    database: Database, alin: Chat, change: dict[str, object], reason: str
) -> None:
    with database.write() as session:
        now = now_of(session)
        usual: dict[str, object] = {
            "name": "读书会",
            "starts_at": now,
            "ends_at": now + timedelta(hours=1),
            "content": "study",
            "county": "440106",
            "leader_id": alin.person().id,
        }
        if isinstance(change.get("ends_at"), timedelta):
            change = {"ends_at": now + change["ends_at"]}  # type: ignore[operator]
        with pytest.raises(activities.ActivityError) as refused:
            activities.create(session, MACHINE, New(**(usual | change)))  # type: ignore[arg-type]
    assert refused.value.reason == reason


def test_facts_of_the_talk_hold_no_place_and_no_name(database: Database, alin: Chat, paired: str) -> None:
    alin.say("签到")
    alin.press("上门探访或服务")
    with database.read() as session:
        facts = check_in._stint_facts(session, alin.person(), session.get_one(Stint, paired))
        kept = json.dumps(facts.model_dump(), ensure_ascii=False)
    assert not any(words in kept for words in ("测", "23.", "113."))
