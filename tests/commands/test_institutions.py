"""`nuanyang institution …`."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from bot.cli import run
from handlers.here import Here
from handlers.notices import words
from models import agreement
from models.database import vault_of
from models.outbox import OutboxMessage
from models.pairing import AGREEING, OPEN, Stint
from models.person import Person
from models.team import Team
from models.volunteer import by_number
from tests.commanding import on_database, register

BOSS, NEAR, ALIN, FAR = "1000000001", "1000000002", "1000000003", "1000000009"


@pytest.fixture
def home(here: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """An institution of 广州天河 and a team with a leader; returns both numbers."""
    register(here, BOSS, NEAR, ALIN, FAR)
    assert run(["grant", BOSS, "organiser", "--region", "44", "--first"]) == 0
    assert run(["grant", FAR, "specialist", "--region", "440304", "--by", BOSS]) == 0
    assert run(["team", "create", "阳光一队", "--region", "440106", "--by", BOSS, "--capacity", "1"]) == 0
    with on_database(here) as database, database.read() as session:
        team = session.exec(select(Team.number)).one()
    assert (
        run(["institution", "add", "样甲康复站", "--county", "440106", "--kind", "rehabilitation", "--by", BOSS]) == 0
    )
    number = capsys.readouterr().out.rstrip().rsplit("（", 1)[1].removesuffix("）。")
    return number, team


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run([*arguments]) == 1
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    return said


def test_a_team_is_paired_with_an_institution_by_its_leaders_word(
    here: Path, home: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    number, team = home
    pairing = ["institution", "pair", number, "--team", team, "--service", "culture", "--by", BOSS]
    assert "还没有队长" in refused(capsys, *pairing)
    assert run(["team", "add", team, ALIN, "--by", BOSS]) == 0
    assert run(["team", "leader", team, ALIN, "--by", BOSS]) == 0
    assert run(pairing) == 0
    assert "已经有团队结对" in refused(capsys, *pairing)
    with on_database(here) as database, database.write() as session:
        stint = session.exec(select(Stint).where(Stint.state == AGREEING)).one()
        row = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.agreement")).one()
        leader = by_number(session, ALIN)
        assert leader is not None and row.person_id == leader.person_id and stint.confirmed_at is not None
        agreement.accept(session, stint.id, leader.person_id, stint.confirmed_at)
        assert stint.state == OPEN
    assert run(["institution", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split("\t")[-2:] == [team, "结对中"]
    assert "结对" in refused(capsys, "team", "end", team, "--by", BOSS)
    assert "负责这个区县" in refused(capsys, "institution", "end", number, "--by", FAR)
    assert run(["institution", "end", number, "--by", BOSS]) == 0
    assert "现在没有结对" in refused(capsys, "institution", "end", number, "--by", BOSS)


def test_the_agreement_tells_the_institution_by_name(here: Path, home: tuple[str, str]) -> None:
    number, team = home
    assert run(["team", "add", team, ALIN, "--by", BOSS]) == 0
    assert run(["team", "leader", team, ALIN, "--by", BOSS]) == 0
    assert run(["institution", "pair", number, "--team", team, "--by", BOSS]) == 0
    with on_database(here) as database, database.write() as session:
        session.info["here"] = Here("telegram", "test", sensitive_in_chat=False)
        row = session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.agreement")).one()
        params = vault_of(session).open_json("outbox.params_sealed", row.id, row.params_sealed or b"")
        said = words(session, session.get_one(Person, row.person_id), row.kind, params, again=False)
        assert said is not None and "样甲康复站" in said.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "站", "--county", "44", "--by", BOSS], "--county"),
        (["add", " ", "--county", "440106", "--by", BOSS], "名称"),
        (["add", "站", "--county", "440106", "--kind", "x", "--by", BOSS], "--kind"),
        (["add", "站", "--county", "440106", "--by", FAR], "--by"),
        (["add", "样甲康复站", "--county", "440106", "--by", BOSS], "同名"),
        (["pair", "1", "--team", "2", "--by", BOSS], "没有这个机构"),
        (["end", "1", "--by", BOSS], "没有这个机构"),
    ],
)
def test_what_is_wrong_is_one_line(
    home: tuple[str, str], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert said in refused(capsys, "institution", *arguments)
