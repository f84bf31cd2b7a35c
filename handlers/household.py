"""催一下, 换人, 我来接: what is done about one person of 一户不落. Everything is checked again when it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import Session

from config.texts import _
from handlers.days import meant, with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Further, Invalid, Refused, Talk
from handlers.household_card import ACT, ActFacts
from handlers.message import Option, Reply
from models import household_acts, relaying
from models.household import one_of
from models.household_acts import HouseholdError
from models.offering import standing_relay
from models.person import Person, local_now
from models.stints import StintError


@dataclass(frozen=True, slots=True)
class Act:
    """`what`: "nudge", "take", or "change" = ask for the last day."""

    person: str
    what: str


@dataclass(frozen=True, slots=True)
class Change:
    """Seek somebody else; `last_day` is that of whoever has the lead."""

    person: str
    stint: str
    last_day: date


def _facts(session: Session, person: Person) -> ActFacts:
    return ActFacts()


def _talk(facts: ActFacts) -> Talk:
    if not facts.person:
        return None
    what = yield Ask("what", _("要做什么？"), _choices())
    if what != "change" or not facts.stint:
        return Act(facts.person, what)
    today = date.fromisoformat(facts.today)
    said = yield Ask(
        "last_day",
        _("结对的人最后一天是哪天？选一项，或者直接写，例如 {example}、“下周一”。").format(
            example=(today + timedelta(days=45)).isoformat()
        ),
        choices=tuple(Choice(days, words) for days, words in _usual().items()),
        check=_last_day(today),
    )
    last = today + timedelta(days=int(said)) if said in _usual() else date.fromisoformat(said)
    text = _(
        "请核对：最后一天 {day}。到那天为止还是现在的人负责；我们会通知对方，并开始找接的人。"
        "没找到以前，由你或区县负责人接着管，不会没有人。"
    ).format(day=with_weekday(last))
    sure = yield Ask(
        "sure",
        text,
        (
            Choice("yes", _("确定换人")),
            Choice("day", _("改日子"), drops=("last_day",)),
            Choice("no", _("先不换")),
        ),
    )
    return Change(facts.person, facts.stint, last) if sure == "yes" else None


def _choices() -> tuple[Choice, ...]:
    return Choice("nudge", _("催一下")), Choice("change", _("换人")), Choice("take", _("我来接"))


def _usual() -> dict[str, str]:
    return {"0": _("今天"), "7": _("一周后"), "30": _("30 天后")}


def _last_day(today: date) -> Callable[[str], str]:
    def check(words: str) -> str:
        hint = _("请写今天起一年以内的日期，例如 {example}。").format(example=(today + timedelta(days=45)).isoformat())
        try:
            day = meant(words, today)
        except ValueError:
            day = None
        if day is None or not today <= day <= today + timedelta(days=relaying.LONGEST_DAYS - 1):
            raise Invalid(hint)
        return day.isoformat()

    return check


def _perform(session: Session, person: Person, command: Act | Change) -> Reply | Further:
    if isinstance(command, Change):
        return _change(session, person, command)
    if command.what == "change":
        return _asked_for_the_day(session, person, command.person)
    try:
        if command.what == "take":
            return _took(session, person, command.person)
        told = household_acts.nudge(session, command.person, person.id)
    except HouseholdError as error:
        return Reply(_why(error.reason), _list())
    text = _(
        "好的，会提醒结对的志愿者（{count} 位）：“专员想知道最近好不好”。免打扰时段里会等一等，对方回复了会告诉你。"
    )
    return Reply(text.format(count=told), _list())


def _took(session: Session, person: Person, beneficiary_id: str) -> Reply:
    new = household_acts.take(session, beneficiary_id, person.id)
    text = _("好的，从现在起由你负责，直到有人结对。") if new else _("这一位已经由你负责了。")
    return Reply(text, (Option("m:unpaired", _("找人结对")), *_list()))


def _asked_for_the_day(session: Session, person: Person, beneficiary_id: str) -> Reply | Further:
    line = one_of(session, person.id, beneficiary_id)
    if line is None or line.stint is None:
        return Reply(_why("gone" if line is None else "nobody"), _list())
    relay = standing_relay(session, line.stint)
    note = ""
    if relay is not None:
        note = _("已经在换人了，最后一天 {day}；改成更早的日子才会变。").format(day=relay.last_day.isoformat())
    today = local_now(session, person).date().isoformat()
    return Further(ActFacts(person=beneficiary_id, stint=line.stint, today=today), note)


def _change(session: Session, person: Person, command: Change) -> Reply:
    try:
        relay = relaying.begin(session, command.stint, "specialist", command.last_day, person.id)
    except StintError as error:
        if error.reason == "day":
            raise Refused("last_day", _("这一天不行，请换一个今天以后、一年以内的日子。")) from None
        return Reply(_why({"gone": "over", "nobody": "unanswered"}.get(error.reason, error.reason)), _list())
    text = _("好的，开始换人：最后一天 {day}。接的人没有找到以前，一直有人负责。")
    return Reply(text.format(day=with_weekday(relay.last_day)), _list())


def _why(reason: str) -> str:
    return {
        "gone": _("这一位不在台账里了，没有改动。"),
        "scope": _("这一位现在不归你负责，没有改动。"),
        "paired": _("已经有人结对了，不用接。想换人，请选“换人”。"),
        "nobody": _("现在没有志愿者结对，没有人可以催，也没有人要换。"),
        "today": _("今天已经提醒过了，明天再看看吧。急的话请打电话。"),
        "over": _("这次结对已经结束了，没有改动。"),
        "unanswered": _("这个区县还没有负责的人，换不了人。请找管理员。"),
    }[reason]


def _list() -> tuple[Option, ...]:
    return (Option("m:nobody_dropped", _("一户不落")),)


HOUSEHOLD = Dialogue(ACT, ActFacts, _facts, _talk, _perform, repeats=True)
