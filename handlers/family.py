"""我家的志愿者: what a served person, or the guardian, sees and says on a phone of their own.

Joined by a code from a specialist. They confirm, say how it goes in one tap, object, and see who looked at the address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.band_words import often_words, service_words
from handlers.codes import bad_code, code_shape
from handlers.contact_words import who as volunteer_words
from handlers.dialogue import Ask, Choice, Dialogue, Further, Refused, Talk
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.served_facts import when
from handlers.served_words import mark, served
from models import family_doors, looking
from models.beneficiary import Beneficiary
from models.code import known
from models.family import FamilyError
from models.pairing import AGREEING, ENDED, OPEN, Stint
from models.person import Person
from models.stints import lead_of

SHOWN = 5  # looks that are told of


class JoinFacts(BaseModel):
    """`door` is empty until a code was found good."""

    door: str = ""
    called: str = ""
    holder: str = ""


@dataclass(frozen=True, slots=True)
class LookUp:
    """Look at the typed code."""

    code: str


@dataclass(frozen=True, slots=True)
class Join:
    """Yes, it is the family's phone."""

    door: str


def _join_facts(session: Session, person: Person) -> JoinFacts:
    return JoinFacts()


def _join_talk(facts: JoinFacts) -> Talk:
    if not facts.door:
        text = _("请写专员给家里的码（8 位字母和数字）。")
        return LookUp((yield Ask("code", text, check=code_shape)))
    who = _("服务对象本人") if facts.holder == "self" else _("监护人")
    text = _(
        "这个账号要作为{called}（服务对象）的{who}来用：接收结对的消息，确认或者不同意，说说怎么样。\n"
        "这是自愿的，随时可以退出，不影响服务。是这样吗？"
    ).format(called=facts.called, who=who)
    choices = (Choice("yes", _("是，连上"), words=("是", "是的")), Choice("no", _("不是我家的")))
    return Join(facts.door) if (yield Ask("sure", text, choices)) == "yes" else None


def _join(session: Session, person: Person, command: LookUp | Join) -> Reply | Further:
    if isinstance(command, LookUp):
        found = family_doors.look(session, command.code, person.id)
        if found is None:
            raise bad_code("code", person, "wrong", renew="", counts=not known(session, command.code))
        if found.verdict != "good" or found.door is None:
            raise _no_good(person, found.verdict)
        somebody = session.get_one(Beneficiary, found.door.beneficiary_id)
        return Further(
            JoinFacts(door=found.door.id, called=_called(session, person, somebody), holder=found.door.holder)
        )
    verdict = family_doors.join(session, command.door, person.id)
    if verdict != "good":
        return Reply(_no_good(person, verdict).text, (Option("m:contact", _("联系专员")),))
    return Reply(_("连上了，谢谢！") + "\n" + overview(session, person).text, _home(session, person))


def _no_good(person: Person, verdict: str) -> Refused:
    """Why a code that exists does not join this phone."""
    renew = _("请让专员再给一个。")
    if verdict == "own":
        return Refused("code", _("这个码是给家里的，请在家里人的手机上输入。"))
    if verdict in ("expired", "wrong"):
        return Refused("code", _("这个码过期了。") + renew)
    return bad_code("code", person, verdict, renew=renew)


JOIN = Dialogue("family_join", JoinFacts, _join_facts, _join_talk, _join)


def overview(session: Session, person: Person) -> Reply:
    """我家的志愿者."""
    about = family_doors.mine(session, person.id)
    if not about:
        text = _("这个账号还没有连上家里的档案。专员可以给家里一个码，收到后在这里输入。")
        return Reply(text, (Option("m:family_join", _("输入家里的码")), Option("m:contact", _("联系专员"))))
    lines = [line for _door, somebody in about for line in _lines(session, person, somebody)]
    return Reply("\n".join(lines), _home(session, person))


def _lines(session: Session, person: Person, somebody: Beneficiary) -> list[str]:
    stint = lead_of(session, somebody.id) or lead_of(session, somebody.id, AGREEING)
    name = _called(session, person, somebody)
    if stint is None:
        return [_("{called}：现在还没有结对的志愿者，专员在找。").format(called=name)]
    told = [_who(session, stint), service_words(stint.services), often_words(stint.activities)]
    if stint.state == OPEN and stint.ends_on is not None:
        told.append(_("约定到 {day}").format(day=stint.ends_on.isoformat()))
    if stint.state == AGREEING:
        told.append(_("还在商量，第一次见面由专员陪着"))
    return [_("{item}：{value}").format(item=name, value=_("，").join(told))]


def _who(session: Session, stint: Stint) -> str:
    return volunteer_words(session, stint.person_id) if stint.person_id is not None else _("团队")


def _called(session: Session, person: Person, somebody: Beneficiary) -> str:
    """To the family a mark says nothing."""
    name = served(session, person, somebody)
    return _("您家") if name == mark(somebody) else name


def _home(session: Session, person: Person) -> tuple[Option, ...]:
    found: list[Option] = []
    about = family_doors.mine(session, person.id)
    for door, somebody in about:
        stint = lead_of(session, somebody.id) or lead_of(session, somebody.id, AGREEING)
        whose = _called(session, person, somebody) + " " if len(about) > 1 else ""
        confirms = family_doors.may_confirm(session, door, somebody, person.id)
        facts = SayFacts(served=somebody.id, stint=stint.id if stint else "", confirms=confirms)
        labels = [(choice.value, whose + choice.label) for choice in _choices(stint, confirms=confirms)]
        found += asked(session, person.id, SAY.name, "what", facts, labels)
    return (*found, Option("m:contact", _("联系专员")))


class SayFacts(BaseModel):
    """About whom, and which pairing. `confirms` = this phone may say yes to a volunteer (not a minor's own)."""

    served: str = ""
    stint: str = ""
    confirms: bool = True


@dataclass(frozen=True, slots=True)
class Say:
    """`what`: an opinion, "confirm", "object", "looks" or "leave"."""

    served: str
    stint: str
    what: str


def _choices(stint: Stint | None, *, confirms: bool) -> tuple[Choice, ...]:
    found: list[Choice] = []
    if stint is not None and stint.family_at is None and confirms:
        found.append(Choice("confirm", _("同意这位志愿者")))
    if stint is not None and stint.state == OPEN:
        found += [Choice("good", _("挺好")), Choice("so_so", _("一般")), Choice("change", _("想换人"))]
    if stint is not None:
        found.append(Choice("object", _("不想结对了")))
    return (*found, Choice("looks", _("谁看过地址")), Choice("leave", _("退出这个账号")))


def _every(*, confirms: bool) -> tuple[Choice, ...]:
    return (
        *((Choice("confirm", _("同意这位志愿者")),) if confirms else ()),
        Choice("good", _("挺好")),
        Choice("so_so", _("一般")),
        Choice("change", _("想换人")),
        Choice("object", _("不想结对了")),
        Choice("looks", _("谁看过地址")),
        Choice("leave", _("退出这个账号")),
    )


def _say_facts(session: Session, person: Person) -> SayFacts:
    return SayFacts()


def _say_talk(facts: SayFacts) -> Talk:
    if not facts.served:
        return None
    what = yield Ask("what", _("想说什么？"), choices=_every(confirms=facts.confirms))
    if what in ("object", "leave"):
        text = (
            _("确定不想结对了吗？不用说原因。志愿者不会再来，专员会联系您。")
            if what == "object"
            else _("确定退出吗？这个账号不再接收家里的消息；结对照旧。")
        )
        if (yield Ask("sure", text, (Choice("yes", _("确定")), Choice("no", _("先不"))))) == "no":
            return None
    return Say(facts.served, facts.stint, what)


def _said(session: Session, person: Person, command: Say) -> Reply:
    if command.served not in {about.id for _door, about in family_doors.mine(session, person.id)}:
        return Reply(_("这个账号没有连着这一家，没有改动。"))
    if command.what == "looks":
        return _looks(session, person, command.served)
    if command.what == "leave":
        family_doors.leave(session, person.id, command.served)
        return Reply(_("已退出。想再连上，找专员要一个新的码。"))
    if command.what == "object":
        if not family_doors.object_to(session, person.id, command.served):
            return Reply(_("现在没有结对，也没有人在找，没有改动。"), (_back(),))
        return Reply(_("记下了，志愿者不会再来，专员会联系您。谢谢您告诉我们。"), (_back(),))
    if command.what == "confirm":
        try:
            done = family_doors.confirm(session, person.id, command.stint)
        except FamilyError:
            return Reply(_("还没满 18 岁，由监护人来同意。您想说的，可以在这里说，也可以找专员。"), (_back(),))
        text = _("记下了，谢谢！") if done else _("这个结对已经变了，请重新看一看。")
        return Reply(text, (_back(),))
    family_doors.say(session, person.id, command.served, command.what)
    text = _("记下了，只有专员看得到。谢谢！")
    return Reply(text + (_("专员会联系您商量换人。") if command.what == "change" else ""), (_back(),))


def _back() -> Option:
    return Option("m:family", _("我家的志愿者"))


def _looks(session: Session, person: Person, served: str) -> Reply:
    found = looking.looks(session, served)[:SHOWN]
    if not found:
        return Reply(_("还没有志愿者看过地址和电话。"), (_back(),))
    lines = [_("最近看过地址和电话的：")]
    for one in found:
        at = one.at.astimezone(ZoneInfo(person.zone))
        lines.append(_("{item}：{value}").format(item=volunteer_words(session, one.by), value=f"{at:%Y-%m-%d %H:%M}"))
    return Reply("\n".join(lines), (_back(),))


SAY = Dialogue("family_say", SayFacts, _say_facts, _say_talk, _said, repeats=True)


def _family_said(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    somebody = session.get(Beneficiary, str(params["served"]))
    if somebody is None or somebody.merged_into is not None:
        return None
    words = {"good": _("挺好"), "so_so": _("一般"), "change": _("想换人"), "object": _("不想结对了")}[
        str(params["opinion"])
    ]
    text = _("{called}家里说：{words}。").format(called=mark(somebody), words=words)
    more = (Option("m:hand_overs", _("交接清单")),) if params["opinion"] == "change" else ()
    return Reply(text, (*more, Option("m:nobody_dropped", _("一户不落"))))


def _of_mine(session: Session, person: Person, params: dict[str, Any], state: str) -> tuple[Stint, str] | None:
    """The pairing that a message to the family is about, and how its person is called; None when it is not so any
    more, or the phone has left."""
    stint = session.get(Stint, str(params["stint"]))
    about = {somebody.id: somebody for _door, somebody in family_doors.mine(session, person.id)}
    if stint is None or stint.state != state or stint.beneficiary_id not in about:
        return None
    return stint, _called(session, person, about[stint.beneficiary_id])


def _family_meeting(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    found = _of_mine(session, person, params, AGREEING)
    if found is None or found[0].meets_at is None or found[0].meets_at.isoformat() != params["at"]:
        return None
    text = _("{called}：第一次见面约在 {time}，来的是{who}，专员会陪着。时间不合适，请联系专员。")
    said = text.format(called=found[1], time=when(person, found[0].meets_at), who=_who(session, found[0]))
    return Reply(said, (_back(), Option("m:contact", _("联系专员"))))


def _family_opened(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    found = _of_mine(session, person, params, OPEN)
    if found is None:
        return None
    text = _("{called}：从现在起，结对的是{who}。怎么样，随时可以在“我家的志愿者”里说。")
    return Reply(text.format(called=found[1], who=_who(session, found[0])), (_back(),))


def _family_ended(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    found = _of_mine(session, person, params, ENDED)
    if found is None or lead_of(session, str(found[0].beneficiary_id)) is not None:
        return None
    text = _("{called}：这次结对结束了。接下来由专员照看，怎么安排会和您商量。")
    return Reply(text.format(called=found[1]), (_back(), Option("m:contact", _("联系专员"))))


NOTICES = {
    "notice.family_said": _family_said,
    "notice.family_meeting": _family_meeting,
    "notice.family_opened": _family_opened,
    "notice.family_ended": _family_ended,
}
