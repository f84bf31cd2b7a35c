"""The invented city: nobody in it can be taken for real, and the same seed tells the same story."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from random import Random

import phonenumbers
import pytest
from sqlmodel import Session, select

from config import regions
from models import demo_people, demo_story
from models.beneficiary import Beneficiary, name_in
from models.database import Database, vault_of
from models.demo import figures
from models.demo_people import STEMS, Size
from models.ledger_cells import read_ledger
from models.offer import Offer
from models.outbox import OutboxMessage
from models.pairing import OPEN, Keeping, Stint
from models.relay import Relay
from models.vault import Vault
from models.volunteer import name_of, volunteer_of
from tests.conftest import START, TEST_KEY, StoppedClock

SMALL = Size(counties=1, teams=2, volunteers=24, served=40)
TODAY = START.date()


def test_no_volunteer_can_be_taken_for_somebody_real() -> None:
    found = demo_people.volunteers(Random(1), Size(), TODAY)
    assert len({one.name for one in found}) == len({one.phone for one in found}) == 200
    for one in found:
        assert re.fullmatch(f"样[{STEMS}]{{3}}", one.name)
        assert not phonenumbers.is_valid_number(phonenumbers.parse(one.phone)), "a number that somebody may have"
        assert regions.near(one.latitude, one.longitude)[0].code == one.county
        assert one.town.startswith("样")


def test_the_ledgers_are_read_without_a_problem_and_name_nobody_real() -> None:
    found = demo_people.served(Random(1), Size(), TODAY)
    assert set(found) == {"440823", "440825", "440882"}
    rows = []
    for county, lines in found.items():
        ledger = read_ledger(demo_people.as_file(lines), "示例.csv", county=county, today=TODAY)
        assert not ledger.columns.unknown
        rows += list(ledger.rows())
    assert len(rows) == 400 and not [row.problems for row in rows if row.problems]
    records = [row.record for row in rows if row.record is not None]
    assert len({record.id_number for record in records}) == 400
    for record in records:
        assert re.fullmatch(f"测[{STEMS}]{{4}}", record.name) and record.phone == "+8613800138000"
        assert record.latitude is not None and record.longitude is not None
        assert regions.near(record.latitude, record.longitude)[0].code == record.county


def test_a_story_is_told_on_both_databases_and_leaves_something_of_everything(database: Database) -> None:
    clock, heard = database.clock, list[tuple[int, int]]()
    city = demo_story.make(database, SMALL, 1, lambda *_all: [], lambda done, total: heard.append((done, total)))
    assert database.clock is clock and heard == sorted(heard) and heard[-1][0] == heard[-1][1]
    with database.read() as session:
        found = figures(session)
        assert all(found.values()), found
        assert found["paired"] >= 0.5 * len(city.homes)
        institutions = session.exec(select(Stint.state).where(Stint.institution_id != None))  # noqa: E711
        assert institutions.all() == [OPEN]
        assert {row.status for row in session.exec(select(Beneficiary))} >= {"listed", "died"}
        kept = session.exec(select(Keeping).where(Keeping.until == None)).all()  # noqa: E711
        gone = {one.person_id for one in city.of("specialist")[-1:]}
        assert kept and not gone.intersection(row.person_id for row in kept), "kept by somebody who left"
        old = START.replace(hour=0) - demo_story.FRESH
        states = session.exec(select(OutboxMessage.state).where(OutboxMessage.created_at < old)).all()
        assert set(states) == {"withdrawn"}, "what was told long ago does not come to the phones now"


def told(session: Session) -> list[object]:
    """Everything that happened, without keys and numbers."""
    vault = vault_of(session)
    served = {row.id: name_in(vault, row) for row in session.exec(select(Beneficiary))}

    def who(person: str | None) -> str:
        row = volunteer_of(session, person) if person else None
        return name_of(session, row) if row else ""

    found: list[object] = [
        (served[row.id], row.status, row.town, row.needs) for row in session.exec(select(Beneficiary))
    ]
    for stint in session.exec(select(Stint)):
        what = (stint.part, stint.state, stint.made_at, stint.opened_at, stint.ended_at, stint.ended_why, stint.ends_on)
        about = served.get(str(stint.beneficiary_id), "an institution")
        found.append((about, who(stint.person_id), stint.team_id is None, *map(str, what)))
    for offer in session.exec(select(Offer)):
        bands = sorted(offer.bands.items())
        found.append((served[str(offer.beneficiary_id)], who(offer.person_id), offer.state, str(offer.made_at), bands))
    for keeping in session.exec(select(Keeping)):
        found.append((served[keeping.beneficiary_id], who(keeping.person_id), keeping.why, str(keeping.since)))
    for relay in session.exec(select(Relay)):
        found.append((relay.state, relay.reason, str(relay.last_day), who(relay.specialist_id), who(relay.keeper_id)))
    return sorted(found, key=repr)


@pytest.fixture
def tellers(tmp_path: Path, empty_sqlite: Path) -> list[Database]:
    made = []
    for number in range(3):
        shutil.copy(empty_sqlite, tmp_path / f"{number}.db")
        url = f"sqlite:///{tmp_path / f'{number}.db'}"
        made.append(Database(url, Vault([TEST_KEY]), StoppedClock(), durable=False))
    return made


def test_the_same_seed_tells_the_same_story_and_another_one_another(tellers: list[Database]) -> None:
    stories = []
    for database, seed in zip(tellers, (7, 7, 8), strict=True):
        demo_story.make(database, SMALL, seed, lambda *_all: [], lambda *_all: None)
        with database.read() as session:
            stories.append(told(session))
        database.dispose()
    assert stories[0] == stories[1]
    assert stories[0] != stories[2]
