"""`nuanyang import merge|unmerge`: people who stand in the ledgers twice become one, and two again."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlmodel import Session, select

from bot.commands.shared import Problem, opened, say, told
from config.regions import place_name
from config.texts import _
from handlers.merging_words import merged_words, why_not
from models import beneficiary_merging, ledger_questions
from models.beneficiary import MACHINE, Beneficiary
from models.beneficiary_merging import ASKED, BeneficiaryMerge, MergeError
from models.ledger_batch import ELSEWHERE

_Ids = Annotated[
    list[str] | None, typer.Argument(metavar="KEEP OTHER", help=_("两份档案的编号：先写留下的。不写就列出可能重复的人"))
]
_County = Annotated[str, typer.Option("--county", metavar="CODE", help=_("也找这个区县里同名同生日的人（6 位代码）"))]
_Merge = Annotated[str, typer.Argument(metavar="ID", help=_("合并的编号，见 nuanyang import merge"))]


def add(group: typer.Typer) -> None:
    """Register the commands."""
    group.command(help=_("把两份档案合成一份；不写编号就列出可能是同一个人的和合并过的。"))(merge)
    group.command(help=_("撤回一次合并，两份档案照原样分开；之后又有变化就不动，并说明是什么。"))(unmerge)


def merge(ids: _Ids = None, county: _County = "") -> None:
    """Two rows become one, or what could be merged is listed."""
    if not ids:
        with told() as (session, lines):
            lines += _likely(session, county) or [_("没有找到可能重复的人。")]
            lines += _merges(session)
        return
    if len(ids) != 2:
        raise Problem(_("写两份档案的编号，先写留下的那份：nuanyang import merge 编号 编号。"))
    with opened() as database:
        try:
            with database.write() as session:
                made = beneficiary_merging.ask(session, ids[0], ids[1], MACHINE, keep=ids[0])
                words = merged_words(session, made)
        except MergeError as error:
            raise Problem(why_not(error)) from None
    say(words)
    say(_("要撤回：nuanyang import unmerge {id}").format(id=made.id))


def unmerge(merge_id: _Merge) -> None:
    """Take a merge back."""
    with opened() as database:
        try:
            with database.write() as session:
                beneficiary_merging.undo(session, merge_id, MACHINE)
        except MergeError as error:
            raise Problem(why_not(error)) from None
    say(_("撤回了：两份档案又分开了。"))


def _likely(session: Session, county: str) -> list[str]:
    pairs = [
        beneficiary_merging.newer(one.beneficiary, one.other)
        for one in ledger_questions.open_questions(session, MACHINE)
        if one.question.reason == ELSEWHERE and one.other is not None
    ]
    found = [(kept, gone, _("两个区县有相同的证件号")) for kept, gone in pairs]
    if county:
        alike = beneficiary_merging.alike(session, county)
        found += [(*beneficiary_merging.newer(*pair), _("同一区县，姓名和出生日期相同")) for pair in alike]
    if not found:
        return []
    lines = ["\t".join([_("留下"), _("区县"), _("收起"), _("区县"), _("为什么")])]
    for kept, gone, why in found:
        lines.append("\t".join([kept.id, place_name(kept.county), gone.id, place_name(gone.county), why]))
    return lines


def _merges(session: Session) -> list[str]:
    lines = []
    for one in beneficiary_merging.recent(session, MACHINE):
        rows = select(Beneficiary).where(Beneficiary.id == one.kept_id)
        place = place_name(session.exec(rows).one().county)
        lines.append("\t".join([one.id, place, _state(one)]))
    return ["\t".join([_("合并的编号"), _("区县"), _("状态")]), *lines] if lines else []


def _state(one: BeneficiaryMerge) -> str:
    return _("等另一个区县确认") if one.state == ASKED else _("已合并")
