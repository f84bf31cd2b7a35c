"""People of one ledger with the same name and birth date: whoever answers for the county is asked, once."""

from __future__ import annotations

from sqlmodel import col, select

from models import beneficiary_merging as merging
from models import ledger_alike, ledger_import, ledger_questions, ledger_undo
from models.beneficiary import MACHINE, Beneficiary
from models.database import Database
from models.ledger_batch import ALIKE, HERE, LedgerBatch, LedgerQuestion
from tests.chatting import Chat
from tests.ledger_files import id_number, name, people, person
from tests.people import specialist as specialist
from tests.test_beneficiary_merging import check
from tests.test_ledger_import import brought

LIKE = person(3, 姓名=name(1))


def asked(database: Database) -> list[LedgerQuestion]:
    """What is open about people who are alike."""
    with database.read() as session:
        found = ledger_questions.open_questions(session, MACHINE)
        return [one.question for one in found if one.question.reason == ALIKE]


def newest(database: Database) -> LedgerBatch:
    with database.read() as session:
        return session.exec(select(LedgerBatch).order_by(col(LedgerBatch.made_at).desc())).first()  # type: ignore[return-value]


def test_two_of_one_file_are_asked_about_once_and_never_after_an_answer(database: Database) -> None:
    brought(database, [*people(2), LIKE])
    [open_one] = asked(database)
    assert open_one.other_id and open_one.other_id != open_one.beneficiary_id
    brought(database, [*people(2), LIKE, person(5)])
    assert [one.id for one in asked(database)] == [open_one.id]
    with database.write() as session:
        assert ledger_questions.answer(session, open_one.id, HERE, MACHINE)
    brought(database, [*people(2), LIKE, person(5), person(6)])
    assert asked(database) == []


def test_whoever_was_called_by_that_name_in_a_row_that_was_looked_at_is_not_asked_about(database: Database) -> None:
    brought(database, people(2))
    batch = check(database, [person(1, 残疾人证号=id_number(3) + "42")], part=True)
    ledger_import.take(database, batch.id, by=MACHINE, doubtful=[2])
    assert asked(database) == []


def test_others_of_the_same_birth_date_or_name_are_not_asked_about(database: Database) -> None:
    brought(database, [*people(5), person(1003, 姓名=name(1))])
    assert asked(database) == []


def test_three_are_asked_about_beside_the_first_and_a_merge_ends_what_is_open_between_two(database: Database) -> None:
    brought(database, [person(1), LIKE, person(5, 姓名=name(1))])
    first, second = asked(database)
    assert first.other_id == second.other_id
    with database.write() as session:
        assert first.other_id is not None
        made = merging.ask(session, first.beneficiary_id, first.other_id, MACHINE)
        assert made.state == merging.MERGED
    assert first.id not in [one.id for one in asked(database)]
    with database.write() as session:
        merging.undo(session, made.id, MACHINE)
    assert first.id in [one.id for one in asked(database)]


def test_two_who_are_not_the_first_may_be_one(database: Database) -> None:
    three = [person(1), LIKE, person(5, 姓名=name(1))]
    brought(database, three)
    for one in asked(database):
        with database.write() as session:
            assert ledger_questions.answer(session, one.id, HERE, MACHINE)
    brought(database, [*three, person(7)])
    [left] = asked(database)
    with database.write() as session:
        assert ledger_questions.answer(session, left.id, HERE, MACHINE)
    brought(database, [*three, person(7), person(9)])
    assert asked(database) == []


def test_looking_again_after_a_crash_asks_nothing_twice(database: Database) -> None:
    brought(database, [person(1), LIKE])
    assert ledger_alike.ask_alike(database, newest(database)) == 0
    assert len(asked(database)) == 1


def test_taking_the_import_back_takes_its_questions_back(database: Database) -> None:
    brought(database, [person(1), LIKE])
    ledger_undo.undo(database, newest(database).id, by=MACHINE)
    assert asked(database) == []
    with database.read() as session:
        assert session.exec(select(Beneficiary)).all() == []


def test_they_are_told_apart_in_chat_without_their_numbers(database: Database, specialist: Chat) -> None:
    brought(database, [person(1), LIKE])
    specialist.say("台账")
    specialist.press(specialist.said.options[0].label)
    said = specialist.said.text
    assert "另一份：档案" in said and "证件号不同" in said
    assert id_number(1) not in said and id_number(3) not in said
    assert "记下了：不是同一个人" in specialist.press("不是同一个人")
    assert asked(database) == []
