"""合并: the other county says whether two rows are one person, and whoever agreed may take it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.here import here
from handlers.late import asked
from handlers.merging_words import UNDO as UNDO_NAME
from handlers.merging_words import MergeFacts, county_of, merged_words, undo_option, why_not
from handlers.message import Option, Reply
from models import beneficiary_merging as merging
from models.beneficiary import Beneficiary, dossier_of, may_see
from models.beneficiary_merging import ASKED, DECLINED, MERGED, UNDONE, BeneficiaryMerge, MergeError
from models.person import Person

SAME, OTHER = "same", "other"


@dataclass(frozen=True, slots=True)
class Say:
    """Whether they are the same person."""

    merge: str
    what: str


@dataclass(frozen=True, slots=True)
class Undo:
    """They are two."""

    merge: str


def _facts(session: Session, person: Person) -> MergeFacts:
    return MergeFacts()


def _talk(facts: MergeFacts) -> Talk:
    if not facts.merge:
        return None
    return Say(facts.merge, (yield Ask("what", _("是同一个人吗？"), choices=_choices())))


def _choices() -> tuple[Choice, ...]:
    return (Choice(SAME, _("是同一个人，合并")), Choice(OTHER, _("不是同一个人")))


def _say(session: Session, person: Person, command: Say) -> Reply:
    try:
        with session.begin_nested():
            if command.what == OTHER:
                merging.decline(session, command.merge, person.id)
                return Reply(_("记下了：不是同一个人，两份档案都不变。"), (_list(),))
            merge = merging.agree(session, command.merge, person.id)
    except MergeError as error:
        return Reply(why_not(error), (_list(),))
    return Reply(merged_words(session, merge), (*undo_option(session, person, merge), _list()))


def _list() -> Option:
    return Option("m:ledger", _("台账"))


CONFIRM = Dialogue("merge_confirm", MergeFacts, _facts, _talk, _say, repeats=True)


def _undo_talk(facts: MergeFacts) -> Talk:
    if not facts.merge:
        return None
    yield Ask("undo", _("要撤回合并吗？"), choices=(Choice("yes", _("撤回合并")),))
    sure = yield Ask(
        "sure",
        _("确定撤回这次合并吗？两份档案会分开，合并时转过去的都转回来。"),
        choices=(Choice("yes", _("撤回")), Choice("no", _("先不撤"))),
    )
    return Undo(facts.merge) if sure == "yes" else None


def _undo(session: Session, person: Person, command: Undo) -> Reply:
    try:
        with session.begin_nested():
            merging.undo(session, command.merge, person.id)
    except MergeError as error:
        return Reply(why_not(error), (_list(),))
    return Reply(_("撤回了：两份档案又分开了。"), (_list(),))


UNDO = Dialogue(UNDO_NAME, MergeFacts, _facts, _undo_talk, _undo, repeats=True)


def _notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """What the other county is asked, and what came of it; None when it has gone on since."""
    merge = session.get(BeneficiaryMerge, params["merge"])
    if merge is None or merge.state != params["news"]:
        return None
    if merge.state == ASKED:
        return _asked(session, person, merge)
    places = {"kept": county_of(session, merge.kept_id), "gone": county_of(session, merge.gone_id)}
    if merge.state == MERGED:
        text = _("另一个区县也确认是同一个人了。") + merged_words(session, merge)
        return Reply(text, (*undo_option(session, person, merge), _list()))
    if merge.state == DECLINED:
        return Reply(_("另一个区县说不是同一个人（{kept}、{gone}），两份档案都不变。").format(**places), (_list(),))
    if merge.state == UNDONE:
        return Reply(_("有同事撤回了合并（{kept}、{gone}），两份档案又分开了。").format(**places), (_list(),))
    return None


def _asked(session: Session, person: Person, merge: BeneficiaryMerge) -> Reply | None:
    rows = [session.get_one(Beneficiary, one) for one in (merge.kept_id, merge.gone_id)]
    mine = [row for row in rows if may_see(session, person.id, row.county)]
    if not mine:
        return None
    other = next((row for row in rows if row not in mine), rows[0])
    called = _("档案 {mark}").format(mark=mine[0].id[-6:].upper())
    if here(session).sensitive_in_chat:
        called = dossier_of(session, mine[0], person.id, why="ledger merge").name
    said = _(
        "{called}：{other}的台账里也有，证件号相同。那边的同事说是同一个人，想合并成一份档案，以{kept}的为准。是同一个人吗？"
    )
    text = said.format(called=called, other=county_of(session, other.id), kept=county_of(session, merge.kept_id))
    labels = [(choice.value, choice.label) for choice in _choices()]
    return Reply(text, asked(session, person.id, CONFIRM.name, "what", MergeFacts(merge=merge.id), labels))


NOTICES = {"notice.merging": _notice}
