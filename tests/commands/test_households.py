"""`nuanyang households`: everybody of a region by marks, in the terminal and as a file that a spreadsheet may open."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import update
from sqlmodel import col

from bot.cli import run
from models.beneficiary import Beneficiary
from tests.commanding import on_database
from tests.ledger_files import person
from tests.test_ledger_import import brought

Out = pytest.CaptureFixture[str]
HEADS = ["档案", "区县", "乡镇街道", "现在", "今天负责", "注意", "接下来", "为什么还在等", "最近联系", "活动"]


@pytest.fixture
def ledger(here: Path) -> Path:
    """Two people; the town of one would be a formula (which an import does not take: it came otherwise)."""
    with on_database(here) as database:
        brought(database, [person(1), person(2, 乡镇街道="甲街道")])
        with database.write() as session:
            session.exec(update(Beneficiary).where(col(Beneficiary.town) == "甲街道").values(town="=HYPERLINK(1)"))
    return here


def test_the_list_has_marks_and_no_names(ledger: Path, capsys: Out) -> None:
    assert run(["households", "4401"]) == 0
    said = capsys.readouterr()
    head, *rows = said.out.splitlines()
    assert head.split("\t") == HEADS
    assert len(rows) == 2 and all(len(row.split("\t")[0]) == 6 for row in rows)
    assert all("天河区\t" in row and "还没有征得家里同意" in row for row in rows)
    assert "consent\t还没有征得家里同意\t2" in said.err
    assert "测" not in said.out and "某某" not in said.out


@pytest.mark.parametrize("name", ["名单.csv", "名单.xlsx"])
def test_a_file_has_everybody_and_no_formula(ledger: Path, capsys: Out, name: str) -> None:
    file = ledger / name
    assert run(["households", "440106", "--csv", str(file)]) == 0
    assert "2 位已存到" in capsys.readouterr().out
    if file.suffix == ".csv":
        rows = list(csv.reader(file.read_text("utf-8-sig").splitlines()))
        town = "'=HYPERLINK(1)"
    else:
        rows = CalamineWorkbook.from_path(str(file)).get_sheet_by_index(0).to_python()
        town = "=HYPERLINK(1)"  # as text: calamine gives what a formula came to, never its own words
    assert rows[0] == HEADS
    assert {row[2] for row in rows[1:]} == {"五山街道", town}
    assert file.stat().st_mode & 0o077 == 0
    assert run(["households", "440106", "--csv", str(file)]) == 1, "a file that is there stays as it is"


def test_a_state_chooses_and_what_is_wrong_is_said(ledger: Path, capsys: Out) -> None:
    assert run(["households", "440106", "--state", "paired"]) == 0
    assert "没有这样的人" in capsys.readouterr().out
    assert run(["households", "440106", "--state", "sad"]) == 1
    assert "nobody、relay、consent" in capsys.readouterr().err
    assert run(["households", "999999"]) == 1
    assert "没有代码为 999999 的地区" in capsys.readouterr().err
