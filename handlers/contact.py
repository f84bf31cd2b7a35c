"""联系专员: what somebody writes goes to whoever is responsible, with a button to answer; a person answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.emergency import emergency_text
from handlers.free_text import free_words
from handlers.here import here
from handlers.late import asked
from handlers.message import Link, Option, Reply, Written
from models.contact import (
    MAX_WORDS,
    ContactError,
    ContactMessage,
    answer,
    answers_for,
    is_too_many,
    may_answer,
    may_read,
    words_of,
    write,
)
from models.page import issue_page
from models.person import Person, address_form
from models.volunteer import volunteer_of


class ContactFacts(BaseModel):
    """`anybody` = somebody answers for this person; `thread` = it goes on with an answer that was given; `too_many` =
    there is nothing to ask, since no more will be taken within this hour."""

    anybody: bool = True
    thread: str = ""
    too_many: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """What to pass on; without words it was too many before anything was asked."""

    words: str
    thread: str


def _contact_facts(session: Session, person: Person) -> ContactFacts:
    return ContactFacts(anybody=bool(answers_for(session, person.id)), too_many=is_too_many(session, person.id))


def _contact_talk(facts: ContactFacts) -> Talk:
    if facts.too_many:
        return Contact("", facts.thread)
    if facts.thread:
        more = yield Ask("more", _("要接着说吗？"), choices=(Choice("write", _("接着说")), Choice("no", _("不用了"))))
        if more == "no":
            return None
    if facts.anybody:
        text = _("请写下想说的事，{limit} 字以内，我会转给负责你的同事，由真人回复。").format(limit=MAX_WORDS)
    else:
        text = _(
            "请写下想说的事，{limit} 字以内。你这里暂时还没有负责的同事，我会先保存下来，由系统的工作人员查看。"
        ).format(limit=MAX_WORDS)
    words = yield Ask("words", text, check=free_words(MAX_WORDS))
    return Contact(words, facts.thread)


def _contact(session: Session, person: Person, command: Contact) -> Reply:
    if not command.words:
        return _too_many(_("先不用再写了。"))
    try:
        _row, receivers = write(session, person.id, command.words, command.thread)
    except ContactError:
        return _too_many(_("这一条没有转，也没有保存。"))
    if receivers:
        passed = _("已经记下，正在转给负责的同事；有人回复，就会发到这里。急事请不要只等消息：")
        return Reply(f"{passed}\n{emergency_text()}")
    kept = _(
        "记下了。现在还没有负责你这里的同事，这段话已经保存，由系统的工作人员查看，回复可能要等几天。急事请不要等："
    )
    return Reply(f"{kept}\n{emergency_text()}")


def _too_many(what: str) -> Reply:
    many = _(
        "一小时里最多写 {count} 条，你已经写满了。{what}"
        "之前的都在，请等负责的同事看完；过一会儿还可以再写。急事请打电话："
    )
    return Reply(f"{many.format(count=rules().messages.contacts_per_hour, what=what)}\n{emergency_text()}")


CONTACT = Dialogue("contact", ContactFacts, _contact_facts, _contact_talk, _contact)


class AnswerFacts(BaseModel):
    """Which message is answered."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to pass on."""

    message: str
    words: str


def _answer_facts(session: Session, person: Person) -> AnswerFacts:
    return AnswerFacts()


def _answer_talk(facts: AnswerFacts) -> Talk:
    if not facts.message:
        return None
    go = yield Ask("go", _("要回复吗？"), choices=(Choice("write", _("回复")), Choice("no", _("不回复"))))
    if go == "no":
        return None
    words = yield Ask(
        "words",
        _("请写回复，{limit} 字以内，会原样转给对方。不要写别人的电话、住址和证件号。").format(limit=MAX_WORDS),
        check=free_words(MAX_WORDS),
    )
    return Answered(facts.message, words)


def _answer(session: Session, person: Person, command: Answered) -> Reply:
    try:
        answer(session, command.message, person.id, command.words)
    except ContactError as cannot:
        if cannot.reason == "not_yours":
            return Reply(_("这位志愿者现在不归你负责，没有转。"))
        return Reply(_("这条消息已经不在了（对方可能删除了数据或离开了），没有转。"))
    return Reply(_("已经记下，正在转给对方。"))


CONTACT_ANSWER = Dialogue("contact_answer", AnswerFacts, _answer_facts, _answer_talk, _answer)


def _contact_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = session.get(ContactMessage, str(params["message"]))
    words = words_of(session, row) if row else None
    if row is None or words is None or row.answered_at is not None or not may_answer(session, row, person.id):
        return None
    facts = AnswerFacts(message=row.id)
    options = asked(session, person.id, CONTACT_ANSWER.name, "go", facts, [("write", _("回复"))])
    if here(session).sensitive_in_chat:
        return Reply(_("来自{who}：\n{words}").format(who=_who(session, row.asker_id), words=words), options)
    return _elsewhere(
        session, person, row, _("有人联系你（{who}）。").format(who=_number(session, row.asker_id)), options
    )


def _elsewhere(session: Session, person: Person, row: ContactMessage, text: str, options: tuple[Option, ...]) -> Reply:
    """What a person wrote never passes through this platform: it is read on a page, or in another chat."""
    place, hours = here(session), rules().doors.message_page_hours
    if not place.public_url:
        return Reply(text + "\n" + _("内容不在这里显示，请到微信里看。"), options)
    token = issue_page(
        session, person.id, "data", {"message": row.id}, door_id=place.door_id, lasts=timedelta(hours=hours)
    )
    where = _("内容不在这里显示，请点链接在网页上看（{hours} 小时内有效，只给你自己看，不要转发）。")
    lines = [text, where.format(hours=hours)]
    if not row.by_asker:
        lines.append(_("过期了可以回复“我的数据”看。"))
    return Reply("\n".join(lines), options, links=(Link(place.page(token), _("看写了什么")),))


def written(session: Session, reader: str, message: str) -> Written | None:
    """What a page with one message shows to its reader; None where it is gone or no longer theirs to read."""
    row = session.get(ContactMessage, message)
    words = words_of(session, row) if row else None
    if row is None or words is None or not may_read(session, row, reader):
        return None
    title = _("来自{who}").format(who=_who(session, row.asker_id)) if row.by_asker else _("负责的同事的回复")
    return Written(title, words)


def _who(session: Session, person_id: str) -> str:
    """The asker by form of address and volunteer number; never by name or phone."""
    asker = session.get(Person, person_id)
    form = address_form(session, asker) if asker else None
    number = _number(session, person_id)
    return _("{what}（{number}）").format(what=form, number=number) if form else number


def _number(session: Session, person_id: str) -> str:
    registered = volunteer_of(session, person_id)
    return _("志愿者 {number}").format(number=registered.number) if registered else _("还没有注册的人")


def _answer_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = session.get(ContactMessage, str(params["message"]))
    words = words_of(session, row) if row else None
    author = session.get(Person, row.author_id) if row else None
    if row is None or words is None or author is None:
        return None
    options: tuple[Option, ...] = asked(
        session, person.id, CONTACT.name, "more", ContactFacts(thread=row.thread), [("write", _("接着说"))]
    )
    if not here(session).sensitive_in_chat:
        return _elsewhere(session, person, row, _("负责的同事回复你了。"), options)
    form = address_form(session, author)
    who = _("{form}回复你：").format(form=form) if form else _("负责的同事回复你：")
    return Reply(f"{who}\n{words}", options)


NOTICES = {"notice.contact": _contact_notice, "notice.contact_answer": _answer_notice}
