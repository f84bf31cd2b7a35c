"""A guardian agrees in his or her own door, or takes an earlier consent back. Never the minor's own tap.

The talk has two halves: a code comes first and is looked up, then the questions are asked with facts about whom they
concern.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.agreement import agreeing, agrees, language_agreed
from handlers.checks import number_digest
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.guardian_words import about_guardian, gone, not_agreed, own_code
from handlers.here import here
from handlers.invitation import called_gently
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.operator import who_is_responsible
from models.code import Checked, check_code, count_wrong, normal, use_code
from models.guardian import CODE, Guardian, GuardianError, agree, refuse, take_back, waiting, wards
from models.person import Person
from models.volunteer import ACTIVE, PAUSED, Volunteer, phone_of, volunteer_of

NEW = "~new"  # no code has such a character


class Ward(BaseModel):
    """Somebody whom this person has agreed for."""

    guardianship: str = ""
    called: str = ""


class Facts(BaseModel):
    """`volunteer` is empty until a code was found good; `called` is the minor's form of address."""

    volunteer: str = ""
    code: str = ""
    called: str = ""
    wards: list[Ward] = []
    child_phone: str = ""  # only a digest, see checks.number_digest
    operator: str = ""
    contact: str = ""


@dataclass(frozen=True)
class LookUp:
    """Look at the typed code; `key` is the question that it answered."""

    code: str
    key: str = "code"


@dataclass(frozen=True)
class Decide:
    """The guardian's decision; `told` is None for a no, `consent` the answer to the explanation."""

    volunteer: str
    code: str
    called: str
    told: Guardian | None
    consent: str = ""


@dataclass(frozen=True)
class TakeBack:
    """The guardian takes an earlier consent back."""

    guardianship: str
    called: str


def prepare(session: Session, person: Person) -> Facts:
    """Whom the person has agreed for already."""
    mine = []
    for held, volunteer in wards(session, person.id):
        minor = session.get_one(Person, volunteer.person_id)
        mine.append(Ward(guardianship=held.id, called=called_gently(session, minor, volunteer)))
    return Facts(wards=mine)


def talk(facts: Facts) -> Talk:
    """First half: the code, or taking a consent back. Second half: the guardian's decision."""
    if not facts.volunteer:
        back = tuple(
            Choice(ward.guardianship, _("撤回对{called}的同意").format(called=ward.called)) for ward in facts.wards
        )
        code_text = _("请写孩子转发给您的监护码（8 位字母和数字）。")
        if back:
            # A code may be typed here at once, as everywhere.
            names = _("、").join(ward.called for ward in facts.wards)
            text = _("您已经同意{names}参加。想撤回同意，还是为另一个孩子输入新的码？").format(names=names)
            said = yield Ask("code", text, (*back, Choice(NEW, _("输入新的码"))), check=_typed_code)
        else:
            said = yield Ask("code", code_text, check=_typed_code)
        if said == NEW:
            said = yield Ask("new_code", code_text, check=_typed_code)
            return LookUp(said, "new_code")
        ward = next((ward for ward in facts.wards if ward.guardianship == said), None)
        if ward is None:
            return LookUp(said)
        text = _("撤回以后，{called}的志愿服务马上暂停。确定撤回吗？").format(called=ward.called)
        sure = yield Ask("sure", text, (Choice("yes", _("确定撤回")), Choice("no", _("不撤回"))))
        return TakeBack(ward.guardianship, ward.called) if sure == "yes" else None
    agreed = yield Ask("agree", _explained(facts), _yes_or_no())
    if not agrees(agreed):
        return Decide(facts.volunteer, facts.code, facts.called, None)
    told = yield from about_guardian(
        _("请写您的姓名。"),
        _("您是{called}的什么人？").format(called=facts.called),
        _("请写您的手机号。"),
        facts.child_phone,
    )
    text = _("最后确认：您已满 18 岁，是{called}的监护人，同意{called}注册并参加助残志愿服务。").format(
        called=facts.called
    )
    sure = yield Ask("adult", text, (Choice("yes", _("确认同意")), Choice("no", _("先不同意"))))
    return Decide(facts.volunteer, facts.code, facts.called, told, agreed) if sure == "yes" else None


def perform(session: Session, person: Person, command: LookUp | Decide | TakeBack) -> Reply:
    """Look the code up, or carry the decision out; everything is checked again."""
    if isinstance(command, TakeBack):
        return _taken_back(session, person, command)
    checked = check_code(session, CODE, command.code, person.id)
    volunteer = waiting(session, str((checked.facts or {}).get("volunteer")))
    # After a merge the code's owner and the minor may be one person under another id.
    own = checked.verdict == "own" or (volunteer is not None and volunteer.person_id == person.id)
    problem = own_code() if own else _verdict(checked, volunteer)
    if isinstance(command, LookUp):
        if own or checked.verdict == "pause":
            return Reply(problem)  # the talk is not the minor's, and a pause asks for nothing
        if problem or volunteer is None:
            then = _counting(person.id) if checked.verdict == "wrong" else None
            raise Refused(command.key, problem, then)
        return _first_half_done(session, person, volunteer, command.code)
    if problem or volunteer is None or volunteer.id != command.volunteer:
        return Reply(problem or gone())
    return _decided(session, person, checked, command)


def _first_half_done(session: Session, person: Person, volunteer: Volunteer, code: str) -> Reply:
    called = called_gently(session, session.get_one(Person, volunteer.person_id), volunteer)
    phone = number_digest(phone_of(session, volunteer))
    place = here(session)
    facts = Facts(
        volunteer=volunteer.id,
        code=code,
        called=called,
        child_phone=phone,
        operator=place.operator,
        contact=place.operator_contact,
    )
    values = [(choice.value, choice.label) for choice in _yes_or_no()]
    lasts = timedelta(days=rules().registration.guardian_link_days)
    return Reply(_explained(facts), asked(session, person.id, "guardian", "agree", facts, values, lasts=lasts))


def _decided(session: Session, person: Person, checked: Checked, command: Decide) -> Reply:
    if command.told is None:
        use_code(session, checked.row)
        refuse(session, person, command.volunteer)
        return Reply(
            _("好的，没有登记同意，我会告诉{called}。改变主意时，请孩子重新报名。").format(called=command.called)
        )
    try:
        agree(session, person, command.volunteer, command.told, language_agreed(command.consent))
    except GuardianError as error:
        return not_agreed(error, command.called)
    use_code(session, checked.row)
    return Reply(
        _("谢谢您！同意已经登记，我会马上告诉{called}。以后想撤回，随时回复“监护人”。").format(called=command.called)
    )


def _taken_back(session: Session, person: Person, command: TakeBack) -> Reply:
    try:
        take_back(session, person, command.guardianship)
    except GuardianError:
        return Reply(_("这份同意已经撤回过了。"))
    return Reply(_("已经撤回，{called}的志愿服务从现在起暂停，我会告诉{called}。").format(called=command.called))


def _yes_or_no() -> tuple[Choice, ...]:
    return (agreeing(rules().registration.notice_version, "yes"), Choice("no", _("不同意")))


def _explained(facts: Facts) -> str:
    return _(
        "{called}想当助残志愿者，请您作为监护人决定。\n"
        "{responsible}\n"
        "做什么：参加适合年龄的助残服务和活动，不会单独结对，首次服务有专员陪同。\n"
        "为什么问您：未满 {age} 岁的人注册要监护人同意。\n"
        "记录什么：孩子的姓名、手机号、出生日期、所在县（市、区），您的姓名、关系、手机号，都加密保存，不作别的用途。\n"
        "存多久：到孩子或您要求删除为止，聊天原文 {days} 天；"
        "删除后，编号、服务、同意、操作和求助的记录按法律要求留下。\n"
        "随时可以撤回，回复“监护人”就行。\n"
        "您同意吗？"
    ).format(
        called=facts.called,
        responsible=who_is_responsible(facts.operator, facts.contact),
        age=rules().registration.guardian_consent_below,
        days=rules().messages.retention_days,
    )


def _typed_code(words: str) -> str:
    code = normal(re.sub(r"^(监护|監護|guardian)\s*[:：]?", "", words, flags=re.IGNORECASE))
    if len(code) != 8:
        raise Invalid(_("监护码是 8 位字母和数字，在孩子转发给您的那段话里，“监护”两个字后面。"))
    return code


def _verdict(checked: Checked, volunteer: Volunteer | None) -> str:
    """What is wrong with the code, or an empty text."""
    days = rules().registration.guardian_link_days
    texts = {
        "wrong": _("没有这个监护码，请核对后再写。"),
        "used": _("这个监护码已经用过了。"),
        "expired": _("这个监护码过期了（{days} 天内有效）。请孩子回复“报名”，再转发一段新的给您。").format(days=days),
        "replaced": _("这个监护码已经换成新的，旧的不能用了。请孩子把最新的那段转发给您，用那里面的码。"),
        "pause": _("试错次数太多了，请 {minutes} 分钟后再试。").format(minutes=rules().doors.code_pause_minutes),
    }
    return texts.get(checked.verdict) or ("" if volunteer is not None else gone())


def _counting(person_id: str) -> Callable[[Session], None]:
    return lambda session: count_wrong(session, person_id)


def _news(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """What a minor hears about the guardian's word; None when it is no longer so."""
    volunteer = session.get(Volunteer, str(params["volunteer"]))
    news = params["news"]
    if volunteer is None:
        return None
    mine = (Option("m:my", _("我的")),)
    if news in ("agreed", "of_age"):
        if volunteer.status != ACTIVE:
            return None
        why = _("监护人同意了") if news == "agreed" else _("你已经不需要监护人同意了")
        text = _("{why}，你现在是正式的志愿者，欢迎你！你的志愿者编号：{number}")
        return Reply(
            text.format(why=why, number=volunteer.number), (Option("m:more_profile", _("填写更多资料")), *mine)
        )
    if news == "withdrew":
        if volunteer.status != PAUSED:
            return None
        return Reply(
            _(
                "监护人撤回了同意，你的志愿服务先暂停。谢谢你做过的一切。可以和监护人商量，再回复“报名”重新请他（她）同意。"
            ),
            mine,
        )
    if params["erased"] and volunteer_of(session, person.id) is not None:
        return None
    said = _("监护人这次没有同意。") if news == "refused" else _("监护人一直没有回复。")
    rest = _("你的注册资料已经删除。") if params["erased"] else _("你的志愿服务先暂停。")
    return Reply(
        said + rest + _("谢谢你的心意，和家人商量好以后，随时可以再报名。"), (Option("m:contact", _("联系专员")),)
    )


NOTICES = {"notice.guardian": _news}

GUARDIAN = Dialogue(name="guardian", facts=Facts, prepare=prepare, talk=talk, perform=perform)
