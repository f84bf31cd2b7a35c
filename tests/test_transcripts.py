"""Every talk, as its people see it: one file, both platforms, both databases, through the real webhook routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot import receive
from models.database import Database
from tests.conftest import StoppedClock
from tests.phones import Exchange, Stage
from tests.playing import Play, Script

FILES = sorted((Path(__file__).parent / "transcripts").glob("*.chat"))
CASES = [(path, platform) for path in FILES for platform in Script.read(path).platforms]


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    made = Exchange()
    await made.server.start_server()
    yield made
    await made.server.close()


# WeChat on SQLite and Telegram on PostgreSQL in `make test`, crossed in `make test-long`: the rules themselves have
# their own tests on both databases.
@pytest.mark.parametrize(
    ("path", "platform", "database"),
    [
        pytest.param(path, platform, kind, marks=[pytest.mark.long] if crossed else [])
        for path, platform in CASES
        for kind in ("sqlite", "postgresql")
        for crossed in [(platform == "wechat") != (kind == "sqlite") and len(Script.read(path).platforms) > 1]
    ],
    indirect=["database"],
    ids=[f"{path.stem}-{platform}-{kind}" for path, platform in CASES for kind in ("sqlite", "postgresql")],
)
async def test_the_talk_goes_as_its_transcript_says(
    path: Path,
    platform: str,
    database: Database,
    clock: StoppedClock,
    exchange: Exchange,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What is said is asked here, not when: on a busy machine a turn may take longer than the contract's 4 s.
    monkeypatch.setattr(receive, "ANSWER_SECONDS", 60.0)
    monkeypatch.setattr(receive, "URGENT_SECONDS", 60.0)
    script = Script.read(path)
    stage = Stage(database, tmp_path / "spool", exchange, templates=script.templates)
    happened = await Play(script, stage, platform, clock).run()
    if request.config.getoption("--update") and happened != script.on(platform):
        path.write_text("\n".join(script.with_played(platform, happened)).rstrip() + "\n", "utf-8")
        script = Script.read(path)
    assert "\n".join(happened).rstrip() == "\n".join(script.on(platform)).rstrip()


def script_of(text: str, folder: Path) -> Script:
    path = folder / "one.chat"
    path.write_text(text, "utf-8")
    return Script.read(path)


MARKED = """# 标题
阿林：报名
〔微信〕阿林：王小明
〔Telegram〕阿林：〔网页 王小明〕
暖阳：
  好的。
〔微信〕  在微信里。
〔Telegram〕  在 Telegram 里。
"""


def test_a_marked_line_is_played_on_its_platform_only(tmp_path: Path) -> None:
    script = script_of(MARKED, tmp_path)
    wechat = ["# 标题", "阿林：报名", "阿林：王小明", "暖阳：", "  好的。", "  在微信里。"]
    assert script.on("wechat") == wechat
    assert script.on("telegram")[2:] == ["阿林：〔网页 王小明〕", "暖阳：", "  好的。", "  在 Telegram 里。"]


def test_playing_again_leaves_the_other_platforms_lines_and_unites_what_has_become_the_same(tmp_path: Path) -> None:
    script = script_of(MARKED, tmp_path)
    for platform in ("wechat", "telegram"):
        assert script.with_played(platform, script.on(platform)) == MARKED.splitlines()
    changed = [*script.on("wechat")[:-1], "  哪里都一样。"]
    once = script_of("\n".join(script.with_played("wechat", changed)), tmp_path)
    assert once.on("wechat") == changed
    assert once.on("telegram") == script.on("telegram")
    same = [*once.on("telegram")[:-1], "  哪里都一样。"]
    assert once.with_played("telegram", same)[-2:] == ["  好的。", "  哪里都一样。"]


def test_there_are_transcripts_to_play() -> None:
    assert len(FILES) >= 1
