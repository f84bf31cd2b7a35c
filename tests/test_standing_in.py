"""Whoever answers for others may be away: somebody who is named always remains, the same one for everybody who asks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from models import contact, duty_leaves, standing_in
from models.alert import CannotTake, holder, raise_alert, take
from models.contact import answers_for, reachable, receivers_of, steps, write
from models.contact_waiting import waiting_for
from models.database import Database
from models.duty_leave import DutyLeave
from models.duty_leaves import DutyLeaveError
from models.handover import hand_over
from models.outbox import OutboxMessage
from models.role import RoleGrant, end_grant, reaches
from models.standing_in import covers, shared_out
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.people import alin as alin
from tests.people import follow, grant

COUNTY = "440106"
PEOPLE = [f"p{number}" for number in range(6)]
roles = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from(["specialist", "organiser"]),
        st.sampled_from(["44", "4401", COUNTY, "440105"]),
    ),
    max_size=8,
)
away = st.dictionaries(st.sampled_from(PEOPLE), st.lists(st.sampled_from(PEOPLE), max_size=2), max_size=6)


def held_of(rows: list[tuple[str, str, str]]) -> list[RoleGrant]:
    return [
        RoleGrant(
            person_id=person,
            role=role,
            scope_kind="region",
            scope=scope,
            granted_by="machine",
            granted_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for person, role, scope in rows
    ]


@given(rows=roles, gone=away, asker=st.sampled_from(["", *PEOPLE]))
def test_somebody_named_remains_whoever_is_away_and_nobody_else_is_told(
    rows: list[tuple[str, str, str]], gone: dict[str, list[str]], asker: str
) -> None:
    held = held_of(rows)
    shared = shared_out(held, gone)
    told = [one for step in steps(shared, COUNTY, but=asker) for one in step]
    able = {each.person_id for each in held if reaches(each, COUNTY)} - {asker}
    assert bool(told) == bool(able), "never nobody, as long as anybody holds a role for the county"
    assert set(told) <= able, "a deputy holds a role that covers it, too, and nobody answers to oneself"
    assert len(told) == len(set(told))
    assert told == [one for step in steps(shared_out(held, gone), COUNTY, but=asker) for one in step]
    present = able - gone.keys()
    assert set(told) <= present if present else set(told) <= able, "who is away is told only where all of them are"
    assert steps(shared_out(held, {}), COUNTY, but=asker) == steps(shared_out(held, {"?": []}), COUNTY, but=asker)


@given(rows=roles, gone=away)
def test_a_deputy_gets_all_that_would_go_to_whoever_is_away(
    rows: list[tuple[str, str, str]], gone: dict[str, list[str]]
) -> None:
    held = held_of(rows)
    for each, duty in zip(held, shared_out(held, gone), strict=True):
        if each.person_id not in gone:
            assert duty.person_id == each.person_id
            continue
        fit = [
            one
            for one in gone[each.person_id]
            if one not in gone and any(covers(mine, each) for mine in held if mine.person_id == one)
        ]
        assert duty.person_id not in gone
        if fit and not any(one in gone for one in gone[each.person_id]):
            assert duty.person_id == fit[0]


# --- with people ---


def on_duty(database: Database, name: str, scope: str = COUNTY, role: str = "specialist") -> Chat:
    chat = Chat(database, name)
    follow(chat)
    grant(database, chat, role, scope)
    return chat


def leave(
    session: Session, person: Chat, deputy: Chat | None = None, days: tuple[int, int] = (0, 2), *, takes: bool = True
) -> DutyLeave:
    today = date(2026, 11, 22)
    first, last = (today + timedelta(days=each) for each in days)
    row = duty_leaves.ask(
        session, person.person().id, first, last, deputy.person().id if deputy else None, person.person().id
    )
    if deputy is not None and takes:
        duty_leaves.take(session, row.id, deputy.person().id)
    return row


def told(database: Database, chat: Chat, kind: str) -> int:
    with database.read() as session:
        query = select(OutboxMessage).where(OutboxMessage.person_id == chat.person().id, OutboxMessage.kind == kind)
        return len(session.exec(query).all())


def people(*chats: Chat) -> list[str]:
    return sorted(chat.person().id for chat in chats)


def test_during_a_leave_the_deputy_gets_what_would_come_and_then_it_is_as_before(
    database: Database, clock: StoppedClock
) -> None:
    ann, bob, cat = (on_duty(database, name) for name in ("ann", "bob", "cat"))
    with database.write() as session:
        leave(session, ann, bob, (1, 3))
    with database.read() as session:
        assert reachable(session, COUNTY, but="") == people(ann, bob, cat)
    clock.pass_time(timedelta(days=1))
    with database.read() as session:
        assert reachable(session, COUNTY, but="") == people(bob, cat)
    clock.pass_time(timedelta(days=2, hours=13, minutes=59))  # 23:59 in Guangzhou on the last day
    with database.read() as session:
        assert reachable(session, COUNTY, but="") == people(bob, cat)
    clock.pass_time(timedelta(minutes=2))
    with database.read() as session:
        assert reachable(session, COUNTY, but="") == people(ann, bob, cat)


def test_until_the_deputy_says_yes_and_after_a_no_the_others_of_the_county_get_it(database: Database) -> None:
    ann, city = on_duty(database, "ann"), on_duty(database, "city", "4401", "organiser")
    far = on_duty(database, "far", "44", "organiser")
    with database.write() as session:
        row = leave(session, ann, far, takes=False)
        assert reachable(session, COUNTY, but="") == people(city)
        duty_leaves.take(session, row.id, far.person().id)
        assert reachable(session, COUNTY, but="") == people(far), "a specialist's deputy stands in as the specialist"
        duty_leaves.decline(session, row.id, far.person().id)
        assert reachable(session, COUNTY, but="") == people(city)
        duty_leaves.end(session, row.id, ann.person().id)
        assert reachable(session, COUNTY, but="") == people(ann)


def test_where_everybody_is_away_those_who_answer_are_told_all_the_same(database: Database) -> None:
    ann = on_duty(database, "ann")
    with database.write() as session:
        leave(session, ann)
        assert reachable(session, COUNTY, but="") == people(ann)


def test_a_deputy_who_is_away_too_or_lost_the_role_passes_it_on(database: Database) -> None:
    ann, bob, cat = (on_duty(database, name) for name in ("ann", "bob", "cat"))
    boss = on_duty(database, "boss", "44", "organiser")
    with database.write() as session:
        leave(session, ann, bob)
        with pytest.raises(DutyLeaveError, match="away"):
            leave(session, cat, ann)
        leave(session, bob, cat, (0, 1))
        assert told_of(session, ann, "deputy_away") == 1
        assert reachable(session, COUNTY, but="") == people(cat)
        held = session.exec(select(RoleGrant).where(RoleGrant.person_id == cat.person().id)).one()
        end_grant(session, held.id, boss.person().id)
        assert reachable(session, COUNTY, but="") == people(boss)


def told_of(session: Session, chat: Chat, what: str) -> int:
    query = select(OutboxMessage).where(OutboxMessage.person_id == chat.person().id)
    return sum(f":{what}:" in row.unique_key for row in session.exec(query))


def test_only_somebody_who_answers_for_the_same_can_stand_in(database: Database) -> None:
    ann, near = on_duty(database, "ann", role="organiser"), on_duty(database, "near")
    nobody = Chat(database, "nobody")
    follow(nobody)
    other, boss = on_duty(database, "other", "440105", "organiser"), on_duty(database, "boss", "44", "organiser")
    with database.write() as session:
        for deputy, why in ((near, "deputy"), (other, "deputy"), (ann, "self")):
            with pytest.raises(DutyLeaveError, match=why):
                leave(session, ann, deputy)
        assert duty_leaves.candidates(session, ann.person().id, date(2026, 11, 22), date(2026, 11, 24)) == people(boss)
        with pytest.raises(DutyLeaveError, match="role"):
            leave(session, nobody)


@pytest.mark.parametrize(("days", "why"), [((-1, 2), "day"), ((2, 1), "day"), ((0, 400), "day"), ((1, 1), "overlap")])
def test_days_that_cannot_be_are_refused(database: Database, days: tuple[int, int], why: str) -> None:
    ann = on_duty(database, "ann")
    with database.write() as session:
        leave(session, ann)
        with pytest.raises(DutyLeaveError, match=why):
            leave(session, ann, days=days)


def test_what_waits_passes_to_the_deputy_at_the_beginning_and_stands_on_ones_own_list_at_the_end(
    database: Database, clock: StoppedClock, alin: Chat
) -> None:
    ann, bob = on_duty(database, "ann"), on_duty(database, "bob", "4401", "organiser")
    with database.write() as session:
        row, count = write(session, alin.person().id, "想换个时间")
        assert (count, waiting_for(session, ann.person().id)) == (1, [row.id])
        raise_alert(session, alin.person().id, "sos")
        leave(session, ann, bob, (1, 1))
    hand_over(database)
    assert told(database, bob, "notice.contact") == 0
    clock.pass_time(timedelta(days=1))
    for _run in range(2):
        hand_over(database)
    assert (told(database, bob, "notice.contact"), told(database, bob, "notice.alert")) == (1, 1)
    with database.read() as session:
        assert (waiting_for(session, bob.person().id), waiting_for(session, ann.person().id)) == ([row.id], [])
    clock.pass_time(timedelta(days=1))
    with database.read() as session:
        assert (waiting_for(session, bob.person().id), waiting_for(session, ann.person().id)) == ([], [row.id])


def test_within_a_thread_whoever_answered_is_stood_in_for_while_away(database: Database, alin: Chat) -> None:
    ann, bob = on_duty(database, "ann"), on_duty(database, "bob", "4401", "organiser")
    with database.write() as session:
        row, _count = write(session, alin.person().id, "在吗")
        contact.answer(session, row.id, ann.person().id, "在")
        leave(session, ann, bob)
        again, _count = write(session, alin.person().id, "谢谢", row.thread)
        assert receivers_of(session, again) == people(bob)


def test_a_cry_for_help_that_somebody_on_leave_had_is_free_again_and_not_theirs_to_take(
    database: Database, clock: StoppedClock, alin: Chat
) -> None:
    ann, bob = on_duty(database, "ann"), on_duty(database, "bob", "4401", "organiser")
    with database.write() as session:
        alert, _told = raise_alert(session, alin.person().id, "sos")
        take(session, alert.id, ann.person().id)
        leave(session, ann, bob)
        assert holder(session, alert) is None
        with pytest.raises(CannotTake, match="away"):
            take(session, alert.id, ann.person().id)
    hand_over(database)
    assert told(database, bob, "notice.alert") == 1
    with database.write() as session:
        take(session, alert.id, bob.person().id)
    clock.pass_time(timedelta(days=3))
    with database.read() as session:
        assert holder(session, session.get_one(type(alert), alert.id)) == bob.person().id, "whoever took it last has it"


def test_a_leave_is_told_at_both_ends_once_however_late_the_job_runs(database: Database, clock: StoppedClock) -> None:
    ann, bob = on_duty(database, "ann"), on_duty(database, "bob")
    with database.write() as session:
        leave(session, ann, bob, (1, 2))
    for days, begins, over, back in ((0, 0, 0, 0), (1, 1, 0, 0), (0, 1, 0, 0), (9, 1, 1, 1), (1, 1, 1, 1)):
        clock.pass_time(timedelta(days=days))
        with database.write() as session:
            duty_leaves.change(session, duty_leaves.changing(session))
        with database.read() as session:
            found = told_of(session, bob, "begins"), told_of(session, bob, "over"), told_of(session, ann, "back")
            assert found == (begins, over, back)
    with database.read() as session:
        assert standing_in.away_today(session) == {}
        assert duty_leaves.standing(session) == []


def test_nobody_but_an_organiser_who_covers_it_ends_anothers_leave(database: Database) -> None:
    ann, near, boss = on_duty(database, "ann"), on_duty(database, "near"), on_duty(database, "boss", "44", "organiser")
    with database.write() as session:
        row = leave(session, ann)
        with pytest.raises(DutyLeaveError, match="scope"):
            duty_leaves.end(session, row.id, near.person().id)
        duty_leaves.name_deputy(session, row.id, near.person().id, boss.person().id)
        duty_leaves.end(session, row.id, boss.person().id)
        with pytest.raises(DutyLeaveError, match="gone"):
            duty_leaves.take(session, row.id, near.person().id)
        assert answers_for(session, boss.person().id) == []
