"""From the database to the arrays of matching: who waits, who is free, and what is out of the question between them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import String, bindparam, cast, select
from sqlmodel import Session, SQLModel

from config.catalogue import rules
from config.matching import weights
from models import matching_sets as sets
from models.database import now_of, vault_of
from models.many import Many
from models.offer import ANSWERABLE, DECLINED
from models.pairing import BACK, ENDED, GONE, LEAD, TERM
from models.proposal import REFUSED
from models.proposing_names import SEXES, Names, born_by
from models.proposing_places import Helpers, Places
from models.proposing_who import is_one, is_waiting

_T = SQLModel.metadata.tables
_B, _V, _P = _T["beneficiary"].c, _T["volunteer"].c, _T["person"].c
_S, _O, _N = _T["stint"].c, _T["offer"].c, _T["proposal"].c
_TEAM, _M, _PAIR = _T["team"].c, _T["team_member"].c, _T["region_pair"].c

# After these the same two may be paired again; after any other end somebody had a reason.
AGAIN = (TERM, GONE, BACK)

_COLUMNS = (_B.id, _B.county, _B.town, _B.birth_date, cast(_B.needs, String), _B.person_id, _B.record_sealed)
_WAITING = select(*_COLUMNS).where(is_waiting(), _B.county.between(bindparam("low"), bindparam("high"))).order_by(_B.id)
_ONE = select(*_COLUMNS).where(is_one())
_SERVED = Many(
    lambda among, _d: select(_S.beneficiary_id, _S.person_id, _S.team_id, _S.state, _S.ended_why, _S.ended_at).where(
        _S.part == LEAD, among(_S.beneficiary_id)
    )
)
_ASKED = Many(
    lambda among, _d: select(_O.beneficiary_id, _O.person_id, _O.team_id).where(
        _O.state.in_((DECLINED, *ANSWERABLE)), among(_O.beneficiary_id)
    )
)
_TURNED_DOWN = Many(
    lambda among, _d: select(_N.beneficiary_id, _N.person_id, _N.team_id).where(
        _N.state == REFUSED, _N.person_id.is_not(None), among(_N.beneficiary_id)
    )
)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one matching works on; `ids` and `whom` (person, team) say who the entries of the arrays are."""

    ids: list[str]
    whom: list[tuple[str, str | None]]
    waiting: sets.Waiting
    places: sets.Places
    terms: sets.Terms


def gathered(
    session: Session, counties: list[str], known: Helpers, used: Counter[tuple[str, str | None]], one: str = ""
) -> Gathered:
    """Everybody waiting in these counties (or one person of them, whether waiting or not), and all who may serve there;
    `used` = what earlier blocks of a run gave away."""
    names = Names()
    found: dict[str, list[Any]] = {name: [] for name in sets.Waiting.__slots__}
    ids: list[str] = []
    today = now_of(session).date()
    if one:
        _read_waiting(session, ids, found, names, today, _ONE, one=one)
    else:
        for county in counties:
            _read_waiting(session, ids, found, names, today, _WAITING, low=county, high=county)
    places = Places(session, names, today)
    places.read(counties, known)
    refused = _history(session, ids, places, names, found)
    columns = places.columns(used)
    made = sets.as_arrays(sets.Waiting, found), sets.as_arrays(sets.Places, columns)
    return Gathered(ids, places.whom, *made, _terms(names, refused))


def _read_waiting(
    session: Session, ids: list[str], found: dict[str, list[Any]], names: Names, today: date, query: Any, **given: str
) -> None:
    vault, grown = vault_of(session), born_by(today)
    add = {name: values.append for name, values in found.items()}
    for key, county, town, born, needs, person, sealed in session.connection().execute(query, given):
        record = vault.open_json("beneficiary.record_sealed", key, sealed)
        latitude, longitude = record.get("latitude"), record.get("longitude")
        language = record.get("language")
        ids.append(key)
        add["latitude"](np.nan if latitude is None else latitude)
        add["longitude"](np.nan if longitude is None else longitude)
        add["county"](int(county))
        add["town"](names.town(county, town))
        add["needs"](names.bits(needs, "services"))
        add["language"](-1 if language in (None, "mandarin") else names.languages.get(language, -1))
        add["sex_wanted"](SEXES[record.get("sex_wanted")])
        add["minor"](born is None or born > grown)
        add["person"](names.person(person))
        add["team"](-1)


def _history(
    session: Session, ids: list[str], places: Places, names: Names, found: dict[str, list[Any]]
) -> list[tuple[int, int]]:
    """Who served or was asked before: the team is noted for continuity, refused pairs are returned."""
    number = {key: at for at, key in enumerate(ids)}
    refused: set[tuple[int, int]] = set()

    def refuse(key: str, kind: str, who: str) -> None:
        place = places.at.get((kind, who))
        if place is not None:
            refused.add((number[key], place))

    last: dict[str, Any] = {}
    for row in _SERVED.run(session, ids):
        key, person, team, state, why, ended = row
        if state != ENDED or why not in AGAIN:
            refuse(key, "person" if person else "team", person or team)
        if state == ENDED and team and (key not in last or ended > last[key][0]):
            last[key] = ended, team
    for key, (_ended, team) in last.items():
        found["team"][number[key]] = names.team(team)
    for statement in (_ASKED, _TURNED_DOWN):
        for key, person, team in statement.run(session, ids):
            refuse(key, "team" if team else "person", team or person)
    return sorted(refused)


def _terms(names: Names, refused: list[tuple[int, int]]) -> sets.Terms:
    ours, pairing = weights(), rules().pairing
    wishes = [
        (1 << names.services[need], sets.bits(one.skills, names.skills), one.hard) for need, one in ours.need.items()
    ]
    hard = sum(1 << names.languages[name] for name, one in ours.language.items() if one.hard)
    return sets.Terms(
        pairing.near_km,
        pairing.clearance_for_minors,
        tuple(names.services),
        tuple(names.skills),
        tuple(names.languages),
        tuple(wishes),
        hard,
        ours.cost,
        np.array(refused, np.int64).reshape(-1, 2),
    )
