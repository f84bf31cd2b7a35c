"""What the page shows on which a ledger or another table is handed in: its words, and which buttons it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from config.regions import place_name
from config.texts import _
from handlers.ledger_words import file_words, standing_words
from handlers.roster_words import file_refused, form_words, later_words, roster_words, sheet_name
from models import audit, beneficiary, ledger_check, ledger_import, ledger_undo, roster_batch
from models.ledger_batch import (
    CHANGED,
    CHECKED,
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
from models.ledger_cells import LedgerRow, Problem
from models.ledger_columns import SheetError, unused
from models.ledger_import import BatchError
from models.ledger_sheet import MOST_BYTES
from models.ledger_upload import Upload
from models.roster_batch import Kept

SHOWN = 20  # rows with problems; the file has them all
MOST_NAMES = 500
MOST_NUMBERS = 5_000  # doubtful rows that are taken by one press


@dataclass(frozen=True, slots=True)
class Line:
    """Rows with one fault: `where` names the rows and, if cells are meant, their columns."""

    where: str
    what: str


def form(upload: Upload) -> dict[str, Any]:
    """What the page says that waits for a file."""
    values = {"title": import_title(upload.sheet), "place": place_name(upload.region)}
    if upload.sheet != LEDGER:
        return {**values, "extent": "", "wanted": form_words(upload.sheet)}
    megabytes = MOST_BYTES >> 20
    wanted = [
        _("残联给的残疾人台账，一人一行；Excel（.xlsx、.xls）、WPS 表格或 CSV 都可以，最大 {megabytes} MB。").format(
            megabytes=megabytes
        ),
        _("前 20 行里要有表头，至少有“姓名”和“残疾人证号”（或“身份证号”）两列。"),
        _("证号这一列要是“文本”格式，不能变成 4.4E+17 这样的数字。"),
    ]
    whole, some = _("整本：没有列出的人会请负责的同事核实"), _("一部分：没有列出的人不用核实")
    return {**values, "extent": some if upload.part else whole, "wanted": wanted}


def import_title(sheet: str) -> str:
    """What is done on the page."""
    return _("导入{what}").format(what=sheet_name(sheet))


def reading(upload: Upload) -> dict[str, Any]:
    """While a file is checked."""
    return {"title": _("正在检查"), "done": upload.done, "total": upload.total}


def is_working(batch: LedgerBatch) -> bool:
    """Whether it is being taken or taken back."""
    return batch.state in (TAKING, UNDOING)


def working(batch: LedgerBatch) -> dict[str, Any]:
    """While it is taken or taken back."""
    return {"title": _("正在收下") if batch.state == TAKING else _("正在撤回"), "done": 0, "total": 0}


def problem(upload: Upload) -> str:
    """Why the last file did not come to a result; empty where none came yet."""
    if not upload.problem:
        return ""
    if upload.problem == "stopped":
        return _("上一个文件的检查中断了，什么都没有变。请重新选文件上传。")
    if upload.problem == "failed":
        return _(
            "上一个文件没有检查成，是我们的程序出了错，什么都没有变。请另存为 .xlsx 再试一次；还是不行，请联系管理员。"
        )
    return _file_words(upload.sheet)(SheetError(upload.problem, **upload.params))


def _file_words(sheet: str) -> Callable[[SheetError], str]:
    return file_words if sheet == LEDGER else file_refused


def problem_words_of(sheet: str) -> Callable[[Problem], str]:
    """The words for the problems of a table of this kind."""
    return standing_words if sheet == LEDGER else roster_words


def not_read(reason: str, sheet: str) -> str:
    """Why what was sent is no file that could be checked."""
    return {
        "too_large": _file_words(sheet)(SheetError("too_large", most="bytes")),
        "no_file": _("没有选到文件，或文件是空的。请先选文件，再点“上传并检查”。"),
        "slow": _("文件传得太慢，没有传完。请换一个网络，或把文件拆小，再上传一次。"),
        "room": _("服务器现在放不下这个文件，什么都没有变。请告诉管理员，稍后再试。"),
        "full": _("现在有好几个文件正在上传。请过一分钟，再上传一次。"),
    }.get(reason, _("文件没有完整传到。请再上传一次；在微信里不行，就用手机或电脑的浏览器打开这个链接。"))


def result(session: Session, batch: LedgerBatch, upload: Upload) -> dict[str, Any]:
    """What a check found, or what came of it."""
    bad = ledger_check.count_problems(session, batch) if batch.forgotten_at is None else 0
    rows = list(ledger_check.problems_of(session, batch, SHOWN)) if bad else []
    is_open, is_ledger = batch.state == CHECKED and batch.forgotten_at is None, batch.sheet == LEDGER
    kept = ledger_undo.refused(session, batch.id) if batch.state == UNDONE else []
    return {
        "title": title(batch),
        "ledger": is_ledger,
        "place": _("{place} · {what}").format(place=place_of(batch), what=extent(batch)),
        "part": batch.part,
        "counts": counts(batch),
        "lines": lines(rows, batch),
        "more": bad - len(rows),
        "has_file": bool(rows),
        "open": is_open,
        "takes": ledger_import.takes_any(batch),
        "doubtful": batch.counts.get(DOUBTFUL, 0) if is_open else 0,
        "many": is_open and is_ledger and ledger_import.is_many_gone(session, batch),
        "nothing": is_open and not (batch.counts.get(NEW, 0) + batch.counts.get(CHANGED, 0)),
        "undo": batch.state == TAKEN and batch.forgotten_at is None,
        "gone": batch.state == TAKEN and batch.counts.get("gone", 0),
        "kept": kept_words(batch, len(kept)) if kept else "",
        "unknown": _("、").join(unused(batch.headings, batch.sheet)),
        "sheets": _("、").join(upload.sheets),
    }


def place_of(batch: LedgerBatch) -> str:
    """The region of an import; a table from the command line may have none."""
    return place_name(batch.region) if batch.region else _("各个地区")


def extent(batch: LedgerBatch) -> str:
    """Which table it is, and of a ledger how much of it."""
    if batch.sheet != LEDGER:
        return sheet_name(batch.sheet)
    return _("台账的一部分") if batch.part else _("整本台账")


def kept_words(batch: LedgerBatch, count: int) -> str:
    """That so many rows were not taken back."""
    if batch.sheet == LEDGER:
        return _("有 {count} 人之后又有变化，留着没有动。").format(count=count)
    return _("有 {count} 行之后又有变化，留着没有动。").format(count=count)


def title(batch: LedgerBatch) -> str:
    """How it stands, in few words."""
    if batch.state == CHECKED and batch.forgotten_at is not None:
        return _("已放弃，什么都没有变")
    return {
        CHECKED: _("检查好了，还没有收下"),
        TAKING: _("正在收下"),
        TAKEN: _("已收下"),
        UNDOING: _("正在撤回"),
        UNDONE: _("已撤回"),
    }.get(batch.state, _("检查没有做完"))


def counts(batch: LedgerBatch) -> list[tuple[str, int]]:
    """Rows by kind, in the order in which they are read."""
    words = {
        NEW: _("新增"),
        CHANGED: _("变更"),
        SAME: _("不变"),
        DOUBTFUL: _("存疑"),
        REFUSED: _("不能收"),
        "gone": _("新台账里没有"),
        "problems": _("没有用上的格子"),
    }
    told = [kind for kind in words if kind != "gone" or batch.sheet == LEDGER]
    return [(words[kind], batch.counts.get(kind, 0)) for kind in told]


def lines(rows: list[LedgerRow], batch: LedgerBatch) -> list[Line]:
    """The rows of the file with what is wrong, as the command line tells it: no name, no number. Rows with the same
    fault stand together; of a row that cannot be taken it is told why, the rest of it is in the file."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        told = [one for one in row.problems if one.stops] or list(row.problems)
        columns = [batch.headings[one.column] for one in told if one.column is not None]
        named = _("、").join(dict.fromkeys(filter(None, columns)))
        words = " ".join(map(problem_words_of(batch.sheet), told))
        found.setdefault((named, words), []).append(str(row.number))
    return [_line(_("、").join(numbers), named, what) for (named, what), numbers in found.items()]


def _line(rows: str, named: str, what: str) -> Line:
    where = _("第 {number} 行").format(number=rows)
    return Line(_("{row}（{columns}）").format(row=where, columns=named) if named else where, what)


def numbers(text: str) -> list[int]:
    """The rows that somebody typed, whatever stands between them. Raises ValueError."""
    parts = text.replace("，", ",").replace("、", ",").replace(" ", ",").split(",")
    found = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 8]
    if len(found) != len([part for part in parts if part]) or len(found) > MOST_NUMBERS:
        raise ValueError("no list of rows")
    return found


def why(error: BatchError) -> str:
    """Why a press changed nothing, and what to do."""
    return {
        "state": _("现在不能这样做：它已经收下、撤回或放弃了。"),
        "overtaken": _("检查之后，同一地区的另一份台账已经收下。请回到聊天里重新导入这个文件。"),
        "not_doubtful": _("写的行号里有不是存疑的行。没有收下，请核对行号再点一次。"),
        "unfinished": _("它的检查没有做完。请回到聊天里重新导入。"),
        "too_late": _("已经收下了。漏下的存疑的行，请重新导入这个文件再收下。"),
        "busy": _("另一份台账正在收下或撤回。请过一分钟再点一次。"),
        "old": _("这次导入太久了或已放弃，内容已按保存期删去。请重新导入一次文件。"),
        "many_gone": _(
            "新台账里没有的人很多。文件只是一部分就放弃，选“一部分”重新导入；确实是整本台账，请勾选后再收下。"
        ),
    }.get(error.reason, _("没有做成，什么都没有变。请回到聊天里重新导入。"))


def note_file(session: Session, batch: LedgerBatch, viewer: str) -> None:
    """The rows with problems left the house, with what stands in them."""
    audit.note(session, viewer, ledger_import.act(batch, "file_read"), batch.id, region=batch.region)


def names(session: Session, batch: LedgerBatch, viewer: str) -> dict[str, Any]:
    """What of an import that was taken back was kept, by row and name; each look at a minor's is logged."""
    audit.note(session, viewer, ledger_import.act(batch, "names_read"), batch.id, region=batch.region)
    total = len(ledger_undo.refused(session, batch.id))
    if batch.sheet != LEDGER:
        rows = roster_batch.kept_rows(session, batch, MOST_NAMES)
        return {"ledger": False, "lines": [kept_line(row) for row in rows], "more": total - len(rows)}
    found = ledger_undo.kept_people(session, batch.id, MOST_NAMES)
    kept = []
    for number, person in found:
        may = person is not None and beneficiary.may_see(session, viewer, person.county)
        name = beneficiary.dossier_of(session, person, viewer, why="ledger undo").name if person and may else "—"
        kept.append(Line(_("第 {number} 行").format(number=number), name))
    return {"ledger": True, "lines": kept, "more": max(0, total - len(found))}


def kept_line(row: Kept) -> Line:
    """A row that was not taken back: what it is about, and why."""
    where = _("第 {number} 行").format(number=row.number)
    return Line(where, _("{item}：{value}").format(item=row.name or "—", value=later_words(row.why)))
