"""`nuanyang duty …` and `nuanyang qualifications …`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli import run
from models import duty_leaves
from models.volunteer import volunteer_of
from tests.commanding import on_database
from tests.pairing_world import World


@pytest.fixture
def numbers(here: Path) -> dict[str, str]:
    """A specialist, a colleague who answers for the same, an organiser, and a volunteer, by number."""
    with on_database(here) as database:
        world = World(database)
        people = {name: world.volunteer() for name in ("near", "other", "boss", "alin")}
        for name, scope, role in (("near", "440106", "specialist"), ("other", "440106", "specialist")):
            world.give_role(people[name], scope, role)
        world.give_role(people["boss"], "4401", "organiser")
        with database.read() as session:
            return {name: row.number for name, one in people.items() if (row := volunteer_of(session, one))}


def test_a_leave_is_noted_listed_and_ended(
    numbers: dict[str, str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    near, other, boss = numbers["near"], numbers["other"], numbers["boss"]
    with on_database(here) as database:
        today = database.clock.now().date().isoformat()
    days = ["--from", today, "--until", today]
    assert run(["duty", "list"]) == 0
    assert "没有人" in capsys.readouterr().out
    assert run(["duty", "leave", near, *days, "--deputy", numbers["alin"]]) != 0
    assert "负责同样地方" in capsys.readouterr().err
    assert run(["duty", "leave", near, *days, "--deputy", other, "--by", numbers["alin"]]) != 0
    assert "不归你管" in capsys.readouterr().err
    assert run(["duty", "leave", near, "--from", "明天", "--until", today]) != 0
    assert "YYYY-MM-DD" in capsys.readouterr().err
    assert run(["duty", "leave", near, *days, "--deputy", other, "--by", boss]) == 0
    capsys.readouterr()
    assert run(["duty", "list"]) == 0
    (line,) = [each for each in capsys.readouterr().out.splitlines() if near in each]
    assert line.split("\t")[1:] == [near, today, today, other, "否"]
    assert run(["duty", "end", line.split("\t")[0]]) == 0
    with on_database(here) as database, database.read() as session:
        assert duty_leaves.standing(session) == []
    assert run(["duty", "end", line.split("\t")[0]]) != 0


def test_a_certificate_is_noted_and_listed_without_its_number(
    numbers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    near, boss = numbers["near"], numbers["boss"]
    note = ["qualifications", "note"]
    assert run([*note, numbers["alin"], "training", "--since", "2026-11-01"]) != 0
    assert "不是专员" in capsys.readouterr().err
    assert run([*note, near, "certificate", "--until", "2099-01-01", "--number", "GD-1"]) != 0
    assert run([*note, near, "diploma", "--until", "2027-01-01"]) != 0
    assert "certificate" in capsys.readouterr().err
    assert run([*note, near, "certificate", "--until", "2027-06-01", "--number", "GD-1", "--by", boss]) == 0
    capsys.readouterr()
    assert run(["qualifications", "list"]) == 0
    shown = capsys.readouterr().out
    assert near in shown and "2027-06-01" in shown and "GD-1" not in shown
    assert run(["qualifications", "list", "--lapsing", "0"]) == 0
    assert "没有要列的" in capsys.readouterr().out
