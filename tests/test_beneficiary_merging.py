"""Two rows of the ledgers become one person, and two again, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, SQLModel, select

from models import beneficiary_merging as merging
from models import family_doors, ledger_import
from models.audit import AuditEntry
from models.beneficiary import MACHINE, Beneficiary, by_id_number
from models.beneficiary_merging import BeneficiaryMerge, MergeError
from models.database import Database, now_of
from models.family import FamilyConsent, FamilyDoor
from models.family_consent import agreed
from models.ledger_batch import LedgerQuestion
from models.ledger_undo import refused, undo
from models.offer import Offer
from models.pairing import Keeping, Stint
from models.person import open_door
from models.proposal import MatchingRun, Proposal
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.ledger_files import id_number, name, person
from tests.people import follow, grant
from tests.test_ledger_import import COUNTY, OTHER, brought, check

TABLES = (
    "beneficiary",
    "stint",
    "keeping",
    "offer",
    "family_consent",
    "family_door",
    "proposal",
    "ledger_question",
    "blind_index",
)


@pytest.fixture
def twice(database: Database, clock: StoppedClock) -> None:
    """One person in two counties' ledgers; the second one is the newer."""
    brought(database, [person(1)])
    clock.pass_time(timedelta(days=1))
    brought(database, [person(1)], OTHER)
    clock.pass_time(timedelta(days=1))


def rows(session: Session) -> tuple[Beneficiary, Beneficiary]:
    """(of the newer ledger, of the older)."""
    found = session.exec(select(Beneficiary).order_by(Beneficiary.listed_at)).all()  # type: ignore[arg-type]
    return found[1], found[0]


def standing(database: Database) -> dict[str, list[Any]]:
    with database.read() as session:
        return {
            table: sorted(map(repr, session.execute(SQLModel.metadata.tables[table].select()).all()))
            for table in TABLES
        }


def someone(session: Session, sender: str) -> str:
    return open_door(session, "wechat", "test", sender, "zh_CN", zone="Asia/Shanghai")[1].id


def stint(session: Session, of: str, who: str, part: str = "lead", state: str = "open", **more: Any) -> Stint:
    made = Stint(
        beneficiary_id=of,
        person_id=who,
        part=part,
        state=state,
        activities=4,
        relay_months=12,
        made_by=MACHINE,
        made_at=now_of(session),
        ended_at=now_of(session) if state == "ended" else None,
        **more,
    )
    session.add(made)
    session.flush()
    return made


def offer(session: Session, of: str, who: str, state: str = "waiting") -> Offer:
    now = now_of(session)
    made = Offer(
        beneficiary_id=of,
        person_id=who,
        state=state,
        made_by=MACHINE,
        made_at=now,
        holds_until=now + timedelta(hours=48),
    )
    session.add(made)
    session.flush()
    return made


def consent(session: Session, of: str, who: str, kind: str) -> None:
    said = {"version": "1", "giver": "guardian", "way": "paper"}
    session.add(FamilyConsent(beneficiary_id=of, kind=kind, recorded_by=who, given_at=now_of(session), **said))


def family_door(session: Session, of: str, who: str | None, holder: str = "self") -> FamilyDoor:
    now = now_of(session)
    made = FamilyDoor(
        beneficiary_id=of,
        holder=holder,
        person_id=who,
        issued_by=MACHINE,
        issued_at=now,
        expires_at=now + timedelta(days=7),
        bound_at=now if who else None,
    )
    session.add(made)
    session.flush()
    return made


def merged(database: Database) -> str:
    with database.write() as session:
        kept, gone = rows(session)
        return merging.ask(session, gone.id, kept.id, MACHINE).id


def test_the_newer_countys_row_counts_and_takes_over_what_is_open(database: Database, twice: None) -> None:
    with database.write() as session:
        kept, gone = rows(session)
        who, other = someone(session, "a"), someone(session, "b")
        stint(session, gone.id, who)
        stint(session, gone.id, other, state="ended", ended_why="term")
        offer(session, gone.id, who)
        offer(session, gone.id, other)
        offer(session, kept.id, other)
        consent(session, gone.id, who, "pairing")
        consent(session, gone.id, who, "visits")
        consent(session, kept.id, who, "visits")
        session.add(Keeping(beneficiary_id=kept.id, person_id=who, why="term", since=now_of(session)))
        gone.person_id = someone(session, "own")
        session.add(gone)
    merged(database)
    with database.read() as session:
        kept, gone = rows(session)
        assert (gone.merged_into, kept.merged_into, kept.person_id) == (kept.id, None, gone.person_id)
        stints = {one.state: one.beneficiary_id for one in session.exec(select(Stint))}
        assert stints == {"open": kept.id, "ended": gone.id}
        offers = sorted((one.beneficiary_id == kept.id, one.state) for one in session.exec(select(Offer)))
        assert offers == [(False, "withdrawn"), (True, "waiting"), (True, "waiting")]
        consents = sorted((one.kind, one.beneficiary_id == kept.id) for one in session.exec(select(FamilyConsent)))
        assert consents == [("pairing", True), ("visits", False), ("visits", True)]
        assert session.exec(select(Keeping.until)).one() is not None, "who is served needs no keeper"
        assert session.exec(select(LedgerQuestion.closed_at)).one() is not None
        assert [row.id for row in by_id_number(session, id_number(1))] == [kept.id]


def test_two_who_are_both_served_stay_two_until_the_specialist_ends_one(database: Database, twice: None) -> None:
    with database.write() as session:
        kept, gone = rows(session)
        stint(session, kept.id, someone(session, "a"))
        one = stint(session, gone.id, someone(session, "b"), state="agreeing")
    before = standing(database)
    with pytest.raises(MergeError, match="both_lead"):
        merged(database)
    assert standing(database) == before
    with database.write() as session:
        ending = session.get_one(Stint, one.id)
        ending.state, ending.ended_at, ending.ended_why = "ended", now_of(session), "specialist"
        session.add(ending)
    assert merged(database)


@pytest.mark.parametrize(("old", "new", "why"), [("died", "listed", "died"), ("moved", "cancelled", "not_listed")])
def test_what_the_ledgers_say_must_fit(database: Database, twice: None, old: str, new: str, why: str) -> None:
    with database.write() as session:
        kept, gone = rows(session)
        kept.status, gone.status = new, old
        session.add_all([kept, gone])
    with pytest.raises(MergeError, match=why):
        merged(database)


def test_a_merge_is_made_once_and_taken_back_once(database: Database, twice: None) -> None:
    before = standing(database)
    made = merged(database)
    with database.write() as session:
        kept, gone = rows(session)
        for pair, why in (((kept.id, gone.id), "merged"), ((kept.id, kept.id), "same"), ((kept.id, "x"), "unknown")):
            with pytest.raises(MergeError, match=why):
                merging.ask(session, *pair, MACHINE)
        assert merging.undo(session, made, MACHINE).state == "undone"
        with pytest.raises(MergeError, match="state"):
            merging.undo(session, made, MACHINE)
    assert standing(database) == before
    assert merged(database) != made


def test_later_history_forbids_taking_back_and_is_named(database: Database, twice: None) -> None:
    with database.write() as session:
        _kept, gone = rows(session)
        first = stint(session, gone.id, someone(session, "a"))
        asked = offer(session, gone.id, someone(session, "b"))
    made = merged(database)
    with database.write() as session:
        kept, _gone = rows(session)
        at = now_of(session) + timedelta(seconds=1)
        later = stint(session, kept.id, someone(session, "c"), "substitute", follows_id=first.id)
        later.made_at = at
        row = session.get_one(Offer, asked.id)
        row.beneficiary_id = kept.id
        session.add_all([later, row])
    before = standing(database)
    with database.write() as session, pytest.raises(MergeError) as caught:
        merging.undo(session, made, MACHINE)
    assert (caught.value.reason, caught.value.what) == ("later", ("stint",))
    assert standing(database) == before


def test_a_yes_that_was_taken_back_meanwhile_stays_taken_back(database: Database, twice: None) -> None:
    with database.write() as session:
        kept, gone = rows(session)
        who = someone(session, "a")
        consent(session, kept.id, who, "visits")
        consent(session, gone.id, who, "visits")
    made = merged(database)
    with database.write() as session:
        kept, _gone = rows(session)
        given = session.exec(select(FamilyConsent).where(FamilyConsent.beneficiary_id == kept.id)).one()
        given.withdrawn_at, given.withdrawn_by = now_of(session), who
        session.add(given)
    with database.write() as session:
        merging.undo(session, made, MACHINE)
    with database.read() as session:
        assert None not in session.exec(select(FamilyConsent.withdrawn_at)).all()


def test_the_familys_phones_and_codes_go_with_the_person(database: Database, twice: None) -> None:
    with database.write() as session:
        kept, gone = rows(session)
        both, mother = someone(session, "both"), someone(session, "mother")
        stint(session, gone.id, someone(session, "a"))
        family_door(session, kept.id, both)
        doors = [
            family_door(session, gone.id, both, "guardian"),
            family_door(session, gone.id, mother, "guardian"),
            family_door(session, gone.id, someone(session, "own"), "self"),
            family_door(session, gone.id, None, "guardian"),
        ]
        consent(session, gone.id, mother, "pairing")
    made = merged(database)
    with database.write() as session:
        kept, gone = rows(session)
        moved = [session.get_one(FamilyDoor, one.id) for one in doors]
        assert [one.beneficiary_id == kept.id for one in moved] == [False, True, False, True]
        assert [one.ended_at is None for one in moved] == [False, True, False, True]
        assert family_doors.object_to(session, mother, kept.id), "she says so, and it counts"
        assert session.exec(select(Stint.ended_why)).one() == "objected"
        session.rollback()
    with database.write() as session:
        kept, gone = rows(session)
        family_doors.leave(session, both)
        merging.undo(session, made, MACHINE)
        put_back = [session.get_one(FamilyDoor, one.id, populate_existing=True) for one in doors]
        assert {one.beneficiary_id for one in put_back} == {gone.id}
        assert [one.ended_at is None for one in put_back] == [False, True, True, True], "who left meanwhile stays away"


def test_a_code_that_was_used_meanwhile_forbids_taking_back(database: Database, twice: None) -> None:
    with database.write() as session:
        _kept, gone = rows(session)
        code = family_door(session, gone.id, None)
    made = merged(database)
    with database.write() as session:
        row = session.get_one(FamilyDoor, code.id)
        row.person_id, row.bound_at = someone(session, "own"), now_of(session) + timedelta(seconds=1)
        session.add(row)
    with database.write() as session, pytest.raises(MergeError) as caught:
        merging.undo(session, made, MACHINE)
    assert caught.value.what == ("door",)


@pytest.mark.parametrize("again", [False, True])
def test_a_yes_from_before_it_was_taken_back_does_not_come_back(
    database: Database, twice: None, clock: StoppedClock, again: bool
) -> None:
    with database.write() as session:
        kept, gone = rows(session)
        who = someone(session, "mother")
        stint(session, gone.id, someone(session, "a"))
        family_door(session, gone.id, who, "guardian")
        consent(session, kept.id, who, "pairing")
        if not again:
            consent(session, gone.id, who, "pairing")
        clock.pass_time(timedelta(days=1))
        session.flush()
        row = session.exec(select(FamilyConsent).where(FamilyConsent.beneficiary_id == kept.id)).one()
        row.withdrawn_at, row.withdrawn_by = now_of(session), who
        session.add(row)
        clock.pass_time(timedelta(days=1))
        if again:
            consent(session, gone.id, who, "pairing")
    merged(database)
    with database.write() as session:
        kept, _gone = rows(session)
        assert (agreed(session, kept.id, "pairing") is not None) is again
        assert family_doors.object_to(session, who, kept.id), "without a yes as well, no means no"
        assert session.exec(select(Stint.ended_why)).one() == "objected"


PIECES = (
    "stint",
    "co",
    "agreeing",
    "offer",
    "same offer",
    "pairing",
    "visits",
    "keeping",
    "proposal",
    "door",
    "phone",
    "same phone",
    "code",
)


@given(kept=st.sets(st.sampled_from(PIECES)), gone=st.sets(st.sampled_from(PIECES)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_merging_and_taking_back_leaves_everything_as_it_was(
    database: Database, twice: None, kept: set[str], gone: set[str]
) -> None:
    with database.write() as session:
        for of, pieces in zip(rows(session), (kept, gone), strict=True):
            for piece in sorted(pieces):
                hang(session, of, piece)
    before = standing(database)
    try:
        made = merged(database)
    except MergeError as error:
        assert error.reason == "both_lead" and {"stint", "agreeing"} & kept and {"stint", "agreeing"} & gone
    else:
        with database.write() as session:
            merging.undo(session, made, MACHINE)
    assert standing(database) == before
    with database.write() as session:
        for table in (
            "visit",
            "proposal",
            "offer",
            "stint",
            "keeping",
            "family_consent",
            "family_door",
            "matching_run",
        ):
            session.execute(SQLModel.metadata.tables[table].delete())
        for of in rows(session):
            of.person_id = None
            session.add(of)


def hang(session: Session, of: Beneficiary, piece: str) -> None:
    """Something that hangs on somebody's row."""
    who = someone(session, f"{of.county}:{piece}")
    if piece in ("stint", "agreeing"):
        stint(session, of.id, who, state="open" if piece == "stint" else "agreeing")
    elif piece == "co":
        stint(session, of.id, who, "co")
    elif piece == "offer":
        offer(session, of.id, who)
    elif piece == "same offer":
        offer(session, of.id, someone(session, "the same"), "overdue")
    elif piece in ("pairing", "visits"):
        consent(session, of.id, who, piece)
    elif piece == "keeping":
        session.add(Keeping(beneficiary_id=of.id, person_id=who, why="term", since=now_of(session)))
    elif piece == "proposal":
        run = MatchingRun(region=of.county, made_by=MACHINE, made_at=now_of(session))
        session.add(run)
        session.flush()
        session.add(Proposal(run_id=run.id, beneficiary_id=of.id, person_id=who, made_at=now_of(session)))
    elif piece in ("phone", "same phone"):
        family_door(session, of.id, who if piece == "phone" else someone(session, "the same phone"))
    elif piece == "code":
        family_door(session, of.id, None, "guardian")
    else:
        of.person_id = who
        session.add(of)
    session.flush()


def test_a_ledger_that_names_the_row_set_aside_changes_nothing_and_asks_nothing(
    database: Database, twice: None
) -> None:
    merged(database)
    batch = brought(database, [person(1, 需求="法律援助")])
    assert (batch.counts["same"], batch.counts["gone"]) == (1, 0)
    with database.read() as session:
        assert len(session.exec(select(Beneficiary)).all()) == 2


def test_an_import_on_whose_people_a_merge_hangs_keeps_them_when_it_is_taken_back(
    database: Database, clock: StoppedClock
) -> None:
    brought(database, [person(1)])
    clock.pass_time(timedelta(days=1))
    batch = brought(database, [person(1), person(2)], OTHER)
    made = merged_of(database, 1)
    with database.write() as session:
        merging.undo(session, made, MACHINE)
    undo(database, batch.id, by=MACHINE)
    with database.read() as session:
        assert refused(session, batch.id) == [2], "the history of the merge stays readable"
        assert len(session.exec(select(Beneficiary)).all()) == 2


def merged_of(database: Database, number: int) -> str:
    with database.write() as session:
        one, other = by_id_number(session, id_number(number))
        return merging.ask(session, one.id, other.id, MACHINE).id


def test_it_is_for_those_who_answer_for_both_counties_or_for_both_sides(database: Database, twice: None) -> None:
    near, far, nobody = Chat(database, "near"), Chat(database, "far"), Chat(database, "nobody")
    for chat in (near, far, nobody):
        follow(chat)
    grant(database, near, "specialist", OTHER)
    with database.write() as session:
        kept, gone = rows(session)
        with pytest.raises(MergeError, match="scope"):
            merging.ask(session, kept.id, gone.id, nobody.person().id)
        with pytest.raises(MergeError, match="nobody"), session.begin_nested():
            merging.ask(session, kept.id, gone.id, near.person().id)
    grant(database, far, "specialist", COUNTY)
    with database.write() as session:
        made = merging.ask(session, kept.id, gone.id, near.person().id)
        assert made.state == "asked" and rows(session)[1].merged_into is None
        for chat in (near, nobody):
            with pytest.raises(MergeError, match="scope"):
                merging.agree(session, made.id, chat.person().id)
        assert merging.agree(session, made.id, far.person().id).state == "merged"
        with pytest.raises(MergeError, match="scope"):
            merging.undo(session, made.id, nobody.person().id)
        assert merging.undo(session, made.id, near.person().id).state == "undone"


def test_nothing_of_a_person_stands_in_the_audit_or_in_the_merge(database: Database, twice: None) -> None:
    merged(database)
    with database.read() as session:
        for table in (AuditEntry, BeneficiaryMerge):
            for row in session.exec(select(table)):
                said = repr(row.model_dump())
                assert name(1) not in said and id_number(1) not in said


def test_people_of_one_county_with_the_same_name_and_birth_date_are_found(database: Database) -> None:
    brought(database, [person(1), person(2)])
    like = person(1, 残疾人证号=id_number(3) + "42")
    with database.read() as session:
        assert merging.alike(session, COUNTY) == []
    batch = check(database, [like], part=True)
    ledger_import.take(database, batch.id, by=MACHINE, doubtful=[2])
    with database.read() as session:
        [(one, other)] = merging.alike(session, COUNTY)
        assert one.birth_date == other.birth_date and one.id != other.id
