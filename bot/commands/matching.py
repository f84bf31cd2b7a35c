"""`nuanyang match`: somebody is sought for everybody waiting in a region, and it is told why some were left."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.commands.shared import Problem, note, opened, progress_bar, say
from config import regions
from config.texts import _
from handlers.reason_words import count_words
from models import proposing
from models.beneficiary import MACHINE


def add(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        help=_("给一个地区里等待结对的人找志愿者：把提议存好，等负责的人来定；不会给任何人发消息。找不到的说明原因。")
    )(match)


def match(
    region: Annotated[str, typer.Argument(metavar="REGION", help=_("地区代码：2 位（省）、4 位（市）或 6 位（区县）"))],
) -> None:
    """Match a region."""
    place = regions.get(region.strip())
    if place is None:
        raise Problem(_("没有代码为 {code} 的地区：写 2 位、4 位或 6 位行政区划代码。").format(code=region.strip()))
    with opened() as database, progress_bar(_("匹配")) as heard:
        done = proposing.run(database, place.code, MACHINE, heard)
    counts = done.counts
    if not counts["waiting"]:
        note(_("等待结对的人：在册、家里已同意结对、还没有人负责、也没有发出的邀请。"))
        say(_("{region}：现在没有等待结对的人。").format(region=place.full_name))
        return
    words = _("{region}：等待 {waiting} 人，已有提议 {matched} 人，还没找到 {left} 人。")
    numbers = {name: counts[name] for name in ("waiting", "matched", "left")}
    say(words.format(region=place.full_name, **numbers))
    for code, count in sorted(counts["why"].items(), key=lambda one: (-one[1], one[0])):
        say(count_words(code, count))
