"""`nuanyang alerts`: the numbers to call, and cries for help of people whose data was deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from bot.cli import run
from models.alert import take
from models.erasure import delete_person
from models.person import Person
from models.role import RoleGrant
from models.volunteer import Volunteer, set_phone
from tests.commanding import on_database, reads, register
from tests.commands.test_duty import cry
from tests.conftest import START


def test_the_numbers_of_those_who_cried_are_listed_only_when_asked_for_and_that_leaves_a_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001")
    key = cry(here, "1000000001")
    phone = "+8613800138000"
    with on_database(here) as database, database.write() as session:
        asker = session.exec(select(Volunteer)).one()
        set_phone(session, asker, phone)
        person = asker.person_id
    assert run(["alerts"]) == 0
    assert phone not in capsys.readouterr().out
    assert reads(here, "phone.read") == []
    assert run(["alerts", "--phones"]) == 0
    listed = capsys.readouterr().out
    assert listed.splitlines()[0].endswith("\t登记的电话")
    assert f"\n{key}\t" in listed
    assert listed.endswith(f"\t{phone}\n")
    assert reads(here, "phone.read") == [("machine", person)]


def test_who_had_their_data_deleted_is_listed_as_such_and_whoever_has_the_cry_closes_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(here, "1000000001", "1000000002")
    key = cry(here, "1000000001")
    with on_database(here) as database, database.write() as session:
        people = {row.number: row.person_id for row in session.exec(select(Volunteer))}
        specialist = people["1000000002"]
        held = RoleGrant(
            person_id=specialist,
            role="specialist",
            scope_kind="region",
            scope="440106",
            granted_by="machine",
            granted_at=START,
        )
        session.add(held)
        session.flush()
        take(session, key, specialist)
        delete_person(session, session.get_one(Person, people["1000000001"]))
    assert run(["alerts", "--phones"]) == 0
    assert "\t已删除资料的人\t-\t1000000002\t没有能通知的人\t-\n" in capsys.readouterr().out
    assert run(["alerts", "--close", key, "--by", "1000000002", "--note", "电话里说平安"]) == 0
