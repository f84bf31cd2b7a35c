"""留言: what specialists and organisers have to answer, as a list, one by one, and the answer to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session, col, select

from config.texts import _
from handlers.contact_words import age, elsewhere, how_to_answer, number, who
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Talk, folded
from handlers.free_text import free_words
from handlers.here import here
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.paging import PAGE, ListFacts, Show, next_begin, onward, pick, where
from models.contact import (
    MAX_WORDS,
    ContactError,
    ContactMessage,
    answer,
    may_answer,
    read_words,
    words_of,
)
from models.contact_waiting import waiting_for
from models.person import Person
from models.role import grants
from models.volunteer import volunteer_of


class AnswerFacts(BaseModel):
    """Which message is answered, and the volunteer number of whoever wrote it (empty without one)."""

    message: str = ""
    number: str = ""


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
    to = _("志愿者 {number}").format(number=facts.number) if facts.number else _("对方")
    text = _("请写回复，{limit} 字以内，会原样转给{who}。不要写别人的电话、住址和证件号。")
    words = yield Ask("words", text.format(who=to, limit=MAX_WORDS), check=_answering, told=True)
    return Answered(facts.message, words)


def _answering(words: str) -> str:
    """The button's own words, typed once more, are no answer, nor are those that ask for the list. Raises Invalid."""
    asking = ("回复", _("回复"), "消息", "訊息", "message", "inbox")
    if folded(words) in {folded(label) for label in asking}:
        raise Invalid(_("请直接写要对对方说的话。"))
    return free_words(MAX_WORDS)(words)


def _answer(session: Session, person: Person, command: Answered) -> Reply:
    try:
        answer(session, command.message, person.id, command.words)
    except ContactError as cannot:
        return _cannot(cannot)
    left = len(waiting_for(session, person.id))
    if not left:
        return Reply(_("已经记下，正在转给对方。"))
    said = _("已经记下，正在转给对方。还有 {count} 条留言等着，回复“留言”接着看。").format(count=left)
    return Reply(said, (_list_option(),))


def _cannot(cannot: ContactError) -> Reply:
    if cannot.reason == "not_yours":
        return Reply(_("这位志愿者现在不归你负责，没有转。"))
    return Reply(_("这条消息已经不在了（对方可能撤回了它、删除了数据或离开了），没有转。"))


CONTACT_ANSWER = Dialogue("contact_answer", AnswerFacts, _answer_facts, _answer_talk, _answer, repeats=True)


def _list_facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _list_talk(facts: ListFacts) -> Talk:
    return (yield from pick(facts, _("想看哪一条？"), _("后面的留言")))


def _list(session: Session, person: Person, command: Show) -> Reply:
    if not any(held.scope_kind in ("region", "team") for held in grants(session, person.id)):
        text = _("“留言”是负责的同事用的，里面是等他们答复的话。你想给他们留言，回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    if command.entry:
        return _opened(session, person, command.entry)
    waiting = waiting_for(session, person.id)
    if not waiting:
        return Reply(_("现在没有等你答复的留言。有新的会马上发到这里，谢谢你！"))
    if len(waiting) == 1:
        return _opened(session, person, waiting[0])
    return _page(session, person, waiting, next_begin(waiting, command))


def _page(session: Session, person: Person, waiting: list[str], begin: int) -> Reply:
    keys = tuple(waiting[begin : begin + PAGE])
    lines = [_("有 {count} 条留言等你答复，最早的在前面。").format(count=len(waiting))]
    lines += where(begin, len(waiting))
    if not here(session).sensitive_in_chat:
        lines.append(_("写了什么，点开以后在网页上看。"))
    query = select(ContactMessage).where(col(ContactMessage.id).in_(keys))
    rows = {row.id: row for row in session.exec(query)}
    labels = [(key, _label(session, rows[key])) for key in keys]
    labels += onward(begin, len(waiting), _("后面的留言"))
    facts = ListFacts(ids=keys, first=begin)
    return Reply("\n".join(lines), asked(session, person.id, MESSAGES.name, "pick", facts, labels), numbered=True)


def _label(session: Session, row: ContactMessage) -> str:
    """Who and since when. Never the words: what is on the list has not been opened, and can still be taken back."""
    called = who if here(session).sensitive_in_chat else number
    return _("{who}，{age}").format(who=called(session, row.asker_id), age=age(session, row))


def _opened(session: Session, person: Person, message: str) -> Reply:
    row = session.get(ContactMessage, message)
    if row is not None and row.words_sealed is not None and not may_answer(session, row, person.id):
        return Reply(_("这位志愿者现在不归你负责，这条留言转给了负责的同事。"), (_list_option(),))
    in_chat = here(session).sensitive_in_chat
    words = (read_words(session, row.id, person.id) if in_chat else words_of(session, row)) if row else None
    if row is None or words is None:
        return Reply(_("这条留言已经不在了（对方可能撤回了它、删除了数据或离开了）。"), (_list_option(),))
    options = _answer_options(session, person, row)
    if waiting_for(session, person.id) != [row.id]:
        options = (*options, _list_option())
    after = "\n" + _("这条已经有人答复过，还可以再答复。") if row.answered_at is not None else ""
    if not in_chat:
        text = _("有人联系你（{who}，{age}）。").format(who=number(session, row.asker_id), age=age(session, row))
        return elsewhere(session, person, row, text + after, options)
    text = _("来自{who}，{age}：\n{words}").format(who=who(session, row.asker_id), age=age(session, row), words=words)
    return Reply(f"{text}{after}\n{how_to_answer()}", options)


def _list_option() -> Option:
    return Option("m:messages", _("看等着的留言"))


MESSAGES = Dialogue("messages", ListFacts, _list_facts, _list_talk, _list, repeats=True)


def _answer_options(session: Session, person: Person, row: ContactMessage) -> tuple[Option, ...]:
    registered = volunteer_of(session, row.asker_id)
    facts = AnswerFacts(message=row.id, number=registered.number if registered else "")
    return asked(session, person.id, CONTACT_ANSWER.name, "go", facts, [("write", _("回复"))])


def _notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = session.get(ContactMessage, str(params["message"]))
    words = words_of(session, row) if row else None
    if row is None or words is None or row.answered_at is not None or not may_answer(session, row, person.id):
        return None
    options = _answer_options(session, person, row)
    if here(session).sensitive_in_chat:
        text = _("来自{who}：\n{words}").format(who=who(session, row.asker_id), words=words)
        return Reply(f"{text}\n{how_to_answer()}", options)
    text = _("有人联系你（{who}）。").format(who=number(session, row.asker_id))
    return elsewhere(session, person, row, text, options)


NOTICES = {"notice.contact": _notice}
