"""要打电话的人: whom of one's region no door reaches now, the number to call, and what the call came to.

On the list nobody's words and nobody's number stand. A number is shown on a press of its own, which leaves a line in
the audit trail: in the chat where that is private enough, else on a one-time page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.catalogue import rules
from config.texts import _
from handlers.checks import written_number
from handlers.contact_words import age_of
from handlers.dialogue import Ask, Choice, Dialogue, Further, Talk
from handlers.here import here
from handlers.late import asked
from handlers.message import Link, Option, Reply, Written
from handlers.paging import PAGE, ListFacts, Show, next_begin, onward, pick, where
from handlers.sending_words import kind, lane, reason
from handlers.somebody import called, who
from models import audit, calls, calls_undone
from models.calls import Listed, NotTheirs, ToCall
from models.contact import ContactMessage, county_of, words_of
from models.outbox import journeys
from models.page import issue_page
from models.person import Person, doors, local_now
from models.role import grants

ANSWER = "notice.contact_answer"
LATE = timedelta(days=60)  # so long the button that undoes a call is understood, to say that it is too late
MOST_TOLD = 5  # messages of somebody that are told of one by one
MOST_WORDS = 200  # characters of an answer


def _list_facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _list_talk(facts: ListFacts) -> Talk:
    return (yield from pick(facts, _("想看哪一位？"), _("后面的人")))


def _list(session: Session, person: Person, command: Show) -> Reply:
    if not any(held.scope_kind == "region" for held in grants(session, person.id)):
        text = _("“要打电话的人”是负责的同事用的，里面是现在发不到消息的人。想找负责的同事，回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    if command.entry:
        return _opened(session, person, command.entry)
    waiting = calls.list_for(session, person.id)
    if not waiting:
        return Reply(_("现在没有只能打电话找到的人。有消息送不到的人会列在这里，谢谢你！"))
    begin = next_begin([each.person_id for each in waiting], command)
    return _page(session, person, waiting, begin)


def _page(session: Session, person: Person, waiting: list[ToCall], begin: int) -> Reply:
    shown = waiting[begin : begin + PAGE]
    lines = [_("有 {count} 位现在发不到消息，要打电话；最急的在前面。").format(count=len(waiting))]
    lines += where(begin, len(waiting))
    labels = [(each.person_id, _label(session, each)) for each in shown]
    labels += onward(begin, len(waiting), _("后面的人"))
    facts = ListFacts(ids=tuple(each.person_id for each in shown), first=begin)
    return Reply("\n".join(lines), asked(session, person.id, CALLS.name, "pick", facts, labels), numbered=True)


def _label(session: Session, each: ToCall) -> str:
    name, age = called(session, each.person_id), age_of(session, each.since)
    return _("{who}，{lane} {count} 条，{age}").format(who=name, lane=lane(each.priority), count=each.count, age=age)


def _opened(session: Session, person: Person, person_id: str) -> Reply:
    found = calls.to_call(session, person_id)
    if not calls.is_theirs(session, person_id, person.id):
        return _not_theirs()
    if not found:
        return Reply(_("这位现在不用打电话了：消息已经送到、撤下，或者有别的同事打过了。"), (_list_option(),))
    each = found[0]
    lines = [called(session, person_id)]
    county = county_of(session, person_id)
    if county and here(session).sensitive_in_chat:
        lines.append(_("所在地：{place}").format(place=regions.place_name(county)))
    lines.append(_("{count} 条消息没有送到，最早的：{age}。").format(count=each.count, age=age_of(session, each.since)))
    lines.append(_("最急的：{lane}。原因：{why}。").format(lane=lane(each.priority), why=reason(each.why)))
    lines += _what(session, person, person_id, each.count)
    lines += _tried(session, person_id, each.since)
    return Reply("\n".join(lines), (*_buttons(session, person, person_id, each.newest), _list_option()))


def _what(session: Session, person: Person, person_id: str, count: int) -> list[str]:
    """What there is to tell, so that whoever calls need not be who wrote it."""
    shown = calls.listed(session, person_id, MOST_TOLD)
    lines = [_("要说的：")]
    for each in shown:
        words = _answer(session, person, each) if each.kind == ANSWER else None
        told = _("{item}：{value}").format(item=kind(each.kind), value=words) if words else kind(each.kind)
        lines.append(_("· {what}（{age}）").format(what=told, age=age_of(session, each.created_at)))
    if count > len(shown):
        lines.append(_("另外还有 {count} 条。").format(count=count - len(shown)))
    if any(each.kind == ANSWER for each in shown) and not here(session).sensitive_in_chat:
        lines.append(_("答复的内容不在这里显示，请到微信里看，或问写答复的同事。"))
    return lines


def _answer(session: Session, person: Person, message: Listed) -> str | None:
    """How an answer begins that a colleague wrote, where this platform may carry it; to be shown it is noted."""
    row = session.get(ContactMessage, message.about) if here(session).sensitive_in_chat else None
    words = words_of(session, row) if row is not None else None
    if row is None or not words:
        return None
    audit.note(session, person.id, "call.words", row.id)
    line = " ".join(words.split())
    return line if len(line) <= MOST_WORDS else line[:MOST_WORDS] + "…"


def _tried(session: Session, person_id: str, since: datetime) -> list[str]:
    at = calls.last_missed(session, person_id, since)
    return [_("上次打电话没有打通：{age}。").format(age=age_of(session, at))] if at is not None else []


def _list_option() -> Option:
    return Option("m:calls", _("要打电话的人"))


def _not_theirs() -> Reply:
    return Reply(_("这位现在不归你负责，看不了。"), (_list_option(),))


CALLS = Dialogue("calls", ListFacts, _list_facts, _list_talk, _list, repeats=True)


class CallFacts(BaseModel):
    """Whom to call, and up to when (ISO) the messages that were on the screen were made."""

    person: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """`what`: "phone" = show the number; "told" or "missed" = what the call came to."""

    person: str
    until: str
    what: str


def _call_facts(session: Session, person: Person) -> CallFacts:
    return CallFacts()


def _call_talk(facts: CallFacts) -> Talk:
    if not facts.person:
        return None
    what = yield Ask("what", _("要打电话吗？"), choices=_call_choices())
    if what == "called":
        what = yield Ask(
            "how",
            _("打通了吗？打通了，这些消息就不再发；没打通，消息留着，等对方来说话时再给。"),
            choices=(
                Choice("told", _("打通了，都说到了"), words=(_("打通了"), _("说到了"))),
                Choice("missed", _("没打通"), words=(_("没人接"),)),
            ),
        )
    return Call(facts.person, facts.until, what)


def _call_choices() -> tuple[Choice, ...]:
    return (
        Choice("phone", _("看登记的电话"), words=(_("电话"),)),
        Choice("called", _("打过了"), words=(_("打过电话了"),)),
        Choice("missed", _("没打通"), words=(_("没人接"),)),
    )


def _call(session: Session, person: Person, command: Call) -> Reply | Further:
    try:
        if command.what == "phone":
            return _phone(session, person, command)
        if command.what == "missed":
            calls.missed(session, command.person, person.id)
            return Reply(_("记下了：没打通。这位留在名单上；没有撤下的消息，对方来说话时会收到。"), (_list_option(),))
        count, at = calls.told(session, command.person, person.id, datetime.fromisoformat(command.until))
    except NotTheirs:
        return _not_theirs()
    if not count:
        return Reply(_("记下了。这些消息在这之前已经送到或撤下了。"), (_list_option(),))
    said = _("记下了：已经打电话说到，{count} 条消息不再发。谢谢你！\n其实还没说到，请在一小时内选“按错了，还没说到”。")
    undo = UndoFacts(person=command.person, at=at.isoformat())
    back = asked(session, person.id, CALL_UNDO.name, "sure", undo, [("yes", _undoing().label)], lasts=LATE)
    return Reply(said.format(count=count), (*back, _list_option()))


def _phone(session: Session, person: Person, command: Call) -> Reply:
    """Where the number is read: on a page of its own, on every platform."""
    place = here(session)
    if not calls.is_theirs(session, command.person, person.id):
        return _not_theirs()
    if not calls.has_phone(session, command.person):
        return Reply(_("对方没有登记电话，我们没有号码可以打。"), (_list_option(),))
    again = _buttons_of(session, person, CallFacts(person=command.person, until=command.until), _call_choices()[1:])
    if not place.public_url:
        text = _("这里现在打不开网页，看不了电话。请值班的人用 nuanyang calls --phones 查看。")
        return Reply(text, again)
    token = issue_page(session, person.id, "data", {"call": command.person}, door_id=place.door_id)
    said = _("登记的电话在网页上看，{minutes} 分钟内有效，只给你自己看，不要转发；看过会留下记录。")
    link = Link(place.page(token), _("打开看电话"))
    return Reply(said.format(minutes=rules().doors.page_minutes), again, (link,))


class UndoFacts(BaseModel):
    """Whom a call was written down about, and when (ISO)."""

    person: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """It was not said."""

    person: str
    at: str


def _undo_facts(session: Session, person: Person) -> UndoFacts:
    return UndoFacts()


def _undo_talk(facts: UndoFacts) -> Talk:
    if not facts.person:
        return None
    sure = yield Ask("sure", _("要改回“还没说到”吗？"), choices=(_undoing(), Choice("no", _("不改"))))
    return Undo(facts.person, facts.at) if sure == "yes" else None


def _undoing() -> Choice:
    return Choice("yes", _("按错了，还没说到"), words=(_("按错了"), _("还没说到")))


def _undo(session: Session, person: Person, command: Undo) -> Reply:
    try:
        count = calls_undone.untold(session, command.person, person.id, datetime.fromisoformat(command.at))
    except NotTheirs:
        return _not_theirs()
    if not count:
        return Reply(_("过了一小时，或者对方已经离开，改不回来了。要说的话，请打电话告诉对方。"), (_list_option(),))
    said = _("改回来了：{count} 条消息又等着发。发不到的，还在“要打电话的人”里。")
    return Reply(said.format(count=count), (_list_option(),))


CALL_UNDO = Dialogue("call_undo", UndoFacts, _undo_facts, _undo_talk, _undo)

CALL = Dialogue("call", CallFacts, _call_facts, _call_talk, _call, repeats=True)


def _buttons(session: Session, person: Person, person_id: str, until: datetime) -> tuple[Option, ...]:
    facts = CallFacts(person=person_id, until=until.isoformat())
    choices = _call_choices() if calls.has_phone(session, person_id) else _call_choices()[1:]
    return _buttons_of(session, person, facts, choices)


def _buttons_of(session: Session, person: Person, facts: CallFacts, choices: tuple[Choice, ...]) -> tuple[Option, ...]:
    return asked(session, person.id, CALL.name, "what", facts, [(choice.value, choice.label) for choice in choices])


def phone_page(session: Session, reader: str, person_id: str, *, reading: bool) -> Written | None:
    """The number of somebody to call, for whoever answers for them now; None for anybody else. `reading` = it is shown
    now, which leaves a line in the audit trail."""
    if not calls.is_theirs(session, person_id, reader) or not calls.has_phone(session, person_id):
        return None
    number = calls.phone(session, person_id, reader) if reading else ""
    shown = _("登记的电话：{phone}").format(phone=written_number(number)) if number else ""
    return Written(who(session, person_id), shown, _("只用来告诉对方没有送到的消息，请不要转发。"))


def _unreachable(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """For whoever is responsible: somebody left or blocked us. None once they are back, or somebody else's."""
    gone = str(params["person"])
    if doors(session, gone) or not calls.is_theirs(session, gone, person.id):
        return None
    said = _("现在收不到我们的消息了：{who}。原因是取消了关注、停用或屏蔽，也没有别的渠道。")
    waits = calls.to_call(session, gone)
    if not params.get("unread") or not waits:
        what = _("有事要说请打电话；对方回来说话，就又能收到。")
    elif params.get("withdrawn"):
        what = _("给对方的答复，对方没有看到，已经撤下，不会再发：请打电话告诉对方。")
    else:
        what = _("给对方的答复，对方还没有看到：请打电话告诉对方；对方回来说话，也会收到。")
    labels = [("phone", _("看登记的电话"))] if calls.has_phone(session, gone) else []
    facts = CallFacts(person=gone, until=local_now(session, person).isoformat())
    options = asked(session, person.id, CALL.name, "what", facts, labels) if labels else ()
    listed = (_list_option(),) if waits else ()
    return Reply(f"{said.format(who=called(session, gone))}\n{what}", (*options, *listed))


def _unsure(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """For whoever wrote an answer of which nobody knows whether it came. None once it has, or is gone."""
    answer = session.get(ContactMessage, str(params["message"]))
    if answer is None or answer.words_sealed is None:
        return None
    if any(each.state == "sent" for each in journeys(session, ANSWER, f"contact:{answer.id}:")):
        return None
    said = _("你给{who}的答复，不确定有没有送到：平台没有给回音。对方下次说话时会再发一次，标明“补发”。")
    said = said.format(who=called(session, answer.asker_id))
    if not calls.is_theirs(session, answer.asker_id, person.id):
        return Reply(said)
    return Reply("\n".join([said, _("不能等，就打电话告诉对方。")]), (_list_option(),))


def _lost(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """For somebody who is back after leaving while an answer was under way."""
    text = _("你离开的时候，负责的同事给你的答复你还没有看到，已经随聊天内容删除了。想知道，请回复“联系专员”再问一次。")
    return Reply(text, (Option("m:contact", _("联系专员")),))


NOTICES = {"notice.unreachable": _unreachable, "notice.answer_unsure": _unsure, "notice.answer_lost": _lost}
