"""WeChat's menus: put up anew when they change, with nothing of an earlier version left hanging behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.app import App
from bot.platforms.base import Outcome
from bot.platforms.wechat import WeChat
from config.settings import Settings
from handlers import menu
from handlers.message import MenuColumn
from models.database import Database

Menus = dict[str, tuple[MenuColumn, ...]]
KEY = ("wechat", "gd")


class Putting:
    """The part of the port that puts menus up; `hangs` is what the platform shows now."""

    features = WeChat.features

    def __init__(self) -> None:
        self.hangs: Menus = {}
        self.times = 0
        self.cut = asyncio.Event()
        self.is_slow = False

    async def start(self, _receive: Callable[..., Awaitable[None]]) -> None:
        return None

    async def install_menu(self, menus: Menus) -> Outcome:
        self.times += 1
        self.hangs = {}
        if self.is_slow:
            self.cut.set()
            await asyncio.sleep(60)
        self.hangs = menus
        return Outcome("sent")


async def test_menus_cut_while_they_go_up_go_up_whole_with_the_next_start_of_any_version(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, platform = App(Settings(), database, spool=tmp_path, roles=()), Putting()
    opened: Any = platform
    before = menu.menus()
    await app._open_platform(KEY, opened)
    await app._open_platform(KEY, opened)
    assert (platform.times, platform.hangs) == (1, before), "what hangs there already is left alone"
    with monkeypatch.context() as patch:
        patch.setattr(menu, "menus", lambda: {"volunteer": before["volunteer"]})
        platform.is_slow = True
        opening = asyncio.create_task(app._open_platform(KEY, opened))
        await asyncio.wait_for(platform.cut.wait(), 5)
        opening.cancel()
        await asyncio.wait([opening])
    assert platform.hangs == {}
    platform.is_slow = False
    await app._open_platform(KEY, opened)
    assert (platform.times, platform.hangs) == (3, before), "the version of before knows that its menus are gone"
