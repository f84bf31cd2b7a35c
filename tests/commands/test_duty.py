"""What waits for a person to look: `nuanyang inbox`, `contacts`, `alerts`, `recognitions`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from bot import replay
from bot.cli import run
from handlers.here import Here
from handlers.message import Inbound
from models import inbox
from models.alert import Alert, add_words, open_alerts, raise_alert, take
from models.audit import AuditEntry
from models.contact import ContactMessage, write
from models.database import Database, now_of
from models.inbox import InboxMessage
from models.outbox import OutboxMessage
from models.person import doors, open_door
from models.recognition import OPEN_FOR, Recognition
from models.role import RoleGrant
from models.sealed import unseal
from models.volunteer import Volunteer, set_phone
from tests.commanding import nuanyang, on_database, reads, register
from tests.conftest import START


def put_aside(database: Database, text: str) -> str:
    inbound = Inbound("wechat", "gd", "sender-a", "key1", "text", START, text=text)
    with database.write() as session:
        row = inbox.enter(session, "wechat", "gd", "key1", "sender-a", "text", inbound.as_json())
        assert row is not None
        inbox.set_aside(session, row, None, {"text": "抱歉"}, "passive")
    return row


def test_set_aside_messages_are_listed_without_words_and_replayed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_database(here) as database:
        row = put_aside(database, "我想报名")
    assert run(["inbox", "list"]) == 0
    listed = capsys.readouterr().out
    assert row in listed
    assert "报名" not in listed
    assert run(["inbox", "show", row]) == 0
    assert "报名" not in capsys.readouterr().out
    assert run(["inbox", "show", row, "--words"]) == 0
    assert "我想报名" in capsys.readouterr().out
    assert run(["inbox", "replay", row]) == 0
    assert run(["inbox", "replay", row]) == 1
    with on_database(here) as database, database.read() as session:
        assert session.exec(select(InboxMessage.state)).one() == "done"
        actions = set(session.exec(select(AuditEntry.action)))
        assert {"inbox.read", "inbox.replayed"} <= actions


def test_a_message_that_fails_again_stays_aside_and_is_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = put_aside(database, "你好")
    monkeypatch.setattr(replay, "turn", lambda *_args: 1 / 0)
    assert replay.again(database, lambda _inbound: Here("wechat", "gd"), row) is False
    with database.read() as session:
        found = session.exec(select(InboxMessage)).one()
        assert (found.state, found.failures) == ("aside", 2)


def test_contacts_say_when_nobody_waits(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["contacts"]) == 0
    assert "没有" in capsys.readouterr().out


def test_contacts_are_listed_with_how_far_they_came_and_without_words(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001")
    with on_database(here) as database, database.write() as session:
        asker = session.exec(select(Volunteer)).one()
        write(session, asker.person_id, "能改到周日吗")
    assert run(["contacts"]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("编号\t时间（Asia/Shanghai）\t志愿者\t所在地\t送到没有\n")
    with on_database(here) as database, database.read() as session:
        at = session.exec(select(ContactMessage.at)).one().astimezone(ZoneInfo("Asia/Shanghai"))
    assert f"\t{at:%Y-%m-%d %H:%M}\t" in listed
    assert "1000000001\t440106\t没有负责的同事" in listed
    assert "周日" not in listed
    assert run(["contacts", "--words"]) == 0
    assert "能改到周日吗" in capsys.readouterr().out


def test_what_nobody_answers_for_is_answered_by_an_organiser_from_the_command_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001", "1000000002", "1000000003", "1000000004")
    run(["grant", "1000000002", "organiser", "--region", "31", "--first"])
    run(["grant", "1000000003", "specialist", "--region", "310101", "--by", "1000000002"])
    with on_database(here) as database, database.write() as session:
        asker = session.exec(select(Volunteer).where(Volunteer.number == "1000000001")).one()
        row, told = write(session, asker.person_id, "能改到周日吗")
        key = row.id
    assert told == 0
    capsys.readouterr()
    answer = ["contacts", "--answer", key]
    for refused in (
        answer,
        [*answer, "--by", "1000000002"],
        [*answer, "--by", "1000000002", "--text", " "],
        [*answer, "--by", "1000000002", "--text", "字" * 1001],
        [*answer, "--by", "1000000001", "--text", "自己答自己"],
        [*answer, "--by", "1000000003", "--text", "别处的专员"],
        [*answer, "--by", "1000000004", "--text", "没有角色"],
        ["contacts", "--answer", "nonsense", "--by", "1000000002", "--text", "写错编号"],
        ["contacts", "--by", "1000000002"],
    ):
        assert run(refused) == 1, refused
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert run([*answer, "--by", "1000000002", "--text", "可以，周日上午"]) == 0
    assert key in capsys.readouterr().out
    assert [subject for _actor, subject in reads(here, "contact.answered")] == [key]
    with on_database(here) as database, database.read() as session:
        kinds = [row.kind for row in session.exec(select(OutboxMessage))]
        assert kinds.count("notice.contact_answer") == 1
    assert run(["contacts"]) == 0
    assert "没有等待答复" in capsys.readouterr().out


def test_where_somebody_is_responsible_an_organiser_of_elsewhere_answers_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001", "1000000002", "1000000003")
    run(["grant", "1000000002", "organiser", "--region", "31", "--first"])
    duty_of(here, "1000000003")
    with on_database(here) as database, database.write() as session:
        asker = session.exec(select(Volunteer).where(Volunteer.number == "1000000001")).one()
        key = write(session, asker.person_id, "能改到周日吗")[0].id
    capsys.readouterr()
    assert run(["contacts", "--answer", key, "--by", "1000000002", "--text", "可以"]) == 1
    assert "负责对方所在地" in capsys.readouterr().err
    assert run(["contacts", "--answer", key, "--by", "1000000003", "--text", "可以"]) == 0


def cry(folder: Path, number: str, words: str = "救命，有人打我") -> str:
    with on_database(folder) as database, database.write() as session:
        found = session.exec(select(Volunteer).where(Volunteer.number == number)).one()
        return raise_alert(session, found.person_id, "words", words)[0].id


def test_cries_for_help_are_listed_without_words_and_reading_them_leaves_a_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["alerts"]) == 0
    assert "没有" in capsys.readouterr().out
    register(here, "1000000001")
    key = cry(here, "1000000001")
    assert run(["alerts"]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("编号\t时间（Asia/Shanghai）\t类型\t志愿者\t所在地\t谁在处理\t通知\n")
    assert f"\n{key}\t" in listed
    assert "1000000001\t440106\t-\t没有能通知的人\n" in listed
    assert "救命" not in listed
    assert "林小青" not in listed
    assert reads(here, "alert.read") == []
    assert run(["alerts", "--words"]) == 0
    assert "救命，有人打我" in capsys.readouterr().out
    assert reads(here, "alert.read") == [("machine", key)]


def test_a_cry_for_help_is_closed_only_by_a_person_who_answers_for_it_and_says_how(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001", "1000000002", "1000000003", "1000000004")
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    run(["grant", "1000000002", "specialist", "--region", "440106", "--by", "1000000001"])
    run(["grant", "1000000003", "specialist", "--region", "440305", "--by", "1000000001"])
    key = cry(here, "1000000002")
    capsys.readouterr()
    close = ["alerts", "--close", key]
    for refused in (
        close,
        [*close, "--by", "1000000001"],
        [*close, "--by", "1000000001", "--note", " "],
        [*close, "--by", "1000000002", "--note", "我自己没事了"],  # the one who cried for help
        [*close, "--by", "1000000003", "--note", "别的区"],
        [*close, "--by", "1000000004", "--note", "没有角色"],
        [*close, "--by", "7777777777", "--note", "没有这个人"],
        ["alerts", "--close", "nonsense", "--by", "1000000001", "--note", "写错编号"],
        ["alerts", "--by", "1000000001"],
    ):
        assert run(refused) == 1, refused
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    with on_database(here) as database, database.read() as session:
        assert [row.state for row in open_alerts(session)] == ["open"]
    assert run([*close, "--by", "1000000001", "--note", "已到家里，人平安"]) == 0
    assert run([*close, "--by", "1000000001", "--note", "再来一次"]) == 1
    with on_database(here) as database, database.read() as session:
        assert open_alerts(session) == []
        row = session.exec(select(Alert)).one()
        assert row.closing_sealed is not None
        assert "平安".encode() not in row.closing_sealed
        assert unseal(session, "alert.closing_sealed", row.id, row.closing_sealed) == "已到家里，人平安"
        assert row.closed_at is not None
        actor = row.closed_by
    assert reads(here, "alert.closed") == [(actor, key)]


def duty_of(folder: Path, *numbers: str) -> None:
    """These are organisers, so that they are told."""
    with on_database(folder) as database, database.write() as session:
        for number in numbers:
            found = session.exec(select(Volunteer).where(Volunteer.number == number)).one()
            session.add(
                RoleGrant(
                    person_id=found.person_id,
                    role="organiser",
                    scope_kind="region",
                    scope="44",
                    granted_by="machine",
                    granted_at=START,
                )
            )


def end_notices(folder: Path, *states: str) -> None:
    """What was to be sent comes to this, one after the other."""
    with on_database(folder) as database, database.write() as session:
        rows = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.alert")).all()
        for row, state in zip(rows, states, strict=True):
            row.state = state
            session.add(row)


def test_cries_for_help_are_listed_with_how_far_the_notices_came_and_who_has_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = [f"100000000{digit}" for digit in range(1, 8)]
    register(here, *numbers)
    duty_of(here, *numbers[1:])
    key = cry(here, "1000000001")
    assert run(["alerts"]) == 0
    assert capsys.readouterr().out.endswith("\t-\t等待送出 6\n")
    end_notices(here, "sent", "sent", "sending", "held", "uncertain", "refused")
    with on_database(here) as database, database.write() as session:
        holder = session.exec(select(Volunteer).where(Volunteer.number == "1000000003")).one()
        take(session, key, holder.person_id)
    assert run(["alerts"]) == 0
    told = "交给平台 2，等待送出 1，等对方先说话 1，不确定 1，没送到 1"
    assert capsys.readouterr().out.endswith(f"\t1000000003\t{told}\n")
    assert reads(here, "alert.taken") == [(holder.person_id, key)]


def test_of_several_notices_of_a_cry_for_help_the_newest_counts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, "1000000001", "1000000002")
    duty_of(here, "1000000002")
    key = cry(here, "1000000001")
    end_notices(here, "sent")
    with on_database(here) as database, database.write() as session:
        add_words(session, session.get_one(Alert, key), "在后门")
    assert run(["alerts"]) == 0
    assert capsys.readouterr().out.endswith("\t-\t等待送出 1\n")


def returning(folder: Path, number: str) -> str:
    """Somebody in a new account says to be this volunteer; nobody answered yet."""
    with on_database(folder) as database, database.write() as session:
        found = session.exec(select(Volunteer).where(Volunteer.number == number)).one()
        _door, asker = open_door(session, "wechat", "gd", f"new-{number}", "zh_CN", zone="Asia/Shanghai")
        now = now_of(session)
        row = Recognition(
            asker=asker.id, found=found.person_id, state="open", county=found.county, at=now, tried_at=now
        )
        session.add(row)
        session.flush()
        return row.id


def test_whoever_comes_back_is_confirmed_or_refused_by_somebody_responsible(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["recognitions"]) == 0
    assert "没有" in capsys.readouterr().out
    register(here, "1000000001", "1000000002", "1000000003")
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    mine, wrong = returning(here, "1000000002"), returning(here, "1000000003")
    capsys.readouterr()
    assert run(["recognitions"]) == 0
    listed = capsys.readouterr().out
    heads, *lines = [line.split("\t") for line in listed.splitlines()]
    assert heads == ["编号", "时间（Asia/Shanghai）", "志愿者", "所在地", "请求保留到"]
    assert [line[2:4] for line in lines] == [["1000000002", "440106"], ["1000000003", "440106"]]
    assert "林小青" not in listed
    assert reads(here, "phone.read") == []
    phones = ["+8613800138002", "+8613800138003"]
    with on_database(here) as database, database.write() as session:
        people = session.exec(
            select(Volunteer).where(Volunteer.number != "1000000001").order_by(Volunteer.number)
        ).all()
        for each, phone in zip(people, phones, strict=True):
            set_phone(session, each, phone)
    assert run(["recognitions", "--phones"]) == 0
    heads, *lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert (heads[-1], [line[-1] for line in lines]) == ("登记的电话", phones)
    assert reads(here, "phone.read") == [("machine", each.person_id) for each in people]
    for refused in (
        ["recognitions", "--phones", "--confirm", mine, "--by", "1000000001"],
        ["recognitions", "--confirm", mine],
        ["recognitions", "--by", "1000000001"],
        ["recognitions", "--confirm", mine, "--refuse", mine, "--by", "1000000001"],
        ["recognitions", "--confirm", mine, "--by", "1000000003"],
        ["recognitions", "--confirm", "nonsense", "--by", "1000000001"],
    ):
        assert run(refused) == 1, refused
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert run(["recognitions", "--confirm", mine, "--by", "1000000001"]) == 0
    assert run(["recognitions", "--refuse", wrong, "--by", "1000000001"]) == 0
    assert run(["recognitions", "--refuse", wrong, "--by", "1000000001"]) == 1
    with on_database(here) as database, database.read() as session:
        states = {row.id: row.state for row in session.exec(select(Recognition))}
        assert states == {mine: "confirmed", wrong: "refused"}
        came_back = session.exec(select(Volunteer).where(Volunteer.number == "1000000002")).one()
        assert {door.sender for door in doors(session, came_back.person_id)} == {"sender1000000002", "new-1000000002"}
    assert len(reads(here, "recognition.confirmed")) == len(reads(here, "recognition.refused")) == 1


def test_a_request_that_has_expired_is_answered_as_expired(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, "1000000001", "1000000002")
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    request = returning(here, "1000000002")
    with on_database(here) as database, database.write() as session:
        row = session.get_one(Recognition, request)
        row.at -= OPEN_FOR + timedelta(minutes=1)
        session.add(row)
    capsys.readouterr()
    assert run(["recognitions", "--confirm", request, "--by", "1000000001"]) == 1
    said = capsys.readouterr().err
    assert "已过期" in said
    assert "再用一次“我以前注册过”" in said


def test_the_real_command_lists_cries_for_help(here: Path) -> None:
    register(here, "1000000001")
    key = cry(here, "1000000001")
    ended = nuanyang(here, "alerts", "--words")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"\n{key}\t" in ended.stdout
    assert "救命，有人打我" in ended.stdout
