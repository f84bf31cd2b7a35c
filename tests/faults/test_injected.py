"""The story tests on bad days: a tenth of all database calls and of all calls to the platforms fail or stall.

The people of tests/transcripts do what they do on good days, the platforms come again as platforms do, and processes
end and begin between any two messages. In the end the story has gone as it goes on good days.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlmodel import SQLModel, select

from bot import hearing, receive
from models.database import Database
from models.inbox import InboxMessage
from tests.conftest import START, StoppedClock
from tests.due import clear
from tests.faults.injected import BrokenOff, FailingExchange, FailingStage, Faults, failing
from tests.phones import Stage
from tests.playing import Play, Script

STORIES = Path(__file__).parent.parent / "transcripts"
# Who hears of others is a Telegram user: on WeChat somebody who only followed can be written to for a minute, which is
# over on a bad day.
PLAYED = {
    "registration_good": ("wechat", "telegram"),
    "registration_corrected": ("wechat", "telegram"),
    "profile_more": ("wechat", "telegram"),
    "quiet_good": ("wechat", "telegram"),
    "privacy_consents": ("wechat", "telegram"),
    "delete_good": ("telegram", "wechat"),
    "contact_answer": ("telegram",),
    "recognition_by_specialist": ("telegram",),
    "recognition_by_old_door": ("telegram",),
    "guardian_good": ("telegram",),
}
# What a story leaves behind, but for times and made ids. Messages of the outbox: whether they ended, not how often they
# were tried.
LEFT = {
    "volunteer": ("status", "birth_date", "county", "occupation", "skills", "services", "travel_km", "membership"),
    "person": ("language", "zone", "quiet_from", "quiet_until", "campaigns_off"),
    "door": ("platform", "account", "sender"),
    "consent": ("kind", "version", "language", "giver"),
    "guardianship": ("relation",),
    "recognition": ("state", "county"),
    "contact_message": ("by_asker", "county"),
    "role_grant": ("role", "scope_kind", "scope"),
    "alert": ("source", "state"),
    "audit": ("action",),
    "person_join": ("how",),
    "inbox": ("platform", "state"),
}
State = dict[str, Counter[tuple[str, ...]]]


def left(database: Database) -> State:
    found: State = {}
    with database.read() as session:
        for name, columns in LEFT.items():
            table = SQLModel.metadata.tables[name]
            rows = session.execute(select(*(table.c[column] for column in columns if column in table.c)))
            found[name] = Counter(tuple(str(value) for value in row) for row in rows)
        outbox = SQLModel.metadata.tables["outbox"]
        notices = session.execute(select(outbox.c.kind).where(outbox.c.kind != "reply"))
        found["notices"] = Counter((str(kind),) for (kind,) in notices)
    return found


async def play(
    story: str, seed: int, database: Database, clock: StoppedClock, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once on a good day, once on a bad one."""
    print(f"seed {seed}, {story}")
    for name in ("ANSWER_SECONDS", "URGENT_SECONDS"):
        monkeypatch.setattr(receive, name, 60.0)  # a busy machine is no fault that was drawn
    script = Script.read(STORIES / f"{story}.chat")
    platform = PLAYED[story][seed % len(PLAYED[story])]
    assert platform in script.platforms
    good = FailingExchange(Faults(seed))
    await good.server.start_server()
    try:
        await Play(script, Stage(database, folder / "good", good), platform, clock).run()
    finally:
        await good.server.close()
    wanted = left(database)
    clear(database)

    clock.at = START
    faults = Faults(seed)
    bad = FailingExchange(faults)
    await bad.server.start_server()
    stage = FailingStage(database, folder / "bad", bad, faults, clock)
    monkeypatch.setattr(hearing, "turn", stage.turn)
    whole = True
    try:
        with failing(database, faults):
            try:
                await Play(script, stage, platform, clock).run()
            except BrokenOff:
                whole = False
                print("broken off: an answer was in doubt twice")
            await stage.deliver()
    finally:
        await bad.server.close()
        monkeypatch.setattr(hearing, "turn", hearing_turn)
    print(dict(faults.count))
    assert sum(faults.count.values()) > 10 or not whole, "nothing failed"
    found, in_doubt = left(database), stage.in_doubt()
    assert whole or in_doubt
    assert (
        not whole
        or {
            name: (found[name] - wanted[name], wanted[name] - found[name])
            for name in wanted
            if found[name] != wanted[name]
        }
        == {}
    )
    with database.read() as session:
        keys = session.exec(select(InboxMessage.key)).all()
    assert len(keys) == len(set(keys))
    assert stage.posted == set(keys)
    assert set(stage.answers) | in_doubt == stage.replied, "each message was answered, or the product knows better"
    for key, seen in stage.answers.items():
        assert seen.count(False) <= 1 and len(seen) <= 2, f"the answer to {key} came {len(seen)} times: {seen}"
    assert not list((folder / "bad").glob("*")), "nothing is left in the spool"


hearing_turn = hearing.turn
BOUNDED = [("registration_good", 1), ("quiet_good", 2), ("recognition_by_old_door", 3)]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("story", "seed"), BOUNDED)
async def test_a_story_goes_on_a_bad_day_as_on_a_good_one(
    story: str, seed: int, database: Database, clock: StoppedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await play(story, seed, database, clock, tmp_path, monkeypatch)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(1, 21))
async def test_stories_go_on_twenty_bad_days_as_on_good_ones(
    seed: int, database: Database, clock: StoppedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        story = list(PLAYED)[(3 * seed + number) % len(PLAYED)]
        clear(database)
        await play(story, seed, database, clock, tmp_path / story, monkeypatch)
