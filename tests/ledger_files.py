"""Ledgers of invented people, as files."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

from stdnum.cn import ric

HEADINGS = (
    "姓名",
    "残疾人证号",
    "性别",
    "出生日期",
    "乡镇街道",
    "家庭住址",
    "联系电话",
    "监护人",
    "监护人电话",
    "需求",
)
_NAMES = "甲乙丙丁戊己庚辛壬癸"
BORN = date(2010, 1, 1)


def id_number(number: int, born: date | None = None, region: str = "440106") -> str:
    """An invented ID number: women have even numbers."""
    body = f"{region}{born or born_on(number):%Y%m%d}{number % 1000:03d}"
    return body + ric.calc_check_digit(body + "0")


def born_on(number: int) -> date:
    """When the person of this number was born."""
    return BORN + timedelta(days=number // 1000)


def name(number: int) -> str:
    """测试甲甲 …, three characters by the number's digits and one more for the thousands."""
    return "测" + "".join(_NAMES[int(digit)] for digit in f"{number:05d}"[-5:])


def person(number: int, **cells: str) -> dict[str, str]:
    """One row by headings; `cells` replace what is usual."""
    usual = {
        "姓名": name(number),
        "残疾人证号": id_number(number) + "42",
        "性别": "男" if number % 2 else "女",
        "出生日期": f"{born_on(number):%Y-%m-%d}",
        "乡镇街道": "五山街道",
        "家庭住址": f"某某路{number}号",
        "联系电话": f"138{number:08d}",
        "监护人": "某某",
        "监护人电话": "13900000000",
        "需求": "支教助学、康复治疗",
    }
    return usual | cells


def as_csv(rows: list[dict[str, str]], encoding: str = "utf-8-sig") -> bytes:
    """A file of these rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADINGS, extrasaction="raise")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def people(count: int, first: int = 0) -> list[dict[str, str]]:
    """So many rows."""
    return [person(number) for number in range(first, first + count)]
