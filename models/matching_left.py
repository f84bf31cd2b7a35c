"""Why nobody was found for somebody: the first rule that left no candidate, and how many there were before it."""

from __future__ import annotations

import numpy as np

from models.matching_near import at_home, is_helping, limits, on_sphere
from models.matching_rules import NEAR, Edges, cleared, is_refused, right_sex, skilled, speaks
from models.matching_sets import EARTH_KM, FEMALE, Bools, Ints, Places, Reason, Terms, Waiting

CELLS = 500_000  # people times places looked at together: a few megabytes for each rule
_STEPS = ("no_volunteer_near", "only_minors", "all_refused", "language", "sex_wanted", "no_clearance", "no_skill")


def why_nobody(waiting: Waiting, places: Places, terms: Terms, left: Ints, met: Ints) -> list[Reason]:
    """A reason for each of these; `met` = how many candidates each of all had, which others then got."""
    found: dict[int, Reason] = {one: ("all_full", {"count": int(met[one])}) for one in left[met[left] > 0].tolist()}
    none = left[met[left] == 0]
    for county in np.unique(waiting.county[none]):
        home = at_home(places, county)
        pool = np.flatnonzero(home | is_helping(places, county))
        mine = none[waiting.county[none] == county]
        step = max(1, CELLS // max(len(pool), 1))
        for begin in range(0, len(mine), step):
            some = mine[begin : begin + step]
            found |= _first_emptied(waiting, places, terms, some, pool, home)
    return [found[one] for one in left.tolist()]


def _first_emptied(
    waiting: Waiting, places: Places, terms: Terms, who: Ints, pool: Ints, home: Bools
) -> dict[int, Reason]:
    shape = (len(who), len(pool))
    row, at = np.repeat(who, len(pool)), np.tile(pool, len(who))
    nowhere = np.full(len(row), np.nan)
    refused = is_refused(waiting, places, Edges(row, at, nowhere, np.full(len(row), NEAR)), terms)
    rules = (
        _in_reach(waiting, places, terms, row, at, home),
        ~places.minor[at],
        ~refused,
        speaks(places, at, waiting.language[row], terms),
        right_sex(places, at, waiting.sex_wanted[row]),
        cleared(places, at, waiting.minor[row], terms),
        skilled(places, at, waiting.needs[row], terms),
        places.free[at] > 0,
    )
    left, counts = np.ones(shape, np.bool_), []
    for rule in rules:
        left &= rule.reshape(shape)
        counts.append(left.sum(axis=1))
    steps = np.stack(counts)
    # Where no rule emptied them all, the few who were left went to others before anybody asked for this one.
    first = np.where((steps == 0).any(axis=0), (steps == 0).argmax(axis=0), len(rules) - 1)
    before = np.where(first > 0, steps[first - 1, np.arange(len(who))], 0)
    return {
        int(one): _reason(waiting, terms, int(one), int(at_step), int(count))
        for one, at_step, count in zip(who, first, before, strict=True)
    }


def _in_reach(waiting: Waiting, places: Places, terms: Terms, row: Ints, at: Ints, home: Bools) -> Bools:
    """Whether they are candidates by place: near enough, or of the same county where a coordinate is lacking."""
    unknown = np.isnan(waiting.latitude[row]) | np.isnan(places.latitude[at])
    ours = on_sphere(waiting.latitude[row], waiting.longitude[row])
    theirs = on_sphere(places.latitude[at], places.longitude[at])
    chord = np.sqrt(((ours - theirs) ** 2).sum(axis=1))
    km = 2 * EARTH_KM * np.arcsin(np.minimum(chord / 2, 1))
    return np.asarray(unknown | ~home[at] | (km <= limits(places, at, terms) * (1 + 1e-9)))


def _reason(waiting: Waiting, terms: Terms, one: int, step: int, count: int) -> Reason:
    """`km` stands where somebody was looked for by distance; elsewhere it was the county."""
    near = {} if np.isnan(waiting.latitude[one]) else {"km": terms.near_km}
    if step == 0:
        return "no_volunteer_near", near
    code = _STEPS[step] if step < len(_STEPS) else "all_full"
    if code == "language":
        key = terms.languages[int(waiting.language[one])]
        told = {} if key == "sign" else {"key": key}
        return "no_sign_language_near" if key == "sign" else "no_language_near", told | near | {"count": count}
    if code == "sex_wanted":
        wanted = "female" if waiting.sex_wanted[one] == FEMALE else "male"
        return code, {"sex": wanted, "count": count} | near
    return code, {"count": count} | near
