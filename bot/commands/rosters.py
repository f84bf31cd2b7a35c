"""`nuanyang import teams|specialists|institutions|stations`: tables that are looked through, and taken if asked to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bot.commands.shared import Problem, note, opened, person_of, progress_bar, save, say
from config.texts import _
from handlers.roster_words import file_refused, later_words, outcome_words, roster_words
from models import roster_batch
from models.database import Database
from models.handover import hand_over
from models.ledger_batch import CHANGED, CHECKED, DOUBTFUL, NEW, TAKEN, LedgerBatch
from models.ledger_cells import LedgerRow
from models.ledger_check import problems_of
from models.ledger_columns import SheetError
from models.ledger_report import corrected
from models.ledger_sheet import MOST_BYTES
from models.roster import MOST_LINES, Kind, Roster, home_of, read_roster
from models.roster_places import Institutions, Stations
from models.roster_teams import Specialists, Teams

SHOWN = 50  # rows with problems that are told in the terminal; the file has them all

_File = Annotated[Path, typer.Argument(metavar="FILE", help=_("Excel 或 CSV，最多两万行"))]
_By = Annotated[str, typer.Option(metavar="NUMBER", help=_("谁来做：管理范围包括这些地区的管理员的编号"))]
_Take = Annotated[
    bool, typer.Option("--take", help=_("收下；不加只看会改变什么。中断了用 nuanyang import take 接着做完"))
]
_Doubtful = Annotated[str, typer.Option(metavar="N,N", help=_("存疑的行里，核对过、要收下的行号"))]
_Save = Annotated[
    Path | None,
    typer.Option("--save", "--problems", metavar="FILE.xlsx", help=_("把有问题的行另存一份，改好可以再导入")),
]


def add(group: typer.Typer) -> None:
    """Register the commands."""
    group.command(
        help=_("导入团队：团队名称、地区、是否学生团队、结对人数、队长编号、队员编号。可以撤回：nuanyang import undo。")
    )(teams)
    group.command(
        help=_("导入专员：志愿者编号、地区或团队编号、培训日期、证明有效期。可以撤回：nuanyang import undo。")
    )(specialists)
    group.command(help=_("导入助残机构：名称、类别、区县、地址、联系人、电话。可以撤回：nuanyang import undo。"))(
        institutions
    )
    group.command(
        help=_("导入阵地：名称、类别、区县、乡镇街道、地址、开放时间、容量。可以撤回：nuanyang import undo。")
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
        person, home, roster = _read(database, data, file.name, kind, by)
        _tell_left_out(roster)
        with progress_bar(_("检查")) as heard:
            batch = roster_batch.check(database, roster, data, region=home or "", by=person, told=heard)
        if take:
            with database.read() as session:
                sure = sorted(roster_batch.doubtful_rows(session, batch.id) & set(sure))
            batch = take_batch(database, batch.id, person, sure)
        tell(database, batch, problems)


def take_batch(database: Database, batch_id: str, by: str, doubtful: list[int]) -> LedgerBatch:
    """Take a table that was checked, with a bar. Raises BatchError."""
    with progress_bar(_("收下")) as heard:
        batch = roster_batch.take(database, batch_id, by=by, doubtful=doubtful, told=heard)
    if batch.sheet == Specialists.name:
        hand_over(database)
    return batch


def tell(database: Database, batch: LedgerBatch, saved: Path | None) -> None:
    """What came of its rows, and which have problems."""
    said = _("，").join(text.format(count=batch.counts.get(kind, 0)) for kind, text in outcome_words().items())
    say(_("已收下：{counts}").format(counts=said) if batch.state == TAKEN else said)
    with database.read() as session:
        rows = list(problems_of(session, batch))
    for row in rows[:SHOWN]:
        say(_("第 {number} 行：{what}").format(number=row.number, what=_words(row, batch.headings)))
    if len(rows) > SHOWN:
        say(_("……还有 {count} 行有问题。").format(count=len(rows) - SHOWN))
    if batch.counts.get(DOUBTFUL):
        say(_("存疑的行核对后，收下时加 --doubtful 行号，如 --doubtful 12,18。"))
    if saved is not None:
        save(saved, corrected(rows, batch.headings, roster_words))
        say(_("有问题的 {count} 行已存到 {file}。").format(count=len(rows), file=saved))
    elif rows:
        say(_("加 --save 文件.xlsx 把有问题的行另存一份，改好再导入。"))
    if batch.state == CHECKED and (batch.counts.get(NEW) or batch.counts.get(CHANGED)):
        said = _("还没有收下。确认无误后，同一条命令加上 --take 再运行，或运行：nuanyang import take {id} --by 编号")
        say(said.format(id=batch.id))
    if batch.state == TAKEN and (batch.counts.get(NEW) or batch.counts.get(CHANGED)):
        say(_("要撤回：nuanyang import undo {id} --by 编号").format(id=batch.id))


def undo_batch(database: Database, batch_id: str, by: str) -> None:
    """Take it back, and say which rows stay and why. Raises BatchError."""
    with progress_bar(_("撤回")) as heard:
        batch = roster_batch.undo(database, batch_id, by=by, told=heard)
    say(_("已撤回。"))
    with database.read() as session:
        kept = roster_batch.kept_rows(session, batch, MOST_LINES)
    for row in kept:
        said = _("第 {number} 行没有撤回：{name}，{why}。")
        say(said.format(number=row.number, name=row.name, why=later_words(row.why)))


def person_who(database: Database, by: str) -> str:
    """Who takes a table of these, or takes it back; raises Problem."""
    if not by:
        raise Problem(_("这个批次是名册：加 --by 编号，写明谁来做（管理范围包括这些地区的管理员）。"))
    with database.read() as session:
        return person_of(session, by)


def _read(database: Database, data: bytes, name: str, kind: Kind[Any], by: str) -> tuple[str, str | None, Roster]:
    with database.read() as session:
        person = person_of(session, by)
        here = home_of(session, person)
    try:
        return person, here, read_roster(data, name, kind, here=here)
    except SheetError as error:
        raise Problem(file_refused(error)) from None


def _tell_left_out(roster: Roster) -> None:
    """What of the file was not read."""
    note(_("工作表“{name}”，{total} 行。").format(name=roster.name, total=len(roster.lines)))
    if unknown := [text for text in (roster.columns.headings[index] for index in roster.columns.unknown) if text]:
        note(_("没有用上的列：{headings}。").format(headings=_("、").join(unknown)))
    if others := [name for name in roster.sheets if name != roster.name]:
        note(_("还有工作表没有读：{names}。请另存成文件再导入。").format(names=_("、").join(others)))


def _words(row: LedgerRow, headings: list[str]) -> str:
    """Each bad cell by the heading of its column; what stands in it is not shown."""
    said = []
    for problem in row.problems:
        heading = headings[problem.column] if problem.column is not None else ""
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
