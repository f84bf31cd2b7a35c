"""我的结对: whom a volunteer serves, what was agreed, what comes next, and what to mind; and the agreement to accept.

Of a served person a volunteer sees the form of address and what was agreed. The address is shown around a confirmed
meeting only, each look is logged, and never on Telegram but on a page (programme §12).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.texts import _
from handlers import taking_back
from handlers.band_words import often_words, service_words
from handlers.checks import written_number
from handlers.days import with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.here import here
from handlers.late import asked
from handlers.message import Link, Option, Reply, Written
from handlers.relay_ways import go_on_option
from handlers.served_facts import when
from handlers.served_words import served
from handlers.turn_words import as_member, lines_of, to_turns
from models import agreement, looking, offering, relaying, relaying_lists
from models.beneficiary import GONE, Beneficiary, record_of
from models.database import vault_of
from models.institution import Institution
from models.offer import OVERDUE, Offer
from models.page import issue_page
from models.pairing import AGREEING, ENDED, OPEN, Stint
from models.person import Person
from models.relay import SEEKING
from models.served import served_of, serves_now
from models.stints import StintError, standing_of


def overview(session: Session, person: Person) -> Reply:
    """我的结对."""
    stints = standing_of(session, person.id)
    waiting = offering.offers_of(session, person.id)
    options: list[Option] = []
    lines = []
    if waiting:
        lines += _invited(waiting)
        options.append(Option("m:offer", _("看邀请")))
    also, turns = as_member(session, person, stints)
    around = _booked(session, person, stints)
    if not stints and not also and not around:
        if not waiting:
            lines.append(_("你现在还没有结对。有合适的邀请会发给你；资料越完整，邀请越合适。"))
            options += [Option("m:more_profile", _("填写更多资料"))]
        return Reply("\n".join(lines), (*options, Option("m:contact", _("联系专员"))))
    if stints:
        lines.append(_("你有 {count} 个结对：").format(count=len(stints)))
    whose = lines_of(session, person, stints)
    for stint in stints:
        line = _line(session, person, stint)
        lines.append(_("{line}，{turn}").format(line=line, turn=whose[stint.id]) if stint.id in whose else line)
        options += _actions(session, person, stint, several=len(stints) > 1)
    if also:
        head = _("另外和团队轮流去的结对 {count} 个：") if stints else _("你和团队轮流去的结对 {count} 个：")
        lines += [head.format(count=len(also)), *also]
    for stint in around:
        whom = called(session, person, stint) + " " if len(stints) + len(around) > 1 else ""
        options += _look_option(session, person, stint, whom)
    lines += [_("约好的探访前后 24 小时内可以看地址和电话。")] if around else []
    lines.append(_must_mind())
    back = taking_back.options(session, person)
    return Reply("\n".join(lines), (*options, *turns, *back, *_further(stints)))


def _invited(waiting: list[Offer]) -> list[str]:
    """How many invitations wait; those whose hold is over are not said to be in time."""
    lapsed = sum(row.state == OVERDUE for row in waiting)
    lines = []
    if lapsed < len(waiting):
        lines.append(_("有 {count} 个邀请等你回答。").format(count=len(waiting) - lapsed))
    if lapsed:
        text = _("有 {count} 个邀请已经过了回答的时间。晚了也可以答应，只要还没有人接上。")
        lines.append(text.format(count=lapsed))
    return lines


def _further(stints: list[Stint]) -> tuple[Option, ...]:
    leads = any(stint.team_id is not None and stint.state == OPEN for stint in stints)
    own = (Option("m:hand_over", _("请假交接")),) if stints else ()
    return (*((to_turns(),) if leads else ()), *own, Option("m:contact", _("联系专员")))


def _line(session: Session, person: Person, stint: Stint) -> str:
    parts = [called(session, person, stint), service_words(stint.services), often_words(stint.activities)]
    found = relaying_lists.of_stint(session, stint)
    if found is not None and not found.relay.undecided:
        said = _("正在交接，还没有人接，最后一天 {day}")
        if found.relay.state != SEEKING:
            said = _("正在交接，已经有人答应接，最后一天 {day}")
        parts.append(said.format(day=with_weekday(found.relay.last_day)))
    elif found is not None:
        parts.append(_("专员在看怎么办，结对没有结束"))
    elif stint.state == OPEN and stint.ends_on is not None:
        parts.append(_("约定到 {day}").format(day=stint.ends_on.isoformat()))
    elif stint.confirmed_at is not None and stint.accepted_at is None:
        parts.append(_("协议等你确认"))
    elif stint.accepted_at is not None:
        parts.append(_("等交接"))
    elif stint.meets_at is not None:
        parts.append(_("第一次见面：{time}").format(time=when(person, stint.meets_at)))
    else:
        parts.append(_("等专员约第一次见面"))
    if stint.part == "substitute":
        parts.append(_("替补"))
    return _("{item}：{value}").format(item=parts[0], value=_("，").join(parts[1:]))


def called(session: Session, person: Person, stint: Stint) -> str:
    """Whom it is about: a form of address, or the institution's name."""
    about = served_of(session, stint)
    return about.name if isinstance(about, Institution) else served(session, person, about)


def _is_gone(session: Session, stint: Stint) -> bool:
    about = served_of(session, stint)
    return isinstance(about, Beneficiary) and about.status in GONE


def _actions(session: Session, person: Person, stint: Stint, *, several: bool) -> list[Option]:
    whose = called(session, person, stint) + " " if several else ""
    found: list[Option] = []
    if stint.state == AGREEING and stint.confirmed_at is not None and stint.accepted_at is None:
        found += agreement_options(session, person, stint, whose + _("看协议"))
    handing = relaying_lists.of_stint(session, stint)
    if handing is not None and relaying.may_cancel(session, handing.relay, stint, person.id):
        found += go_on_option(session, person.id, handing.relay.id, whose)
    if looking.may_look(session, stint, person.id):
        found += _look_option(session, person, stint, whose)
    return found


def _booked(session: Session, person: Person, told: list[Stint]) -> list[Stint]:
    """Besides the pairings told already: those that somebody visits in turn with others, around the booked visit."""
    known = {one for stint in told for one in (stint.id, stint.follows_id)}
    return [stint for stint in looking.booked_now(session, person.id) if stint.id not in known]


def _look_option(session: Session, person: Person, stint: Stint, whose: str) -> tuple[Option, ...]:
    label = [("look", whose + _("看地址和电话"))]
    return asked(session, person.id, LOOK.name, "look", LookFacts(stint=stint.id), label)


def _must_mind() -> str:
    return _("请记住：不喂药，不收礼，不借钱，未经同意不拍照，不和孩子单独相处。")


# --- the agreement ---


class AgreementFacts(BaseModel):
    """Which agreement, as it was written at `version`."""

    stint: str = ""
    version: str = ""
    card: str = ""


@dataclass(frozen=True, slots=True)
class Accept:
    """With the conduct card; `yes` False = they want to talk about it first."""

    stint: str
    version: str
    yes: bool


_ACCEPTS = (
    "接受",
    "我接受",
    "我们接受",
    "同意",
    "我同意",
    "我们同意",
    "愿意",
    "我愿意",
    "可以",
    "我可以",
    "行",
    "係",
    "agree",
)


def _agreement_facts(session: Session, person: Person) -> AgreementFacts:
    return AgreementFacts()


def _agreement_talk(facts: AgreementFacts) -> Talk:
    if not facts.stint:
        return None
    if (yield Ask("look", _("要看协议吗？"), choices=(Choice("look", _("看协议")),))) != "look":
        return None
    choices = (
        Choice("yes", _("接受协议和行为守则"), words=_ACCEPTS),
        Choice("talk", _("想先和专员谈谈")),
    )
    answer = yield Ask("accept", facts.card, choices=choices)
    return Accept(facts.stint, facts.version, answer == "yes")


def agreement_options(session: Session, person: Person, stint: Stint, label: str) -> tuple[Option, ...]:
    """The button that shows an agreement as it stands, and asks whether it is accepted."""
    facts = AgreementFacts(stint=stint.id, version=_version(stint), card=card(session, stint))
    return asked(session, person.id, AGREEMENT.name, "look", facts, [("look", label)])


def _version(stint: Stint) -> str:
    return stint.confirmed_at.isoformat() if stint.confirmed_at else ""


def card(session: Session, stint: Stint) -> str:
    """The agreement in plain words, with the conduct card. It holds no name: it may be read on any platform."""
    return "\n".join(
        [
            _("结对协议"),
            _("做什么：{services}").format(services=service_words(stint.services)),
            _("多少次：一年 {count} 次（{often}），其中至少两次探访。").format(
                count=stint.activities, often=often_words(stint.activities)
            ),
            _("多久：{months} 个月，到期前两个月会问你续不续；不能继续随时可以说，由专员安排交接。").format(
                months=stint.relay_months
            ),
            _("负责人：项目专员，有事回复“联系专员”。"),
            _(
                "行为守则：不喂药，不收礼、不借钱，未经同意不拍照、不发朋友圈，不和孩子单独相处，不打听也不外传家里的事。"
            ),
        ]
    )


def _accept(session: Session, person: Person, command: Accept) -> Reply:
    if not command.yes:
        text = _("好的，协议先放着。想改什么，回复“联系专员”告诉专员；之后在“我的结对”里可以再看。")
        return Reply(text, (Option("m:contact", _("联系专员")), Option("m:pairings", _("我的结对"))))
    try:
        stint = agreement.accept(session, command.stint, person.id, datetime.fromisoformat(command.version))
    except StintError as error:
        return Reply(
            _not_accepted(error.reason), (Option("m:pairings", _("我的结对")), Option("m:contact", _("联系专员")))
        )
    if stint.state == OPEN:
        text = _("结对成立，谢谢你！约定到 {day}。").format(day=stint.ends_on.isoformat() if stint.ends_on else "")
        return Reply(text, (Option("m:pairings", _("我的结对")),))
    return Reply(_("记下了。等和上一位志愿者交接以后，就由你接上；交接的日子会告诉你。"))


def _not_accepted(reason: str) -> str:
    return {
        "changed": _("协议刚才改过了，请看新的再确认：回复“我的结对”。"),
        "scope": _("这份协议不是你的，没有改动。"),
        "clearance": _("和未成年人结对要先登记无犯罪记录查询，或者你登记的已经到期。请回复“联系专员”。"),
        "volunteer": _("你的注册现在不能接新的结对。请看“我的资料”，或回复“联系专员”。"),
        "sex": _("家里希望的性别和你的登记对不上，协议没有成立。请回复“联系专员”。"),
        "language": _("这一位要会手语的志愿者，协议没有成立。请回复“联系专员”。"),
        "team": _("你现在不是这个团队的队长，协议没有成立。请回复“联系专员”。"),
        "consent": _("家里现在没有同意结对，协议没有成立。请回复“联系专员”。"),
    }.get(reason, _("这份协议已经不用确认了。"))


AGREEMENT = Dialogue("agreement", AgreementFacts, _agreement_facts, _agreement_talk, _accept, repeats=True)


# --- the address, around a confirmed meeting ---


class LookFacts(BaseModel):
    """Whose address."""

    stint: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """They want to know where to go."""

    stint: str


def _look_facts(session: Session, person: Person) -> LookFacts:
    return LookFacts()


def _look_talk(facts: LookFacts) -> Talk:
    if not facts.stint:
        return None
    yield Ask("look", _("要看地址和电话吗？"), choices=(Choice("look", _("看地址和电话")),))
    return Look(facts.stint)


def _look(session: Session, person: Person, command: Look) -> Reply:
    stint, place = session.get(Stint, command.stint), here(session)
    if stint is None or not looking.may_look(session, stint, person.id):
        return Reply(_("现在看不了：约定的见面前后 24 小时内才能看。要改时间请回复“联系专员”。"))
    if not place.sensitive_in_chat:
        if not place.public_url:
            return Reply(_("地址不在这里显示，请到微信里看，或回复“联系专员”。"))
        token = issue_page(session, person.id, "data", {"address": stint.id}, door_id=place.door_id)
        link = Link(place.page(token), _("打开看地址"))
        return Reply(_("地址在网页上看，只给你自己看，不要转发；看过会留下记录。"), links=(link,))
    return Reply(
        _address(session, person, stint) + "\n" + _("只用于这次见面，请不要转发；看过会留下记录，家里可以问谁看过。")
    )


def _address(session: Session, person: Person, stint: Stint) -> str:
    looking.looked(session, stint, person.id)
    somebody = session.get_one(Beneficiary, str(stint.beneficiary_id))
    record = record_of(vault_of(session), somebody)
    county = regions.place_name(somebody.county)
    where = "".join(part for part in (record.town, record.village, record.address) if part)
    lines = [_("地址：{place}").format(place=f"{county}{where}" if where else county)]
    if not record.address:
        lines.append(_("台账里没有详细地址，请问专员。"))
    phone = record.phone or record.guardian_phone
    lines.append(_("电话：{phone}").format(phone=written_number(phone)) if phone else _("台账里没有电话，请问专员。"))
    return "\n".join(lines)


def address_page(session: Session, reader: str, stint_id: str, *, reading: bool) -> Written | None:
    """The address of a confirmed meeting on a page; None outside of its time, or for anybody else. `reading` = it is
    shown now, which is logged."""
    stint = session.get(Stint, stint_id)
    person = session.get(Person, reader)
    if stint is None or person is None or not looking.may_look(session, stint, reader):
        return None
    words = _address(session, person, stint) if reading else ""
    return Written(_("地址和电话"), words, _("只用于这次见面，请不要转发。"))


LOOK = Dialogue("address_look", LookFacts, _look_facts, _look_talk, _look, repeats=True)


# --- what goes out ---


def _mine(session: Session, person: Person, params: dict[str, Any], *states: str) -> Stint | None:
    stint = session.get(Stint, str(params["stint"]))
    if stint is None or stint.state not in states:
        return None
    return stint if serves_now(session, stint, person.id) else None


def _meeting(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    found = _mine(session, person, params, AGREEING)
    if found is None or found.meets_at is None or found.meets_at.isoformat() != params["at"]:
        return None
    text = _("第一次见面约在 {time}，专员会陪你去，见的是{called}。见面前后 24 小时内，“我的结对”里可以看地址。")
    said = text.format(time=when(person, found.meets_at), called=called(session, person, found))
    lines = [said, _("去不了请尽早回复“联系专员”。")]
    return Reply("\n".join(lines), (Option("m:pairings", _("我的结对")), Option("m:contact", _("联系专员"))))


def _agreement_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    found = _mine(session, person, params, AGREEING)
    if found is None or _version(found) != params["at"] or found.accepted_at is not None:
        return None
    text = _("专员写好了你和{called}的结对协议，请看一看，合适就接受。").format(called=called(session, person, found))
    return Reply(text, agreement_options(session, person, found, _("看协议")))


def _opened_for_you(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    found = _mine(session, person, params, OPEN)
    if found is None:
        return None
    text = _("已经交接给你：从现在起由你和{called}结对，谢谢你接上！").format(called=called(session, person, found))
    return Reply(text, (Option("m:pairings", _("我的结对")),))


def _called_off(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    found = _mine(session, person, params, ENDED)
    if found is None or _is_gone(session, found):
        return None
    text = _("和{called}的结对这次没有定下来，不是你的错。谢谢你，有合适的会再邀请你。")
    return Reply(text.format(called=called(session, person, found)))


def _served_left(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    found = _mine(session, person, params, ENDED)
    if found is None:
        return None
    # No word of what happened: a family tells that itself.
    text = _("你的一个结对已经结束（{called}），不用再去探访了。谢谢你一直以来的陪伴；想聊聊，回复“联系专员”。")
    return Reply(text.format(called=called(session, person, found)), (Option("m:contact", _("联系专员")),))


def _objected(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    found = _mine(session, person, params, ENDED)
    if found is None:
        return None
    text = _("家里决定先不结对了（{called}），不是你的错，谢谢你做过的一切。想聊聊，回复“联系专员”。")
    return Reply(text.format(called=called(session, person, found)), (Option("m:contact", _("联系专员")),))


NOTICES = {
    "notice.meeting": _meeting,
    "notice.agreement": _agreement_notice,
    "notice.opened_for_you": _opened_for_you,
    "notice.called_off": _called_off,
    "notice.served_left": _served_left,
    "notice.objected": _objected,
}
