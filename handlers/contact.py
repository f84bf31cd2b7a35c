"""联系专员: what somebody writes goes to whoever is responsible, and can be added to or taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.contact_words import age, elsewhere
from handlers.dialogue import Ask, Choice, Dialogue, Further, Talk
from handlers.free_text import free_words
from handlers.here import here
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.numbers import numbers_to_call
from models.contact import (
    MAX_WORDS,
    ContactError,
    ContactMessage,
    is_heard,
    is_too_many,
    latest,
    take_back,
    ways,
    words_of,
    write,
)
from models.copy import PLATFORMS
from models.person import Person, address_form, doors

QUOTED = 20  # characters of a message that its answer names


class ContactFacts(BaseModel):
    """`anybody` = somebody answers for this person; `thread` = it goes on with an answer that was given; `too_many` =
    there is nothing to ask, since no more will be taken within this hour; `late` = asked outside a talk: whether the
    other two are so is found out when it is answered. `ways` = what it may be about, by which different
    people hear of it (models/contact_routes.py), with the team's name."""

    anybody: bool = True
    thread: str = ""
    too_many: bool = False
    late: bool = False
    ways: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """What to pass on; without words it was too many before anything was asked. `late` as in ContactFacts."""

    words: str
    thread: str
    late: bool = False
    about: str = ""


def _contact_facts(session: Session, person: Person, thread: str = "") -> ContactFacts:
    found = [] if thread else ways(session, person.id)
    return ContactFacts(
        anybody=is_heard(session, person.id),
        thread=thread,
        too_many=is_too_many(session, person.id),
        ways=tuple((each.about, each.name) for each in found),
    )


def _contact_talk(facts: ContactFacts) -> Talk:
    if facts.too_many:
        return Contact("", facts.thread)
    if facts.thread:
        write = Choice("write", _("接着说"), words=(_("补充留言"), _("补充")))
        more = yield Ask("more", _("要接着说吗？"), choices=(write, Choice("no", _("不用了"))))
        if more == "no":
            return None
    if facts.late:
        return Contact("", facts.thread, late=True)
    return (yield from _words_talk(facts))


def _words_talk(facts: ContactFacts) -> Talk:
    if facts.too_many:
        return Contact("", facts.thread)
    if facts.anybody:
        text = _("请写下想说的事，{limit} 字以内，我会转给负责你的同事，由真人回复。").format(limit=MAX_WORDS)
    else:
        text = _(
            "请写下想说的事，{limit} 字以内。你这里暂时还没有负责的同事，我会先保存下来，由系统的工作人员查看。"
        ).format(limit=MAX_WORDS)
    about = facts.ways[0][0] if facts.ways else ""
    if len(facts.ways) > 1:
        about = yield Ask(
            "about",
            _("想说的事和哪一个有关？选一个，我好转给负责的同事。"),
            tuple(Choice(key, name or _family_label(key)) for key, name in facts.ways),
        )
    words = yield Ask("words", text, check=free_words(MAX_WORDS), told=True)
    return Contact(words, facts.thread, about=about)


def _family_label(key: str) -> str:
    """Somebody served, by a mark that every platform may carry."""
    return _("家里的事（档案 {mark}）").format(mark=key[-6:].upper())


def _contact(session: Session, person: Person, command: Contact) -> Reply | Further:
    now = _contact_facts(session, person, command.thread) if command.late else None
    if now is not None and not now.too_many:
        return Further(now)
    if not command.words:
        return _too_many(session, person, _("先不用再写了。"))
    try:
        row, receivers = write(session, person.id, command.words, command.thread, command.about)
    except ContactError:
        return _too_many(session, person, _("这一条没有转，也没有保存。"))
    said = (
        _kept(session, person)
        if receivers
        else _(
            "记下了。现在还没有负责你这里的同事，这段话已经保存，由系统的工作人员查看，回复可能要等几天。急事请不要等："
        )
    )
    return Reply(f"{said}\n{numbers_to_call(session, person)}", _second_thoughts(session, person, row))


def _kept(session: Session, person: Person) -> str:
    """That it is passed on, and where an answer will come: by the preferred door, wherever it was written."""
    preferred = next((door for door in doors(session, person.id) if door.id == person.preferred_door_id), None)
    if preferred is None or preferred.id == here(session).door_id:
        return _("已经记下，正在转给负责的同事；有人回复，就会发到这里。急事请不要只等消息：")
    said = _("已经记下，正在转给负责的同事；有人回复，会先发到你选的优先渠道：{platform}。急事请不要只等消息：")
    return said.format(platform=_(PLATFORMS.get(preferred.platform, preferred.platform)))


def _second_thoughts(session: Session, person: Person, row: ContactMessage) -> tuple[Option, ...]:
    """What was written has gone out as it stands, so that nothing said is lost; here it is added to or taken back."""
    facts = ContactFacts(thread=row.thread, late=True)
    more = asked(session, person.id, CONTACT.name, "more", facts, [("write", _("补充留言"))])
    undo = UndoFacts(message=row.id)
    return (*more, *asked(session, person.id, CONTACT_UNDO.name, "sure", undo, [("yes", _("撤回留言"))]))


def _too_many(session: Session, person: Person, what: str) -> Reply:
    many = _(
        "一小时里最多写 {count} 条，你已经写满了。{what}"
        "之前的都在，请等负责的同事看完；过一会儿还可以再写。急事请打电话："
    )
    said = many.format(count=rules().messages.contacts_per_hour, what=what)
    return Reply(f"{said}\n{numbers_to_call(session, person)}")


CONTACT = Dialogue("contact", ContactFacts, _contact_facts, _contact_talk, _contact, repeats=True, offers=True)


def _more_facts(session: Session, person: Person) -> ContactFacts:
    """补充留言, typed where its button is no longer on the screen: it goes on with what was written last."""
    last = latest(session, person.id)
    return _contact_facts(session, person, last.thread if last is not None else "")


CONTACT_MORE = Dialogue("contact_more", ContactFacts, _more_facts, _words_talk, _contact, offers=True)


class UndoFacts(BaseModel):
    """Which message is to be taken back; `typed` = by words without a button, which say all there is to ask."""

    message: str = ""
    typed: bool = False


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Take this message back."""

    message: str


def _undo_facts(session: Session, person: Person) -> UndoFacts:
    """撤回留言, typed where its button is no longer on the screen: it means what was written last."""
    last = latest(session, person.id)
    return UndoFacts(message=last.id if last is not None else "", typed=True)


def _undo_talk(facts: UndoFacts) -> Talk:
    if facts.typed:
        return TakeBack(facts.message)
    back = Choice("yes", _("撤回留言"), words=(_("撤回"),))
    sure = yield Ask("sure", _("要撤回刚才的留言吗？"), choices=(back, Choice("no", _("不撤回"))))
    return TakeBack(facts.message) if sure == "yes" else None


def _undo(session: Session, person: Person, command: TakeBack) -> Reply:
    if not command.message:
        return Reply(_("现在没有可以撤回的留言。"), (Option("m:contact", _("联系专员")),))
    try:
        seen = take_back(session, command.message, person.id)
    except ContactError as cannot:
        why = {
            "answered": _("已经有人答复了，撤不回来。想更正，请再写一句。"),
            "read": _("负责的同事已经打开看过，撤不回来。想更正，请再写一句。"),
        }.get(cannot.reason, _("这条留言已经不在了，不用再撤。"))
        return Reply(why, (Option("m:contact", _("联系专员")),))
    if seen:
        return Reply(_("已经撤回并删除，不用等答复了。不过它刚才已经发到负责的同事那里，对方可能已经看到。"))
    return Reply(_("已经撤回并删除，没有发给任何人。"))


CONTACT_UNDO = Dialogue("contact_undo", UndoFacts, _undo_facts, _undo_talk, _undo)


def _answer_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = session.get(ContactMessage, str(params["message"]))
    words = words_of(session, row) if row else None
    author = session.get(Person, row.author_id) if row else None
    if row is None or words is None or author is None:
        return None
    facts = ContactFacts(thread=row.thread, late=True)
    options = asked(session, person.id, CONTACT.name, "more", facts, [("write", _("接着说"))])
    question = session.get(ContactMessage, str(params.get("asked", "")))
    if not here(session).sensitive_in_chat:
        said = _("负责的同事回复你了。")
        if question is not None:
            said += _("你的留言写于：{age}。").format(age=age(session, question))
        return elsewhere(session, person, row, said, options)
    form = address_form(session, author)
    who = _("{form}回复你：").format(form=form) if form else _("负责的同事回复你：")
    lines, about = [who, words], words_of(session, question) if question else None
    if about:
        # Of several messages it must be clear which one is meant.
        lines.append(_("（你问的是：“{words}”）").format(words=_beginning(about)))
    return Reply("\n".join(lines), options)


def _beginning(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= QUOTED else line[:QUOTED] + "…"


NOTICES = {"notice.contact_answer": _answer_notice}
