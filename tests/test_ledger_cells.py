"""Rows of a ledger: each bad cell is told with its reason, and nothing good of the row is lost."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.services import entries
from handlers.ledger_words import problem_words
from models import ledger_values
from models.ledger_cells import Problem, Record, check_row
from models.ledger_columns import Columns, find_columns
from models.ledger_person import identity
from models.ledger_values import Bad
from tests.sheets import (
    CERTIFICATE,
    ID,
    TIANHE,
    TODAY,
    id_number,
    one,
    reasons,
    record,
)

WOMAN = id_number(order="124")
ALL = {
    "姓名": "测试甲",
    "残疾人证号": CERTIFICATE,
    "身份证号": ID,
    "性别": "男",
    "出生日期": "1990-03-07",
    "残疾类别": "肢体",
    "残疾等级": "三级",
    "城乡": "农村",
    "建档立卡": "否",
    "区县": "天河区",
    "镇街": "甲街道",
    "村居": "乙社区",
    "地址": "丙路 1 号",
    "电话": "13800138000",
    "监护人": "测试乙",
    "监护人电话": "020-87654321",
    "监护人关系": "母亲",
    "需求": "康复训练、心理咨询",
    "状态": "在册",
    "核查日期": "2026-05-01",
    "经度": "113.3612",
    "纬度": "23.1247",
    "称呼": "甲姐",
    "语言": "粤语",
    "性别要求": "女",
    "备注": "上午在家",
}
FULL = Record(
    id_number=ID,
    name="测试甲",
    certificate=CERTIFICATE,
    kind=4,
    grade=3,
    sex="male",
    birth_date=date(1990, 3, 7),
    residence="rural",
    poor=False,
    county=TIANHE,
    town="甲街道",
    village="乙社区",
    address="丙路 1 号",
    phone="+8613800138000",
    guardian_name="测试乙",
    guardian_phone="+862087654321",
    guardian_relation="母亲",
    needs=("rehabilitation", "counselling"),
    need_words=None,
    status="listed",
    checked_on=date(2026, 5, 1),
    longitude=113.3612,
    latitude=23.1247,
    called="甲姐",
    note="上午在家",
    language="cantonese",
    sex_wanted="female",
)
COLUMNS = find_columns([tuple(ALL)])
FIELD_OF = {COLUMNS.headings[index]: field for field, index in COLUMNS.fields.items()}


def checked(**cells: Any) -> Any:
    return check_row(tuple((ALL | cells).values()), COLUMNS, 2, TODAY, TIANHE)


def test_a_whole_row_is_read() -> None:
    row = checked()
    assert (row.record, row.problems) == (FULL, ())
    assert row.cells == tuple(ALL.values())


# What is wrong in one cell of an otherwise good row, why, and what is lost of the record by it (None: the row).
LEFT_OUT: dict[str, tuple[str, Any, str, dict[str, Any]]] = {
    "certificate is only the ID number": ("残疾人证号", ID, "certificate_short", {"certificate": None}),
    "certificate typed as a number": ("残疾人证号", 4.40106199003071e19, "destroyed", {"certificate": None}),
    "certificate with a wrong kind": ("残疾人证号", ID + "93", "certificate_tail", {"certificate": None}),
    "certificate one digit short": ("残疾人证号", CERTIFICATE[:-1], "id_length", {"certificate": None}),
    "certificate masked": ("残疾人证号", CERTIFICATE[:6] + "*" * 10 + "1234", "masked", {"certificate": None}),
    "ID typed as a number beside a good certificate": ("身份证号", 4.40106199003071e17, "destroyed", {}),
    "ID of 15 digits beside a good certificate": ("身份证号", "440106900307123", "old_id", {}),
    "ID that is an error of Excel's": ("身份证号", "#REF!", "excel_error", {}),
    "sex that is none": ("性别", "甲", "sex", {}),
    "birth date in words": ("出生日期", "九十年代", "date", {}),
    "birth date that is no day": ("出生日期", "1990-02-30", "date", {}),
    "birth date with month 0": ("出生日期", "1990-00-07", "date", {}),
    "birth date day first": ("出生日期", "07/03/1990", "date", {}),
    "birth date as a truth": ("出生日期", True, "date", {}),
    "kind unknown": ("残疾类别", "心脏", "kind", {}),
    "kind 8": ("残疾类别", 8, "kind", {}),
    "grade unknown": ("残疾等级", "五级", "grade", {}),
    "residence unknown": ("城乡", "海上", "residence", {"residence": None}),
    "yes or no unknown": ("建档立卡", "也许", "yes_no", {"poor": None}),
    "county unknown": ("区县", "火星", "county", {"county": None}),
    "county of which there are several": ("区县", "鼓楼区", "county_several", {"county": None}),
    "only a province": ("区县", "湖南省", "county_wide", {"county": None}),
    "town that is a formula": ("镇街", "=A1", "formula", {"town": None}),
    "town too long": ("镇街", "甲" * 201, "too_long", {"town": None}),
    "village that is an error": ("村居", "#N/A", "excel_error", {"village": None}),
    "village of hashes": ("村居", "########", "excel_error", {"village": None}),
    "address that commands": ("地址", "@SUM(A1)", "formula", {"address": None}),
    "address that begins with a plus": ("地址", "+cmd|' /C calc'!A0", "formula", {"address": None}),
    "address that begins with a wide sign": ("地址", "＝1+1", "formula", {"address": None}),
    "address with a sign that was lost": ("地址", "丙\ufffd路", "garbled", {"address": None}),
    "address with a control character": ("地址", "丙\x07路", "control", {"address": None}),
    "phone too short": ("电话", "1380013800", "phone", {"phone": None}),
    "phone too long": ("电话", "138001380001", "phone", {"phone": None}),
    "phone without area code": ("电话", "87654321", "phone", {"phone": None}),
    "phone in words": ("电话", "找村委会", "phone", {"phone": None}),
    "phone masked": ("电话", "138****8000", "masked", {"phone": None}),
    "phone as Excel shows it": ("电话", "1.38001E+10", "destroyed", {"phone": None}),
    "phone as a large number": ("电话", 1.3800138e15, "destroyed", {"phone": None}),
    "two phones": ("电话", "13800138000/13900139000", "several_phones", {}),
    "guardian with digits": ("监护人", "测试2", "name", {"guardian_name": None}),
    "guardian too long": ("监护人", "甲" * 51, "too_long", {"guardian_name": None}),
    "guardian's phone wrong": ("监护人电话", "12345", "phone", {"guardian_phone": None}),
    "relation a formula": ("监护人关系", "=B2", "formula", {"guardian_relation": None}),
    "needs too long": ("需求", "康复" * 101, "too_long", {"needs": ()}),
    "check in the future": ("核查日期", "2027-01-01", "future", {"checked_on": None}),
    "check without a day": ("核查日期", "2026-05", "date", {"checked_on": None}),
    "longitude out of the country": ("经度", 13.4, "coordinates", {"longitude": None, "latitude": None}),
    "latitude in words": ("纬度", "北纬23度", "coordinates", {"longitude": None, "latitude": None}),
    "longitude alone": ("纬度", None, "coordinates_half", {"longitude": None, "latitude": None}),
    "form of address too long": ("称呼", "甲" * 51, "too_long", {"called": None}),
    "language unknown": ("语言", "火星语", "language", {"language": None}),
    "sex wanted unknown": ("性别要求", "随便哪个", "sex_wanted", {"sex_wanted": None}),
    "note too long": ("备注", "甲" * 1001, "too_long", {"note": None}),
}
STOPPED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no name": ({"姓名": ""}, "姓名", "missing"),
    "a name of blanks": ({"姓名": " \u3000\u200b"}, "姓名", "missing"),
    "“无” for a name": ({"姓名": "无"}, "姓名", "missing"),
    "a name with digits": ({"姓名": "测试1"}, "姓名", "name"),
    "a name of signs": ({"姓名": "··"}, "姓名", "name"),
    "a name with a lost sign": ({"姓名": "测试?"}, "姓名", "name"),
    "a name with a control character": ({"姓名": "测试\x00甲"}, "姓名", "control"),
    "a name that is a formula": ({"姓名": "=A1"}, "姓名", "formula"),
    "a name that is an error": ({"姓名": "#NAME?"}, "姓名", "excel_error"),
    "a masked name": ({"姓名": "测*甲"}, "姓名", "masked"),
    "a name of 51 characters": ({"姓名": "甲" * 51}, "姓名", "too_long"),
    "a garbled name": ({"姓名": "测\ufffd甲"}, "姓名", "garbled"),
    "a number for a name": ({"姓名": 12.0}, "姓名", "name"),
    "no number at all": ({"残疾人证号": None, "身份证号": None}, "身份证号", "missing"),
    "both numbers destroyed": ({"残疾人证号": None, "身份证号": 440106199003071232}, "身份证号", "destroyed"),
    "a number as Excel shows it": ({"残疾人证号": None, "身份证号": "4.40106E+17"}, "身份证号", "destroyed"),
    "a number as Excel shows it, longer": (
        {"残疾人证号": "4.40106199003071E+19", "身份证号": ""},
        "残疾人证号",
        "destroyed",
    ),
    "a number whose last digits became 0": (
        {"残疾人证号": None, "身份证号": "440106199003071000"},
        "身份证号",
        "destroyed",
    ),
    "a certificate whose last digits became 0": (
        {"残疾人证号": "44010619900307100000", "身份证号": None},
        "残疾人证号",
        "destroyed",
    ),
    "an ID of 15 digits": ({"残疾人证号": None, "身份证号": "440106900307123"}, "身份证号", "old_id"),
    "an ID of 15 digits as a number": ({"残疾人证号": None, "身份证号": 440106900307123.0}, "身份证号", "old_id"),
    "an ID of 17 digits": ({"残疾人证号": None, "身份证号": ID[:-1]}, "身份证号", "id_length"),
    "an ID with a letter": ({"残疾人证号": None, "身份证号": "O" + ID[1:]}, "身份证号", "id_characters"),
    "an ID with a wrong last sign": (
        {"残疾人证号": None, "身份证号": ID[:-1] + ("1" if ID[-1] != "1" else "2")},
        "身份证号",
        "id_checksum",
    ),
    "an ID of nowhere": ({"残疾人证号": None, "身份证号": id_number(place="990106")}, "身份证号", "id_place"),
    "an ID born tomorrow": (
        {"残疾人证号": None, "身份证号": id_number(date(2026, 11, 23))},
        "身份证号",
        "id_birth_date",
    ),
    "an ID born in 1900": (
        {"残疾人证号": None, "身份证号": id_number(date(1900, 1, 1))},
        "身份证号",
        "id_birth_date",
    ),
    "two numbers of two people": ({"身份证号": WOMAN}, "身份证号", "id_differs"),
    "another sex than in the number": ({"性别": "女"}, "性别", "sex_differs"),
    "another birth date than in the number": ({"出生日期": "1990-03-08"}, "出生日期", "birth_date_differs"),
    "another month than in the number": ({"出生日期": "1990年4月"}, "出生日期", "birth_date_differs"),
    "another year than in the number": ({"出生日期": 1991}, "出生日期", "birth_date_differs"),
    "a birth date in the future": ({"出生日期": "2027-01-01"}, "出生日期", "future"),
    "another kind than in the certificate": ({"残疾类别": "视力"}, "残疾类别", "kind_differs"),
    "several kinds against one in the certificate": ({"残疾类别": "视力、肢体"}, "残疾类别", "kind_differs"),
    "another grade than in the certificate": ({"残疾等级": "一级"}, "残疾等级", "grade_differs"),
    "another grade beside the kind": ({"残疾类别": "肢体一级"}, "残疾类别", "grade_differs"),
    "a status that is not understood": ({"状态": "走了"}, "状态", "status"),
}


@pytest.mark.parametrize(("heading", "cell", "reason", "lost"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_bad_cell_is_left_out_and_the_row_is_kept(heading: str, cell: Any, reason: str, lost: dict[str, Any]) -> None:
    row = checked(**{heading: cell})
    assert reasons(row) == [(reason, False)]
    column = COLUMNS.headings.index(heading if reason != "coordinates_half" else "经度")
    assert row.problems[0].column == column
    assert row.record == replace(FULL, **lost)
    assert_tells_nothing(row.problems[0])


@pytest.mark.parametrize(("cells", "heading", "reason"), STOPPED.values(), ids=STOPPED)
def test_what_makes_a_person_unsure_stops_the_row(cells: dict[str, Any], heading: str, reason: str) -> None:
    row = checked(**cells)
    assert row.record is None
    assert reasons(row) == [(reason, True)]
    assert row.problems[0].column == COLUMNS.headings.index(heading)
    assert row.number == 2
    assert_tells_nothing(row.problems[0])


def assert_tells_nothing(problem: Problem) -> None:
    """The words are complete, and no personal data is in them."""
    words = problem_words(problem)
    assert words.endswith(("。", "）")) and "{" not in words
    for personal in ("测试", "丙路", "138", "440106", "87654321"):
        assert personal not in "".join(problem.params.values())


def test_all_faults_of_a_row_are_told_at_once() -> None:
    row = checked(姓名="1", 性别="女", 电话="1", 备注="=1", 状态="?")
    assert reasons(row) == [
        ("name", True),
        ("sex_differs", True),
        ("phone", False),
        ("status", True),
        ("formula", False),
    ]


GOOD_CELLS: list[tuple[str, Any, str, Any]] = [
    *(
        ("出生日期", cell, "birth_date", date(1990, 3, 7))
        for cell in (
            *(
                "1990-3-7",
                "1990/03/07",
                "1990.3.7",
                "1990年3月7日",
                "19900307",
                "1990-03",
                "1990.3",
                "1990年",
                "199003",
            ),
            *("1990-03-07 00:00:00", "１９９０年３月７日", date(1990, 3, 7), datetime(1990, 3, 7), 19900307.0, 1990.3),
            *("32939", 32939.0, 32939.5, None, "", "不详"),
        )
    ),
    *(("性别", cell, "sex", "male") for cell in ("男", "男性", 1, "1", " 男 ", None)),
    *(("残疾类别", cell, "kind", 4) for cell in ("肢体", "肢体残疾", "肢體", 4, 4.0, "肢体残疾人", "肢体三级", None)),
    *(("残疾等级", cell, "grade", 3) for cell in ("三级", "3级", 3, "Ⅲ", "III级", "叁级", "三", "３", None)),
    *(("城乡", cell, "residence", "urban") for cell in ("城镇", "非农业", "城镇户口", "城")),
    ("城乡", "居民户口", "residence", None),
    *(("建档立卡", cell, "poor", True) for cell in ("是", "√", "Y", 1, True, "建档立卡户", "已脱贫")),
    *(("建档立卡", cell, "poor", False) for cell in ("否", "无", "×", "N", 0, False, "非建档立卡户")),
    ("建档立卡", None, "poor", None),
    *(
        ("区县", cell, "county", "440106")
        for cell in ("天河区", "天河", "广州市天河区", "440106", 440106.0, "440106004000", None, "无", "广州市")
    ),
    *(
        ("电话", cell, "phone", "+8613800138000")
        for cell in (
            *(13800138000.0, 13800138000, "138 0013 8000", "138-0013-8000", "+86 13800138000", "8613800138000"),
            *("１３８００１３８０００", "'13800138000", "0086-13800138000", "13800138000 测试丙", "(86)13800138000"),
        )
    ),
    *(("电话", cell, "phone", "+862087654321") for cell in ("02087654321", "(020)87654321", "020 8765 4321")),
    ("电话", "+852 9123 4567", "phone", "+85291234567"),
    *(("电话", cell, "phone", None) for cell in (None, "无", "/", "-")),
    *(("状态", cell, "status", "listed") for cell in ("在册", "正常", "健在")),
    *(("状态", cell, "status", None) for cell in (None, "")),
    *(("状态", cell, "status", "died") for cell in ("去世", "死亡", "已故", "病故", "過世")),
    *(("状态", cell, "status", "moved") for cell in ("迁出", "已迁出", "搬走")),
    *(("状态", cell, "status", "cancelled") for cell in ("注销", "残疾证注销")),
    ("状态", "超龄", "status", "over_age"),
    ("姓名", "测 试", "name", "测试"),
    ("姓名", "测\u3000试", "name", "测试"),
    ("姓名", "测试•甲", "name", "测试·甲"),
    ("姓名", "\U00020bb7\u4e00", "name", "\U00020bb7一"),
    ("姓名", "测\U00031360", "name", "测\U00031360"),
    ("姓名", "Test Name", "name", "Test Name"),
    ("姓名", "甲", "name", "甲"),
    ("需求", "康复、找人聊天", "needs", ("rehabilitation",)),
    ("需求", "支教助学 就业;文体", "needs", ("study", "employment", "culture")),
    ("需求", "康复/康复训练", "needs", ("rehabilitation",)),
    ("需求", "无", "needs", ()),
    ("地址", "丙路\n1 号", "address", "丙路 1 号"),
    ("地址", "-", "address", None),
    ("地址", 12.0, "address", "12"),
    ("经度", "113.3612°", "longitude", 113.3612),
    ("性别要求", "不限", "sex_wanted", None),
    ("身份证号", f"'{ID[:6]} {ID[6:14]}-{ID[14:]}", "id_number", ID),
    ("身份证号", None, "id_number", ID),
    ("残疾人证号", CERTIFICATE + "B1", "certificate", CERTIFICATE + "B1"),
    ("残疾人证号", CERTIFICATE + "b12", "certificate", CERTIFICATE + "B12"),
    ("残疾人证号", "".join(chr(ord(c) + 0xFEE0) for c in CERTIFICATE), "certificate", CERTIFICATE),
    ("残疾人证号", None, "certificate", None),
]


@pytest.mark.parametrize(("heading", "cell", "field", "value"), GOOD_CELLS)
def test_a_good_cell_is_understood_however_it_is_written(heading: str, cell: Any, field: str, value: Any) -> None:
    row = checked(**{heading: cell})
    assert (getattr(record(row), field), row.problems) == (value, ())


def test_a_last_x_may_be_small_or_another_sign() -> None:
    number = next(n for order in range(100, 200) if (n := id_number(order=str(order))).endswith("X"))
    for sign in "xX×Ｘ":
        found = identity(number[:-1] + sign, TODAY)
        assert found is not None and found.id_number == number


def test_an_id_number_alone_is_enough_with_kind_and_grade_from_their_columns() -> None:
    found = record(one(("测试甲", ID, "视力残疾", "一级"), ("姓名", "身份证号", "残疾类别", "等级")))
    assert (found.id_number, found.certificate, found.kind, found.grade) == (ID, None, 1, 1)
    assert (found.sex, found.birth_date, found.status, found.county) == ("male", date(1990, 3, 7), None, TIANHE)


def test_a_certificate_in_the_column_of_id_numbers_is_a_certificate() -> None:
    found = record(one(("测试甲", CERTIFICATE), ("姓名", "身份证号")))
    assert (found.id_number, found.certificate, found.kind, found.grade) == (ID, CERTIFICATE, 4, 3)


def test_somebody_whose_district_is_younger_than_the_person_is_taken() -> None:
    assert record(one(("测试甲", id_number(date(1970, 1, 1), place="110112")), ("姓名", "身份证号")))


def test_several_kinds_together_are_multiple() -> None:
    for words in ("视力、肢体", "视力残疾/智力残疾", "多重（视力、肢体）", "听力和言语", "7"):
        assert record(one(("测试甲", ID, words), ("姓名", "身份证号", "残疾类别"))).kind == 7


def test_the_ledgers_own_region_decides_between_counties_of_one_name() -> None:
    headings = ("姓名", "身份证号", "区县")
    assert record(one(("测试甲", ID, "鼓楼区"), headings, "3201")).county == "320106"
    assert record(one(("测试甲", ID, "鼓楼区"), headings, "350102")).county == "350102"
    assert record(one(("测试甲", ID, ""), headings, "4401")).county is None
    assert record(one(("测试甲", ID, ""), headings, None)).county is None


def test_what_is_not_in_the_catalogue_is_kept_as_written() -> None:
    assert record(checked(需求="康复、轮椅，助听器")).need_words == "轮椅、助听器"
    assert record(checked(需求="想有人 陪着去医院")).need_words == "想有人 陪着去医院"


def test_synonyms_of_needs_are_of_entries_that_exist() -> None:
    assert set(ledger_values._tables()["needs"]) <= set(entries("service"))


CELLS = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.sampled_from([CERTIFICATE, ID, "测试甲", "男", "无", "=A1", "#N/A", "1990-03-07", "天河区", "康复"]),
)


@given(st.lists(CELLS, max_size=len(ALL) + 2))
@settings(max_examples=300)
def test_any_cells_are_a_record_or_have_problems_that_stop(cells: list[Any]) -> None:
    row = check_row(cells, COLUMNS, 7, TODAY, TIANHE)
    assert (row.record is None) == any(problem.stops for problem in row.problems)
    assert all(problem_words(problem) for problem in row.problems)
    assert len(row.cells) == len(cells)


@given(st.lists(st.one_of(CELLS, st.sampled_from(list(ALL.values()))), min_size=1, max_size=4), st.data())
@settings(max_examples=150)
def test_a_good_row_keeps_all_cells_that_are_not_touched(wild: list[Any], data: st.DataObject) -> None:
    """Whatever stands in optional cells, the others come through."""
    optional = [
        "城乡",
        "建档立卡",
        "镇街",
        "村居",
        "地址",
        "电话",
        "监护人",
        "监护人电话",
        "监护人关系",
        "称呼",
        "备注",
        "语言",
    ]
    touched = data.draw(st.lists(st.sampled_from(optional), min_size=1, max_size=len(wild), unique=True))
    row = checked(**dict(zip(touched, wild, strict=False)))
    changed = {FIELD_OF[heading] for heading in touched}
    found = record(row)
    for field in fields(Record):
        if field.name not in changed:
            assert getattr(found, field.name) == getattr(FULL, field.name)


def test_columns_are_of_the_ledger() -> None:
    assert isinstance(COLUMNS, Columns) and COLUMNS.unknown == ()
    assert set(FIELD_OF.values()) == {field.name for field in fields(Record)} - {"need_words"}


def test_an_id_number_of_three_noughts_at_its_end_is_destroyed_though_its_check_digit_fits_by_chance() -> None:
    fits = [
        number for day in range(1, 29) for number in [id_number(date(1990, 3, day), "100")] if number.endswith("000")
    ]
    fits += [number for month in range(1, 13) if (number := id_number(date(1991, month, 9), "200")).endswith("000")]
    assert fits
    for number in fits:
        with pytest.raises(Bad, match="destroyed"):
            identity(number, TODAY)
        assert identity(number + "43", TODAY) is not None, "a certificate's number goes on"
