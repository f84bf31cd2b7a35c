"""Checks that several talks share: typed words in, a value out, or Invalid with what to write instead.

Words arrive with full-width forms folded (handlers/turn.py); answers from one-time pages pass through the same door.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from datetime import date
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType
from stdnum import luhn

from config.catalogue import rules
from config.texts import _, simplified
from handlers.dialogue import Invalid
from handlers.numerals import number as numeral
from models.volunteer import OLDEST, age_on

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff〇"
_CHINESE_NAME = re.compile(f"[{_HAN}]+(?:·[{_HAN}]+)*")
_LATIN_NAME = re.compile(r"[^\W\d_]+(?:(?:['’.\-]|\. | )[^\W\d_]+)*\.?")
_DOTS = str.maketrans(dict.fromkeys("•‧・∙⋅･.", "·"))
# Said instead of a name. Whole words that are real surnames or given names (想, 么, 那 …) are not in here.
_NO_NAME = re.compile(
    "我|你|您|吗|呢|啊|咋|怎|什么|请问|谢谢|報名|报名|注册|註冊|志愿|志願|义工|義工|姓名|名字|不知道|不告诉"
    "|手机|电话|取消|返回|菜单|帮助|语言|語言|隐私|授权|绑定|暂停|免打扰|称呼|活动|探访|时长|签到|签退|求助|专员|资料"
    "|数据|删除|注销|早上好|下午好|晚上好|哈喽"
)
_NO_NAMES = frozenset(
    (
        *(
            "好的",
            "可以",
            "是的",
            "不是",
            "收到",
            "没有",
            "测试",
            "同意",
            "不同意",
            "确认",
            "提交",
            "继续",
            "下一步",
            "跳过",
        ),
        *("开始", "在吗", "哈哈", "hello", "hi", "hey", "yes", "no", "ok", "okay", "test", "start", "register"),
        *("continue", "submit", "agree", "skip", "none"),
    )
)

LONGEST = 60  # characters that a number or a day may be written with
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−－", "-"))
_NUMBER = re.compile(r"[+\d(][\d\s().\-]*\d")
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)

_DAY = re.compile(
    r"(?<!\d)(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?!\d)|(?<!\d)(\d{4}) (\d{1,2}) (\d{1,2})(?!\d)"
)
_EIGHT = re.compile(r"(?<!\d)(\d{4})(\d{2})(\d{2})(?!\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DAY_FIRST = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)?[\s\-]*{_MONTH}(?![a-z])[.,]?[\s\-]*(\d{{4}})\b", re.IGNORECASE
)
_MONTH_FIRST = re.compile(rf"\b{_MONTH}(?![a-z])\.?\s*(\d{{1,2}})(?:st|nd|rd|th)?\b[,\s]+(\d{{4}})\b", re.IGNORECASE)
_YEAR_LAST = re.compile(r"(?<!\d)(\d{1,2})\s*[-/. ]\s*(\d{1,2})\s*[-/. ]\s*(\d{4})(?!\d)")
_SPELLED = re.compile(
    r"([〇零一二三四五六七八九]{4})年([一二三四五六七八九十]{1,2})月([一二三四五六七八九十]{1,3})[日号號]"
)
_AREA = re.compile(r"^\(\+?(852|853|886|86)\)\s*")


def person_name(words: str) -> str:
    """A person's full name: 2 to 20 Chinese characters, with · where the name has one, or a name in Latin letters."""
    name = " ".join(words.split())
    dotted = name.replace(" ", "").translate(_DOTS)
    hint = _("请只写姓名，例如“王小明”“阿依古丽·买买提”或“Chan Tai Man”。")
    plain = simplified(dotted)
    said = re.search(r"\b(i am|i'm|my name)\b", name, re.IGNORECASE)
    if said or _NO_NAME.search(plain) or simplified(name).casefold() in _NO_NAMES:
        raise Invalid(hint)
    if _CHINESE_NAME.fullmatch(dotted):
        if len(dotted.replace("·", "")) == 1:
            raise Invalid(_("请写全名，至少两个字。") + hint)
        if len(dotted) > 20:
            raise Invalid(_("姓名最多 20 个字。") + hint)
        return dotted
    letters = sum(c.isalpha() for c in name)
    if _LATIN_NAME.fullmatch(name) and _latin(name) and letters >= 2 and len(name) <= 60 and len(name.split()) <= 6:
        return name
    raise Invalid(hint)


def _latin(name: str) -> bool:
    return all(not c.isalpha() or c < "\u0250" or "\u1e00" <= c <= "\u1eff" for c in name)


@lru_cache(maxsize=256)  # a talk is replayed at each of its turns; what is refused is not kept
def mobile_number(words: str) -> str:
    """A mobile number as E.164; the mainland's without a country code, every other with + or 00 in front."""
    plain = words.translate(_DASHES)
    found = _NUMBER.findall(plain[:LONGEST])
    hint = _("请写 11 位手机号，例如 13800138000；港澳和海外号码请带区号，例如 +85291234567。")
    # Words around a good number are fine (“tel 138…”); where none is found, letters are the likeliest reason (O for 0).
    letters = _("请只写数字，不要写字母。") + hint if re.search("[A-Za-z]", plain[:LONGEST]) else ""
    if len(found) != 1 or len(plain) > LONGEST:
        raise Invalid(letters or hint if len(found) < 2 else _("请只写一个手机号。") + hint)
    number = re.sub(r"^00(?!0)", "+", _AREA.sub(r"+\1 ", found[0].strip()).lstrip("("))
    try:
        parsed = phonenumbers.parse(number, "CN")
    except NumberParseException:
        raise Invalid(_("这个号码好像不对。") + hint) from None
    if not phonenumbers.is_valid_number(parsed):
        if letters:
            raise Invalid(letters)
        if len(re.sub(r"\D", "", number)) == 11 and not re.match(r"\+|1[3-9]", number):
            raise Invalid(_("手机号应以 1 开头、第二位是 3–9，请核对。") + hint)
        raise Invalid(_("这个号码好像多了或少了几位。") + hint)
    kind = phonenumbers.number_type(parsed)
    if kind == PhoneNumberType.FIXED_LINE:
        raise Invalid(_("这是座机号，需要能收短信的手机号。") + hint)
    if kind not in _MOBILE:
        raise Invalid(_("这不是手机号。") + hint)
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)


def written_number(e164: str, *, masked: bool = False) -> str:
    """A number as people write it: 13800138000, or +852 9123 4567; masked = 138****8000."""
    parsed = phonenumbers.parse(e164)
    national = str(parsed.national_number)
    if masked:
        keep = 4 if len(national) >= 10 else 2
        head = len(national) - 4 - keep
        national = national[:head] + "*" * (len(national) - head - keep) + national[-keep:]
    return national if parsed.country_code == 86 else f"+{parsed.country_code} {national}"


def number_digest(e164: str, salt: str = "") -> str:
    """A number as a talk's facts may hold it: enough to see that another is the same."""
    salt = salt or secrets.token_hex(8)
    return f"{salt}:{hashlib.sha256(f'{salt}{e164}'.encode()).hexdigest()}"


def other_number(digest: str, hint: str) -> Callable[[str], str]:
    """A check for a mobile number other than the one behind `digest` (empty = any); `hint` says what is wrong."""

    def check(words: str) -> str:
        number = mobile_number(words)
        if digest and number_digest(number, digest.partition(":")[0]) == digest:
            raise Invalid(hint)
        return number

    return check


def birth_date(today: str) -> Callable[[str], date]:
    """A check for one's own birth date, as seen from `today` (ISO): old enough, and not too long ago."""
    day = date.fromisoformat(today)

    def check(words: str) -> date:
        born = calendar_day(words)
        if born > day:
            raise Invalid(_("这一天还没有到，请检查年份，例如 2005-08-13。"))
        if age_on(born, day) > OLDEST:
            raise Invalid(_("这个年份太早了，请检查一下，例如 2005-08-13。"))
        least = rules().registration.minimum_age
        if age_on(born, day) < least:
            raise Invalid(
                _("谢谢你想来帮忙！满 {age} 岁才能注册，现在可以先和家长一起参加活动。如果写错了，请重新写。").format(
                    age=least
                )
            )
        return born

    return check


def calendar_day(words: str) -> date:
    """A day written with the year first (2005-08-13, 2005年8月13日, 2005/8/13, 20050813) or with the month's English
    name (13 Aug 2005, August 13th, 2005), in Chinese numerals too; with the year last (13/8/2005) where one figure can
    only be the day. What could be read in two ways is refused.
    """
    plain = _SPELLED.sub(_in_figures, words.translate(_DASHES)[:LONGEST])
    hint = _("请按“年-月-日”写公历生日，例如 2005-08-13 或 2005年8月13日。")
    if re.search("农历|農曆|阴历|陰曆", plain):
        raise Invalid(_("这里要公历生日。") + hint)
    found = _DAY.findall(plain) or [(*parts, "", "", "") for parts in _EIGHT.findall(plain)] or _in_english(plain)
    found = found or _year_last(plain)
    if len(found) != 1:
        if _YEAR_LAST.search(plain):
            raise Invalid(_("这样写分不清月和日。") + hint)
        raise Invalid(hint)
    year, month, day = (int(part) for part in found[0] if part)
    try:
        return date(year, month, day)
    except ValueError:
        raise Invalid(_("日历上没有这一天，请检查一下。") + hint) from None


def _in_figures(spelled: re.Match[str]) -> str:
    return "-".join(str(numeral(part)) for part in spelled.groups())


def _year_last(plain: str) -> list[tuple[str, ...]]:
    """Days with the year last whose day is over 12, each as year, month, day."""
    return [
        (year, second, first) if int(first) > 12 else (year, first, second)
        for first, second, year in _YEAR_LAST.findall(plain)
        if (int(first) > 12) != (int(second) > 12)
    ]


def _in_english(plain: str) -> list[tuple[str, ...]]:
    """Days with the month's name, each as year, month, day in figures."""
    days = [(year, month, day) for day, month, year in _DAY_FIRST.findall(plain)]
    days += [(year, month, day) for month, day, year in _MONTH_FIRST.findall(plain)]
    return [(year, str(_MONTHS.index(month[:3].lower()) + 1), day) for year, month, day in days]


def short_words(limit: int, hint: str) -> Callable[[str], str]:
    """A check for one line of free words, 2 to `limit` characters."""

    def check(words: str) -> str:
        line = " ".join(words.split())
        if not 2 <= len(line) <= limit or not any(c.isalpha() for c in line):
            raise Invalid(hint)
        return line

    return check


def official_number(words: str) -> str:
    """A number on i志愿 or 广东志愿者: 6 to 20 letters and digits."""
    number = re.sub(r"[\s\-]", "", words).upper()
    if not re.fullmatch(r"[0-9A-Z]{6,20}", number) or not any(c.isdigit() for c in number):
        raise Invalid(_("志愿者编号是 6 到 20 位数字或字母，例如 440106123456789。"))
    return number


def form_of_address(words: str) -> str:
    """A form of address: 2 to 10 characters, letters mostly, and nothing that abuses or misleads. Raises Invalid."""
    line = " ".join(words.split())
    hint = _("请写 2 到 10 个字的称呼，例如：陈姐、林哥。")
    if not 2 <= len(line) <= 10:
        raise Invalid(hint)
    if not all(c.isalpha() or c.isdigit() or c in " ·.'’-" for c in line) or sum(c.isalpha() for c in line) < 2:
        raise Invalid(_("称呼里请用文字，不用符号和表情，数字不能代替文字。") + hint)
    plain = line.casefold().replace(" ", "")
    if any(word in plain for word in rules().safety.refused_address_words):
        raise Invalid(_("这个称呼可能让人不舒服或者误会，换一个吧。") + hint)
    return line


def volunteer_number(words: str) -> str:
    """A volunteer's number: ten digits, the last one of which checks the others."""
    number = re.sub(r"[\s\-]", "", words)
    if not is_volunteer_number(number):
        raise Invalid(_("这个编号不对，志愿者编号是 10 位数字，请核对后再写。"))
    return number


def is_volunteer_number(number: str) -> bool:
    """Whether these could be the ten digits of one."""
    return re.fullmatch(r"[0-9]{10}", number) is not None and luhn.is_valid(number)


def team_number(words: str) -> str:
    """A team's number as it is written. Raises Invalid."""
    plain = "".join(words.split()).upper()
    if not (plain.isascii() and plain.replace("-", "").isalnum() and len(plain) <= 20 and any(map(str.isdigit, plain))):
        raise Invalid(_("请写团队编号，由数字或字母组成，没有空格和标点。"))
    return plain


def between(least: int, most: int) -> Callable[[str], int]:
    """A check for a count, which may be written with 次 or 个月."""

    def check(words: str) -> int:
        plain = words.strip().removesuffix("次").removesuffix("个月")
        if not plain.isdecimal() or not least <= int(plain) <= most:
            raise Invalid(_("请写 {least} 到 {most} 之间的数字。").format(least=least, most=most))
        return int(plain)

    return check
