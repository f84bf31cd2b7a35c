"""`nuanyang import teams|specialists|institutions|stations`: good tables and bad ones, twice, and interrupted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from python_calamine import load_workbook
from sqlmodel import func, select
from xlsxwriter import Workbook

from bot.cli import run
from models import roster_batch
from models.audit import AuditEntry
from models.institution import Institution
from models.outbox import OutboxMessage
from models.role import RoleGrant
from models.sealed import unseal
from models.station import Station
from models.team import Team, TeamMember
from models.volunteer import Volunteer, by_number
from tests.commanding import on_database, register
from tests.conftest import START
from tests.sheets import text, workbook

Out = pytest.CaptureFixture[str]
Row = Sequence[Any]
BOSS, ALIN, BO, FAR = "1000000001", "1000000002", "1000000003", "1000000009"
TEAM_HEADS = ("团队名称", "地区", "是否学生团队", "结对人数", "队长编号", "队员编号")
SPECIALIST_HEADS = ("志愿者编号", "地区", "团队编号", "培训日期", "证明有效期")
INSTITUTION_HEADS = ("名称", "类别", "区县", "地址", "联系人", "电话")
STATION_HEADS = ("名称", "类别", "区县", "镇街", "地址", "开放时间", "容量")
SUN = ("阳光一队", "天河区", "是", "20", ALIN, f"{BO}、{ALIN}")
HOUSE = ("样甲康复站", "康复", "天河区", "某某路 1 号", "某联系人", "13800138000")
HOME = ("样甲家园", "温馨家园", "440106", "五山街道", "某某路 2 号", "周一至周五 9:00–17:00", "30")


@pytest.fixture
def desk(here: Path, capsys: Out) -> Path:
    """A folder whose organiser answers for 广东, with two volunteers of 天河 and one of 深圳."""
    register(here, BOSS, ALIN, BO, FAR)
    assert run(["grant", BOSS, "organiser", "--region", "44", "--first"]) == 0
    with on_database(here) as database, database.write() as session:
        far = by_number(session, FAR)
        assert far is not None
        far.county = "110105"
        session.add(far)
    capsys.readouterr()
    return here


def given(folder: Path, heads: Row, *rows: Row, encoding: str = "utf-8", name: str = "表.csv") -> str:
    (folder / name).write_bytes(text([heads, *rows], encoding))
    return str(folder / name)


def imported(capsys: Out, kind: str, file: str, *more: str, status: int = 0) -> str:
    capsys.readouterr()
    assert run(["import", kind, file, "--by", BOSS, *more]) == status
    said = capsys.readouterr()
    return said.err if status else said.out


def counts(said: str) -> tuple[int, ...]:
    """New, changed, same, doubtful, refused."""
    line = said.splitlines()[0].removeprefix("已收下：")
    return tuple(int(part.split()[-1]) for part in line.split("，"))


def many(folder: Path, table: Any) -> int:
    with on_database(folder) as database, database.read() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def traces(folder: Path) -> tuple[int, int]:
    """What the rules noted and told; not that something was imported."""
    with on_database(folder) as database, database.read() as session:
        noted = [action for action in session.exec(select(AuditEntry.action)) if not action.startswith("import.")]
        told = [kind for kind in session.exec(select(OutboxMessage.kind)) if kind != "notice.import"]
        return len(noted), len(told)


# --- teams ---


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_teams_are_shown_taken_and_taken_again_without_a_change(desk: Path, capsys: Out, encoding: str) -> None:
    file = given(desk, TEAM_HEADS, SUN, ("阳光二队", "4401", "否", "", "", ""), encoding=encoding)
    before = traces(desk)
    said = imported(capsys, "teams", file)
    assert counts(said) == (2, 0, 0, 0, 0) and "--take" in said and many(desk, Team) == 0
    assert traces(desk) == before
    assert counts(imported(capsys, "teams", file, "--take")) == (2, 0, 0, 0, 0)
    with on_database(desk) as database, database.read() as session:
        sun, second = session.exec(select(Team).order_by(Team.capacity.desc())).all()  # type: ignore[attr-defined]
        assert (sun.name, sun.region, sun.kind, sun.capacity) == ("阳光一队", "440106", "student", 20)
        assert (second.name, second.region, second.kind) == ("阳光二队", "4401", "general")
        standing = session.exec(select(TeamMember).where(TeamMember.left_at == None)).all()  # noqa: E711 SQL
        assert sorted(one.part for one in standing) == ["leader", "member"]
    after = traces(desk), many(desk, TeamMember)
    assert counts(imported(capsys, "teams", file, "--take")) == (0, 0, 2, 0, 0)
    assert (traces(desk), many(desk, TeamMember)) == after


def test_a_team_that_stands_is_brought_to_the_file_as_far_as_the_rules_go(desk: Path, capsys: Out) -> None:
    imported(capsys, "teams", given(desk, TEAM_HEADS, SUN), "--take")
    said = imported(capsys, "teams", given(desk, TEAM_HEADS, (*SUN[:2], "否", "25", "", "")), "--take")
    assert counts(said) == (0, 1, 0, 0, 0) and "“是否学生团队”" in said and "不能改" in said
    with on_database(desk) as database, database.read() as session:
        team = session.exec(select(Team)).one()
        assert (team.kind, team.capacity) == ("student", 25)


def test_who_cannot_be_taken_into_a_team_keeps_nobody_else_out(desk: Path, capsys: Out) -> None:
    row = ("阳光一队", "天河区", "", "", FAR, f"{ALIN} 1000000099，{BO}")
    said = imported(capsys, "teams", given(desk, TEAM_HEADS, row), "--take")
    assert counts(said) == (1, 0, 0, 0, 0) and "第 2 个编号" in said and "“队长编号”" in said
    assert "1000000099" not in said and FAR not in said and many(desk, TeamMember) == 2


BAD_TEAMS: dict[str, tuple[Row, str]] = {
    "an unknown region": (("阳光队", "没有的地方", "", "", "", ""), "没有找到这个地区"),
    "an unknown code": (("阳光队", "999999", "", "", "", ""), "没有找到这个地区"),
    "no region": (("阳光队", "", "", "5", "", ""), "缺少地区"),
    "no name": (("", "天河区", "", "5", "", ""), "缺少名称"),
    "a name too short": (("队", "天河区", "", "", "", ""), "至少 2 个字"),
    "a formula": (("=A1&B1", "天河区", "", "", "", ""), "公式"),
    "an error of Excel": (("阳光队", "#N/A", "", "", "", ""), "错误值"),
    "somebody else's region": (("阳光队", "北京市朝阳区", "", "", "", ""), "不归"),
}


@pytest.mark.parametrize(("row", "why"), BAD_TEAMS.values(), ids=BAD_TEAMS)
def test_a_bad_row_is_told_with_its_reason_and_the_good_ones_are_taken(
    desk: Path, capsys: Out, row: Row, why: str
) -> None:
    said = imported(capsys, "teams", given(desk, TEAM_HEADS, row, SUN), "--take")
    assert counts(said) == (1, 0, 0, 0, 1) and "第 2 行" in said and why in said


@pytest.mark.parametrize(
    ("column", "cell", "why"),
    [
        (2, "也许", "“是”或“否”"),
        (3, "很多", "1 到 500"),
        (3, "0", "1 到 500"),
        (3, "30.5", "1 到 500"),
        (4, "队长", "数字"),
    ],
)
def test_a_bad_cell_is_left_out_and_its_row_is_taken(desk: Path, capsys: Out, column: int, cell: str, why: str) -> None:
    row = [*SUN[:4], "", ""]
    row[column] = cell
    said = imported(capsys, "teams", given(desk, TEAM_HEADS, row), "--take")
    assert counts(said) == (1, 0, 0, 0, 0) and why in said and f"“{TEAM_HEADS[column]}”" in said


def test_a_workbook_with_numbers_merged_regions_and_a_heading_below_a_title_is_read(desk: Path, capsys: Out) -> None:
    with Workbook(str(desk / "表.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "2026 年团队名册")
        sheet.write_row(1, 0, TEAM_HEADS)
        sheet.merge_range(2, 1, 3, 1, 440106.0)
        sheet.write_row(2, 2, ("否", 12.0, float(ALIN), float(BO)))
        sheet.write_row(3, 2, ("是", 8))
        sheet.write(2, 0, "甲队")
        sheet.write(3, 0, "乙队")
        sheet.write(4, 0, "合计")
        sheet.write(4, 3, 20)
    assert counts(imported(capsys, "teams", str(desk / "表.xlsx"), "--take")) == (2, 0, 0, 0, 0)
    with on_database(desk) as database, database.read() as session:
        assert {(team.name, team.region, team.capacity) for team in session.exec(select(Team))} == {
            ("甲队", "440106", 12),
            ("乙队", "440106", 8),
        }
    assert many(desk, TeamMember) == 3  # who became the leader was a member for a moment


def test_numbers_with_a_fraction_of_nothing_in_a_csv_are_the_numbers(desk: Path, capsys: Out) -> None:
    row = ("阳光一队", "440106.0", "", "20.0", f"{ALIN}.0", f"{BO}.0")
    assert counts(imported(capsys, "teams", given(desk, TEAM_HEADS, row), "--take")) == (1, 0, 0, 0, 0)
    assert "公式" not in imported(capsys, "teams", given(desk, TEAM_HEADS, row))
    with on_database(desk) as database, database.read() as session:
        assert session.exec(select(Team.capacity)).one() == 20


def test_a_row_that_stands_twice_is_taken_once(desk: Path, capsys: Out) -> None:
    said = imported(capsys, "teams", given(desk, TEAM_HEADS, SUN, SUN, ("阳光 一队", *SUN[1:])), "--take")
    assert counts(said) == (1, 0, 0, 0, 2) and "第 3 行：和第 2 行重复" in said and many(desk, Team) == 1


def test_nearly_the_same_name_is_taken_only_when_somebody_looked(desk: Path, capsys: Out) -> None:
    imported(capsys, "teams", given(desk, TEAM_HEADS, SUN), "--take")
    file = given(desk, TEAM_HEADS, ("陽光一隊", "天河区", "", "", "", ""))
    said = imported(capsys, "teams", file, "--take")
    assert counts(said) == (0, 0, 0, 1, 0) and "几乎一样" in said and many(desk, Team) == 1
    assert counts(imported(capsys, "teams", file, "--take", "--doubtful", "2")) == (1, 0, 0, 0, 0)
    assert counts(imported(capsys, "teams", file, "--take")) == (0, 0, 1, 0, 0)


def test_the_same_name_in_the_city_of_a_countys_team_is_doubtful(desk: Path, capsys: Out) -> None:
    imported(capsys, "teams", given(desk, TEAM_HEADS, SUN), "--take")
    said = imported(capsys, "teams", given(desk, TEAM_HEADS, ("阳光一队", "广州市", "", "", "", "")), "--take")
    assert counts(said) == (0, 0, 0, 1, 0) and "上级或下级" in said
    elsewhere = given(desk, TEAM_HEADS, ("阳光一队", "越秀区", "", "", "", ""))
    assert counts(imported(capsys, "teams", elsewhere, "--take")) == (1, 0, 0, 0, 0)


def test_the_rows_with_problems_come_as_a_file_that_can_be_handed_in_again(desk: Path, capsys: Out) -> None:
    saved = desk / "待改.xlsx"
    file = given(desk, TEAM_HEADS, SUN, ("=1+1", "没有的地方", "也许", "", "", ""))
    said = imported(capsys, "teams", file, "--save", str(saved))
    assert "1 行已存到" in said and saved.stat().st_mode & 0o077 == 0
    heads, row = load_workbook(str(saved)).get_sheet_by_index(0).to_python()
    assert [*heads[-2:], row[-2], row[0]] == ["原行号", "问题", "3", "=1+1"] and "没有找到这个地区" in row[-1]
    assert counts(imported(capsys, "teams", str(saved))) == (0, 0, 0, 0, 1)
    assert "已经在那里" in imported(capsys, "teams", file, "--save", str(saved), status=1)


# --- files that are refused ---


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "没有内容"),
    "a PDF": (b"%PDF-1.7\n", "不是表格"),
    "a web page": (b"<html><table></table></html>", "网页"),
    "without a heading": (text([SUN]), "名称、地区"),
    "without a column": (text([("团队名称", "结对人数"), ("阳光一队", "3")]), "地区"),
    "two columns for one thing": (text([("团队名称", "队名", "地区"), SUN[:3]]), "意思一样"),
    "half a workbook": (workbook([TEAM_HEADS, SUN])[:900], "损坏"),
    "too many rows": (text([("团队名称", "地区"), *[("队", "x")] * 20_001]), "20,000 行"),
}


@pytest.mark.parametrize(("data", "why"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(desk: Path, capsys: Out, data: bytes, why: str) -> None:
    (desk / "表").write_bytes(data)
    said = imported(capsys, "teams", str(desk / "表"), status=1)
    assert why in said and len(said.strip().splitlines()) == 1


def test_what_is_written_wrongly_on_the_command_line_is_one_line(desk: Path, capsys: Out) -> None:
    file = given(desk, TEAM_HEADS, SUN)
    assert "读不出来" in imported(capsys, "teams", str(desk / "没有"), status=1)
    assert "行号" in imported(capsys, "teams", file, "--doubtful", "二", status=1)
    assert run(["import", "teams", file, "--by", "1234567890"]) == 1


def test_headings_alone_are_no_rows(desk: Path, capsys: Out) -> None:
    assert counts(imported(capsys, "teams", given(desk, TEAM_HEADS), "--take")) == (0, 0, 0, 0, 0)


# --- crashes ---


def test_after_a_crash_between_slices_it_goes_on(desk: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_batch, "SLICE", 2)
    file = given(desk, STATION_HEADS, *[(f"样{n}站", "V站", "天河区", "", "", "", "") for n in range(7)])
    with failing_at(monkeypatch, 7 + 5), pytest.raises(RuntimeError):  # all of them were looked at before
        run(["--debug", "import", "stations", file, "--by", BOSS, "--take"])
    assert many(desk, Station) == 4
    capsys.readouterr()
    assert run(["import", "list"]) == 0
    batch = capsys.readouterr().out.splitlines()[1].split("\t")[0]
    assert run(["import", "take", batch]) == 1 and "--by" in capsys.readouterr().err
    assert run(["import", "take", batch, "--by", BOSS]) == 0
    assert counts(capsys.readouterr().out) == (7, 0, 0, 0, 0) and many(desk, Station) == 7
    assert counts(imported(capsys, "stations", file, "--take")) == (0, 0, 7, 0, 0)


def test_a_table_is_taken_back_by_command_and_what_has_gone_on_is_named(desk: Path, capsys: Out) -> None:
    said = imported(capsys, "teams", given(desk, TEAM_HEADS, SUN, ("阳光二队", "4401", "否", "", "", "")), "--take")
    batch = re.search(r"import undo (\w+)", said)
    assert batch is not None
    assert run(["team", "capacity", team_of(desk, "阳光二队"), "7", "--by", BOSS]) == 0
    capsys.readouterr()
    for _time in range(2):
        assert run(["import", "undo", batch[1], "--by", BOSS]) == 0
        said = capsys.readouterr().out
        assert "第 3 行没有撤回：阳光二队，之后又改过" in said and "阳光一队" not in said
    assert standing_teams(desk) == ["阳光二队"]
    assert run(["import", "undo", "没有"]) == 1


def team_of(folder: Path, name: str) -> str:
    with on_database(folder) as database, database.read() as session:
        return session.exec(select(Team.number).where(Team.name == name)).one()


def standing_teams(folder: Path) -> list[str]:
    with on_database(folder) as database, database.read() as session:
        return [team.name for team in session.exec(select(Team)) if team.ended_at is None]


@contextmanager
def failing_at(monkeypatch: pytest.MonkeyPatch, row: int) -> Iterator[None]:
    """The process ends while it does this row."""
    real: Callable[..., Any] = roster_batch._do
    done: list[int] = []

    def do(*arguments: Any, **more: Any) -> Any:
        done.append(1)
        if len(done) > row:
            raise RuntimeError("on purpose")
        return real(*arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(roster_batch, "_do", do)
        yield


# --- specialists ---


def team_number(folder: Path) -> str:
    with on_database(folder) as database, database.read() as session:
        return session.exec(select(Team.number)).one()


def test_specialists_are_granted_told_and_dated_once(desk: Path, capsys: Out) -> None:
    imported(capsys, "teams", given(desk, TEAM_HEADS, SUN), "--take")
    rows = [(ALIN, "天河区", "", "2026-03-01", "2027/10/31"), (BO, "", team_number(desk), "", "")]
    file = given(desk, SPECIALIST_HEADS, *rows, encoding="gbk")
    assert counts(imported(capsys, "specialists", file)) == (2, 0, 0, 0, 0) and many(desk, RoleGrant) == 1
    assert counts(imported(capsys, "specialists", file, "--take")) == (2, 0, 0, 0, 0)
    with on_database(desk) as database, database.read() as session:
        granted = session.exec(select(RoleGrant).where(RoleGrant.role == "specialist")).all()
        assert sorted((one.scope_kind, one.scope) for one in granted) == [
            ("region", "440106"),
            ("team", team_number(desk)),
        ]
        alin = session.exec(select(Volunteer).where(Volunteer.number == ALIN)).one()
        assert (alin.trained_on, alin.cleared_until) == (date(2026, 3, 1), date(2027, 10, 31))
        told = session.exec(select(OutboxMessage.kind)).all()
        assert told.count("notice.role") == 3 and told.count("notice.dates") == 2
    before = traces(desk)
    assert counts(imported(capsys, "specialists", file, "--take")) == (0, 0, 2, 0, 0)
    assert traces(desk) == before
    later = given(desk, SPECIALIST_HEADS, (ALIN, "天河区", "", "2026-05-01", ""))
    assert counts(imported(capsys, "specialists", later, "--take")) == (0, 1, 0, 0, 0)


BAD_SPECIALISTS: dict[str, tuple[Row, str]] = {
    "an unknown number": (("1000000077", "天河区", "", "", ""), "没有这个编号"),
    "no number": (("林小青", "天河区", "", "", ""), "数字"),
    "neither region nor team": ((ALIN, "", "", "2026-01-01", ""), "要填一个"),
    "an unknown team": ((ALIN, "", "1234567890", "", ""), "没有这个团队"),
    "both region and team": ((ALIN, "天河区", "1234567890", "", ""), "只能填一个"),
    "beyond the organiser's scope": ((FAR, "北京市朝阳区", "", "", ""), "不归"),
    "several counties of one name": ((ALIN, "西湖区", "", "", ""), "几个同名"),
}


@pytest.mark.parametrize(("row", "why"), BAD_SPECIALISTS.values(), ids=BAD_SPECIALISTS)
def test_a_bad_row_of_specialists_is_told_with_its_reason(desk: Path, capsys: Out, row: Row, why: str) -> None:
    said = imported(capsys, "specialists", given(desk, SPECIALIST_HEADS, row), "--take")
    assert counts(said) == (0, 0, 0, 0, 1) and why in said and many(desk, RoleGrant) == 1
    assert "林小青" not in said


def test_a_specialist_from_far_away_is_doubtful(desk: Path, capsys: Out) -> None:
    file = given(desk, SPECIALIST_HEADS, (FAR, "天河区", "", "", ""))
    said = imported(capsys, "specialists", file, "--take")
    assert counts(said) == (0, 0, 0, 1, 0) and "--doubtful" in said and many(desk, RoleGrant) == 1
    assert counts(imported(capsys, "specialists", file, "--take", "--doubtful", "2")) == (1, 0, 0, 0, 0)
    assert counts(imported(capsys, "specialists", file, "--take")) == (0, 0, 1, 0, 0)


def test_dates_that_cannot_stand_are_left_out_and_the_role_is_given(desk: Path, capsys: Out) -> None:
    day = f"{START.year + 2}-01-01"
    said = imported(
        capsys, "specialists", given(desk, SPECIALIST_HEADS, (ALIN, "天河区", "", day, "2001-01-01")), "--take"
    )
    assert counts(said) == (1, 0, 0, 0, 0) and "十年前" in said and "五年" in said
    with on_database(desk) as database, database.read() as session:
        alin = session.exec(select(Volunteer).where(Volunteer.number == ALIN)).one()
        assert (alin.trained_on, alin.cleared_until) == (None, None)


# --- institutions and stations ---


def test_institutions_keep_their_contact_sealed_and_nothing_of_it_is_told(desk: Path, capsys: Out) -> None:
    file = given(desk, INSTITUTION_HEADS, HOUSE, ("样乙托养中心", "托养", "越秀区", "", "", "一二三"))
    said = imported(capsys, "institutions", file, "--take")
    assert counts(said) == (2, 0, 0, 0, 0) and "“电话”" in said and "一二三" not in said
    assert counts(imported(capsys, "institutions", file, "--take")) == (0, 0, 2, 0, 0)
    changed = given(desk, INSTITUTION_HEADS, (*HOUSE[:3], "", "", "020-87654321"))
    assert counts(imported(capsys, "institutions", changed, "--take")) == (0, 1, 0, 0, 0)
    with on_database(desk) as database, database.read() as session:
        row = session.exec(select(Institution).where(Institution.county == "440106")).one()
        assert row.contact_sealed is not None and "某联系人".encode() not in row.contact_sealed
        kept = json.loads(unseal(session, "institution.contact_sealed", row.id, row.contact_sealed) or "")
        assert kept == {"address": "某某路 1 号", "person": "某联系人", "phone": "+862087654321"}
        noted = "".join(str(entry) for entry in session.exec(select(AuditEntry)))
        assert "某某路" not in noted and "某联系人" not in noted and "87654321" not in noted


def test_an_institution_of_another_kind_stays_what_it_is(desk: Path, capsys: Out) -> None:
    imported(capsys, "institutions", given(desk, INSTITUTION_HEADS, HOUSE), "--take")
    said = imported(capsys, "institutions", given(desk, INSTITUTION_HEADS, (HOUSE[0], "学校", *HOUSE[2:])), "--take")
    assert counts(said) == (0, 0, 1, 0, 0) and "“类别”" in said and "不能改" in said


def test_an_institution_that_was_a_mistake_is_ended(desk: Path, capsys: Out) -> None:
    imported(capsys, "institutions", given(desk, INSTITUTION_HEADS, HOUSE), "--take")
    with on_database(desk) as database, database.read() as session:
        number = session.exec(select(Institution.number)).one()
    assert run(["institution", "close", number, "--by", FAR]) == 1
    assert run(["institution", "close", number, "--by", BOSS]) == 0
    assert run(["institution", "close", number, "--by", BOSS]) == 1
    capsys.readouterr()
    assert run(["institution", "list"]) == 0
    assert "样甲" not in capsys.readouterr().out


def test_stations_are_taken_listed_described_anew_and_ended(desk: Path, capsys: Out) -> None:
    file = given(desk, STATION_HEADS, HOME, ("样乙站", "助残V站", "广州市越秀区", "", "", "", ""), encoding="gb18030")
    assert counts(imported(capsys, "stations", file)) == (2, 0, 0, 0, 0) and many(desk, Station) == 0
    assert counts(imported(capsys, "stations", file, "--take")) == (2, 0, 0, 0, 0)
    assert counts(imported(capsys, "stations", file, "--take")) == (0, 0, 2, 0, 0)
    changed = given(desk, STATION_HEADS, (*HOME[:5], "每天 8:00–20:00", ""))
    assert counts(imported(capsys, "stations", changed, "--take")) == (0, 1, 0, 0, 0)
    assert run(["station", "list", "--region", "440106"]) == 0
    heads, line = capsys.readouterr().out.splitlines()
    number, *cells = line.split("\t")
    assert heads.startswith("编号") and cells[:2] == ["样甲家园", "home"]
    assert cells[3:] == ["五山街道", "某某路 2 号", "每天 8:00–20:00", "30"]
    assert run(["station", "end", number, "--by", FAR]) == 1
    assert run(["station", "end", number, "--by", BOSS]) == 0
    assert run(["station", "end", number, "--by", BOSS]) == 1
    capsys.readouterr()
    assert run(["station", "list", "--region", "440106"]) == 0
    assert "还没有登记阵地" in capsys.readouterr().out


BAD_STATIONS: dict[str, tuple[Row, str]] = {
    "an unknown kind": (("样站", "别墅", "天河区", "", "", "", ""), "驿站、基地"),
    "a city for a county": (("样站", "驿站", "广州市", "", "", "", ""), "连区县一起写"),
    "no county": (("样站", "驿站", "", "", "", "", "9"), "缺少区县"),
    "an unknown county": (("样站", "驿站", "没有县", "", "", "", ""), "没有找到这个区县"),
    "somebody else's county": (("样站", "驿站", "110105", "", "", "", ""), "不归"),
    "a name too long": (("站" * 61, "驿站", "天河区", "", "", "", ""), "太长"),
}


@pytest.mark.parametrize(("row", "why"), BAD_STATIONS.values(), ids=BAD_STATIONS)
def test_a_bad_row_of_stations_is_told_with_its_reason(desk: Path, capsys: Out, row: Row, why: str) -> None:
    said = imported(capsys, "stations", given(desk, STATION_HEADS, row), "--take")
    assert counts(said) == (0, 0, 0, 0, 1) and why in said and many(desk, Station) == 0
