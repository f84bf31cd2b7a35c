"""One cell of a ledger → who somebody is: ID or certificate number, name, telephone; or Bad with the reason."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat
from stdnum.cn import ric

from config import regions
from models.ledger_columns import Cell
from models.ledger_values import LONGEST, SPLIT, Bad, plain

OLDEST = 120  # years
LONGEST_NAME = 50  # characters

_SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?E\+?[0-9]+")
_IDENTITY = re.compile(r"([0-9]{17}[0-9X])(?:([1-7])([1-4])(B[0-9]{1,2})?)?")
_FILLERS = re.compile(r"[\s\-‐‑‒–—―−'‘’`´]")
_SIGNS_OF_X = str.maketrans("×ХΧ✕╳", "XXXXX")  # a sign of multiplication, Cyrillic and Greek letters are typed for it
_OTHER_PLACES = ("83",)  # residents from Taiwan have it in a card issued here

_LETTERS = ("L", "M", "Co")  # rare characters of names stand in the private area of old encodings
_IN_NAMES = frozenset(" ·.'’-()（）、〇")
_DOTS = str.maketrans(dict.fromkeys("•‧・∙⋅･", "·"))
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff〇·"
_BETWEEN_HAN = re.compile(f"(?<=[{_HAN}]) +(?=[{_HAN}])")


@dataclass(frozen=True, slots=True)
class Identity:
    """An ID number (18 characters) with the birth date in it, and what only the number of a certificate says."""

    id_number: str
    born: date
    certificate: str | None
    kind: int | None
    grade: int | None

    @property
    def sex(self) -> Literal["male", "female"]:
        """The sex in the number."""
        return "male" if int(self.id_number[16]) % 2 else "female"


def identity(cell: Cell, today: date) -> Identity | None:
    """An ID number or the number of a certificate, checked by `cn.ric`. Raises Bad.

    "destroyed" (it was typed as a number: the last digits are gone), "old_id" (15 digits), "masked", "id_length"
    (length), "id_characters", "id_checksum", "id_birth_date", "id_place", "certificate_tail".
    """
    if isinstance(cell, (int, float)) and abs(cell) >= 1e15:
        raise Bad("destroyed")
    line = plain(cell)
    if line is None:
        return None
    number = _FILLERS.sub("", unicodedata.normalize("NFKC", line)).upper().translate(_SIGNS_OF_X)
    if _SCIENTIFIC.fullmatch(number):
        raise Bad("destroyed")
    if "*" in number:
        raise Bad("masked")
    if re.fullmatch(r"[0-9]{15}", number):
        raise Bad("old_id")
    valid = len(number) >= 18 and re.fullmatch(r"[0-9]{17}[0-9X]", number[:18]) and _checked(number[:18])
    # Of eighteen digits one in eleven fits its check digit by chance.
    if re.fullmatch(r"[0-9]{15}000" if valid else r"[0-9]{13,19}000", number):
        raise Bad("destroyed")
    if len(number) not in (18, 20, 22, 23):
        raise Bad("id_length", length=str(len(number)))
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number[:18]):
        raise Bad("id_characters")
    if not valid:
        raise Bad("id_checksum")
    parts = _IDENTITY.fullmatch(number)
    if not parts:
        raise Bad("certificate_tail")
    born = _birth_date(parts[1], today)
    if parts[2] is None:
        return Identity(parts[1], born, None, None, None)
    return Identity(parts[1], born, number, int(parts[2]), int(parts[3]))


def _checked(number: str) -> bool:
    return bool(ric.calc_check_digit(number) == number[-1])


@cache
def _provinces() -> frozenset[str]:
    return frozenset(region.code for region in regions.children()) | set(_OTHER_PLACES)


def _birth_date(number: str, today: date) -> date:
    """The birth date in an ID number. Raises Bad("id_place") or ("id_birth_date")."""
    # ric.validate also wants the county to have existed in the year of birth; but people got their numbers later,
    # and somebody born in 1990 may well have one of a district that was founded in 1997.
    if number[:2] not in _provinces():
        raise Bad("id_place")
    try:
        born: date = ric.get_birth_date(number)
    except Exception:  # noqa: BLE001 its class is one of another library's and says no more
        raise Bad("id_birth_date") from None
    if born > today or today.year - born.year > OLDEST:
        raise Bad("id_birth_date")
    return born


def name(cell: Cell) -> str | None:
    """A person's name, 1 to 50 characters, blanks between Chinese characters taken out. Raises Bad."""
    line = plain(cell, LONGEST)
    if line is None:
        return None
    line = _BETWEEN_HAN.sub("", line.translate(_DOTS))
    if len(line) > LONGEST_NAME:
        raise Bad("too_long", most=str(LONGEST_NAME), length=str(len(line)))
    if "*" in line or "＊" in line:
        raise Bad("masked")
    # Han of the planes behind may be younger than this Python's tables.
    categories = ["Lo" if "\U00020000" <= sign < "\U00040000" else unicodedata.category(sign) for sign in line]
    if not all(sign in _IN_NAMES or kind.startswith(_LETTERS) for sign, kind in zip(line, categories, strict=True)):
        raise Bad("name")
    if not any(kind.startswith(("L", "Co")) for kind in categories):
        raise Bad("name")
    return line


@cache
def _mobile() -> re.Pattern[str]:
    metadata: Any = PhoneMetadata.metadata_for_region("CN", None)
    return re.compile(f"(?:00|\\+)?(?:86)?({metadata.mobile.national_number_pattern})")


def phone(cell: Cell) -> tuple[str, bool] | None:
    """A mobile or landline number in E.164, and whether there were several in the cell. Raises Bad."""
    line = plain(cell)
    if line is None:
        return None
    folded_line = unicodedata.normalize("NFKC", line).strip("'‘’`")
    if _SCIENTIFIC.fullmatch(folded_line.upper()):
        raise Bad("destroyed")
    numbers = [_one_phone(folded_line)]
    if numbers[0] is None:
        # “13800138000 张三” has one number, “13800138000／020-87654321” two.
        numbers = [found for part in SPLIT.split(folded_line) if (found := _one_phone(part))]
    if not numbers:
        raise Bad("masked" if "*" in folded_line else "phone")
    assert numbers[0] is not None
    return numbers[0], len(set(numbers)) > 1


def _one_phone(written: str) -> str | None:
    # The whole library takes 100 µs a number; nearly all are mobiles, which its own pattern decides.
    quick = _mobile().fullmatch(re.sub(r"[\s\-]", "", written))
    if quick:
        return f"+86{quick[1]}"
    if len(written) > 40 or not re.search(r"[0-9]{5}", re.sub(r"[\s\-()]", "", written)):
        return None
    try:
        parsed = phonenumbers.parse(written, "CN")
    except NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed) or re.search(r"[^\W\d_]", written):
        return None
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
