"""轮到你: a member is asked to go and says 好的，我去 or 换人; and what leader and specialist hear when somebody is
passed over or nobody can go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers.dialogue import Ask, Dialogue, Talk
from handlers.message import Option, Reply
from handlers.somebody import called
from handlers.turn_words import (
    MINE,
    TurnFacts,
    about,
    answers,
    kind_of,
    number_words,
    rhythm_words,
    team_name,
    to_turns,
    turn_options,
)
from models import turn_acts, turns, visit_help
from models.pairing import OPEN, Stint
from models.person import Person, family
from models.served import serves
from models.turn import ACCEPTED, ASKED, LEADER, RELEASED, SKIPPED, Turn, TurnPlan
from models.turn_acts import TurnError


@dataclass(frozen=True, slots=True)
class Say:
    """`what`: "go", "swap", "done" or "away"."""

    turn: str
    what: str


def _facts(session: Session, person: Person) -> TurnFacts:
    return TurnFacts()


def _talk(facts: TurnFacts) -> Talk:
    if not facts.turn:
        return None
    what = yield Ask("answer", _("这次能去吗？"), answers(facts.kind))
    return Say(facts.turn, what)


def _perform(session: Session, person: Person, command: Say) -> Reply:
    try:
        if command.what == "go":
            return _go(session, person, command.turn)
        if command.what == "swap":
            return _swap(session, person, command.turn)
        if command.what == "done":
            turn_acts.went(session, command.turn, person.id)
            text = _("记下了，谢谢你跑这一趟！接下来轮到下一位，会去问。这里只记轮到谁，不算服务时长。")
            return Reply(text, (_pairings(),))
        turn = turn_acts.stay_away(session, command.turn, person.id)
        said = _("没关系，已经告诉{who}。下次轮到你再一起去。")
        return Reply(said.format(who=called(session, turn.person_id)), (_pairings(),))
    except TurnError as error:
        return _refused(session, error)


def _pairings() -> Option:
    return Option("m:pairings", _("我的结对"))


def _go(session: Session, person: Person, turn_id: str) -> Reply:
    turn = turn_acts.accept(session, turn_id, person.id)
    plan = session.get_one(TurnPlan, turn.plan_id)
    stint = session.get_one(Stint, plan.stint_id)
    said = _("好的，{when}由你去看{called}，谢谢你！去不了了，随时可以选“换人”。").format(
        when=number_words(plan, turn.number), called=about(session, person, stint)
    )
    if turn.beside_id is not None:
        said += _("{who}未满 18 岁，请和你一起去，不要让对方一个人去。").format(who=called(session, turn.beside_id))
    options = turn_options(session, person.id, turn.id, kind_of(session, person, turn))
    said += "\n" + _("请和家里约个时间：选“约探访”。")
    return Reply(said, (*options, Option("m:book_visit", _("约探访")), _pairings()))


def _swap(session: Session, person: Person, turn_id: str) -> Reply:
    found = visit_help.swap(session, turn_id, person.id)
    stint = session.get_one(Stint, session.get_one(TurnPlan, session.get_one(Turn, turn_id).plan_id).stint_id)
    if turns.substitutes(session, [stint]):
        said = _("没关系，这段时间由替补去，你不用去。")
    elif found is None:
        said = _("记下了，已经告诉专员，由专员想办法。谢谢你说一声。")
    elif found.part == LEADER:
        said = _("没关系。队员都问过了，没有别人能去，已经告诉队长。")
    else:
        said = _("没关系，已经去问下一位：{who}。").format(who=called(session, found.person_id))
    return Reply(said, (_pairings(),))


def _refused(session: Session, error: TurnError) -> Reply:
    if error.reason == "taken":
        said = _("谢谢你！已经有{who}去了，这次你不用去。").format(who=called(session, error.person_id))
        return Reply(said, (_pairings(),))
    text = {
        "gone": _("这一次已经过了，或者已经重新排班，不用再回答。"),
        "scope": _("这一次现在没有轮到你，不用回答。"),
        "clearance": _(
            "去看未成年人要有效的无犯罪记录查询，你的没有登记或已经到期。这次请选“换人”，再回复“联系专员”。"
        ),
    }.get(error.reason, _("按现在的登记，这次不能由你去。请选“换人”，有疑问回复“联系专员”。"))
    return Reply(text, (_pairings(), Option("m:contact", _("联系专员"))))


TURN = Dialogue(MINE, TurnFacts, _facts, _talk, _perform, repeats=True)


# --- what goes out ---


def _current(
    session: Session, person: Person, params: dict[str, Any], *states: str
) -> tuple[Turn, TurnPlan, Stint] | None:
    found = turn_acts.current(session, str(params["turn"]), person.id)
    if found is None or found[0].state not in states:
        return None
    return found[0], found[1].plan, found[1].stint


def _asked(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the member whose turn it is."""
    found = _current(session, person, params, ASKED)
    if found is None:
        return None
    turn, plan, stint = found
    whom, when = about(session, person, stint), number_words(plan, turn.number)
    said = _("{when}轮到你去看{called}（团队“{team}”，{rhythm}）。能去吗？")
    lines = [said.format(when=when, called=whom, team=team_name(session, stint), rhythm=rhythm_words(plan.rhythm))]
    if turn.beside_id is not None:
        also = _("这次也轮到{who}，未满 18 岁，要和你一起去。")
        lines.append(also.format(who=called(session, turn.beside_id)))
    hours = rules().pairing.hold_hours
    lines.append(
        _("去不了就选“换人”，会去问下一位，没关系。{hours} 小时内没有回答，也会先问下一位。").format(hours=hours)
    )
    return Reply("\n".join(lines), turn_options(session, person.id, turn.id, "asked"))


def _beside(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To a minor, once somebody grown up goes."""
    found = _current(session, person, params, ACCEPTED)
    if found is None:
        return None
    turn, plan, stint = found
    said = _("{when}轮到你去看{called}，和{who}一起去；请不要一个人去，时间由{who}和你约。").format(
        when=number_words(plan, turn.number), called=about(session, person, stint), who=called(session, turn.person_id)
    )
    return Reply(said, turn_options(session, person.id, turn.id, "beside"))


def _alone(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the grown-up one: the minor cannot come."""
    found = _current(session, person, params, ASKED, ACCEPTED)
    if found is None:
        return None
    turn, plan, stint = found
    said = _("{who}这次去不了，{when}由你一个人去看{called}。").format(
        who=called(session, str(params["who"])),
        when=number_words(plan, turn.number),
        called=about(session, person, stint),
    )
    return Reply(said, turn_options(session, person.id, turn.id, kind_of(session, person, turn)))


def _released(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To one who was asked: somebody before them goes after all."""
    found = _current(session, person, params, RELEASED)
    if found is None:
        return None
    said = _("{called}：{who}又能去了，这次你不用去，谢谢你！")
    whom = about(session, person, found[2])
    return Reply(said.format(called=whom, who=called(session, str(params["by"]))), (_pairings(),))


def _off(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To one who said yes: the turns were planned anew or given up, somebody stands in, or the pairing has ended. No
    word of why."""
    turn = session.get(Turn, str(params["turn"]))
    plan = session.get(TurnPlan, turn.plan_id) if turn is not None else None
    stint = session.get(Stint, plan.stint_id) if plan is not None else None
    if turn is None or plan is None or stint is None or turn.state not in (ACCEPTED, RELEASED):
        return None
    if not {turn.person_id, turn.beside_id}.intersection(family(session, person.id)):
        return None
    said = _("{when}由你去看{called}（团队“{team}”）的安排有变动，你不用去了，请先不要上门。谢谢你！有疑问请问队长。")
    whom, team = about(session, person, stint), team_name(session, stint)
    text = said.format(when=number_words(plan, turn.number), called=whom, team=team)
    return Reply(text, (_pairings(), Option("m:contact", _("联系专员"))))


def _nobody(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the leader: no member can."""
    found = _current(session, person, params, ASKED)
    if found is None or found[0].part != LEADER:
        return None
    turn, plan, stint = found
    said = _("{when}去看{called}（团队“{team}”），队员里没有人能去，或者没有回答。你能去吗？去不了就告诉专员。")
    text = said.format(
        when=number_words(plan, turn.number), called=about(session, person, stint), team=team_name(session, stint)
    )
    return Reply(text, (*turn_options(session, person.id, turn.id, "leader"), to_turns()))


def _skipped(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the leader: somebody was passed over."""
    turn = session.get(Turn, str(params["turn"]))
    plan = session.get(TurnPlan, turn.plan_id) if turn is not None else None
    stint = session.get(Stint, plan.stint_id) if plan is not None else None
    if turn is None or plan is None or stint is None or plan.ended_at is not None or turn.state != SKIPPED:
        return None
    if stint.state != OPEN or not serves(session, stint, person.id):
        return None
    said = _("{called}的轮流，{when}跳过了{who}：{why}。")
    why = {turns.LEFT: _("不在团队里了"), turns.AWAY: _("请假或暂停中")}.get(
        str(params["why"]), _("按现在的登记不能去这一位")
    )
    whom, who = about(session, person, stint), called(session, turn.person_id)
    text = said.format(called=whom, when=number_words(plan, turn.number), who=who, why=why)
    return Reply(text + _("已经去问下一位；要改先后，回复“轮流排班”。"), (to_turns(),))


def _left(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To whoever answers for the county: nobody of the team can go. None once somebody can."""
    plan = session.get(TurnPlan, str(params["plan"]))
    stint = session.get(Stint, plan.stint_id) if plan is not None else None
    if plan is None or stint is None or plan.ended_at is not None or stint.state != OPEN:
        return None
    found = next(iter(turns.planned(session, [stint], turns.today(session))), None)
    if found is None or found.number != int(params["number"]) or found.standing() is not None:
        return None
    said = _("{called}：团队“{team}”{when}没有人能去，队员和队长都去不了或没有回答。请联系队长，重新排班，或安排替补。")
    text = said.format(
        called=about(session, person, stint), team=team_name(session, stint), when=number_words(plan, found.number)
    )
    return Reply(text, (to_turns(), Option("m:hand_overs", _("交接清单"))))


NOTICES = {
    "notice.turn": _asked,
    "notice.turn_beside": _beside,
    "notice.turn_alone": _alone,
    "notice.turn_released": _released,
    "notice.turn_off": _off,
    "notice.turn_nobody": _nobody,
    "notice.turn_skipped": _skipped,
    "notice.turn_left": _left,
}
