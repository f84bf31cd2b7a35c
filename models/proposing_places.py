"""Who may serve: volunteers and teams of some counties, and of the regions and teams that help these."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import String, bindparam, cast, or_, select
from sqlmodel import Session, SQLModel

from config import regions
from config.catalogue import rules
from config.matching import weights
from models import matching_sets as sets
from models.many import Many
from models.offer import HOLDING
from models.pairing import AGREEING, LEAD, OPEN
from models.proposing_names import SEXES, Names, born_by
from models.team import LEADER
from models.volunteer import ACTIVE

_T = SQLModel.metadata.tables
_V, _P, _S, _O = (_T[name].c for name in ("volunteer", "person", "stint", "offer"))
_TEAM, _M, _PAIR = (_T[name].c for name in ("team", "team_member", "region_pair"))

_VOLUNTEER = (
    *(_V.person_id, _V.county, _V.town, _V.latitude, _V.longitude, _V.travel_km, _V.sex, _V.birth_date),
    *(cast(_V.skills, String), cast(_V.services, String), cast(_V.languages, String), _V.cleared_until),
)


def _serves() -> Any:
    """Whether a volunteer may be asked at all."""
    awake = or_(_P.paused_until.is_(None), _P.paused_until < bindparam("today"))
    return (_V.status == ACTIVE) & _V.merged_into.is_(None) & _P.merged_into.is_(None) & _P.deleted_at.is_(None) & awake


_BOTH = _T["volunteer"].join(_T["person"], _V.person_id == _P.id)
_VOLUNTEERS = (
    select(*_VOLUNTEER)
    .select_from(_BOTH)
    .where(_serves(), _V.county.between(bindparam("low"), bindparam("high")))
    .order_by(_V.person_id)
)
_MEMBERS = Many(
    lambda among, _dialect: (
        select(_M.team_id, _M.part, *_VOLUNTEER)
        .select_from(_BOTH.join(_T["team_member"], _M.person_id == _P.id))
        .where(_serves(), _M.left_at.is_(None), among(_M.team_id))
        .order_by(_M.joined_at, _M.person_id)
    )
)
_BELONGS = Many(lambda among, _d: select(_M.person_id, _M.team_id).where(_M.left_at.is_(None), among(_M.person_id)))
_TEAMS = select(_TEAM.id, _TEAM.region, _TEAM.helps, _TEAM.capacity).where(_TEAM.ended_at.is_(None)).order_by(_TEAM.id)
_PAIRS = select(_PAIR.helper, _PAIR.helped).where(_PAIR.ended_at.is_(None))
# Loads: stints that stand, and invitations whose answer is awaited; those of a team are the team's, not its leader's.
_STANDING = (_S.part == LEAD) & _S.state.in_((OPEN, AGREEING)) & _S.beneficiary_id.is_not(None)
_LOADS = (
    (Many(lambda among, _d: select(_S.person_id).where(_STANDING, among(_S.person_id))), "person"),
    (Many(lambda among, _d: select(_S.team_id).where(_STANDING, among(_S.team_id))), "team"),
    (
        Many(
            lambda among, _d: select(_O.person_id).where(
                _O.state.in_(HOLDING), _O.beneficiary_id.is_not(None), _O.team_id.is_(None), among(_O.person_id)
            )
        ),
        "person",
    ),
    (
        Many(
            lambda among, _d: select(_O.team_id).where(
                _O.state.in_(HOLDING), _O.beneficiary_id.is_not(None), among(_O.team_id)
            )
        ),
        "team",
    ),
)


@dataclass(frozen=True, slots=True)
class Helpers:
    """The regions that help others, and the teams: read once for a run."""

    pairs: list[tuple[str, str]]
    teams: list[tuple[str, str, str | None, int]]


def helpers(session: Session) -> Helpers:
    """Those of the whole deployment: there are few."""
    connection = session.connection()
    pairs = [(row[0], row[1]) for row in connection.execute(_PAIRS)]
    return Helpers(pairs, [(row[0], row[1], row[2], row[3]) for row in connection.execute(_TEAMS)])


class Places:
    """Volunteers and teams, as columns that grow."""

    def __init__(self, session: Session, names: Names, today: date) -> None:
        self.session, self.names, self.today = session, names, today
        self.whom: list[tuple[str, str | None]] = []
        self.at: dict[tuple[str, str], int] = {}  # ("person" or "team", id)
        self._columns: dict[str, list[Any]] = {name: [] for name in sets.Places.__slots__}
        self._grown = born_by(today)

    def read(self, counties: list[str], known: Helpers) -> None:
        """All that may serve there."""
        helping: list[tuple[list[int], str]] = []
        for county in counties:
            self._volunteers(county)
        around = {code for county in counties for code in scopes_around(county)}
        pairs = [pair for pair in known.pairs if pair[1] in around]
        for helper, helped in pairs:
            helping.append((self._volunteers(helper), helped))
        self._teams(around, pairs, known, helping)
        self._columns["helping"] = [
            sets.Helping(np.array(places, np.int64), *range_of(helped)) for places, helped in helping if places
        ]
        self._members()

    def columns(self, used: Counter[tuple[str, str | None]]) -> dict[str, Any]:
        """With loads and what is free."""
        keys: dict[str, list[str]] = {"person": [], "team": []}
        for kind, key in self.at:
            keys[kind].append(key)
        loads: Counter[tuple[str, str]] = Counter()
        for statement, kind in _LOADS:
            loads.update((kind, row[0]) for row in statement.run(self.session, keys[kind]))
        mine = [loads[key] for key in self.at]
        free = [
            max(capacity - load - used[who], 0)
            for capacity, load, who in zip(self._columns["capacity"], mine, self.whom, strict=True)
        ]
        return self._columns | {"load": mine, "free": free, "helping": tuple(self._columns["helping"])}

    def _volunteers(self, region: str) -> list[int]:
        """Those of a region; returns their places."""
        low, high = range_of(region)
        given = {"low": f"{low:06d}", "high": f"{high:06d}", "today": self.today}
        capacity = rules().pairing.per_volunteer
        found = []
        for row in self.session.connection().execute(_VOLUNTEERS, given):
            person, county = row[0], row[1]
            at = self.at.get(("person", person))
            if at is None:
                at = self._add("person", person, person, None, int(county), int(county), capacity, [row])
                self._columns["town"][at] = self.names.town(county, row[2])
                for name, value in zip(("latitude", "longitude", "travel_km"), row[3:6], strict=True):
                    self._columns[name][at] = np.nan if value is None else value
                self._columns["minor"][at] = self._is_minor(row)
            found.append(at)
        return found

    def _teams(
        self, around: set[str], pairs: list[tuple[str, str]], known: Helpers, helping: list[tuple[list[int], str]]
    ) -> None:
        """A team serves with whoever of its grown-up members serves, led by a grown-up one, whose clearance counts."""
        wanted = {}
        for team, region, helps, capacity in known.teams:
            helped = [one for helper, one in pairs if region.startswith(helper)]
            if region in around or any(code.startswith(region) for code in around) or helps in around or helped:
                wanted[team] = region, helps, capacity, helped
        members: dict[str, list[Any]] = {}
        for team, part, *row in _MEMBERS.run(self.session, wanted, today=self.today):
            if not self._is_minor(row):
                members.setdefault(team, []).append((part, row))
        for team, (region, helps, capacity, helped) in wanted.items():
            leader = next((row for part, row in members.get(team, ()) if part == LEADER), None)
            if leader is None:
                continue
            low, high = range_of(region)
            grown = [row for _part, row in members[team]]
            at = self._add("team", team, leader[0], team, low, high, capacity, grown)
            self._columns["cleared"][at] = self._clearance(leader[-1])
            helping += [([at], one) for one in (helps, *helped) if one]

    def _add(
        self, kind: str, key: str, person: str, team: str | None, low: int, high: int, capacity: int, rows: list[Any]
    ) -> int:
        """A place, with what these people can do together."""
        at = self.at[kind, key] = len(self.whom)
        self.whom.append((person, team))
        signs = [(name, wish) for name, wish in weights().language.items() if name in self.names.languages]
        skills = services = languages = sexes = 0
        for row in rows:
            skills |= self.names.bits(row[8], "skills")
            services |= self.names.bits(row[9], "services")
            languages |= self.names.bits(row[10], "languages")
            sexes |= SEXES[row[6]]
        for name, wish in signs:
            if skills & sets.bits(wish.skills, self.names.skills):
                languages |= 1 << self.names.languages[name]
        values = {
            "latitude": np.nan,
            "longitude": np.nan,
            "travel_km": np.nan,
            "town": -1,
            "minor": False,
            "low": low,
            "high": high,
            "capacity": capacity,
            "person": self.names.person(person),
            "skills": skills,
            "services": services,
            "languages": languages,
            "sexes": sexes,
            "cleared": self._clearance(rows[0][-1]),
        }
        for name, value in values.items():
            self._columns[name].append(value)
        return at

    def _members(self) -> None:
        people = [key for kind, key in self.at if kind == "person"]
        pairs = [(self.at["person", row[0]], self.names.team(row[1])) for row in _BELONGS.run(self.session, people)]
        pairs += [(at, self.names.team(key)) for (kind, key), at in self.at.items() if kind == "team"]
        self._columns["members"] = pairs

    def _is_minor(self, row: Any) -> bool:
        return row[7] is None or row[7] > self._grown

    def _clearance(self, until: date | None) -> int:
        if until is None:
            return sets.UNCLEARED
        return sets.CLEARED if until >= self.today else sets.LAPSED


def scopes_around(county: str) -> list[str]:
    """A county, and the regions above it."""
    return [region.code for region in regions.path(county)]


def range_of(region: str) -> tuple[int, int]:
    """The county codes of a region, as numbers."""
    return int(region.ljust(6, "0")), int(region.ljust(6, "9"))
