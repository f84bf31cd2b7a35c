"""`nuanyang grant` and `nuanyang grants`."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from bot.cli import run
from models.alert import raise_alert
from models.audit import AuditEntry
from models.contact import write
from models.outbox import OutboxMessage
from models.role import RoleGrant
from models.volunteer import Volunteer
from tests.commanding import nuanyang, on_database, reads, register


def test_the_first_organiser_is_granted_once_and_the_next_needs_two(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001", "1000000002", "1000000003")
    assert run(["grant", "1000000001", "organiser", "--region", "44"]) == 1
    assert "--first" in capsys.readouterr().err
    assert run(["grant", "1000000001", "organiser", "--region", "44", "--first"]) == 0
    assert run(["grant", "1000000002", "organiser", "--region", "44", "--first"]) == 1
    assert run(["grant", "1000000002", "organiser", "--region", "4401", "--by", "1000000001"]) == 1
    capsys.readouterr()
    by_one = ["grant", "1000000002", "organiser", "--region", "4401", "--by", "1000000001"]
    assert run([*by_one, "--operator"]) == 1
    assert "--reason" in capsys.readouterr().err
    assert run([*by_one, "--operator", "--reason", "只有一位管理员"]) == 0
    third = ["grant", "1000000003", "organiser", "--region", "4401", "--by", "1000000001"]
    assert run([*third, "--operator", "--reason", "又一次"]) == 1
    assert run([*third, "--second", "1000000002"]) == 0
    with on_database(here) as database, database.read() as session:
        reasons = session.exec(select(AuditEntry).where(AuditEntry.action == "role.operator_agreed")).all()
        assert [entry.details["reason"] for entry in reasons] == ["只有一位管理员"]


def test_grants_are_listed_by_number_without_names_and_can_be_ended(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001", "1000000002")
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    run(["grant", "1000000002", "specialist", "--region", "440106", "--by", "1000000001"])
    capsys.readouterr()
    assert run(["grants"]) == 0
    listed = capsys.readouterr().out
    assert "1000000002\tspecialist\tregion:440106" in listed
    assert "林小青" not in listed
    with on_database(here) as database, database.read() as session:
        held = {row.role: row.id for row in session.exec(select(RoleGrant)).all()}
    assert run(["grant", "--end", held["specialist"], "--by", "1000000002"]) == 1
    assert run(["grant", "--end", held["specialist"], "--by", "1000000001"]) == 0
    assert run(["grant", "--end", held["organiser"], "--by", "1000000001"]) == 1
    assert "最后一位" in capsys.readouterr().err


def test_an_organiser_ends_no_role_outside_of_their_region(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, "1000000001", "1000000002", "1000000003")
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    run(["grant", "1000000002", "organiser", "--region", "4403", "--by", "1000000001", "--operator", "--reason", "二"])
    run(["grant", "1000000003", "specialist", "--region", "440106", "--by", "1000000001"])
    with on_database(here) as database, database.read() as session:
        held = {row.role + row.scope: row.id for row in session.exec(select(RoleGrant)).all()}
    capsys.readouterr()
    for outside in ("specialist440106", "organiser44"):
        assert run(["grant", "--end", held[outside], "--by", "1000000002"]) == 1
        assert "--by" in capsys.readouterr().err
    with on_database(here) as database, database.read() as session:
        assert all(row.ended_at is None for row in session.exec(select(RoleGrant)))
    assert run(["grant", "--end", held["specialist440106"], "--by", "1000000001"]) == 0
    assert run(["grant", "--end", held["organiser4403"], "--by", "1000000001"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["1000000001", "king", "--region", "44"],
        ["1000000001", "organiser"],
        ["1000000001", "organiser", "--region", "44", "--team", "x"],
        ["1000000001", "organiser", "--region", "999999", "--first"],
        ["7777777777", "organiser", "--region", "44", "--first"],
        ["1000000001", "specialist", "--region", "44", "--first"],
        ["--end", "x"],
    ],
)
def test_a_grant_that_makes_no_sense_is_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    register(here, "1000000001")
    assert run(["grant", *arguments]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_grant_tells_its_person_and_hands_over_what_nobody_had(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001", "1000000002")
    with on_database(here) as database, database.write() as session:
        asker = session.exec(select(Volunteer).where(Volunteer.number == "1000000002")).one()
        write(session, asker.person_id, "能改到周日吗")
        raise_alert(session, asker.person_id, "words", "救命")
    assert run(["grant", "1000000001", "organiser", "--region", "44", "--first"]) == 0
    said = capsys.readouterr().out
    assert "正在聊天里告诉本人" in said
    assert "留言 1 条、求助 1 条" in said
    assert waiting(here) == ["notice.alert", "notice.contact", "notice.role"]
    assert run(["grant", "1000000001", "organiser", "--region", "44", "--by", "1000000001", "--operator"]) == 1
    register(here, "1000000003")
    specialist = ["grant", "1000000003", "specialist", "--region", "440106", "--by", "1000000001"]
    capsys.readouterr()
    assert run(specialist) == 0
    assert "没有人收" not in capsys.readouterr().out
    assert waiting(here).count("notice.contact") == 1


def waiting(folder: Path) -> list[str]:
    with on_database(folder) as database, database.read() as session:
        return sorted(session.exec(select(OutboxMessage.kind)))


def test_ending_a_role_tells_its_person(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(here, "1000000001", "1000000002")
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    run(["grant", "1000000002", "specialist", "--region", "440106", "--by", "1000000001"])
    with on_database(here) as database, database.read() as session:
        held = session.exec(select(RoleGrant.id).where(RoleGrant.role == "specialist")).one()
    assert run(["grant", "--end", held, "--by", "1000000001"]) == 0
    assert "正在聊天里告诉本人" in capsys.readouterr().out
    assert waiting(here).count("notice.role") == 3


def test_a_team_needs_its_own_organiser_or_the_machines_word_with_a_reason(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001", "1000000002")
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    team = ["grant", "1000000002", "specialist", "--team", "sun", "--by", "1000000001"]
    capsys.readouterr()
    for refused in (team, [*team, "--operator"]):
        assert run(refused) == 1
        said = capsys.readouterr().err
        assert len(said.strip().splitlines()) == 1
        assert "--operator" in said
    assert run([*team, "--operator", "--reason", "新的团队"]) == 0
    with on_database(here) as database, database.read() as session:
        held = session.exec(select(RoleGrant.id).where(RoleGrant.scope == "sun")).one()
    end = ["grant", "--end", held, "--by", "1000000001"]
    assert run(end) == 1
    assert run([*end, "--operator", "--reason", "团队解散"]) == 0
    assert len(reads(here, "role.operator_agreed")) == 2


def test_the_real_command_lists_roles_under_headings(here: Path) -> None:
    register(here, "1000000001")
    assert "还没有任何角色" in nuanyang(here, "grants").stdout
    run(["grant", "1000000001", "organiser", "--region", "44", "--first"])
    ended = nuanyang(here, "grants")
    assert (ended.returncode, ended.stderr) == (0, "")
    heading, row = ended.stdout.splitlines()
    assert heading == "编号\t志愿者\t角色\t范围\t开始"
    assert row.split("\t")[1:4] == ["1000000001", "organiser", "region:44 广东省"]
