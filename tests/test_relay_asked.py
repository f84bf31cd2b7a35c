"""A whole team's pairings handed over beside the turns: in slices, once each, and told of at the end."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select

from handlers import notices
from models import agreement, relaying, relaying_asked, relaying_teams
from models.audit import AuditEntry
from models.database import Database
from models.offer import Offer
from models.outbox import OutboxMessage
from models.pairing import Stint
from models.person import Person
from models.relay import Relay
from models.relaying_teams import Batch
from models.stints import StintError
from models.team import Team
from scheduler import jobs
from tests.conftest import StoppedClock
from tests.pairing_world import World

LAST = date(2026, 12, 31)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


class Group:
    """A team of two, one of whom has a pairing alone, and who answers for the county."""

    def __init__(self, world: World, count: int) -> None:
        self.world, self.boss = world, world.specialist()
        self.leader, self.member = world.volunteers(2)
        self.team = world.team(self.leader, members=(self.member,), capacity=500)
        self.stints = [world.paired(world.beneficiary(), self.leader, self.boss, self.team) for _ in range(count - 1)]
        self.stints.append(world.paired(world.beneficiary(), self.member, self.boss))

    def ask(self, last_day: date = LAST, to: str | None = None, keeper: str | None = None) -> str:
        with self.world.database.write() as session:
            team, other = session.get_one(Team, self.team), session.get(Team, to) if to else None
            return relaying_asked.ask(session, team, "graduation", last_day, self.boss, keeper=keeper, to=other)

    def became(self, batch: str) -> Batch:
        with self.world.database.read() as session:
            found = relaying_asked.asked_for(session, batch)
            assert found is not None and found.done is not None and found.looked_at == found.total
            return found.done

    def relays(self) -> list[Relay]:
        with self.world.database.read() as session:
            return list(session.exec(select(Relay).order_by(col(Relay.id))))


def slice_of(world: World, batch: str, **more: bool) -> bool:
    return world.do(relaying_asked.go_on, batch, **more)


def test_what_was_asked_is_done_by_the_job_and_told_with_its_counts(world: World) -> None:
    group, keeper = Group(world, 12), world.specialist()
    world.do(relaying.begin, group.stints[0], "stopped", LAST, group.leader)
    batch = group.ask(keeper=keeper)
    assert len(group.relays()) == 1, "the turn writes down alone"
    assert group.ask(keeper=keeper) == batch, "the same wish waits already"
    assert world.run(jobs.hand_over_teams) == 1
    assert world.run(jobs.hand_over_teams) == 0
    assert {row.stint_id for row in group.relays()} == set(group.stints)
    assert {row.keeper_id for row in group.relays()} == {keeper}
    assert group.became(batch) == Batch(batch, 11, 1, 0)
    assert world.told(group.boss).count("notice.team_relay") == 1
    with world.database.read() as session:
        person = session.get_one(Person, group.boss)
        said = notices.words(session, person, "notice.team_relay", {"batch": batch}, again=False)
    assert said is not None and "11" in said.text and "有 1 个以前就在交接" in said.text


def test_the_other_teams_leader_is_asked_about_each(world: World) -> None:
    group = Group(world, 11)
    other = world.team(world.volunteer(), capacity=8)
    batch = group.ask(to=other)
    world.run(jobs.hand_over_teams)
    done = group.became(batch)
    assert (done.begun, done.offered, done.not_offered) == (11, 11, 0)
    with world.database.read() as session:
        assert {row.team_id for row in session.exec(select(Offer).where(Offer.made_by == group.boss))} >= {other}


def test_after_a_crash_it_goes_on_behind_what_was_done(world: World) -> None:
    group = Group(world, 21)
    batch = group.ask()
    assert slice_of(world, batch)
    first = group.relays()
    assert len(first) == relaying_asked.SLICE
    world.do(relaying.cancel, first[0].id, group.boss)
    later = world.paired(world.beneficiary(), world.volunteer(), group.boss)
    with pytest.raises(ZeroDivisionError), world.database.write() as session:
        relaying_asked.go_on(session, batch)
        raise ZeroDivisionError
    assert len(group.relays()) == relaying_asked.SLICE, "what was not committed was not done"
    world.run(jobs.hand_over_teams)
    rows = group.relays()
    assert len(rows) == 21 and later not in {row.stint_id for row in rows}
    assert [row.state for row in rows if row.id == first[0].id] == ["cancelled"], "what was undone stays undone"
    assert group.became(batch).begun == 21
    assert not slice_of(world, batch)


def test_what_ended_meanwhile_and_a_role_that_ended_count_as_left(world: World) -> None:
    group = Group(world, 12)
    batch = group.ask()
    world.do(agreement.end, group.stints[3], "specialist", group.boss)
    slice_of(world, batch)
    world.end_roles(group.boss)
    world.run(jobs.hand_over_teams)
    assert group.became(batch) == Batch(batch, 10, 0, 2)


def test_a_pairing_that_fails_keeps_nobody_elses_from_being_begun(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Group(world, 12)
    batch, hand_over = group.ask(), relaying_teams.hand_over

    def failing(session: Session, stints: list[Stint], *told: object, **more: object) -> Batch:
        if any(one.id == group.stints[5] for one in stints):
            raise ZeroDivisionError
        return hand_over(session, stints, *told, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(relaying_asked, "hand_over", failing)
    world.run(jobs.hand_over_teams)
    assert group.became(batch) == Batch(batch, 11, 0, 1)


def test_whoever_is_responsible_hears_of_all_of_them_at_once(world: World, clock: StoppedClock) -> None:
    group = Group(world, 11)
    group.ask()
    world.run(jobs.hand_over_teams)
    with world.database.read() as session:
        due = session.exec(select(OutboxMessage.due_at).where(OutboxMessage.kind == "notice.relay")).all()
    assert set(due) == {clock.at + relaying_asked.TOLD_AFTER}


@pytest.mark.parametrize("last_day", [date(2026, 11, 1), date(2029, 1, 1)])
def test_a_day_that_cannot_be_is_refused_at_once(world: World, last_day: date) -> None:
    group = Group(world, 2)
    with pytest.raises(StintError, match="day"):
        group.ask(last_day)


def test_a_slice_takes_no_more_statements_however_large_the_team_is(world: World) -> None:
    def taken(count: int) -> int:
        batch = Group(world, count).ask()
        seen = list[str]()
        with world.database.write() as session:
            listen = lambda *args: seen.append(args[2])  # noqa: E731
            event.listen(session.get_bind(), "before_cursor_execute", listen)
            relaying_asked.go_on(session, batch)
            event.remove(session.get_bind(), "before_cursor_execute", listen)
        return len(seen)

    assert taken(11) == taken(31) <= 320


def test_how_far_it_came_stands_in_the_audit_trail_without_words(world: World) -> None:
    group = Group(world, 11)
    batch = group.ask()
    world.run(jobs.hand_over_teams)
    with world.database.read() as session:
        rows = session.exec(select(AuditEntry).where(AuditEntry.subject == batch)).all()
    assert [row.details["looked_at"] for row in rows] == [10, 11]
