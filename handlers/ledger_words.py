"""How the faults of a ledger that was handed in are told to the person who can mend them."""

from __future__ import annotations

from config.texts import _
from models.ledger_cells import Problem
from models.ledger_columns import SheetError
from models.ledger_sheet import MOST_BYTES
from models.ledger_workbook import MOST_COLUMNS, MOST_ROWS


def problem_words(problem: Problem) -> str:
    """What is wrong with one cell or row, and what to do next."""
    told = _who(problem) or _what(problem) or _form(problem) or _("这一格无法识别，请核对。")
    if problem.stops:
        return told.format(**problem.params)
    return told.format(**problem.params) + _("（这一行可以收下，只是不用这一格。）")


def sheet_words(error: SheetError) -> str:
    """Why a file cannot be taken at all, and what to do next."""
    if error.reason == "too_large":
        return _too_large(error.params.get("most", ""))
    if error.reason == "no_heading":
        wanted = _("、").join(_column(field) for field in error.params["missing"].split())
        return _("没有找到表头里的“{columns}”。表头要在前 20 行，请改好列名再导入。").format(columns=wanted)
    told = {
        "empty": _("文件里没有内容，请确认选对了文件，保存后再导入。"),
        "not_a_table": _("这不是表格文件。请用 Excel（.xlsx）或 CSV 文件。"),
        "web_page": _("这个文件其实是网页或 XML，不是真正的 Excel。请用 Excel 或 WPS 打开，另存为 .xlsx 再导入。"),
        "encrypted": _("文件设了密码，打不开。请去掉密码另存一份再导入。"),
        "broken": _("文件已损坏，打不开。请用 Excel 或 WPS 打开，另存为 .xlsx 再导入；打不开就请对方重发。"),
        "encoding": _("认不出文件的文字编码。请用 Excel 或 WPS 打开，另存为 .xlsx 再导入。"),
        "doubtful_heading": _("这几列的表头意思一样，分不清该用哪一列：{headings}。请改成不同的列名，或删去多余的列。"),
    }
    return told[error.reason].format(**error.params)


def file_words(error: SheetError) -> str:
    """As `sheet_words`, for whoever hands a file in on a page."""
    if error.reason == "too_large" and error.params.get("most") == "bytes":
        said = _("文件超过 {megabytes} MB。请按镇街拆成几份，一份一份上传，每份都选“一部分”。")
        return said.format(megabytes=MOST_BYTES >> 20)
    return sheet_words(error)


def _too_large(most: str) -> str:
    rows, columns, megabytes = f"{MOST_ROWS:,}", str(MOST_COLUMNS), str(MOST_BYTES >> 20)
    return {
        "bytes": _("文件超过 {megabytes} MB。请按镇街拆成几份，每份加 --part 导入。"),
        "rows": _("表格超过 {rows} 行。请删去多余的空行，或拆成几份导入。"),
        "columns": _("表格超过 {columns} 列。请删去多余的列再导入。"),
    }.get(most, _("文件太大，打不开。请把数据复制到一个新的表格里，或拆成几份导入。")).format(
        megabytes=megabytes, rows=rows, columns=columns
    )


def _column(field: str) -> str:
    return {
        "name": _("姓名"),
        "certificate": _("残疾人证号（或身份证号）"),
        "id": _("残疾人证号（或身份证号）"),
    }.get(field, field)


def _who(problem: Problem) -> str | None:
    """Faults of numbers and names: who somebody is."""
    if problem.reason == "missing":
        return _("缺少{column}，请补上。").format(column=_column(problem.params["field"]))
    return {
        "destroyed": _(
            "号码被当成数字保存，末几位已经丢失，无法还原。请把这一列设成“文本”格式，对照证件重新填写完整号码。"
        ),
        "old_id": _("这是 15 位的旧身份证号，请改填 18 位的号码。"),
        "masked": _("号码或姓名里有星号，请填写完整。"),
        "id_length": _("号码有 {length} 位；身份证号应是 18 位，残疾人证号应是 20 位（补换的证后面再加 B1、B2）。"),
        "id_characters": _("号码里有不该有的字符；只能是数字，第 18 位可以是 X。"),
        "id_checksum": _("身份证号的校验码不对，多半是写错了一位，请对照证件核对。"),
        "id_birth_date": _("号码里的出生日期不可能，请对照证件核对。"),
        "id_place": _("号码开头的地区代码不存在，请对照证件核对。"),
        "certificate_tail": _("残疾人证号最后两位应是类别 1–7 和等级 1–4（补换的证后面再加 B1、B2），请核对。"),
        "certificate_short": _("这里只有身份证号；残疾人证号是 20 位，请补上最后两位。"),
        "id_differs": _("身份证号和残疾人证号不是同一个人的，请核对。"),
        "repeated": _("和第 {row} 行是同一个人（号码相同），只收第 {row} 行；请删去多余的一行。"),
        "name": _("姓名里有不该有的字符，请只写姓名。"),
        "phone": _("电话号码不对；手机号是 11 位，座机请带区号，例如 020-12345678。"),
        "several_phones": _("有几个电话号码，只用第一个；请只留一个。"),
    }.get(problem.reason)


def _what(problem: Problem) -> str | None:
    """Faults of what is said about somebody."""
    return {
        "kind_differs": _("残疾类别与残疾人证号里的不一致，请核对。"),
        "grade_differs": _("残疾等级和别处写的不一致（残疾人证号最后一位是等级），请核对。"),
        "birth_date_differs": _("出生日期与证件号码里的不一致，请核对。"),
        "sex_differs": _("性别与证件号码里的不一致，请核对。"),
        "sex": _("请写“男”或“女”。"),
        "sex_wanted": _("请写“男”“女”或“不限”。"),
        "kind": _("请写视力、听力、言语、肢体、智力、精神或多重。"),
        "grade": _("请写一级、二级、三级或四级。"),
        "residence": _("请写“城镇”或“农村”。"),
        "yes_no": _("请写“是”或“否”。"),
        "status": _("看不懂这个状态，所以这一行不能收。请写在册、迁出、去世、注销或超龄。"),
        "language": _("请写普通话、粤语、客家话、手语等。"),
        "date": _("日期看不懂，请写成 2008-03-05 这样。"),
        "future": _("日期在今天之后，请核对。"),
        "county": _("没有找到这个区县，请写全名，例如“广州市天河区”，或写 6 位区划代码。"),
        "county_several": _("有几个同名的区县（{found}），请连市名一起写。"),
        "county_wide": _("请连区县一起写，例如“广州市天河区”。"),
        "coordinates": _("经纬度应是中国境内的小数度数，例如经度 113.3612、纬度 23.1247。"),
        "coordinates_half": _("经度和纬度要一起填。"),
    }.get(problem.reason)


def _form(problem: Problem) -> str | None:
    """Faults of how a cell is filled in, whatever it is about."""
    return {
        "excel_error": _("这一格是 Excel 的错误值（{text}），请改成正确的内容。"),
        "formula": _("这一格是公式，读不到结果；请复制后“选择性粘贴”为数值，或直接填写内容。"),
        "garbled": _("这一格有乱码，请重新填写。"),
        "control": _("这一格有看不见的控制字符，请清空后重新填写。"),
        "too_long": _("内容太长（{length} 字），最多 {most} 字。"),
    }.get(problem.reason)


def standing_words(problem: Problem) -> str:
    """As `problem_words`, and how a row stands to the ledger where that keeps it from being taken."""
    told = {
        "alike": _("同一区县有姓名、出生日期相同而证件号不同的人：核对是不是同一个人，确认是另一个人再收下。"),
        "had_died": _("台账里这个人已记为去世：核对清楚，确认无误再收下这一行。"),
        "had_left": _("台账里这个人已记为迁出或注销：核对清楚，确认又回来了再收下这一行。"),
        "region": _("这一行的区县不在这次导入的地区里：改正区县，或用那个地区单独导入。"),
    }
    return told.get(problem.reason) or problem_words(problem)


def question_words(reason: str) -> str:
    """What a ledger leaves open about one of its people."""
    return {
        "absent": _("新台账里没有了"),
        "elsewhere": _("另一个区县的台账里也有"),
        "alike": _("同一区县有姓名、出生日期相同的人"),
    }[reason]
