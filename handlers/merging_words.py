"""How merges of people in the ledgers are told, and the button that takes one back."""

from __future__ import annotations

from pydantic import BaseModel
from sqlmodel import Session

from config.regions import place_name
from config.texts import _
from handlers.late import asked
from handlers.message import Option
from models.beneficiary import Beneficiary
from models.beneficiary_merging import BeneficiaryMerge, MergeError
from models.person import Person

UNDO = "merge_undo"


class MergeFacts(BaseModel):
    """Which merge."""

    merge: str = ""


def undo_option(session: Session, person: Person, merge: BeneficiaryMerge) -> tuple[Option, ...]:
    """A button that takes the merge back."""
    return asked(session, person.id, UNDO, "undo", MergeFacts(merge=merge.id), [("yes", _("撤回合并"))])


def county_of(session: Session, beneficiary: str) -> str:
    """The name of the county in whose ledger somebody stands."""
    return place_name(session.get_one(Beneficiary, beneficiary).county)


def merged_words(session: Session, merge: BeneficiaryMerge) -> str:
    """That two have become one."""
    kept, gone = (session.get_one(Beneficiary, one) for one in (merge.kept_id, merge.gone_id))
    if kept.county == gone.county:
        return _("合并好了：两份档案成了一份，多出的那份收起来了。合错了，可以撤回。")
    said = _("合并好了：以{kept}的档案为准，{gone}的那份收起来了。合错了，可以撤回。")
    return said.format(kept=county_of(session, merge.kept_id), gone=county_of(session, merge.gone_id))


def why_not(error: MergeError) -> str:
    """Why two are not made one, or not two again, and what to do."""
    if error.reason == "later":
        named = _("、").join(_what(kind) for kind in error.what)
        return _("撤回不了：合并以后，这些又有了变化：{what}。请联系管理员。").format(what=named)
    return {
        "unknown": _("没有找到这两份档案，没有改动。"),
        "same": _("这是同一份档案，不用合并。"),
        "merged": _("其中一份档案已经合并过了，没有改动。"),
        "asked": _("已有同事说是同一个人，正等另一个区县确认。"),
        "died": _("有一份台账记着这个人已去世：请先核实，改好台账再合并。没有改动。"),
        "not_listed": _("两份台账里都已经不在册了，不用合并。"),
        "both_lead": _("两份档案都有人结对，合并不了：请专员先结束其中一个结对，再来合并。没有改动。"),
        "scope": _("这两份档案现在不归你负责，没有改动。"),
        "nobody": _("另一个区县还没有负责的同事，没人能确认：请两地共同的上一级组织者来合并。没有改动。"),
        "state": _("已经有同事处理过了，没有再改。"),
    }[error.reason]


def _what(kind: str) -> str:
    return {
        "stint": _("结对"),
        "offer": _("邀请"),
        "keeping": _("照看"),
        "proposal": _("配对建议"),
        "consent": _("同意书"),
        "question": _("台账核实"),
        "door": _("本人的账号"),
        "merge": _("又一次合并"),
        "visit": _("探访"),
    }[kind]
