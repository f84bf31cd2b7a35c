"""留言: what specialists and organisers have to answer, as a list, one by one, and the answer to each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.contact_words import elsewhere, number, who
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Talk, folded
from handlers.free_text import free_words
from handlers.here import here
from handlers.late import asked
from handlers.message import Option, Reply
from models.contact import (
    MAX_WORDS,
    ContactError,
    ContactMessage,
    answer,
    may_answer,
    note_read,
    waiting_for,
    words_of,
)
from models.database import now_of
from models.person import Person, address_form
from models.role import grants
from models.volunteer import volunteer_of

PAGE = 5  # messages of a list
LABEL = 38  # characters: what WeChat and Telegram show of a choice

MORE = "~more"


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
    text = _("请写给{who}的回复，{limit} 字以内，会原样转过去。不要写别人的电话、住址和证件号。")
    words = yield Ask("words", text.format(who=to, limit=MAX_WORDS), check=_answering)
    return Answered(facts.message, words)


def _answering(words: str) -> str:
    """The button's own words, typed once more, are no answer. Raises Invalid."""
    if folded(words) in {folded(label) for label in ("回复", _("回复"))}:
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


class ListFacts(BaseModel):
    """The messages on the screen; `first` is the place of the first one in the whole list, from 0. Without any the
    list is made anew."""

    ids: tuple[str, ...] = ()
    first: int = 0


@dataclass(frozen=True, slots=True)
class Show:
    """Open one message, or show what comes after these; with neither the list from its beginning."""

    message: str = ""
    seen: tuple[str, ...] = ()
    first: int = 0


def _list_facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _list_talk(facts: ListFacts) -> Talk:
    if not facts.ids:
        return Show()
    choices = (*(Choice(key, key) for key in facts.ids), Choice(MORE, _("后面的留言"), words=(_("从头看"),)))
    picked = yield Ask("pick", _("想看哪一条？"), choices)
    return Show(seen=facts.ids, first=facts.first) if picked == MORE else Show(picked)


def _list(session: Session, person: Person, command: Show) -> Reply:
    if not any(held.scope_kind == "region" for held in grants(session, person.id)):
        text = _("“留言”是负责的同事用的，里面是等他们答复的话。你想给他们留言，回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    if command.message:
        return _opened(session, person, command.message)
    waiting = waiting_for(session, person.id)
    if not waiting:
        return Reply(_("现在没有等你答复的留言。有新的会马上发到这里，谢谢你！"))
    if len(waiting) == 1:
        return _opened(session, person, waiting[0].id)
    return _page(session, person, waiting, _next(waiting, command))


def _next(waiting: list[ContactMessage], command: Show) -> int:
    """Where the next page begins: after the last message seen that still waits, else where the page itself began; at
    the end of the list it begins again."""
    places = [place for place, row in enumerate(waiting, 1) if row.id in command.seen]
    begin = max(places, default=command.first)
    return begin if begin < len(waiting) else 0


def _page(session: Session, person: Person, waiting: list[ContactMessage], begin: int) -> Reply:
    shown = waiting[begin : begin + PAGE]
    end = begin + len(shown)
    lines = [_("有 {count} 条留言等你答复，最早的在前面。").format(count=len(waiting))]
    if len(shown) < len(waiting):
        lines.append(_("这里是第 {first} 到 {last} 条。").format(first=begin + 1, last=end))
    if not here(session).sensitive_in_chat:
        lines.append(_("写了什么，点开以后在网页上看。"))
    labels = [(row.id, _label(session, row)) for row in shown]
    if end < len(waiting):
        labels.append((MORE, _("后面的留言")))
    elif begin:
        labels.append((MORE, _("从头看")))
    facts = ListFacts(ids=tuple(row.id for row in shown), first=begin)
    return Reply("\n".join(lines), asked(session, person.id, MESSAGES.name, "pick", facts, labels), numbered=True)


def _label(session: Session, row: ContactMessage) -> str:
    """Who and since when; the first words too where they may be shown."""
    if not here(session).sensitive_in_chat:
        return _("{who}，{age}").format(who=number(session, row.asker_id), age=_age(session, row))
    asker = session.get(Person, row.asker_id)
    called = (address_form(session, asker) if asker else None) or number(session, row.asker_id)
    label = _("{who}，{age}").format(who=called, age=_age(session, row))
    words = " ".join((words_of(session, row) or "").split())
    whole = _("{item}：{value}").format(item=label, value=words)
    return whole if len(whole) <= LABEL else whole[: LABEL - 1] + "…"


def _age(session: Session, row: ContactMessage) -> str:
    since = now_of(session) - row.at
    if since < timedelta(minutes=1):
        return _("刚刚")
    if since < timedelta(hours=1):
        return _("{count} 分钟前").format(count=since // timedelta(minutes=1))
    if since < timedelta(days=1):
        return _("{count} 小时前").format(count=since // timedelta(hours=1))
    return _("{count} 天前").format(count=since.days)


def _opened(session: Session, person: Person, message: str) -> Reply:
    row = session.get(ContactMessage, message)
    words = words_of(session, row) if row else None
    if row is None or words is None:
        return Reply(_("这条留言已经不在了（对方可能撤回了它、删除了数据或离开了）。"), (_list_option(),))
    if not may_answer(session, row, person.id):
        return Reply(_("这位志愿者现在不归你负责，这条留言转给了负责的同事。"), (_list_option(),))
    options = _answer_options(session, person, row)
    if [each.id for each in waiting_for(session, person.id)] != [row.id]:
        options = (*options, _list_option())
    after = "\n" + _("这条已经有人答复过，还可以再答复。") if row.answered_at is not None else ""
    if not here(session).sensitive_in_chat:
        text = _("有人联系你（{who}，{age}）。").format(who=number(session, row.asker_id), age=_age(session, row))
        return elsewhere(session, person, row, text + after, options)
    note_read(session, row.id, person.id)
    text = _("来自{who}，{age}：\n{words}").format(who=who(session, row.asker_id), age=_age(session, row), words=words)
    return Reply(text + after, options)


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
        return Reply(_("来自{who}：\n{words}").format(who=who(session, row.asker_id), words=words), options)
    text = _("有人联系你（{who}）。").format(who=number(session, row.asker_id))
    return elsewhere(session, person, row, text, options)


NOTICES = {"notice.contact": _notice}
