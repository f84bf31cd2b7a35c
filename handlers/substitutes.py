"""替补: somebody stands in for a volunteer for a few weeks. The specialist asks, the one who is asked answers, and the
one in whose place they stand hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session

from config import regions, services
from config.texts import _
from handlers.days import day_within, with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.relay_ways import SUBSTITUTE as SUBSTITUTE_NAME
from handlers.relay_ways import LeaveFacts, substitute_choices, substitute_options
from handlers.served_words import by_name, day_of, served, server, volunteer
from models import leave, substituting
from models.beneficiary import GONE, Beneficiary, may_see
from models.institution import Institution
from models.offering import OfferError
from models.pairing import AGREEING, ENDED, OPEN, SUBSTITUTE, Stint
from models.person import Person, family, local_now
from models.served import decides, is_gone, served_of
from models.stints import StintError
from models.volunteer import by_number


@dataclass(frozen=True, slots=True)
class Find:
    """Ask this volunteer until this day; without a number no substitute is needed."""

    stint: str
    number: str = ""
    until: date | None = None


def _find_facts(session: Session, person: Person) -> LeaveFacts:
    return LeaveFacts()


def _find_talk(facts: LeaveFacts) -> Talk:
    if not facts.stint:
        return None
    what = yield Ask("what", _("要安排替补吗？"), substitute_choices())
    if what == "none":
        return Find(facts.stint)
    number = yield Ask("number", _("请谁来替？写志愿者编号（10 位数字）。"), check=volunteer_number, numeric=True)
    today, until = date.fromisoformat(facts.today), day_of(facts.until)
    known = (Choice("same", _("到 {day}").format(day=with_weekday(until))),) if until and until >= today else ()
    text = _("替到哪一天（含当天）？写日期，例如“下周日”或“两周后”。")
    said = yield Ask("until", text, known, check=day_within(today, substituting.LONGEST_DAYS))
    day = said if isinstance(said, date) else until
    sure = yield Ask(
        "confirm",
        _("请核对：请志愿者 {number} 替到 {day}，含当天。").format(number=number, day=with_weekday(day or today)),
        (
            Choice("ask", _("去问对方")),
            Choice("number", _("换一个人"), drops=("number",)),
            Choice("until", _("改日期"), drops=("until",)),
            Choice("no", _("先不问")),
        ),
    )
    return Find(facts.stint, number, day) if sure == "ask" else None


def volunteer_number(words: str) -> str:
    """A volunteer's number as it is written. Raises Invalid."""
    plain = "".join(words.split()).removeprefix("志愿者").removeprefix("編號").removeprefix("编号").lstrip("：:")
    if not (plain.isascii() and plain.isdecimal() and len(plain) == 10):
        raise Invalid(_("请写 10 位的志愿者编号，在对方的“我的资料”里能看到。"))
    return plain


def _list_option() -> Option:
    return Option("m:hand_overs", _("交接清单"))


def _find(session: Session, person: Person, command: Find) -> Reply:
    if not command.number or command.until is None:
        try:
            done = leave.settle(session, command.stint, person.id)
        except StintError:
            return _not_theirs()
        stint = session.get(Stint, command.stint)
        house = stint is not None and stint.institution_id is not None
        settled = _("好的，记下了，已经安排好。") if house else _("好的，这次请假不用替补了。")
        text = settled if done else _("这次请假已经办好了，或者已经过了。")
        return Reply(text, (_list_option(),))
    found = by_number(session, command.number)
    if found is None:
        raise Refused("number", _("没有编号为 {number} 的志愿者，请核对。").format(number=command.number))
    try:
        substituting.ask(session, command.stint, found.person_id, command.until, person.id)
    except OfferError as error:
        raise Refused("number", _against(error.reason)) from None
    except StintError as error:
        if error.reason == "day":
            raise Refused("until", _("这一天已经过了，或者太远，请再写一次。")) from None
        if error.reason == "paired":
            return Reply(_("已经问过替补了，或者这位就是现在的志愿者。等对方答复就好。"), (_list_option(),))
        return _not_theirs()
    return Reply(_("已经去问了，对方答复会告诉你。"), (_list_option(),))


def _against(why: str) -> str:
    """Why this one may not stand in."""
    return {
        "volunteer": _("对方现在不是可以服务的志愿者，请换一个人。"),
        "self": _("这是服务对象本人，请换一个人。"),
        "minor": _("对方未满 18 岁，不能单独服务，请换一个人。"),
        "sex": _("家里希望的性别不合，请换一个人。"),
        "language": _("需要会手语的人，请换一个人。"),
        "clearance": _("服务未成年人的审查已经过期或没有，请换一个人。"),
    }.get(why, _("现在不能请这一位，请换一个人。"))


def _not_theirs() -> Reply:
    return Reply(_("这一件已经办好了、取消了，或者现在不归你负责。"), (_list_option(),))


FIND = Dialogue(SUBSTITUTE_NAME, LeaveFacts, _find_facts, _find_talk, _find, repeats=True)


# --- the one who is asked ---


@dataclass(frozen=True, slots=True)
class StandIn:
    """Their answer."""

    stint: str
    yes: bool


def _stand_in_talk(facts: LeaveFacts) -> Talk:
    if not facts.stint:
        return None
    said = yield Ask("what", _("可以替一阵吗？"), _stand_in_choices())
    return StandIn(facts.stint, said == "yes")


def _stand_in_choices() -> tuple[Choice, ...]:
    return (
        Choice("yes", _("可以"), words=(_("我可以"), _("能去"))),
        Choice("no", _("不方便"), words=(_("不行"), _("去不了"))),
    )


def _stand_in(session: Session, person: Person, command: StandIn) -> Reply:
    contact = Option("m:contact", _("联系专员"))
    try:
        row = substituting.answer(session, command.stint, person.id, yes=command.yes)
    except StintError:
        return Reply(_("这次替补已经不需要了，或者你已经答复过。谢谢你！"), (contact,))
    if not command.yes:
        return Reply(_("好的，没关系，谢谢你告诉我们。专员会另外找人。"))
    found = _about(session, row.id)
    who = served(session, person, found[1]) if found else _("对方")
    day = with_weekday(row.ends_on) if row.ends_on else ""
    text = _("太好了，谢谢你！到 {day}，含当天，由你照看{who}。怎么去、注意什么，专员会和你说；也可以先问。")
    return Reply(text.format(day=day, who=who), (contact,))


STAND_IN = Dialogue("stand_in", LeaveFacts, _find_facts, _stand_in_talk, _stand_in)


# --- what is told ---


def _standing(session: Session, stint_id: str) -> tuple[Stint, Beneficiary, date] | None:
    """A substitute's stint, whom it is about, and its last day."""
    found = _about(session, stint_id)
    if found is None or found[0].part != SUBSTITUTE or found[0].ends_on is None:
        return None
    return (*found, found[0].ends_on)


def _about(session: Session, stint_id: str) -> tuple[Stint, Beneficiary] | None:
    """A stint and whom it is about; None once they left the ledger."""
    stint = session.get(Stint, stint_id)
    somebody = session.get(Beneficiary, stint.beneficiary_id) if stint and stint.beneficiary_id else None
    if stint is None or somebody is None or somebody.status in GONE or somebody.merged_into is not None:
        return None
    return stint, somebody


def _leave(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To whoever answers for the county: a volunteer is away. None once somebody stands in, or it is over."""
    stint, standing = session.get(Stint, str(params["stint"])), leave.leave_of(session, str(params["stint"]))
    if stint is None or standing is None or standing.until.isoformat() != params["until"]:
        return None
    somebody = served_of(session, stint)
    if is_gone(somebody) or not decides(session, person.id, stint):
        return None
    house = isinstance(somebody, Institution)
    said = _("{volunteer}请假到 {day}，要找人替一阵，照看{who}。结对不变，到期接着来。")
    if house:
        said = _("{volunteer}请假到 {day}，这段时间团队去不了{who}，请和机构商量怎么安排。结对不变，到期接着来。")
    called, day = server(session, stint), with_weekday(standing.until)
    text = said.format(volunteer=called, day=day, who=by_name(session, person, somebody))
    today = local_now(session, person).date().isoformat()
    facts = LeaveFacts(stint=stint.id, until=standing.until.isoformat(), today=today)
    return Reply(text, (*substitute_options(session, person.id, facts, house=house), _list_option()))


def _asked(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the one who is asked, in bands: nobody is named before a yes."""
    found = _standing(session, str(params["stint"]))
    if found is None or found[0].state != AGREEING:
        return None
    stint, somebody, day = found
    lines = [_("有一位志愿者这阵子去不了，想请你替一阵，到 {day}，含当天。").format(day=with_weekday(day))]
    lines.append(_("所在地：{place}").format(place=regions.place_name(somebody.county)))
    wanted = _("、").join(services.labels("service", stint.services))
    if wanted:
        lines.append(_("做什么：{what}").format(what=wanted))
    lines.append(_("方便就替，不方便也没关系。可以吗？"))
    labels = [(choice.value, choice.label) for choice in _stand_in_choices()]
    return Reply("\n".join(lines), asked(session, person.id, STAND_IN.name, "what", LeaveFacts(stint=stint.id), labels))


def _found(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the one in whose place somebody stands."""
    found = _standing(session, str(params["stint"]))
    if found is None or found[0].state != OPEN:
        return None
    stint, somebody, day = found
    said = _("找到人替你了：到 {day}，含当天，由{substitute}照看{who}。你安心忙，到期再接着来。")
    return Reply(
        said.format(
            day=with_weekday(day),
            substitute=volunteer(session, stint.person_id),
            who=served(session, person, somebody),
        )
    )


def _answered(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To whoever asked. A no is told with the way to ask the next one."""
    found = _standing(session, str(params["stint"]))
    if found is None or not may_see(session, person.id, found[1].county):
        return None
    stint, somebody, day = found
    called, who = volunteer(session, stint.person_id), by_name(session, person, somebody)
    if stint.state == OPEN:
        said = _("{volunteer}答应替一阵，到 {day}照看{who}。")
        return Reply(said.format(volunteer=called, day=with_weekday(day), who=who), (_list_option(),))
    before = session.get(Stint, stint.follows_id or "")
    if stint.state != ENDED or stint.ended_why != "taken_back" or before is None or before.state != OPEN:
        return None
    today = local_now(session, person).date()
    if day < today:
        return None
    facts = LeaveFacts(stint=before.id, until=day.isoformat(), today=today.isoformat())
    text = _("{volunteer}这次不方便，请为{who}再找一位。").format(volunteer=called, who=who)
    return Reply(text, (*substitute_options(session, person.id, facts), _list_option()))


def _back(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the one in whose place somebody stood: from now on it is they again."""
    found = _about(session, str(params["stint"]))
    before = session.get(Stint, found[0].follows_id or "") if found else None
    if found is None or before is None or before.state != OPEN or before.person_id not in family(session, person.id):
        return None
    text = _("替你的时间到了，从今天起{who}又由你照看，欢迎回来！还去不了的话，请再请一次假。")
    options = (Option("m:hand_over", _("请假交接")),)
    return Reply(text.format(who=served(session, person, found[1])), options)


NOTICES = {
    "notice.leave": _leave,
    "notice.stand_in": _asked,
    "notice.stood_in_for": _found,
    "notice.substitute": _answered,
    "notice.back": _back,
}
