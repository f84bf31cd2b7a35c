"""Registering as a volunteer: consent, name, mobile number, birth date, county, a look at it all, done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.regions import place_name
from config.texts import _, current
from handlers.agreement import agreeing, agrees, language_agreed
from handlers.checks import birth_date, mobile_number, person_name, written_number
from handlers.dialogue import Ask, Choice, Dialogue, Refused, Talk
from handlers.here import here
from handlers.invitation import invitation
from handlers.message import Option, Reply
from handlers.operator import who_is_responsible
from handlers.places import ask_county
from models import consent
from models.audit import note, noted
from models.person import Person, local_now
from models.volunteer import (
    ACTIVE,
    ENDED,
    Registered,
    VolunteerError,
    age_on,
    called,
    needs_guardian,
    register,
    volunteer_of,
)

# What submits when it is typed under the summary, which asks whether all of it is right.
CORRECT = (
    *("对", "對", "对的", "對的", "都对", "都對", "全对", "没错", "沒錯", "没问题", "沒問題", "是", "是的"),
    *("好", "好的", "确认", "確認", "ok", "okay", "yes", "correct", "confirm", "submit"),
)
DECLINED = "registration.declined"  # in the audit trail, with the version and language of the notice


class Facts(BaseModel):
    """`today` is the person's own date when the talk began (ISO); `operator` and `contact` are who answers for it.
    `declined` is the version of the notice, with its language, that the person said no to before; empty for none."""

    today: str = "2026-01-01"
    registered: bool = False
    operator: str = ""
    contact: str = ""
    declined: str = ""


@dataclass(frozen=True)
class Submit:
    """Register with these answers; `version` is the privacy notice that was agreed to, `consent` the answer to it."""

    version: str
    answers: Registered
    consent: str


@dataclass(frozen=True)
class Ended:
    """The talk ends without registering: "known", "declined" or "before". `notice` is what was declined."""

    why: str
    notice: str = ""


def prepare(session: Session, person: Person) -> Facts:
    """Whether the person is registered already, and what day it is there."""
    place, notice = here(session), _version_read()
    return Facts(
        declined=notice if noted(session, DECLINED, person.id, notice=notice) else "",
        today=local_now(session, person).date().isoformat(),
        registered=volunteer_of(session, person.id) is not None,
        operator=place.operator,
        contact=place.operator_contact,
    )


def talk(facts: Facts) -> Talk:
    """Six questions for an adult, one more between 16 and 18."""
    if facts.registered:
        return Ended("known")
    version = rules().registration.notice_version
    agreed = yield from _consent(facts, version)
    if not agrees(agreed):
        return Ended("declined", _version_read()) if agreed == "no" else Ended("before")
    name = yield Ask("name", _("请写你的姓名，和证件上一致。"), check=person_name)
    phone = yield Ask("phone", _("请写你的手机号。"), check=mobile_number)
    born = yield Ask("birth_date", _("你的出生日期？例如 2005-08-13。"), check=birth_date(facts.today))
    limits = rules().registration
    earns = False
    if limits.self_supporting_from <= age_on(born, date.fromisoformat(facts.today)) < limits.guardian_consent_below:
        answer = yield Ask("self_supporting", self_supporting_text(), (Choice("yes", _("是")), Choice("no", _("不是"))))
        earns = answer == "yes"
    county = yield from ask_county(
        _("你在哪个县（市、区）？写地名就行，例如“广州天河”；也可以发送位置，或从列表里选。")
    )
    answers = Registered(name=name, phone=phone, birth_date=born, county=county.code, self_supporting=earns)
    yield Ask(
        "confirm",
        _summary(answers, facts.today),
        (
            Choice("submit", _("提交"), words=(_("确认"), _("确认提交"), *CORRECT)),
            Choice("name", _("改姓名"), drops=("name",)),
            Choice("phone", _("改手机号"), drops=("phone",)),
            Choice("birth_date", _("改出生日期"), drops=("birth_date", "self_supporting")),
            Choice("county", _("改所在地"), drops=county.keys),
        ),
    )
    return Submit(version, answers, agreed)


def _consent(facts: Facts, version: str) -> Talk:
    """The notice, then the answer to it. Whoever has read it in this language reads it in short the next time."""
    whole = _notice(version, who_is_responsible(facts.operator, facts.contact))
    answers = (agreeing(version), Choice("no", _("不同意")), Choice("before", _("我以前注册过")))
    short = _in_short(version, who_is_responsible(facts.operator, facts.contact))
    in_short = facts.declined == _version_read()
    see = Choice("whole", _("看完整的隐私说明"), later=not in_short)
    agreed = yield Ask("consent", short if in_short else whole, (*answers, see), again=short)
    if agreed == "whole":
        agreed = yield Ask("consent_whole", whole, answers)
    return agreed


def _version_read() -> str:
    return f"{rules().registration.notice_version}:{current()}"


def perform(session: Session, person: Person, command: Submit | Ended) -> Reply:
    """Register, or say why not."""
    if isinstance(command, Ended):
        if command.why == "declined":
            note(session, person.id, DECLINED, person.id, notice=command.notice)
        return _ended(session, person, command.why)
    try:
        volunteer = register(session, person, command.answers)
    except VolunteerError as error:
        if error.reason == "registered":
            return _ended(session, person, "known")
        if error.reason == "county":
            raise Refused("county", _("行政区划有变动，请再选一次所在地。")) from None
        raise Refused("birth_date", _("这个出生日期现在不能注册，请检查一下。")) from None
    consent.give(session, person.id, "registration", command.version, language_agreed(command.consent))
    if volunteer.status != ACTIVE:
        text = _("资料已收到。你的志愿者编号：{number}").format(number=volunteer.number)
        return Reply(f"{text}\n{invitation(session, person, volunteer)}", (Option("m:my", _("我的")),))
    text = _(
        "注册成功，欢迎你，{called}！\n你的志愿者编号：{number}\n补充技能和空闲时间，更容易找到合适的服务；以后再填也可以。"
    )
    return Reply(
        text.format(called=called(session, person), number=volunteer.number),
        (Option("m:more_profile", _("填写更多资料")), Option("m:my", _("我的"))),
    )


def self_supporting_text() -> str:
    """The question of the Civil Code's exception, also asked when the birth date is corrected."""
    return _("你是以自己的劳动收入为主要生活来源吗？")


def _ended(session: Session, person: Person, why: str) -> Reply:
    if why == "declined":
        return Reply(_("好的，没有保存你的任何资料。以后想加入，随时回复“报名”。"))
    if why == "before":
        return Reply(
            _("好的，请点“我以前注册过”，用手机号和出生日期找回原来的记录。"),
            (Option("m:recognise", _("我以前注册过")), Option("m:contact", _("联系专员"))),
        )
    volunteer = volunteer_of(session, person.id)
    if volunteer is None:
        return Reply(_("现在没有你的注册记录，可以重新报名。"), (Option("m:register", _("报名注册")),))
    known = _("你已经注册过了，志愿者编号：{number}").format(number=volunteer.number)
    options = (Option("m:profile", _("我的资料")), Option("m:my", _("我的")))
    if volunteer.status == ACTIVE:
        return Reply(known + "\n" + _("要看或改资料，点“我的资料”。"), options)
    if volunteer.status == ENDED:
        text = _("你撤回过登记授权，所以登记停着。想恢复，点“查看和撤回授权”。")
        return Reply(f"{known}\n{text}", (Option("m:consents", _("查看和撤回授权")), *options))
    return Reply(f"{known}\n{invitation(session, person, volunteer)}", options)


def _notice(version: str, responsible: str) -> str:
    return _(
        "报名大约两分钟。先请看隐私说明（{version} 版）：\n"
        "{responsible}\n"
        "收集什么：姓名、手机号、出生日期、所在县（市、区）。\n"
        "为什么：登记志愿者身份，就近安排服务，需要时能联系到你。\n"
        "谁能看：当地的项目专员和管理员，加密保存，不作别的用途。\n"
        "存多久：到你删除为止，聊天原文 {days} 天；删除后，编号、服务、同意、操作和求助的记录按法律要求留下。\n"
        "你随时可以查看、更正、撤回。同意吗？"
    ).format(version=version, responsible=responsible, days=rules().messages.retention_days)


def _in_short(version: str, responsible: str) -> str:
    return _(
        "报名前要先同意隐私说明（{version} 版，前面给你看过）。\n"
        "{responsible}\n"
        "姓名、手机号、出生日期和所在地加密保存，只用来登记和就近安排服务；随时可以查看、更正、撤回。同意吗？"
    ).format(version=version, responsible=responsible)


def _summary(answers: Registered, today: str) -> str:
    lines = [
        _("请核对："),
        _("姓名：{name}").format(name=answers.name),
        _("手机号：{phone}").format(phone=written_number(answers.phone)),
        _("出生日期：{date}").format(date=answers.birth_date.isoformat()),
        _("所在地：{place}").format(place=place_name(answers.county)),
    ]
    if answers.self_supporting:
        lines.append(_("生活来源：自己的劳动收入"))
    if needs_guardian(answers.birth_date, answers.self_supporting, date.fromisoformat(today)):
        age = rules().registration.guardian_consent_below
        lines.append(_("未满 {age} 岁，提交后还要请监护人同意。").format(age=age))
    lines.append(_("都对就提交，要改哪项选哪项。"))
    return "\n".join(lines)


REGISTRATION = Dialogue(
    name="registration",
    facts=Facts,
    prepare=prepare,
    talk=talk,
    perform=perform,
)
