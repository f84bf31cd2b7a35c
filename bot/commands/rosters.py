"""`nuanyang import teams|specialists|institutions|stations`: tables that are looked through, and taken if asked to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.commands.shared import Problem, note, opened, person_of, progress_bar, save, say
from config.texts import _
from handlers.roster_words import file_refused, outcome_words, roster_words
from models.database import Database
from models.handover import hand_over
from models.ledger_batch import CHANGED, DOUBTFUL, NEW
from models.ledger_cells import LedgerRow
from models.ledger_columns import SheetError
from models.ledger_report import corrected
from models.ledger_sheet import MOST_BYTES
from models.roster import Done, Kind, Roster, go_through, home_of, read_roster
from models.roster_places import Institutions, Stations
from models.roster_teams import Specialists, Teams

SHOWN = 50  # rows with problems that are told in the terminal; the file has them all

_File = Annotated[Path, typer.Argument(metavar="FILE", help=_("Excel 或 CSV，最多两万行"))]
_By = Annotated[str, typer.Option(metavar="NUMBER", help=_("谁来做：管理范围包括这些地区的管理员的编号"))]
_Take = Annotated[bool, typer.Option("--take", help=_("收下；不加只看会改变什么。中断了再运行一次，会接着做完"))]
_Doubtful = Annotated[str, typer.Option(metavar="N,N", help=_("存疑的行里，核对过、要收下的行号"))]
_Save = Annotated[
    Path | None,
    typer.Option("--save", "--problems", metavar="FILE.xlsx", help=_("把有问题的行另存一份，改好可以再导入")),
]


def add(group: typer.Typer) -> None:
    """Register the commands."""
    group.command(
        help=_(
            "导入团队：团队名称、地区、是否学生团队、结对人数、队长编号、队员编号。"
            "没有撤回：错了的用 nuanyang team end、capacity、remove 改。"
        )
    )(teams)
    group.command(
        help=_(
            "导入专员：志愿者编号、地区或团队编号、培训日期、证明有效期。"
            "没有撤回：错了的用 nuanyang grant --end 结束，编号见 nuanyang grants。"
        )
    )(specialists)
    group.command(
        help=_(
            "导入助残机构：名称、类别、区县、地址、联系人、电话。"
            "没有撤回：错了的用 nuanyang institution close 结束，编号见 nuanyang institution list。"
        )
    )(institutions)
    group.command(
        help=_(
            "导入阵地：名称、类别、区县、乡镇街道、地址、开放时间、容量。"
            "没有撤回：错了的用 nuanyang station end 结束，编号见 nuanyang station list。"
        )
    )(stations)


def teams(file: _File, by: _By, take: _Take = False, doubtful: _Doubtful = "", problems: _Save = None) -> None:
    """A table of teams."""
    _import(file, Teams(), by, take, doubtful, problems)


def specialists(file: _File, by: _By, take: _Take = False, doubtful: _Doubtful = "", problems: _Save = None) -> None:
    """A table of specialists; what waited for somebody is passed on to them."""
    _import(file, Specialists(), by, take, doubtful, problems)


def institutions(file: _File, by: _By, take: _Take = False, doubtful: _Doubtful = "", problems: _Save = None) -> None:
    """A table of institutions."""
    _import(file, Institutions(), by, take, doubtful, problems)


def stations(file: _File, by: _By, take: _Take = False, doubtful: _Doubtful = "", problems: _Save = None) -> None:
    """A table of stations."""
    _import(file, Stations(), by, take, doubtful, problems)


def _import(file: Path, kind: Kind[Any], by: str, take: bool, doubtful: str, problems: Path | None) -> None:
    sure = row_numbers(doubtful)
    data = read_file(file)
    if problems is not None and problems.exists():
        raise Problem(_("文件 {file} 已经在那里：换一个名字。").format(file=problems))
    with opened() as database:
        person, roster = _read(database, data, file.name, kind, by)
        _tell_left_out(roster)
        with progress_bar(_("收下") if take else _("检查")) as heard:
            done = go_through(database, roster, person, take=take, sure=sure, told=heard)
        if take and isinstance(kind, Specialists):
            hand_over(database)
    _tell(roster, done, take=take, saved=problems)


def _read(database: Database, data: bytes, name: str, kind: Kind[Any], by: str) -> tuple[str, Roster]:
    with database.read() as session:
        person = person_of(session, by)
        here = home_of(session, person)
    try:
        return person, read_roster(data, name, kind, here=here)
    except SheetError as error:
        raise Problem(file_refused(error)) from None


def _tell_left_out(roster: Roster) -> None:
    """What of the file was not read."""
    note(_("工作表“{name}”，{total} 行。").format(name=roster.name, total=len(roster.lines)))
    if unknown := [text for text in (roster.columns.headings[index] for index in roster.columns.unknown) if text]:
        note(_("没有用上的列：{headings}。").format(headings=_("、").join(unknown)))
    if others := [name for name in roster.sheets if name != roster.name]:
        note(_("还有工作表没有读：{names}。请另存成文件再导入。").format(names=_("、").join(others)))


def _tell(roster: Roster, done: list[Done], *, take: bool, saved: Path | None) -> None:
    counts = Counter(one.outcome for one in done)
    said = _("，").join(text.format(count=counts[kind]) for kind, text in outcome_words().items())
    say(_("已收下：{counts}").format(counts=said) if take else said)
    rows = [one.row for one in done if one.row.problems]
    for row in rows[:SHOWN]:
        say(_("第 {number} 行：{what}").format(number=row.number, what=_words(row, roster)))
    if len(rows) > SHOWN:
        say(_("……还有 {count} 行有问题。").format(count=len(rows) - SHOWN))
    if counts[DOUBTFUL]:
        say(_("存疑的行核对后，收下时加 --doubtful 行号，如 --doubtful 12,18。"))
    if saved is not None:
        save(saved, corrected(rows, roster.columns.headings, roster_words))
        say(_("有问题的 {count} 行已存到 {file}。").format(count=len(rows), file=saved))
    elif rows:
        say(_("加 --save 文件.xlsx 把有问题的行另存一份，改好再导入。"))
    if not take and (counts[NEW] or counts[CHANGED]):
        say(_("还没有收下。确认无误后，同一条命令加上 --take 再运行。"))


def _words(row: LedgerRow, roster: Roster) -> str:
    """Each bad cell by the heading of its column; what stands in it is not shown."""
    said = []
    for problem in row.problems:
        heading = roster.columns.headings[problem.column] if problem.column is not None else ""
        words = roster_words(problem)
        said.append(_("“{heading}”：{what}").format(heading=heading, what=words) if heading else words)
    return " ".join(said)


def read_file(file: Path) -> bytes:
    """A file that was handed over; raises Problem."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise Problem(file_refused(SheetError("too_large", most="bytes")))
        return file.read_bytes()
    except OSError as error:
        why = type(error).__name__
        raise Problem(_("文件 {file} 读不出来（{why}）：检查路径和权限。").format(file=file, why=why)) from None


def row_numbers(text: str) -> list[int]:
    """Numbers of rows as they are written behind --doubtful; raises Problem."""
    parts = [part.strip() for part in text.replace("，", ",").split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise Problem(_("--doubtful 写行号，用逗号隔开，如 12,18。"))
    return [int(part) for part in parts]
