"""`nuanyang households`: 一户不落 for whoever holds the machine, with marks instead of names."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session

from bot.commands.shared import Problem, configured, note, opened, save, say
from config import regions
from config.texts import _
from handlers import household_words
from models import household, households
from models.beneficiary import MACHINE
from models.household import Household
from models.households import STATES, Wanted
from models.ledger_report import workbook

SHOWN = 100  # people told in the terminal; a file has them all
SLICE = 1_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet would reckon with


def add(app: typer.Typer) -> None:
    """Register the command."""
    app.command("households", help=_("一户不落：一个地区在册的每一位，今天谁负责、在等什么；只有档案记号，没有姓名。"))(
        list_households
    )


def list_households(
    region: Annotated[str, typer.Argument(metavar="REGION", help=_("省、市或区县代码（2、4 或 6 位）"))],
    state: Annotated[str, typer.Option(metavar="STATE", help=" | ".join(STATES))] = "",
    file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help=_("全部另存一份：.csv，或 .xlsx"))] = None,
) -> None:
    """Counts by state, then the people, whoever needs somebody first."""
    place = regions.get(region)
    if place is None:
        raise Problem(_("没有代码为 {code} 的地区：写 2、4 或 6 位行政区划代码。").format(code=region))
    if state and state not in STATES:
        raise Problem(_("--state 写其中一个：{states}。").format(states="、".join(STATES)))
    zone = configured().timezone
    with opened() as database, database.read() as session:
        counted = households.counts(session, MACHINE, place.code)
        keys = households.keys(session, MACHINE, Wanted(place.code, state))
        shown = keys if file is not None else keys[:SHOWN]
        rows = [
            _cells(line, zone) for at in range(0, len(shown), SLICE) for line in _of(session, shown[at : at + SLICE])
        ]
    total = sum((count.states for count in counted.values()), start=Counter[str]())
    for each in STATES:
        note(f"{each}\t{household_words.state(each)}\t{total[each]}")
    if file is not None:
        save(file, _file(file, rows))
        say(_("{count} 位已存到 {file}。").format(count=len(rows), file=file))
        return
    if not rows:
        say(_("没有这样的人。"))
        return
    for cells in (_heads(), *rows):
        say("\t".join(cell or "-" for cell in cells))
    if len(keys) > len(rows):
        say(_("……还有 {count} 位：加 --csv 文件 另存全部。").format(count=len(keys) - len(rows)))


def _of(session: Session, ids: list[str]) -> list[Household]:
    return household.of(session, MACHINE, ids)


def _heads() -> list[str]:
    return [
        *(_("档案"), _("区县"), _("乡镇街道"), _("现在"), _("今天负责")),
        *(_("注意"), _("接下来"), _("为什么还在等"), _("最近联系"), _("活动")),
    ]


def _cells(line: Household, zone: str) -> list[str]:
    place = regions.get(line.county)
    return [
        line.id[-6:].upper(),
        place.name if place else line.county,
        line.town or "",
        household_words.state(line.state),
        household_words.who(line, MACHINE),
        _("；").join(household_words.warnings(line)),
        household_words.due(line, zone),
        household_words.waiting(line, zone),
        household_words.contact(line, zone),
        household_words.agreed(line),
    ]


def _file(path: Path, rows: list[list[str]]) -> bytes:
    if path.suffix.casefold() == ".xlsx":
        return workbook(_("一户不落"), _heads(), rows)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_heads())
    writer.writerows([_plain(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")  # without the mark Excel takes it for GBK


def _plain(cell: str) -> str:
    """A town comes from somebody else's file: what a spreadsheet would take for a formula gets a mark before it."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
