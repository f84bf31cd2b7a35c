"""What the talks about institutions share: their facts, the steps of one, how a refusal is told, and the ways back."""

from __future__ import annotations

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Choice
from handlers.late import asked
from handlers.message import Option
from handlers.paging import ListFacts
from models.institution import LONGEST_NAME
from models.institution_seen import Seen
from models.relay import SEEKING

LIST, STEP, NEW = "institutions", "institution_step", "institution_new"  # the talks' names


class StepFacts(BaseModel):
    """Which institution, and what can be done with it; `teams` are those that could be paired with it: number, name,
    how near, free places; `looked` = number and name of another one that was looked up. `today` where whoever is asked
    lives, in ISO form."""

    institution: str = ""
    name: str = ""
    steps: tuple[str, ...] = ()
    teams: tuple[tuple[str, str, str, int], ...] = ()
    looked: tuple[str, str] = ("", "")
    today: str = "2000-01-01"


def steps_of(about: Seen) -> tuple[str, ...]:
    """What can be done now."""
    if about.stint is None:
        if about.agreeing is not None:
            return ("off",)
        return ("pair", "close") if about.own else ("pair",)
    if about.relay is None:
        return ("relay", "end")
    if about.relay.state == SEEKING:
        return ("pair", "stay", "end")
    return (("given",) if about.relay.taken_at is not None else ()) + ("off", "end")


def choices(steps: tuple[str, ...]) -> tuple[Choice, ...]:
    """They as choices."""
    words = {
        "pair": Choice("pair", _("请一个团队结对"), words=(_("结对"), _("找团队"))),
        "off": Choice("off", _("撤回协议"), words=(_("没有谈成"), _("撤回"))),
        "relay": Choice("relay", _("换一个团队"), words=(_("交接"), _("换团队"))),
        "stay": Choice("stay", _("不换团队了"), words=(_("取消交接"), _("不换了"))),
        "given": Choice("given", _("已经交接"), words=(_("交接好了"),)),
        "end": Choice("end", _("结束结对"), words=(_("结束这个结对"),)),
        "close": Choice("close", _("机构停办或登记错了"), words=(_("停办"),)),
    }
    return tuple(words[step] for step in steps if step in words)


def near_words(near: str) -> str:
    """Where a team is, seen from the institution."""
    return {
        "town": _("队长在同一街道（乡镇）"),
        "county": _("同一区县"),
        "wide": _("本市（省）的团队"),
        "helps": _("对口帮扶的团队"),
        "city": _("同市别的区县"),
    }.get(near, near)


def kind_words(kind: str) -> str:
    """What kind of institution it is."""
    return {
        "rehabilitation": _("康复机构"),
        "care": _("托养机构"),
        "employment": _("就业机构"),
        "school": _("特教学校"),
    }.get(kind, _("其他助残机构"))


def institution_refused(reason: str) -> str:
    """Why the rules of institutions did not take it, and what to do."""
    return {
        "scope": _("这个机构现在不归你负责，没有改动。"),
        "county": _("请写到区县，例如“广州天河”。"),
        "name": _("请写机构的名称，最多 {most} 个字。").format(most=LONGEST_NAME),
        "taken": _("这个区县已经登记过同名的机构，请换一个名称，例如加上街道。"),
        "paired": _("这个机构还有结对，或有协议等队长接受。请先结束结对，再办停办。"),
    }.get(reason, _("这个机构已经停办，没有改动。"))


def pairing_refused(reason: str) -> str:
    """Why a team could not be paired, and what to do."""
    return {
        "scope": _("这个机构现在不归你负责，没有改动。"),
        "gone": _("情况已经变了，没有改动。请重新打开看一看。"),
        "paired": _("这个机构已经有团队，或有协议在等队长接受；也可能选的就是现在的团队。请重新打开看一看。"),
        "team": _("这个团队已经解散，或者还没有队长。请换一个团队，或先在“团队”里设队长。"),
        "full": _("这个团队的结对人数已满。请换一个团队，或先在“团队”里改结对人数。"),
        "waits": _("接的团队还没有接受协议，现在不能算交接好。"),
        "nobody": _("这个区县还没有负责的同事，请先请管理员设区县专员。"),
        "terms": _("协议写得不对：一年至少 2 次，最长 36 个月。"),
    }.get(reason, _("现在不能办，没有改动。请重新打开看一看，或回复“联系专员”。"))


def to_list() -> Option:
    """The button of the list."""
    return Option("m:institutions", _("机构结对"))


def to_one(session: Session, person_id: str, institution_id: str, name: str) -> tuple[Option, ...]:
    """A button that opens it, and the list."""
    label = _("看“{name}”").format(name=name)
    facts = ListFacts(ids=(institution_id,))
    return (*asked(session, person_id, LIST, "pick", facts, [(institution_id, label)]), to_list())
