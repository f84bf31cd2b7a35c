"""What a region is called in the language spoken: Chinese in both scripts, and English that reads and types."""

from __future__ import annotations

import re

import pytest

from config import regions
from config.region_names import english_names
from config.texts import speaking


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("440106", "Tianhe, Guangzhou, Guangdong (广东省广州市天河区)"),
        ("110101", "Dongcheng, Beijing (北京市东城区)"),
        ("130133", "Zhao County, Shijiazhuang, Hebei (河北省石家庄市赵县)"),
        ("130821", "Chengde County, Chengde, Hebei (河北省承德市承德县)"),
        ("654021", "Yining County, Ili, Xinjiang (新疆维吾尔自治区伊犁哈萨克自治州伊宁县)"),
        ("610113", "Yanta, Xi'an, Shaanxi (陕西省西安市雁塔区)"),
        ("500241", "Xiushan, Chongqing (重庆市秀山土家族苗族自治县)"),
        ("310115", "Pudong, Shanghai (上海市浦东新区)"),
        ("150102", "Xincheng, Hohhot, Inner Mongolia (内蒙古自治区呼和浩特市新城区)"),
        ("1411", "Lüliang, Shanxi (山西省吕梁市)"),
        ("810016", "Sha Tin, Hong Kong (香港特别行政区沙田区)"),
        ("820004", "Sé Parish, Macao (澳门特别行政区大堂区)"),
        ("44", "Guangdong (广东省)"),
        ("999999", "999999"),
    ],
)
def test_an_english_reader_sees_latin_letters_with_the_chinese_behind_them(code: str, said: str) -> None:
    with speaking("en"):
        assert regions.place_name(code) == said
        assert regions.place_words(code) == said.partition(" (")[0]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("140428", "Zhangzi"),
        ("330382", "Yueqing"),
        ("3415", "Lu'an"),
        ("310112", "Minhang"),
        ("3502", "Xiamen"),
        ("440112", "Huangpu"),
        ("440113", "Panyu"),
        ("350112", "Changle"),
        ("652823", "Yuli"),
        ("140109", "Wanbailin"),
    ],
)
def test_a_character_with_several_readings_is_read_as_it_is_there(code: str, said: str) -> None:
    region = regions.get(code)
    assert region is not None
    with speaking("en"):
        assert regions.own_name(region) == said


def test_names_of_one_list_differ_and_hold_no_characters() -> None:
    with speaking("en"):
        for parent in ["", *(region.code for region in regions.every())]:
            labels = [regions.own_name(region) for region in regions.children(parent)]
            assert len(set(labels)) == len(labels), parent
            assert not [label for label in labels if re.search("[\u4e00-\u9fff]", label)]


def test_every_english_name_that_is_shown_can_be_typed() -> None:
    with speaking("en"):
        lost = [region.full_name for region in regions.every() if region not in said_and_found(region)]
    assert lost == []


def said_and_found(region: regions.Region) -> tuple[regions.Region, ...]:
    return regions.search(regions.place_words(region.code))


def test_every_name_of_the_english_table_is_one_of_a_region() -> None:
    assert not english_names().keys() - {region.full_name for region in regions.every()}


def test_chinese_readers_see_their_own_script_whoever_was_spoken_to_before() -> None:
    for _time in range(2):
        with speaking("en"):
            assert regions.place_name("440113").startswith("Panyu")
        with speaking("zh_HK"):
            assert regions.place_name("440113") == "廣東省廣州市番禺區"
        assert regions.place_name("440113") == regions.place_words("440113") == "广东省广州市番禺区"


def test_a_province_in_a_list_goes_by_its_short_name() -> None:
    guangxi = regions.get("45")
    assert guangxi is not None
    said = {}
    for language in ("zh_CN", "zh_HK", "en"):
        with speaking(language):
            said[language] = regions.own_name(guangxi)
    assert said == {"zh_CN": "广西", "zh_HK": "廣西", "en": "Guangxi"}
