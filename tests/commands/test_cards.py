"""`nuanyang cards` and `nuanyang activity …`: what is printed, and who may."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from bot import paper
from bot.cli import run
from models import station
from models.activity import Activity
from models.beneficiary import MACHINE, Beneficiary, as_columns, record_of
from models.database import now_of, vault_of
from models.door_card import DoorCard
from models.family_consent import VISITS
from models.pairing import Stint
from models.volunteer import by_number
from tests import standing
from tests.commanding import on_database, register
from tests.ledger_files import people
from tests.pairings import somebody
from tests.test_ledger_import import brought

ALIN, FAR = "1000000003", "1000000009"


@pytest.fixture
def paired(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three people of 广州天河, two of them served; the first family agreed to visits."""
    monkeypatch.setenv("NUANYANG_PUBLIC_URL", "https://nuanyang.example")
    register(here, ALIN, FAR)
    with on_database(here) as database:
        brought(database, people(3))
        with database.write() as session:
            volunteer = by_number(session, ALIN)
            assert volunteer is not None
            vault = vault_of(session)
            for number in (0, 1):
                served = somebody(session, number)
                record = replace(record_of(vault, served), called="陈姐")
                served.record_sealed = as_columns(vault, served.id, record)["record_sealed"]
                session.add(served)
                standing.stint(session, served.id, volunteer.person_id)
            agreed = standing.consent(session, somebody(session, 0).id, volunteer.person_id)
            agreed.kind = VISITS
            session.add(agreed)
    return here


def cards_of(folder: Path) -> list[DoorCard]:
    with on_database(folder) as database, database.read() as session:
        return list(session.exec(select(DoorCard).order_by(DoorCard.made_at)))  # type: ignore[arg-type]


def test_a_sheet_of_door_cards_is_a_pdf_and_who_has_one_gets_no_other_unasked(
    paired: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["cards", "--region", "440106", "--out", "cards.pdf"]) == 0
    told = capsys.readouterr()
    assert "连心卡 2 张" in told.err and "cards.pdf" in told.out
    assert (paired / "cards.pdf").read_bytes().startswith(b"%PDF-")
    assert len(cards_of(paired)) == 2
    assert run(["cards", "--region", "440106", "--out", "more.pdf"]) == 1
    assert "或者都有卡了" in capsys.readouterr().err and not (paired / "more.pdf").exists()
    assert run(["cards", "--region", "440106", "--out", "cards.pdf", "--again"]) == 1
    assert "已经在那里" in capsys.readouterr().err
    assert run(["cards", "--region", "4401", "--out", "again.png", "--again"]) == 0
    assert "其中 2 家原来的卡从现在起不能用了" in capsys.readouterr().err
    assert (paired / "again.png").read_bytes().startswith(b"\x89PNG")
    assert sum(card.ended_at is None for card in cards_of(paired)) == 2


def test_a_card_says_nothing_of_whose_it_is_but_a_form_of_address_where_the_family_agreed(
    paired: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[paper.Card] = []

    def keep(made: list[paper.Card], form: str) -> bytes:
        seen.extend(made)
        return b"%PDF-"

    monkeypatch.setattr(paper, "cards", keep)
    assert run(["cards", "--region", "440106", "--out", "cards.pdf"]) == 0
    assert sorted(card.form for card in seen) == ["", "陈姐"]
    with on_database(paired) as database, database.read() as session:
        served = {one.id for one in session.exec(select(Beneficiary))}
    for card in seen:
        assert card.link.startswith("https://nuanyang.example/q/d_")
        assert not any(one in card.link or one[-8:].upper() == card.serial for one in served)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "x.pdf"], "写其中一个"),
        (["--region", "440106", "--station", "1", "--out", "x.pdf"], "写其中一个"),
        (["--region", "999999", "--out", "x.pdf"], "没有代码"),
        (["--region", "440106", "--team", "none", "--out", "x.pdf"], "没有这个团队"),
        (["--region", "440106", "--out", "x.docx"], ".pdf"),
        (["--region", "440106", "--by", FAR, "--out", "x.pdf"], "不归 --by"),
        (["--station", "0000000000", "--out", "x.pdf"], "没有这个阵地"),
        (["--activity", "0000000000", "--out", "x.pdf"], "没有这个活动"),
        (["--region", "440106", "--out", "none/x.pdf"], "写不进去"),
    ],
)
def test_what_cannot_be_printed_says_why_in_one_line(
    paired: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(["cards", *arguments]) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert said in told[-1]
    assert cards_of(paired) == [], "nothing was made"


def test_without_a_chinese_font_or_an_address_it_says_what_to_do(
    paired: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NUANYANG_PUBLIC_URL")
    assert run(["cards", "--region", "440106", "--out", "x.pdf"]) == 1
    assert "NUANYANG_PUBLIC_URL" in capsys.readouterr().err
    monkeypatch.setattr(paper, "FONTS", ("No Such Font",))
    assert run(["cards", "--region", "440106", "--out", "x.pdf"]) == 1
    assert "fonts-noto-cjk" in capsys.readouterr().err
    with pytest.raises(paper.PaperError):
        paper.poster("五山V站", "https://nuanyang.example/q/s_1", [])


def test_only_people_who_are_served_get_a_card(paired: Path) -> None:
    with on_database(paired) as database, database.write() as session:
        for stint in session.exec(select(Stint)):
            stint.state, stint.ended_at, stint.ended_why = "ended", now_of(session), "term"
            session.add(stint)
    assert run(["cards", "--region", "440106", "--out", "x.pdf"]) == 1


def test_posters_of_a_station_and_of_an_activity(paired: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with on_database(paired) as database, database.write() as session:
        number = station.create(session, MACHINE, "五山V站", "v_station", "440106").number
        today = now_of(session)
    assert run(["cards", "--station", number, "--out", "station.pdf"]) == 0
    start, end = (f"{today + timedelta(days=1, hours=hours):%Y-%m-%dT%H:%M}" for hours in (0, 2))
    times = ["--start", start, "--end", end]
    usual = ["--county", "440106", "--leader", ALIN, "--content", "study"]
    assert run(["activity", "new", "周末读书会", *times, *usual, "--places", "20"]) == 0
    with on_database(paired) as database, database.read() as session:
        event = session.exec(select(Activity)).one()
    assert (event.places, event.content, event.made_by) == (20, "study", MACHINE)
    assert run(["cards", "--activity", event.number, "--out", "activity.png"]) == 0
    capsys.readouterr()
    assert run(["activity", "list", "--region", "44"]) == 0
    assert "周末读书会" in capsys.readouterr().out
    assert run(["activity", "cancel", event.number]) == 0
    assert run(["activity", "cancel", event.number]) == 1
    assert run(["activity", "list"]) == 0
    assert "没有还没结束的活动" in capsys.readouterr().out
    for wrong in (
        ["--start", "明天", "--end", end, *usual],
        ["--start", end, "--end", start, *usual],
        [*times, "--county", "44", "--leader", ALIN, "--content", "study"],
        [*times, "--county", "440106", "--leader", ALIN, "--content", "none"],
        [*times, *usual, "--team", "none"],
        [*times, *usual, "--station", "none"],
        [*times, *usual, "--by", FAR],
    ):
        assert run(["activity", "new", "周末读书会", *wrong]) == 1, wrong


def test_words_from_outside_are_words_on_paper() -> None:
    """Nothing that stands in a name is taken for typst's own language."""
    name = '#panic("x") $x$ *a* \\ [b] <c> @d "e"'
    assert paper.poster(name, "https://nuanyang.example/q/s_1234567890", [name], form="png").startswith(b"\x89PNG")
