"""Somebody who serves says nothing for long though a door reaches them: asked, asked again, then a relay to decide."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest
from sqlmodel import col, select

from handlers import notices
from handlers.here import Here
from models import household, leave, relaying, relaying_lists, silence, substituting, turn_acts
from models.calls import told as told_by_phone
from models.database import Database, now_of, vault_of
from models.outbox import REMINDER, OutboxMessage
from models.pairing import OPEN
from models.person import Door, Person
from models.relay import SILENCE, STANDING, Relay
from models.silence import Silence
from models.team import LEADER, TeamMember
from models.turn import Turn
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import World

DAY = timedelta(days=1)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def speaks(world: World, person: str) -> None:
    """They write something, whatever it is."""
    with world.database.write() as session:
        for door in session.exec(select(Door).where(Door.person_id == person)).all():
            door.last_in_at = now_of(session)
            session.add(door)


def rows(world: World) -> list[Silence]:
    with world.database.read() as session:
        return list(session.exec(select(Silence).order_by(col(Silence.asked_at), col(Silence.id))))


def relays(world: World) -> list[Relay]:
    with world.database.read() as session:
        return list(session.exec(select(Relay).where(col(Relay.state).in_(STANDING))))


def keys(world: World, person: str, kind: str) -> list[str]:
    """The steps of which they were told."""
    with world.database.read() as session:
        query = select(OutboxMessage.unique_key).where(OutboxMessage.person_id == person, OutboxMessage.kind == kind)
        return sorted(key.split(":")[2] for key in session.exec(query))


def said(world: World, person: str, kind: str, step: str = "") -> str:
    """The words of a message as it would be sent now; empty where it would not be."""
    with world.database.write() as session:
        session.info["here"] = Here("telegram", "test", sensitive_in_chat=False, public_url="")
        query = select(OutboxMessage).where(OutboxMessage.person_id == person, OutboxMessage.kind == kind)
        found = [row for row in session.exec(query) if step in row.unique_key]
        assert found, (kind, step)
        params = vault_of(session).open_json("outbox.params_sealed", found[-1].id, found[-1].params_sealed or b"")
        reply = notices.words(session, session.get_one(Person, person), kind, params, again=False)
        return "\n".join([reply.text, *(option.label for option in reply.options)]) if reply else ""


def asked(world: World, clock: StoppedClock) -> int:
    """A run of the job after sixty days."""
    clock.pass_time(60 * DAY)
    return world.run(jobs.ask_silent_volunteers)


def given(world: World, clock: StoppedClock) -> None:
    """The whole ladder without a word."""
    assert asked(world, clock) == 1
    for _time in range(2):
        clock.pass_time(14 * DAY)
        assert world.run(jobs.ask_silent_volunteers) == 1


@pytest.fixture
def pair(world: World) -> tuple[str, str, str]:
    """A volunteer, a specialist and their open stint."""
    person, boss = world.volunteer(), world.specialist()
    return person, boss, world.paired(world.beneficiary(), person, boss)


def test_they_are_asked_then_again_and_then_the_specialist_decides(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, boss, stint = pair
    clock.pass_time(59 * DAY)
    assert world.run(jobs.ask_silent_volunteers) == 0
    clock.pass_time(DAY)
    assert [world.run(jobs.ask_silent_volunteers) for _time in range(2)] == [1, 0], "asked once"
    first = said(world, person, "notice.silence", "first")
    assert "还好吗" in first and "一切都好\n有点难，想停一停\n做不下去了" in first
    clock.pass_time(14 * DAY)
    assert [world.run(jobs.ask_silent_volunteers) for _time in range(2)] == [1, 0]
    assert "又来问候" in said(world, person, "notice.silence", "again")
    assert relays(world) == []
    clock.pass_time(14 * DAY)
    assert [world.run(jobs.ask_silent_volunteers) for _time in range(2)] == [1, 0]
    [relay] = relays(world)
    assert (relay.stint_id, relay.reason, relay.specialist_id, relay.undecided) == (stint, SILENCE, boss, True)
    assert "没有回音" in said(world, boss, "notice.relay") and "不会自己结束" in said(world, boss, "notice.relay")
    assert "希望你一切都好" in said(world, person, "notice.silence_given")
    assert "notice.relay_begun" not in world.told(person, waiting=False)


def test_what_is_told_waits_for_the_morning(world: World, clock: StoppedClock, pair: tuple[str, str, str]) -> None:
    given(world, clock)
    with world.database.read() as session:
        query = select(OutboxMessage.priority).where(col(OutboxMessage.kind).startswith("notice.silence"))
        assert set(session.exec(query)) == {REMINDER}


def test_nothing_ends_by_itself_and_the_specialist_is_asked_again(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, boss, stint = pair
    given(world, clock)
    before = relays(world)[0].last_day
    for _time in range(3):
        clock.pass_time(15 * DAY)
        world.run(jobs.end_last_days)
    assert world.stint(stint).state == OPEN
    assert relays(world)[0].last_day == before + 45 * DAY
    assert world.told(boss, waiting=False).count("notice.relay") == 4
    assert "notice.thanks" not in world.told(person, waiting=False)


def test_a_last_day_that_the_specialist_names_ends_it(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, boss, stint = pair
    given(world, clock)
    last = clock.at.date() + 30 * DAY
    world.do(relaying.begin, stint, SILENCE, last, boss)
    [relay] = relays(world)
    assert (relay.last_day, relay.undecided) == (last, False)
    assert "notice.relay_begun" in world.told(person)
    clock.pass_time(32 * DAY)
    assert world.run(jobs.end_last_days) == 1
    assert world.stint(stint).ended_why == SILENCE
    assert world.responsible(str(world.stint(stint).beneficiary_id)).people == (boss,)


@pytest.mark.parametrize("steps", [0, 1])
def test_any_word_stops_it(world: World, clock: StoppedClock, pair: tuple[str, str, str], steps: int) -> None:
    person, _boss, _stint = pair
    asked(world, clock)
    for _time in range(steps):
        clock.pass_time(14 * DAY)
        world.run(jobs.ask_silent_volunteers)
    clock.pass_time(DAY)
    assert world.run(jobs.hear_silent_volunteers) == 0
    speaks(world, person)
    steps_told = ["first", "again"][: steps + 1]
    come = [said(world, person, "notice.silence", step) for step in steps_told]
    assert "看到你来了" in come.pop() and not any(come), "what could not reach them before is asked once"
    assert [world.run(jobs.hear_silent_volunteers) for _time in range(2)] == [1, 0]
    assert rows(world)[0].ended_why == "word"
    clock.pass_time(59 * DAY)
    assert (world.run(jobs.ask_silent_volunteers), relays(world)) == (0, [])
    clock.pass_time(DAY)
    assert world.run(jobs.ask_silent_volunteers) == 1, "it counts anew"


def test_a_word_that_came_while_the_jobs_were_down_counts_before_the_next_step(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, _boss, _stint = pair
    asked(world, clock)
    clock.pass_time(DAY)
    speaks(world, person)
    clock.pass_time(40 * DAY)
    world.run(jobs.ask_silent_volunteers)
    assert (keys(world, person, "notice.silence"), relays(world)) == (["first"], [])


def test_each_step_has_its_time_though_the_jobs_were_down(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, _boss, _stint = pair
    clock.pass_time(200 * DAY)
    assert world.run(jobs.ask_silent_volunteers) == 1
    assert keys(world, person, "notice.silence") == ["first"]


def test_whoever_comes_back_is_told_kindly_and_may_go_on(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, boss, stint = pair
    given(world, clock)
    with world.database.write() as session:  # what was told then has arrived
        for row in session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.silence_given")):
            row.state, row.ended_at = "sent", now_of(session)
            session.add(row)
    clock.pass_time(DAY)
    speaks(world, person)
    assert world.run(jobs.hear_silent_volunteers) == 1
    back = said(world, person, "notice.silence_given", "back")
    assert "欢迎回来" in back and "我又能继续了" in back
    assert "有消息了" in said(world, boss, "notice.silence_over")
    [relay] = relays(world)
    world.do(relaying.cancel, relay.id, person)
    assert said(world, person, "notice.silence_given", "back") == "", "settled meanwhile"
    assert world.stint(stint).state == OPEN
    clock.pass_time(59 * DAY)
    assert world.run(jobs.ask_silent_volunteers) == 0


def test_whoever_decides_is_not_told_of_silence_once_it_is_over(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, boss, _stint = pair
    given(world, clock)
    clock.pass_time(DAY)
    speaks(world, person)
    world.run(jobs.hear_silent_volunteers)
    clock.pass_time(15 * DAY)
    world.run(jobs.end_last_days)
    words = said(world, boss, "notice.relay", relays(world)[0].last_day.isoformat())
    assert "后来有消息了" in words and "没有答复" not in words


def test_what_reaches_them_only_now_is_not_told_twice(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, _boss, _stint = pair
    given(world, clock)
    clock.pass_time(DAY)
    speaks(world, person)
    assert "欢迎回来" in said(world, person, "notice.silence_given"), "it had waited for their word"
    world.run(jobs.hear_silent_volunteers)
    assert keys(world, person, "notice.silence_given") == ["given"]


def test_the_specialist_may_call_it_off_and_it_counts_anew(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, boss, _stint = pair
    given(world, clock)
    world.do(relaying_lists.cancel_for, relays(world)[0].id, boss)
    assert "notice.relay_off" in world.told(person)
    clock.pass_time(DAY)
    world.run(jobs.ask_silent_volunteers)
    assert (rows(world)[0].ended_why, relays(world)) == ("settled", [])
    clock.pass_time(58 * DAY)
    assert world.run(jobs.ask_silent_volunteers) == 0
    clock.pass_time(2 * DAY)
    assert world.run(jobs.ask_silent_volunteers) == 1


def test_all_is_well_in_one_tap(world: World, clock: StoppedClock, pair: tuple[str, str, str]) -> None:
    person, boss, _stint = pair
    asked(world, clock)
    [row] = rows(world)
    assert world.do(silence.answered, row.id, boss) == [] and rows(world)[0].ended_at is None, "not theirs to answer"
    clock.pass_time(DAY)
    speaks(world, person)
    assert world.do(silence.answered, row.id, person) == []
    assert rows(world)[0].ended_why == "answered"
    assert said(world, person, "notice.silence") == ""


def test_who_was_told_on_the_phone_was_spoken_with(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, boss, _stint = pair
    asked(world, clock)
    with world.database.write() as session:
        session.exec(select(OutboxMessage).where(OutboxMessage.kind == "notice.silence")).one().state = "held"
    world.do(told_by_phone, person, boss, clock.at)
    clock.pass_time(14 * DAY)
    world.run(jobs.ask_silent_volunteers)
    assert (rows(world)[0].ended_why, keys(world, person, "notice.silence")) == ("phone", ["first"])


def test_a_pause_is_no_silence_and_it_counts_from_its_end(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    with world.database.write() as session:
        session.get_one(Person, pair[0]).paused_until = (clock.at + 100 * DAY).date()
    assert asked(world, clock) == 0
    clock.pass_time(99 * DAY)
    assert world.run(jobs.ask_silent_volunteers) == 0
    clock.pass_time(2 * DAY)
    assert world.run(jobs.ask_silent_volunteers) == 1


def test_a_leave_is_no_silence_even_where_no_substitute_was_needed(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, boss, stint = pair
    world.do(leave.ask, stint, clock.at.date() + 100 * DAY, person)
    world.do(leave.settle, stint, boss)
    assert asked(world, clock) == 0
    clock.pass_time(101 * DAY)
    assert world.run(jobs.ask_silent_volunteers) == 1


def test_whose_place_somebody_takes_is_not_asked(world: World, clock: StoppedClock, pair: tuple[str, str, str]) -> None:
    _person, boss, stint = pair
    other = world.volunteer()
    row = world.do(substituting.ask, stint, other, clock.at.date() + 70 * DAY, boss)
    world.do(substituting.answer, row.id, other, yes=True)
    assert asked(world, clock) == 0
    clock.pass_time(11 * DAY)
    assert world.run(jobs.end_last_days) == 1
    assert world.run(jobs.ask_silent_volunteers) == 0
    clock.pass_time(60 * DAY)
    assert world.run(jobs.ask_silent_volunteers) == 1


def test_a_leave_that_begins_between_two_questions_ends_them(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, _boss, stint = pair
    asked(world, clock)
    world.do(leave.ask, stint, clock.at.date() + 30 * DAY, person)
    clock.pass_time(14 * DAY)
    world.run(jobs.ask_silent_volunteers)
    assert (rows(world)[0].ended_why, keys(world, person, "notice.silence")) == ("settled", ["first"])


def test_who_serves_several_is_asked_once_and_the_specialist_told_once(world: World, clock: StoppedClock) -> None:
    person, boss = world.volunteer(), world.specialist()
    for _time in range(2):
        world.paired(world.beneficiary(), person, boss)
    given(world, clock)
    assert keys(world, person, "notice.silence") == ["again", "first"]
    assert len(relays(world)) == 2
    with world.database.write() as session:
        session.info["here"] = Here("telegram", "test", sensitive_in_chat=False, public_url="")
        told = [
            notices.words(session, session.get_one(Person, boss), "notice.relay", {"relay": one.id}, again=False)
            for one in relays(world)
        ]
    [once] = [reply.text for reply in told if reply is not None]
    assert "有 2 个结对要你决定" in once


def test_of_a_team_whoever_leads_it_is_asked_and_a_word_of_any_leader_counts(world: World, clock: StoppedClock) -> None:
    first, second, member, boss = world.volunteer(), world.volunteer(), world.volunteer(), world.specialist()
    team = world.team(first, members=(member,))
    world.paired(world.beneficiary(), first, boss, team)
    assert asked(world, clock) == 1
    assert [rows(world)[0].person_id, keys(world, member, "notice.silence")] == [first, []]
    with world.database.write() as session:
        told = {"added_by": "machine", "joined_at": now_of(session)}
        session.add(TeamMember(team_id=team, person_id=second, part=LEADER, **told))
    clock.pass_time(14 * DAY)
    speaks(world, second)
    world.run(jobs.ask_silent_volunteers)
    assert (rows(world)[0].ended_why, keys(world, first, "notice.silence")) == ("settled", ["first"])


def test_another_leaders_word_is_told_to_whoever_decides(world: World, clock: StoppedClock) -> None:
    first, second, boss = world.volunteer(), world.volunteer(), world.specialist()
    team = world.team(first, members=(second,))
    world.paired(world.beneficiary(), first, boss, team)
    given(world, clock)
    clock.pass_time(DAY)
    speaks(world, second)
    assert world.run(jobs.ask_silent_volunteers) == 0, "no leader yet"
    with world.database.write() as session:
        row = session.exec(select(TeamMember).where(TeamMember.person_id == second)).one()
        row.part = LEADER
    world.run(jobs.ask_silent_volunteers)
    assert (rows(world)[0].ended_why, keys(world, first, "notice.silence_given")) == ("settled", ["given"])
    assert "别的队长" in said(world, boss, "notice.silence_over")
    assert len(relays(world)) == 1, "it is decided by whoever is responsible"


def test_a_team_whose_members_go_in_turns_is_not_silent(world: World, clock: StoppedClock) -> None:
    leader, member, boss = world.volunteer(), world.volunteer(), world.specialist()
    stint = world.paired(world.beneficiary(), leader, boss, world.team(leader, members=(member,)))
    plan = world.do(turn_acts.plan, stint, [member], "visit", boss)
    with world.database.read() as session:
        turn = session.exec(select(Turn.id).where(Turn.plan_id == plan.id)).one()
    clock.pass_time(30 * DAY)
    world.do(turn_acts.accept, turn, member)
    clock.pass_time(59 * DAY)
    assert world.run(jobs.ask_silent_volunteers) == 0
    clock.pass_time(DAY)
    assert world.run(jobs.ask_silent_volunteers) == 1, "sixty days after the member's word"


def test_no_door_at_all_is_another_rules_case(world: World, clock: StoppedClock, pair: tuple[str, str, str]) -> None:
    world.shut(pair[0])
    assert asked(world, clock) == 0
    assert world.run(jobs.begin_for_silent_volunteers) == 1
    assert relays(world)[0].undecided is False


def test_who_leaves_every_door_after_the_questions_is_followed_by_somebody_named(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    person, boss, stint = pair
    given(world, clock)
    world.shut(person)
    for _time in range(2):
        clock.pass_time(15 * DAY)
        assert world.stint(stint).state == OPEN
        world.run(jobs.end_last_days)
        [last] = relays(world) or [None]
        assert last is None or "最后一天：" in said(world, boss, "notice.relay", last.last_day.isoformat())
    assert world.stint(stint).state == "ended"
    assert world.responsible(str(world.stint(stint).beneficiary_id)).people == (boss,)


def test_where_nobody_answers_for_the_county_it_is_tried_again(
    world: World, clock: StoppedClock, pair: tuple[str, str, str]
) -> None:
    _person, boss, stint = pair
    world.end_roles(boss)
    asked(world, clock)
    clock.pass_time(14 * DAY)
    world.run(jobs.ask_silent_volunteers)
    clock.pass_time(14 * DAY)
    assert world.run(jobs.ask_silent_volunteers) == 0
    assert (relays(world), world.stint(stint).state) == ([], OPEN)
    new = world.specialist()
    assert world.run(jobs.ask_silent_volunteers) == 1
    assert relays(world)[0].specialist_id == new


def test_nobody_decides_about_their_own_silence(world: World, clock: StoppedClock) -> None:
    person, organiser = world.volunteer(), world.specialist("44", "organiser")
    world.give_role(person)
    world.paired(world.beneficiary(), person, organiser)
    given(world, clock)
    assert relays(world)[0].specialist_id == organiser


def test_the_list_says_why(world: World, clock: StoppedClock, pair: tuple[str, str, str]) -> None:
    _person, boss, stint = pair
    given(world, clock)
    about = str(world.stint(stint).beneficiary_id)
    with world.database.read() as session:
        line = household.one_of(session, boss, about)
    assert line is not None
    assert (line.state, line.silent, line.due_what, line.departing) == (
        "relay",
        True,
        "visit",
        False,
    )
    world.do(relaying.begin, stint, "specialist", date(2027, 6, 30), boss)
    with world.database.read() as session:
        line = household.one_of(session, boss, about)
    assert line is not None
    assert (line.silent, line.due_what, line.departing) == (False, "visit", True)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_two_copies_at_the_same_moment_ask_once(world: World, clock: StoppedClock, pair: tuple[str, str, str]) -> None:
    clock.pass_time(60 * DAY)
    done: list[int] = []

    def other() -> None:
        with world.database.write() as session:
            done.append(silence.ask(session, [pair[0]]))

    thread = threading.Thread(target=other)
    with world.database.write() as session:
        assert silence.ask(session, [pair[0]]) == 1
        session.flush()
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "it did not wait for the other"
    thread.join(10)
    assert (done, len(rows(world))) == ([0], 1)
