"""`nuanyang station …`: places that are open to everybody."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.commands.shared import Problem, opened, person_of, say
from config import regions
from config.texts import _
from models import station
from models.station import StationError, by_station_number, standing


def add(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(
        no_args_is_help=True, help=_("阵地（助残V站、驿站、基地、温馨家园）：列出、结束；登记用 import。")
    )
    group.command("list", help=_("列出现在的阵地。"))(list_all)
    group.command(help=_("结束一个阵地；内容留着，只是不再列出。"))(end)
    app.add_typer(group, name="station")


def list_all(
    region: Annotated[str, typer.Option(metavar="CODE", help=_("只看这个地区，行政区划代码 2、4 或 6 位"))] = "",
) -> None:
    """Every station that stands."""
    with opened() as database, database.read() as session:
        rows = standing(session, region)
    if not rows:
        say(_("还没有登记阵地：nuanyang import stations 文件 --by 编号。"))
        return
    heads = [_("编号"), _("名称"), _("类别"), _("区县"), _("乡镇街道"), _("地址"), _("开放时间"), _("容量")]
    say("\t".join(heads))
    for one in rows:
        place = regions.place_words(one.county)
        room = str(one.capacity) if one.capacity else "-"
        about = [one.town or "-", one.address or "-", one.opening_hours or "-", room]
        say("\t".join([one.number, one.name, one.kind, place, *about]))


def end(
    number: Annotated[str, typer.Argument(metavar="STATION", help=_("阵地编号，见 nuanyang station list"))],
    by: Annotated[str, typer.Option(metavar="NUMBER", help=_("谁来做：负责这个区县的管理员或专员的编号"))],
) -> None:
    """It is open no more."""
    with opened() as database, database.write() as session:
        one = by_station_number(session, number.strip())
        try:
            if one is None:
                raise StationError("gone")
            station.end(session, person_of(session, by), one.id)
        except StationError as error:
            if error.reason == "scope":
                raise Problem(_("--by 要写负责这个区县的管理员或专员的编号。")) from None
            raise Problem(_("没有这个阵地：编号见 nuanyang station list。")) from None
    say(_("已结束这个阵地。"))
