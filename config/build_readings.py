"""Rebuild region_readings.json: how every character in the names of the regions is read, without tones.

    python -m config.build_readings FOLDER

FOLDER holds the package archive named in data-sources.md, as downloaded. Not used at run time: a place typed in
pinyin needs no library then, and nothing is computed when the process starts.
"""

from __future__ import annotations

import json
import sys
import unicodedata
import zipfile
from pathlib import Path

from config.build_regions import HERE, archive
from config.region_names import chinese_names

READINGS = ("pypinyin-0.55.0-py2.py3-none-any.whl", "d53b1e8ad2cdb815fb2cb604ed3123372f5a28c6f447571244aca36fc62a286f")

# Dictionaries know readings that no place has (广 an, 大 tai), and some places have one that dictionaries put last or
# lack (宕昌 Tanchang). Every other character has its most usual reading alone.
IN_PLACES = {
    "乐": "le yue lao",  # 长乐, 乐清, 乐亭
    "什": "shi shen",
    "仔": "zai zi",
    "伽": "jia qie",
    "佛": "fo",
    "六": "liu lu",  # 六盘水, 六安
    "勒": "le lei",
    "单": "shan dan chan",  # 单县
    "卡": "ka qia",
    "厦": "xia sha",  # 厦门
    "句": "ju gou",
    "和": "he huo",
    "圩": "xu wei",
    "坻": "di chi",
    "埔": "pu bu",  # 黄埔, 大埔
    "堡": "bao bu pu",
    "大": "da dai",  # 大城
    "宕": "tan dang",
    "尉": "wei yu",  # 尉氏, 尉犁
    "峒": "tong dong",
    "峙": "shi zhi",
    "扎": "zha za",
    "斡": "wo",
    "曾": "zeng ceng",
    "朝": "chao zhao",
    "枞": "zong cong",
    "柏": "bai bo",
    "柞": "zha zuo",
    "查": "cha zha",
    "栖": "qi xi",
    "棱": "leng ling",  # 绥棱, 穆棱
    "歙": "she xi",
    "泊": "bo po",
    "泌": "bi mi",
    "洞": "dong tong",  # 洪洞
    "浚": "xun jun",
    "涡": "guo wo",
    "渑": "mian sheng",
    "漯": "luo ta",
    "澄": "cheng deng",
    "牟": "mu mou",
    "犍": "qian jian",
    "珲": "hun hui",
    "番": "pan fan",  # 番禺, 吐鲁番
    "百": "bai bo",
    "称": "chen cheng",
    "筠": "jun yun",
    "绿": "lv lu",
    "茄": "qie jia",
    "荥": "xing ying",  # 荥阳, 荥经
    "莎": "sha suo",
    "莘": "shen xin",
    "蔚": "yu wei",
    "藏": "zang",
    "蚌": "beng bang",
    "行": "xing hang",  # 行唐, 闵行
    "覃": "qin tan",
    "调": "diao tiao",
    "都": "du dou",
    "重": "chong zhong",
    "铅": "yan qian",
    "长": "chang zhang",  # 长沙, 长子
    "阿": "a e",  # 阿拉善, 东阿
    "陂": "pi bei po",
}


def main(folder: Path) -> None:
    with zipfile.ZipFile(archive(folder, READINGS)) as wheel:
        listed: dict[str, str] = json.loads(wheel.read("pypinyin/pinyin_dict.json"))
    characters = sorted({character for name in chinese_names() for character in name})
    readings = {
        character: IN_PLACES.get(character) or toneless(listed[str(ord(character))].split(",")[0])
        for character in characters
    }
    lines = ",\n".join(f'"{character}":"{spoken}"' for character, spoken in readings.items())
    (HERE / "region_readings.json").write_text("{" + lines + "}\n", encoding="utf-8")
    print(json.dumps({"characters": len(readings), "with several readings": len(IN_PLACES)}))


def toneless(syllable: str) -> str:
    """zhòng → zhong, lǜ → lv."""
    parts = unicodedata.normalize("NFD", syllable)
    umlaut = parts.replace("u\u0308", "v")
    return "".join(c for c in umlaut if not unicodedata.combining(c))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m config.build_readings FOLDER")
    main(Path(sys.argv[1]))
