"""What a specialist does for somebody who waits: the family's word, whom to ask, the first meeting, the agreement.

One talk with a branch for each step; the rules are in models/.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from config.catalogue import rules
from config.services import entries
from config.texts import _
from handlers.band_words import often_words, service_words
from handlers.checks import between, form_of_address, team_number, volunteer_number
from handlers.days import meant, with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Further, Invalid, Refused, Talk
from handlers.message import Option, Reply
from handlers.served_facts import STEP, StepFacts, step_options, steps
from handlers.step_words import back, family_words, invited, offer_words, stint_words, team_words
from models import agreement, family, family_doors, offering, waiting
from models.agreement import LEAST_ACTIVITIES, MOST_ACTIVITIES, MOST_MONTHS, Terms
from models.beneficiary import BeneficiaryError, is_full_name, set_called
from models.family import FamilyError
from models.offering import Candidate, OfferError
from models.pairing import AGREEING
from models.person import Person, local_now
from models.served import leaders
from models.stints import StintError, lead_of
from models.team import by_team_number
from models.volunteer import by_number


@dataclass(frozen=True, slots=True)
class Step:
    """What was decided."""

    served: str
    what: str
    answers: dict[str, Any]


def _facts(session: Session, person: Person) -> StepFacts:
    return StepFacts()


def _talk(facts: StepFacts) -> Talk:
    if not facts.served:
        return None
    what = yield Ask("step", _("做哪一步？"), choices=steps(facts.state))
    answers = yield from _ASKS[what](facts)
    return Step(facts.served, what, answers) if answers is not None else None


def _agreed_asks(facts: StepFacts) -> Talk:
    givers, ways = _givers(), _ways()
    giver, how = "guardian", _("怎么同意的？")
    if facts.minor:
        how = _("这一位未成年（或没有登记出生日期），要监护人同意（家属不等于监护人）。监护人是怎么同意的？")
    else:
        text = _("谁同意的？结对要本人同意；本人不能表示的，由监护人同意（家属不等于监护人）。")
        giver = yield Ask("giver", text, givers)
    own = _guardian_words()  # said here they mean the answer before, not the talk of guardians
    way = yield Ask("way", how, ways, own=own)
    text = _("请核对：{who}同意和志愿者结对，{way}，{day}。记下吗？").format(
        who=next(one.label for one in givers if one.value == giver),
        way=next(one.label for one in ways if one.value == way),
        day=with_weekday(date.fromisoformat(facts.today)),
    )
    corrections: tuple[Choice, ...] = (
        Choice("way", _("改怎么同意的"), drops=("way",)),
        Choice("no", _("先不记")),
    )
    if not facts.minor:
        corrections = (Choice("giver", _("改谁同意的"), drops=("giver",)), *corrections)
    # Its own key where only a guardian can: a yes to the other summary is none to this one.
    key = "confirm_guardian" if facts.minor else "confirm"
    sure = yield Ask(key, text, (Choice("yes", _("记下"), words=(_("确定"),)), *corrections), own=own)
    return {"giver": giver, "way": way, "facts": facts} if sure == "yes" else None


def _givers() -> tuple[Choice, ...]:
    return (Choice("guardian", _("监护人")), Choice("self", _("服务对象本人"), words=("本人",)))


def _ways() -> tuple[Choice, ...]:
    return (Choice("paper", _("书面")), Choice("spoken", _("当面说的")), Choice("phone", _("电话里说的")))


def _guardian_words() -> tuple[str, ...]:
    return (_("监护人"), "监护人", "監護人", "guardian")


def _invite_asks(facts: StepFacts) -> Talk:
    text = _("请写志愿者的编号（10 位数字），或团队的编号：团队由队长来答复，队员轮流去。")
    number = yield Ask("number", text, check=_number)
    return {"number": number}


def _number(words: str) -> str:
    """A volunteer's or a team's number as it is written. Raises Invalid."""
    plain = "".join(words.split())
    if re.fullmatch(r"\d{10}", plain):
        return volunteer_number(plain)
    try:
        return team_number(plain)
    except Invalid:
        text = _("请写志愿者编号（对方回复“我的资料”能看到），或团队编号（回复“团队”能看到）。")
        raise Invalid(text) from None


def _sure_asks(text: Callable[[], str]) -> Callable[[StepFacts], Talk]:
    def ask(facts: StepFacts) -> Talk:
        sure = yield Ask("sure", text(), (Choice("yes", _("确定")), Choice("no", _("先不"))))
        return {} if sure == "yes" else None

    return ask


def _meet_asks(facts: StepFacts) -> Talk:
    today = date.fromisoformat(facts.today)
    text = _("第一次见面约在什么时候？写日期和时间，例如 {example} 14:30。你或村里的专职委员要陪着去。")
    example = (today + timedelta(days=7)).isoformat()
    at = yield Ask("at", text.format(example=example), check=_moment(today))
    return {"at": at}


def _called_asks(facts: StepFacts) -> Talk:
    text = _("志愿者怎么称呼这一位？写本人喜欢的称呼，例如“小明”“陈姐”；不要写姓名全称。")
    words = yield Ask("called", text, check=_no_name, told=True, sensitive=True)
    return {"called": words}


def _write_asks(facts: StepFacts) -> Talk:
    family_said = yield Ask(
        "family",
        _("见过面以后，家里（监护人）同意和这位志愿者结对吗？"),
        (Choice("yes", _("同意")), Choice("no", _("不同意"))),
    )
    if family_said == "no":
        return {"family": "no"}
    offered = tuple(Choice(key, entry.label, words=entry.spellings) for key, entry in entries("service").items())
    services = yield Ask("services", _("约定做什么？"), offered, many=True)
    text = _("一年几次？写数字，最少 {least} 次（两次探访）。一般 {usual} 次。")
    usual = rules().pairing.activities_a_year
    text = text.format(least=LEAST_ACTIVITIES, usual=usual)
    count = yield Ask("activities", text, check=between(LEAST_ACTIVITIES, MOST_ACTIVITIES), numeric=True)
    months = yield Ask(
        "months",
        _("约定几个月？一般 {usual} 个月。").format(usual=rules().pairing.term_months),
        check=between(1, MOST_MONTHS),
        numeric=True,
    )
    echo = _("协议：{services}；一年 {count} 次（{often}）；{months} 个月。发给志愿者确认吗？").format(
        services=service_words(list(services)), count=count, often=often_words(count), months=months
    )
    sure = yield Ask("sure", echo, (Choice("yes", _("发给志愿者")), Choice("no", _("先不发"))))
    terms = {"services": list(services), "activities": count, "months": months}
    return {"family": "yes", **terms} if sure == "yes" else None


def _no_name(words: str) -> str:
    """A form of address that says nothing but that. Raises Invalid."""
    plain = form_of_address(words)
    if any(letter.isdigit() for letter in plain) or _TELLING.search(plain):
        raise Invalid(_("只写称呼，不写号码、地址和残疾情况，例如“小明”“陈姐”。"))
    return plain


def _door_asks(facts: StepFacts) -> Talk:
    text = _("码给谁用？家里用自己的手机可以看是谁结对、确认、说说怎么样；不用手机也可以，由你代为记录。")
    return {
        "holder": (
            yield Ask(
                "holder", text, (Choice("guardian", _("监护人")), Choice("self", _("服务对象本人"), words=("本人",)))
            )
        )
    }


def _cut_asks(facts: StepFacts) -> Talk:
    text = _("确定断开家里的账号吗？没用过的码也一起作废；结对照旧。连错了人就断开，再给一个新的码。")
    sure = yield Ask("sure", text, (Choice("yes", _("确定")), Choice("no", _("先不"))))
    return {} if sure == "yes" else None


_ASKS: dict[str, Callable[[StepFacts], Talk]] = {
    "agreed": _agreed_asks,
    "invite": _invite_asks,
    "again": _invite_asks,
    "took_back": _sure_asks(lambda: _("确定记下：家里不同意结对了吗？正在等的邀请会收回。")),
    "called": _called_asks,
    "door": _door_asks,
    "cut": _cut_asks,
    "meet": _meet_asks,
    "write": _write_asks,
    "off": _sure_asks(lambda: _("确定没有谈成吗？会谢谢这位志愿者，再邀请下一位。")),
}


# What a form of address must not tell of somebody.
_TELLING = re.compile(
    "视力|视障|視障|听力|听障|聽障|言语|肢体|智力|智障|精神|多重|残|殘|孤独症|自闭|脑瘫|路|街|村|号|楼"
)
_TIME = re.compile(
    r"(凌晨|早上|早晨|上午|中午|下午|晚上|am|pm)?\s*(\d{1,2})\s*(?:[:：点點時时]\s*(半|\d{1,2})?\s*分?|(?=am|pm))\s*(am|pm)?$",
    re.IGNORECASE,
)


def _moment(today: date) -> Callable[[str], str]:
    """A check for a day and a time, “2026-12-05 14:30” or “下周六下午2点半”, as local “2026-12-05T14:30”."""

    def check(words: str) -> str:
        found = _TIME.search(words.strip())
        try:
            day = meant(words.strip()[: found.start()], today) if found else None
            if found is None or day is None:
                raise ValueError(words)
            half = ((found[1] or "") + (found[4] or "")).casefold()
            hour, minute = int(found[2]), 30 if found[3] == "半" else int(found[3] or 0)
            if half in ("下午", "晚上", "pm") and hour < 12:
                hour += 12
            return datetime.combine(day, time(hour, minute)).isoformat(timespec="minutes")
        except ValueError:
            text = _("请写日期和时间，例如 {example} 14:30，或“下周六下午2点半”。")
            raise Invalid(text.format(example=(today + timedelta(days=7)).isoformat())) from None

    return check


# --- what is done ---


def _perform(session: Session, person: Person, command: Step) -> Reply | Further:
    try:
        return _DO[command.what](session, person, command)
    except FamilyError as error:
        if command.what == "agreed" and error.reason == "guardian":
            # Learned since the button was made: who and how are looked at once more before anything is written.
            facts: StepFacts = command.answers["facts"]
            return Further(facts.model_copy(update={"minor": True}), family_words(error.reason))
        return Reply(family_words(error.reason), (back(),))
    except OfferError as error:
        return Reply(offer_words(error.reason), (back(),))
    except BeneficiaryError as error:
        return Reply(offer_words(error.reason), (back(),))
    except StintError as error:
        mend = (Option("m:qualifications", _("培训与证书")),) if error.reason == "lapsed" else ()
        return Reply(stint_words(error.reason), (*mend, back()))


def _agreed(session: Session, person: Person, command: Step) -> Reply:
    given = command.answers
    family.record(session, command.served, family.PAIRING, given["giver"], given["way"], person.id)
    return _then(session, person, command.served, _("记下了：家里同意结对。"))


def _then(session: Session, person: Person, served: str, done: str) -> Reply:
    """What was done, and the next step of the same person."""
    each = waiting.one(session, person.id, served)
    if each is None:
        return Reply(done, (back(),))
    return Reply(done, (*step_options(session, person, served, each.state), back()))


def _invite(session: Session, person: Person, command: Step) -> Reply:
    around = command.what == "again"
    asked = _meant(session, command.answers["number"])
    try:
        made = offering.offer(session, command.served, [asked], person.id, around=around)
    except OfferError as error:
        if asked.team_id is not None and error.reason in ("team", "volunteer", "full", "minor"):
            raise Refused("number", team_words(error.reason)) from None
        raise
    return Reply(invited(session, made), (back(),))


def _meant(session: Session, number: str) -> Candidate:
    """Whom a number means: a volunteer, or a team, which its leader answers for."""
    row, team = by_number(session, number), by_team_number(session, number)
    if row is not None:
        return Candidate(row.person_id)
    if team is None:
        raise Refused("number", _("没有这个编号的志愿者或团队，请核对一下。"))
    leads = leaders(session, team.id)
    if team.ended_at is not None or not leads:
        raise Refused("number", team_words("gone" if team.ended_at is not None else "team"))
    return Candidate(leads[0], team.id)


def _took_back(session: Session, person: Person, command: Step) -> Reply:
    family.take_back(session, command.served, family.PAIRING, person.id)
    return Reply(_("记下了，不再为这一位找人；等着的邀请都收回了。"), (back(),))


def _called(session: Session, person: Person, command: Step) -> Reply:
    words = command.answers["called"]
    if is_full_name(session, command.served, words):
        raise Refused("called", _("这是姓名全称。请写称呼，例如“小明”“陈姐”。"))
    set_called(session, command.served, words, person.id)
    text = _("记下了，志愿者看到的就是这个称呼（Telegram 上只显示档案编号）。")
    return _then(session, person, command.served, text)


def _door(session: Session, person: Person, command: Step) -> Reply:
    try:
        code = family_doors.issue(session, command.served, command.answers["holder"], person.id)
    except FamilyError as error:
        if error.reason == "guardian":
            raise Refused("holder", family_words(error.reason)) from None
        return Reply(family_words(error.reason), (back(),))
    text = _("码：{code}\n请当面告诉家里，在暖阳里直接输入这 8 位。{days} 天内有效，只能用一次，不要发到群里。")
    days = rules().registration.guardian_link_days
    return _then(session, person, command.served, text.format(code=code, days=days))


def _cut(session: Session, person: Person, command: Step) -> Reply:
    count = family_doors.disconnect(session, command.served, person.id)
    done = _("断开了 {count} 个账号，没用过的码作废了。").format(count=count)
    return _then(session, person, command.served, done if count else _("没有连着的账号；没用过的码作废了。"))


def _agreeing(session: Session, served: str) -> str:
    stint = lead_of(session, served, AGREEING)
    if stint is None:
        raise StintError("gone")
    return stint.id


def _meet(session: Session, person: Person, command: Step) -> Reply:
    at = datetime.fromisoformat(command.answers["at"]).replace(tzinfo=ZoneInfo(person.zone))
    if at <= local_now(session, person):
        raise Refused("at", _("这个时间已经过了，请写以后的时间。"))
    agreement.set_meeting(session, _agreeing(session, command.served), at, person.id)
    text = _("记下了，正在告诉志愿者。见面前后 24 小时内，志愿者可以看地址和电话；见过面以后，回来写协议。")
    return _then(session, person, command.served, text)


def _write(session: Session, person: Person, command: Step) -> Reply:
    stint = _agreeing(session, command.served)
    given = command.answers
    if given["family"] == "no":
        agreement.call_off(session, stint, person.id)
        return Reply(_("记下了，会谢谢这位志愿者，再邀请下一位。"), (back(),))
    terms = Terms(tuple(given["services"]), given["activities"], given["months"])
    agreement.write(session, stint, terms, person.id)
    return Reply(_("协议发给志愿者了；接受以后结对就成立，会告诉你。"), (back(),))


def _off(session: Session, person: Person, command: Step) -> Reply:
    agreement.call_off(session, _agreeing(session, command.served), person.id)
    return Reply(_("记下了，会谢谢这位志愿者，再邀请下一位。"), (back(),))


_DO: dict[str, Callable[[Session, Person, Step], Reply]] = {
    "agreed": _agreed,
    "invite": _invite,
    "again": _invite,
    "took_back": _took_back,
    "called": _called,
    "door": _door,
    "cut": _cut,
    "meet": _meet,
    "write": _write,
    "off": _off,
}


SERVED_STEP = Dialogue(STEP, StepFacts, _facts, _talk, _perform, repeats=True)
