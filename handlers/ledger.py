"""台账: how many stand in the ledgers of one's region, and what a newer ledger leaves open about some of them.

Names are read in the chat where it is private enough; elsewhere a case has a short mark of its own. Whoever answers for
the county says what is so; the ledger closes nothing by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.texts import _
from handlers.contact_words import age_of
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.here import here
from handlers.late import asked
from handlers.ledger_words import question_words
from handlers.merging_words import merged_words, undo_option, why_not
from handlers.message import Option, Reply
from handlers.paging import PAGE, ListFacts, Show, next_begin, onward, pick, where
from models import beneficiary_merging as merging
from models import ledger_questions, ledger_upload
from models.beneficiary import GONE, Beneficiary, BeneficiaryError, dossier_of
from models.beneficiary_merging import MergeError
from models.ledger_batch import ALIKE, ELSEWHERE, HERE
from models.ledger_questions import Open
from models.person import Person


def _list_facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _list_talk(facts: ListFacts) -> Talk:
    return (yield from pick(facts, _("想核实哪一位？"), _("后面的人")))


def _list(session: Session, person: Person, command: Show) -> Reply:
    if not ledger_questions.scopes(session, person.id):
        text = _("“台账”是负责的同事用的。想找负责的同事，回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    if command.entry:
        return _opened(session, person, command.entry)
    waiting = ledger_questions.open_questions(session, person.id)
    lines = _standing(session, person)
    if not waiting:
        return Reply("\n".join([*lines, _("没有等着核实的人。")]), _imports(session, person))
    begin = next_begin([each.question.id for each in waiting], command)
    shown = waiting[begin : begin + PAGE]
    lines.append(_("有 {count} 位要核实：台账没有自己改动，等你说现在的情况。").format(count=len(waiting)))
    lines += where(begin, len(waiting))
    labels = [(each.question.id, _label(session, person, each)) for each in shown]
    labels += onward(begin, len(waiting), _("后面的人"))
    facts = ListFacts(ids=tuple(each.question.id for each in shown), first=begin)
    options = asked(session, person.id, LEDGER.name, "pick", facts, labels)
    return Reply("\n".join(lines), (*options, *_imports(session, person)), numbered=True)


def _imports(session: Session, person: Person) -> tuple[Option, ...]:
    """Ledgers and other tables are brought by organisers."""
    if not ledger_upload.scopes(session, person.id):
        return ()
    others = Option("m:import_roster", _("导入团队、专员、机构、驿站"))
    return (Option("m:import_ledger", _("导入台账")), others, Option("m:imports", _("最近的导入")))


def _standing(session: Session, person: Person) -> list[str]:
    found = ledger_questions.counties(session, person.id)
    if not found:
        if ledger_upload.scopes(session, person.id):
            return [_("你负责的地区还没有导入台账，选“导入台账”就能导入。")]
        return [_("你负责的地区还没有导入台账，请找组织者或管理员导入。")]
    said = _("你负责的地区，台账在册 {count} 人（{counties} 个区县）。")
    return [said.format(count=sum(found.values()), counties=len(found))]


def _called(session: Session, person: Person, somebody: Beneficiary) -> str:
    """By name where the chat may carry it, which is logged for a minor; by a mark of the case elsewhere."""
    if not here(session).sensitive_in_chat:
        return _("档案 {mark}").format(mark=somebody.id[-6:].upper())
    return dossier_of(session, somebody, person.id, why="ledger question").name


def _label(session: Session, person: Person, each: Open) -> str:
    called = _called(session, person, each.beneficiary)
    return _("{item}：{value}").format(item=called, value=question_words(each.question.reason))


def _opened(session: Session, person: Person, question: str) -> Reply:
    each = ledger_questions.open_question(session, person.id, question)
    if each is None:
        return Reply(_("这一位已经核实过了，或者现在不归你负责。"), (_list_option(),))
    county = regions.place_name(each.beneficiary.county)
    lines = [_called(session, person, each.beneficiary), _("所在地：{place}").format(place=county)]
    if each.beneficiary.town and here(session).sensitive_in_chat:
        lines.append(_("乡镇街道：{town}").format(town=each.beneficiary.town))
    why, age = question_words(each.question.reason), age_of(session, each.question.asked_at)
    lines.append(_("要核实：{why}（{age}）。").format(why=why, age=age))
    if each.question.reason == ALIKE and each.other is not None:
        lines.append(_other(session, each.other))
    elif each.other is not None:
        lines.append(_("另一份台账：{place}。").format(place=regions.place_name(each.other.county)))
        if merging.waiting_for(session, each.beneficiary.id, each.other.id) is not None:
            lines.append(_("已有同事说是同一个人，正等另一个区县确认。"))
    if not here(session).sensitive_in_chat:
        lines.append(_("姓名不在这里显示，请到微信里看。"))
    lines.append(_("现在的情况是？"))
    facts = AnswerFacts(question=question, reason=each.question.reason)
    labels = [(choice.value, choice.label) for choice in _choices(each.question.reason)]
    return Reply("\n".join(lines), (*asked(session, person.id, ANSWER.name, "what", facts, labels), _list_option()))


def _other(session: Session, other: Beneficiary) -> str:
    """Who stands in the same ledger and may be the same person: by what tells them apart, where a chat may carry it."""
    mark, age = other.id[-6:].upper(), age_of(session, other.listed_at)
    told = _("另一份：档案 {mark}，{age}列入。").format(mark=mark, age=age)
    if other.town and here(session).sensitive_in_chat:
        told = _("另一份：档案 {mark}，{town}，{age}列入。").format(mark=mark, town=other.town, age=age)
    return told + _("两份的证件号不同，请对照证件核对。")


def _list_option() -> Option:
    return Option("m:ledger", _("台账"))


LEDGER = Dialogue("ledger", ListFacts, _list_facts, _list_talk, _list, repeats=True)


class AnswerFacts(BaseModel):
    """Which question of the ledger, and its reason."""

    question: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """`what` is one of models.ledger_batch.ANSWERS, or SAME or OTHER."""

    question: str
    what: str


def _answer_facts(session: Session, person: Person) -> AnswerFacts:
    return AnswerFacts()


SAME, OTHER = "same", "other"  # the one who stands in another county's ledger is the same person, or another


def _choices(reason: str) -> tuple[Choice, ...]:
    still: tuple[Choice, ...] = (Choice("listed", _("还在")),)
    if reason in (ELSEWHERE, ALIKE):
        still = (
            Choice(SAME, _("是同一个人，合并"), words=(_("同一个人"), _("合并"))),
            Choice(OTHER, _("不是同一个人"), before=("listed",)),
        )
    return (
        *still,
        Choice("moved", _("迁走了"), words=(_("搬走了"),)),
        Choice("died", _("去世了"), words=(_("过世了"),)),
        Choice("cancelled", _("残疾人证注销了"), words=(_("注销了"),)),
    )


def _answer_talk(facts: AnswerFacts) -> Talk:
    if not facts.question:
        return None
    what = yield Ask("what", _("现在的情况是？"), choices=_choices(facts.reason))
    if what == SAME:
        text = _("确定是同一个人吗？两份档案会变成一份，结对、邀请和同意都转过去；之后还可以撤回。")
        sure = yield Ask("sure", text, choices=(Choice("yes", _("确定")), Choice("no", _("先不合并"))))
        if sure == "no":
            return None
    if what in GONE:
        label = next(choice.label for choice in _choices(facts.reason) if choice.value == what)
        text = _("确定记为“{what}”吗？记下以后，不再给这一位发任何消息。").format(what=label)
        sure = yield Ask("sure", text, choices=(Choice("yes", _("确定")), Choice("no", _("先不记"))))
        if sure == "no":
            return None
    return Say(facts.question, what)


def _say(session: Session, person: Person, command: Say) -> Reply:
    if command.what == SAME:
        return _merge(session, person, command.question)
    said = HERE if command.what == OTHER else command.what
    each = ledger_questions.open_question(session, person.id, command.question)
    try:
        done = ledger_questions.answer(session, command.question, said, person.id)
    except BeneficiaryError:
        return Reply(_("这一位现在不归你负责，没有改动。"), (_list_option(),))
    if not done:
        return Reply(_("已经有同事核实过这一位，没有再改。"), (_list_option(),))
    if each is not None and each.other is not None:
        waiting = merging.waiting_for(session, each.beneficiary.id, each.other.id)
        if waiting is not None:  # nobody need agree to it any more
            merging.decline(session, waiting.id, person.id)
    shown = (*_choices(""), *_choices(ELSEWHERE))
    label = next(choice.label for choice in shown if choice.value == command.what)
    return Reply(_("记下了：{what}。谢谢你！").format(what=label), (_list_option(),))


def _merge(session: Session, person: Person, question: str) -> Reply:
    each = ledger_questions.open_question(session, person.id, question)
    if each is None or each.other is None:
        return Reply(_("这一位已经核实过了，或者现在不归你负责。"), (_list_option(),))
    try:
        with session.begin_nested():
            merge = merging.ask(session, each.beneficiary.id, each.other.id, person.id)
    except MergeError as error:
        return Reply(why_not(error), (_list_option(),))
    other = regions.place_name(each.other.county)
    if merge.state == merging.ASKED:
        said = _("记下了。{place}的同事也确认以后，两份档案才合并；在那之前什么都不变。")
        return Reply(said.format(place=other), (_list_option(),))
    return Reply(merged_words(session, merge), (*undo_option(session, person, merge), _list_option()))


ANSWER = Dialogue("ledger_answer", AnswerFacts, _answer_facts, _answer_talk, _say, repeats=True)


def _left_open(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """After an import, to whoever answers for its people. None when everything is answered."""
    waiting = ledger_questions.open_questions(session, person.id)
    if not waiting:
        return None
    said = _("新导入的台账里，有 {count} 位要你核实（例如新台账里没有了）。他们的档案没有改动。")
    return Reply(said.format(count=len(waiting)), (_list_option(),))


NOTICES = {"notice.ledger": _left_open}
