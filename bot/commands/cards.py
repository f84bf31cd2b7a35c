"""`nuanyang cards`: sheets of door cards (连心卡), and posters with the code of a station or an activity."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session

from bot import paper
from bot.commands.shared import Problem, configured, note, opened, person_of, save, say
from config import regions
from config.texts import _
from models import door_cards
from models.activities import by_activity_number
from models.beneficiary import MACHINE
from models.database import DatabaseAway
from models.station import by_station_number
from models.team import by_team_number


def add(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "cards",
        help=_("打印：一个地区的连心卡（A4，每页 8 张），或一个阵地、一个活动的签到海报，存成 PDF。"),
    )(cards)


def cards(
    out: Annotated[Path, typer.Option("--out", metavar="FILE.pdf", help=_("存到哪里；.png 只存第一页，用来看看"))],
    region: Annotated[str, typer.Option(metavar="CODE", help=_("给这个地区正在结对的家庭打印连心卡"))] = "",
    team: Annotated[str, typer.Option(metavar="TEAM", help=_("只打印这个团队服务的"))] = "",
    station: Annotated[str, typer.Option(metavar="STATION", help=_("一个阵地的签到海报，编号见 station list"))] = "",
    activity: Annotated[str, typer.Option(metavar="ACTIVITY", help=_("一个活动的签到海报，编号见 activity list"))] = "",
    by: Annotated[str, typer.Option(metavar="NUMBER", help=_("谁来做：负责这个地区的人的编号；不写就是这台机器"))] = "",
    again: Annotated[bool, typer.Option("--again", help=_("家里已经有卡的也换新的；旧卡从此不能用"))] = False,
) -> None:
    """One kind of paper at a time."""
    if sum(map(bool, (region, station, activity))) != 1:
        raise Problem(_("--region、--station、--activity 写其中一个。"))
    form = out.suffix.casefold()
    if form not in (".pdf", ".png"):
        raise Problem(_("--out 写一个 .pdf 文件，或 .png。"))
    if out.exists():
        raise Problem(_("文件 {file} 已经在那里：换一个名字。").format(file=out))
    if not paper.fonts():
        raise _no_font()
    public = configured().public_url.rstrip("/")
    if not public:
        raise Problem(_("先设置 NUANYANG_PUBLIC_URL：码里写的是这个网址，微信和 Telegram 都从那里进来。"))
    try:
        with opened() as database, database.write() as session:
            who = person_of(session, by) if by else MACHINE
            if region:
                made = _door_cards(session, who, region, team, public, form, again=again)
            else:
                made = _poster(session, station, activity, public, form)
            save(out, made)  # before the commit: a card that nobody has in hand ends no older one
    except DatabaseAway:
        out.unlink(missing_ok=True)  # what is on it was not made
        raise
    say(_("存好了：{file}。").format(file=out))


def _no_font() -> Problem:
    text = _("这台机器没有中文字体，印出来会是空白：先装一个，例如 apt-get install fonts-noto-cjk。")
    return Problem(text)


def _door_cards(session: Session, by: str, region: str, number: str, public: str, form: str, *, again: bool) -> bytes:
    place = regions.get(region)
    if place is None:
        raise Problem(_("没有代码为 {code} 的地区：写 2、4 或 6 位行政区划代码。").format(code=region))
    team = by_team_number(session, number.strip()) if number else None
    if number and team is None:
        raise Problem(_("没有这个团队：编号见 nuanyang team list。"))
    people = door_cards.served_in(session, place.code, team.id if team is not None else None)
    if not again:
        people = [one for one in people if door_cards.standing_of(session, one) is None]
    made = door_cards.make(session, by, people)
    if not made.cards:
        text = _("没有要打印的：这里没有正在结对的家庭，或者都有卡了（换新的加 --again），或者不归 --by 的人负责。")
        raise Problem(text)
    sheet = [paper.Card(link(public, f"d_{card.token}"), card.serial, card.form) for card in made.cards]
    note(_("连心卡 {count} 张。").format(count=len(sheet)))
    if made.replaced:
        note(_("注意：其中 {count} 家原来的卡从现在起不能用了，请收回旧卡。").format(count=made.replaced))
    return _made(lambda: paper.cards(sheet, form="png" if form == ".png" else "pdf"))


def link(public: str, scene: str) -> str:
    """What a code says."""
    return f"{public}/q/{scene}"


def _poster(session: Session, station: str, activity: str, public: str, form: str) -> bytes:
    if station:
        place = by_station_number(session, station.strip())
        if place is None or place.ended_at is not None:
            raise Problem(_("没有这个阵地：编号见 nuanyang station list。"))
        name, scene = place.name, f"s_{place.number}"
        how = [_("到了，扫一次签到；"), _("离开，再扫一次签退。")]
    else:
        event = by_activity_number(session, activity.strip())
        if event is None or event.cancelled_at is not None:
            raise Problem(_("没有这个活动：编号见 nuanyang activity list。"))
        name, scene = event.name, f"a_{event.number}"
        how = [_("扫码以后，写带队的人手机上的 6 位签到码；"), _("结束时，回复“签退”。")]
    return _made(lambda: paper.poster(name, link(public, scene), how, form="png" if form == ".png" else "pdf"))


def _made(work: Callable[[], bytes]) -> bytes:
    try:
        return work()
    except paper.PaperError as error:
        if error.reason == "font":
            raise _no_font() from None
        raise
