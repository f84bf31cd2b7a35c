"""Answering a 时长有误: with words, and before that with a change of the record where it was wrong."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from config.texts import _
from handlers import hours_words
from handlers.dialogue import Ask, Choice, Dialogue, Refused, Talk
from handlers.free_text import free_words
from handlers.hours_ways import CASE, RECORD, CaseFacts, RecordFacts
from handlers.late import asked
from handlers.message import Option, Reply
from models import hours_cases, serving
from models.confirming import answers_for
from models.person import Person
from models.service import HoursCase, ServiceRecord
from models.serving import ServiceError

LONGEST = 500  # characters


@dataclass(frozen=True, slots=True)
class Do:
    """Answer with these words; without any, change the record."""

    case: str
    record: str
    words: str = ""


def _facts(session: Session, person: Person) -> CaseFacts:
    return CaseFacts()


def _talk(facts: CaseFacts) -> Talk:
    if not facts.case:
        return None
    choices = (Choice("answer", _("写答复")), Choice("change", _("改这一条")))
    if (yield Ask("what", _("怎么答复？"), choices)) == "change":
        return Do(facts.case, facts.record)
    text = _("写给对方的答复：查到什么、改了什么，或者为什么不改。")
    words = yield Ask("words", text, check=free_words(LONGEST), told=True, sensitive=True)
    # Not said again here: this platform may be one that must not carry it.
    again = Choice("again", _("重写"), drops=("words",))
    sure = yield Ask("sure", _("写好了。发给对方吗？"), (Choice("yes", _("发出")), again, Choice("no", _("先不答复"))))
    return Do(facts.case, facts.record, words) if sure == "yes" else None


def _do(session: Session, person: Person, command: Do) -> Reply:
    if not command.words:
        return _change(session, person, command)
    try:
        hours_cases.answer(session, person.id, command.case, command.words)
    except ServiceError as error:
        if error.reason == "why":
            raise Refused("words", _("这条消息里没有文字，请写一两句。")) from error
        return Reply(_("这一件已经答复、被撤回，或者不归你答复。"), (_back(),))
    return Reply(_("答复好了，会告诉对方。"), (_back(),))


def _change(session: Session, person: Person, command: Do) -> Reply:
    row, case = session.get(ServiceRecord, command.record), session.get(HoursCase, command.case)
    if row is None or row.ends_at is None or case is None or not serving.may_confirm(session, person.id, row):
        return Reply(hours_words.cannot("scope"), (_back(),))
    facts = RecordFacts(
        record=row.id,
        zone=person.zone,
        starts_at=row.starts_at.isoformat(),
        ends_at=row.ends_at.isoformat(),
        content=row.content,
        state=row.state,
        over=row.over_cap,
        leader=answers_for(session, person.id, row.county, row.team_id) is None,
        case=case.id,
    )
    labels = [("change", _("改了再确认")), ("refuse", _("不通过"))]
    text = _("{record}。先改这一条，改好再写答复。").format(record=hours_words.short(person, row))
    answering = asked(session, person.id, CASE, "what", CaseFacts(case=case.id), [("answer", _("写答复"))])
    return Reply(text, (*asked(session, person.id, RECORD, "what", facts, labels), *answering, _back()))


def _back() -> Option:
    return Option("m:hours_to_confirm", _("待审时长"))


HOURS_CASE = Dialogue(CASE, CaseFacts, _facts, _talk, _do, repeats=True)
