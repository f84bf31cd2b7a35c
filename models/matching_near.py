"""Candidates by place: who is near enough to whom, at most fifty for each person waiting.

Where both coordinates are known it is the distance, which never exceeds what a volunteer said to travel. Elsewhere it
is the same town, then the same county, and nobody calls that kilometres.
"""

from __future__ import annotations

import numpy as np

from models.matching_rules import (
    AREA,
    COUNTY,
    HELPING,
    NEAR,
    TOWN,
    Edges,
    costs,
    fitness,
    is_refused,
    joined,
    passing,
    signatures,
)
from models.matching_sets import EARTH_KM, Bools, Floats, Ints, Places, Terms, Waiting

MOST = 50  # candidates of one person


def candidates(waiting: Waiting, places: Places, terms: Terms, rows: Ints, taken: Ints) -> tuple[Edges, Floats]:
    """Who could serve these people, and at what cost; `taken` = what of each place was given away already. Nobody who
    breaks a hard rule is among them."""
    parts = []
    for county in np.unique(waiting.county[rows]):
        home = at_home(places, county)
        serving = home | is_helping(places, county)
        free = np.flatnonzero(serving & (places.free > taken) & ~places.minor)
        for group in signatures(waiting, rows[waiting.county[rows] == county], terms):
            fit = passing(waiting, int(group[0]), places, free, terms)
            most = MOST + _most_refused(waiting, group, terms)
            if len(fit):
                parts.append(_by_distance(waiting, group, places, fit, terms, most))
                parts += _by_area(waiting, group, places, fit, home, terms, most)
                parts.append(_known(waiting, group, places, fit[home[fit]]))
    edges = _once(joined(parts), len(places))
    edges = edges.only(~is_refused(waiting, places, edges, terms))
    found = costs(waiting, places, edges, terms, taken)
    return _best(edges, found)


def at_home(places: Places, county: int) -> Bools:
    """Which places serve this county as their own."""
    return np.asarray((places.low <= county) & (county <= places.high))


def is_helping(places: Places, county: int) -> Bools:
    """Which places serve it as helpers."""
    found = np.zeros(len(places), np.bool_)
    for helping in places.helping:
        if helping.low <= county <= helping.high:
            found[helping.places] = True
    return found


def on_sphere(latitude: Floats, longitude: Floats) -> Floats:
    """Places on the unit sphere, a row each."""
    north, east = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)


def limits(places: Places, at: Ints, terms: Terms) -> Floats:
    """How far from these places people may live, in km."""
    return np.where(np.isnan(places.travel_km[at]), terms.near_km, places.travel_km[at])


def _chord(km: float) -> float:
    """A distance along the ground as one through the unit sphere; a hair more, since the tree takes less than that."""
    return float(2 * np.sin(min(km / EARTH_KM, np.pi) / 2) * (1 + 1e-9))


def _most_refused(waiting: Waiting, group: Ints, terms: Terms) -> int:
    """So many of somebody's nearest may turn out to be out of the question."""
    most = int((waiting.person[group] >= 0).any())
    if len(terms.refused):
        most += int(np.bincount(terms.refused[:, 0], minlength=len(waiting))[group].max())
    return most


def _by_distance(waiting: Waiting, group: Ints, places: Places, fit: Ints, terms: Terms, most: int) -> Edges:
    """The nearest of those who would come. A tree for each distance that people travel: the nearest of all may be those
    who do not go so far."""
    from scipy.spatial import cKDTree

    who = group[~np.isnan(waiting.latitude[group])]
    known = fit[~np.isnan(places.latitude[fit])]
    if not len(who) or not len(known):
        return joined([])
    ours = on_sphere(waiting.latitude[who], waiting.longitude[who])
    limit = limits(places, known, terms)
    apart, which = [], []
    for km in np.unique(limit):
        some = known[limit == km]
        tree = cKDTree(on_sphere(places.latitude[some], places.longitude[some]))
        wanted = np.arange(1, min(most, len(some)) + 1)
        distance, number = tree.query(ours, wanted, distance_upper_bound=_chord(km))
        apart.append(distance)
        which.append(some[np.minimum(number, len(some) - 1)])
    distances, found = np.concatenate(apart, axis=1), np.concatenate(which, axis=1)
    if distances.shape[1] > most:
        nearest = np.argpartition(distances, most, axis=1)[:, :most]
        distances, found = np.take_along_axis(distances, nearest, 1), np.take_along_axis(found, nearest, 1)
    there = np.isfinite(distances)
    km_apart = 2 * EARTH_KM * np.arcsin(np.minimum(distances[there] / 2, 1))
    each = np.repeat(who, there.sum(axis=1))
    return Edges(each, found[there], km_apart, np.full(len(each), NEAR))


def _by_area(
    waiting: Waiting, group: Ints, places: Places, fit: Ints, home: Bools, terms: Terms, most: int
) -> list[Edges]:
    """Where a coordinate is lacking: the same town, the same county, a team's region; and helpers from wherever."""
    placed = ~np.isnan(waiting.latitude[group])
    far = np.isnan(places.latitude[fit]) | ~home[fit]
    parts = []
    for who, pool in ((group[placed], fit[far]), (group[~placed], fit)):
        if len(who) and len(pool):
            parts.append(_in_pool(waiting, who, places, pool, home, terms, most))
    return parts


def _kinds(places: Places, pool: Ints, town: int, home: Bools) -> Ints:
    """By what each of the pool is a candidate of somebody in this town."""
    own = np.where(places.low[pool] < places.high[pool], AREA, COUNTY)
    if town >= 0:
        own = np.where(places.town[pool] == town, TOWN, own)
    return np.where(home[pool], own, HELPING)


def _in_pool(waiting: Waiting, who: Ints, places: Places, pool: Ints, home: Bools, terms: Terms, most: int) -> Edges:
    """The best of a pool for each, among people of the same town and the same needs by turns: the first gets the best
    fifty, the next one those from the second on, so that they do not all meet at the same ones."""
    cost = terms.cost
    classes = cost.km * np.array([0.0, cost.same_town, cost.same_county, cost.team_area, cost.helping_region])
    load = cost.load * places.load[pool] / np.maximum(places.capacity[pool], 1)
    keys = np.stack([waiting.town[who], waiting.needs[who].astype(np.int64), waiting.language[who]])
    alike, which = np.unique(keys, axis=1, return_inverse=True)
    order = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[order], np.arange(alike.shape[1] + 1))
    size, fits, parts = len(pool), dict[tuple[int, int], Floats](), []
    for number in range(alike.shape[1]):
        town, needs, language = (int(value) for value in alike[:, number])
        some = who[order[bounds[number] : bounds[number + 1]]]
        kinds = _kinds(places, pool, town, home)
        if size <= most:
            chosen = np.broadcast_to(np.arange(size), (len(some), size))
        else:
            if (needs, language) not in fits:
                told = np.full(1, needs, np.int64).astype(np.uint64), np.full(1, language)
                fits[needs, language] = fitness(*told, places, pool, terms) + load
            # Rolled, so that of equals every town and need begins with others.
            roll = number * 7919 % size
            dear = np.roll(classes[kinds] + fits[needs, language], -roll)
            top = min(size, most + len(some) - 1)
            best = np.argpartition(dear, top - 1)[:top]
            best = (best[np.argsort(dear[best], kind="stable")] + roll) % size
            turns = np.arange(len(some))[:, None] + np.arange(most)
            chosen = best[turns % top]
        each = np.repeat(some, chosen.shape[1])
        parts.append(Edges(each, pool[chosen.ravel()], np.full(len(each), np.nan), kinds[chosen.ravel()]))
    return joined(parts)


def _known(waiting: Waiting, group: Ints, places: Places, fit: Ints) -> Edges:
    """Whoever is of the team that served somebody before, where a coordinate is lacking, is among the candidates."""
    who = group[waiting.team[group] >= 0]
    members = places.members[np.isin(places.members[:, 0], fit)] if len(who) else places.members[:0]
    if not len(members):
        return joined([])
    parts = []
    for team in np.unique(waiting.team[who]):
        mine, theirs = who[waiting.team[who] == team], members[members[:, 1] == team, 0]
        each, at = np.repeat(mine, len(theirs)), np.tile(theirs, len(mine))
        unknown = np.isnan(waiting.latitude[each]) | np.isnan(places.latitude[at])
        each, at = each[unknown], at[unknown]
        same = (waiting.town[each] == places.town[at]) & (waiting.town[each] >= 0)
        kind = np.where(same, TOWN, np.where(places.low[at] < places.high[at], AREA, COUNTY))
        parts.append(Edges(each, at, np.full(len(each), np.nan), kind))
    return joined(parts)


def _once(edges: Edges, size: int) -> Edges:
    """Each pair once, in the order of people and places; of two the first one told, which is that with a distance."""
    _keys, first = np.unique(edges.waiting * np.int64(max(size, 1)) + edges.place, return_index=True)
    return edges.only(first)


def _best(edges: Edges, found: Floats) -> tuple[Edges, Floats]:
    """The cheapest fifty of each, in the order that they had."""
    if not len(edges) or np.bincount(edges.waiting).max() <= MOST:
        return edges, found
    order = np.lexsort((found, edges.waiting))
    who = edges.waiting[order]
    rank = np.arange(len(who)) - np.searchsorted(who, who)
    kept = np.sort(order[rank < MOST])
    return edges.only(kept), found[kept]
