"""`nuanyang team …`, `nuanyang regions …` and `nuanyang volunteer …`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from bot.cli import run
from models.audit import AuditEntry
from models.database import now_of
from models.outbox import OutboxMessage
from models.role import RoleGrant
from models.team import RegionPair, Team, members, standing_pairs
from models.volunteer import Volunteer
from tests.commanding import nuanyang, on_database, register

BOSS, NEAR, ALIN, BOAN = "1000000001", "1000000002", "1000000003", "1000000009"


@pytest.fixture
def team(here: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A team of 广州天河, made by the organiser of the province; returns its number."""
    register(here, BOSS, NEAR, ALIN, BOAN)
    assert run(["grant", BOSS, "organiser", "--region", "44", "--first"]) == 0
    assert run(["team", "create", "阳光一队", "--region", "440106", "--by", BOSS, "--student", "--capacity", "3"]) == 0
    with on_database(here) as database, database.read() as session:
        number = session.exec(select(Team.number)).one()
    assert f"{number} 阳光一队" in capsys.readouterr().out
    return number


def told(folder: Path, kind: str) -> int:
    with on_database(folder) as database, database.read() as session:
        return len(session.exec(select(OutboxMessage.id).where(OutboxMessage.kind == kind)).all())


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run([*arguments]) == 1
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    return said


def test_a_team_is_made_filled_led_resized_renamed_and_ended(
    here: Path, team: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["team", "add", team, ALIN, BOAN, "--by", BOSS]) == 0
    assert capsys.readouterr().out.count("加进来了") == 2
    assert run(["team", "add", team, ALIN, "--by", BOSS]) == 0
    assert "已经是队员" in capsys.readouterr().out
    assert run(["team", "leader", team, ALIN, "--by", BOSS]) == 0
    assert run(["team", "capacity", team, "5", "--by", BOSS]) == 0
    assert run(["team", "rename", team, "阳光二队", "--by", BOSS]) == 0
    assert run(["grant", NEAR, "specialist", "--team", team, "--by", BOSS]) == 0
    capsys.readouterr()
    assert run(["team", "list"]) == 0
    _head, row = capsys.readouterr().out.splitlines()
    assert row.split("\t") == [team, "阳光二队", "440106 广东省广州市天河区", "-", "2", "5", "5", NEAR]
    assert run(["team", "show", team]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[:2] for line in lines[1:]] == [[ALIN, "队长"], [BOAN, "队员"]]
    assert "林小青" not in "".join(lines)
    assert run(["grants"]) == 0
    assert f"team:{team} 阳光二队" in capsys.readouterr().out
    assert run(["team", "remove", team, BOAN, "--by", NEAR]) == 0, "its specialist may"
    assert run(["team", "end", team, "--by", BOSS]) == 0
    assert run(["team", "end", team, "--by", BOSS]) == 0
    assert "之前已经解散" in capsys.readouterr().out
    assert told(here, "notice.team") == 5
    assert run(["team", "list", "--region", "44"]) == 0
    assert "还没有团队" in capsys.readouterr().out
    assert run(["team", "show", team]) == 0
    assert "已解散" in capsys.readouterr().out


def test_what_the_rules_do_not_allow_is_one_line(here: Path, team: str, capsys: pytest.CaptureFixture[str]) -> None:
    create = ["team", "create", "阳光一队", "--region"]
    assert "同名" in refused(capsys, *create, "440106", "--by", BOSS)
    assert "行政区划" in refused(capsys, *create, "999999", "--by", BOSS)
    assert "不归你负责" in refused(capsys, *create, "440104", "--by", ALIN)
    assert "7777777777" in refused(capsys, *create, "440104", "--by", "7777777777")
    assert "nuanyang team list" in refused(capsys, "team", "show", "1")
    assert "1 到 500" in refused(capsys, "team", "capacity", team, "501", "--by", BOSS)
    assert "先加为队员" in refused(capsys, "team", "leader", team, ALIN, "--by", BOSS)
    assert "没有这个编号" in refused(capsys, "team", "add", team, "7777777777", "--by", BOSS)
    assert "999999" in refused(capsys, "team", "list", "--region", "999999")
    assert "结对帮扶" in refused(capsys, "team", "helps", team, "--region", "441821", "--by", BOSS)
    assert run(["team", "add", team]) == 2
    with on_database(here) as database, database.read() as session:
        assert members(session, session.exec(select(Team)).one()) == []


def test_one_who_cannot_be_taken_in_keeps_nobody_else_out(
    here: Path, team: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["team", "add", team, ALIN, "7777777777", BOAN, "--by", BOSS]) == 1
    said = capsys.readouterr()
    assert said.out.count("加进来了") == 2
    assert "7777777777" in said.err


def test_two_regions_help_each_other_by_two_words(here: Path, team: str, capsys: pytest.CaptureFixture[str]) -> None:
    pair = ["4401", "441821", "--by", BOSS]
    assert "--operator" in refused(capsys, "regions", "pair", *pair)
    assert "--reason" in refused(capsys, "regions", "pair", *pair, "--operator")
    assert run(["regions", "pair", *pair, "--operator", "--reason", "只有一位"]) == 0
    with on_database(here) as database, database.write() as session:
        near = session.exec(select(Volunteer).where(Volunteer.number == NEAR)).one().person_id
        session.add(
            RoleGrant(
                person_id=near,
                role="organiser",
                scope_kind="region",
                scope="441821",
                granted_by="machine",
                granted_at=now_of(session),
            )
        )
        audited = session.exec(select(AuditEntry).where(AuditEntry.action == "region_pair.operator_agreed")).all()
        assert [entry.details["reason"] for entry in audited] == ["只有一位"]
    assert run(["team", "helps", team, "--region", "441821", "--by", BOSS]) == 0
    capsys.readouterr()
    assert run(["regions", "list"]) == 0
    assert "4401 广东省广州市\t441821 广东省清远市佛冈县" in capsys.readouterr().out
    assert "--second" in refused(capsys, "regions", "end", *pair, "--operator", "--reason", "又")
    assert run(["regions", "end", *pair, "--second", NEAR]) == 0
    assert "regions list" in refused(capsys, "regions", "end", *pair, "--second", NEAR)
    assert "代码" in refused(capsys, "regions", "pair", "4401", "999999", "--by", BOSS, "--second", NEAR)
    assert "里面" in refused(capsys, "regions", "pair", "44", "4401", "--by", BOSS, "--second", NEAR)
    assert "各写一位" in refused(capsys, "regions", "pair", "4401", "4418", "--by", NEAR, "--second", ALIN)
    with on_database(here) as database, database.read() as session:
        assert standing_pairs(session) == []
        assert len(session.exec(select(RegionPair)).all()) == 1
        assert session.exec(select(Team.helps)).one() is None
    capsys.readouterr()
    assert run(["regions", "list"]) == 0
    assert "还没有" in capsys.readouterr().out
    assert run(["team", "helps", team, "--by", BOSS]) == 0


def test_dates_are_written_down_and_told(here: Path, team: str, capsys: pytest.CaptureFixture[str]) -> None:
    dates = ["volunteer", "dates", ALIN, "--by", BOSS]
    with on_database(here) as database, database.read() as session:
        today = now_of(session).date()
    ahead = str(today + timedelta(days=100))
    assert run([*dates, "--trained", str(today - timedelta(days=3)), "--cleared-until", ahead]) == 0
    assert "正在告诉本人" in capsys.readouterr().out
    assert run([*dates, "--cleared-until", ahead]) == 0
    assert "之前已经" in capsys.readouterr().out
    assert told(here, "notice.dates") == 2
    assert "--trained" in refused(capsys, *dates)
    assert "2026-11-01" in refused(capsys, *dates, "--trained", "昨天")
    assert "今天以后" in refused(capsys, *dates, "--trained", ahead)
    assert "有效期" in refused(capsys, *dates, "--cleared-until", "2001-01-01")
    assert "不归你负责" in refused(capsys, "volunteer", "dates", BOSS, "--by", BOSS, "--trained", "2026-01-01")
    assert "7777777777" in refused(capsys, "volunteer", "dates", "7777777777", "--by", BOSS, "--trained", "2026-01-01")


def test_the_real_command_lists_teams(here: Path, team: str) -> None:
    ended = nuanyang(here, "team", "list")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[1].startswith(f"{team}\t阳光一队")
