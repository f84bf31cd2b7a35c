"""`nuanyang demo-data`: an invented city for the sandbox, with phones on which its people can be played."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session

from bot.commands.shared import KEY_FILE, Problem, configured, progress_bar, say
from bot.preflight import is_sandbox
from bot.sandbox.memory import Person
from bot.sandbox.phones import Phones, Refused
from config import regions
from config.settings import Settings
from config.texts import _
from models import demo, demo_story
from models.database import Database
from models.demo import City
from models.demo_people import CITY, Size

NEARLY_ALL = 7  # of so many members one is on Telegram, the others on WeChat; staff and team leaders are on both


def add(app: typer.Typer) -> None:
    """Register the command."""
    app.command("demo-data", help=_("在沙盒里放进一个虚构的市：三个区县、团队、志愿者、服务对象和一年的结对。"))(
        demo_data
    )


def demo_data(
    seed: Annotated[int, typer.Option(metavar="N", help=_("同一天同一个数字，内容相同"))] = 1,
    yes: Annotated[bool, typer.Option("--yes", help=_("不再询问"))] = False,
    data: Annotated[Path | None, typer.Option(help=_("放数据的文件夹，与 nuanyang run 的相同"))] = None,
) -> None:
    """Fill the sandbox."""
    fill(configured(), seed, yes=yes, data=data, size=Size())


def fill(settings: Settings, seed: int, *, yes: bool, data: Path | None, size: Size) -> None:
    """Make the city where nobody is yet, and say whom to play. Raises Problem."""
    from bot import run as everything

    _refuse_real(settings)
    with everything.alone(everything.database_url(settings, data)):
        folder = (data or Path()) / KEY_FILE.parent
        # The address is never called: nothing is served or sent from here.
        mine = everything.own_settings(settings, "http://127.0.0.1", folder, data)
        database = everything.open_played(mine, folder)
        try:
            with database.read() as session:
                if _is_there(session):
                    say(_("示例数据已经在这里了，什么也没有改。要重新来：删掉数据库和 .nuanyang 文件夹，再运行一次。"))
                    return
            _ask(database, yes=yes)
            city = _make(database, folder / "sandbox.json", everything.ACCOUNT, seed, size)
            _tell(database, city)
        finally:
            database.dispose()


def _refuse_real(settings: Settings) -> None:
    """Never beside real accounts: `serve` with this configuration would work on the same database."""
    for kind, accounts in (("wechat", settings.wechat), ("telegram", settings.telegram)):
        for name, account in accounts.items():
            if not is_sandbox(account.api_base):
                raise Problem(
                    _(
                        "配置里有真实的账号（{kind}：{name}），示例数据只能放进沙盒：换一个没有账号配置的文件夹再运行。"
                    ).format(kind=kind, name=name)
                )


def _is_there(session: Session) -> bool:
    found = demo.standing(session)
    if found == demo.BEGUN:
        raise Problem(_("上一次没有做完，数据不全：删掉数据库和 .nuanyang 文件夹，再运行一次。"))
    if not found and demo.has_people(session):
        raise Problem(_("这个数据库里已经有人了，示例数据只放进空的数据库：用 --data 换一个文件夹。"))
    return found == demo.DONE


def _ask(database: Database, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Problem(_("要放进虚构的人和事，请加上 --yes。"))
    url = database.url.render_as_string(hide_password=True)
    if not typer.confirm(_("要在 {url} 里放进虚构的人和事吗？").format(url=url)):
        raise typer.Abort


def _make(database: Database, file: Path, account: str, seed: int, size: Size) -> City:
    phones = Phones(file, database.clock.now)

    def doors(name: str, part: str) -> list[tuple[str, str, str]]:
        return _phone(phones, account, name, part)

    try:
        with progress_bar(_("示例数据")) as heard:
            city = demo_story.make(database, size, seed, doors, heard)
    except Refused as error:
        raise Problem(_("沙盒里人太多了（{why}）：用 --data 换一个文件夹。").format(why=error)) from None
    try:
        asyncio.run(phones.flush())
    except OSError as error:
        raise Problem(_("沙盒的手机没有写下来（{why}）：检查磁盘和权限。").format(why=error.strerror)) from None
    return city


def _phone(phones: Phones, account: str, name: str, part: str) -> list[tuple[str, str, str]]:
    """A phone of the sandbox whose accounts follow and have started already, and the doors that this makes."""
    notes = {"organiser": _("管理员（示例）"), "specialist": _("专员（示例）"), "leader": _("队长（示例）")}
    person = phones.add_person(name, notes.get(part, _("志愿者（示例）")), language="zh-hans")
    person.following = part != "member" or not _on_telegram(person)
    person.started = part != "member" or _on_telegram(person)
    # The last one is where messages go: it was used last.
    telegram = [("telegram", account, str(person.telegram_id))] if person.started else []
    return [*telegram, *([("wechat", account, person.openid)] if person.following else [])]


def _on_telegram(person: Person) -> bool:
    return int(person.id[1:]) % NEARLY_ALL == 0


def _tell(database: Database, city: City) -> None:
    place = regions.get(CITY)
    with database.read() as session:
        found = demo.figures(session)
    say(
        _(
            "放进了{city}的 {counties} 个区县：{teams} 个团队，{volunteers} 位志愿者，台账 {served} 人，都是虚构的。"
        ).format(
            city=place.name if place else CITY,
            counties=city.size.counties,
            teams=city.size.teams,
            volunteers=city.size.volunteers,
            served=city.size.served,
        )
    )
    say(
        _("已结对 {paired}，商定中 {agreeing}，邀请等答复 {asked}，找接替 {relays}，等家里同意 {family}。").format(
            **found
        )
    )
    say(_("现在运行 nuanyang run，在网页的手机上选下面的人（微信、Telegram 都可以），先写“菜单”："))
    for words, one in (
        (_("管理员"), city.of("organiser")[0]),
        (_("专员"), city.of("specialist", city.player.who.county)[0]),
        (_("志愿者"), city.player),
    ):
        say(_("{part}：{name}").format(part=words, name=one.who.name))
