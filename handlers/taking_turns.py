"""轮流排班: a team's pairings with whose turn it is, and who goes in which order, planned by its leader or whoever
answers for the county."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.here import here
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.paging import PAGE, ListFacts, Show, next_begin, onward, pick, where
from handlers.somebody import called
from handlers.turn_words import LIST, PLAN, about, as_member, going_words, rhythm_words, team_name, to_turns
from models import turn_acts, turns
from models.beneficiary import ADULT
from models.pairing import Stint
from models.person import Person
from models.served import decides
from models.team import Team, members
from models.turn import MONTH, VISIT, plan_of
from models.turn_acts import TurnError
from models.volunteer import age_on, volunteer_of

LISTED = 40  # members that a question lists


def _facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _talk(facts: ListFacts) -> Talk:
    return (yield from pick(facts, _("想看哪一个结对？"), _("后面的")))


def _list(session: Session, person: Person, command: Show) -> Reply:
    stints = turns.plannable(session, person.id)
    if command.entry:
        stint = next((one for one in stints if one.id == command.entry), None)
        gone = Reply(_("这个结对已经结束，或者现在不归你管。"), (to_turns(),))
        return _opened(session, person, stint) if stint is not None else gone
    if not stints:
        lines, options = as_member(session, person, [])
        if lines:
            return Reply("\n".join(lines), (*options, Option("m:pairings", _("我的结对"))))
        text = _("你现在没有可以排班的团队结对。队长和专员在这里排谁先去、谁后去；轮到自己没有，回复“我的结对”。")
        return Reply(text, (Option("m:pairings", _("我的结对")), Option("m:contact", _("联系专员"))))
    keys = [stint.id for stint in stints]
    begin = next_begin(keys, command)
    shown = stints[begin : begin + PAGE]
    going = turns.turns_on(session, shown, turns.today(session))
    lines = [_("团队的结对 {count} 个。排了班，到时候会问轮到的队员；没有排的，由队长去。").format(count=len(stints))]
    lines += where(begin, len(stints))
    labels = [(stint.id, _label(session, person, stint, going)) for stint in shown]
    labels += onward(begin, len(stints), _("后面的"))
    facts = ListFacts(ids=tuple(stint.id for stint in shown), first=begin)
    return Reply("\n".join(lines), asked(session, person.id, LIST, "pick", facts, labels), numbered=True)


def _label(session: Session, person: Person, stint: Stint, going: dict[str, turns.Going]) -> str:
    planned = plan_of(session, stint.id) is not None
    state = going_words(session, person, going.get(stint.id)) if planned else _("还没有排班")
    said = _("{called}（团队“{team}”）：{state}")
    return said.format(called=about(session, person, stint), team=team_name(session, stint), state=state)


def _opened(session: Session, person: Person, stint: Stint) -> Reply:
    whom, plan = about(session, person, stint), plan_of(session, stint.id)
    lines = [_("{called}（团队“{team}”）").format(called=whom, team=team_name(session, stint))]
    if plan is None:
        lines.append(_("还没有排班，由队长去。"))
    else:
        day = turns.today(session)
        found = next(iter(turns.planned(session, [stint], day)), None)
        lines.append(rhythm_words(plan.rhythm))
        knows = _knows(session, person, stint)
        for at, slot in enumerate(found.slots if found is not None else (), 1):
            lines.append(_slot(session, at, slot, knows=knows))
        lines.append(going_words(session, person, turns.turns_on(session, [stint], day).get(stint.id)))
    facts = _plan_facts(session, stint, whom, planned=plan is not None)
    labels = [(choice.value, choice.label) for choice in _what(facts)]
    return Reply("\n".join(lines), (*asked(session, person.id, PLAN, "what", facts, labels), to_turns()))


def _knows(session: Session, person: Person, stint: Stint) -> bool:
    """Whether the reader may learn what stands in other members' registrations; who leads a team may not."""
    return here(session).sensitive_in_chat and decides(session, person.id, stint)


def _slot(session: Session, at: int, slot: turns.Slot, *, knows: bool) -> str:
    who = called(session, slot.person_id)
    if slot.against is not None:
        return _("{at}. {who}：{why}，这次跳过").format(at=at, who=who, why=against_words(slot.against, knows=knows))
    if not slot.adult:
        return _("{at}. {who}：未满 18 岁，和下一位成年队员一起去").format(at=at, who=who)
    return _("{at}. {who}").format(at=at, who=who)


def against_words(why: str, *, knows: bool) -> str:
    """Why a member cannot go; what says something of a registration or of whom is served only to whoever `knows`."""
    if not knows and why in ("self", "sex", "language", "clearance"):
        return _("按现在的登记不能去这一位")
    return {
        turns.LEFT: _("不在团队里了"),
        turns.AWAY: _("请假或暂停中"),
        turns.GONE: _("注册还不能服务（没有激活、暂停或已退出）"),
        "self": _("就是服务对象本人"),
        "sex": _("家里希望的性别和登记对不上"),
        "language": _("这一位要会手语的志愿者"),
        "clearance": _("没有有效的无犯罪记录查询"),
        "minor": _("未满 18 岁，不能一个人去"),
        "stranger": _("不是这个团队的队员"),
    }.get(why, _("现在不能去"))


TURNS = Dialogue(LIST, ListFacts, _facts, _talk, _list, repeats=True)


# --- the plan ---


class PlanFacts(BaseModel):
    """Which pairing; `members` of its team, the leader first: person, what they are called, whether grown up."""

    stint: str = ""
    called: str = ""
    members: tuple[tuple[str, str, bool], ...] = ()
    planned: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Who goes, in this order; nobody = no turns any more."""

    stint: str
    people: tuple[str, ...]
    rhythm: str = MONTH


def _plan_facts(session: Session, stint: Stint, whom: str, *, planned: bool) -> PlanFacts:
    day, found = turns.today(session), []
    for held in members(session, session.get_one(Team, stint.team_id))[:LISTED]:
        row = volunteer_of(session, held.person_id)
        adult = row is None or row.birth_date is None or age_on(row.birth_date, day) >= ADULT
        found.append((held.person_id, called(session, held.person_id), adult))
    return PlanFacts(stint=stint.id, called=whom, members=tuple(found), planned=planned)


def _no_facts(session: Session, person: Person) -> PlanFacts:
    return PlanFacts()


def _what(facts: PlanFacts) -> tuple[Choice, ...]:
    plan = Choice("plan", _("重新排") if facts.planned else _("排一下"), words=(_("排班"), _("改排班")))
    return (plan, Choice("drop", _("不排班了"), words=(_("不排了"),))) if facts.planned else (plan,)


def _plan_talk(facts: PlanFacts) -> Talk:
    if not facts.stint:
        return None
    what = yield Ask("what", _("要做什么？"), _what(facts))
    if what == "drop":
        text = _("确定不排班了吗？以后由队长去，或由队长自己安排；正在问的队员不用再回答。")
        sure = yield Ask("sure", text, (Choice("yes", _("不排班了")), Choice("no", _("先不"))))
        return Plan(facts.stint, ()) if sure == "yes" else None
    lines = [_("谁先去、谁后去？按先后写前面的数字，例如“2 1”；没写的人不排。")]
    lines += [_member(at, *one[1:]) for at, one in enumerate(facts.members, 1)]
    everybody = tuple(range(1, len(facts.members) + 1))
    order = yield Ask(
        "order",
        "\n".join(lines),
        (Choice("all", _("大家都去，就按这个先后"), words=(_("都去"), _("全部"))),),
        check=_order(len(facts.members)),
        numeric=True,
    )
    people = [facts.members[at - 1] for at in (everybody if order == "all" else order)]
    text = _("多久换一位？")
    rhythm = yield Ask("rhythm", text, tuple(Choice(one, rhythm_words(one)) for one in (VISIT, MONTH)))
    echo = _("{called}：{people}，{rhythm}。从第一位开始，现在就会问能不能去。").format(
        called=facts.called, people=_(" → ").join(one[1] for one in people), rhythm=rhythm_words(rhythm)
    )
    ways = (
        Choice("yes", _("就这样排")),
        Choice("order", _("改先后"), drops=("order",)),
        Choice("rhythm", _("改多久换一位"), drops=("rhythm",)),
        Choice("no", _("先不排")),
    )
    sure = yield Ask("confirm", echo, ways)
    return Plan(facts.stint, tuple(one[0] for one in people), rhythm) if sure == "yes" else None


def _member(at: int, who: str, adult: bool) -> str:
    if adult:
        return _("{at}. {who}").format(at=at, who=who)
    return _("{at}. {who}（未满 18 岁，会和成年队员一起去）").format(at=at, who=who)


def _order(count: int) -> Callable[[str], tuple[int, ...]]:
    """A check for places in the list, in an order of their own."""

    def check(words: str) -> tuple[int, ...]:
        found = tuple(dict.fromkeys(int(one) for one in re.findall(r"\d{1,3}", words)))
        rest = re.sub(r"[\d\s,，、.。;；→>和再然后先\-]", "", words)
        if not found or rest or not all(1 <= one <= count for one in found):
            text = _("请写名字前面的数字，1 到 {count}，按先后用空格隔开，例如“2 1”。")
            raise Invalid(text.format(count=count))
        return found

    return check


def _perform(session: Session, person: Person, command: Plan) -> Reply:
    try:
        if not command.people:
            done = turn_acts.drop(session, command.stint, person.id)
            return Reply(_("记下了，不排班了。") if done else _("这里本来就没有排班。"), (to_turns(),))
        turn_acts.plan(session, command.stint, command.people, command.rhythm, person.id)
    except TurnError as error:
        if error.reason in ("gone", "scope"):
            return Reply(_("这个结对已经结束，或者现在不归你管。"), (to_turns(),))
        raise Refused("order", _refused(session, person, command.stint, error)) from None
    stint = session.get_one(Stint, command.stint)
    going = turns.turns_on(session, [stint], turns.today(session)).get(stint.id)
    said = _("排好了，轮到的队员会收到消息。{turn}。").format(turn=going_words(session, person, going))
    return Reply(said, (to_turns(), Option("m:pairings", _("我的结对"))))


def _refused(session: Session, person: Person, stint: str, error: TurnError) -> str:
    if error.reason == "adult":
        return _("至少要有一位成年队员：未满 18 岁的不能一个人去。")
    if not error.person_id:
        return _("请至少写一位队员。")
    who, knows = called(session, error.person_id), _knows(session, person, session.get_one(Stint, stint))
    said = _("{who}现在不能排进来：{why}。请重新写，不写这一位。")
    return said.format(who=who, why=against_words(error.reason, knows=knows))


TURN_PLAN = Dialogue(PLAN, PlanFacts, _no_facts, _plan_talk, _perform, repeats=True)
