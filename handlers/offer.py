"""邀请: a volunteer is asked whether they would serve somebody, and answers 接受, 不方便, 晚点问我 or a typed sentence.

An invitation says nothing by which the person could be known. A yes pressed by mistake can be taken back for a day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.band_words import invitation_words, short_words
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Talk
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.taking_back import UNDO as UNDO_NAME
from handlers.taking_back import UndoFacts
from models import offering
from models.offer import ANSWERABLE, LATER, OVERDUE, Offer
from models.person import Person, family

# A sentence that means one of the answers. A bare 收到, 好的 or ok is none (programme §13).
_NO = re.compile(
    "不方便|没空|沒空|没时间|沒時間|不得闲|唔得閒|唔得闲|唔得去|去不了|来不了|來不了|接不了|接受不了|来不及|來不及|太忙|算了吧"
    "|不接了|不接受|不愿意|不願意|不行|can't|cannot|no time|not able|no thanks",
    re.IGNORECASE,
)
_LATER = re.compile(
    "晚点|晚點|晚些|过几天|過幾天|迟啲|遲啲|下个?個?(礼拜|禮拜|星期|周|週).*问|再问我|再問我|考虑|考慮|想想"
    "|ask me later|let me think",
    re.IGNORECASE,
)
# A yes is taken from a whole sentence that can mean nothing else; of anything beside it the buttons are shown again.
_YES = re.compile(
    "(好的?[，,]?)?(我?(很|十分|非常)?(愿意|願意)(去|来|來|参加|參加)?|我?们?們?(可以)?(接受|同意)|我(可以)?(来|來|去|接)"
    "|我[们們]接|算我一个|算我一個|可以的?[，,]?我(去|来|來|接)|我?可以|行|没问题|沒問題|冇問題|係|是)"
    "[吧呀哦啊的了。.！!～~ ]*|yes,? i (will|do|would)[.! ]*|i('d| would) (love|like|be glad) to[.! ]*",
    re.IGNORECASE,
)
_ASKS = re.compile("[吗嗎?？]|怎么|怎麼")  # a question is no answer
# What a whole sentence of somebody who is being asked says without the word no.
_HINDERED = re.compile(
    r"(因为|因為)?(最近|这段时间|這段時間)?我?(家里|家裡|家裏|屋企)(最近)?有(点|點|些|啲)?(事|急事|事情)[了呀啊。.！!]*"
)
# Why not, in the order in which it is looked for.
_WHYS = tuple(
    (re.compile(pattern, re.IGNORECASE), why)
    for pattern, why in (
        ("远|遠|路程|too far|far away", "far"),
        ("(已经|已經|已)(有|结对|結對)|有(结对|結對|配對)|already", "full"),
        (
            "怕|不敢|不会|不會|唔識|没经验|沒經驗|没有经验|沒有經驗|没把握|沒把握|做不好|做唔好|胜任|勝任|not sure",
            "unsure",
        ),
        (
            "没空|沒空|没时间|沒時間|不得闲|唔得閒|唔得闲|忙|来不及|來不及|考试|考試|考研|期末|上课|上課|上班|加班|出差|实习|實習|生病|住院"
            "|(家里|家裡|家裏|屋企).{0,4}事|有(点|點|些|啲)?事|busy|no time|exam",
            "busy",
        ),
    )
)


def why_not(words: str) -> str:
    """The reason that a typed sentence gives, one of models.offer.DECLINES; empty where it gives none."""
    return next((why for pattern, why in _WHYS if pattern.search(words)), "")


class OfferFacts(BaseModel):
    """Which invitation, and what it says; without one there is none to answer."""

    offer: str = ""
    bands: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Say:
    """`what`: "accepted", "declined" with a reason of models.offer.DECLINES where one was given, or "later". Without an
    offer there is nothing to say."""

    offer: str = ""
    what: str = ""
    reason: str = ""


def _facts(session: Session, person: Person) -> OfferFacts:
    found = next(iter(offering.offers_of(session, person.id)), None)
    return OfferFacts(offer=found.id, bands=found.bands) if found else OfferFacts()


def _choices() -> tuple[Choice, ...]:
    return (
        Choice("accepted", _("接受"), words=("我接受", "愿意", "我愿意", "願意", "我願意", "yes i will")),
        Choice("declined", _("不方便"), words=("去不了", "不接受", "no thanks")),
        Choice("later", _("晚点问我"), words=("晚点", "過幾日再問", "过几天再问我", "ask me later", "later")),
    )


def _talk(facts: OfferFacts) -> Talk:
    if not facts.offer:
        return Say()
    said = yield Ask("answer", _invited(facts.bands), choices=_choices(), check=_sentence)
    what, _colon, reason = said.partition(":")
    return Say(facts.offer, what, reason)


def _sentence(words: str) -> str:
    """A typed sentence as one of the answers; a no with the reason that it gives ("declined:busy")."""
    plain = words.strip()
    if _YES.fullmatch(plain):
        return "accepted"
    for pattern, said in ((_LATER, "later"), (_NO, "declined")):
        if pattern.search(plain) and not _ASKS.search(plain):
            return f"{said}:{why_not(plain)}" if said == "declined" else said
    if _HINDERED.fullmatch(plain):
        return "declined:busy"
    raise Invalid(_("没看懂是接受还是不方便。请选下面的一项，或者直接说“接受”“不方便”“晚点问我”。"))


def _invited(bands: dict[str, Any]) -> str:
    team = str(bands.get("team", ""))
    whom = _("想邀请你带的团队“{team}”和一位服务对象结对，队员轮流去：").format(team=team)
    return "\n".join(
        [
            whom if team else _("想邀请你和一位服务对象结对："),
            invitation_words(bands) + _("。"),
            _("接受以后，专员先陪你见第一面，再定协议；当天按错了也可以撤回。"),
        ]
    )


def _perform(session: Session, person: Person, command: Say) -> Reply:
    if not command.offer:
        return Reply(_("现在没有等你回答的邀请。有合适的会告诉你。"), (Option("m:pairings", _("我的结对")),))
    done = offering.answer(session, command.offer, person.id, command.what, command.reason or None)
    if done is None:
        return Reply(_("这个邀请不是发给这个账号的，没有改动。"))
    if done.what == "declined" and not command.reason:
        # The no stands already: whoever says nothing more has said it all the same.
        text = _("没关系，已经记下，谢谢你告诉我们。方便说说原因吗？这样下次邀请更合适；不说也可以。")
        labels = [(choice.value, choice.label) for choice in reasons()]
        return Reply(text, asked(session, person.id, WHY.name, "reason", WhyFacts(offer=done.offer.id), labels))
    if done.what == "accepted" and done.stint is not None:
        lines = [
            _accepted_words(done.offer.bands),
            _("谢谢你！专员会联系你，约第一次见面；见过面、定好协议以后才算正式结对。"),
            _("按错了？{hours} 小时内可以撤回。").format(hours=rules().pairing.take_back_hours),
        ]
        undo = asked(session, person.id, UNDO.name, "undo", UndoFacts(stint=done.stint.id), [("undo", _undo().label)])
        return Reply("\n".join(lines), (*undo, Option("m:pairings", _("我的结对"))))
    return Reply(_answered(done.what))


def _accepted_words(bands: dict[str, Any]) -> str:
    if bands.get("team"):
        text = _("你替团队“{team}”接受的是：{words}。")
        return text.format(team=bands["team"], words=invitation_words(bands))
    return _("你接受的是：{words}。").format(words=invitation_words(bands))


def _answered(what: str) -> str:
    return {
        "declined": _("记下了，谢谢你。以后有合适的再邀请你，不想再收邀请可以回复“联系专员”。"),
        "later": _("好的，过一天再问你；在那之前也可以随时回来回答。"),
        "later again": _("好的。还没有别人接上的话，随时可以在“我的结对”里回来回答。"),
        "taken": _("已有人接上，谢谢你！"),
        "withdrawn": _("这一位现在不用找人了，谢谢你！"),
        "before": _("这个邀请已经回答过了。"),
        "passed_by": _("这个邀请现在不能接受了，谢谢你！"),
        "full": _("你现在的结对已经满了，这一位会请别人，谢谢你！要调整现有的结对，请回复“联系专员”。"),
        "minor": _("未满 18 岁不能单独结对，可以和团队一起去。请回复“联系专员”问一问。"),
        "clearance": _("和未成年人结对要先登记无犯罪记录查询，或者你登记的已经到期。请回复“联系专员”。"),
        "volunteer": _("你的注册现在不能接新的结对。请看“我的资料”，或回复“联系专员”。"),
    }.get(what, _("这一位的要求和你的登记对不上，会请别人，谢谢你！"))


OFFER = Dialogue("offer", OfferFacts, _facts, _talk, _perform)


# --- why not, once the no is stored ---


class WhyFacts(BaseModel):
    """Which invitation was declined."""

    offer: str = ""


@dataclass(frozen=True, slots=True)
class Because:
    """The reason, one of models.offer.DECLINES."""

    offer: str
    reason: str


def reasons() -> tuple[Choice, ...]:
    """Why not, in the order in which it is shown."""
    return (
        Choice("busy", _("最近没时间")),
        Choice("far", _("太远了")),
        Choice("unsure", _("怕做不好")),
        Choice("full", _("已经有结对了")),
        Choice("other", _("不想说")),
    )


def _why_facts(session: Session, person: Person) -> WhyFacts:
    return WhyFacts()


def _why_talk(facts: WhyFacts) -> Talk:
    if not facts.offer:
        return None
    return Because(facts.offer, (yield Ask("reason", _("方便说说原因吗？"), choices=reasons())))


def _because(session: Session, person: Person, command: Because) -> Reply:
    offering.give_reason(session, command.offer, person.id, command.reason)
    return Reply(_answered("declined"))


WHY = Dialogue("offer_why", WhyFacts, _why_facts, _why_talk, _because)


@dataclass(frozen=True, slots=True)
class Undo:
    """It was pressed by mistake."""

    stint: str


def _undo() -> Choice:
    return Choice("undo", _("按错了，撤回"), words=("撤回", "按错了", "按錯了", "take back"))


def _undo_facts(session: Session, person: Person) -> UndoFacts:
    return UndoFacts()


def _undo_talk(facts: UndoFacts) -> Talk:
    if not facts.stint:
        return None
    if facts.confirm:
        yield Ask("want", _("要撤回刚才的接受吗？"), choices=(Choice("want", _("撤回接受")),))
    text = _("要撤回刚才的接受吗？")
    if facts.bands:
        text += "\n" + _accepted_words(facts.bands)
    keep = (Choice("keep", _("不撤回")),) if facts.confirm else ()
    said = yield Ask("undo", text, choices=(_undo(), *keep))
    return Undo(facts.stint) if said == "undo" else None


def _undone(session: Session, person: Person, command: Undo) -> Reply:
    if offering.take_back(session, command.stint, person.id):
        return Reply(_("已撤回，会请别的志愿者。谢谢你想过要帮忙！"))
    return Reply(_("已经过了可以撤回的时间，或者已经定了协议。不能继续的话，请回复“请假交接”或“联系专员”。"))


UNDO = Dialogue(UNDO_NAME, UndoFacts, _undo_facts, _undo_talk, _undone, repeats=True)


def meant(words: str, count: int) -> dict[str, Any] | None:
    """What a typed sentence answers an invitation with, as the answers to begin the talk with: of one invitation a no
    and “later” are taken at their word; a yes, and whatever may be about one of several (`count`), is shown once more
    and pressed. None = the sentence is about something else."""
    plain = words.strip()
    if _ASKS.search(plain):
        return None
    if _LATER.search(plain) or _NO.search(plain):
        return {"answer": {"t": plain}} if count == 1 else {}
    return {} if _YES.fullmatch(plain) else None


def hindered(words: str) -> bool:
    """家里有事 and its like, which is a no from somebody who has just been asked, and nothing from anybody else."""
    return _HINDERED.fullmatch(words.strip()) is not None


def said_of(words: str) -> str:
    """ "later", "declined" or "yes", of words that `meant` takes for an answer."""
    plain = words.strip()
    return "later" if _LATER.search(plain) else "declined" if _NO.search(plain) else "yes"


# --- what goes out ---


def _offer_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = session.get(Offer, str(params["offer"]))
    if row is None or row.state not in ANSWERABLE or row.state == OVERDUE or row.person_id not in _me(session, person):
        return None
    return invitation(session, person, row)


def invitation(session: Session, person: Person, row: Offer) -> Reply:
    """An invitation that may be answered, until when, and its answers."""
    until = row.holds_until.astimezone(ZoneInfo(person.zone))
    lines = [_("之前请你考虑的邀请：")] if row.state == LATER else []
    lines.append(_invited(row.bands))
    if row.state == OVERDUE:
        lines.append(_("请你回答的时间已经过了。晚了也可以答应，只要还没有人接上。"))
    else:
        lines.append(_("这是邀请，不是任务：不方便可以直接说。请在 {until} 前回答。"))
    text = "\n".join(lines).format(
        until=_("{month}月{day}日 {time}").format(month=until.month, day=until.day, time=f"{until:%H:%M}")
    )
    return Reply(text, tuple(option for _value, option in options(session, person, row)))


def options(session: Session, person: Person, row: Offer) -> list[tuple[str, Option]]:
    """The buttons of an invitation, each with what it says."""
    facts = OfferFacts(offer=row.id, bands=row.bands)
    labels = [(choice.value, choice.label) for choice in _choices()]
    made = asked(session, person.id, OFFER.name, "answer", facts, labels)
    return [(value, option) for (value, _label), option in zip(labels, made, strict=True)]


def in_short(person: Person, row: Offer) -> str:
    """Which invitation it is, in a few words: the first of its bands, the team, and when it came."""
    came = row.made_at.astimezone(ZoneInfo(person.zone))
    parts = [_("团队“{team}”").format(team=row.bands["team"])] if row.bands.get("team") else []
    parts += [*short_words(row.bands), _("{month}月{day}日的邀请").format(month=came.month, day=came.day)]
    return _("，").join(parts)


def _me(session: Session, person: Person) -> list[str]:
    return family(session, person.id)


def _taken_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = session.get(Offer, str(params["offer"]))
    if row is None or row.state not in ("taken", "withdrawn"):
        return None
    return Reply(_("之前邀请你的那一位：") + _answered(row.state))


NOTICES = {"notice.offer": _offer_notice, "notice.offer_taken": _taken_notice}
