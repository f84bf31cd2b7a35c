"""How the faults of a table of teams, specialists, institutions or stations are told, what became of its rows, and what
keeps one of them from being taken back."""

from __future__ import annotations

from config.texts import _
from handlers.ledger_words import problem_words, sheet_words
from models.ledger_batch import CHANGED, DOUBTFUL, LEDGER, NEW, REFUSED, SAME
from models.ledger_cells import Problem
from models.ledger_columns import SheetError
from models.roster import (
    CHANGED_SINCE,
    MOST_LINES,
    NAMED_AGAIN,
    NOT_YOURS,
    OFFERED,
    PAIRED,
    STAFFED,
    USED,
)


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


def sheet_name(sheet: str) -> str:
    """What a table of this kind lists."""
    return {
        LEDGER: _("台账"),
        "teams": _("团队"),
        "specialists": _("项目专员"),
        "institutions": _("助残机构"),
        "stations": _("驿站等阵地"),
    }[sheet]


def later_words(reason: str) -> str:
    """Why a row was not taken back."""
    return {
        CHANGED_SINCE: _("之后又改过，或已经结束"),
        PAIRED: _("之后有了结对"),
        OFFERED: _("之后发过结对邀请"),
        USED: _("这个身份已经用过（办过事、在照看人，或负责交接）"),
        STAFFED: _("之后有了自己的专员"),
        NAMED_AGAIN: _("后来导入的表里也有"),
        NOT_YOURS: _("不归撤回的人负责"),
    }.get(reason, _("之后又有变化"))


def form_words(sheet: str) -> list[str]:
    """What a file of this kind needs, for whoever is about to hand one in."""
    wanted = {
        "teams": _("至少有“团队名称”和“地区”两列；还可以有“是否学生团队”“结对人数”“队长编号”“队员编号”。"),
        "specialists": _(
            "至少有“志愿者编号”一列，和“地区”或“团队编号”中的一列；还可以有“培训日期”“证明有效期”。"
            "先请本人报名，编号在“我的资料”里。"
        ),
        "institutions": _("至少有“名称”“类别”“区县”三列；还可以有“地址”“联系人”“电话”。"),
        "stations": _("至少有“名称”“类别”“区县”三列；还可以有“乡镇街道”“地址”“开放时间”“容量”。"),
    }[sheet]
    return [
        _("Excel（.xlsx、.xls）、WPS 表格或 CSV 都可以，最多 {most} 行；前 20 行里要有表头。").format(
            most=f"{MOST_LINES:,}"
        ),
        wanted,
        _("没有写的格子不会改动已经登记的内容；表里没有的，一个也不会动。"),
    ]


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
        "not_yours": _("这个地区不归导入的人负责，请由负责的管理员导入。"),
        "team_rule": _("团队的规则不允许这一行，请核对名称和结对人数。"),
        "region_of_import": _("这一行的地区不在这次导入的地区里：改正地区，或用那个地区另外导入。"),
        "place_rule": _("登记的规则不允许这一行，请核对名称和区县。"),
        "two_scopes": _("地区和团队编号只能填一个：负责一个地区就填地区，负责一个团队就填团队编号。"),
        "no_scope": _("地区和团队编号要填一个。"),
        "no_team": _("没有这个团队，或已经解散；请核对团队编号。"),
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
        "member_scope": _("这个团队的队员不归导入的人管理。"),
        "leader_number": _("队长的编号在团队所在的和你负责的地区里找不到。"),
        "leader_inactive": _("队长现在还不能服务。"),
        "leader_minor": _("队长未满 18 岁，请另选一位。"),
        "leader_scope": _("这个团队的队长不归导入的人指定。"),
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
