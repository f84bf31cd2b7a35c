"""`nuanyang demo-data`: an invented city, and phones on which its people can be played."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlmodel import func, select

from bot.cli import run
from bot.commands import demo as command
from bot.sandbox.memory import Memory
from models import demo
from models.beneficiary import Beneficiary
from models.database import Database
from models.demo_people import Size
from models.offer import WAITING, Offer
from models.pairing import OPEN, Stint
from models.person import Door, door_of
from models.role import highest
from models.vault import Vault
from models.volunteer import name_of, volunteer_of
from tests.commanding import TELEGRAM, WECHAT, on_database, register
from tests.conftest import TEST_KEY

Out = pytest.CaptureFixture[str]
SMALL = Size(counties=1, teams=2, volunteers=24, served=40)


@pytest.fixture
def sandbox(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without accounts, in which the city is a small one."""
    for name in (*WECHAT, *TELEGRAM):
        monkeypatch.delenv(name)
    monkeypatch.setattr(command, "Size", lambda: SMALL)
    return here


def people(folder: Path) -> int:
    with on_database(folder) as database, database.read() as session:
        return session.exec(select(func.count()).select_from(Door)).one()


def test_a_city_is_made_once_and_its_people_can_be_played_on_both_phones(sandbox: Path, capsys: Out) -> None:
    assert run(["demo-data", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "2 个团队，24 位志愿者，台账 40 人" in said and "都是虚构的" in said
    named = dict(line.split("：") for line in said.splitlines()[-3:])
    phones = {one.name: one for one in Memory.model_validate_json(_file(sandbox)).people.values()}
    assert len(phones) == 6 + 24
    with on_database(sandbox) as database, database.read() as session:
        for part, role in (("管理员", "organiser"), ("专员", "specialist"), ("志愿者", "volunteer")):
            phone = phones[named[part]]
            assert phone.following and phone.started
            doors = [door_of(session, "wechat", "sandbox", phone.openid)]
            doors.append(door_of(session, "telegram", "sandbox", str(phone.telegram_id)))
            (person,) = {door.person_id for door in doors if door is not None}
            registered = volunteer_of(session, person)
            assert None not in doors and registered is not None
            assert name_of(session, registered) == phone.name and highest(session, person) == role
        asked = session.exec(select(Offer.state).where(Offer.person_id == person)).all()
        served = session.exec(select(Stint.state).where(Stint.person_id == person)).all()
        assert WAITING in asked and OPEN in served
    before = people(sandbox), _file(sandbox)
    assert run(["demo-data", "--yes", "--seed", "2"]) == 0
    assert "已经在这里了" in capsys.readouterr().out and (people(sandbox), _file(sandbox)) == before


def _file(folder: Path) -> bytes:
    return (folder / ".nuanyang" / "sandbox.json").read_bytes()


def test_every_phone_of_the_city_leads_to_a_door_and_the_other_way_round(sandbox: Path) -> None:
    assert run(["demo-data", "--yes", "--data", "elsewhere"]) == 0
    memory = json.loads((sandbox / "elsewhere" / ".nuanyang" / "sandbox.json").read_text("utf-8"))
    phones = {("wechat", one["openid"]) for one in memory["people"].values() if one["following"]}
    phones |= {("telegram", str(one["telegram_id"])) for one in memory["people"].values() if one["started"]}
    assert people(sandbox) == 0, "the folder that was named is the one that is filled"
    database = Database(f"sqlite:///{sandbox / 'elsewhere' / 'nuanyang.db'}", Vault([TEST_KEY]))
    with database.read() as session:
        assert set(session.exec(select(Door.platform, Door.sender)).all()) == phones
    database.dispose()


def refused(capsys: Out, words: str, *more: str) -> None:
    assert run(["demo-data", *more]) == 1
    said = capsys.readouterr().err
    assert words in said and len(said.strip().splitlines()) == 1


def test_nothing_is_put_beside_real_accounts(here: Path, capsys: Out) -> None:
    refused(capsys, "真实的账号（wechat：gd）", "--yes")
    assert people(here) == 0


def test_nothing_is_put_beside_people_who_were_there_before(sandbox: Path, capsys: Out) -> None:
    register(sandbox, "1000000001")
    refused(capsys, "已经有人了", "--yes")
    assert people(sandbox) == 1


def test_what_was_left_half_made_is_not_taken_for_done(
    sandbox: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(*_all: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "take_ledger", stops)
    assert run(["demo-data", "--yes"]) == 130
    capsys.readouterr()
    refused(capsys, "没有做完", "--yes")
    with on_database(sandbox) as database, database.read() as session:
        assert session.exec(select(func.count()).select_from(Beneficiary)).one() == 0


def test_somebody_is_asked_first_and_may_say_no(sandbox: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(capsys, "--yes")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda _question: False)
    assert run(["demo-data"]) == 130
    assert people(sandbox) == 0
