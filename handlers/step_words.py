"""What is said when a step for a waiting person was done, or could not be."""

from __future__ import annotations

from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.contact_words import who as volunteer_words
from handlers.message import Option
from models.offer import Offer
from models.team import Team


def back() -> Option:
    """The way to the list."""
    return Option("m:unpaired", _("待结对"))


def invited(session: Session, made: list[Offer]) -> str:
    """Who has been asked, and what comes then."""
    names = _("、").join(asked_words(session, each.person_id, each.team_id) for each in made)
    text = _("已邀请{who}。{hours} 小时内没有回答，会自动请建议里的下一位；都没有接上会告诉你。")
    return text.format(who=names, hours=rules().pairing.hold_hours)


def asked_words(session: Session, person_id: str, team_id: str | None) -> str:
    """Who is asked or said yes: a volunteer, or a team with whoever answers for it."""
    who = volunteer_words(session, person_id)
    team = session.get(Team, team_id) if team_id else None
    return _("团队“{team}”，队长是{who}").format(team=team.name, who=who) if team is not None else who


def team_words(reason: str) -> str:
    """Why a team could not be asked, and what to do next."""
    return {
        "gone": _("这个团队已经解散，请写别的编号。"),
        "team": _("这个团队还没有队长，没有人能答复。先在“团队”里设队长，或写别的编号。"),
        "full": _("这个团队的结对人数已满。先在“团队”里改结对人数，或写别的编号。"),
    }.get(reason, _("这个团队的队长现在不能服务（没有激活、暂停或已退出）。先在“团队”里换队长，或写别的编号。"))


def family_words(reason: str) -> str:
    """Why the family's word could not be written down."""
    return {
        "guardian": _("这一位未成年（或没有登记出生日期），要监护人同意。"),
        "scope": _("这一位现在不归你负责，没有改动。"),
    }.get(reason, _("这一位已经不在台账里，没有改动。"))


def offer_words(reason: str) -> str:
    """Why somebody could not be asked, and what to do next."""
    return {
        "scope": _("这一位现在不归你负责，没有改动。"),
        "gone": _("这一位已经不在台账里，没有改动。"),
        "consent": _("家里还没有同意，先记录家里的同意，再邀请人。"),
        "paired": _("这一位已经有人接上了。"),
        "asked": _("已经有邀请在等回答；要同时邀请，选“再邀请一位”。"),
        "invited": _("这位志愿者已经收到邀请，在等回答。"),
        "many": _("同时最多邀请 {count} 位，请等一等回答。").format(count=rules().pairing.round_most),
        "volunteer": _("这位志愿者现在不能服务（没有激活、暂停或已退出）。"),
        "self": _("这是同一个人，不能和自己结对。"),
        "minor": _("这位志愿者未满 18 岁，不能单独结对，可以和团队一起。"),
        "full": _("这位志愿者（或团队）的结对人数已满。"),
        "sex": _("家里希望的性别和这位志愿者的登记对不上。"),
        "language": _("这一位要会手语的志愿者。"),
        "clearance": _("和未成年人结对，要先登记有效的无犯罪记录查询。"),
        "team": _("这位志愿者不是那个团队的队长。"),
    }.get(reason, _("现在不能邀请，请稍后再试。"))


def stint_words(reason: str) -> str:
    """Why a step could not be done."""
    return {
        "scope": _("这一位现在不归你负责，没有改动。"),
        "accepted": _("志愿者已经接受了协议，不能再改；要改请先“没有谈成”再重新邀请。"),
        "day": _("这个时间不对，请重新写。"),
        "lapsed": _(
            "你的培训、资格证或保险已经过期，不能定未成年人或单独上门的结对。回复“培训与证书”看是哪一项；"
            "办好后请管理员登记，或请别的同事来定。"
        ),
    }.get(reason, _("情况已经变了，没有改动。请重新打开看一看。"))
