"""`nuanyang import`: a ledger from the file to the database and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import func, select

from bot.cli import run
from models.audit import AuditEntry
from models.beneficiary import Beneficiary
from models.ledger_cells import read_ledger
from tests.commanding import on_database
from tests.conftest import START
from tests.ledger_files import as_csv, id_number, people, person
from tests.sheets import workbook

Out = pytest.CaptureFixture[str]


def handed_in(folder: Path, rows: list[dict[str, str]], name: str = "台账.csv", encoding: str = "gb18030") -> str:
    (folder / name).write_bytes(as_csv(rows, encoding))
    return str(folder / name)


def batch_of(said: str) -> str:
    return said.split("nuanyang import ")[-1].split()[1]


def listed(folder: Path) -> int:
    with on_database(folder) as database, database.read() as session:
        return session.exec(select(func.count()).select_from(Beneficiary)).one()


def test_a_ledger_is_checked_taken_shown_and_taken_back(here: Path, capsys: Out) -> None:
    file = handed_in(here, people(3))
    assert run(["import", "ledger", file, "--region", "440106"]) == 0
    said = capsys.readouterr()
    assert "新增 3，变更 0" in said.out and "3 行" in said.err and listed(here) == 0
    batch = batch_of(said.out)
    assert run(["import", "take", batch]) == 0
    assert "已收下：新增 3" in capsys.readouterr().out and listed(here) == 3
    assert run(["import", "ledger", file, "--region", "440106", "--take"]) == 0
    said = capsys.readouterr().out
    assert "不变 3" in said and run(["import", "undo", batch_of(said)]) == 0
    capsys.readouterr()
    assert run(["import", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split("\t")[2:] for line in lines] == [
        ["天河区", state, "3", "台账"] for state in ("已撤回", "已收下")
    ]
    assert run(["import", "undo", batch]) == 0
    assert "已撤回" in capsys.readouterr().out and listed(here) == 0


def test_what_cannot_be_taken_is_told_by_row_and_comes_as_a_file_to_be_mended(here: Path, capsys: Out) -> None:
    rows = [person(1), person(2, 残疾人证号="4.40106E+17"), person(3, 联系电话="一二三")]
    file, mended = handed_in(here, rows), here / "待改.xlsx"
    assert run(["import", "ledger", file, "--region", "440106", "--take", "--problems", str(mended)]) == 0
    said = capsys.readouterr().out
    assert "第 3 行" in said and "第 4 行" in said and "没有收下 1" in said and listed(here) == 2
    assert mended.stat().st_mode & 0o077 == 0
    again = read_ledger(mended.read_bytes(), mended.name, county="440106", today=START.date())
    assert [row.record is None for row in again.rows()] == [True, False]
    assert run(["import", "ledger", file, "--region", "440106", "--problems", str(mended)]) == 1
    assert "已经在那里" in capsys.readouterr().err


def test_whoever_is_missing_is_asked_about_and_the_answer_is_kept(here: Path, capsys: Out) -> None:
    run(["import", "ledger", handed_in(here, people(2)), "--region", "440106", "--take"])
    run(["import", "ledger", handed_in(here, people(1)), "--region", "440106", "--take"])
    assert "nuanyang import questions" in capsys.readouterr().out
    assert run(["import", "questions"]) == 0
    listing = capsys.readouterr().out
    assert "新台账里没有了" in listing and "测" not in listing
    assert run(["import", "questions", "--names"]) == 0
    assert person(1)["姓名"] in capsys.readouterr().out
    question = listing.splitlines()[1].split("\t")[0]
    assert run(["import", "questions", "--answer", question]) == 1
    assert run(["import", "questions", "--answer", question, "--status", "died"]) == 0
    assert run(["import", "questions", "--answer", question, "--status", "died"]) == 1
    with on_database(here) as database, database.read() as session:
        assert sorted(session.exec(select(Beneficiary.status)).all()) == ["died", "listed"]
        actions = set(session.exec(select(AuditEntry.action)).all())
    assert {"ledger.taken", "ledger.names_read", "beneficiary.read", "ledger.answered"} <= actions


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ledger", "没有.csv", "--region", "440106"], "读不出来"),
        (["ledger", ".", "--region", "440106"], "读不出来"),
        (["ledger", "台账.csv", "--region", "44"], "--region"),
        (["ledger", "台账.csv", "--region", "999999"], "--region"),
        (["ledger", "空.csv", "--region", "440106"], "没有内容"),
        (["ledger", "图.xlsx", "--region", "440106"], "表格"),
        (["take", "x"], "nuanyang import list"),
        (["take", "x", "--doubtful", "一"], "--doubtful"),
        (["undo", "x"], "nuanyang import list"),
        (["drop", "x"], "nuanyang import list"),
        (["show", "x"], "nuanyang import list"),
        (["questions", "--answer", "x", "--status", "listed"], "nuanyang import questions"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(here: Path, capsys: Out, arguments: list[str], words: str) -> None:
    handed_in(here, people(1))
    (here / "空.csv").write_bytes(b"")
    (here / "图.xlsx").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    told = [str(here / part) if part.endswith((".csv", ".xlsx")) else part for part in arguments]
    assert run(["import", *told]) == 1
    said = capsys.readouterr().err
    assert words in said and len(said.strip().splitlines()) == 1 and listed(here) == 0


def test_doubtful_rows_and_many_missing_ones_are_taken_only_when_that_is_said(here: Path, capsys: Out) -> None:
    run(["import", "ledger", handed_in(here, people(30)), "--region", "440106", "--take"])
    like = person(1, 残疾人证号=id_number(40) + "42", 性别="女")
    capsys.readouterr()
    assert run(["import", "ledger", handed_in(here, [like]), "--region", "440106", "--take"]) == 1
    said = capsys.readouterr()
    assert "--part" in said.err and "存疑 1" in said.out
    assert run(["import", "ledger", handed_in(here, [like]), "--region", "440106", "--part"]) == 0
    batch = batch_of(capsys.readouterr().out)
    assert run(["import", "show", batch]) == 0
    assert "姓名、出生日期相同" in capsys.readouterr().out
    assert run(["import", "take", batch, "--doubtful", "2"]) == 0
    assert listed(here) == 31
    assert run(["import", "drop", batch]) == 1


def test_worksheets_and_columns_that_are_not_read_are_named_and_nobody_is_asked_about(here: Path, capsys: Out) -> None:
    run(["import", "ledger", handed_in(here, people(3)), "--region", "440106", "--take"])
    rows = [(*person(0), "备忘栏"), (*person(0).values(), "x")]
    (here / "两张.xlsx").write_bytes(workbook(甲镇=rows, 乙镇=[tuple(person(1)), tuple(person(1).values())]))
    capsys.readouterr()
    assert run(["import", "ledger", str(here / "两张.xlsx"), "--region", "440106", "--take"]) == 0
    said = capsys.readouterr()
    assert "乙镇" in said.err and "没有用上的列：备忘栏" in said.err
    assert "不变 1" in said.out and "新台账里没有 0" in said.out


def test_two_records_of_one_person_are_found_made_one_and_made_two_again(here: Path, capsys: Out) -> None:
    for region in ("440106", "440105"):
        run(["import", "ledger", handed_in(here, [person(1)]), "--region", region, "--take"])
    capsys.readouterr()
    assert run(["import", "merge"]) == 0
    said = capsys.readouterr().out
    assert "相同的证件号" in said and person(1)["姓名"] not in said
    kept, _place, gone = said.splitlines()[1].split("\t")[:3]
    assert run(["import", "merge", kept]) == 1
    assert run(["import", "merge", kept, kept]) == 1
    capsys.readouterr()
    assert run(["import", "merge", kept, gone]) == 0
    merge = capsys.readouterr().out.split()[-1]
    assert run(["import", "merge", kept, gone]) == 1
    assert run(["import", "merge"]) == 0
    said = capsys.readouterr().out
    assert "没有找到可能重复的人" in said and merge in said and "已合并" in said
    assert run(["import", "unmerge", merge]) == 0
    assert run(["import", "unmerge", merge]) == 1
    like = person(1, 残疾人证号=id_number(40) + "42", 性别="女")
    run(["import", "ledger", handed_in(here, [like]), "--region", "440106", "--part"])
    assert run(["import", "take", batch_of(capsys.readouterr().out), "--doubtful", "2"]) == 0
    capsys.readouterr()
    assert run(["import", "merge", "--county", "440106"]) == 0
    assert "姓名和出生日期相同" in capsys.readouterr().out
