"""要打电话的人: whom of one's region no door reaches now, the number to call, and what the call came to.

On the list nobody's words and nobody's number stand. A number is shown on a press of its own, which leaves a line in
the audit trail: in the chat where that is private enough, else on a one-time page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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
from handlers.sending_words import lane, reason
from handlers.somebody import who
from models import calls
from models.calls import NotTheirs, ToCall
from models.contact import county_of
from models.page import issue_page
from models.person import Person, address_form, doors, local_now
from models.role import grants


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
        return Reply(_("现在没有只能打电话找到的人。发不到消息的人会列在这里，谢谢你！"))
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
    called, age = _called(session, each.person_id), age_of(session, each.since)
    return _("{who}，{lane} {count} 条，{age}").format(who=called, lane=lane(each.priority), count=each.count, age=age)


def _called(session: Session, person_id: str) -> str:
    """By form of address and number; by the number alone where the platform carries no more."""
    number = who(session, person_id)
    somebody = session.get(Person, person_id) if here(session).sensitive_in_chat else None
    form = address_form(session, somebody) if somebody else None
    return _("{what}（{number}）").format(what=form, number=number) if form else number


def _opened(session: Session, person: Person, person_id: str) -> Reply:
    found = calls.to_call(session, person_id)
    if not calls.is_theirs(session, person_id, person.id):
        return _not_theirs()
    if not found:
        return Reply(_("这位现在不用打电话了：消息已经送到、撤下，或者有别的同事打过了。"), (_list_option(),))
    each = found[0]
    lines = [_called(session, person_id)]
    county = county_of(session, person_id)
    if county and here(session).sensitive_in_chat:
        lines.append(_("所在地：{place}").format(place=regions.place_name(county)))
    lines.append(_("{count} 条消息没有送到，最早的：{age}。").format(count=each.count, age=age_of(session, each.since)))
    lines.append(_("最急的：{lane}。原因：{why}。").format(lane=lane(each.priority), why=reason(each.why)))
    lines += _tried(session, person_id, each.since)
    return Reply("\n".join(lines), (*_buttons(session, person, person_id, each.newest), _list_option()))


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
    )


def _call(session: Session, person: Person, command: Call) -> Reply | Further:
    try:
        if command.what == "phone":
            return _phone(session, person, command)
        if command.what == "missed":
            calls.missed(session, command.person, person.id)
            return Reply(_("记下了：没打通。消息都留着，对方来说话时会收到。"), (_list_option(),))
        count = calls.told(session, command.person, person.id, datetime.fromisoformat(command.until))
    except NotTheirs:
        return _not_theirs()
    if not count:
        return Reply(_("记下了。这些消息在这之前已经送到或撤下了。"), (_list_option(),))
    said = _("记下了：已经打电话说到，{count} 条消息不再发。谢谢你！")
    return Reply(said.format(count=count), (_list_option(),))


def _phone(session: Session, person: Person, command: Call) -> Reply:
    place = here(session)
    if not calls.is_theirs(session, command.person, person.id):
        return _not_theirs()
    if not calls.has_phone(session, command.person):
        return Reply(_("对方没有登记电话，我们没有号码可以打。"), (_list_option(),))
    again = _button(session, person, command, "called", _("打过了"))
    if place.sensitive_in_chat:
        number = written_number(calls.phone(session, command.person, person.id))
        text = _("登记的电话（{who}）：{phone}\n只用来告诉对方这些消息，请不要转发。看过已经留下记录。")
        return Reply(text.format(who=_called(session, command.person), phone=number), again)
    if not place.public_url:
        text = _("这里现在打不开网页，看不了电话。请到微信里看，或请值班的人用 nuanyang calls --phones 查看。")
        return Reply(text, again)
    token = issue_page(session, person.id, "data", {"call": command.person}, door_id=place.door_id)
    said = _("登记的电话在网页上看，{minutes} 分钟内有效，只给你自己看，不要转发；看过会留下记录。")
    link = Link(place.page(token), _("打开看电话"))
    return Reply(said.format(minutes=rules().doors.page_minutes), again, (link,))


CALL = Dialogue("call", CallFacts, _call_facts, _call_talk, _call, repeats=True)


def _button(session: Session, person: Person, command: Call, value: str, label: str) -> tuple[Option, ...]:
    facts = CallFacts(person=command.person, until=command.until)
    return asked(session, person.id, CALL.name, "what", facts, [(value, label)])


def _buttons(session: Session, person: Person, person_id: str, until: datetime) -> tuple[Option, ...]:
    facts = CallFacts(person=person_id, until=until.isoformat())
    labels = [(choice.value, choice.label) for choice in _call_choices()]
    if not calls.has_phone(session, person_id):
        labels = labels[1:]
    return asked(session, person.id, CALL.name, "what", facts, labels)


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
    text = _(
        "现在收不到我们的消息了：{who}。原因是取消了关注、停用或屏蔽，也没有别的渠道。有事要说请打电话；对方回来说话，就又能收到。"
    )
    labels = [("phone", _("看登记的电话"))] if calls.has_phone(session, gone) else []
    facts = CallFacts(person=gone, until=local_now(session, person).isoformat())
    options = asked(session, person.id, CALL.name, "what", facts, labels) if labels else ()
    return Reply(text.format(who=_called(session, gone)), options)


NOTICES = {"notice.unreachable": _unreachable}
