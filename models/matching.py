"""Matching: whom to propose to whom, so that as many as possible get somebody, and at the least cost (programme §5).

Pure: arrays in (models/matching_sets.py), proposals with reasons out. Hard rules are missing edges. To find nobody for
somebody costs more than any change among the others can save, so nobody is left for the sake of shorter ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.matching_left import why_nobody
from models.matching_near import candidates
from models.matching_rules import NEAR, TOWN, Edges, has_bit, served_before
from models.matching_sets import Floats, Ints, Places, Reason, Terms, Waiting, names_of

MOST_AT_ONCE = 10  # places of one team in one assignment; a team with more is asked again for whoever is left
_CODES = ("", "same_town", "same_county", "team_area", "helping_region")


@dataclass(frozen=True, slots=True)
class Matching:
    """For each person waiting: the place (-1: nobody), the cost (NaN: nobody), and why."""

    place: Ints
    cost: Floats
    reasons: list[list[Reason]]


@dataclass(frozen=True, slots=True)
class Columns:
    """An assignment to be solved: a row for each person who has candidates, a column for each free place, and one of
    each person's own for nobody. Entry `i` is edge `edge[i]`; entries are in the order of rows and columns."""

    row: Ints
    column: Ints
    cost: Floats
    edge: Ints
    rows: int
    width: int
    nobody: float

    def matrix(self) -> Any:
        """As a sparse matrix."""
        from scipy.sparse import csr_array

        ends = np.cumsum(np.bincount(self.row, minlength=self.rows))
        column = np.insert(self.column, ends, self.width + np.arange(self.rows))
        cost = np.insert(self.cost, ends, self.nobody)
        starts = np.concatenate([[0], ends + np.arange(1, self.rows + 1)])
        return csr_array((cost, column, starts), shape=(self.rows, self.width + self.rows))


def match(waiting: Waiting, places: Places, terms: Terms) -> Matching:
    """The best proposals. Optimal over at most fifty candidates each; who is left is then matched with what is left."""
    place, cost = np.full(len(waiting), -1), np.full(len(waiting), np.nan)
    reasons: list[list[Reason]] = [[] for _one in range(len(waiting))]
    met = np.zeros(len(waiting), np.int64)
    taken, rows = np.zeros(len(places), np.int64), np.arange(len(waiting))
    while len(rows):
        edges, price = candidates(waiting, places, terms, rows, taken)
        if not len(edges):
            break
        counts = np.bincount(edges.waiting, minlength=len(waiting))
        met = np.maximum(met, counts)
        made = columns(places, edges, price, terms, taken)
        entries = best(made)
        chosen = edges.only(made.edge[entries])
        place[chosen.waiting], cost[chosen.waiting] = chosen.place, made.cost[entries]
        for one, told in zip(chosen.waiting.tolist(), _told(waiting, places, chosen, terms), strict=True):
            reasons[one] = told
        taken += np.bincount(chosen.place, minlength=len(places))
        rows = np.flatnonzero((place < 0) & (counts > 0))
    left = np.flatnonzero(place < 0)
    for one, why in zip(left.tolist(), why_nobody(waiting, places, terms, left, met), strict=True):
        reasons[one] = [why]
    return Matching(place, cost, reasons)


def shortlist(waiting: Waiting, places: Places, terms: Terms, count: int) -> tuple[Ints, Floats, list[list[Reason]]]:
    """For one person alone: the best few places, their costs and why; the same place never twice."""
    taken = np.zeros(len(places), np.int64)
    edges, price = candidates(waiting, places, terms, np.arange(1), taken)
    order = np.lexsort((edges.place, price))[:count]
    few = edges.only(order)
    return few.place, price[order], _told(waiting, places, few, terms)


def columns(places: Places, edges: Edges, price: Floats, terms: Terms, taken: Ints) -> Columns:
    """Candidates as an assignment: each free place of a volunteer or team is a column, the next dearer than the last,
    so that a load is shared."""
    _who, row = np.unique(edges.waiting, return_inverse=True)
    asked = np.bincount(edges.place, minlength=len(places))
    each = np.minimum(np.minimum(places.free - taken, asked), MOST_AT_ONCE)
    first = np.cumsum(each) - each
    times = each[edges.place]
    edge = np.repeat(np.arange(len(edges)), times)
    copy = np.arange(len(edge)) - np.repeat(np.cumsum(times) - times, times)
    at = edges.place[edge]
    cost = price[edge] + terms.cost.load * copy / np.maximum(places.capacity[at], 1)
    rows = int(row.max()) + 1 if len(row) else 0
    # One more who gets somebody is worth any change of the others' costs.
    nobody = float((cost.max() if len(cost) else 1.0) * (rows + 1))
    return Columns(row[edge], first[at] + copy, cost, edge, rows, int(each.sum()), nobody)


def best(made: Columns) -> Ints:
    """The entries of an optimal assignment; people without one get nobody. What hangs together is solved apart from the
    rest, which changes nothing but the time."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

    size = made.rows + made.width
    links = csr_array((np.ones(len(made.row), np.int8), (made.row, made.rows + made.column)), shape=(size, size))
    _count, label = connected_components(links, directed=False)
    row, column = _within(label[: made.rows]), _within(label[made.rows :])
    found = []
    for part in _parts(label[: made.rows][made.row]):
        some = Columns(
            row[made.row[part]],
            column[made.column[part]],
            made.cost[part],
            part,
            int(row[made.row[part[-1]]]) + 1,
            int(column[made.column[part]].max()) + 1,
            made.nobody,
        )
        if some.rows == 1:
            found.append(part[[int(some.cost.argmin())]])
            continue
        row_found, column_found = min_weight_full_bipartite_matching(some.matrix())
        real = column_found < some.width
        keys = some.row * some.width + some.column
        found.append(part[np.searchsorted(keys, row_found[real] * some.width + column_found[real])])
    return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)


def greedy(made: Columns) -> Ints:
    """For comparison: the cheapest pair first, as long as both are free."""
    free_rows, free_columns = [True] * made.rows, [True] * made.width
    found = []
    row, column = made.row.tolist(), made.column.tolist()
    for entry in np.argsort(made.cost, kind="stable").tolist():
        if free_rows[row[entry]] and free_columns[column[entry]]:
            free_rows[row[entry]] = free_columns[column[entry]] = False
            found.append(entry)
    return np.sort(np.array(found, np.int64))


def total(made: Columns, entries: Ints) -> float:
    """What an assignment costs, with those who get nobody."""
    return float(made.cost[entries].sum() + made.nobody * (made.rows - len(entries)))


def _within(label: Ints) -> Ints:
    """The number of each within its component, in the order that they have."""
    order = np.argsort(label, kind="stable")
    number = np.empty(len(label), np.int64)
    number[order] = np.arange(len(label)) - np.searchsorted(label[order], label[order])
    return number


def _parts(label: Ints) -> Iterator[Ints]:
    """The entries of each component, in the order that they have."""
    order = np.argsort(label, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        if len(part):
            yield part


def _told(waiting: Waiting, places: Places, chosen: Edges, terms: Terms) -> list[list[Reason]]:
    """Why each of these is proposed."""
    who, at = chosen.waiting, chosen.place
    needs = waiting.needs[who]
    wished = np.zeros(len(chosen), np.uint64)
    for need, skills, _hard in terms.wishes:
        wished |= np.where(needs & np.uint64(need) != 0, np.uint64(skills), np.uint64(0))
    spoken = (waiting.language[who] >= 0) & has_bit(places.languages[at], waiting.language[who])
    same_town = (waiting.town[who] >= 0) & (waiting.town[who] == places.town[at])
    home = (places.low[at] <= waiting.county[who]) & (waiting.county[who] <= places.high[at])
    lists = (
        chosen.kind.tolist(),
        np.round(chosen.km, 1).tolist(),
        (same_town & home).tolist(),
        home.tolist(),
        (needs & places.services[at]).tolist(),
        (wished & places.skills[at]).tolist(),
        np.where(spoken, waiting.language[who], -1).tolist(),
        served_before(waiting, places, chosen).tolist(),
        places.load[at].tolist(),
    )
    return [_words(terms, *row) for row in zip(*lists, strict=True)]


def _words(
    terms: Terms,
    kind: int,
    km: float,
    same_town: bool,
    home: bool,
    services: int,
    skills: int,
    language: int,
    before: bool,
    load: int,
) -> list[Reason]:
    told: list[Reason] = []
    if same_town or kind == TOWN:
        told.append(("same_town", {}))
    if kind == NEAR:
        told.append(("distance_km", {"km": km}))
        if not home:
            told.append(("helping_region", {}))
    elif kind != TOWN:
        told.append((_CODES[kind], {}))
    if services:
        told.append(("service", {"keys": list(names_of(services, terms.services))}))
    if skills:
        told.append(("skill", {"keys": list(names_of(skills, terms.skills))}))
    if language >= 0:
        told.append(("language", {"key": terms.languages[language]}))
    if before:
        told.append(("continuity", {}))
    return [*told, ("load", {"count": load})]
