"""What somebody tells about a service afterwards: which day, from when until when, how long, what, for whom. Pure.

“昨天下午陪小明做康复两个小时”, “周六9点到11点半 支教”, “yesterday 2-4pm with Ming”. What is not said, or not clearly,
is never guessed: it is named, so that it can be asked for. Whatever is understood is echoed and confirmed before it is
stored (handlers/tell_hours.py). What counts as how clear stands in docs/understanding.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from handlers.hours import PART_OF
from handlers.understanding_contents import Did, contents, main
from handlers.understanding_dates import Day, days
from handlers.understanding_durations import Took, durations
from handlers.understanding_names import names
from handlers.understanding_text import GAP, Sentence
from handlers.understanding_times import DAY, PARTS, Span, spans

LONGEST = 24 * 60  # minutes; what took longer was no single service
LONGEST_TEXT = 400  # characters: a longer text is no sentence about hours
# What can be asked for. "nothing_said" = the sentence tells of no service.
ASKS = ("duration", "date", "time", "which", "future", "nothing_said")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of who tells: the forms of address of those they serve."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """A told service. `start` and `end` are minutes after midnight of `day` in the teller's zone (an `end` over 24 h is
    of the next day), both None where no time of day was said. `minutes` as told, before rounding. `content` is a key of
    understanding_contents ("none" = not said), `who` as written."""

    day: date
    minutes: int
    start: int | None = None
    end: int | None = None
    content: str = "none"
    who: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What must be asked (one of ASKS), with what was understood all the same. `services` = the parts of the sentence
    that each tell of a service of their own, where it tells of several."""

    ask: str
    day: date | None = None
    minutes: int | None = None
    start: int | None = None
    end: int | None = None
    content: str = "none"
    who: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Parts:
    """What stands in a sentence, before it is weighed."""

    said: Sentence
    now: datetime
    took: list[Took]
    days: list[Day]
    spans: list[Span]
    who: tuple[str, ...]
    did: list[Did]


_CORRECTED = re.compile(
    r"(?:[,，。\s]*(?:哦|噢|啊|呃|额|唔)?(?:不对|不是(?=[昨前今大上周星礼下两三四五六七八九十一\d]|\s)|说错了?|讲错咗?|记错了?|打错了?|唔系|唔啱|错了)[,，。\s]*(?:应该)?(?:是|系)?"
    r"|(?:哦|噢|啊)不,?|应该是|no wait|wait no|sorry,?|i mean|actually|scratch that)"
)
_NOT_DONE = re.compile(
    r"没(?:有)?去(?:成|了)?(?!过)|没(?:有)?陪成|没做成|没能去|冇去到|冇去|去唔到"
    r"|去不成|去不了|didn'?t go|could ?n'?t go|was cancelled|取消了"
)


def understand(text: str, now: datetime, known: Known | None = None) -> Heard | Asked:
    """What a sentence tells, at the moment `now` in the teller's zone. Never raises."""
    if len(text) > LONGEST_TEXT or not text.strip():
        return Asked("nothing_said")
    parts = _parts(_without_corrected(text), now, known or Known())
    found = _weighed(parts)
    if isinstance(found, Asked) and found.ask == "which":
        return replace(found, services=_services(parts))
    return found


def _parts(text: str, now: datetime, known: Known) -> _Parts:
    said = Sentence(text)
    own = names(said, known.names) if known.names and _names_only(said, known) else []
    took = durations(said)
    found = days(said, now.date())
    at = spans(said, now.hour * 60 + now.minute, bare=bool(found))
    who = names(said, known.names) or own
    return _Parts(said, now, took, found, at, tuple(who), contents(said))


def _names_only(said: Sentence, known: Known) -> bool:
    """A form of address that looks like a time (周六, 星期) would be read as one: it is looked for first."""
    return any(days(Sentence(name), date(2000, 1, 1)) for name in known.names)


def _without_corrected(text: str) -> str:
    """Without what was taken back in the same breath: “昨天不对前天” is 前天, “两点哦不三点” 三点."""
    plain = Sentence(text).plain
    marks = list(_CORRECTED.finditer(plain))
    if not marks:
        return text
    said = Sentence(text).written
    before, behind = said[: marks[-1].start()], said[marks[-1].end() :]
    first, second = Sentence(before), Sentence(behind)
    today = date(2000, 1, 5)
    for read in (durations, lambda one: days(one, today), lambda one: spans(one, 0, bare=False)):
        again = read(second)
        earlier = read(first)
        if again and earlier:
            last = earlier[-1]
            before = before[: last.at] + " " * (last.end - last.at) + before[last.end :]
    return f"{before} {behind}"


def _weighed(parts: _Parts) -> Heard | Asked:
    """What is clear, or the first thing that is not. The order: is it past, how many, which day, when, how long."""
    nothing = not (parts.took or parts.days or parts.spans or parts.who or parts.did)
    if nothing or _NOT_DONE.search(parts.said.plain):
        return Asked("nothing_said")
    day, trouble = _day(parts)
    span = parts.spans[0] if parts.spans else None
    took = _took(parts)
    told = Asked("", day, took.minutes if took else None, content=main(parts.did), who=parts.who)
    if not parts.took and not parts.days and not parts.spans and not parts.did:
        return replace(told, ask="nothing_said")
    if trouble == "future":
        return replace(told, ask="future", day=None)
    if trouble == "which" or _several(parts):
        return replace(told, ask="which")
    if day is None:
        return _timed(replace(told, ask="date"), span, took)
    return _when(parts, told, day, span, took)


def _when(parts: _Parts, told: Asked, day: date, span: Span | None, took: Took | None) -> Heard | Asked:
    """The times and the length of a service on a known day."""
    if span is not None and span.vague:
        return replace(told, ask="time")
    if took is not None and (took.minutes is None or not 0 < took.minutes <= LONGEST):
        return replace(told, ask="duration", minutes=None)
    told = _timed(told, _sooner(parts, day, span), took)
    if told.start is not None and told.end is not None and not 0 < told.end - told.start <= LONGEST:
        return replace(told, ask="time", start=None, end=None)
    if took is not None and span is not None and None not in (span.start, span.until) and told.minutes != took.minutes:
        return replace(told, ask="duration", minutes=None)
    if told.minutes is None:
        return _later(parts, replace(told, ask="duration"), day)
    return _later(parts, Heard(day, told.minutes, told.start, told.end, told.content, told.who), day)


def _timed(told: Asked, span: Span | None, took: Took | None) -> Asked:
    """With the times, as far as they are said: of start, end and length two make the third."""
    minutes = took.minutes if took else None
    if span is None or span.vague:
        return told
    start, end = span.start, span.until
    if start is not None and end is not None:
        return replace(told, start=start, end=end, minutes=end - start)
    if minutes is None or minutes > LONGEST:
        return replace(told, start=start, end=end)
    if start is not None:
        return replace(told, start=start, end=start + minutes)
    if end is not None and end - minutes >= 0:
        return replace(told, start=end - minutes, end=end)
    return told


def _sooner(parts: _Parts, day: date, span: Span | None) -> Span | None:
    """Six to eight today, said at ten in the morning, was the morning, though alone it would mean the evening."""
    if span is None or span.vague or day != parts.now.date() or _part_words(parts):
        return span
    now = parts.now.hour * 60 + parts.now.minute
    last = span.until if span.until is not None else span.start
    half = DAY // 2
    if last is None or last <= now or last - half > now or (span.start is not None and span.start < half):
        return span
    start = span.start - half if span.start is not None else None
    return replace(span, start=start, until=span.until - half if span.until is not None else None)


def _later(parts: _Parts, found: Heard | Asked, day: date) -> Heard | Asked:
    """Whether what is told lies ahead: then it is asked about, for only what is over can be told."""
    now = parts.now.hour * 60 + parts.now.minute
    ahead = (parts.now.date() - day).days * DAY + now
    told = [at for at in (found.start, found.end) if at is not None]
    if told:
        over = max(told) <= ahead
    else:
        over = day != parts.now.date() or all(_begins(word) <= now for word in _part_words(parts))
    return found if over else Asked("future", None, found.minutes, content=found.content, who=found.who)


def _part_words(parts: _Parts) -> list[str]:
    return [match[0] for match in PARTS.finditer(parts.said.plain)]


def _begins(word: str) -> int:
    """The minute of the day from which a part of it may be told of."""
    part = PART_OF.get(word, "")
    if part == "late" or word == "afternoon":
        return 12 * 60
    if word in ("半夜", "深夜", "夜里"):
        return 0
    return 17 * 60 if part == "night" or word in ("evening", "night") else 0


def _took(parts: _Parts) -> Took | None:
    whole = [took for took in parts.took if took.whole]
    return next(iter(whole or parts.took), None)


def _several(parts: _Parts) -> bool:
    """Whether more than one service is told of."""
    whole = [took for took in parts.took if took.whole]
    single = [took for took in parts.took if not took.whole]
    if any(took.each for took in parts.took):
        return True
    full = [span for span in parts.spans if span.vague or None not in (span.start, span.until)]
    if len(full) > 1 or (len(full) == 1 and len(parts.spans) > 1) or len(parts.spans) > 1:
        return True
    if len(single) > 1 and not whole and not _is_break(parts, single[1]):
        return len({took.minutes for took in single}) > 1 or len(parts.did) != 1
    return len(single) > 1 and bool(whole) and len(parts.did) > 1


def _is_break(parts: _Parts, took: Took) -> bool:
    before = parts.said.plain[max(0, took.at - 10) : took.at]
    return re.search(r"休息|吃饭|吃了|午休|中间|扣|除去|减|break|lunch|minus", before) is not None


def _day(parts: _Parts) -> tuple[date | None, str]:
    """The one day that is meant, or what is the matter with it: "date" (none, or not fitting), "future", "which"."""
    today = parts.now.date()
    clear = [day for day in parts.days if not day.weak]
    if not clear:
        return None, "date"
    if all(day.day is not None and day.day > today for day in clear):
        return None, "future"
    if any(day.day is None for day in clear):
        return None, "date"
    dates = {day.day.weekday() for day in clear if day.day is not None and day.weekday is None}
    clear = [day for day in clear if day.weekday is None or day.weekday not in dates]
    named = list(dict.fromkeys(day.day for day in clear))
    if len(named) == 1:
        return named[0], ""
    if len(named) == 2 and named[0] and named[1] and _over_midnight(parts, clear):
        return named[0], ""
    together = all(_is_same_day(parts, one, two) for one, two in pairwise(clear))
    return None, "date" if together else "which"


def _over_midnight(parts: _Parts, clear: list[Day]) -> bool:
    """昨晚10点到今天凌晨1点: one service of two days."""
    first, second = clear[0], clear[-1]
    if first.day is None or second.day is None or second.day - first.day != timedelta(days=1):
        return False
    return any(span.at < second.at < span.end or first.at < span.at < second.at < span.end for span in parts.spans)


def _is_same_day(parts: _Parts, one: Day, two: Day) -> bool:
    """11月21日（星期五）: the second only says the first once more."""
    between = parts.said.plain[one.end : two.at]
    return re.fullmatch(GAP.replace("、", "") + r"(?:那天|就是|是|即)?" + GAP.replace("、", ""), between) is not None


_SPLIT = re.compile(
    r"[,，。;；\n]|(?:然后|之后|接着|另外|还有|and then|then)"
    r"|(?=(?:上午|下午|晚上|早上)(?!.*?(?:上午|下午|晚上|早上)).)"
)


def _services(parts: _Parts) -> tuple[str, ...]:
    """The pieces of a sentence that each tell of a service; a piece without a day has the day of the one before."""
    pieces: list[str] = []
    for piece in filter(None, map(str.strip, _SPLIT.split(parts.said.written))):
        own = Sentence(piece)
        has = bool(durations(own)) or bool(days(own, parts.now.date())) or bool(spans(own, 0, bare=True))
        if has or not pieces:
            pieces.append(piece)
        else:
            pieces[-1] += "，" + piece
    return tuple(pieces)
