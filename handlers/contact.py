"""联系专员: what somebody writes goes to whoever is responsible, with a button to answer; a person answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.free_text import free_words
from handlers.here import here
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.safeguarding import emergency_text
from models.contact import MAX_WORDS, ContactError, ContactMessage, answer, answers_for, may_answer, words_of, write
from models.person import Person, address_form
from models.volunteer import volunteer_of


class ContactFacts(BaseModel):
    """`anybody` = somebody answers for this person; `thread` = it goes on with an answer that was given."""

    anybody: bool = True
    thread: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """What to pass on."""

    words: str
    thread: str


def _contact_facts(session: Session, person: Person) -> ContactFacts:
    return ContactFacts(anybody=bool(answers_for(session, person.id)))


def _contact_talk(facts: ContactFacts) -> Talk:
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
    _row, receivers = write(session, person.id, command.words, command.thread)
    if receivers:
        passed = _("已经记下，正在转给负责的同事；有人回复，就会发到这里。急事请不要只等消息：")
        return Reply(f"{passed}\n{emergency_text()}")
    kept = _(
        "记下了。现在还没有负责你这里的同事，这段话已经保存，由系统的工作人员查看，回复可能要等几天。急事请不要等："
    )
    return Reply(f"{kept}\n{emergency_text()}")


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

_NUMBERS = re.compile(r"(?<!\d)(?:\d{17}[\dXx]|\+?\d[\d \-]{8,}\d)(?!\d)")


def _shown(session: Session, words: str) -> str:
    """What may be shown on this platform: no long numbers (phones, IDs) where sensitive things must not pass."""
    return words if here(session).sensitive_in_chat else _NUMBERS.sub(_("〔号码不在这里显示〕"), words)


def _contact_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = session.get(ContactMessage, str(params["message"]))
    words = words_of(session, row) if row else None
    if row is None or words is None or row.answered_at is not None or not may_answer(session, row, person.id):
        return None
    text = _("来自{who}：\n{words}").format(who=_who(session, row.asker_id), words=_shown(session, words))
    facts = AnswerFacts(message=row.id)
    return Reply(text, asked(session, person.id, CONTACT_ANSWER.name, "go", facts, [("write", _("回复"))]))


def _who(session: Session, person_id: str) -> str:
    """The asker by form of address and volunteer number; never by name or phone."""
    asker = session.get(Person, person_id)
    form = address_form(session, asker) if asker else None
    registered = volunteer_of(session, person_id)
    number = _("志愿者 {number}").format(number=registered.number) if registered else _("还没有注册的人")
    return _("{what}（{number}）").format(what=form, number=number) if form else number


def _answer_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = session.get(ContactMessage, str(params["message"]))
    words = words_of(session, row) if row else None
    author = session.get(Person, row.author_id) if row else None
    if row is None or words is None or author is None:
        return None
    form = address_form(session, author)
    who = _("{form}回复你：").format(form=form) if form else _("负责的同事回复你：")
    options: tuple[Option, ...] = asked(
        session, person.id, CONTACT.name, "more", ContactFacts(thread=row.thread), [("write", _("接着说"))]
    )
    return Reply(f"{who}\n{_shown(session, words)}", options)


NOTICES = {"notice.contact": _contact_notice, "notice.contact_answer": _answer_notice}
