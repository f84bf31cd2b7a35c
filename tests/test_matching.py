"""Matching on arrays: every rule is kept, the result is the best one, and whoever gets nobody is told why."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from math import asin, cos, inf, isnan, nan, radians, sin, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from config.matching import Costs, weights
from config.services import catalogue
from models.matching import best, columns, greedy, match, shortlist, total
from models.matching_near import MOST, candidates
from models.matching_sets import (
    CLEARED,
    EARTH_KM,
    FEMALE,
    LAPSED,
    MALE,
    UNCLEARED,
    Helping,
    Places,
    Terms,
    Waiting,
    as_arrays,
    bits,
    names_of,
)

COUNTY = 440106
SERVICES, SKILLS = ("study", "legal", "care"), ("law", "sign_language", "education")
LANGUAGES = ("mandarin", "cantonese", "sign")
STUDY, LEGAL, CARE = 1, 2, 4
LAW, SIGNING, EDUCATION = 1, 2, 4
CANTONESE, SIGN = 1, 2  # numbers of languages
COSTS = Costs(
    km=1,
    same_town=2,
    same_county=8,
    team_area=8,
    helping_region=20,
    need_unserved=6,
    skill_missing=4,
    language_missing=8,
    load=4,
    newcomer=5,
)
TERMS = Terms(
    15.0,
    False,
    SERVICES,
    SKILLS,
    LANGUAGES,
    ((LEGAL, LAW, False), (STUDY, EDUCATION, False)),
    1 << SIGN,
    COSTS,
    np.zeros((0, 2), np.int64),
)
SOMEBODY: dict[str, Any] = {
    "latitude": nan,
    "longitude": nan,
    "county": COUNTY,
    "town": -1,
    "needs": STUDY,
    "language": -1,
    "sex_wanted": 0,
    "minor": False,
    "person": -1,
    "team": -1,
}
A_PLACE: dict[str, Any] = {
    "latitude": nan,
    "longitude": nan,
    "low": COUNTY,
    "high": COUNTY,
    "town": -1,
    "travel_km": nan,
    "skills": 0,
    "services": STUDY,
    "languages": 1,
    "sexes": FEMALE,
    "load": 0,
    "free": 1,
    "capacity": 2,
    "minor": False,
    "cleared": UNCLEARED,
    "person": -2,
}


def people(*rows: dict[str, Any]) -> Waiting:
    """Everybody waiting; each row says what is not usual."""
    return as_arrays(Waiting, {name: [{**SOMEBODY, **row}[name] for row in rows] for name in SOMEBODY})


def free(*rows: dict[str, Any], members: Any = (), helping: tuple[Helping, ...] = ()) -> Places:
    """The free places, likewise; everybody is another person."""
    numbered = [{**A_PLACE, "person": 1000 + at, **row} for at, row in enumerate(rows)]
    made = {name: [row[name] for row in numbered] for name in A_PLACE}
    return as_arrays(Places, made | {"members": members, "helping": helping})


def refusing(*pairs: tuple[int, int], **more: Any) -> Terms:
    return replace(TERMS, refused=np.array(pairs, np.int64).reshape(-1, 2), **more)


def north(km: float) -> dict[str, float]:
    """A place so far north of the one of the tests."""
    return {"latitude": 23.0 + km * 180 / np.pi / EARTH_KM, "longitude": 113.0}


HERE = north(0)


def proposed(waiting: Waiting, places: Places, terms: Terms = TERMS) -> list[int]:
    return match(waiting, places, terms).place.tolist()


def why(waiting: Waiting, places: Places, terms: Terms = TERMS) -> list[tuple[str, dict[str, Any]]]:
    return match(waiting, places, terms).reasons[0]


def codes(waiting: Waiting, places: Places, terms: Terms = TERMS) -> list[str]:
    return [code for code, _params in why(waiting, places, terms)]


# --- by place ---


def test_the_nearer_one_is_proposed_and_the_distance_is_told() -> None:
    places = free(north(5), north(1.234))
    assert proposed(people(HERE), places) == [1]
    assert ("distance_km", {"km": 1.2}) in why(people(HERE), places)


@pytest.mark.parametrize(("travel", "km", "found"), [(nan, 14.9, 0), (nan, 15.1, -1), (3, 3.01, -1), (50, 49, 0)])
def test_nobody_is_asked_to_go_farther_than_they_said(travel: float, km: float, found: int) -> None:
    assert proposed(people(HERE), free({**north(km), "travel_km": travel})) == [found]


def test_a_far_one_who_travels_is_found_behind_many_near_ones_who_do_not() -> None:
    near = [{**north(2), "travel_km": 1} for _one in range(2 * MOST)]
    assert proposed(people(HERE), free(*near, {**north(20), "travel_km": 50})) == [2 * MOST]


def test_each_distance_that_people_travel_has_its_own_nearest() -> None:
    places = free({**north(2), "travel_km": 3}, {**north(40), "travel_km": 50}, north(9))
    found, _costs, _reasons = shortlist(people(HERE), places, TERMS, 9)
    assert found.tolist() == [0, 2, 1]


def test_where_a_coordinate_is_lacking_the_town_and_then_the_county_decide() -> None:
    waiting = people({"town": 7})
    places = free({"town": 8, **HERE}, {"town": 7, **north(40)})
    assert proposed(waiting, places) == [1]
    assert codes(waiting, places)[0] == "same_town"
    told = why(waiting, free({"town": 8, **HERE}))
    assert told[0] == ("same_county", {})
    assert not any("km" in params for _code, params in told)


def test_nobody_of_another_county_is_proposed_unless_it_helps() -> None:
    other = {**north(1), "low": 440105, "high": 440105}
    assert proposed(people(HERE), free(other)) == [-1]
    helping = (Helping(np.array([0]), 440100, 440199),)
    assert codes(people(HERE), free(other, helping=helping))[:2] == ["distance_km", "helping_region"]
    far = {**north(900), "low": 310101, "high": 310101}
    assert codes(people(HERE), free(far, helping=helping))[0] == "helping_region"


def test_a_team_serves_its_whole_region() -> None:
    team = {"low": 440100, "high": 440199}
    assert codes(people({}), free(team))[0] == "team_area"
    assert proposed(people({"county": 440200}), free(team)) == [-1]


def test_the_candidates_of_one_person_are_fifty_at_most() -> None:
    waiting, places = people(HERE, {}), free(*(north(at / 50) for at in range(120)))
    edges, _costs = candidates(waiting, places, TERMS, np.arange(2), np.zeros(120, np.int64))
    assert np.bincount(edges.waiting).tolist() == [MOST, MOST]
    assert sorted(edges.place[edges.waiting == 0].tolist()) == list(range(MOST))


# --- hard rules, and why nobody is found ---

NEAR15 = {"km": 15.0}


@pytest.mark.parametrize(
    ("somebody", "place", "terms", "reason"),
    [
        ({}, {"low": 440105, "high": 440105}, TERMS, ("no_volunteer_near", {})),
        (HERE, north(16), TERMS, ("no_volunteer_near", NEAR15)),
        ({"language": SIGN, **HERE}, HERE, TERMS, ("no_sign_language_near", {"count": 1, **NEAR15})),
        ({"language": SIGN}, {}, TERMS, ("no_sign_language_near", {"count": 1})),
        (
            {"language": CANTONESE},
            {},
            refusing(hard_languages=1 << CANTONESE),
            ("no_language_near", {"key": "cantonese", "count": 1}),
        ),
        ({"sex_wanted": MALE}, {"sexes": FEMALE}, TERMS, ("sex_wanted", {"sex": "male", "count": 1})),
        ({"sex_wanted": FEMALE}, {"sexes": 0}, TERMS, ("sex_wanted", {"sex": "female", "count": 1})),
        ({"minor": True}, {"cleared": LAPSED}, TERMS, ("no_clearance", {"count": 1})),
        ({"minor": True}, {}, refusing(clearance_for_minors=True), ("no_clearance", {"count": 1})),
        ({"needs": LEGAL}, {}, refusing(wishes=((LEGAL, LAW, True),)), ("no_skill", {"count": 1})),
        ({}, {"minor": True}, TERMS, ("only_minors", {"count": 1})),
        ({}, {"free": 0, "load": 2}, TERMS, ("all_full", {"count": 1})),
        ({"person": 1000}, {}, TERMS, ("all_refused", {"count": 1})),
        ({}, {}, refusing((0, 0)), ("all_refused", {"count": 1})),
    ],
)
def test_a_hard_rule_leaves_nobody_and_is_told(
    somebody: dict[str, Any], place: dict[str, Any], terms: Terms, reason: tuple[str, dict[str, Any]]
) -> None:
    result = match(people(somebody), free(place), terms)
    assert result.place.tolist() == [-1]
    assert result.reasons == [[reason]]
    assert isnan(result.cost[0])


@pytest.mark.parametrize(
    ("somebody", "place", "terms"),
    [
        ({"language": SIGN}, {"languages": 1 << SIGN}, TERMS),
        ({"language": CANTONESE}, {}, TERMS),
        ({"sex_wanted": MALE}, {"sexes": MALE | FEMALE}, TERMS),
        ({"minor": True}, {"cleared": UNCLEARED}, TERMS),
        ({"minor": True}, {"cleared": CLEARED}, refusing(clearance_for_minors=True)),
        ({"minor": False}, {"cleared": LAPSED}, refusing(clearance_for_minors=True)),
        ({"needs": LEGAL}, {"skills": LAW}, refusing(wishes=((LEGAL, LAW, True),))),
        ({"needs": LEGAL}, {}, TERMS),
        ({"person": -1}, {"person": -1}, TERMS),
    ],
)
def test_who_keeps_the_rule_is_proposed(somebody: dict[str, Any], place: dict[str, Any], terms: Terms) -> None:
    assert proposed(people(somebody), free(place), terms) == [0]


def test_the_first_rule_that_left_nobody_is_told_with_how_many_there_were_before_it() -> None:
    waiting = people({"language": SIGN, "sex_wanted": MALE})
    places = free({}, {"languages": 4}, {"languages": 4}, {"minor": True})
    assert why(waiting, places) == [("sex_wanted", {"sex": "male", "count": 2})]


def test_whoever_comes_too_late_for_the_only_one_is_told_that_all_are_full() -> None:
    result = match(people({"town": 1}, {}), free({"town": 1}), TERMS)
    assert result.place.tolist() == [0, -1]
    assert result.reasons[1] == [("all_full", {"count": 1})]


def test_without_any_place_or_anybody_waiting_there_is_nothing_to_do() -> None:
    assert proposed(people({}, HERE), free()) == [-1, -1]
    assert proposed(people(), free({})) == []


# --- costs ---


@pytest.mark.parametrize(
    ("somebody", "better", "worse", "code"),
    [
        ({"needs": STUDY}, {"services": STUDY}, {"services": CARE}, "service"),
        ({"needs": LEGAL}, {"services": 0, "skills": LAW}, {"services": 0}, "skill"),
        ({"language": CANTONESE}, {"languages": 3}, {"languages": 1}, "language"),
        ({}, {"load": 0}, {"load": 1}, "load"),
    ],
)
def test_who_fits_better_is_proposed_and_it_says_why(
    somebody: dict[str, Any], better: dict[str, Any], worse: dict[str, Any], code: str
) -> None:
    for places, place in ((free(better, worse), 0), (free(worse, better), 1)):
        assert proposed(people(somebody), places) == [place]
        assert code in codes(people(somebody), places)


@pytest.mark.parametrize("somebody", [{"team": 3}, {"team": 3, **HERE}])
def test_a_member_of_the_team_that_served_before_goes_first(somebody: dict[str, Any]) -> None:
    places = free(*({} for _one in range(2 * MOST)), members=[(70, 3), (71, 4)])
    assert proposed(people(somebody), places) == [70]
    few = free(HERE, HERE, HERE, members=[(2, 3)])
    assert proposed(people(somebody), few) == [2]
    assert "continuity" in codes(people(somebody), few)


def test_a_load_is_shared() -> None:
    places = free({"free": 2}, {"free": 2}, {"free": 2})
    assert sorted(proposed(people({}, {}, {}), places)) == [0, 1, 2]


def test_more_people_come_before_shorter_ways() -> None:
    waiting = people(HERE, {**north(-10)})
    places = free({**north(0.1)}, {**north(14), "free": 1})
    # The near one alone can reach the second; the first must go to the far one.
    assert proposed(waiting, places) == [1, 0]
    edges, price = candidates(waiting, places, TERMS, np.arange(2), np.zeros(2, np.int64))
    made = columns(places, edges, price, TERMS, np.zeros(2, np.int64))
    assert len(best(made)) == 2
    assert len(greedy(made)) == 1


def test_a_team_takes_as_many_as_it_has_places_for() -> None:
    result = match(people(*({} for _one in range(40))), free({"free": 25, "capacity": 30}), TERMS)
    assert sorted(result.place.tolist()) == [-1] * 15 + [0] * 25


def test_many_who_all_fit_the_same_few_are_spread_over_everybody_free() -> None:
    """More volunteers than candidates are looked at, and each has one place: nobody is left for that."""
    waiting = people(*({"needs": 1 + at % 3} for at in range(150)))
    places = free(*({} for _one in range(150)))
    edges, _costs = candidates(waiting, places, TERMS, np.arange(150), np.zeros(150, np.int64))
    assert set(edges.place.tolist()) == set(range(150))
    assert sorted(proposed(waiting, places)) == list(range(150))


def test_the_best_few_for_one_person_come_in_their_order() -> None:
    places, costs, reasons = shortlist(people(HERE), free(north(5), north(1), north(3), north(20)), TERMS, 2)
    assert places.tolist() == [1, 2]
    assert costs[0] < costs[1]
    assert ("distance_km", {"km": 3.0}) in reasons[1]


# --- any people, any places ---


def _pick(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


_SPOTS = _pick({}, HERE, north(1), north(4), north(12), north(30))
_WHO = st.builds(
    lambda spot, **row: {**spot, **row},
    _SPOTS,
    county=_pick(COUNTY, COUNTY, 440105),
    town=_pick(-1, 1, 2),
    needs=st.integers(0, 7),
    language=_pick(-1, -1, CANTONESE, SIGN),
    sex_wanted=_pick(0, 0, FEMALE, MALE),
    minor=st.booleans(),
    person=_pick(-1, -1, 1000, 1001),
    team=_pick(-1, 0, 1),
)
_PLACE = st.builds(
    lambda spot, where, capacity, load, **row: {
        **spot,
        **dict(zip(("low", "high"), where, strict=True)),
        "capacity": capacity,
        "load": load,
        "free": max(capacity - load, 0),
        **row,
    },
    _SPOTS,
    _pick((COUNTY, COUNTY), (440105, 440105), (440100, 440199)),
    st.integers(1, 3),
    st.integers(0, 3),
    town=_pick(-1, 1, 2),
    travel_km=_pick(nan, 1, 5, 20),
    skills=st.integers(0, 7),
    services=st.integers(0, 7),
    languages=st.integers(0, 7),
    sexes=st.integers(0, 3),
    minor=_pick(False, False, False, True),
    cleared=_pick(LAPSED, UNCLEARED, CLEARED),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Waiting, Places, Terms]:
    who, where = draw(st.lists(_WHO, min_size=1, max_size=9)), draw(st.lists(_PLACE, max_size=7))
    index = st.integers(0, max(len(where) - 1, 0))
    members = draw(st.lists(st.tuples(index, st.integers(0, 1)), max_size=4)) if where else []
    helping = draw(st.lists(st.builds(lambda at: Helping(np.array([at]), COUNTY, COUNTY), index), max_size=2))
    pairs = draw(st.lists(st.tuples(st.integers(0, len(who) - 1), index), max_size=4)) if where else []
    terms = refusing(
        *pairs,
        clearance_for_minors=draw(st.booleans()),
        wishes=((LEGAL, LAW, draw(st.booleans())), (STUDY, EDUCATION, False)),
    )
    return people(*who), free(*where, members=members, helping=tuple(helping) if where else ()), terms


def apart(waiting: Waiting, one: int, places: Places, at: int) -> float:
    """Kilometres by the haversine formula; NaN without coordinates."""
    lat, lon = radians(waiting.latitude[one]), radians(waiting.longitude[one])
    lat2, lon2 = radians(places.latitude[at]), radians(places.longitude[at])
    half = sin((lat2 - lat) / 2) ** 2 + cos(lat) * cos(lat2) * sin((lon2 - lon) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(half))


def cost_of(waiting: Waiting, one: int, places: Places, at: int, terms: Terms) -> float:
    """What the first free place costs, or inf where a rule forbids it: the rules told once more, a pair at a time."""
    county = waiting.county[one]
    home = places.low[at] <= county <= places.high[at]
    helps = any(at in helping.places and helping.low <= county <= helping.high for helping in places.helping)
    km = apart(waiting, one, places, at)
    limit = terms.near_km if isnan(places.travel_km[at]) else places.travel_km[at]
    language, needs = int(waiting.language[one]), int(waiting.needs[one])
    spoken = language < 0 or int(places.languages[at]) >> language & 1
    must_clear = CLEARED if terms.clearance_for_minors else UNCLEARED
    forbidden = (
        not (home or helps),
        home and not isnan(km) and km > limit * (1 + 1e-9),
        places.free[at] <= 0,
        places.minor[at],
        language == SIGN and not spoken,
        waiting.sex_wanted[one] and not waiting.sex_wanted[one] & places.sexes[at],
        waiting.minor[one] and places.cleared[at] < must_clear,
        waiting.person[one] == places.person[at],
        [one, at] in terms.refused.tolist(),
        any(hard and needs & need and not int(places.skills[at]) & skills for need, skills, hard in terms.wishes),
    )
    if any(forbidden):
        return inf
    cost = terms.cost
    if not isnan(km) and km <= limit * (1 + 1e-9):
        place = km * cost.km
    elif not home:
        place = cost.helping_region
    elif waiting.town[one] >= 0 and waiting.town[one] == places.town[at]:
        place = cost.same_town
    else:
        place = cost.team_area if places.low[at] < places.high[at] else cost.same_county
    wished = [skills for need, skills, _hard in terms.wishes if needs & need]
    lacking = [skills for skills in wished if not int(places.skills[at]) & skills]
    unserved = (needs & ~int(places.services[at])).bit_count() / max(needs.bit_count(), 1)
    before = waiting.team[one] < 0 or [at, waiting.team[one]] in places.members.tolist()
    return float(
        1
        + place
        + cost.need_unserved * unserved
        + (cost.skill_missing * len(lacking) / len(wished) if wished else 0)
        + (0 if spoken else cost.language_missing)
        + cost.load * places.load[at] / places.capacity[at]
        + (0 if before else cost.newcomer)
    )


@settings(max_examples=60)
@given(cases())
def test_the_result_is_the_best_that_the_rules_allow(case: tuple[Waiting, Places, Terms]) -> None:
    waiting, places, terms = case
    result = match(waiting, places, terms)
    single = np.array(
        [[cost_of(waiting, one, places, at, terms) for at in range(len(places))] for one in range(len(waiting))]
    )
    single = single.reshape(len(waiting), len(places))
    slots = [(at, copy) for at in range(len(places)) for copy in range(int(places.free[at]))]
    nobody = 1e6
    dense = np.full((len(waiting), len(slots) + len(waiting)), nobody)
    for number, (at, copy) in enumerate(slots):
        dense[:, number] = np.minimum(single[:, at] + terms.cost.load * copy / places.capacity[at], 1e9)
    rows, found = linear_sum_assignment(dense)
    best_cost = dense[rows, found].sum()
    given_away = np.bincount(result.place[result.place >= 0], minlength=len(places))
    assert (given_away <= places.free).all()
    for one, at in enumerate(result.place.tolist()):
        assert result.reasons[one], "everybody has a reason"
        assert at < 0 or single[one, at] < inf
    got = np.nansum(result.cost) + nobody * (result.place < 0).sum()
    assert got == pytest.approx(best_cost, rel=1e-9, abs=1e-6)
    for one in np.flatnonzero(result.place < 0).tolist():
        (code, _params), *more = result.reasons[one]
        assert not more
        assert (code == "all_full") == (np.isfinite(cost_of_full(waiting, one, places, terms)))


def cost_of_full(waiting: Waiting, one: int, places: Places, terms: Terms) -> float:
    """The least cost if nobody were full."""
    empty = replace(places, free=np.ones(len(places), np.int64))
    return min((cost_of(waiting, one, empty, at, terms) for at in range(len(places))), default=inf)


@settings(max_examples=60)
@given(cases())
def test_it_never_costs_more_than_taking_the_cheapest_pair_each_time(case: tuple[Waiting, Places, Terms]) -> None:
    waiting, places, terms = case
    none = np.zeros(len(places), np.int64)
    edges, price = candidates(waiting, places, terms, np.arange(len(waiting)), none)
    assume(len(edges))
    made = columns(places, edges, price, terms, none)
    for entries in (best(made), greedy(made)):
        assert len(set(made.row[entries].tolist())) == len(set(made.column[entries].tolist())) == len(entries)
    assert total(made, best(made)) <= total(made, greedy(made)) + 1e-6
    assert len(best(made)) >= len(greedy(made))


# --- what it is made of ---


def test_words_become_bits_and_back() -> None:
    numbered = {name: at for at, name in enumerate(SKILLS)}
    assert names_of(bits(["education", "law", "dropped"], numbered), SKILLS) == ("law", "education")
    assert bits(None, numbered) == 0


def test_the_weights_name_what_the_catalogue_has() -> None:
    known, ours = catalogue(), weights()
    assert set(ours.need) <= set(known.service)
    assert set(ours.language) <= set(known.language) - {"mandarin"}
    for wish in (*ours.need.values(), *ours.language.values()):
        assert wish.skills
        assert set(wish.skills) <= set(known.skill)
    assert ours.language["sign"].hard
    assert max(len(known.service), len(known.skill), len(known.language)) < 64


def test_the_program_starts_without_loading_numpy_and_scipy() -> None:
    code = "import sys, bot.cli; bot.cli.build(); import bot.app; print({'numpy', 'scipy'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
