"""请假交接: somebody who serves cannot come for a while, or not any more; without shame, at any time (programme §5).

First what it is, then whose pairing, then until when, what the next one should know, and a look at it all. No question
names anybody: the talk may go on at a door that must not carry a name.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from config.texts import _
from handlers import taking_back
from handlers.days import with_weekday
from handlers.dialogue import Answer, Ask, Choice, Dialogue, Further, Refused, Talk
from handlers.here import here
from handlers.late import asked
from handlers.menu_words import JOINS, LEAVES, MYSELF, OTHERS
from handlers.message import Option, Reply
from handlers.relay_questions import HAND_OVER as HAND_OVER_NAME
from handlers.relay_questions import Go, Leave, RelayFacts, leave_talk, relay_talk
from handlers.relay_ways import go_on_option, note_option
from handlers.served_words import responsible, served
from models import leave, relaying, relaying_lists
from models.pairing import Stint
from models.person import Person, local_now
from models.served import served_of
from models.stints import StintError

SHOWN = 10  # pairings on one screen
ALL = "~all"


@dataclass(frozen=True, slots=True)
class Which:
    """There are several: show them. Without `what` there is nothing to choose from."""

    what: str = ""


@dataclass(frozen=True, slots=True)
class Picked:
    """This one, or all of them: the talk goes on about them."""

    what: str
    stints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GoOn:
    """They can go on after all; empty = those of all their relays."""

    stints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notes:
    """Read what the one before wrote."""


def _prepare(session: Session, person: Person) -> RelayFacts:
    stints = relaying_lists.mine(session, person.id)
    return RelayFacts(
        today=local_now(session, person).date().isoformat(),
        stints=(stints[0].id,) if len(stints) == 1 else (),
        house=len(stints) == 1 and stints[0].institution_id is not None,
        pairings=len(stints),
        begun=len(relaying_lists.begun_of(session, person.id)),
        away=len(leave.leaves_of(session, stints)),
        notes=len(relaying_lists.taken_by(session, person.id)),
    )


def _talk(facts: RelayFacts) -> Talk:
    if not facts.pairings and not facts.notes:
        return Which()
    what = facts.what or (yield Ask("what", _what_text(facts), _what_choices(facts)))
    if what == "note":
        return Notes()
    if what == "go_on" and not facts.ids:
        return GoOn() if facts.begun <= 1 else Which(what)
    stints = facts.stints
    if facts.ids:
        choices = (*(Choice(key, key) for key in facts.ids), Choice(ALL, _all_label()))
        picked = yield Ask("which", _("是哪一位？"), choices)
        stints = facts.ids if picked == ALL else (picked,)
        if what != "go_on":
            return Picked(what, stints)
    if not stints:
        return Which(what)
    if what == "go_on":
        return GoOn(stints)
    return (yield from (leave_talk if what == "leave" else relay_talk)(facts, stints, what))


def _all_label() -> str:
    return _("全部")


def _what_text(facts: RelayFacts) -> str:
    if not facts.pairings:
        return _("你现在没有自己的结对。想看什么？")
    return _("没关系，什么时候说都可以，不用解释。是哪种情况？")


def _what_choices(facts: RelayFacts) -> tuple[Choice, ...]:
    going = (
        Choice("leave", _("请假几周"), words=(_("请假"), _("想请假"), _("考试"), _("生病"))),
        Choice("graduation", _("要毕业了"), words=(_("毕业"), _("我要毕业了"))),
        Choice("moved", _("要搬走了"), words=(_("搬家"), _("我要搬家了"))),
        Choice("stopped", _("做不下去了"), words=(_("我做不下去了"),)),
        Choice("other", _("别的原因"), words=(_("别的"), _("其他"))),
    )
    back = Choice("go_on", _("我又能继续了"), words=(_("我还能继续"), _("不交接了")))
    note = Choice("note", _("看交接留言"), words=(_("交接留言"),))
    return (
        *(going if facts.pairings else ()),
        *((back,) if facts.begun or facts.away else ()),
        *((note,) if facts.notes else ()),
    )


def _perform(session: Session, person: Person, command: Which | Picked | Leave | Go | GoOn | Notes) -> Reply | Further:
    if isinstance(command, Which):
        return _list(session, person, command.what)
    if isinstance(command, Picked):
        return _picked(session, person, command.what, command.stints)
    if isinstance(command, Leave):
        return _leave(session, person, command)
    if isinstance(command, Notes):
        return _notes(session, person)
    return _go_on(session, person, command) if isinstance(command, GoOn) else _go(session, person, command)


def _called(session: Session, person: Person, stint: Stint) -> str:
    return served(session, person, served_of(session, stint))


def _label(session: Session, person: Person, stint: Stint) -> str:
    """With the day it began where only a mark stands, which nobody knows by heart."""
    called = _called(session, person, stint)
    if here(session).sensitive_in_chat or stint.opened_at is None:
        return called
    return _("{who}（{day} 开始）").format(who=called, day=f"{stint.opened_at:%Y-%m-%d}")


def _contact() -> Option:
    return Option("m:contact", _("联系专员"))


def _nothing(session: Session, person: Person) -> Reply:
    back = taking_back.options(session, person)
    if back:
        text = _("你刚答应的结对还没有开始，现在还可以撤回；不方便继续也没关系。")
        return Reply(text, (*back, _contact()))
    text = _("你现在没有已经开始的结对，不用请假或交接。刚答应还没开始的，想改主意请告诉专员。")
    return Reply(text, (_contact(),))


def _list(session: Session, person: Person, what: str) -> Reply:
    """Whose pairing it is about, by form of address."""
    begun = {each.stint.id for each in relaying_lists.begun_of(session, person.id)}
    found = [each for each in relaying_lists.mine(session, person.id) if what != "go_on" or each.id in begun]
    if not what or not found:
        return _nothing(session, person)
    shown = found[:SHOWN]
    labels = [(stint.id, _label(session, person, stint)) for stint in shown]
    facts = RelayFacts(
        today=local_now(session, person).date().isoformat(),
        what=what,
        ids=tuple(stint.id for stint in shown),
        pairings=len(found),
        begun=len(begun),
    )
    lines = [_("是哪一位？")]
    if len(found) > SHOWN:
        lines.append(_("这里只列出前 {count} 位，其余的请联系专员。").format(count=SHOWN))
    labels.append((ALL, _all_label()))
    return Reply("\n".join(lines), asked(session, person.id, HAND_OVER.name, "which", facts, labels), numbered=True)


def _picked(session: Session, person: Person, what: str, ids: tuple[str, ...]) -> Reply | Further:
    """Whom it is about is said once more, at this door; from now on no question names them."""
    stints = _stints(session, person, ids)
    if not stints:
        return _nothing(session, person)
    house = all(stint.institution_id is not None for stint in stints)
    told: dict[str, object] = {"what": what, "stints": tuple(stint.id for stint in stints), "house": house}
    facts = _prepare(session, person).model_copy(update=told)
    return Further(facts, _("好的，说的是{who}。").format(who=_names(session, person, stints)))


def _stints(session: Session, person: Person, ids: tuple[str, ...]) -> list[Stint]:
    """Of these, those that are this person's and open still."""
    return [stint for stint in relaying_lists.mine(session, person.id) if stint.id in ids]


def _names(session: Session, person: Person, stints: list[Stint]) -> str:
    return _("、").join(_called(session, person, stint) for stint in stints)


def _leave(session: Session, person: Person, command: Leave) -> Reply:
    stints = _stints(session, person, command.stints)
    told = 0
    for stint in stints:
        try:
            told += leave.ask(session, stint.id, command.until, person.id)
        except StintError as error:
            if error.reason == "day":
                raise Refused("until", _("这一天已经过了，或者太远，请再写一次。")) from None
    if not stints:
        return _nothing(session, person)
    if all(stint.institution_id is not None for stint in stints) and told:
        said = _("记下了，请假到 {day}。已经告诉专员，会和{who}商量这段时间怎么安排。")
        words = said.format(day=with_weekday(command.until), who=_names(session, person, stints))
        return Reply(words, (_contact(),))
    said = _("记下了，请假到 {day}。你好好忙，{who}不会没人管：").format(
        day=with_weekday(command.until), who=_names(session, person, stints)
    )
    if not told:
        return Reply(said + _("但你们县现在没有能联系上的专员，请打电话告诉你的团队。"), (_contact(),))
    return Reply(said + _("专员会找人替你，找到了告诉你。"), (_contact(),))


def _go(session: Session, person: Person, command: Go) -> Reply:
    begun, stints, why = [], _stints(session, person, command.stints), ""
    for stint in stints:
        try:
            row = relaying.begin(
                session,
                stint.id,
                command.why,
                command.last_day,
                person.id,
                note=command.note,
                private=command.private,
            )
        except StintError as error:
            why = error.reason
            continue
        begun.append((stint, row))
    if why == "day":
        raise Refused("last_day", _("这一天已经过了，或者太远，请再写一次。"))
    if not begun:
        return _nobody() if why == "nobody" else _nothing(session, person)
    found = relaying_lists.standing(session, begun[0][1].id)
    specialist = responsible(session, person, found) if found else _("当地的专员")
    names = _names(session, person, [stint for stint, _row in begun])
    lines = [_("记下了。谢谢你一直陪着{who}。").format(who=names)]
    lines.append(_("负责找接的人：{specialist}。").format(specialist=specialist))
    last = max(row.last_day for _stint, row in begun)
    people = [stint for stint, _row in begun if stint.institution_id is None]
    houses = [stint for stint, _row in begun if stint.institution_id is not None]
    if people:
        lines.append(
            _("到 {day}（含当天）还是你；之后由{specialist}照看，直到有人接上，{who}不会没人管。").format(
                day=last.isoformat(), specialist=specialist, who=_names(session, person, people)
            )
        )
    if houses:
        said = _("到 {day}（含当天）还是你们团队；到那天还没有团队接，和{who}的结对就结束，专员会和机构商量。")
        lines.append(said.format(day=last.isoformat(), who=_names(session, person, houses)))
    if last < command.last_day:
        lines.append(_("这是以前定的日子，还按它算。要改晚，先选“我又能继续了”，再重新说一次。"))
    lines.append(_("有人答应接，会马上告诉你。改了主意，随时回复“我又能继续了”。"))
    theirs = len(begun) == 1 and relaying.may_cancel(session, begun[0][1], begun[0][0], person.id)
    back = go_on_option(session, person.id, begun[0][1].id) if theirs else ()
    return Reply("\n".join(lines), back)


def _nobody() -> Reply:
    return Reply(_("你们县现在没有负责的专员，交接还没有记下。请联系我们，会有人来安排。"), (_contact(),))


def _go_on(session: Session, person: Person, command: GoOn) -> Reply:
    done: list[Stint] = []
    paired: list[Stint] = []
    arranged: list[Stint] = []
    for each in relaying_lists.begun_of(session, person.id):
        if command.stints and each.stint.id not in command.stints:
            continue
        try:
            relaying.cancel(session, each.relay.id, person.id)
            done.append(each.stint)
        except StintError as error:
            (arranged if error.reason == "scope" else paired).append(each.stint)
    lines, back = [], _back_from_leave(session, person, command.stints)
    if back:
        lines.append(_("欢迎回来！请假取消了，{who}还是你来照看。").format(who=_names(session, person, back)))
    if done:
        lines.append(_("太好了！交接取消了，你和{who}的结对照旧。").format(who=_names(session, person, done)))
    if arranged:
        text = _("{who}的交接是专员安排的，取消要和专员商量。")
        lines.append(text.format(who=_names(session, person, arranged)))
    if paired:
        text = _("{who}已经有人答应接了，取消要和专员商量。").format(who=_names(session, person, paired))
        lines.append(text)
    if paired or arranged:
        return Reply("\n".join(lines), (_contact(),))
    return Reply("\n".join(lines) or _("现在没有等着交接的结对，你的结对照旧。"))


def _back_from_leave(session: Session, person: Person, ids: tuple[str, ...]) -> list[Stint]:
    """Leaves in which nobody stands in yet are over with it."""
    stints = [each for each in relaying_lists.mine(session, person.id) if not ids or each.id in ids]
    return [stint for stint in stints if leave.settle(session, stint.id, person.id)]


def _notes(session: Session, person: Person) -> Reply:
    found = relaying_lists.taken_by(session, person.id)
    if not found:
        return Reply(_("现在没有给你的交接留言。"))
    names = _("、").join(served(session, person, each.somebody) for each in found[:SHOWN])
    options = tuple(option for each in found[:SHOWN] for option in _labelled(session, person, each, len(found)))
    return Reply(_("上一位志愿者给你留了话，是关于{who}的。").format(who=names), options)


def _labelled(session: Session, person: Person, each: relaying_lists.Handing, count: int) -> tuple[Option, ...]:
    options = note_option(session, person.id, each.relay.id)
    if count == 1:
        return options
    label = _("{item}：{value}").format(item=served(session, person, each.somebody), value=options[0].label)
    return (Option(options[0].id, label),)


HAND_OVER = Dialogue(HAND_OVER_NAME, RelayFacts, _prepare, _talk, _perform)


def told_at_once(words: str) -> tuple[Dialogue, dict[str, Answer]] | None:
    """A wish that says what it is (“我六月毕业去深圳小宇咋办”): the talk, and that answer."""
    if JOINS.search(words) or (OTHERS.search(words) and not MYSELF.search(words)):
        return None
    what = next((what for pattern, what in LEAVES if pattern.search(words)), None)
    return (HAND_OVER, {"what": {"c": what}}) if what is not None else None
