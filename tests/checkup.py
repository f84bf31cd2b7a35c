"""A good configuration for `nuanyang doctor` to look at; the platforms are played on loopback."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.doctor_calls import Finding
from tests.commanding import KEY, TELEGRAM, WECHAT


class Played:
    """Both platforms' answers, changed by a test."""

    def __init__(self) -> None:
        self.token: dict[str, Any] = {"access_token": "T", "expires_in": 7200}
        self.me: dict[str, Any] = {"ok": True, "result": {"username": "nuanyang_bot"}}
        self.hook: dict[str, Any] = {"ok": True, "result": {"url": "", "pending_update_count": 0}}
        self.templates: list[dict[str, str]] = []
        self.skew = timedelta(0)
        self.asked: list[dict[str, Any]] = []
        self.base = ""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path
        if path.endswith("stable_token"):
            self.asked.append(await request.json())
            said = self.token
        elif path.endswith("/get_all_private_template"):
            assert request.query["access_token"] == "T"
            said = {"template_list": self.templates}
        elif path.endswith("/getMe"):
            said = self.me
        elif path.endswith("/getWebhookInfo"):
            said = self.hook
        else:
            said = {"alive": True}
        date = format_datetime(datetime.now(UTC) + self.skew, usegmt=True)
        return web.json_response(said, headers={"Date": date})


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    platforms = Played()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", platforms.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    platforms.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield platforms
    await runner.cleanup()


@pytest.fixture
def configure(
    tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch, played: Played
) -> Callable[..., None]:
    """A good configuration against the played platforms; a test changes variables on top."""
    shutil.copy(migrated_sqlite, tmp_path / "serve.db")
    for name in list(os.environ):
        if name.startswith("NUANYANG_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def change(**more: str | None) -> None:
        good = {
            **WECHAT,
            **TELEGRAM,
            "NUANYANG_KEYS": KEY,
            "NUANYANG_DATABASE_URL": f"sqlite:///{tmp_path / 'serve.db'}",
            "NUANYANG_SPOOL": str(tmp_path / "spool"),
            "NUANYANG_PUBLIC_URL": played.base,
            "NUANYANG_WECHAT__GD__API_BASE": played.base,
            "NUANYANG_TELEGRAM__HK__API_BASE": played.base,
            **more,
        }
        for name, value in good.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    change()
    return change


Configure = Callable[..., None]


def of(findings: list[Finding], key: str, level: str = "bad") -> list[Finding]:
    return [finding for finding in findings if finding.key == key and finding.level == level]


def but_locales(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if not finding.key.startswith("config/locales")]
