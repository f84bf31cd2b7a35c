"""`nuanyang activity …`: activities that people can check in at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from sqlmodel import Session

from bot.commands.shared import Problem, configured, local, opened, person_of, say, zone_of
from config import regions
from config.services import entries, labels
from config.texts import _
from handlers.somebody import who
from models import activities
from models.activities import ActivityError, New, by_activity_number, standing
from models.beneficiary import MACHINE
from models.station import by_station_number
from models.team import by_team_number


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(no_args_is_help=True, help=_("活动：新建、列出、取消。签到码由带队的人在聊天里看。"))
    group.command(help=_("新建一个活动。"))(new)
    group.command("list", help=_("列出还没有结束的活动。"))(list_all)
    group.command(help=_("取消一个活动；已经签到的照样算。"))(cancel)
    app.add_typer(group, name="activity")


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("活动名称"))],
    start: Annotated[str, typer.Option(metavar="TIME", help=_("开始，例如 2026-12-05T14:30，按部署的时区"))],
    end: Annotated[str, typer.Option(metavar="TIME", help=_("结束"))],
    county: Annotated[str, typer.Option(metavar="CODE", help=_("区县代码，6 位"))],
    leader: Annotated[str, typer.Option(metavar="NUMBER", help=_("带队的志愿者编号"))],
    content: Annotated[str, typer.Option(metavar="KEY", help=" | ".join(entries("service")))],
    place: Annotated[str, typer.Option(metavar="WORDS", help=_("集合地点"))] = "",
    places: Annotated[int, typer.Option(metavar="N", help=_("最多几人；不写就不限"))] = 0,
    team: Annotated[str, typer.Option(metavar="TEAM", help=_("哪个团队的"))] = "",
    station: Annotated[str, typer.Option(metavar="STATION", help=_("在哪个阵地"))] = "",
    by: Annotated[str, typer.Option(metavar="NUMBER", help=_("谁来做；不写就是这台机器"))] = "",
) -> None:
    """Make one."""
    zone = zone_of(configured())
    with opened() as database, database.write() as session:
        told = New(
            name,
            _moment(start, zone),
            _moment(end, zone),
            content,
            county,
            person_of(session, leader),
            place=place,
            places=places or None,
            team_id=_team(session, team),
            station_id=_station(session, station),
        )
        try:
            made = activities.create(session, person_of(session, by) if by else MACHINE, told)
        except ActivityError as error:
            raise Problem(_refused(error)) from None
        number = made.number
    say(_("活动建好了，编号 {number}。海报：nuanyang cards --activity {number} --out 文件.pdf").format(number=number))


def list_all(
    region: Annotated[str, typer.Option(metavar="CODE", help=_("只看这个地区，行政区划代码 2、4 或 6 位"))] = "",
) -> None:
    """What is not over."""
    zone = zone_of(configured())
    with opened() as database, database.read() as session:
        rows = [
            [
                row.number,
                row.name,
                local(row.starts_at, zone),
                local(row.ends_at, zone),
                regions.place_words(row.county),
                row.place or "-",
                labels("service", [row.content])[0],
                str(row.places) if row.places else "-",
                who(session, row.leader_id),
            ]
            for row in standing(session, region)
        ]
    if not rows:
        say(_("没有还没结束的活动：用 nuanyang activity new 新建。"))
        return
    heads = [_("编号"), _("名称"), _("开始"), _("结束"), _("区县"), _("地点"), _("服务内容"), _("人数"), _("带队")]
    for cells in (heads, *rows):
        say("\t".join(cells))


def cancel(
    number: Annotated[str, typer.Argument(metavar="ACTIVITY", help=_("活动编号，见 nuanyang activity list"))],
    by: Annotated[str, typer.Option(metavar="NUMBER", help=_("谁来做；不写就是这台机器"))] = "",
) -> None:
    """It does not take place."""
    with opened() as database, database.write() as session:
        row = by_activity_number(session, number.strip())
        try:
            if row is None:
                raise ActivityError("gone")
            activities.cancel(session, person_of(session, by) if by else MACHINE, row.id)
        except ActivityError as error:
            raise Problem(_refused(error)) from None
    say(_("活动取消了。"))


def _moment(words: str, zone: ZoneInfo) -> datetime:
    try:
        at = datetime.fromisoformat(words.strip())
    except ValueError:
        raise Problem(_("时间写成 2026-12-05T14:30 这样。")) from None
    return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)


def _team(session: Session, number: str) -> str | None:
    if not number:
        return None
    found = by_team_number(session, number.strip())
    if found is None:
        raise Problem(_("没有这个团队：编号见 nuanyang team list。"))
    return found.id


def _station(session: Session, number: str) -> str | None:
    if not number:
        return None
    found = by_station_number(session, number.strip())
    if found is None:
        raise Problem(_("没有这个阵地：编号见 nuanyang station list。"))
    return found.id


def _refused(error: ActivityError) -> str:
    return {
        "scope": _("--by 要写负责这个区县的人，或这个团队的队长。"),
        "name": _("名称要 2 到 {most} 个字。").format(most=activities.LONGEST_NAME),
        "place": _("地点最多 {most} 个字。").format(most=activities.LONGEST_PLACE),
        "places": _("--places 写 1 到 {most}。").format(most=activities.MOST_PLACES),
        "content": _("--content 写其中一个：{keys}。").format(keys="、".join(entries("service"))),
        "county": _("--county 写 6 位区县代码。"),
        "time": _("时间不对：要在以后、一年以内，最长 24 小时，结束晚于开始。"),
        "leader": _("--leader 要是能服务的志愿者。"),
        "station": _("没有这个阵地：编号见 nuanyang station list。"),
    }.get(error.reason, _("没有这个活动，或者已经结束、取消了：编号见 nuanyang activity list。"))
