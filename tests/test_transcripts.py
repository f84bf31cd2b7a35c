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
    stage = Stage(database, tmp_path / "spool", exchange)
    happened = await Play(script, stage, platform, clock).run()
    if request.config.getoption("--update") and platform == script.platforms[0] and database.is_sqlite:
        path.write_text("\n".join(happened).rstrip() + "\n", "utf-8")
    assert "\n".join(happened).rstrip() == path.read_text("utf-8").rstrip()


def test_there_are_transcripts_to_play() -> None:
    assert len(FILES) >= 1
