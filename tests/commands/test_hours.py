"""`nuanyang hours head` and `nuanyang audit hours`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli import run
from models import serving
from models.hours_ledger import Head, as_text, from_text
from tests.commanding import on_database
from tests.pairing_world import TIANHE, YUEXIU
from tests.test_hours_ledger import tamper
from tests.test_service_records import DAY, Hours


@pytest.fixture
def filled(here: Path) -> Hours:
    """Two lines of one county and one of another, in the folder's own database."""
    with on_database(here) as database:
        world = Hours(database)
        for county, count in ((TIANHE, 2), (YUEXIU, 1)):
            person, specialist = world.volunteer(county), world.specialist(county)
            for day in range(count):
                world.do(serving.confirm, specialist, world.told(person, 1, (day + 1) * DAY))
        return world


def test_the_heads_are_printed_by_region(filled: Hours, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hours", "head"]) == 0
    found = from_text(capsys.readouterr().out)
    assert [(one.county, one.seq) for one in found] == [(YUEXIU, 1), (TIANHE, 2)]
    assert run(["hours", "head", "--region", TIANHE]) == 0
    assert [one.county for one in from_text(capsys.readouterr().out)] == [TIANHE]
    assert run(["hours", "head", "--region", "99"]) != 0
    assert "99" in capsys.readouterr().err


def test_a_whole_ledger_passes_and_a_changed_line_is_named(filled: Hours, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "hours"]) == 0
    said = capsys.readouterr()
    assert said.out.count("没有问题") == 2 and "--heads" in said.err
    tamper(filled, "UPDATE hours_entry SET minutes = 600 WHERE county = '440106' AND seq = 1")
    assert run(["audit", "hours"]) != 0
    said = capsys.readouterr()
    assert "第 1 行被改过" in said.out and said.out.count("没有问题") == 1 and "1 个区县" in said.err
    assert run(["audit", "hours", "--region", YUEXIU]) == 0


def test_a_cut_tail_shows_by_the_heads(filled: Hours, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["hours", "head"])
    kept = here / "heads.txt"
    kept.write_text(capsys.readouterr().out)
    assert run(["audit", "hours", "--heads", str(kept)]) == 0
    tamper(filled, "DELETE FROM hours_entry WHERE county = '440104'")
    tamper(filled, "UPDATE service_record SET state = 'void', decided_by = '' WHERE county = '440104'")
    assert run(["audit", "hours"]) == 0
    assert run(["audit", "hours", "--heads", str(kept)]) != 0
    assert "末尾被截短了：第 1 行起没有了" in capsys.readouterr().out


def test_a_file_that_is_none_of_ours_is_refused(filled: Hours, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = here / "bad.txt"
    bad.write_text(as_text([Head(TIANHE, 1, "a" * 64)]) + "什么都不是\n")
    assert run(["audit", "hours", "--heads", str(bad)]) != 0
    assert "第 2 行" in capsys.readouterr().err
    assert run(["audit", "hours", "--heads", str(here / "none.txt")]) != 0


def test_an_empty_database_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hours", "head"]) == 0
    assert "还没有" in capsys.readouterr().out
