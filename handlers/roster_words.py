"""How the faults of a table of teams, specialists, institutions or stations are told, and what became of its rows."""

from __future__ import annotations

from config.texts import _
from handlers.ledger_words import problem_words, sheet_words
from models.ledger_batch import CHANGED, DOUBTFUL, NEW, REFUSED, SAME
from models.ledger_cells import Problem
from models.ledger_columns import SheetError
from models.roster import MOST_LINES


def roster_words(problem: Problem) -> str:
    """What is wrong with one cell or row, and what to do next."""
    if problem.reason == "missing":
        return _("缺少{column}，请补上。").format(column=_column(problem.params["field"]))
    told = _of_row(problem.reason) or _of_person(problem.reason) or _of_cell(problem.reason)
    if told is None:
        return problem_words(problem)
    said = told.format(**problem.params)
    return said if problem.stops else said + _("（这一行可以收下，只是不用这一处。）")


def file_refused(error: SheetError) -> str:
    """Why a file cannot be taken at all, and what to do next."""
    if error.reason == "no_heading":
        wanted = _("、").join(_column(field) for field in error.params["missing"].split())
        return _("没有找到表头里的“{columns}”。表头要在前 20 行，请改好列名再导入。").format(columns=wanted)
    if error.reason == "too_large" and error.params.get("most") == "lines":
        return _("这份表超过 {most} 行。请拆成几份，分开导入。").format(most=f"{MOST_LINES:,}")
    if error.reason == "too_large" and error.params.get("most") == "bytes":
        return _("文件太大，请删去图片和多余的内容，或拆成几份导入。")
    return sheet_words(error)


def outcome_words() -> dict[str, str]:
    """How many rows came to what, each with {count}."""
    return {
        NEW: _("新增 {count}"),
        CHANGED: _("变更 {count}"),
        SAME: _("不变 {count}"),
        DOUBTFUL: _("存疑 {count}"),
        REFUSED: _("没有收下 {count}"),
    }


def _column(field: str) -> str:
    return {
        "name": _("名称"),
        "region": _("地区"),
        "county": _("区县"),
        "kind": _("类别"),
        "number": _("志愿者编号"),
    }.get(field, field)


def _of_row(reason: str) -> str | None:
    """Faults of a whole row, and what the rules do not allow."""
    return {
        "row_again": _("和第 {row} 行重复，只看第 {row} 行；请删去多余的一行。"),
        "alike": _("这里已经有一个名称几乎一样的（只差空格、全角半角或繁简）：是同一个就改成原来的写法，不是再收下。"),
        "above_or_below": _("上级或下级的地区已经有一个同名的团队：是同一个就改成那里的地区，不是再收下。"),
        "not_yours": _("这个地区不归 --by 这位负责，请由负责的管理员导入。"),
        "team_rule": _("团队的规则不允许这一行，请核对名称和结对人数。"),
        "place_rule": _("登记的规则不允许这一行，请核对名称和区县。"),
        "two_scopes": _("地区和团队编号只能填一个：负责一个地区就填地区，负责一个团队就填团队编号。"),
        "no_scope": _("地区和团队编号要填一个。"),
        "no_team": _("没有这个团队，或已经解散；编号见 nuanyang team list。"),
        "kind_stays": _("和已经登记的不一样；登记以后不能改，确实错了要先结束，再重新登记。"),
    }.get(reason)


def _of_person(reason: str) -> str | None:
    """Faults that lie with a volunteer's number, or with dates."""
    return {
        "nobody": _("没有这个编号的志愿者，请核对编号（本人回复“我的资料”可以看到）。"),
        "not_active": _("这位志愿者现在还不能服务（例如还在等监护人同意），核对清楚再收下。"),
        "from_elsewhere": _("这个编号的志愿者不在这个地区，多半是写错了编号；核对无误再收下。"),
        "no_number": _("编号应是数字，请照“我的资料”里的编号填写；单元格要设成“文本”格式。"),
        "member_number": _("第 {which} 个编号在团队所在的和你负责的地区里找不到。"),
        "member_inactive": _("第 {which} 个编号的志愿者现在还不能服务。"),
        "member_scope": _("这个团队的队员不归 --by 这位管理。"),
        "leader_number": _("队长的编号在团队所在的和你负责的地区里找不到。"),
        "leader_inactive": _("队长现在还不能服务。"),
        "leader_minor": _("队长未满 18 岁，请另选一位。"),
        "leader_scope": _("这个团队的队长不归 --by 这位指定。"),
        "date_trained_on": _("培训日期不能在今天以后，也不能早于十年前。"),
        "date_cleared_until": _("有效期不能已经过去，也不能超过五年。"),
        "date_scope": _("日期要由负责志愿者所在区县的管理员或专员登记，自己的不能自己登记。"),
    }.get(reason)


def _of_cell(reason: str) -> str | None:
    """Faults of how a cell is filled in."""
    return {
        "region": _("没有找到这个地区，请写全名，例如“广州市天河区”，或写行政区划代码。"),
        "count": _("请写 1 到 {most} 之间的整数。"),
        "name_short": _("名称至少 {least} 个字。"),
        "institution_kind": _("请写康复、托养、就业、特教或其他。"),
        "station_kind": _("请写助残V站、驿站、基地、温馨家园或其他。"),
    }.get(reason)
