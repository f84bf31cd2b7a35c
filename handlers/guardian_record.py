"""A specialist or organiser records a guardian's consent on paper, for a minor of his or her own counties.

The talk has two halves: the volunteer's number is looked up, then the questions are asked about that volunteer.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel
from sqlmodel import Session

from config.regions import place_name
from config.texts import _, current
from handlers.checks import number_digest, volunteer_number
from handlers.dialogue import Ask, Choice, Dialogue, Further, Refused, Talk
from handlers.guardian_words import about_guardian, not_agreed
from handlers.invitation import called_gently
from handlers.message import Option, Reply
from models.guardian import Guardian, GuardianError, may_record, record, waiting
from models.person import Person
from models.role import grants
from models.volunteer import by_number, phone_of


class RecordFacts(BaseModel):
    """`volunteer` is empty until a number was found; `county` is a region code."""

    allowed: bool = False
    volunteer: str = ""
    called: str = ""
    county: str = ""
    child_phone: str = ""  # only a digest, see checks.number_digest


@dataclass(frozen=True)
class FindNumber:
    """Look the volunteer's number up; empty = the person may not record anything."""

    number: str


@dataclass(frozen=True)
class Record:
    """Record the consent on paper."""

    volunteer: str
    called: str
    told: Guardian


def prepare_record(session: Session, person: Person) -> RecordFacts:
    """Whether the person has a role that may record at all."""
    return RecordFacts(allowed=bool(grants(session, person.id)))


def talk_record(facts: RecordFacts) -> Talk:
    """First half: the number. Second half: who the guardian is, and that the paper was seen."""
    if not facts.volunteer:
        if not facts.allowed:
            return FindNumber("")
        number = yield Ask("number", _("请写未成年志愿者的编号（10 位数字）。"), check=volunteer_number)
        return FindNumber(number)
    if (yield Ask("right", _whom(facts.called, facts.county), _right_or_not())) == "no":
        return None
    told = yield from about_guardian(
        _("请写监护人的姓名，和同意书上一致。"),
        _("监护人是{called}的什么人？").format(called=facts.called),
        _("请写监护人的手机号。"),
        facts.child_phone,
    )
    text = _("你见到监护人签名的书面同意书原件了吗？")
    seen = yield Ask("seen", text, (Choice("yes", _("已见到书面同意书原件")), Choice("no", _("还没有见到"))))
    return Record(facts.volunteer, facts.called, told) if seen == "yes" else None


def perform_record(session: Session, person: Person, command: FindNumber | Record) -> Reply | Further:
    """Find the minor inside the person's scope, or record the consent; everything is checked again."""
    if isinstance(command, Record):
        return _recorded(session, person, command)
    if not command.number:
        return Reply(
            _("书面同意要由项目专员或管理员登记。监护人本人可以用自己的手机同意，回复“监护人”。"),
            (Option("m:guardian", _("我是监护人")), Option("m:contact", _("联系专员"))),
        )
    volunteer = by_number(session, command.number)
    if volunteer is None or not may_record(session, person.id, volunteer):
        raise Refused("number", _("在你负责的地区里没有这个编号，请核对一下。"))
    if waiting(session, volunteer.id) is None:
        raise Refused("number", _("这位志愿者现在不需要监护人同意。"))
    called = called_gently(session, session.get_one(Person, volunteer.person_id), volunteer)
    county = volunteer.county or ""
    phone = number_digest(phone_of(session, volunteer))
    facts = RecordFacts(allowed=True, volunteer=volunteer.id, called=called, county=county, child_phone=phone)
    return Further(facts)


def _recorded(session: Session, person: Person, command: Record) -> Reply:
    try:
        record(session, person, command.volunteer, command.told, current())
    except GuardianError as error:
        return not_agreed(error, command.called)
    return Reply(_("已登记{called}监护人的书面同意，请把原件存好。").format(called=command.called))


def _right_or_not() -> tuple[Choice, ...]:
    return (Choice("yes", _("是这位"), words=("是",)), Choice("no", _("不是"), words=("不是这位",)))


def _whom(called: str, county: str) -> str:
    return _("{called}，{county}。是这位吗？").format(called=called, county=place_name(county))


GUARDIAN_RECORD = Dialogue(
    name="guardian_record", facts=RecordFacts, prepare=prepare_record, talk=talk_record, perform=perform_record
)
