"""`nuanyang relay …`: relays are listed and looked at, and a whole team's pairings handed over at once."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer
from sqlmodel import Session

from bot.commands.shared import Problem, opened, person_of, progress_bar, say, told
from config.texts import _
from handlers.served_words import reason
from handlers.somebody import who
from handlers.team_relay import told as told_of
from models import audit, relaying, relaying_asked, relaying_lists, relaying_teams
from models.beneficiary import MACHINE
from models.pairing import Stint
from models.relaying_lists import Handing
from models.served import servers
from models.stints import StintError
from models.team import Team
from scheduler.jobs import hand_over_team

GRADUATION, ORGANISATION = "graduation", "organisation"

_By = Annotated[str, typer.Option(metavar="NUMBER", help=_("谁做的：专员或管理员的编号"))]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(no_args_is_help=True, help=_("结对的交接：查看，或把一个团队的结对一起交接。"))
    group.command("list", help=_("等着交接的结对，最急的在前。"))(list_relays)
    group.command(help=_("查看一个交接；加 --notes 才显示留言，并留痕。"))(show)
    group.command(help=_("把一个团队的结对一起交接：毕业前，或交给另一个团队（--to）。"))(batch)
    app.add_typer(group, name="relay")


def list_relays() -> None:
    """What is due first in front; people by number alone."""
    with opened() as database, database.read() as session:
        relays, _leaves = relaying_lists.of_region(session, MACHINE)
        lines = [_line(session, each) for each in relays]
    if not lines:
        say(_("没有等着交接的结对。"))
        return
    heads = [_("编号"), _("最后一天"), _("所在地"), _("志愿者"), _("原因"), _("现在"), _("负责人")]
    say("\t".join(heads))
    for line in lines:
        say(line)


def _line(session: Session, each: Handing) -> str:
    row = each.relay
    goes = _server(session, each.stint)
    named = relaying_lists.responsible_for(session, each)
    answers = who(session, named) if named else "-"
    cells = [row.id, row.last_day.isoformat(), each.somebody.county, goes, reason(row.reason), _state(each), answers]
    return "\t".join(cells)


def _server(session: Session, stint: Stint) -> str:
    serving = next(iter(servers(session, stint)), None)
    return who(session, serving) if serving else "-"


def _state(each: Handing) -> str:
    if each.successor is None:
        return _("还没有人接")
    return _("等交接") if each.relay.taken_at is not None else _("已有人接，等签协议")


def show(
    relay: Annotated[str, typer.Argument(metavar="ID", help=_("交接的编号，见 nuanyang relay list"))],
    notes: Annotated[bool, typer.Option("--notes", help=_("显示留言"))] = False,
) -> None:
    """One relay."""
    with told() as (session, lines):
        found = relaying_lists.handing(session, relay)
        if found is None:
            raise Problem(_("没有编号为 {id} 的交接：用 nuanyang relay list 看编号。").format(id=relay))
        lines.append(_line(session, found))
        row = found.relay
        if found.successor is not None:
            lines.append(_("接的人：{who}").format(who=_server(session, found.successor)))
        if row.hands_over_on is not None:
            lines.append(_("交接日：{day}").format(day=row.hands_over_on))
        if row.keeper_id is not None:
            lines.append(_("之后由谁照看：{who}").format(who=who(session, row.keeper_id)))
        if notes:
            audit.note(session, MACHINE, "relay.private_read", row.id)
            lines += [_("给接的人的留言："), relaying.note_of(session, row, MACHINE) or _("没有写")]
            lines += [_("只给专员的话："), relaying.private_of(session, row, MACHINE) or _("没有写")]


def batch(
    team: Annotated[str, typer.Option(metavar="NUMBER", help=_("要交接的团队的编号"))],
    last_day: Annotated[str, typer.Option("--last-day", metavar="DATE", help=_("最后一天，例如 2027-06-30"))],
    by: _By,
    keeper: Annotated[str, typer.Option(metavar="NUMBER", help=_("之后由谁照看：同事的编号"))] = "",
    to: Annotated[str, typer.Option(metavar="NUMBER", help=_("交给哪个团队：对方的编号"))] = "",
    reason: Annotated[str, typer.Option(metavar="REASON", help=_("graduation 或 organisation"))] = "",
) -> None:
    """Each pairing of a team that `by` answers for."""
    why = reason or (ORGANISATION if to else GRADUATION)
    if why not in (GRADUATION, ORGANISATION) or (bool(to) and why != ORGANISATION):
        raise Problem(_("--reason 只能是 graduation 或 organisation；用了 --to 就是 organisation。"))
    with opened() as database:
        with database.write() as session:
            ours = _team(session, team)
            person = person_of(session, by)
            other = _team(session, to) if to else None
            if other is not None and other.id == ours.id:
                raise Problem(_("--to 要写另一个团队的编号。"))
            if not relaying_teams.pairings_of(session, ours.id, person)[0]:
                raise Problem(
                    _("这个团队没有归 {number} 负责的、正在进行的结对：核对 --team 和 --by。").format(number=by)
                )
            kept = person_of(session, keeper) if keeper else None
            try:
                name = relaying_asked.ask(session, ours, why, _day(last_day), person, keeper=kept, to=other)
            except StintError as error:
                raise Problem(_why(error, last_day)) from None
        with progress_bar(_("交接")) as heard:
            hand_over_team(database, name, heard)
        with database.read() as session:
            found = relaying_asked.asked_for(session, name)
    for line in told_of(found.done) if found is not None and found.done is not None else ():
        say(line)


def _team(session: Session, number: str) -> Team:
    found = relaying_teams.team_of(session, number)
    if found is None:
        raise Problem(_("没有编号为 {number} 的团队：请核对编号。").format(number=number))
    return found


def _day(words: str) -> date:
    try:
        return date.fromisoformat(words)
    except ValueError:
        raise Problem(_("--last-day 要写成 2027-06-30 这样。")) from None


def _why(error: StintError, last_day: str) -> str:
    if error.reason == "day":
        return _("最后一天 {day} 已经过了，或者超过一年：请改 --last-day。").format(day=last_day)
    if error.reason == "leader":
        return _("要交给的团队还没有队长：先定队长，或换一个团队。")
    return _("照看的人不负责其中有些人所在的地区：--keeper 换一位同事。")
