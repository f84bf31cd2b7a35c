"""`nuanyang hours head` and `nuanyang audit hours`: the hours ledger's last lines to keep elsewhere, and its check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.commands.shared import Problem, note, opened, say
from config import regions
from config.texts import _
from models import hours_ledger
from models.hours_ledger import Broken, Head

_Region = Annotated[str, typer.Option(metavar="CODE", help=_("只看这个地区：行政区划代码，2、4 或 6 位"))]
_Heads = Annotated[Path | None, typer.Option(metavar="FILE", help=_("以前用 nuanyang hours head 存下的文件"))]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    hours = typer.Typer(no_args_is_help=True, help=_("时长台账。"))
    hours.callback()(_group)
    hours.command(help=_("列出每个区县时长台账的最后一行：代码、行号、校验值。存到别处，以后能看出有没有被截短。"))(
        head
    )
    app.add_typer(hours, name="hours")
    audit = typer.Typer(no_args_is_help=True, help=_("核对只增不改的记录。"))
    audit.callback()(_group)
    audit.command("hours", help=_("核对时长台账：每一行的校验值、行号，和服务记录是否相符；有问题就说出第一处。"))(
        check
    )
    app.add_typer(audit, name="audit")


def _group() -> None:
    """A group of its own, though it has one command so far."""


def head(region: _Region = "") -> None:
    """One line a county that has any hours: code, number of the last line, its hash."""
    code = _code(region)
    with opened() as database, database.read() as session:
        found = hours_ledger.heads(session, code)
    say(hours_ledger.as_text(found).rstrip() if found else _("还没有确认过的时长。"))


def check(region: _Region = "", heads: _Heads = None) -> None:
    """Every county's chain, and its sums against the service records. Exit status 1 where anything is wrong."""
    code, taken = _code(region), _read(heads) if heads is not None else []
    broken = 0
    with opened() as database, database.read() as session:
        for county, found in hours_ledger.audited(session, code, taken):
            name = regions.place_name(county)
            if found is None:
                say(_("{county} {name}：没有问题。").format(county=county, name=name))
                continue
            broken += 1
            say(_("{county} {name}：{what}").format(county=county, name=name, what=_words(found)))
    if heads is None:
        note(_("没有给 --heads 文件：台账末尾如果连同服务记录一起被删掉，这样看不出来。"))
    if broken:
        raise Problem(_("{count} 个区县的时长台账有问题：不要再改动，保留数据库，和备份核对。").format(count=broken))


def _code(region: str) -> str:
    if not region:
        return ""
    found = regions.get(region)
    if found is None:
        raise Problem(_("没有代码为 {region} 的地区：写 2、4 或 6 位行政区划代码。").format(region=region))
    return found.code


def _read(path: Path) -> list[Head]:
    try:
        return hours_ledger.from_text(path.read_text("utf-8"))
    except OSError as error:
        why = type(error).__name__
        raise Problem(_("文件 {file} 读不出来（{why}）。").format(file=path, why=why)) from None
    except ValueError as error:
        line = error.args[0] if isinstance(error.args[0], int) else 1
        said = _("文件 {file} 第 {line} 行不是 nuanyang hours head 写的：应当是代码、行号、校验值。")
        raise Problem(said.format(file=path, line=line)) from None


def _words(found: Broken) -> str:
    words = {
        "missing": _("第 {seq} 行不见了。"),
        "changed": _("第 {seq} 行被改过（{id}）。"),
        "chain": _("第 {seq} 行接不上前一行（{id}）。"),
        "cut": _("末尾被截短了：第 {seq} 行起没有了。"),
        "head": _("第 {seq} 行不是存下的那一行（{id}）。"),
        "record": _("从第 {seq} 行起的一条服务记录和台账合计不符（{id}）。"),
    }[found.what]
    return words.format(seq=found.seq, id=found.id)
