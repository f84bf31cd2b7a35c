"""Tables of teams, specialists, institutions and stations on both databases; the rules of stations."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import select

from models import institution, roster_batch, station
from models.beneficiary import MACHINE
from models.database import Database
from models.institution import Contact, Institution, InstitutionError
from models.ledger_batch import NEW, SAME
from models.roster import Kind, read_roster
from models.roster_places import Institutions, Stations
from models.station import About, Station, StationError
from tests.sheets import text

HEADS = ("名称", "类别", "区县", "地址", "电话")
ROWS = [(f"样{number}", "其他", "天河区", f"某某路 {number} 号", "13800138000") for number in range(9)]


def outcomes(database: Database, kind: Kind[object], *, take: bool) -> Counter[str]:
    data = text([HEADS, *ROWS])
    batch = roster_batch.check(database, read_roster(data, "表", kind, here=None), data, region="", by=MACHINE)
    if take:
        batch = roster_batch.take(database, batch.id, by=MACHINE)
    return Counter({kind: count for kind, count in batch.counts.items() if count})


@pytest.mark.parametrize("kind", [Institutions, Stations])
def test_a_table_that_is_only_looked_at_leaves_nothing_and_taken_twice_it_stands_once(
    database: Database, kind: type[Kind[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster_batch, "SLICE", 4)
    table = Institution if kind is Institutions else Station
    assert outcomes(database, kind(), take=False) == {NEW: 9}
    with database.read() as session:
        assert session.exec(select(table)).all() == []
    assert outcomes(database, kind(), take=True) == {NEW: 9}
    assert outcomes(database, kind(), take=True) == {SAME: 9}
    with database.read() as session:
        assert len(session.exec(select(table)).all()) == 9


def test_two_who_import_the_same_stations_at_once_make_each_of_them_once(database: Database) -> None:
    with ThreadPoolExecutor(2) as both:
        for one in [both.submit(outcomes, database, Stations(), take=True) for _ in range(2)]:
            one.result()
    with database.read() as session:
        assert len(session.exec(select(Station)).all()) == 9


def test_a_number_that_was_given_before_is_not_given_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["1000000001", "1000000001", "1000000002"] * 2)
    monkeypatch.setattr(station, "new_number", lambda: next(drawn))
    monkeypatch.setattr(institution, "new_number", lambda: next(drawn))
    with database.write() as session:
        stations = [station.create(session, MACHINE, name, "post", "440106").number for name in ("甲站", "乙站")]
        houses = [institution.create(session, MACHINE, name, "care", "440106").number for name in ("甲", "乙")]
    assert stations == houses == ["1000000001", "1000000002"]


@pytest.mark.parametrize(
    ("name", "kind", "county", "about", "why"),
    [
        (" ", "post", "440106", About(), "name"),
        ("站" * 61, "post", "440106", About(), "name"),
        ("站", "palace", "440106", About(), "kind"),
        ("站", "post", "44", About(), "county"),
        ("站", "post", "440106", About(address="路" * 201), "text"),
        ("站", "post", "440106", About(capacity=0), "capacity"),
        ("甲站", "post", "440106", About(), "taken"),
    ],
)
def test_a_station_that_the_rules_do_not_allow(
    database: Database, name: str, kind: str, county: str, about: About, why: str
) -> None:
    with database.write() as session:
        station.create(session, MACHINE, "甲站", "post", "440106")
        with pytest.raises(StationError) as caught:
            station.create(session, MACHINE, name, kind, county, about)
        assert caught.value.reason == why
        with pytest.raises(StationError) as caught:
            station.create(session, "somebody", "丙站", "post", "440106")
        assert caught.value.reason == "scope"


def test_a_station_that_ended_makes_room_for_another_of_its_name(database: Database) -> None:
    with database.write() as session:
        first = station.create(session, MACHINE, "甲站", "post", "440106", About(capacity=5))
        assert station.describe(session, MACHINE, first.id, About(capacity=5)) == []
        assert station.describe(session, MACHINE, first.id, About(town="五山街道", capacity=6)) == ["town", "capacity"]
        station.end(session, MACHINE, first.id)
        with pytest.raises(StationError):
            station.end(session, MACHINE, first.id)
        second = station.create(session, MACHINE, "甲站", "base", "440106")
        assert [one.id for one in station.standing(session, "44")] == [second.id]


def test_a_contact_is_changed_in_the_parts_that_are_said(database: Database) -> None:
    with database.write() as session:
        row = institution.create(session, MACHINE, "甲", "care", "440106")
        assert institution.set_contact(session, MACHINE, row.id, Contact()) == [] and row.contact_sealed is None
        assert institution.set_contact(session, MACHINE, row.id, Contact("某路", "某人", None)) == ["address", "person"]
        assert institution.set_contact(session, MACHINE, row.id, Contact("某路", "别人", None)) == ["person"]
        with pytest.raises(InstitutionError) as caught:
            institution.set_contact(session, "somebody", row.id, Contact("别处"))
        assert caught.value.reason == "scope"
