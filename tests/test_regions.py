"""Every county can be chosen: the tree of the regions, and what lies in which scope."""

from collections import Counter
from itertools import pairwise

import pytest

from config import regions
from tests.counties import LEAVES

# County-level divisions by province as published (Ministry of Civil Affairs, end of 2024), with what came after:
# Chongqing 38 − 2 + 1 in 2025, Xinjiang 110 + 2 in 2026; and +1 for each city that has no counties.
PUBLISHED = """
    11:16 12:16 13:167 14:117 15:103 21:100 22:60 23:121 31:16 32:95 33:90 34:104 35:84 36:100 37:136 41:157
    42:103 43:122 44:124 45:111 46:26 50:37 51:183 52:88 53:129 54:74 61:107 62:87 63:44 64:22 65:112
    71:20 81:18 82:8
"""


def test_codes_and_full_names_are_unique():
    every = regions.every()
    assert len({region.code for region in every}) == len({region.full_name for region in every}) == len(every)


def test_every_leaf_is_reached_by_at_most_three_choices_and_nothing_else_is():
    reached = []
    steps = [(region, 1) for region in regions.children()]
    while steps:
        region, depth = steps.pop()
        assert depth <= 3
        below = regions.children(region.code)
        if not below:
            reached.append(region)
        steps.extend((child, depth + 1) for child in below)
    assert sorted(region.code for region in reached) == [region.code for region in LEAVES]


def test_every_leaf_is_a_county_of_six_digits_and_everything_else_is_shorter():
    for region in regions.every():
        assert region.level == len(region.code) // 2
        assert (region.level == 3) == regions.leaf(region.code)


def test_as_many_counties_as_published_are_in_each_province():
    counted = Counter(region.code[:2] for region in LEAVES)
    assert counted == {code: int(count) for code, count in (pair.split(":") for pair in PUBLISHED.split())}
    assert sum(count for province, count in counted.items() if province[0] not in "78") == 2847 + 4


def test_choices_are_ordered_by_code_and_never_offer_one_name_twice():
    for parent in ["", *(region.code for region in regions.every())]:
        below = regions.children(parent)
        assert all(first.code < second.code for first, second in pairwise(below))
        assert len({region.name for region in below}) == len(below)
        assert all(region.parent == parent for region in below)


@pytest.mark.parametrize(
    ("code", "full_name"),
    [
        ("110101", "北京市东城区"),
        ("440106", "广东省广州市天河区"),
        ("441900", "广东省东莞市"),
        ("442000", "广东省中山市"),
        ("460400", "海南省儋州市"),
        ("620200", "甘肃省嘉峪关市"),
        ("460302", "海南省三沙市西沙区"),
        ("429004", "湖北省仙桃市"),
        ("419001", "河南省济源市"),
        ("469001", "海南省五指山市"),
        ("659001", "新疆维吾尔自治区石河子市"),
        ("653228", "新疆维吾尔自治区和田地区和康县"),
        ("653229", "新疆维吾尔自治区和田地区和安县"),
        ("653132", "新疆维吾尔自治区喀什地区岑岭县"),
        ("659012", "新疆维吾尔自治区白杨市"),
        ("659013", "新疆维吾尔自治区草湖市"),
        ("500157", "重庆市两江新区"),
        ("500229", "重庆市城口县"),
        ("540481", "西藏自治区林芝市米林市"),
        ("810001", "香港特别行政区中西区"),
        ("820007", "澳门特别行政区路氹填海区"),
        ("710009", "台湾省台北市"),
        ("350527", "福建省泉州市金门县"),
    ],
)
def test_special_and_recent_counties_can_be_chosen_and_read_naturally(code, full_name):
    region = regions.get(code)
    assert region is not None
    assert region.full_name == full_name
    assert regions.leaf(code)
    assert "".join(step.name for step in regions.path(code)) == full_name


@pytest.mark.parametrize("code", ["500105", "500112", "460321", "330103", "110103", "1101", "4290", "5001", "6590"])
def test_abolished_counties_and_headings_of_the_standard_are_no_regions(code):
    assert regions.get(code) is None
    assert regions.children(code) == ()
    assert regions.path(code) == ()
    assert not regions.leaf(code)


def test_districts_of_a_municipality_stand_directly_below_it():
    below = regions.children("31")
    assert below[0].full_name == "上海市黄浦区"
    assert len(below) == 16
    assert [region.code for region in regions.path("310101")] == ["31", "310101"]


@pytest.mark.parametrize(
    ("written", "code"), [("440000", "44"), ("440100", "4401"), ("4419", "441900"), ("810000", "81"), ("4401", "4401")]
)
def test_the_spellings_of_the_standard_mean_the_same_region(written, code):
    region = regions.get(written)
    assert region is not None
    assert region.code == code


@pytest.mark.parametrize("code", ["", "4", "440", "44010", "4401060", "000000", "9999", "４４", "44\n", "abcd", " 44"])
def test_anything_else_is_no_region(code):
    assert regions.get(code) is None
    assert regions.path(code) == ()


@pytest.mark.parametrize(
    ("code", "scope", "expected"),
    [
        ("440106", "4401", True),
        ("440106", "44", True),
        ("440106", "440106", True),
        ("440106", "440100", True),
        ("440106", "4402", False),
        ("4401", "440106", False),
        ("44", "4401", False),
        ("441900", "4419", True),
        ("441900", "44", True),
        ("441900", "4401", False),
        ("429004", "42", True),
        ("429004", "4290", False),
        ("429004", "4201", False),
        ("110101", "11", True),
        ("500157", "50", True),
        ("500157", "5001", False),
        ("440106", "", False),
        ("", "", False),
        ("", "44", False),
        ("440106", "4", False),
        ("440106", "440", False),
        ("449999", "44", False),
    ],
)
def test_a_scope_holds_what_lies_in_it_and_nothing_else(code, scope, expected):
    assert regions.within(code, scope) is expected


def test_within_agrees_with_the_tree_for_every_region():
    for region in regions.every():
        above = {step.code for step in regions.path(region.code)}
        for scope in {region.code[:2], region.code[:4], region.code, "4401", "42"}:
            known = regions.get(scope)
            assert regions.within(region.code, scope) is (known is not None and known.code in above)
