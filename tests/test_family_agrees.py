"""What a family agreed to, as a specialist writes it down in 待结对: who, how, looked at once before it stands."""

from __future__ import annotations

from datetime import date

import pytest
from sqlmodel import select

from models.beneficiary import Beneficiary
from models.database import Database
from models.family_consent import FamilyConsent
from tests.chatting import Chat
from tests.ledger_files import id_number, person
from tests.people import follow, grant
from tests.test_ledger_import import brought

GROWN = date(1980, 5, 6)


@pytest.fixture
def boss(database: Database) -> Chat:
    chat = Chat(database, "boss")
    follow(chat)
    grant(database, chat, "specialist", "440106")
    return chat


def told(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        return [(row.giver, row.way) for row in session.exec(select(FamilyConsent))]


def to_the_question(boss: Chat) -> None:
    boss.say("待结对", "1", "1")
    boss.press("记录家里的同意")


def grown_up(database: Database) -> None:
    brought(database, [person(2, 出生日期=GROWN.isoformat(), 残疾人证号=id_number(2, GROWN) + "42")])


def test_of_a_minor_nobody_but_the_guardian_is_offered_and_it_is_looked_at_before_it_stands(
    database: Database, boss: Chat
) -> None:
    brought(database, [person(1)])
    to_the_question(boss)
    assert "本人" not in " ".join(boss.labels())
    said = boss.press("书面")
    assert "监护人同意" in said and "书面" in said
    assert told(database) == []
    boss.press("改怎么同意的")
    boss.press("电话里说的")
    assert told(database) == []
    boss.press("记下")
    assert told(database) == [("guardian", "phone")]


def test_the_word_guardian_typed_meanwhile_opens_no_other_talk_and_records_nothing(
    database: Database, boss: Chat
) -> None:
    brought(database, [person(1)])
    to_the_question(boss)
    for _question in ("way", "summary"):
        assert "监护码" not in boss.say("监护人")
        assert told(database) == []
        boss.say("书面")


def test_of_somebody_grown_up_who_said_it_can_be_corrected(database: Database, boss: Chat) -> None:
    grown_up(database)
    to_the_question(boss)
    boss.say("本人", "当面")
    assert "本人同意" in boss.said.text
    boss.press("改谁同意的")
    assert "监护人同意" in boss.say("监护人")
    boss.press("记下")
    assert told(database) == [("guardian", "spoken")]


def test_whoever_turns_out_to_be_a_minor_meanwhile_is_looked_at_anew(database: Database, boss: Chat) -> None:
    grown_up(database)
    to_the_question(boss)
    boss.say("本人", "书面")
    with database.write() as session:
        somebody = session.exec(select(Beneficiary)).one()
        somebody.birth_date = date(2010, 1, 1)
        session.add(somebody)
    said = boss.press("记下")
    assert "未成年" in said and "请核对：监护人" in said
    assert told(database) == []
    boss.press("记下")
    assert told(database) == [("guardian", "paper")]
