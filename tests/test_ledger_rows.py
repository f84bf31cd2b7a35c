"""A whole ledger: which of its rows are people, who stands there twice, and that what is written is read back."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from config.services import entries
from models.ledger_cells import Problem, Record
from tests.sheets import (
    GOOD,
    HEADINGS,
    ID,
    OTHER,
    TIANHE,
    TODAY,
    id_number,
    ledger,
    reasons,
    record,
    rows_of,
    text,
    workbook,
)


def test_blank_rows_sums_notes_and_repeated_headings_are_left_out() -> None:
    blank = ("",) * len(HEADINGS)
    numbered = ("序号", *HEADINGS)
    rows = [
        ("1", *GOOD),
        ("", *blank),
        ("2", *blank),
        numbered,
        ("3", *OTHER),
        ("合计", "2", *blank[1:]),
        ("", "总 计：", "", "2 人", *blank[3:]),
        ("备注：残疾人证号以实际为准", *blank),
        ("填表人：测试丙", "", "", "审核人：测试丁", *blank[3:]),
    ]
    read = ledger(text([numbered, *rows]))
    assert read.total == 2
    assert [(row.number, record(row).name) for row in read.rows()] == [(2, "测试甲"), (6, "测试乙")]


def test_a_row_with_anything_else_is_told() -> None:
    (row,) = rows_of(("", "", "", "", "", "", "13800138000", ""))
    assert reasons(row) == [("missing", True), ("missing", True)]
    (row,) = rows_of(("测试甲",))
    assert reasons(row) == [("missing", True)]


def test_somebody_who_stands_there_twice_is_taken_once() -> None:
    first, again, other = rows_of(GOOD, ("测试丙", ID, "男"), OTHER)
    assert record(first).name == "测试甲" and record(other).name == "测试乙"
    assert again.record is None
    assert again.problems[-1] == Problem(1, "repeated", {"row": "2"}, True)


def test_a_refused_row_does_not_take_the_place_of_a_good_one() -> None:
    bad, good = rows_of(("1", *GOOD[1:]), GOOD)
    assert bad.record is None and record(good).id_number == ID


def test_cells_are_shown_as_the_sheet_shows_them() -> None:
    row = ("测试甲", ID, 13800138000.0, date(1990, 3, 7), 4.40106199003071e17, True, None, 1.5)
    (found,) = ledger(workbook([("姓名", "身份证号", "电话", "出生日期", "甲", "乙", "丙", "丁"), row])).rows()
    assert found.cells == ("测试甲", ID, "13800138000", "1990-03-07", "4.40106199003071E+17", "TRUE", "", "1.5")
    assert record(found).phone == "+8613800138000"


def test_rows_can_be_gone_through_again() -> None:
    read = ledger(text([HEADINGS, GOOD, GOOD]))
    assert list(read.rows()) == list(read.rows())


SHORT = st.text("甲乙丙丁戊己庚辛壬癸", min_size=1, max_size=9)
PHONE = st.integers(10**7, 10**8 - 1).map(lambda n: f"138{n}")


@st.composite
def records(draw: Any) -> tuple[Record, tuple[str, ...]]:
    """A record and the cells that say it."""
    born = draw(st.dates(date(1910, 1, 1), TODAY))
    number = id_number(born, f"{draw(st.integers(0, 999)):03}")
    kind, grade = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    suffix = draw(st.sampled_from(["", "B1", "B2"]))
    residence = draw(st.sampled_from([("urban", "城镇"), ("rural", "农村"), (None, "")]))
    poor = draw(st.sampled_from([(True, "是"), (False, "否"), (None, "")]))
    status = draw(st.sampled_from([("listed", "在册"), ("moved", "迁出"), ("died", "去世"), ("over_age", "超龄")]))
    needs = tuple(draw(st.lists(st.sampled_from(sorted(entries("service"))), unique=True, max_size=4)))
    phones = [draw(PHONE), draw(PHONE)]
    texts = [draw(SHORT) for _ in range(7)]
    checked_on = draw(st.dates(date(2015, 1, 1), TODAY))
    longitude, latitude = draw(st.integers(7400, 13500)) / 100, draw(st.integers(400, 5300)) / 100
    made = Record(
        number,
        "测试" + texts[0],
        f"{number}{kind}{grade}{suffix}",
        kind,
        grade,
        "male" if int(number[16]) % 2 else "female",
        born,
        residence[0],
        poor[0],
        TIANHE,
        *(texts[1] + "镇", texts[2] + "村", texts[3] + "路", "+86" + phones[0], texts[4], "+86" + phones[1], texts[5]),
        needs,
        None,
        status[0],
        checked_on,
        longitude,
        latitude,
        texts[6],
        None,
    )
    cells = (
        *(made.name, made.certificate or "", residence[1], poor[1], "天河区", made.town, made.village, made.address),
        *(phones[0], texts[4], phones[1], texts[5], "、".join(entries("service")[key].zh_CN for key in needs)),
        *(status[1], checked_on.isoformat(), str(longitude), str(latitude), texts[6]),
    )
    return made, tuple(cell or "" for cell in cells)


WRITTEN = (
    *(
        "姓名",
        "残疾人证号",
        "城乡",
        "建档立卡",
        "区县",
        "镇街",
        "村居",
        "地址",
        "电话",
        "监护人",
        "监护人电话",
        "监护人关系",
    ),
    *("需求", "状态", "核查日期", "经度", "纬度", "称呼"),
)


@given(st.lists(records(), min_size=1, max_size=5, unique_by=lambda made: made[0].id_number))
@settings(max_examples=25)
def test_what_is_written_is_read_back_in_every_form(made: list[tuple[Record, tuple[str, ...]]]) -> None:
    sheet = [WRITTEN, *(cells for _record, cells in made)]
    for data in (workbook(sheet), text(sheet, "gbk"), text(sheet, "utf-8"), text(sheet, "utf-8-sig", "\t")):
        rows = list(ledger(data).rows())
        assert [row.record for row in rows] == [record for record, _cells in made]
        assert not any(row.problems for row in rows)
