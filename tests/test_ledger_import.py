"""Ledgers are checked, taken and taken back, on both databases."""

from __future__ import annotations

import io
import threading
import time
from datetime import date, timedelta

import pytest
from sqlmodel import func, select

from config.catalogue import rules
from models import ledger_check, ledger_import
from models.audit import AuditEntry
from models.beneficiary import MACHINE, Beneficiary, BeneficiaryError, by_id_number, dossier_of
from models.database import Database
from models.ledger_batch import LedgerBatch, LedgerBatchRow, LedgerQuestion
from models.ledger_cells import read_ledger
from models.ledger_import import BatchError, take
from models.ledger_questions import answer, open_questions
from models.ledger_undo import refused, undo
from models.outbox import REMINDER, OutboxMessage, enqueue
from models.person import open_door
from models.role import RoleGrant
from models.sealed import BlindIndex
from scheduler.jobs import forget_imports
from tests.conftest import StoppedClock
from tests.ledger_files import as_csv, id_number, people, person

COUNTY, OTHER = "440106", "440105"
TODAY = date(2026, 11, 22)


def check(database: Database, rows: list[dict[str, str]], region: str = COUNTY, *, part: bool = False) -> LedgerBatch:
    data = as_csv(rows)
    county = region if len(region) == 6 else None
    ledger = read_ledger(data, "台账.csv", county=county, today=TODAY)
    return ledger_check.check(database, ledger, data, region=region, by=MACHINE, part=part)


def brought(database: Database, rows: list[dict[str, str]], region: str = COUNTY, *, part: bool = False) -> LedgerBatch:
    return take(database, check(database, rows, region, part=part).id, by=MACHINE, many_gone=True)


def told(database: Database, number: int, county: str = COUNTY) -> Beneficiary:
    with database.read() as session:
        [found] = by_id_number(session, id_number(number), county)
        return found


def count(database: Database, table: type) -> int:
    with database.read() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_a_check_shows_what_a_file_would_do_and_changes_nothing(database: Database) -> None:
    brought(database, people(4))
    rows = [person(0), person(1, 需求="法律援助"), person(7), person(8, 残疾人证号="4.40106E+17")]
    batch = check(database, rows)
    assert batch.counts == {"same": 1, "changed": 1, "new": 1, "refused": 1, "problems": 0, "gone": 2}
    assert count(database, Beneficiary) == 4
    assert told(database, 1).needs == ["study", "rehabilitation"]


def test_what_was_checked_is_taken_and_a_second_time_changes_nothing(database: Database, clock: StoppedClock) -> None:
    batch = check(database, people(3))
    taken = take(database, batch.id, by=MACHINE)
    assert (taken.state, taken.counts["new"], taken.taken_at) == ("taken", 3, clock.now())
    assert take(database, batch.id, by=MACHINE).counts == taken.counts
    assert count(database, Beneficiary) == 3
    again = check(database, people(3))
    assert (again.counts["same"], again.counts["gone"]) == (3, 0)
    assert take(database, again.id, by=MACHINE).counts["same"] == 3
    assert count(database, Beneficiary) == count(database, BlindIndex) == 3


def test_nothing_of_a_person_stands_openly_in_the_database_but_what_sets_need(database: Database) -> None:
    brought(database, [person(5, 家庭住址="某某路五号")])
    with database.read() as session:
        for table in (Beneficiary, LedgerBatchRow, LedgerBatch, BlindIndex):
            for row in session.exec(select(table)):
                said = repr(row.model_dump())
                for secret in ("测", id_number(5), "13800000005", "某某路", "13900000000"):
                    assert secret not in said


def test_a_dossier_is_read_by_whoever_answers_for_the_county_and_a_minors_is_logged(database: Database) -> None:
    brought(database, [person(1), person(2, 出生日期="1980-05-06", 残疾人证号=id_number(2, date(1980, 5, 6)) + "42")])
    with database.write() as session:
        _door, near = open_door(session, "wechat", "test", "near", "zh_CN", zone="Asia/Shanghai")
        _door, far = open_door(session, "wechat", "test", "far", "zh_CN", zone="Asia/Shanghai")
        for viewer, scope in ((near, COUNTY), (far, OTHER)):
            grant = {"person_id": viewer.id, "role": "specialist", "scope_kind": "region", "scope": scope}
            session.add(RoleGrant(**grant, granted_by=MACHINE, granted_at=database.clock.now()))
        session.flush()
        [child] = by_id_number(session, id_number(1))
        [adult] = by_id_number(session, id_number(2, date(1980, 5, 6)))
        record = dossier_of(session, child, near.id, why="test")
        assert (record.id_number, record.kind, record.grade, record.phone) == (id_number(1), 4, 2, "+8613800000001")
        dossier_of(session, adult, near.id, why="test")
        with pytest.raises(BeneficiaryError, match="scope"):
            dossier_of(session, child, far.id, why="test")
        looked = session.exec(select(AuditEntry).where(AuditEntry.action == "beneficiary.read")).all()
        assert [(entry.actor, entry.subject) for entry in looked] == [(near.id, child.id)]


def test_an_empty_cell_takes_nothing_away_and_a_bad_one_leaves_what_stood_there(database: Database) -> None:
    brought(database, [person(1)])
    batch = brought(database, [person(1, 家庭住址="", 联系电话="123", 需求="法律援助")])
    assert (batch.counts["changed"], batch.counts["problems"]) == (1, 1)
    with database.write() as session:
        [row] = by_id_number(session, id_number(1))
        record = dossier_of(session, row, MACHINE, why="test")
    assert (record.address, record.phone, record.needs) == ("某某路1号", "+8613800000001", ("legal",))


def test_whoever_is_missing_stays_and_somebody_is_asked_once(database: Database, clock: StoppedClock) -> None:
    brought(database, people(3))
    assert brought(database, people(1)).counts["gone"] == 2
    clock.pass_time(timedelta(days=1))
    assert brought(database, people(1)).counts["gone"] == 2
    with database.read() as session:
        asked = open_questions(session, MACHINE)
        assert {one.question.reason for one in asked} == {"absent"} and len(asked) == 2
        assert {one.beneficiary.status for one in asked} == {"listed"}
    brought(database, people(2), part=True)  # one of them stands there again
    with database.read() as session:
        assert len(open_questions(session, MACHINE)) == 1


def test_the_answer_is_what_the_ledger_says_then_and_only_once(database: Database) -> None:
    brought(database, people(2))
    brought(database, people(1))
    with database.write() as session:
        [asked] = open_questions(session, MACHINE)
        with pytest.raises(BeneficiaryError):
            answer(session, asked.question.id, "died", "somebody")
        assert answer(session, asked.question.id, "moved", MACHINE)
        assert not answer(session, asked.question.id, "died", MACHINE)
    assert told(database, 1).status == "moved"
    assert brought(database, people(1)).counts["gone"] == 0


def test_so_many_missing_that_it_may_be_a_part_must_be_said_to_be_meant(database: Database) -> None:
    brought(database, people(30))
    batch = check(database, people(5))
    with pytest.raises(BatchError, match="many_gone"):
        take(database, batch.id, by=MACHINE)
    assert take(database, batch.id, by=MACHINE, many_gone=True).counts["gone"] == 25
    part = check(database, people(5), part=True)
    assert take(database, part.id, by=MACHINE).counts["gone"] == 0


def test_a_death_ends_every_message_to_the_person_at_once(database: Database) -> None:
    brought(database, [person(1)])
    with database.write() as session:
        _door, own = open_door(session, "wechat", "test", "own", "zh_CN", zone="Asia/Shanghai")
        [row] = by_id_number(session, id_number(1))
        row.person_id = own.id
        session.add(row)
        enqueue(session, own.id, "reply", {"text": "x"}, unique_key="x", priority=REMINDER)
    brought(database, people(0))
    with database.write() as session:
        [asked] = open_questions(session, MACHINE)
        answer(session, asked.question.id, "died", MACHINE)
    with database.read() as session:
        assert session.exec(select(OutboxMessage.state)).all() == ["withdrawn"]
    back = brought(database, [person(1)])
    assert (back.counts["doubtful"], told(database, 1).status) == (1, "died")


def test_who_may_be_somebody_already_there_is_doubtful_and_taken_by_row_only(database: Database) -> None:
    brought(database, [person(1)])
    like = person(1, 残疾人证号=id_number(3) + "42")
    batch = check(database, [like, person(4)])
    assert (batch.counts["doubtful"], batch.counts["new"], batch.counts["gone"]) == (1, 1, 0)
    with database.read() as session:
        [problem] = ledger_check.problems_of(session, batch)
        assert (problem.number, problem.problems[-1].reason, problem.cells[0]) == (2, "alike", like["姓名"])
    assert take(database, batch.id, by=MACHINE).counts["doubtful"] == 1
    assert count(database, Beneficiary) == 2
    with pytest.raises(BatchError, match="too_late"):
        take(database, batch.id, by=MACHINE, doubtful=[2])
    again = check(database, [like, person(4)])
    with pytest.raises(BatchError, match="not_doubtful"):
        take(database, again.id, by=MACHINE, doubtful=[3])
    assert take(database, again.id, by=MACHINE, doubtful=[2]).counts["new"] == 1
    assert count(database, Beneficiary) == 3


def test_the_same_number_in_another_countys_ledger_is_taken_and_asked_about(database: Database) -> None:
    brought(database, [person(1)])
    brought(database, [person(1)], OTHER)
    with database.read() as session:
        [asked] = open_questions(session, MACHINE)
        assert (asked.question.reason, asked.beneficiary.county) == ("elsewhere", OTHER)
        assert asked.other is not None and asked.other.county == COUNTY
    with database.write() as session:  # the old county says that the person has moved away
        row = session.get_one(Beneficiary, asked.other.id)
        assert row.county == COUNTY
    brought(database, [person(1)])
    assert count(database, Beneficiary) == 2


def test_taking_back_leaves_the_ledger_as_it_was(database: Database) -> None:
    brought(database, people(3))
    before = [told(database, number).model_dump(exclude={"record_sealed", "id_number_sealed"}) for number in range(3)]
    batch = brought(database, [person(0), person(1, 需求="法律援助"), person(9)])
    assert count(database, LedgerQuestion) == 1
    undone = undo(database, batch.id, by=MACHINE)
    assert undone.state == "undone"
    after = [told(database, number).model_dump(exclude={"record_sealed", "id_number_sealed"}) for number in range(3)]
    assert after == before
    assert (count(database, Beneficiary), count(database, BlindIndex), count(database, LedgerQuestion)) == (3, 3, 0)
    assert undo(database, batch.id, by=MACHINE).state == "undone"
    with pytest.raises(BatchError, match="state"):
        take(database, batch.id, by=MACHINE)
    assert brought(database, [person(0), person(9)]).counts["new"] == 1


def test_what_happened_to_a_row_since_is_kept_and_named(database: Database) -> None:
    batch = brought(database, people(3))
    brought(database, [person(0), person(1, 需求="法律援助")])  # one changed, one missing
    with database.write() as session:
        [asked] = open_questions(session, MACHINE)
        answer(session, asked.question.id, "listed", MACHINE)
    undo(database, batch.id, by=MACHINE)
    with database.read() as session:
        assert refused(session, batch.id) == [2, 3, 4]
    assert (told(database, 1).needs, told(database, 2).status) == (["legal"], "listed")
    assert count(database, Beneficiary) == 3


@pytest.mark.parametrize("slices", [0, 1, 2])
def test_a_crash_in_the_middle_goes_on_where_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch, slices: int
) -> None:
    for module in (ledger_check, ledger_import):
        monkeypatch.setattr(module, "SLICE", 4)
    brought(database, people(2, first=100))
    batch = check(database, people(10))

    def crash(done: int, _total: int) -> None:
        if done >= slices * 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(database, batch.id, by=MACHINE, told=crash)
    other = check(database, people(2, first=200))
    with pytest.raises(BatchError, match="busy"):
        take(database, other.id, by=MACHINE)
    assert take(database, batch.id, by=MACHINE).counts == {"new": 10, "gone": 2, "problems": 0}
    assert count(database, Beneficiary) == 12
    with database.read() as session:
        assert len(open_questions(session, MACHINE)) == 2


def test_a_row_of_another_county_is_refused_with_its_reason(database: Database) -> None:
    data = (
        as_csv(people(1)).replace("姓名,".encode(), "区县,姓名,".encode()).replace("测".encode(), "海珠区,测".encode())
    )
    ledger = read_ledger(data, "台账.csv", county=COUNTY, today=TODAY)
    batch = ledger_check.check(database, ledger, data, region=COUNTY, by=MACHINE, part=False)
    assert batch.counts["refused"] == 1
    with database.read() as session:
        [row] = ledger_check.problems_of(session, batch)
    assert row.problems[-1].stops and row.cells[1].startswith("测")
    assert io.BytesIO(data).read()  # the file itself is untouched


def test_what_the_rows_of_an_old_import_said_is_forgotten(database: Database, clock: StoppedClock) -> None:
    waiting, batch = check(database, people(2, first=5)), brought(database, people(3))
    assert forget_imports(database) == 0
    clock.pass_time(timedelta(days=rules().ledger.undo_days, seconds=1))
    assert forget_imports(database) == 5
    assert forget_imports(database) == 0
    with database.read() as session:
        assert all(row.row_sealed is None for row in session.exec(select(LedgerBatchRow)))
        assert list(ledger_check.problems_of(session, batch)) == []
    with pytest.raises(BatchError, match="old"):
        undo(database, batch.id, by=MACHINE)
    with pytest.raises(BatchError, match="old"):
        take(database, waiting.id, by=MACHINE)
    assert brought(database, people(3)).counts["same"] == 3


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sqlite_finds_a_number_by_its_digest_and_a_row_by_its_id(database: Database) -> None:
    """Without statistics it is led astray by a kind that is named as well, and reads all numbers of that kind."""
    with database.read() as session:
        for words in ("SELECT row_id FROM blind_index WHERE digest IN (x'00', x'01')",):
            plan = " ".join(row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {words}"))
            assert "ix_blind_index_digest" in plan
        gone = "DELETE FROM blind_index WHERE kind = 'a' AND row_id IN ('x', 'y') AND scope = 'b'"
        plan = " ".join(row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {gone}"))
        assert "row_id=?" in plan


def test_taking_an_older_import_back_leaves_whom_a_newer_one_names(database: Database) -> None:
    first = brought(database, people(3))
    second = brought(database, people(2))
    undo(database, first.id, by=MACHINE)
    with database.read() as session:
        assert refused(session, first.id) == [2, 3]
    assert count(database, Beneficiary) == 2
    undo(database, second.id, by=MACHINE)
    assert undo(database, brought(database, people(1, first=7)).id, by=MACHINE).state == "undone"


def test_taking_a_mistaken_import_back_asks_again_about_whoever_it_named(database: Database) -> None:
    brought(database, people(3))
    brought(database, people(2))
    mistake = brought(database, people(3))
    with database.read() as session:
        assert open_questions(session, MACHINE) == []
    undo(database, mistake.id, by=MACHINE)
    with database.read() as session:
        assert len(open_questions(session, MACHINE)) == 1


def test_an_older_file_is_not_taken_over_a_newer_one(database: Database, clock: StoppedClock) -> None:
    older = check(database, people(5))
    clock.pass_time(timedelta(minutes=1))
    brought(database, people(40))
    with pytest.raises(BatchError, match="overtaken"):
        take(database, older.id, by=MACHINE)
    assert take(database, check(database, people(5), OTHER).id, by=MACHINE).counts["new"] == 5


def test_a_ledger_that_names_somebody_who_had_moved_is_doubtful(database: Database) -> None:
    brought(database, people(2))
    brought(database, people(1))
    with database.write() as session:
        [asked] = open_questions(session, MACHINE)
        answer(session, asked.question.id, "moved", MACHINE)
    batch = check(database, people(2))
    assert (batch.counts["doubtful"], batch.counts["same"]) == (1, 1)
    assert take(database, batch.id, by=MACHINE, doubtful=[3]).counts["changed"] == 1
    assert told(database, 1).status == "listed"
    undo(database, batch.id, by=MACHINE)
    assert told(database, 1).status == "moved"


def test_what_belongs_together_changes_together(database: Database) -> None:
    brought(database, [person(1, 需求="想学画画、支教助学")])
    brought(database, [person(1, 监护人="某甲", 监护人电话="", 需求="法律援助", 乡镇街道="石牌街道", 家庭住址="")])
    with database.write() as session:
        [row] = by_id_number(session, id_number(1))
        record = dossier_of(session, row, MACHINE, why="test")
    assert (record.guardian_name, record.guardian_phone) == ("某甲", None)
    assert (record.needs, record.need_words) == (("legal",), None)
    assert (record.town, record.address) == ("石牌街道", None)


def test_whoever_stands_in_a_refused_row_is_not_missing(database: Database) -> None:
    brought(database, people(2))
    batch = brought(database, [person(0), person(1, 性别="女")])
    assert (batch.counts["refused"], batch.counts["gone"]) == (1, 0)
    with database.read() as session:
        assert open_questions(session, MACHINE) == []


def test_of_a_death_the_other_county_is_asked_at_once(database: Database) -> None:
    brought(database, [person(1)])
    brought(database, [person(1)], OTHER)
    with database.write() as session:
        [asked] = open_questions(session, MACHINE)
        answer(session, asked.question.id, "died", MACHINE)
    with database.read() as session:
        [other] = open_questions(session, MACHINE)
        assert (other.beneficiary.county, other.question.reason) == (COUNTY, "elsewhere")


def test_rows_that_are_being_forgotten_hold_no_import_up(
    database: Database, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = check(database, people(10))
    clock.pass_time(timedelta(days=rules().ledger.undo_days, seconds=1))
    with database.write() as session:
        assert ledger_import.forget_rows(session, timedelta(days=rules().ledger.undo_days), 4) == 4
    with pytest.raises(BatchError, match="old"):
        take(database, batch.id, by=MACHINE)
    assert forget_imports(database) == 6
    assert brought(database, people(10)).counts["new"] == 10


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_answer_that_is_being_written_is_not_overwritten_by_an_import(database: Database) -> None:
    brought(database, people(2))
    brought(database, people(1))
    batch = check(database, people(2))
    taking = threading.Thread(target=take, args=(database, batch.id), kwargs={"by": MACHINE})
    with database.write() as session:
        [asked] = open_questions(session, MACHINE)
        assert answer(session, asked.question.id, "died", MACHINE)
        taking.start()
        time.sleep(0.5)  # it waits for the person, or has read the old one
    taking.join(20)
    assert told(database, 1).status == "died"
