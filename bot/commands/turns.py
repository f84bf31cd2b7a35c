"""`nuanyang turns …`: whose turn it is in the pairings of teams, and who goes in which order."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlmodel import Session, col, select

from bot.commands.shared import Problem, opened, person_of, say
from config.texts import _
from models import turn_acts, turns
from models.institution import Institution
from models.pairing import LEAD, OPEN, Stint
from models.served import served_of
from models.team import Team, by_team_number
from models.turn import MONTH, RHYTHMS, plan_of
from models.turn_acts import TurnError
from models.volunteer import by_number, volunteer_of

_By = Annotated[str, typer.Option(metavar="NUMBER", help=_("谁来做：队长，或负责这个区县的管理员或专员的编号"))]
_Mark = Annotated[str, typer.Argument(metavar="PAIRING", help=_("结对的记号，见 nuanyang turns list"))]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(no_args_is_help=True, help=_("团队的结对由谁轮流去：看、排、不排。"))
    group.command("list", help=_("一个团队的结对，这次轮到谁。"))(list_all)
    group.command("set", help=_("排谁先去、谁后去；马上会问第一位。"))(plan)
    group.command(help=_("不排了，由队长去。"))(drop)
    app.add_typer(group, name="turns")


def list_all(team: Annotated[str, typer.Argument(metavar="TEAM", help=_("团队编号"))]) -> None:
    """The open pairings of a team by marks, with whose turn it is by volunteers' numbers."""
    with opened() as database, database.read() as session:
        found = by_team_number(session, team.strip().upper())
        if found is None:
            raise Problem(_("没有这个团队：编号见 nuanyang team list。"))
        stints = _stints(session, found)
        going = turns.turns_on(session, stints, turns.today(session))
        rows = [_row(session, stint, going.get(stint.id)) for stint in stints]
    if not rows:
        say(_("这个团队现在没有结对。"))
        return
    say("\t".join([_("结对"), _("服务"), _("多久换一位"), _("轮到"), _("状态")]))
    for row in rows:
        say("\t".join(row))


def _stints(session: Session, team: Team) -> list[Stint]:
    query = select(Stint).where(Stint.team_id == team.id, Stint.state == OPEN, Stint.part == LEAD)
    return list(session.exec(query.order_by(col(Stint.opened_at), col(Stint.id))))


def _row(session: Session, stint: Stint, going: turns.Going | None) -> list[str]:
    row = plan_of(session, stint.id)
    about = served_of(session, stint)
    what = about.number if isinstance(about, Institution) else about.id[-6:].upper()
    volunteer = volunteer_of(session, going.person_id) if going is not None else None
    who = volunteer.number if volunteer is not None else "-"
    return [stint.id, what, row.rhythm if row is not None else "-", who, going.how if going is not None else "-"]


def plan(
    mark: _Mark,
    member: Annotated[list[str], typer.Option(metavar="NUMBER", help=_("队员的志愿者编号，按先后写几次"))],
    by: _By,
    rhythm: Annotated[str, typer.Option(help=_("visit：每次探访换一位；month：每个月换一位"))] = MONTH,
) -> None:
    """Plan who goes in which order."""
    if rhythm not in RHYTHMS:
        raise Problem(_("--rhythm 要写 visit 或 month。"))
    with opened() as database, database.write() as session:
        people = []
        for number in member:
            found = by_number(session, number)
            if found is None:
                raise Problem(_("没有这个编号的志愿者：{number}。").format(number=number))
            people.append(found.person_id)
        try:
            turn_acts.plan(session, mark, people, rhythm, person_of(session, by))
        except TurnError as error:
            raise Problem(_refused(session, error)) from None
    say(_("排好了，正在问第一位能不能去。"))


def drop(mark: _Mark, by: _By) -> None:
    """No turns any more."""
    with opened() as database, database.write() as session:
        try:
            done = turn_acts.drop(session, mark, person_of(session, by))
        except TurnError as error:
            raise Problem(_refused(session, error)) from None
    say(_("记下了，不排班了。") if done else _("这里本来就没有排班。"))


def _refused(session: Session, error: TurnError) -> str:
    row = volunteer_of(session, error.person_id) if error.person_id else None
    who = row.number if row is not None else "-"
    return {
        "gone": _("没有这个结对，或者不是团队的、正在进行的结对：见 nuanyang turns list。"),
        "scope": _("--by 要写队长，或负责这个区县的管理员或专员的编号。"),
        "adult": _("至少要有一位成年队员：未满 18 岁的不能一个人去。"),
        "stranger": _("{who} 不是这个团队的队员。").format(who=who),
    }.get(error.reason, _("{who} 现在不能去：{why}。").format(who=who, why=error.reason))
