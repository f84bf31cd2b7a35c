"""`nuanyang import …`: ledgers are checked, taken and taken back; what they leave open is answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session

from bot.commands import merging, rosters
from bot.commands.shared import (
    Problem,
    configured,
    local,
    note,
    opened,
    progress_bar,
    save,
    say,
    time_head,
    told,
    zone_of,
)
from config import regions
from config.texts import _
from handlers.ledger_words import question_words, sheet_words, standing_words
from handlers.roster_words import sheet_name
from models import audit, beneficiary, ledger_check, ledger_import, ledger_questions, ledger_undo
from models.beneficiary import MACHINE
from models.database import Database, now_of
from models.ledger_batch import (
    ANSWERS,
    CHANGED,
    CHECKED,
    CHECKING,
    DOUBTFUL,
    LEDGER,
    NEW,
    REFUSED,
    SAME,
    TAKEN,
    TAKING,
    UNDOING,
    UNDONE,
    LedgerBatch,
)
from models.ledger_cells import Ledger, LedgerRow, read_ledger
from models.ledger_columns import SheetError
from models.ledger_import import BatchError
from models.ledger_report import corrected
from models.ledger_sheet import MOST_BYTES

SHOWN = 20  # rows with problems that are told in the terminal; the file has them all

_Batch = Annotated[str, typer.Argument(metavar="ID", help=_("批次编号，见 nuanyang import list"))]
_By = Annotated[str, typer.Option("--by", metavar="NUMBER", help=_("名册（团队等）要写：谁来做的管理员编号"))]
_ManyGone = Annotated[bool, typer.Option("--many-gone", help=_("新台账里没有的人多也收下：文件确实是整本台账"))]
_Problems = Annotated[
    Path | None, typer.Option("--problems", metavar="FILE.xlsx", help=_("把有问题的行另存一份，改好可以再导入"))
]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(
        no_args_is_help=True, help=_("导入台账：先检查，再收下，收下后还能撤回。也导入团队、专员、机构和阵地。")
    )
    group.command(help=_("检查一份台账（Excel 或 CSV），只看会改变什么；加 --take 才收下。"))(ledger)
    group.command("list", help=_("最近的导入批次。"))(list_batches)
    group.command(help=_("查看一个批次：各种行数和有问题的行，或撤回时留着没有动的行。"))(show)
    group.command(help=_("收下检查过的批次；中断了再运行一次，会接着做完。"))(take)
    group.command(help=_("撤回一个批次：新加的删去，改过的改回；之后又有变化的行留着，并列出行号。"))(undo)
    group.command(help=_("丢掉一个没有收下的批次。"))(drop)
    group.command(help=_("台账留下的疑问：新台账里没有了的人，两个区县都有的人；用 --answer 答复。"))(questions)
    merging.add(group)
    rosters.add(group)
    app.add_typer(group, name="import")


def ledger(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    region: Annotated[str, typer.Option(metavar="CODE", help=_("哪里的台账：4 位（市）或 6 位（区县）代码"))],
    part: Annotated[bool, typer.Option("--part", help=_("文件只是台账的一部分：没有列出的人不用核实"))] = False,
    take_it: Annotated[bool, typer.Option("--take", help=_("检查完就收下（存疑的行除外）"))] = False,
    many_gone: _ManyGone = False,
    problems: _Problems = None,
) -> None:
    """Check a ledger, and take it if asked to."""
    place = regions.get(region) if len(region) in (4, 6) else None
    if place is None or len(place.code) not in (4, 6):
        raise Problem(_("没有代码为 {code} 的市或区县：--region 写 4 位或 6 位行政区划代码。").format(code=region))
    region = place.code
    data = _read(file)
    with opened() as database:
        read = _as_ledger(database, data, file.name, region)
        note(_("工作表“{name}”，{total} 行。").format(name=read.name, total=read.total))
        part = _is_part(read, part)
        with progress_bar(_("检查")) as heard:
            batch = ledger_check.check(database, read, data, region=region, by=MACHINE, part=part, told=heard)
        _tell(database, batch, problems)
        if take_it:
            _take(database, batch.id, [], many_gone)
        else:
            say(_("还没有收下。确认无误后运行：nuanyang import take {id}").format(id=batch.id))


def _is_part(read: Ledger, part: bool) -> bool:
    """What of the file was not read is told; with worksheets that were not, it is a part of the ledger only."""
    if unknown := [text for text in (read.columns.headings[index] for index in read.columns.unknown) if text]:
        note(_("没有用上的列：{headings}。").format(headings=_("、").join(unknown)))
    others = [name for name in read.sheets if name != read.name]
    if not others:
        return part
    said = _("还有工作表没有读：{names}。这次当作台账的一部分，没有列出的人不用核实；其余的请另存成文件再导入。")
    note(said.format(names=_("、").join(others)))
    return True


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise Problem(sheet_words(SheetError("too_large", most="bytes")))
        return file.read_bytes()
    except OSError as error:
        why = type(error).__name__
        raise Problem(_("文件 {file} 读不出来（{why}）：检查路径和权限。").format(file=file, why=why)) from None


def _as_ledger(database: Database, data: bytes, name: str, region: str) -> Ledger:
    with database.read() as session:
        today = now_of(session).astimezone(zone_of(configured())).date()
    try:
        return read_ledger(data, name, county=region, today=today)
    except SheetError as error:
        raise Problem(sheet_words(error)) from None


def list_batches() -> None:
    """The newest first."""
    zone = zone_of(configured())
    with opened() as database, database.read() as session:
        found = ledger_import.batches(session)
    if not found:
        say(_("还没有导入过：用 nuanyang import ledger 文件 --region 代码 检查一份台账。"))
        return
    say("\t".join([_("编号"), time_head(zone), _("地区"), _("状态"), _("行数"), _("哪一种表")]))
    for batch in found:
        place = regions.get(batch.region)
        name = place.name if place else batch.region or "-"
        cells = [batch.id, local(batch.made_at, zone), name, _state(batch), str(batch.total), sheet_name(batch.sheet)]
        say("\t".join(cells))


def show(batch_id: _Batch, problems: _Problems = None) -> None:
    """One batch."""
    with opened() as database:
        batch = _found(database, batch_id)
        say(_state(batch))
        (_tell if batch.sheet == LEDGER else rosters.tell)(database, batch, problems)


def _found(database: Database, batch_id: str) -> LedgerBatch:
    with database.read() as session:
        batch = session.get(LedgerBatch, batch_id)
    if batch is None:
        raise Problem(_why(BatchError("unknown")))
    return batch


def take(
    batch_id: _Batch,
    doubtful: Annotated[str, typer.Option(metavar="N,N", help=_("存疑的行里，核对过、要收下的行号"))] = "",
    many_gone: _ManyGone = False,
    by: _By = "",
) -> None:
    """Take it, or go on taking it."""
    rows = rosters.row_numbers(doubtful)
    with opened() as database:
        if _found(database, batch_id).sheet != LEDGER:
            who = rosters.person_who(database, by)
            with _explained():
                batch = rosters.take_batch(database, batch_id, who, rows)
            rosters.tell(database, batch, None)
            return
        _take(database, batch_id, rows, many_gone)


def _take(database: Database, batch_id: str, rows: list[int], many_gone: bool) -> None:
    try:
        with progress_bar(_("收下")) as heard:
            batch = ledger_import.take(database, batch_id, by=MACHINE, doubtful=rows, many_gone=many_gone, told=heard)
    except BatchError as error:
        raise Problem(_why(error)) from None
    say(_("已收下：{counts}。要撤回：nuanyang import undo {id}").format(counts=_counts(batch), id=batch.id))
    if batch.counts.get("gone"):
        say(_("新台账里没有的人一个也没有动，等负责的人答复：nuanyang import questions"))


def undo(batch_id: _Batch, by: _By = "") -> None:
    """Take it back."""
    with opened() as database:
        if _found(database, batch_id).sheet != LEDGER:
            who = rosters.person_who(database, by)
            with _explained():
                rosters.undo_batch(database, batch_id, who)
            return
        try:
            with progress_bar(_("撤回")) as heard:
                batch = ledger_undo.undo(database, batch_id, by=MACHINE, told=heard)
        except BatchError as error:
            raise Problem(_why(error)) from None
        with database.read() as session:
            kept = ledger_undo.refused(session, batch.id)
    say(_("已撤回。"))
    if kept:
        say(_("这些行之后又有变化，留着没有动：{rows}。").format(rows=_("、").join(map(str, kept))))


@contextmanager
def _explained() -> Iterator[None]:
    """What the rules of imports do not allow, in words."""
    try:
        yield
    except BatchError as error:
        raise Problem(_why(error)) from None


def drop(batch_id: _Batch) -> None:
    """Forget what was only checked."""
    with opened() as database:
        try:
            with database.write() as session:
                ledger_import.forget_unfinished(session, batch_id)
        except BatchError as error:
            raise Problem(_why(error)) from None
    say(_("已丢掉，什么都没有变。"))


def questions(
    names: Annotated[bool, typer.Option("--names", help=_("显示姓名，并留痕"))] = False,
    answer: Annotated[str, typer.Option("--answer", metavar="ID", help=_("答复哪一条"))] = "",
    status: Annotated[str, typer.Option("--status", help="listed | moved | died | cancelled")] = "",
) -> None:
    """What is open, or the answer to one."""
    if answer:
        _answer(answer, status)
        return
    zone = zone_of(configured())
    with told() as (session, lines):
        found = ledger_questions.open_questions(session, MACHINE)
        if not found:
            lines.append(_("没有等着答复的疑问。"))
            return
        heads = [_("编号"), time_head(zone), _("区县"), _("乡镇街道"), _("疑问")]
        lines.append("\t".join([*heads, _("姓名")] if names else heads))
        for one in found:
            place = regions.get(one.beneficiary.county)
            cells = [
                one.question.id,
                local(one.question.asked_at, zone),
                place.name if place else one.beneficiary.county,
                one.beneficiary.town or "-",
                question_words(one.question.reason),
            ]
            lines.append("\t".join([*cells, _name(session, one)] if names else cells))


def _name(session: Session, one: ledger_questions.Open) -> str:
    audit.note(session, MACHINE, "ledger.names_read", one.question.id)
    return beneficiary.dossier_of(session, one.beneficiary, MACHINE, why="ledger question").name


def _answer(question: str, status: str) -> None:
    if status not in ANSWERS:
        raise Problem(_("答复要加 --status 写明现状：listed 还在，moved 迁出，died 去世，cancelled 注销。"))
    with opened() as database, database.write() as session:
        done = ledger_questions.answer(session, question, status, MACHINE)
    if not done:
        raise Problem(_("没有编号为 {id} 的疑问，或已经答复过：见 nuanyang import questions。").format(id=question))
    say(_("已记下。"))


def _tell(database: Database, batch: LedgerBatch, problems: Path | None) -> None:
    say(_counts(batch))
    with database.read() as session:
        rows = list(ledger_check.problems_of(session, batch))
        many = ledger_import.is_many_gone(session, batch)
    kinds = Counter(problem.reason for row in rows for problem in row.problems)
    for row in rows[:SHOWN]:
        say(_("第 {number} 行：{what}").format(number=row.number, what=_words(row)))
    if len(rows) > SHOWN:
        say(_("……还有 {count} 行有问题。").format(count=len(rows) - SHOWN))
    if batch.counts.get(DOUBTFUL):
        say(_("存疑的行核对后，收下时加 --doubtful 行号，如 --doubtful 12,18。"))
    if kinds and problems is None:
        say(_("加 --problems 文件.xlsx 把有问题的行另存一份，改好加 --part 再导入。"))
    if problems is not None:
        save(problems, corrected(rows, batch.headings, standing_words))
        say(_("有问题的 {count} 行已存到 {file}。").format(count=len(rows), file=problems))
    if many:
        say(_("注意：新台账里没有的人很多。文件只是一部分就加 --part 重新检查；确实是整本台账，收下时加 --many-gone。"))


def _words(row: LedgerRow) -> str:
    return " ".join(standing_words(problem) for problem in row.problems)


def _counts(batch: LedgerBatch) -> str:
    words = {
        NEW: _("新增 {count}"),
        CHANGED: _("变更 {count}"),
        SAME: _("不变 {count}"),
        DOUBTFUL: _("存疑 {count}"),
        REFUSED: _("没有收下 {count}"),
        "gone": _("新台账里没有 {count}"),
        "problems": _("没有用上的格子 {count}"),
    }
    told_of = [text.format(count=batch.counts.get(kind, 0)) for kind, text in words.items()]
    return _("，").join(told_of)


def _state(batch: LedgerBatch) -> str:
    return {
        CHECKING: _("检查没有做完，请重新检查文件"),
        CHECKED: _("已检查，还没有收下"),
        TAKING: _("正在收下（中断了就再运行 take）"),
        TAKEN: _("已收下"),
        UNDOING: _("正在撤回（中断了就再运行 undo）"),
        UNDONE: _("已撤回"),
    }[batch.state]


def _why(error: BatchError) -> str:
    return {
        "unknown": _("没有这个批次：用 nuanyang import list 看编号。"),
        "state": _("这个批次现在不能这样做：用 nuanyang import show 看它的状态。"),
        "overtaken": _("检查之后，同一地区的另一份台账已经收下：请重新检查这个文件。"),
        "unfinished": _("这个批次的检查没有做完：请重新检查文件。"),
        "not_doubtful": _("--doubtful 里有不是存疑的行号：用 nuanyang import show 看哪些行存疑。"),
        "too_late": _("这个批次已经收下：存疑的行请重新检查文件，再用 --doubtful 收下。"),
        "busy": _("另一个批次正在收下或撤回：等它做完，中断了就先把它做完（nuanyang import list）。"),
        "old": _("这个批次太久了，里面的内容已按保存期删去：重新检查一次文件。"),
        "many_gone": _("新台账里没有的人很多：文件只是一部分就加 --part 重新检查；确实是整本台账就加 --many-gone。"),
    }[error.reason]
