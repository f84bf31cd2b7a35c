"""The invented people of the sandbox's county: plainly nobody, in places that are real.

Region codes and the lie of the counties are real, towns are not. Names begin with 样 (sample) or 测 (test), no surnames
of anybody, and go on in the ten stems, which count. Volunteers' mobile numbers begin with 154, which no operator was
given; families all have 13800138000, an operator's own number that stands in forms as an example.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from stdnum.cn import ric

STEMS = "甲乙丙丁戊己庚辛壬癸"
CITY = "4408"
# A point from which every side of the county is at least 6 km away; degrees, WGS-84.
COUNTIES = {"440823": (21.377, 110.250), "440825": (20.400, 110.200), "440882": (20.900, 110.050)}
_TOWNS = (("样东镇", 0.0, 0.04), ("样西镇", 0.0, -0.04), ("样南镇", -0.04, 0.0), ("样北街道", 0.03, 0.0))
_AROUND = 0.012  # degrees from the middle of a town to its last house
SPECIALISTS = 2  # of a county
_FAMILY_PHONE = "13800138000"
_NEEDS = ("支教助学", "文体活动", "康复治疗", "日常照料", "社会融入", "心理辅导", "技能培训", "就业支持")
_SERVICES = ("study", "culture", "rehabilitation", "care", "inclusion", "counselling", "training", "employment")
_SKILLS = ("education", "psychology", "nursing", "arts", "sports", "computers", "special_education", "crafts")
_FREE = ("weekday_evening", "weekend_day", "weekend_evening", "holidays")
_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Size:
    """How much is made."""

    counties: int = 3
    teams: int = 12
    volunteers: int = 200
    served: int = 400

    @property
    def staff(self) -> int:
        """One organiser, and the specialists of each county: the first of the volunteers."""
        return 1 + SPECIALISTS * self.counties


@dataclass(frozen=True, slots=True)
class Invented:
    """A volunteer as one registers and fills in the profile."""

    name: str
    phone: str
    born: date
    county: str
    town: str
    latitude: float
    longitude: float
    sex: str
    occupation: str
    languages: tuple[str, ...]
    skills: tuple[str, ...]
    services: tuple[str, ...]
    free_times: tuple[str, ...]
    travel_km: int


def placeholder(mark: str, number: int, digits: int) -> str:
    """A name that counts: 样甲乙丙 is the volunteer of number 12."""
    return mark + "".join(STEMS[int(digit)] for digit in f"{number:0{digits}d}")


def counties(size: Size) -> tuple[str, ...]:
    """The codes of as many counties."""
    return tuple(COUNTIES)[: size.counties]


def _place(chance: Random, county: str) -> tuple[str, float, float]:
    town, north, east = chance.choice(_TOWNS)
    latitude, longitude = COUNTIES[county]
    return (
        town,
        latitude + north + chance.uniform(-_AROUND, _AROUND),
        longitude + east + chance.uniform(-_AROUND, _AROUND),
    )


def _some(chance: Random, among: Sequence[str], most: int) -> tuple[str, ...]:
    return tuple(sorted(chance.sample(among, chance.randint(1, most)), key=among.index))


def _born(chance: Random, today: date, youngest: float, oldest: float) -> date:
    return today - timedelta(days=int(chance.uniform(youngest, oldest) * _YEAR))


def volunteers(chance: Random, size: Size, today: date) -> list[Invented]:
    """All of them, county by county in turn; a few are too young to serve alone."""
    found = []
    codes = counties(size)
    for number in range(size.volunteers):
        county = codes[number % len(codes)]
        town, latitude, longitude = _place(chance, county)
        # Whoever has a part comes first, and is grown up; whoever gives one has a profession.
        minor = number >= size.staff + size.teams and chance.random() < 0.04
        student = not minor and number >= size.staff and chance.random() < 0.45
        youngest, oldest = (15, 17.5) if minor else (19.5, 23) if student else (26, 60)
        languages = ["mandarin", *(["cantonese"] if chance.random() < 0.6 else []), *(["sign"] * (number % 9 == 0))]
        skills = _some(chance, _SKILLS, 3) + (("sign_language",) if number % 9 == 0 else ())
        found.append(
            Invented(
                name=placeholder("样", number, 3),
                phone=f"+86154{number:08d}",
                born=_born(chance, today, youngest, oldest),
                county=county,
                town=town,
                latitude=round(latitude, 2),
                longitude=round(longitude, 2),
                sex="female" if chance.random() < 0.6 else "male",
                occupation="pupil" if minor else "student" if student else "employee",
                languages=tuple(languages),
                skills=skills,
                services=_some(chance, _SERVICES, 4),
                free_times=_some(chance, _FREE, 3),
                travel_km=chance.choice((3, 5, 10)),
            )
        )
    return found


def served(chance: Random, size: Size, today: date) -> dict[str, list[dict[str, str]]]:
    """The ledger of each county as rows of a file; the names of two people are never the same."""
    codes = counties(size)
    found: dict[str, list[dict[str, str]]] = {code: [] for code in codes}
    for number in range(size.served):
        county = codes[number % len(codes)]
        found[county].append(_row(chance, number, county, today))
    return found


def _row(chance: Random, number: int, county: str, today: date) -> dict[str, str]:
    severe = chance.random() < 0.12  # people in hardship of any age [24]
    born = _born(chance, today, 36, 75) if severe else _born(chance, today, 6.5, 35)
    woman = chance.random() < 0.48
    serial = (number * 2 + (0 if woman else 1)) % 1000
    body = f"{county}{born:%Y%m%d}{serial:03d}"
    kind, grade = chance.randint(1, 7), chance.randint(1, 2) if severe else chance.randint(2, 4)
    town, latitude, longitude = _place(chance, county)
    minor = (today - born).days < 18 * _YEAR
    signs = kind == 2 and chance.random() < 0.5
    return {
        "姓名": placeholder("测", number, 4),
        "残疾人证号": f"{body}{ric.calc_check_digit(body + '0')}{kind}{grade}",
        "性别": "女" if woman else "男",
        "出生日期": born.isoformat(),
        "城乡": "城镇" if town.endswith("街道") else "农村",
        "乡镇街道": town,
        "家庭住址": f"样例路{number + 1}号",
        "经度": f"{longitude:.4f}",
        "纬度": f"{latitude:.4f}",
        "联系电话": _FAMILY_PHONE,
        "监护人": placeholder("测", number, 4) + "家长" if minor else "",
        "监护人电话": _FAMILY_PHONE if minor else "",
        "需求": "、".join(_some(chance, _NEEDS, 3)),
        "沟通方式": "手语" if signs else "普通话",
        "志愿者性别": ("女" if woman else "男") if chance.random() < 0.1 else "",
        "状态": "在册",
    }


def as_file(rows: Sequence[dict[str, str]]) -> bytes:
    """A county's ledger as it would come from 残联."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")
