"""What the talks about turns share: their facts, whose turn it is in words, and what stands about turns in 我的结对."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.band_words import often_words, service_words
from handlers.dialogue import Choice
from handlers.late import asked
from handlers.message import Option
from handlers.served_words import by_name, served
from handlers.somebody import called
from models.pairing import OPEN, Stint
from models.person import Person, family
from models.served import served_of, serves
from models.team import Team
from models.turn import ACCEPTED, LEADER, MONTH, VISIT, Turn, TurnPlan, plan_of, taking_turns
from models.turns import Going, today, turns_on

LIST, PLAN, MINE = "turns", "turn_plan", "turn"  # the talks' names


class TurnFacts(BaseModel):
    """Which turn, and as what its reader was asked: "asked", "accepted", "visit" — accepted, where another one goes
    each visit; "leader", "beside"."""

    turn: str = ""
    kind: str = "asked"


def answers(kind: str) -> tuple[Choice, ...]:
    """What can be said about a turn. A bare 好的 is none of them: it accepts nothing (programme §6)."""
    go = Choice("go", _("好的，我去"), words=(_("我去"), _("我能去"), _("能去")))
    swap = Choice("swap", _("换人"), words=(_("换一个人"), _("去不了"), _("我去不了")))
    done = Choice("done", _("去过了"), words=(_("我去过了"),))
    return {
        "asked": (go, swap),
        "accepted": (swap,),
        "visit": (done, swap),
        "leader": (
            Choice("go", _("我去"), words=(_("好的，我去"),)),
            Choice("swap", _("我也去不了"), words=(_("去不了"),)),
        ),
        "beside": (Choice("away", _("我去不了"), words=(_("去不了"),)),),
    }[kind]


def turn_options(session: Session, person_id: str, turn: str, kind: str, whose: str = "") -> tuple[Option, ...]:
    """The buttons below a turn; `whose` before each where several are on the screen."""
    labels = [(choice.value, whose + choice.label) for choice in answers(kind)]
    return asked(session, person_id, MINE, "answer", TurnFacts(turn=turn, kind=kind), labels)


def to_turns() -> Option:
    """The button of the list."""
    return Option("m:turns", _("轮流排班"))


def rhythm_words(rhythm: str) -> str:
    """How often another one goes."""
    return {VISIT: _("每次探访换一位"), MONTH: _("每个月换一位")}[rhythm]


def number_words(plan: TurnPlan, number: int) -> str:
    """Which turn it is: 2026年12月, or 这次."""
    if plan.rhythm == VISIT:
        return _("这次")
    return _("{year}年{month}月").format(year=number // 12, month=number % 12 + 1)


def about(session: Session, person: Person, stint: Stint) -> str:
    """Whom a pairing is about: as those who serve call them, or by name for whoever answers for the county."""
    somebody = served_of(session, stint)
    plays = serves(session, stint, person.id) or takes_part(session, stint, person.id)
    return (served if plays else by_name)(session, person, somebody)


def takes_part(session: Session, stint: Stint, person_id: str) -> bool:
    """Whether somebody has a place in its plan."""
    return any(one.id == stint.id for one in taking_turns(session, family(session, person_id)))


def team_name(session: Session, stint: Stint) -> str:
    """The team that serves."""
    team = session.get(Team, stint.team_id) if stint.team_id else None
    return team.name if team is not None else ""


def going_words(session: Session, person: Person, going: Going | None) -> str:
    """Whose turn it is, for the reader: 这次轮到你, 这次轮到小林."""
    if going is None:
        return _("这次还没有人去，请回复“联系专员”")
    own = family(session, person.id)
    if going.how == "substitute":
        return _("现在由替补去")
    if going.person_id in own:
        if going.how == "specialist":
            return _("这次没有队员能去，由你负责")
        said = _("这次轮到你，你已经答应") if going.accepted else _("这次轮到你")
    elif going.beside_id in own:
        return _("这次轮到你，和{who}一起去").format(who=called(session, going.person_id))
    elif going.how == "specialist":
        return _("这次没有队员能去，由专员负责")
    else:
        said = _("这次轮到{who}，已经答应") if going.accepted else _("这次轮到{who}")
        said = said.format(who=called(session, going.person_id))
    if going.beside_id is not None:
        said = _("{said}，和{who}一起去").format(said=said, who=called(session, going.beside_id))
    return said


# --- what stands in 我的结对 ---


def lines_of(session: Session, person: Person, stints: Sequence[Stint]) -> dict[str, str]:
    """Of the pairings that somebody leads a team in: whose turn it is, where it is planned."""
    own = [stint for stint in stints if stint.state == OPEN and stint.team_id is not None]
    with_plan = [stint for stint in own if plan_of(session, stint.id) is not None]
    found = turns_on(session, with_plan, today(session))
    return {stint.id: going_words(session, person, found.get(stint.id)) for stint in with_plan}


def as_member(session: Session, person: Person, but: Sequence[Stint]) -> tuple[list[str], tuple[Option, ...]]:
    """The pairings in whose turns somebody has a place, besides those told already (`but`): lines, and the buttons of
    all turns that are theirs, in `but`, too."""
    own = [stint for stint in but if stint.state == OPEN and stint.team_id is not None]
    places = taking_turns(session, family(session, person.id))
    every = list({stint.id: stint for stint in (*own, *places)}.values())
    found = turns_on(session, every, today(session))
    told = {stint.id for stint in but}
    lines, options = [], list[Option]()
    for stint in every:
        whom = served(session, person, served_of(session, stint))
        going = found.get(stint.id)
        if stint.id not in told:
            said = _("{called}（团队“{team}”）：{services}，{often}，{turn}")
            lines.append(
                said.format(
                    called=whom,
                    team=team_name(session, stint),
                    services=service_words(stint.services),
                    often=often_words(stint.activities),
                    turn=going_words(session, person, going),
                )
            )
        if going is not None and going.turn_id is not None:
            options += _mine(session, person, going, whom + " " if len({*told, *found}) > 1 else "")
    return lines, tuple(options)


def _mine(session: Session, person: Person, going: Going, whose: str) -> tuple[Option, ...]:
    kind = kind_of(session, person, session.get_one(Turn, going.turn_id))
    return turn_options(session, person.id, str(going.turn_id), kind, whose) if kind else ()


def kind_of(session: Session, person: Person, turn: Turn) -> str:
    """As what somebody may answer to a turn; empty = not theirs."""
    own = family(session, person.id)
    if turn.beside_id in own:
        return "beside"
    if turn.person_id not in own:
        return ""
    if turn.state == ACCEPTED:
        return "visit" if session.get_one(TurnPlan, turn.plan_id).rhythm == VISIT else "accepted"
    return "leader" if turn.part == LEADER else "asked"
