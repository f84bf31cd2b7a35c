"""Who is out of the question for whom, and what the others cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.matching_sets import CLEARED, LAPSED, Bits, Bools, Floats, Ints, Places, Terms, Waiting

NEAR, TOWN, COUNTY, AREA, HELPING = range(5)  # by what somebody is a candidate: a distance, or less
BASE = 1.0  # no cost is zero: a sparse matrix would take it for nothing


@dataclass(frozen=True, slots=True)
class Edges:
    """Candidates: person `waiting[i]` with place `place[i]`, `km` apart (NaN where that is not known)."""

    waiting: Ints
    place: Ints
    km: Floats
    kind: Ints

    def __len__(self) -> int:
        return len(self.waiting)

    def only(self, kept: Bools | Ints) -> Edges:
        """Some of them."""
        return Edges(self.waiting[kept], self.place[kept], self.km[kept], self.kind[kept])


def joined(parts: list[Edges]) -> Edges:
    """All of these."""
    if not parts:
        none = np.zeros(0, np.int64)
        return Edges(none, none, np.zeros(0), none)
    return Edges(*(np.concatenate([getattr(part, name) for part in parts]) for name in Edges.__slots__))


def has_bit(sets: Bits, bit: Ints) -> Bools:
    """Whether the sets hold the elements of these numbers; for -1 True."""
    shifted = np.right_shift(sets, np.maximum(bit, 0).astype(np.uint64))
    return np.asarray((bit < 0) | (shifted & np.uint64(1) == 1))


def count_of(sets: Bits) -> Ints:
    """How many elements each set has."""
    return np.bitwise_count(sets).astype(np.int64)


def speaks(places: Places, at: Ints, language: Ints, terms: Terms) -> Bools:
    """Whether a language that must be spoken is; others pass."""
    must = (language >= 0) & has_bit(np.full(len(language), terms.hard_languages, np.uint64), language)
    return ~must | has_bit(places.languages[at], language)


def right_sex(places: Places, at: Ints, wanted: Ints) -> Bools:
    """Whether somebody of the wanted sex could come; nobody whose sex is not known."""
    return np.asarray((wanted == 0) | (places.sexes[at] & wanted != 0))


def cleared(places: Places, at: Ints, minor: Bools, terms: Terms) -> Bools:
    """Whether work with minors is allowed: a clearance that lapsed always blocks, a missing one where the rules ask."""
    least = CLEARED if terms.clearance_for_minors else LAPSED + 1
    return np.asarray(~minor | (places.cleared[at] >= least))


def skilled(places: Places, at: Ints, needs: Bits, terms: Terms) -> Bools:
    """Whether the skills that a need demands are there."""
    fine = np.ones(np.broadcast_shapes(at.shape, needs.shape), np.bool_)
    for need, skills, hard in terms.wishes:
        if hard:
            fine &= (needs & np.uint64(need) == 0) | (places.skills[at] & np.uint64(skills) != 0)
    return fine


def signatures(waiting: Waiting, rows: Ints, terms: Terms) -> list[Ints]:
    """People in groups for whom the same places pass the hard rules."""
    hard = np.uint64(sum(need for need, _skills, must in terms.wishes if must))
    language = waiting.language[rows]
    must = (language >= 0) & has_bit(np.full(len(rows), terms.hard_languages, np.uint64), language)
    keys = np.stack(
        [
            np.where(must, language, -1),
            waiting.sex_wanted[rows],
            waiting.minor[rows].astype(np.int64),
            (waiting.needs[rows] & hard).astype(np.int64),
        ]
    )
    _unique, which = np.unique(keys, axis=1, return_inverse=True)
    return [rows[which == number] for number in range(which.max() + 1)] if len(rows) else []


def passing(waiting: Waiting, one: int, places: Places, at: Ints, terms: Terms) -> Ints:
    """Of these places those that pass the hard rules for one person, and all of the same signature."""
    fine = speaks(places, at, np.full(len(at), waiting.language[one]), terms)
    fine &= right_sex(places, at, np.full(len(at), waiting.sex_wanted[one]))
    fine &= cleared(places, at, np.full(len(at), waiting.minor[one]), terms)
    fine &= skilled(places, at, np.full(len(at), waiting.needs[one]), terms)
    return at[fine]


def is_refused(waiting: Waiting, places: Places, edges: Edges, terms: Terms) -> Bools:
    """Oneself, and pairs that are out of the question."""
    own = waiting.person[edges.waiting]
    found = (own >= 0) & (own == places.person[edges.place])
    if len(terms.refused):
        size = np.int64(max(len(places), 1))
        pairs = terms.refused[:, 0] * size + terms.refused[:, 1]
        found |= np.isin(edges.waiting * size + edges.place, pairs)
    return np.asarray(found)


def served_before(waiting: Waiting, places: Places, edges: Edges) -> Bools:
    """Whether the place is of the team that served the person before."""
    team = waiting.team[edges.waiting]
    found = np.zeros(len(edges), np.bool_)
    some = np.flatnonzero(team >= 0)
    if len(some) and len(places.members):
        size = np.int64(max(int(team.max()), int(places.members[:, 1].max())) + 1)
        found[some] = np.isin(edges.place[some] * size + team[some], places.members[:, 0] * size + places.members[:, 1])
    return found


def fitness(needs: Bits, language: Ints, places: Places, at: Ints, terms: Terms) -> Floats:
    """What it costs that needs are not offered, skills are lacking and a language is not spoken."""
    cost = terms.cost
    unserved = count_of(needs & ~places.services[at]) / np.maximum(count_of(needs), 1)
    asked = np.zeros(unserved.shape)
    lacking = np.zeros(unserved.shape)
    for need, skills, _hard in terms.wishes:
        wished = needs & np.uint64(need) != 0
        asked += wished
        lacking += wished & (places.skills[at] & np.uint64(skills) == 0)
    silent = ~has_bit(places.languages[at], language)
    found = cost.need_unserved * unserved + cost.skill_missing * lacking / np.maximum(asked, 1)
    return np.asarray(found + cost.language_missing * silent)


def costs(waiting: Waiting, places: Places, edges: Edges, terms: Terms, taken: Ints) -> Floats:
    """The cost of each candidate as the next one of a place, of which `taken` were given away already."""
    cost, who, at = terms.cost, edges.waiting, edges.place
    classes = np.array([0.0, cost.same_town, cost.same_county, cost.team_area, cost.helping_region])
    near = np.where(edges.kind == NEAR, edges.km, 0.0)
    found = BASE + cost.km * (near + classes[edges.kind])
    found += fitness(waiting.needs[who], waiting.language[who], places, at, terms)
    found += cost.load * (places.load[at] + taken[at]) / np.maximum(places.capacity[at], 1)
    newcomer = (waiting.team[who] >= 0) & ~served_before(waiting, places, edges)
    return np.asarray(found + cost.newcomer * newcomer)
