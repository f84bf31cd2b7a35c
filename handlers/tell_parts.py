"""The parts of a told service: what a sentence says of them, and how answers to single questions are read. Pure.

Times are minutes after midnight of the day of service in the volunteer's zone; an end over 24 h is of the next day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from config.services import entries, labels
from config.texts import _
from handlers.days import past_day, with_weekday
from handlers.dialogue import Invalid
from handlers.understanding_contents import SERVICE, contents, main
from handlers.understanding_dates import days
from handlers.understanding_durations import durations
from handlers.understanding_hours import LONGEST, LONGEST_TEXT, Asked, Heard, Known, understand
from handlers.understanding_text import Sentence
from handlers.understanding_times import PARTS, Span, spans
from models.hours_rules import rounded

DAY = 24 * 60
SHORT = 6  # characters that may be a day alone


class Served(BaseModel):
    """One pairing of whoever tells. `form` = how they call them; where there is none `surname` and `sex`; `mark` = what
    stands for them on a platform that must not carry either. An institution has its name as `form`."""

    stint: str
    form: str = ""
    surname: str = ""
    sex: str = ""
    mark: str = ""


class Event(BaseModel):
    """An activity that they may have taken part in; times with a zone."""

    id: str
    name: str
    starts: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Parts:
    """What is known of a service so far. `content` is a key of services.toml ("" = not said), `whom` a stint's id, an
    activity's after "a:", or OTHER; None = not known. `part` = the part of the day that was said (下午)."""

    day: date | None = None
    start: int | None = None
    end: int | None = None
    minutes: int | None = None
    content: str = ""
    who: tuple[str, ...] = ()
    whom: str | None = None
    part: str = ""


def parts_of(words: str, now: datetime, known: tuple[str, ...]) -> Parts:
    """What a sentence says."""
    found = understand(words, now, Known(known))
    named = PARTS.findall(Sentence(words).plain)
    return Parts(
        day=found.day,
        start=found.start,
        end=found.end,
        minutes=found.minutes,
        content=SERVICE[found.content],
        who=found.who,
        part=named[0] if len(set(named)) == 1 else "",
    )


def tells(now: datetime, known: tuple[str, ...], *, one: bool = False) -> Callable[[str], str]:
    """A check for words that tell of a service; `one` = of a single one. What is ahead is refused here."""

    def check(words: str) -> str:
        example = _("例如“昨天下午两点到四点陪小明做康复”。")
        if len(words) > LONGEST_TEXT:
            raise Invalid(_("写得有点长，请缩短到 {limit} 字以内，一次写一件。").format(limit=LONGEST_TEXT))
        found = understand(words, now, Known(known))
        if isinstance(found, Heard):
            return words
        if found.ask == "nothing_said" or _only_a_day(found, words):
            raise Invalid(_("没看出是哪一次服务。请写哪一天、从几点到几点、做了什么，") + example)
        if found.ask == "future":
            raise Invalid(_("这个时间还没到，做完了再来补记。要是写错了，请重新写一次，") + example)
        if found.ask == "which" and one:
            raise Invalid(_("这里还是不止一次服务。请只写一次，") + example)
        return words

    return check


def _only_a_day(found: Asked, words: str) -> bool:
    """今天的天气真好 names a day and tells of no service; 昨天 by itself is a beginning."""
    if found.ask != "duration" or found.who or found.content != "none" or found.start or found.end:
        return False
    return len(words.strip()) > SHORT and not durations(Sentence(words))


def pieces_of(words: str, now: datetime, known: tuple[str, ...]) -> tuple[str, ...]:
    """The sentences that each tell of one service; empty where they cannot be told apart. A later one without a day has
    the day of the one before, and without a name its name."""
    found = understand(words, now, Known(known))
    if isinstance(found, Heard) or found.ask != "which":
        return (words,)
    pieces: list[str] = []
    day: date | None = None
    who: tuple[str, ...] = ()
    for piece in found.services:
        each = understand(piece, now, Known(known))
        if isinstance(each, Asked) and each.ask in ("which", "nothing_said", "future"):
            return ()
        if each.day is None and day is None:
            return ()
        if each.day is None:
            piece = f"{day} {piece}"
        if not each.who and who:
            piece = f"{piece} {_joined(who)}"
        day, who = each.day or day, each.who or who
        pieces.append(piece)
    return tuple(pieces) if len(pieces) > 1 else ()


def _joined(who: tuple[str, ...]) -> str:
    return "陪" + "、".join(who)


def on_day(today: date) -> Callable[[str], date]:
    """A check for the day of a service."""
    plain = past_day(today, 1)

    def check(words: str) -> date:
        found = [day.day for day in days(Sentence(words), today) if day.day is not None]
        return found[0] if len(set(found)) == 1 and found[0] <= today else plain(words)

    return check


def _span(words: str, part: str, now: datetime) -> Span | None:
    """The first time, or two, that stand in an answer; a bare figure is one."""
    plain = words.strip(" 。.")
    if plain.isdecimal() and len(plain) <= 2:
        plain += "点"
    found = spans(
        Sentence(f"{part}{plain}" if plain[:1].isdecimal() or plain[:1] in "一二三四五六七八九十两" else plain),
        _minute(now),
        bare=True,
    )
    return found[0] if found else None


def _minute(now: datetime) -> int:
    return now.hour * 60 + now.minute


def begins_at(part: str, now: datetime) -> Callable[[str], tuple[int, int | None]]:
    """A check for when a service began; (start, end), where the answer says both."""

    def check(words: str) -> tuple[int, int | None]:
        span = _span(words, part, now)
        if span is None or span.vague or span.start is None:
            raise Invalid(_("请写开始的时间，例如 14:00 或“下午两点”。"))
        return span.start, span.until

    return check


def lasted(start: int | None, part: str, now: datetime) -> Callable[[str], tuple[int | None, int | None, int]]:
    """A check for how long it took: (start, end, minutes), the first two where they are known or are said."""

    def check(words: str) -> tuple[int | None, int | None, int]:
        hint = _("请写多长时间，例如“2 小时”，或者从几点到几点，例如 14:00-16:00。")
        plain = words.strip(" 。.")
        took = durations(Sentence(f"{plain}小时" if plain.replace(".", "", 1).isdecimal() else plain))
        if len(took) == 1 and took[0].minutes and took[0].minutes <= LONGEST:
            minutes = took[0].minutes
            return start, None if start is None else start + minutes, minutes
        span = _span(words, part, now)
        if took or span is None or span.vague or None in (span.start, span.until):
            until = span.until if span is not None and not span.vague and not took else None
            if start is not None and until is not None and start < until <= start + LONGEST:
                return start, until, until - start
            raise Invalid(hint)
        begun, ended = span.start or 0, span.until or 0
        if not 0 < ended - begun <= LONGEST:
            raise Invalid(hint)
        return begun, ended, ended - begun

    return check


def what_done(words: str) -> str:
    """A check for what was done."""
    plain = words.strip().casefold()
    for key, entry in entries("service").items():
        if plain in (spelling.casefold() for spelling in entry.spellings):
            return key
    key = SERVICE[main(contents(Sentence(words)))]
    if not key:
        raise Invalid(_("没看懂做的是哪一类，请选一项，回复数字或文字都可以。"))
    return key


def called(somebody: Served, *, named: bool) -> str:
    """How somebody is called on this screen; by a mark where no name may stand."""
    if not named or not (somebody.form or somebody.surname):
        return _("“档案 {mark}”").format(mark=somebody.mark)
    if somebody.form:
        return somebody.form
    polite = {"female": _("{surname}女士"), "male": _("{surname}先生")}
    return polite[somebody.sex].format(surname=somebody.surname)


def matching(who: tuple[str, ...], people: list[Served]) -> list[Served]:
    """The pairings that the names in a sentence mean."""
    return [one for one in people if one.form and any(_same(name, one.form) for name in who)]


def _same(name: str, form: str) -> bool:
    return Sentence(name).plain == Sentence(form).plain


def length(minutes: int) -> str:
    """So many minutes in words."""
    hours, rest = divmod(minutes, 60)
    if not hours:
        return _("{minutes} 分钟").format(minutes=rest)
    if not rest:
        return _("{hours} 小时").format(hours=hours)
    return _("{hours} 小时 {minutes} 分钟").format(hours=hours, minutes=rest)


def clock(minutes: int) -> str:
    """A minute of the day as 14:00; of the day after as 次日 01:00."""
    at = "{:02}:{:02}".format(*divmod(minutes % DAY, 60))
    return at if minutes < DAY else _("次日 {time}").format(time=at)


def times(day: date, start: int, end: int) -> str:
    """2026-11-24（星期二）14:00–16:00."""
    return _("{day} {start}–{end}").format(day=with_weekday(day), start=clock(start), end=clock(end))


def echo(day: date, start: int, end: int, content: str, whom: str) -> str:
    """All that is to be written down, with what rounding takes off. `whom` empty = that is no question here."""
    minutes = end - start
    lines = [
        _("请核对（补录）："),
        times(day, start, end),
        _("共 {length}").format(length=length(rounded(minutes))),
        _("内容：{content}").format(content=labels("service", [content])[0]),
    ]
    if whom:
        lines.append(_("给：{whom}").format(whom=whom))
    if not rounded(minutes):
        lines.append(_("不满半小时的服务不计时长。时间写错了就改一下。"))
    elif rounded(minutes) != minutes:
        lines.append(
            _("时长按半小时计，不满半小时的不算：{length} 记作 {rounded}。谢谢你多陪的这一会儿。").format(
                length=length(minutes), rounded=length(rounded(minutes))
            )
        )
    return "\n".join(lines)


def moments(day: date, start: int, end: int, zone: str) -> tuple[datetime, datetime]:
    """The start and end of a service, by the clocks of its zone."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 the zone comes after the minutes
    place = ZoneInfo(zone)
    first, last = (midnight + timedelta(minutes=at) for at in (start, end))
    return first.replace(tzinfo=place), last.replace(tzinfo=place)
