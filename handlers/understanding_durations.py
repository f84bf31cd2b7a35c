"""How long something took, as people write it: “两个半小时”, “個半鐘”, “1h30”, “an hour and a half”. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from handlers.understanding_text import CHINESE, ENGLISH, TAKEN, Sentence, compiled, counted


@dataclass(frozen=True, slots=True)
class Took:
    """`minutes` None = it is not said how long (“两三个小时”, “一下午”). `whole` = it is said to be the sum of all
    (“一共”), `each` that it counts more than once (“各”)."""

    at: int
    end: int
    minutes: int | None
    whole: bool = False
    each: bool = False


_NUMBER = rf"\d+(?:\.\d+)?|{CHINESE}点{CHINESE}|{CHINESE}{{1,4}}"
_HOUR = r"(?:小时|钟头|h(?:ou)?rs?(?![a-z])|h(?![a-z]))"
_CHINESE_HOUR = r"(?:\s*[个粒]?\s*(?:小时|钟头)|\s*[个粒]\s*钟)"
_MORE = r"(?:多|几|来)"

_VAGUE = compiled(
    r"(?:不到|不足|将近|快|近|起码|至少|最多|超过|over|under|almost|nearly|at least|more than|less than)\s*"
    rf"(?:{_NUMBER}|半|{ENGLISH})\s*(?:个半|个|粒)?\s*(?:小时|钟头|钟|分钟|{_HOUR}|minutes?|mins?)"
    rf"|(?:好?几|数)\s*(?:十)?\s*[个粒]?\s*(?:小时|钟头|钟|分钟)"
    rf"|(?:{_NUMBER})\s*{_MORE}\s*[个粒]?\s*(?:小时|钟头|钟(?!头)|分钟)"
    rf"|(?:{_NUMBER})\s*[个粒]\s*{_MORE}\s*(?:小时|钟头|钟)"
    rf"|(?:{_NUMBER})\s*[个粒]?\s*(?:小时|钟头|(?<=[个粒])钟)\s*(?:多|不到|有多|出头)"
    rf"|(?:{_NUMBER})\s*(?:-|~|到|至|或|、|或者)\s*(?:{_NUMBER})\s*[个粒]?\s*(?:半)?\s*"
    rf"(?:小时|钟头|(?<=[个粒])钟|分钟|{_HOUR}|minutes?|mins?)"
    rf"|(?:\d+|{ENGLISH})\s*(?:-|to|or)\s*(?:\d+|{ENGLISH})\s*(?:hours?|hrs?|minutes?|mins?)"
    r"|[个粒]把\s*(?:多|来)?\s*(?:小时|钟头|钟)|(?<![\d一二两三四五六七八九十])个(?:多|几|零)\s*(?:小时|钟头|钟)|大半个?(?:小时|钟头|钟)|小半个?(?:小时|钟)"
    r"|(?<![周期拜月十])(?:一|大|老|小|成|整)+个?(?:半天|天|日|上午|下午|早上|晚上|上昼|下昼|朝早|晏昼|夜晚|晚|后晌|晌午)(?!\d)"
    r"|整个(?:上午|下午|早上|晚上)|成(?:日|朝|晚)|(?<!上)(?<!下)半天|半日|一会儿?|一阵子?|好久|好耐|一排|一哈儿?|一歇"
    r"|\ba (?:few|couple(?: of)?) (?:hours?|minutes)|\bsome (?:hours|time)|\b(?:few|several) (?:hours|minutes)"
    r"|\ball (?:day|morning|afternoon|evening|night)|\b(?:the )?whole (?:day|morning|afternoon|evening)"
    r"|\ba (?:long )?while|\bhalf (?:a|the) day|\bfor hours"
)
_FORMS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (compiled(pattern), unit)
    for pattern, unit in (
        (rf"(?P<n>{_NUMBER})?\s*[个粒]半\s*(?:小时|钟头|钟)", "half_more"),
        (rf"(?P<n>{_NUMBER}){_CHINESE_HOUR}\s*半", "half_more"),
        (rf"(?P<n>\d+|{ENGLISH})\s*(?:and a half|1/2)\s*(?:hours?|hrs?)", "half_more"),
        (rf"(?P<n>\d+|{ENGLISH})\s*(?:hours?|hrs?)\s*and a half", "half_more"),
        (
            rf"(?P<n>{_NUMBER})(?:{_CHINESE_HOUR}|\s*{_HOUR})\s*(?:零|又|加|and)?\s*(?P<m>\d{{1,2}}|{CHINESE}{{1,3}})\s*"
            r"(?:分钟|分|mins?(?:utes?)?(?![a-z])|m(?![a-z]))",
            "hours_minutes",
        ),
        (rf"(?P<n>{_NUMBER}){_CHINESE_HOUR}\s*(?:零|又)?\s*(?P<q>[一三])刻钟?", "quarters_more"),
        (
            rf"(?P<n>\d+|{ENGLISH})\s*(?:hours?|hrs?)\s*(?:and)?\s*(?P<m>\d{{1,2}}|{ENGLISH})\s*min(?:ute)?s?",
            "hours_minutes",
        ),
        (r"(?P<n>\d{1,2})h(?P<m>\d{2})(?!\d)", "hours_minutes"),
        (r"半\s*[个粒]?\s*(?:小时|钟头|钟)|\bhalf (?:an )?hour|(?<![\d.])0?\.5\s*h(?:ou)?r?s?", "half"),
        (r"(?P<q>three[ -]quarters|quarter) of an hour|\b(?:a )?(?P<r>quarter) hour", "english_quarter"),
        (rf"(?P<n>{_NUMBER})(?:{_CHINESE_HOUR}|\s*{_HOUR})", "hours"),
        (rf"(?<![a-z])(?P<n>{ENGLISH})\s+(?:full |whole )?(?:hours?|hrs?)", "hours"),
        (r"(?<=[了咗足成整])(?P<n>)个钟头?(?!半)", "hours"),
        (rf"(?P<n>{_NUMBER})\s*(?:分钟|min(?:ute)?s?(?![a-z]))", "minutes"),
        (rf"(?<![a-z])(?P<n>(?:{ENGLISH})(?:[ -](?:{ENGLISH}))?)\s*-?min(?:ute)?s?(?![a-z])", "minutes"),
        (rf"(?P<n>{_NUMBER})刻钟", "quarters"),
    )
)
_TRAVEL = compiled(
    rf"(?:路上|来回|往返|坐车|车程|开车|堵车|通勤|搭车|地铁|travel(?:l?ing)?"
    rf"|commut\w+|on the bus|by bus)[^,，。;；{TAKEN}]{{0,6}}$"
)
_TRAVEL_BEHIND = compiled(r"^的?(?:车程|路程|路$|路[,，。 ]|车(?!站)|drive|bus ride|of travel)")
_WHOLE = compiled(r"(?:一共|总共|共计|合计|总计|加起来|共|前后|in total|total(?: of)?|altogether)[^,，。]{0,4}$")
_WHOLE_BEHIND = compiled(r"^\s*(?:in total|altogether|总共|total)")
_EACH = compiled(r"(?:各|每人|每个人|分别|each|每次|每家|每天|每日)[^,，。0-9一二两三半]{0,6}$")
_EACH_BEHIND = compiled(r"^\s*(?:each|per person|every day|a day)")


def durations(said: Sentence) -> list[Took]:
    """All lengths of time in the sentence, in order; time spent on the way is taken out and not told."""
    found: list[Took] = []
    for match in said.take(_VAGUE):
        _add(found, said, match, None)
    for pattern, unit in _FORMS:
        for match in said.take(pattern):
            _add(found, said, match, _minutes(match, unit))
    return sorted(found, key=lambda took: took.at)


def _add(found: list[Took], said: Sentence, match: re.Match[str], minutes: int | None) -> None:
    before, behind = said.plain[: match.start()], said.plain[match.end() :]
    if _TRAVEL.search(before) or _TRAVEL_BEHIND.match(behind):
        return
    whole = bool(_WHOLE.search(before) or _WHOLE_BEHIND.match(behind))
    each = bool(_EACH.search(before) or _EACH_BEHIND.match(behind))
    found.append(Took(match.start(), match.end(), minutes, whole, each))


def _minutes(match: re.Match[str], unit: str) -> int | None:
    """None where the number is no sure one."""
    if unit == "half":
        return 30
    if unit == "english_quarter":
        return 45 if (match["q"] or "").startswith("three") else 15
    hours = counted(match["n"]) if match["n"] else 1.0
    if hours is None:
        return None
    if unit == "half_more":
        return round(hours * 60) + 30
    if unit == "hours_minutes":
        more = counted(match["m"])
        return None if more is None else round(hours * 60 + more)
    if unit == "quarters_more":
        return round(hours * 60) + (15 if match["q"] == "一" else 45)
    return round(hours * {"hours": 60, "minutes": 1, "quarters": 15}[unit])
