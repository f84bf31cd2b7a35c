"""`nuanyang doctor`: what is wrong with the configuration, and how to mend it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from bot import logs
from bot.commands.shared import say
from config.texts import _


def add(app: typer.Typer) -> None:
    """Register the command."""
    app.command(help=_("检查配置、数据库、密钥、时钟和接口；没有错误时退出码为 0。"))(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help=_("输出 JSON"))] = False,
    offline: Annotated[bool, typer.Option("--offline", help=_("不访问任何网络接口"))] = False,
) -> None:
    """Look at everything, say everything."""
    from bot.doctor import examine, is_configured

    logs.set_up("ERROR")
    findings = asyncio.run(examine(offline=offline))
    if as_json:
        say(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        if not is_configured():
            say(_("这里没有配置。下面的错误只和正式运行（nuanyang serve）有关；nuanyang run 不需要配置。"))
        words = {"good": _("好"), "warn": _("注意"), "bad": _("错误")}
        for finding in findings:
            mend = f" → {finding.mend}" if finding.mend else ""
            line = _("{item}：{value}").format(item=finding.key, value=finding.text)
            say(f"[{words[finding.level]}] {line}{mend}")
        counts = {level: sum(finding.level == level for finding in findings) for level in words}
        say(
            _("共 {bad} 个错误，{warn} 个注意，{good} 项正常。").format(
                bad=counts["bad"], warn=counts["warn"], good=counts["good"]
            )
        )
    if any(finding.level == "bad" for finding in findings):
        raise typer.Exit(1)
