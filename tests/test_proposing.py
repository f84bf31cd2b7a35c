"""From the ledger and the volunteers to stored proposals, on both databases."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from config.catalogue import rules
from models import proposing
from models.audit import AuditEntry
from models.beneficiary import MACHINE, BeneficiaryError
from models.database import Database
from models.proposal import MatchingRun, Proposal
from models.proposing import Candidate, propose_for, run, why_nobody
from tests.conftest import StoppedClock
from tests.pairable import COUNTY, Pairable

TODAY = date(2026, 11, 22)


@pytest.fixture
def made(database: Database) -> Pairable:
    return Pairable(database)


def proposals(database: Database, state: str = "new") -> dict[str, Proposal]:
    with database.read() as session:
        query = select(Proposal).where(Proposal.state == state).order_by(col(Proposal.made_at))
        return {row.beneficiary_id: row for row in session.exec(query)}


def matched(database: Database, region: str = COUNTY) -> dict[str, str | None]:
    """Who was proposed to whom, after a run by the machine."""
    run(database, region, MACHINE)
    return {key: row.person_id for key, row in proposals(database).items()}


def best_for(database: Database, key: str, count: int = 3) -> list[Candidate]:
    with database.read() as session:
        return propose_for(session, key, count)


def reason_of(database: Database, key: str) -> list[Any]:
    with database.read() as session:
        return why_nobody(session, key)


def test_a_run_stores_a_proposal_for_everybody_with_its_reasons(database: Database, made: Pairable) -> None:
    near = made.listed(longitude=113.35, latitude=23.13, town="五山街道")
    signing = made.listed(language="sign")
    here = made.volunteer(longitude=113.36, latitude=23.13, town="五山")
    done = run(database, COUNTY, MACHINE)
    assert done.counts == {"waiting": 2, "matched": 1, "left": 1, "why": {"no_sign_language_near": 1}}
    found = proposals(database)
    assert (found[near].person_id, found[near].team_id, found[near].run_id) == (here, None, done.id)
    assert found[near].reasons == [
        ["same_town", {}],
        ["distance_km", {"km": 1.0}],
        ["service", {"keys": ["study"]}],
        ["load", {"count": 0}],
    ]
    assert found[near].cost > 0
    assert found[signing].person_id is None
    assert found[signing].reasons == [["no_sign_language_near", {"count": 1}]]


def test_who_does_not_wait_is_not_proposed(database: Database, made: Pairable) -> None:
    helper = made.volunteer()
    waiting = made.listed()
    other = made.listed(agreed=False)
    made.agreed(other, kind="visits")
    withdrawn = made.listed(agreed=False)
    made.agreed(withdrawn, withdrawn_at=made.database.clock.now())
    made.listed(status="moved")
    made.listed(row={"merged_into": waiting})
    made.listed(county="440105")
    for state in ("open", "agreeing"):
        made.stint(made.listed(), made.clerk, state=state)
    for state in ("waiting", "later"):
        made.offer(made.listed(), made.clerk, state)
    assert matched(database) == {waiting: helper}


@pytest.mark.parametrize("part", ["co", "substitute"])
def test_whom_somebody_serves_beside_the_lead_still_waits(database: Database, made: Pairable, part: str) -> None:
    key = made.listed()
    made.stint(key, made.clerk, part=part)
    made.offer(key, made.clerk, "declined")
    helper = made.volunteer()
    assert matched(database) == {key: helper}


def test_who_may_not_serve_is_not_proposed(database: Database, made: Pairable) -> None:
    key = made.listed()
    good = made.volunteer()
    for status in ("waiting_guardian", "paused_guardian", "ended"):
        made.volunteer(status=status)
    made.volunteer(birth_date=date(2008, 11, 23))
    made.volunteer(person={"paused_until": TODAY})
    made.volunteer(person={"deleted_at": database.clock.now()})
    made.volunteer(county="440105")
    full = made.volunteer()
    for _one in range(rules().pairing.per_volunteer):
        made.stint(made.listed(), full)
    asked = made.volunteer()
    made.stint(made.listed(), asked, state="agreeing")
    made.offer(made.listed(), asked, "waiting")
    assert [one.person_id for one in best_for(database, key, 9)] == [good]


def test_of_age_is_whoever_has_the_birthday_today_and_a_pause_ends_with_its_day(
    database: Database, made: Pairable
) -> None:
    key = made.listed()
    wanted = {
        made.volunteer(birth_date=date(2008, 11, 22)),
        made.volunteer(person={"paused_until": date(2026, 11, 21)}),
    }
    assert {one.person_id for one in best_for(database, key)} == wanted


def test_a_load_is_told_and_ended_stints_and_refusals_are_none(database: Database, made: Pairable) -> None:
    key, busy = made.listed(), made.volunteer()
    made.stint(made.listed(), busy)
    made.stint(made.listed(), busy, state="ended", ended_why="term")
    made.stint(made.listed(), busy, part="co")
    made.offer(made.listed(), busy, "declined")
    [found] = best_for(database, key)
    assert found.reasons[-1] == ["load", {"count": 1}]


def test_who_declined_or_is_asked_or_was_turned_down_is_not_proposed_again(database: Database, made: Pairable) -> None:
    key = made.listed()
    for state in ("declined", "overdue"):
        made.offer(key, made.volunteer(), state)
    turned_down = made.volunteer()
    assert matched(database) == {key: turned_down}
    with database.write() as session:
        row = session.get_one(Proposal, proposals(database)[key].id)
        row.state = "refused"
        session.add(row)
    made.offer(key, made.volunteer(), "waiting")
    assert best_for(database, key) == []
    assert reason_of(database, key) == [["all_refused", {"count": 4}]]
    free = made.volunteer()
    made.offer(key, free, "taken")
    assert [one.person_id for one in best_for(database, key)] == [free]


@pytest.mark.parametrize(
    ("why", "again"),
    [("term", True), ("gone", True), ("back", True), ("objected", False), ("stopped", False), ("relayed", False)],
)
def test_the_former_one_comes_again_only_where_nothing_was_wrong(
    database: Database, made: Pairable, why: str, again: bool
) -> None:
    key, former = made.listed(), made.volunteer()
    made.stint(key, former, state="ended", ended_why=why)
    assert bool(best_for(database, key)) == again


def test_a_successor_is_somebody_else(database: Database, made: Pairable) -> None:
    key, now, other = made.listed(), made.volunteer(), made.volunteer()
    made.stint(key, now)
    assert [one.person_id for one in best_for(database, key)] == [other]


def test_nobody_is_proposed_to_oneself(database: Database, made: Pairable) -> None:
    both = made.volunteer()
    key = made.listed(row={"person_id": both})
    assert reason_of(database, key) == [["all_refused", {"count": 1}]]


@pytest.mark.parametrize("skilled", [{"skills": ["sign_language"]}, {"languages": ["sign"]}])
def test_signing_is_a_language_or_a_skill(database: Database, made: Pairable, skilled: dict[str, Any]) -> None:
    key = made.listed(language="sign")
    made.volunteer()
    signs = made.volunteer(**skilled)
    [found] = best_for(database, key)
    assert found.person_id == signs
    assert ["language", {"key": "sign"}] in found.reasons


def test_a_wish_for_a_woman_or_a_man_is_kept(database: Database, made: Pairable) -> None:
    key = made.listed(sex_wanted="male")
    made.volunteer()
    made.volunteer(sex=None)
    assert reason_of(database, key) == [["sex_wanted", {"sex": "male", "count": 2}]]
    man = made.volunteer(sex="male")
    assert [one.person_id for one in best_for(database, key)] == [man]


@pytest.mark.parametrize("born", [date(2008, 11, 23), None])
def test_a_lapsed_clearance_keeps_from_minors(database: Database, made: Pairable, born: date | None) -> None:
    key = made.listed(birth_date=born)
    made.volunteer(cleared_until=TODAY - timedelta(days=1))
    assert reason_of(database, key) == [["no_clearance", {"count": 1}]]
    good = {made.volunteer(cleared_until=TODAY), made.volunteer()}
    assert {one.person_id for one in best_for(database, key)} == good


# --- teams and helpers ---


def test_a_team_serves_by_its_leader_with_what_its_grown_up_members_can(database: Database, made: Pairable) -> None:
    key = made.listed(language="sign", sex_wanted="male")
    leader = made.volunteer()
    man = made.volunteer(sex="male", services=[], county="440105")
    signs = made.volunteer(skills=["sign_language"])
    team = made.team(man, signs, leader=leader, region="4401")
    [found] = best_for(database, key)
    assert (found.person_id, found.team_id) == (leader, team)
    assert found.reasons[0] == ["team_area", {}]


def test_a_team_without_a_grown_up_leader_or_free_places_or_that_ended_is_none(
    database: Database, made: Pairable
) -> None:
    key = made.listed()
    member = made.volunteer(county="440105")
    made.team(member)
    made.team(member, leader=made.volunteer(birth_date=date(2010, 1, 1)))
    made.team(leader=member, ended_at=database.clock.now())
    full = made.team(leader=member, capacity=1)
    made.stint(made.listed(), team=full)
    asked = made.team(leader=member, capacity=1)
    made.offer(made.listed(), member, "waiting", asked)
    assert best_for(database, key) == []
    good = made.team(leader=member, capacity=1)
    assert [one.team_id for one in best_for(database, key)] == [good]


def test_a_team_that_was_refused_is_not_proposed_but_its_leader_alone_may_be(
    database: Database, made: Pairable
) -> None:
    key, leader = made.listed(), made.volunteer()
    team = made.team(leader=leader)
    made.offer(key, leader, "declined", team)
    assert [one.team_id for one in best_for(database, key)] == [None]


def test_members_of_the_team_that_served_before_go_first(database: Database, made: Pairable) -> None:
    key = made.listed()
    others = [made.volunteer() for _one in range(3)]
    former, member = made.volunteer(status="ended"), made.volunteer()
    team = made.team(member, former)
    made.stint(key, former, team, state="ended", ended_why="graduation")
    found = best_for(database, key, 9)
    assert found[0].person_id == member
    assert ["continuity", {}] in found[0].reasons
    assert {one.person_id for one in found} == {member, *others}


def test_regions_and_teams_that_help_are_candidates_and_say_so(database: Database, made: Pairable) -> None:
    key = made.listed(county="445281")
    away = made.volunteer(county=COUNTY)
    assert best_for(database, key) == []
    made.helps("4401", "4452", ended_at=database.clock.now())
    assert best_for(database, key) == []
    made.helps("4401", "4452")
    assert [(one.person_id, one.reasons[0]) for one in best_for(database, key)] == [(away, ["helping_region", {}])]
    team = made.team(leader=away, region="310101", helps="445281")
    assert [one.team_id for one in best_for(database, key)] == [None, team]
    assert matched(database, "4452")[key] == away


# --- runs ---


def test_a_second_run_makes_the_first_ones_proposals_stale(
    database: Database, made: Pairable, clock: StoppedClock
) -> None:
    stays, leaves = made.listed(), made.listed()
    helper = made.volunteer()
    run(database, COUNTY, MACHINE)
    clock.pass_time(timedelta(minutes=1))
    made.stint(leaves, made.clerk)
    second = run(database, "4401", MACHINE)
    found = proposals(database)
    assert list(found) == [stays]
    assert (found[stays].run_id, found[stays].person_id) == (second.id, helper)
    assert set(proposals(database, "stale")) == {stays, leaves}


def test_what_a_specialist_decided_stays(database: Database, made: Pairable) -> None:
    key = made.listed()
    run(database, COUNTY, MACHINE)
    with database.write() as session:
        row = session.get_one(Proposal, proposals(database)[key].id)
        row.state = "offered"
        session.add(row)
    run(database, COUNTY, MACHINE)
    assert len(proposals(database, "offered")) == len(proposals(database)) == 1


def test_whoever_found_somebody_while_it_was_computed_gets_no_proposal(
    database: Database, made: Pairable, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, helper = made.listed(), made.volunteer()
    known = proposing._matched

    def slow(*given: Any) -> Any:
        rows = known(*given)
        made.offer(key, helper, "waiting")  # no lock is held: this goes through
        return rows

    monkeypatch.setattr(proposing, "_matched", slow)
    assert run(database, COUNTY, MACHINE).counts["waiting"] == 0
    assert proposals(database) == {}


def test_a_province_goes_county_by_county_and_gives_nobody_away_twice(
    database: Database, made: Pairable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two counties share a helper with one place left, whether they are matched together or one after the other."""
    helper = made.volunteer(county="440303")
    made.stint(made.listed(county="440303"), helper)
    keys = [made.listed(county="440105"), made.listed(county="440106"), made.listed(county="440303")]
    made.helps("4403", "4401")
    seen: list[list[str]] = []
    known = proposing._matched

    def noting(database: Database, counties: list[str], used: Any) -> Any:
        seen.append(counties)
        return known(database, counties, used)

    monkeypatch.setattr(proposing, "_matched", noting)
    for most, blocks in ((100, [["440105", "440106", "440303"]]), (1, [["440105"], ["440106"], ["440303"]])):
        monkeypatch.setattr(proposing, "MOST_TOGETHER", most)
        seen.clear()
        found = matched(database, "44")
        assert sorted(found) == sorted(keys)
        assert [one for one in found.values() if one] == [helper]
        assert seen == blocks


def test_counties_that_share_nobody_are_matched_apart(database: Database, made: Pairable) -> None:
    made.team(leader=made.volunteer(), region="440105")
    with database.read() as session:
        assert proposing._blocks(session, {"440105": 3, "440106": 4}) == [(["440105"], 3), (["440106"], 4)]


def test_more_people_than_a_slice_holds_are_all_stored_and_progress_is_told(
    database: Database, made: Pairable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposing, "SLICE", 2)
    keys = {made.listed() for _one in range(5)}
    heard: list[tuple[int, int]] = []
    run(database, COUNTY, MACHINE, lambda done, total: heard.append((done, total)))
    assert set(proposals(database)) == keys
    assert heard == [(2, 5), (4, 5), (5, 5)]


def test_only_those_who_answer_for_the_region_may_run_it_and_it_is_noted(database: Database, made: Pairable) -> None:
    key = made.listed()
    near, city, elsewhere = made.in_charge(COUNTY, "specialist"), made.in_charge("4401"), made.in_charge("4403")
    for by, region in ((elsewhere, COUNTY), (near, "4401"), (made.clerk, COUNTY), (MACHINE, "999999")):
        with pytest.raises(BeneficiaryError, match="scope"):
            run(database, region, by)
    with database.read() as session, pytest.raises(BeneficiaryError, match="scope"):
        propose_for(session, key, by=elsewhere)
    with database.read() as session:
        assert propose_for(session, key, by=near) == []
        assert not session.exec(select(MatchingRun)).all()
    for by, region in ((near, COUNTY), (city, "440100"), (MACHINE, "44")):
        done = run(database, region, by)
        with database.read() as session:
            [noted] = session.exec(select(AuditEntry).where(AuditEntry.subject == done.id))
        assert (noted.actor, noted.action) == (by, "matching.run")
        assert noted.details == {"region": done.region, "waiting": 1, "matched": 0, "left": 1}


def test_a_proposal_holds_nothing_that_tells_who_it_is(database: Database, made: Pairable) -> None:
    key = made.listed(language="sign", note="某某病", address="某某路1号", kind=3)
    made.volunteer(skills=["sign_language"])
    run(database, COUNTY, MACHINE)
    told = str(proposals(database)[key].reasons)
    assert "某某" not in told
    assert set(told) <= set("abcdefghijklmnopqrstuvwxyz_0123456789.[]{}', :")


def test_runs_at_the_same_moment_leave_one_proposal_each(database: Database, made: Pairable) -> None:
    made.listed()
    for _run in range(2):
        run(database, COUNTY, MACHINE)
    with database.read() as session:
        assert sorted(row.state for row in session.exec(select(Proposal))) == ["new", "stale"]
