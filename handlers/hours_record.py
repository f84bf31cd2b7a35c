"""Deciding about one record: confirm it, approve what is above the most, change it with a reason, or refuse it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from config.services import entries
from config.texts import _
from handlers import hours_words
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.free_text import free_words
from handlers.hours import Span, hours
from handlers.hours_ways import RECORD, RecordFacts
from handlers.message import Option, Reply
from models import serving
from models.person import Person
from models.service import CONFIRMED, REFUSED
from models.serving import ServiceError

LONGEST = 200  # characters of a reason


@dataclass(frozen=True, slots=True)
class Decide:
    """`what`: "confirm", "approve", "change" or "refuse"; times and content with "change", `why` with the last two."""

    record: str
    what: str
    why: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    content: str = ""
    over: bool = False


def _facts(session: Session, person: Person) -> RecordFacts:
    return RecordFacts()


def _talk(facts: RecordFacts) -> Talk:
    if not facts.record:
        return None
    what = yield Ask("what", _("怎么处理这一条？"), _choices())
    if what == "refuse":
        why = yield Ask(
            "why", _("为什么不通过？写一句，对方会看到。"), _reasons(), check=free_words(LONGEST), told=True
        )
        return Decide(facts.record, what, _reason(why))
    if what != "change":
        return Decide(facts.record, what)
    starts, ends = yield from _times(facts)
    content = yield Ask("content", _("是哪一项服务？"), _contents(facts.content))
    why = yield Ask("why", _("为什么改？写一句，对方会看到。"), check=free_words(LONGEST), told=True)
    said = _("改成：{span}，{content}。原因：{why}").format(
        span=hours_words.span(facts.zone, starts, ends), content=hours_words.content(content), why=why
    )
    choices = [Choice("yes", _("改好，确认"))]
    if not facts.leader:
        choices.append(Choice("over", _("批准超过上限，确认"), later=True))
    choices += [
        Choice("times", _("改时间"), drops=("times",)),
        Choice("again", _("改原因"), drops=("why",)),
        Choice("no", _("先不改")),
    ]
    sure = yield Ask("sure", said, tuple(choices))
    if sure == "no":
        return None
    return Decide(facts.record, what, why, starts, ends, content, over=sure == "over")


def _choices() -> tuple[Choice, ...]:
    return (
        Choice("confirm", _("确认")),
        Choice("approve", _("批准超过上限，确认")),
        Choice("change", _("改了再确认")),
        Choice("refuse", _("不通过")),
    )


def _reasons() -> tuple[Choice, ...]:
    return Choice("absent", _("这天没有来")), Choice("twice", _("重复记了")), Choice("unclear", _("核对不上"))


def _reason(said: str) -> str:
    """In the words of whoever refuses: they are kept as they are told."""
    return {choice.value: choice.label for choice in _reasons()}.get(said, said)


def _contents(now: str) -> tuple[Choice, ...]:
    kept = Choice(now, _("不变：{content}").format(content=hours_words.content(now)))
    return kept, *(
        Choice(key, entry.label, words=entry.spellings) for key, entry in entries("service").items() if key != now
    )


def _times(facts: RecordFacts) -> Talk:
    zone = ZoneInfo(facts.zone)
    starts, ends = datetime.fromisoformat(facts.starts_at), datetime.fromisoformat(facts.ends_at)
    text = _("从几点到几点？例如 9:00-11:30。现在记的是 {span}。").format(
        span=hours_words.span(facts.zone, starts, ends)
    )
    kept = (Choice("kept", _("时间不变")),)
    said = yield Ask("times", text, kept, check=_clock_times())
    if said == "kept":
        return starts, ends
    return _on_day(starts.astimezone(zone).date(), said, zone)


def _clock_times() -> Callable[[str], Span]:
    def check(words: str) -> Span:
        try:
            return hours(words)
        except Invalid as refusal:
            raise Invalid(_("请写从几点到几点，例如 9:00-11:30 或“下午两点到四点半”。")) from refusal

    return check


def _on_day(day: date, said: Span, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """What ends earlier than it begins ends on the next day."""
    return at(day, said.start, zone), at(day + timedelta(days=int(said.end < said.start)), said.end, zone)


def at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A local moment, UTC."""
    return datetime.combine(day, clock, zone).astimezone(UTC)


def _decide(session: Session, person: Person, command: Decide) -> Reply:
    try:
        return Reply(_carry_out(session, person.id, command), (_back(),))
    except ServiceError as error:
        if command.what == "change" and error.reason in ("overlap", "future", "too_short", "too_long"):
            raise Refused("times", hours_words.cannot(error.reason)) from error
        if command.what == "change" and error.reason == "over":
            text = _("这样会超过一天 8 小时或一周 24 小时的上限。确实如此，请选“批准超过上限，确认”；否则改时间。")
            raise Refused("sure", text) from error
        return Reply(hours_words.cannot(error.reason), (_back(),))


def _carry_out(session: Session, by: str, command: Decide) -> str:
    if command.what == "refuse":
        row = serving.refuse(session, by, command.record, command.why)
    elif command.what == "change" and command.starts_at is not None and command.ends_at is not None:
        row = serving.correct(
            session,
            by,
            command.record,
            command.starts_at,
            command.ends_at,
            command.content,
            command.why,
            over=command.over,
        )
    else:
        row = serving.confirm(session, by, command.record, over=command.what == "approve")
    if row.state == REFUSED:
        return _("记下了：没有通过，原因会告诉对方。")
    words = _("改好了，计 {hours}，会告诉对方。") if command.what == "change" else _("确认了，计 {hours}。")
    return words.format(hours=hours_words.hours(row.minutes if row.state == CONFIRMED else 0))


def _back() -> Option:
    return Option("m:hours_to_confirm", _("待审时长"))


HOURS_RECORD = Dialogue(RECORD, RecordFacts, _facts, _talk, _decide)
