"""`nuanyang team …`, `nuanyang regions …` and `nuanyang volunteer …`: teams and their members, regions that help each
other, when volunteers were trained."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, TypeVar

import typer
from sqlmodel import Session, col, select

from bot.commands.shared import Problem, configured, local, opened, person_of, say, zone_of
from config import regions
from config.texts import _
from handlers.team_words import refused
from handlers.volunteer_dates import dates_refused
from models import audit, region_pair, team_member
from models import team as teams
from models.beneficiary import MACHINE
from models.region_pair import PairError
from models.role import holding
from models.team import GENERAL, STUDENT, Team, TeamError, by_team_number, members, places_taken, standing_pairs
from models.volunteer import by_number, volunteer_of
from models.volunteer_dates import DatesError, note_dates

T = TypeVar("T")

_Team = Annotated[str, typer.Argument(metavar="TEAM", help=_("团队编号，见 nuanyang team list"))]
_Numbers = Annotated[list[str], typer.Argument(metavar="NUMBER…", help=_("志愿者编号，可以写几个"))]
_By = Annotated[str, typer.Option(metavar="NUMBER", help=_("谁来做：管理员的编号，加人和移出也可以是专员"))]
_Code = Annotated[str, typer.Option(metavar="CODE", help=_("行政区划代码，2、4 或 6 位"))]
_Helper = Annotated[str, typer.Argument(metavar="HELPER", help=_("帮助的地区，行政区划代码"))]
_Helped = Annotated[str, typer.Argument(metavar="HELPED", help=_("受帮助的地区，行政区划代码"))]
_Side = Annotated[str, typer.Option(metavar="NUMBER", help=_("管理范围包括其中一个地区的管理员"))]
_Other = Annotated[str, typer.Option(metavar="NUMBER", help=_("管理范围包括另一个地区的管理员"))]
_Operator = Annotated[
    bool, typer.Option("--operator", help=_("由本机操作者同意：只有一位管理员，而且两个地区都归他管时"))
]
_Reason = Annotated[str, typer.Option(help=_("用 --operator 的理由，会留痕"))]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(no_args_is_help=True, help=_("志愿服务团队：建队、队员、队长、结对人数、解散。"))
    group.command(help=_("新建一个团队。"))(create)
    group.command("list", help=_("列出没有解散的团队。"))(list_teams)
    group.command(help=_("看一个团队：队员、队长、专员（只有编号，没有姓名）。"))(show)
    group.command("add", help=_("加队员。"))(add_members)
    group.command(help=_("移出队员。"))(remove)
    group.command(help=_("设队长，要先是队员。"))(leader)
    group.command(help=_("改最多和几位服务对象结对。"))(capacity)
    group.command(help=_("改名称。"))(rename)
    group.command(help=_("让团队也帮助另一个地区，两地要先结对帮扶；不写 --region 就取消。"))(helps)
    group.command(help=_("解散一个团队；还有结对的不能解散。"))(end)
    app.add_typer(group, name="team")
    pairs = typer.Typer(no_args_is_help=True, help=_("地区之间结对帮扶：一个地区帮助另一个地区。"))
    pairs.command(help=_("让两个地区结对帮扶，两边的管理员都要同意。"))(pair)
    pairs.command("end", help=_("结束两个地区的结对帮扶，两边的管理员都要同意。"))(end_pair)
    pairs.command("list", help=_("列出现在的结对帮扶。"))(list_pairs)
    app.add_typer(pairs, name="regions")
    volunteers = typer.Typer(no_args_is_help=True, help=_("志愿者的培训和证明。"))
    volunteers.callback()(_volunteers)
    volunteers.command(help=_("登记培训日期，和无犯罪记录查询的有效期。"))(dates)
    app.add_typer(volunteers, name="volunteer")


def _volunteers() -> None:
    """A group of its own, though it has one command so far."""


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("团队名称"))],
    region: _Code,
    by: _By,
    student: Annotated[bool, typer.Option("--student", help=_("学生团队"))] = False,
    capacity: Annotated[
        int | None, typer.Option(metavar="COUNT", help=_("最多和几位服务对象结对，默认见 rules.toml"))
    ] = None,
) -> None:
    """A new team."""
    kind = STUDENT if student else GENERAL
    with opened() as database, database.write() as session:
        made = _done(lambda: teams.create(session, person_of(session, by), name, region, kind, capacity))
        number = made.number
    say(_("已建团队：{number} {name}。").format(number=number, name=made.name))


def list_teams(region: _Code = "") -> None:
    """Every standing team, or those at home in a region."""
    if region and regions.get(region) is None:
        raise Problem(_("没有行政区划代码 {code}：要 2、4 或 6 位，如 44、4401、440106。").format(code=region))
    heads = [_("团队编号"), _("名称"), _("所在地"), _("也帮助"), _("队员"), _("结对人数"), _("空位"), _("专员")]
    with opened() as database, database.read() as session:
        query = select(Team).where(col(Team.ended_at).is_(None)).order_by(Team.region, Team.name, Team.id)
        rows = [team for team in session.exec(query) if not region or regions.within(team.region, region)]
        lines = [_line(session, team) for team in rows]
    for line in ["\t".join(heads), *lines] if lines else [_("还没有团队：用 nuanyang team create 建一个。")]:
        say(line)


def _line(session: Session, team: Team) -> str:
    own = [_number(session, held.person_id) for held in holding(session, "specialist", "team", team.number)]
    free = max(0, team.capacity - places_taken(session, team))
    place = f"{team.region} {regions.place_words(team.region)}"
    counts = [str(len(members(session, team))), str(team.capacity), str(free)]
    return "\t".join([team.number, team.name, place, team.helps or "-", *counts, ",".join(own) or "-"])


def show(team: _Team) -> None:
    """One team."""
    zone = zone_of(configured())
    with opened() as database, database.read() as session:
        row = _team(session, team)
        lines = [_line(session, row)]
        if row.ended_at is not None:
            lines.append(_("已解散：{at}").format(at=local(row.ended_at, zone)))
        for held in members(session, row):
            part = _("队长") if held.part == teams.LEADER else _("队员")
            lines.append("\t".join([_number(session, held.person_id), part, local(held.joined_at, zone)]))
    for line in lines:
        say(line)


def add_members(team: _Team, numbers: _Numbers, by: _By) -> None:
    """Each by itself, so that one who cannot be taken in keeps nobody else out."""
    _each(team, numbers, by, team_member.add, (_("{number} 加进来了，正在告诉本人。"), _("{number} 已经是队员。")))


def remove(team: _Team, numbers: _Numbers, by: _By) -> None:
    """Each by itself."""
    said = (_("{number} 移出了，正在告诉本人。"), _("{number} 不是队员。"))
    _each(team, numbers, by, team_member.remove, said)


def _each(
    team: str, numbers: list[str], by: str, act: Callable[[Session, str, str, str], bool], said: tuple[str, str]
) -> None:
    refusals: list[str] = []
    with opened() as database:
        for number in numbers:
            with database.write() as session:
                row, person = _team(session, team), person_of(session, by)
                try:
                    done = act(session, person, row.id, number.strip())
                except TeamError as error:
                    refusals.append(_("{number}：{why}").format(number=number, why=refused(error)))
                    continue
            say(said[0 if done else 1].format(number=number))
    if refusals:
        raise Problem(_("没有做成：{each}").format(each=_("；").join(refusals)))


def leader(
    team: _Team, number: Annotated[str, typer.Argument(metavar="NUMBER", help=_("志愿者编号"))], by: _By
) -> None:
    """Its one leader."""
    with opened() as database, database.write() as session:
        row = _team(session, team)
        new = _done(lambda: team_member.set_leader(session, person_of(session, by), row.id, number.strip()))
    said = _("{number} 现在是队长，正在告诉本人。") if new else _("{number} 已经是队长。")
    say(said.format(number=number))


def capacity(team: _Team, count: Annotated[int, typer.Argument(metavar="COUNT", help=_("人数"))], by: _By) -> None:
    """How many served people it takes."""
    with opened() as database, database.write() as session:
        row = _team(session, team)
        _done(lambda: teams.set_capacity(session, person_of(session, by), row.id, count))
    say(_("改好了：{name}，结对人数 {count}。").format(name=row.name, count=count))


def rename(team: _Team, name: Annotated[str, typer.Argument(metavar="NAME", help=_("团队名称"))], by: _By) -> None:
    """Another name."""
    with opened() as database, database.write() as session:
        row = _team(session, team)
        _done(lambda: teams.rename(session, person_of(session, by), row.id, name))
    say(_("改好了：{number} {name}。").format(number=row.number, name=row.name))


def helps(team: _Team, by: _By, region: _Code = "") -> None:
    """The second region that owns it."""
    with opened() as database, database.write() as session:
        row = _team(session, team)
        _done(lambda: teams.set_helps(session, person_of(session, by), row.id, region or None))
    said = _("改好了：{name}也帮助{place}。") if row.helps else _("改好了：{name}只在本地区。")
    say(said.format(name=row.name, place=regions.place_words(row.helps or "")))


def end(team: _Team, by: _By) -> None:
    """Dissolve it."""
    with opened() as database, database.write() as session:
        row = _team(session, team)
        done = _done(lambda: teams.end(session, person_of(session, by), row.id))
    said = _("已解散：{name}，正在告诉队员和专员。") if done else _("{name}之前已经解散了。")
    say(said.format(name=row.name))


def pair(
    helper: _Helper, helped: _Helped, by: _Side, second: _Other = "", operator: _Operator = False, reason: _Reason = ""
) -> None:
    """Let one region help another."""
    with opened() as database, database.write() as session:
        who, other = _two(session, by, second, reason, operator=operator)
        try:
            row = region_pair.grant_pair(session, helper, helped, who, other)
        except PairError as error:
            raise Problem(_pair_refused(error)) from None
        _agreed(session, row.id, reason, operator=operator)
    said = _("已结对帮扶：{helper}帮助{helped}。")
    say(said.format(helper=regions.place_words(row.helper), helped=regions.place_words(row.helped)))


def end_pair(
    helper: _Helper, helped: _Helped, by: _Side, second: _Other = "", operator: _Operator = False, reason: _Reason = ""
) -> None:
    """End it again."""
    with opened() as database, database.write() as session:
        who, other = _two(session, by, second, reason, operator=operator)
        try:
            region_pair.end_pair(session, helper, helped, who, other)
        except PairError as error:
            raise Problem(_pair_refused(error)) from None
        _agreed(session, f"{helper}:{helped}", reason, operator=operator)
    say(_("已结束 {helper} 和 {helped} 的结对帮扶；已有的结对不受影响。").format(helper=helper, helped=helped))


def list_pairs() -> None:
    """Every pair in force."""
    zone = zone_of(configured())
    with opened() as database, database.read() as session:
        rows = standing_pairs(session)
    if rows:
        say("\t".join([_("帮助的地区"), _("受帮助的地区"), _("开始")]))
    for row in rows:
        sides = (f"{code} {regions.place_words(code)}" for code in (row.helper, row.helped))
        say("\t".join([*sides, f"{row.granted_at.astimezone(zone):%Y-%m-%d}"]))
    if not rows:
        say(_("还没有结对帮扶的地区。"))


def dates(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help=_("志愿者编号"))],
    by: Annotated[str, typer.Option(metavar="NUMBER", help=_("谁看过原件：专员或管理员的编号"))],
    trained: Annotated[str, typer.Option("--trained", metavar="DATE", help=_("培训日期，如 2026-11-01"))] = "",
    cleared: Annotated[
        str, typer.Option("--cleared-until", metavar="DATE", help=_("无犯罪记录查询有效期至，如 2027-10-31"))
    ] = "",
) -> None:
    """When a volunteer was trained, and how long a clearance is good."""
    if not trained and not cleared:
        raise Problem(_("要写明登记什么：--trained 日期，或 --cleared-until 日期。"))
    with opened() as database, database.write() as session:
        found = by_number(session, number.strip())
        if found is None:
            raise Problem(
                _("没有编号为 {number} 的志愿者：请核对编号（回复“我的资料”可以看到）。").format(number=number)
            )
        try:
            given = {"trained_on": _day(trained), "cleared_until": _day(cleared)}
            changed = note_dates(session, person_of(session, by), found.id, **given)
        except DatesError as error:
            raise Problem(dates_refused(error)) from None
    said = _("已登记：{number}，正在告诉本人。") if changed else _("{number} 之前已经这样登记了。")
    say(said.format(number=number))


def _day(words: str) -> date | None:
    try:
        return date.fromisoformat(words.strip()) if words else None
    except ValueError:
        raise Problem(_("日期 {day} 不对：写成 2026-11-01 这样。").format(day=words[:20])) from None


def _team(session: Session, number: str) -> Team:
    found = by_team_number(session, number.strip())
    if found is None:
        raise Problem(_("没有编号为 {number} 的团队：用 nuanyang team list 看编号。").format(number=number))
    return found


def _number(session: Session, person_id: str) -> str:
    found = volunteer_of(session, person_id)
    return found.number if found else "-"


def _done(act: Callable[[], T]) -> T:
    try:
        return act()
    except TeamError as error:
        raise Problem(refused(error)) from None


def _two(session: Session, by: str, second: str, reason: str, *, operator: bool) -> tuple[str, str]:
    if operator and not reason.strip():
        raise Problem(_("用 --operator 要写明理由：加上 --reason。"))
    return person_of(session, by), MACHINE if operator else person_of(session, second) if second else ""


def _agreed(session: Session, subject: str, reason: str, *, operator: bool) -> None:
    if operator:
        audit.note(session, MACHINE, "region_pair.operator_agreed", subject, reason=reason.strip()[:200])


def _pair_refused(error: PairError) -> str:
    return {
        "region": _("没有这个行政区划代码：要 2、4 或 6 位，如 44、4401、440106。"),
        "same": _("一个地区在另一个里面，不用结对帮扶。"),
        "scope": _("--by 和 --second 要各写一位管理员：一位管帮助的地区，一位管受帮助的地区。"),
        "second": _("两个地区都归 --by 管：还要另一位管理员同意，用 --second 写明；只有一位管理员时用 --operator。"),
        "gone": _("这两个地区现在没有结对帮扶：用 nuanyang regions list 看。"),
    }[error.reason]
