"""补记时长: a service is told afterwards in plain words, echoed with day, times and total, confirmed, and marked 补录.

Only what the sentence does not say is asked for, one question at a time. A sentence that tells of several services is
taken apart and each is confirmed and written down by itself, so that a talk left half-way has lost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from config.catalogue import rules
from config.services import entries
from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Further, Refused, Talk
from handlers.message import Option, Reply
from handlers.tell_facts import TellFacts, prepare
from handlers.tell_parts import (
    Event,
    Parts,
    begins_at,
    called,
    echo,
    lasted,
    length,
    matching,
    moments,
    on_day,
    parts_of,
    pieces_of,
    tells,
    times,
    what_done,
)
from models.person import Person
from models.record_rules import overlapping
from models.service import ServiceRecord
from models.serving import ServiceError, Told, tell

OTHER = "~other"


@dataclass(frozen=True, slots=True)
class Save:
    """One service, confirmed. `facts` go on with the next one; None = it was the last. `confirm` = the question that is
    asked again where the rules refuse it."""

    day: date
    start: int
    end: int
    content: str
    whom: str
    words: str
    confirm: str
    saved: int
    facts: TellFacts | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing more is written down: "unregistered", or all that was told is done."""

    why: str
    saved: int = 0
    facts: TellFacts | None = None


def talk(facts: TellFacts) -> Talk:
    """What was done, then what is missing, then a look at it all; and so for each service that was told."""
    if not facts.registered:
        return Stop("unregistered")
    if facts.pieces and facts.at >= len(facts.pieces):
        return (yield from _more(facts))
    pieces = facts.pieces
    if not pieces:
        words = yield Ask("told", _question(), check=tells(facts.local, facts.forms))
        pieces = pieces_of(words, facts.local, facts.forms)
        if not pieces:
            said = _(
                "这里说了不止一次服务，我们一次一次记，一次也不会漏。请先写第一次：哪一天、从几点到几点、做了什么。"
            )
            one = yield Ask("one", said, check=tells(facts.local, facts.forms, one=True))
            facts, pieces = facts.model_copy(update={"one_by_one": True}), (one,)
    facts = facts.model_copy(update={"pieces": pieces})
    return (yield from _service(facts))


def _question() -> str:
    return _(
        "写一句话就行：哪一天、从几点到几点、给谁、做了什么。\n"
        "例如“昨天下午两点到四点陪小明做康复”，或“周六9点到11点半 支教”。"
    )


def _more(facts: TellFacts) -> Talk:
    """Services that could not be told apart are asked for until there are no more."""
    ask = Ask(
        f"more{facts.at}",
        _("还有别的服务要记吗？有就写下一次；没有就选“没有了”。"),
        (Choice("none", _("没有了"), words=(_("没有"), "no", "没了")),),
        check=tells(facts.local, facts.forms, one=True),
        numeric=False,
    )
    words = yield ask
    if words == "none":
        return Stop("done", facts.saved)
    return (yield from _service(facts.model_copy(update={"pieces": (*facts.pieces, words)})))


def _service(facts: TellFacts) -> Talk:
    """One service: what its sentence leaves open, the echo, corrections as often as they are wanted."""
    at, words = facts.at, facts.pieces[facts.at]
    many = len(facts.pieces) > 1
    parts = yield from _missing(facts, parts_of(words, facts.local, facts.forms), f"{at}", many=many)
    turn = 0
    while True:
        day, start, end = _whole(parts)
        key = f"confirm{at}_{turn}"
        head = (
            _("第 {number} 次，共 {count} 次。").format(number=at + 1, count=len(facts.pieces)) + "\n" if many else ""
        )
        answer = yield Ask(
            key, head + echo(day, start, end, parts.content, _whom(facts, parts)), _corrections(facts, parts)
        )
        if answer == "yes":
            return _save(facts, parts, key)
        if answer == "no":
            return _left_out(facts)
        turn += 1
        parts = yield from _corrected(facts, parts, answer, f"{at}_{turn}")


def _corrections(facts: TellFacts, parts: Parts) -> tuple[Choice, ...]:
    whom = (Choice("whom", _("改给谁")),) if _choices(facts, parts) else ()
    return (
        Choice("yes", _("对，记下"), words=(_("对"), _("确认"), _("是"), _("提交"), "yes")),
        Choice("day", _("改日期")),
        Choice("times", _("改时间")),
        Choice("content", _("改内容")),
        *whom,
        Choice("no", _("这次不记了")),
    )


def _missing(facts: TellFacts, parts: Parts, key: str, *, many: bool) -> Talk:
    """Ask for what is not known, one question at a time."""
    if parts.day is None:
        parts = replace(parts, day=(yield _numbered(facts, _ask_day(facts, f"day{key}"), many)))
    if parts.minutes is None:
        start, end, minutes = yield _numbered(facts, _ask_length(facts, parts, f"length{key}"), many)
        parts = replace(parts, start=start, end=end, minutes=minutes)
    if parts.start is None or parts.end is None:
        start, end = yield _numbered(facts, _ask_start(facts, parts, f"start{key}"), many)
        minutes = parts.minutes or 0
        parts = replace(parts, start=start, end=end or start + minutes, minutes=end - start if end else minutes)
    if not parts.content:
        parts = replace(parts, content=(yield _numbered(facts, _ask_content(f"content{key}"), many)))
    found = matching(parts.who, facts.people)
    if found and (len(found) == 1 or len({one.stint for one in found}) == len(parts.who)):
        return replace(parts, whom=found[0].stint)
    return (yield from _for_whom(facts, parts, f"whom{key}", many=many))


def _numbered(facts: TellFacts, ask: Ask, many: bool) -> Ask:
    """A question that says which of several services it is about."""
    head = _("第 {number} 次：").format(number=facts.at + 1) if many else ""
    return replace(ask, text=head + ask.text)


def _ask_start(facts: TellFacts, parts: Parts, key: str) -> Ask:
    text = _("几点开始的？例如 14:00 或“下午两点”，大概的也行。")
    return Ask(key, text, check=begins_at(parts.part, facts.local), numeric=True)


def _ask_day(facts: TellFacts, key: str) -> Ask:
    text = _("是哪一天？例如“昨天”“周六”或 11月20日。")
    return Ask(key, text, check=on_day(facts.local.date()), numeric=True)


def _ask_length(facts: TellFacts, parts: Parts, key: str) -> Ask:
    text = _("一共多长时间？例如“2 小时”，或者从几点到几点，例如 14:00-16:00。")
    return Ask(key, text, check=lasted(parts.start, parts.part, facts.local), numeric=True)


def _ask_content(key: str) -> Ask:
    choices = tuple(Choice(one, entry.label, words=entry.spellings) for one, entry in entries("service").items())
    return Ask(key, _("做的是哪一类？选一项，或者用自己的话写。"), choices, check=what_done)


def _for_whom(facts: TellFacts, parts: Parts, key: str, *, many: bool = False) -> Talk:
    """Whom it was for, where the sentence does not say it clearly. Whoever serves nobody is not asked."""
    choices = _choices(facts, parts)
    if not choices:
        return replace(parts, whom=OTHER)
    other = Choice(OTHER, _("别的服务（团队、驿站等）"), words=(_("别的"), _("其他"), _("团队")))
    ask = Ask(key, _("是给谁做的，或者是哪个活动？"), (*choices, other))
    return replace(parts, whom=(yield _numbered(facts, ask, many)))


def _choices(facts: TellFacts, parts: Parts) -> tuple[Choice, ...]:
    """The pairings, and the activities of that day."""
    events = [one for one in facts.events if parts.day is not None and _on(facts, one, parts.day)]
    people = (Choice(one.stint, called(one, named=facts.named)) for one in facts.people)
    return (*people, *(Choice(f"a:{one.id}", _("活动：{name}").format(name=one.name)) for one in events))


def _on(facts: TellFacts, event: Event, day: date) -> bool:
    zone = ZoneInfo(facts.zone)
    return event.starts.astimezone(zone).date() <= day <= event.ends.astimezone(zone).date()


def _corrected(facts: TellFacts, parts: Parts, what: str, key: str) -> Talk:
    """One part is said anew."""
    if what == "day":
        return replace(parts, day=(yield _ask_day(facts, f"day{key}")))
    if what == "content":
        return replace(parts, content=(yield _ask_content(f"content{key}")))
    if what == "whom":
        return (yield from _for_whom(facts, parts, f"whom{key}"))
    text = _("改成从几点到几点？例如 14:00-16:00；只改时长就写“2 小时”。")
    start, end, minutes = yield Ask(
        f"times{key}", text, check=lasted(parts.start, parts.part, facts.local), numeric=True
    )
    return replace(parts, start=start, end=end, minutes=minutes)


def _whole(parts: Parts) -> tuple[date, int, int]:
    if parts.day is None or parts.start is None or parts.end is None:
        raise ValueError("a part was not asked for")
    return parts.day, parts.start, parts.end


def _whom(facts: TellFacts, parts: Parts) -> str:
    """Whom it was for, on this screen. Several of one service stand there by the names that were written."""
    found = matching(parts.who, facts.people)
    if len(found) > 1 and found[0].stint == parts.whom:
        return _("、").join(called(one, named=facts.named) for one in found)
    event = next((one.name for one in facts.events if f"a:{one.id}" == parts.whom), None)
    if event is not None:
        return _("活动：{name}").format(name=event)
    somebody = next((one for one in facts.people if one.stint == parts.whom), None)
    if somebody is not None:
        return called(somebody, named=facts.named)
    if facts.named and parts.who:
        return _("{names}（不是你的结对）").format(names=_("、").join(parts.who))
    return _("别的服务（团队、驿站等）") if _choices(facts, parts) else ""


def _next(facts: TellFacts, saved: int) -> TellFacts | None:
    """The facts of the service after this one; None where there is none."""
    if facts.at + 1 < len(facts.pieces) or facts.one_by_one:
        return facts.model_copy(update={"at": facts.at + 1, "saved": saved})
    return None


def _save(facts: TellFacts, parts: Parts, key: str) -> Save:
    day, start, end = _whole(parts)
    saved = facts.saved + 1
    words, whom = facts.pieces[facts.at], str(parts.whom)
    return Save(day, start, end, parts.content, whom, words, key, saved, _next(facts, saved))


def _left_out(facts: TellFacts) -> Stop:
    return Stop("left_out", facts.saved, _next(facts, facts.saved))


def perform(session: Session, person: Person, command: Save | Stop) -> Reply | Further:
    """Write it down, and go on with the next one; or say what the rules have against it."""
    if isinstance(command, Stop):
        return _stopped(command)
    starts, ends = moments(command.day, command.start, command.end, person.zone)
    activity = command.whom[2:] if command.whom.startswith("a:") else None
    stint = command.whom if activity is None and command.whom != OTHER else None
    told = Told(command.content, starts.astimezone(UTC), ends.astimezone(UTC), stint, activity, command.words)
    try:
        with session.begin_nested():
            record = tell(session, person.id, told)
    except ServiceError as error:
        return _refused(session, person, command, error.reason, (starts.astimezone(UTC), ends.astimezone(UTC)))
    said = _saved(command, record)
    if command.facts is not None:
        return Further(command.facts, said)
    return Reply(said, (Option("m:add_hours", _("再补记一次")), Option("m:hours", _("我的时长"))))


def _saved(command: Save, record: ServiceRecord) -> str:
    text = _("记下了（补录）：{times}，{length}。等专员确认后计入时长。").format(
        times=times(command.day, command.start, command.end), length=length(record.minutes)
    )
    if record.over_cap:
        text += "\n" + _("这一天或这一周超过了上限，要专员另外批准，请留意消息。")
    return text


def _stopped(command: Stop) -> Reply | Further:
    if command.why == "unregistered":
        text = _("补记时长要先报名注册。回复“报名”，两分钟就好。")
        return Reply(text, (Option("m:register", _("报名注册")), Option("m:contact", _("联系专员"))))
    if command.facts is not None:
        return Further(command.facts, _("好的，这次不记。"))
    if not command.saved:
        return Reply(_("好的，没有记下。以后想补记，回复“补记时长”。"))
    return Reply(_("好的。这回一共记下 {count} 次。").format(count=command.saved), (Option("m:hours", _("我的时长")),))


def _refused(
    session: Session, person: Person, command: Save, reason: str, span: tuple[datetime, datetime]
) -> Reply | Further:
    """Raises Refused where a correction helps; else the way to somebody who can."""
    if reason == "overlap":
        raise Refused(command.confirm, _overlap(session, person, *span))
    again = {
        "future": _("这个时间还没到。服务结束以后再来补记；写错了就改一下日期或时间。"),
        "too_short": _("不满半小时的服务不计时长。时间写错了就改一下；没写错就选“这次不记了”，你的心意我们知道。"),
        "too_long": _("一次服务最长 24 小时。请改一下时间。"),
        "gone": _("那一天你和TA还没有结对，或者那个活动不在那一天。请改日期，或者改给谁。"),
        "scope": _("这个结对不在你名下。请改给谁，或者选“这次不记了”。"),
        "self": _("给自己做的事不能记成服务。请改给谁，或者选“这次不记了”。"),
        "content": _("这一类服务现在没有了，请改内容。"),
    }.get(reason)
    if again is not None:
        raise Refused(command.confirm, again)
    if reason == "too_old":
        said = _("{times}是 {days} 天以前的事，这里不能补记了。请把这次服务写给专员，请专员帮你处理。").format(
            times=times(command.day, command.start, command.end), days=rules().hours.told_days
        )
    elif reason == "minor":
        said = _("未满 18 岁的志愿者要和团队一起服务，单独的服务不能这样补记。请告诉专员是和谁一起做的。")
    else:
        said = _("你现在的志愿者身份不能补记时长。请联系专员看看是怎么回事。")
    if command.facts is not None:
        return Further(command.facts.model_copy(update={"saved": command.saved - 1}), said)
    return Reply(said, (Option("m:contact", _("联系专员")),))


def _overlap(session: Session, person: Person, starts: datetime, ends: datetime) -> str:
    """Which other record there is at that time."""
    found: list[Any] = overlapping(session, person.id, starts, ends)
    if not found:
        return _("这段时间已经有别的服务记录了。请改时间，或者选“这次不记了”。")
    zone = ZoneInfo(person.zone)
    first = found[0]
    begun = first.starts_at.astimezone(zone)
    if first.ends_at is None:
        other = _("{time} 开始、还没结束的一次").format(time=f"{begun:%Y-%m-%d %H:%M}")
    else:
        other = f"{begun:%Y-%m-%d %H:%M}–{first.ends_at.astimezone(zone):%H:%M}"
    text = _("和已经记下的一次重叠了：{other}。同一段时间只能记一次，请改时间；要是记的就是那一次，选“这次不记了”。")
    return text.format(other=other)


TELL_HOURS = Dialogue("tell_hours", TellFacts, prepare, talk, perform)
