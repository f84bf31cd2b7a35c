"""The columns of a ledger by the words above them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ledger_columns import SheetError, find_columns, fit, fold, kinds
from tests.sheets import CERTIFICATE, GOOD, HEADINGS

Head = tuple[str, ...]


def fields(*rows: Head) -> dict[str, int]:
    return find_columns(rows).fields


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("残疾人证号*", "certificate"),
        ("残 疾 证\n编 号（必填）", "certificate"),
        ("★身份证号码【18位】", "id_number"),
        ("公民身份号码", "id_number"),
        ("持证残疾人性别", "sex"),
        ("出生年月", "birth_date"),
        ("残疾类型", "kind"),
        ("残疾人残疾类别", "kind"),
        ("级别", "grade"),
        ("城镇/农村", "residence"),
        ("户口性质（农业/非农业）", "residence"),
        ("是否建档立卡户（是/否）", "poor"),
        ("县（市、区）", "county"),
        ("乡镇（街道）", "town"),
        ("村（社区）", "village"),
        ("现住址", "address"),
        ("服务对象联系电话", "phone"),
        ("手机", "phone"),
        ("監護人姓名", "guardian_name"),
        ("监护人联系电话：", "guardian_phone"),
        ("与本人关系", "guardian_relation"),
        ("帮扶需求", "needs"),
        ("变化情况", "status"),
        ("核查日期", "checked_on"),
        ("经度", "longitude"),
        ("纬度", "latitude"),
        ("称呼", "called"),
        ("语言", "language"),
        ("性别要求", "sex_wanted"),
        ("备 注", "note"),
    ],
)
def test_a_heading_is_known_however_it_is_written(heading: str, field: str) -> None:
    number = "身份证号" if field != "id_number" else "残疾证号"
    assert fields(("姓名", number, heading))[field] == (1 if number == heading else 2)


def test_every_word_of_the_list_means_one_field() -> None:
    for kind in kinds().values():
        words = [(fold(word), name) for name, field in kind.fields.items() for word in field.words]
        assert len({word for word, _name in set(words)}) == len(set(words))


def test_titles_and_notes_above_the_headings_are_passed_over() -> None:
    found = find_columns([("2026 年天河区残疾人台账",), (), ("填表说明：姓名、残疾人证号必填",), HEADINGS, GOOD])
    assert (found.row, found.headings, len(found.fields)) == (4, HEADINGS, len(HEADINGS))


def test_unknown_columns_are_kept_and_ours_ignored() -> None:
    found = find_columns([("序号", "姓名", "残疾证号", "", "低保金额", "原行号", "问题")])
    assert found.unknown == (4,)


def test_a_heading_of_two_rows_is_read_together_without_merged_cells() -> None:
    head = [("序号", "姓名", "残疾证号", "监护人", "", "", "住址"), ("", "", "", "姓名", "电话", "与本人关系", "")]
    found = find_columns([("台账",), *head, ("1", "测试甲", CERTIFICATE, "测试乙", "", "", "")])
    assert found.row == 3
    assert found.fields == {
        "name": 1,
        "certificate": 2,
        "guardian_name": 3,
        "guardian_phone": 4,
        "guardian_relation": 5,
        "address": 6,
    }
    assert found.headings == ("序号", "姓名", "残疾证号", "监护人姓名", "监护人电话", "监护人与本人关系", "住址")
    # What a corrected file is headed with is known again.
    assert find_columns([found.headings]).fields == found.fields


def test_a_blank_row_below_the_headings_changes_nothing() -> None:
    assert find_columns([HEADINGS, (), GOOD]).row == 1
    assert find_columns([HEADINGS, ("",) * 8, GOOD]).row == 1


def test_a_weak_word_takes_what_is_still_missing() -> None:
    assert fields(("姓名", "证件号码")) == {"name": 0, "certificate": 1}
    assert fields(("姓名", "残疾证号", "证件号码")) == {"name": 0, "certificate": 1, "id_number": 2}
    assert fields(("姓名", "残疾证号", "残疾类别", "类别")) == {"name": 0, "certificate": 1, "kind": 2}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("姓名", "姓名", "残疾证号"), "姓名"),
        (("姓名", "残疾证号", "联系电话", "手机"), "联系电话、手机"),
        (("姓名", "身份证号", "身份证号码"), "身份证号、身份证号码"),
    ],
)
def test_two_columns_for_one_field_are_told_and_not_guessed(row: Head, told: str) -> None:
    with pytest.raises(SheetError) as caught:
        fields(row)
    assert (caught.value.reason, caught.value.params) == ("doubtful_heading", {"headings": told})


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        ([], "name certificate"),
        ([GOOD], "name certificate"),
        ([("姓名", "性别")], "certificate"),
        ([("残疾人证号", "性别")], "name"),
        ([("说明",)] * 20 + [HEADINGS], "name certificate"),
    ],
)
def test_what_no_heading_was_found_for_is_told_without_anything_of_the_rows(rows: list[Head], missing: str) -> None:
    with pytest.raises(SheetError) as caught:
        find_columns(rows)
    assert (caught.value.reason, caught.value.params) == ("no_heading", {"missing": missing})
    assert fit(rows) == 0


@given(st.lists(st.lists(st.one_of(st.none(), st.text(max_size=9), st.floats()), max_size=5).map(tuple), max_size=5))
def test_any_rows_have_columns_or_are_refused(rows: list[tuple[str | float | None, ...]]) -> None:
    try:
        find_columns(rows)
    except SheetError as error:
        assert error.reason == "doubtful_heading" or fit(rows) == 0
