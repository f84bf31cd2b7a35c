"""最近的导入: what became of ledgers and other tables that were handed in; they are taken, given up and taken back
here, too.

No person's name is told in chat: how many, and the page for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.regions import place_name
from config.texts import _
from handlers.contact_words import age_of
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.here import here
from handlers.late import asked
from handlers.ledger_pages import counts, kept_line, kept_words, place_of, problem, title, why
from handlers.message import Link, Option, Reply
from handlers.paging import PAGE, ListFacts, Show, next_begin, onward, pick, where
from handlers.roster_words import sheet_name
from models import ledger_import, ledger_undo, ledger_upload, roster_batch
from models.ledger_batch import CHECKED, DOUBTFUL, LEDGER, TAKEN, UNDONE, LedgerBatch
from models.ledger_import import BatchError
from models.ledger_upload import DONE, Upload
from models.page import issue_page
from models.person import Person

SEE, TAKE, DROP, UNDO = "see", "take", "drop", "undo"
NAMED = 5  # rows that were not taken back and are told in chat


def _list_facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _list_talk(facts: ListFacts) -> Talk:
    return (yield from pick(facts, _("想看哪一次导入？"), _("更早的")))


def _list(session: Session, person: Person, command: Show) -> Reply:
    if command.entry:
        batch = _theirs(session, person, command.entry)
        return _told(session, person, batch) if batch is not None else _gone()
    found = ledger_upload.recent(session, person.id)
    if not found:
        return Reply(_("还没有导入过你负责的地区的台账或名册。"), (_ledger(),))
    begin = next_begin([batch.id for batch in found], command)
    shown = found[begin : begin + PAGE]
    labels = [(batch.id, _label(session, batch)) for batch in shown]
    labels += onward(begin, len(found), _("更早的"))
    facts = ListFacts(ids=tuple(batch.id for batch in shown), first=begin)
    lines = [_("最近的导入："), *where(begin, len(found))]
    options = asked(session, person.id, IMPORTS.name, "pick", facts, labels)
    return Reply("\n".join(lines), (*options, _ledger()), numbered=True)


def _label(session: Session, batch: LedgerBatch) -> str:
    said = _("{place}，{rows} 行，{age}，{state}")
    age, place = age_of(session, batch.made_at), place_of(batch)
    if batch.sheet != LEDGER:
        place = _("{what}，{place}").format(what=sheet_name(batch.sheet), place=place)
    return said.format(place=place, rows=batch.total, age=age, state=title(batch))


def _theirs(session: Session, person: Person, batch_id: str) -> LedgerBatch | None:
    batch = session.get(LedgerBatch, batch_id)
    return batch if batch is not None and ledger_upload.may_see(session, person.id, batch) else None


def _gone() -> Reply:
    return Reply(_("这次导入已经没有了，或者现在不归你负责。"), (_ledger(),))


def _ledger() -> Option:
    return Option("m:ledger", _("台账"))


def _again(sheet: str) -> Option:
    if sheet == LEDGER:
        return Option("m:import_ledger", _("导入台账"))
    return Option("m:import_roster", _("导入名册"))


IMPORTS = Dialogue("ledger_imports", ListFacts, _list_facts, _list_talk, _list, repeats=True)


class OneFacts(BaseModel):
    """Which import, of which table and region, of how many rows, when it was checked (local to whoever is asked), and
    whether so many are missing from its file that it must be said."""

    batch: str = ""
    many: int = 0
    sheet: str = LEDGER
    region: str = ""
    rows: int = 0
    made: str = ""


@dataclass(frozen=True, slots=True)
class Do:
    """`what` is SEE, TAKE, DROP or UNDO; `many` = it was said that the file is the whole ledger."""

    batch: str
    what: str
    many: bool = False


def _one_facts(session: Session, person: Person) -> OneFacts:
    return OneFacts()


def _one_talk(facts: OneFacts) -> Talk:
    if not facts.batch:
        return None
    what = yield Ask("do", _("要怎么做？"), _choices())
    many = False
    if what == TAKE and facts.many:
        text = _(
            "新台账里没有的有 {count} 人，很多。文件确实是整本台账吗？只是一部分，请放弃，选“只是一部分”重新导入。"
        )
        sure = yield Ask("many", text.format(count=facts.many), _whole())
        if sure == "no":
            return None
        many = True
    if what == UNDO:
        text = _("新加的人会删去，改过的改回去；之后又有变化的留着不动。")
        if facts.sheet != LEDGER:
            text = _("新登记的会结束，改过的改回去，并告诉有关的人；之后又有变化的留着不动。")
        sure = yield Ask("sure", _which(facts) + text, (Choice("yes", _("撤回")), Choice("no", _("先不撤"))))
        if sure == "no":
            return None
    return Do(facts.batch, what, many)


def _which(facts: OneFacts) -> str:
    """Which import is to be taken back, so that it is not taken for another one."""
    if not facts.made:
        return _("确定撤回这次导入吗？")
    what = _("台账") if facts.sheet == LEDGER else sheet_name(facts.sheet)
    place = place_name(facts.region) if facts.region else _("各个地区")
    return _("确定撤回 {when} 导入的{what}（{place}，{rows} 行）吗？").format(
        when=facts.made, what=what, place=place, rows=facts.rows
    )


def _whole() -> tuple[Choice, ...]:
    return (Choice("yes", _("是整本，收下")), Choice("no", _("先不收")))


def _choices() -> tuple[Choice, ...]:
    return (
        Choice(SEE, _("看结果")),
        Choice(TAKE, _("收下")),
        Choice(DROP, _("放弃")),
        Choice(UNDO, _("撤回")),
    )


def _one(session: Session, person: Person, command: Do) -> Reply:
    batch = _theirs(session, person, command.batch)
    if batch is None:
        return _gone()
    if command.what == SEE:
        return _page(session, person, batch)
    try:
        if command.what == TAKE:
            ledger_import.begin(session, batch.id, person.id, many_gone=command.many)
            return Reply(_("好的，正在收下。做完了，这里会有消息。"), (_imports(),))
        if command.what == DROP:
            ledger_import.give_up(session, batch.id, person.id)
            return Reply(_("好的，已放弃，什么都没有变。"), (_again(batch.sheet), _ledger()))
        ledger_undo.begin(session, batch.id, person.id)
    except BatchError as error:
        return Reply(why(error), (_imports(),))
    return Reply(_("好的，正在撤回。做完了，这里会有消息。"), (_imports(),))


def _imports() -> Option:
    return Option("m:imports", _("最近的导入"))


def _page(session: Session, person: Person, batch: LedgerBatch) -> Reply:
    place = here(session)
    if not place.public_url:
        text = _("这里现在打不开网页。请管理员在服务器上看：nuanyang import show {id}。")
        return Reply(text.format(id=batch.id), (_imports(),))
    facts = Upload(batch.region, batch.part, DONE, batch.id, sheet=batch.sheet).as_facts()
    token = issue_page(session, person.id, "data", facts, door_id=place.door_id)
    text = _("结果在网页上看，{minutes} 分钟内有效，只给你自己看，不要转发。")
    link = Link(place.page(token), _("看结果"))
    return Reply(text.format(minutes=rules().doors.page_minutes), (_imports(),), (link,))


ONE = Dialogue("ledger_import", OneFacts, _one_facts, _one_talk, _one, repeats=True)


def _told(session: Session, person: Person, batch: LedgerBatch) -> Reply:
    """How it stands, in figures, and what can be done with it."""
    lines = [_("{place}的台账：{state}。").format(place=place_of(batch), state=title(batch))]
    if batch.sheet != LEDGER:
        said = _("{what}（{place}）：{state}。")
        lines = [said.format(what=sheet_name(batch.sheet), place=place_of(batch), state=title(batch))]
    if batch.state != UNDONE:
        figures = [_("{item} {value}").format(item=word, value=count) for word, count in counts(batch) if count]
        lines.append(_("，").join(figures))
    is_open = batch.state == CHECKED and batch.forgotten_at is None
    wanted = [SEE]
    if is_open:
        if batch.counts.get(DOUBTFUL):
            lines.append(_("存疑的行要看过结果，在网页上写下行号才收；这里点“收下”不收它们。"))
        lines.append(_("还没有收下，什么都没有变。"))
        wanted = [SEE, TAKE, DROP]
        if not ledger_import.takes_any(batch):
            lines.append(_("没有一行能收下，请看结果，把有问题的行改好再导入。"))
            wanted = [SEE, DROP]
    elif batch.state == TAKEN and batch.forgotten_at is None:
        wanted = [SEE, UNDO]
    elif batch.state == UNDONE:
        lines += _kept(session, batch)
    many = batch.counts.get("gone", 0) if is_open and ledger_import.is_many_gone(session, batch) else 0
    labels = [(choice.value, choice.label) for choice in _choices() if choice.value in wanted]
    made = batch.made_at.astimezone(ZoneInfo(person.zone)).strftime("%Y-%m-%d %H:%M")
    facts = OneFacts(batch=batch.id, many=many, sheet=batch.sheet, region=batch.region, rows=batch.total, made=made)
    options = asked(session, person.id, ONE.name, "do", facts, labels)
    return Reply("\n".join(filter(None, lines)), (*options, _ledger()))


def _kept(session: Session, batch: LedgerBatch) -> list[str]:
    """What was not taken back: people by their number only, the first of anything else by name."""
    count = len(ledger_undo.refused(session, batch.id))
    if not count:
        return []
    if batch.sheet == LEDGER:
        return [_("有 {count} 人之后又有变化，留着没有动；名单在网页上看。").format(count=count)]
    rows = [kept_line(row) for row in roster_batch.kept_rows(session, batch, NAMED)]
    named = [_("{item} {value}").format(item=line.where, value=line.what) for line in rows]
    return [kept_words(batch, count), *named, *([_("其余的在网页上看。")] if count > len(rows) else [])]


def _notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """What came of a file, or of taking or taking back: as long as that is how it stands."""
    sheet = params.get("sheet", LEDGER)
    if "page" in params:
        if not ledger_upload.died(session, params["page"], params["tries"]):
            return None
        return Reply(problem(Upload(problem="stopped")), (_again(sheet), _ledger()))
    if "problem" in params:
        said = problem(Upload(problem=params["problem"], params=params["params"], sheet=sheet))
        return Reply(_("文件没有检查成。") + said, (_again(sheet), _ledger()))
    batch = _theirs(session, person, params["batch"])
    if batch is None or batch.state != params["state"] or (batch.state == CHECKED and batch.forgotten_at is not None):
        return None
    return _told(session, person, batch)


NOTICES = {"notice.import": _notice}
