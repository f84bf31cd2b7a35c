"""An invented city for the sandbox: who is there, their roles and teams, and the ledgers of its counties.

Everything that has a rule goes by it: registering, roles, ledgers. Teams and institutions are written as rows. What
happened to these people since then is told by models/demo_story.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from sqlmodel import Session, col, func, select

from config.catalogue import rules
from models import consent, demo_people, ledger_check, ledger_import, role, volunteer
from models.beneficiary import LISTED, MACHINE, Beneficiary, name_in
from models.database import Database, now_of, vault_of
from models.demo_people import CITY, Invented, Size, as_file
from models.family_consent import FamilyConsent
from models.ids import new_number
from models.installed import Installed, is_installed, remember
from models.institution import KINDS, Institution
from models.ledger_cells import read_ledger
from models.offer import HOLDING, Offer
from models.pairing import AGREEING, LEAD, OPEN, Stint
from models.person import Person, open_door
from models.relay import SEEKING, Relay
from models.team import GENERAL, LEADER, MEMBER, STUDENT, Team, TeamMember
from models.volunteer import Registered

MARK = "demo"  # among models.installed: the people of this database were made here
BEGUN, DONE = "begun", "done"
SLICE = 20  # people registered in one transaction

# Which doors of which platforms somebody has: (platform, account, sender) of each, by name and part.
Doors = Callable[[str, str], Sequence[tuple[str, str, str]]]
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Somebody:
    """A registered volunteer. `part`: "organiser", "specialist", "leader" or "member"."""

    person_id: str
    part: str
    who: Invented


@dataclass(frozen=True, slots=True)
class Home:
    """A served person: the row's id, and where they live. `plain` = with no wish about who is to come."""

    beneficiary_id: str
    county: str
    latitude: float
    longitude: float
    plain: bool


@dataclass(frozen=True, slots=True)
class City:
    """What stands on the first day. `teams`: the id of a leader's team; `ledgers`: the rows of each county's file."""

    size: Size
    people: tuple[Somebody, ...]
    teams: dict[str, str]
    homes: tuple[Home, ...]
    ledgers: dict[str, list[dict[str, str]]]
    ids: dict[str, str]  # of beneficiaries, by name
    institutions: dict[str, str]  # by county

    def of(self, part: str, county: str = "") -> list[Somebody]:
        """Those with this part, in one county or in all."""
        return [one for one in self.people if one.part == part and county in ("", one.who.county)]

    @property
    def player(self) -> Somebody:
        """The volunteer whom somebody may play at once: paired with one, and asked for another one."""
        return self.of("leader")[0]


def standing(session: Session) -> str:
    """What of ours is in the database: "" nothing, "begun" or "done"."""
    if session.get(Installed, MARK) is None:
        return ""
    return next(word for word in (DONE, BEGUN) if is_installed(session, MARK, word))


def mark(session: Session, word: str) -> None:
    """Remember that making was `BEGUN`, or is `DONE`."""
    remember(session, MARK, word)


def has_people(session: Session) -> bool:
    """Whether anybody is there at all."""
    return any(session.exec(select(table.id).limit(1)).first() is not None for table in (Person, Beneficiary))


def found(database: Database, size: Size, chance: Random, doors: Doors, told: Told) -> City:
    """The first day: people register, roles are given, teams come together, ledgers are taken. On an empty database."""
    today = database.clock.now().date()
    invented = demo_people.volunteers(chance, size, today)
    people: list[Somebody] = []
    for first in range(0, len(invented), SLICE):
        with database.write() as session:
            for number in range(first, min(first + SLICE, len(invented))):
                people.append(_register(session, invented[number], part_of(number, size), doors))
        told(len(people), len(invented))
    with database.write() as session:
        _give_roles(session, people)
        teams = _teams(session, size, people)
        institutions = _institutions(session, size, people[0].person_id)
    ledgers = demo_people.served(chance, size, today)
    for county, rows in ledgers.items():
        take_ledger(database, county, rows)
    ids = _ids(database)
    return City(size, tuple(people), teams, tuple(_homes(ledgers, ids)), ledgers, ids, institutions)


def part_of(number: int, size: Size) -> str:
    """What the volunteer of this number is."""
    if number == 0:
        return "organiser"
    return "specialist" if number < size.staff else "leader" if number < size.staff + size.teams else "member"


def _register(session: Session, who: Invented, part: str, doors: Doors) -> Somebody:
    person: Person | None = None
    for platform, account, sender in doors(who.name, part):
        door, made = open_door(session, platform, account, sender, "zh_CN", zone="Asia/Shanghai")
        if person is not None:
            session.flush()
            door.person_id = person.id
            session.add(door)
            session.flush()
            session.delete(made)
        person = person or made
    if person is None:
        person = Person(created_at=now_of(session))
        session.add(person)
    session.flush()
    version = rules().registration.notice_version
    consent.give(session, person.id, "registration", version, "zh_CN")
    row = volunteer.register(session, person, Registered(who.name, who.phone, who.born, who.county))
    row.town, row.latitude, row.longitude, row.sex = who.town, who.latitude, who.longitude, who.sex
    row.occupation, row.languages, row.skills = who.occupation, list(who.languages), list(who.skills)
    row.services, row.free_times, row.travel_km = list(who.services), list(who.free_times), who.travel_km
    session.add(row)
    session.flush()
    time.sleep(0.001)  # ids grow by the millisecond: whoever comes first by id is the same one whenever this is done
    return Somebody(person.id, part, who)


def _give_roles(session: Session, people: Sequence[Somebody]) -> None:
    organiser = people[0].person_id
    role.grant(session, organiser, "organiser", "region", CITY, first=True)
    for one in people:
        if one.part == "specialist":
            role.grant(session, one.person_id, "specialist", "region", one.who.county, by=organiser)


def _teams(session: Session, size: Size, people: Sequence[Somebody]) -> dict[str, str]:
    """A team for each leader; the others join one of their county in turn."""
    now, made_by = now_of(session), people[0].person_id
    teams: dict[str, str] = {}
    of_county: dict[str, list[str]] = {}
    for number, leader in enumerate(one for one in people if one.part == "leader"):
        team = Team(
            number=new_number(),
            name=demo_people.placeholder("样例助残队", number, 2),
            kind=STUDENT if number % 3 == 0 else GENERAL,
            region=leader.who.county,
            capacity=rules().pairing.team_capacity,
            made_by=made_by,
            made_at=now,
        )
        session.add(team)
        session.flush()
        teams[leader.person_id] = team.id
        of_county.setdefault(leader.who.county, []).append(team.id)
        _join(session, team.id, leader.person_id, LEADER, made_by, now)
    for number, one in enumerate(one for one in people if one.part == "member"):
        mine = of_county.get(one.who.county)
        if mine:
            _join(session, mine[number // size.counties % len(mine)], one.person_id, MEMBER, made_by, now)
    return teams


def _join(session: Session, team: str, person: str, part: str, by: str, at: datetime) -> None:
    session.add(TeamMember(team_id=team, person_id=person, part=part, added_by=by, joined_at=at))


def _institutions(session: Session, size: Size, by: str) -> dict[str, str]:
    """One a county."""
    made: dict[str, str] = {}
    for number, county in enumerate(demo_people.counties(size)):
        name = demo_people.placeholder("样例助残中心", number, 1)
        kind, now = KINDS[number % len(KINDS)], now_of(session)
        row = Institution(number=new_number(), name=name, kind=kind, county=county, made_by=by, made_at=now)
        session.add(row)
        made[county] = row.id
    return made


def take_ledger(database: Database, county: str, rows: Sequence[dict[str, str]]) -> None:
    """Check and take the whole ledger of a county; raises BatchError."""
    data = as_file(rows)
    ledger = read_ledger(data, "示例台账.csv", county=county, today=database.clock.now().date())
    batch = ledger_check.check(database, ledger, data, region=county, by=MACHINE, part=False)
    ledger_import.take(database, batch.id, by=MACHINE)


def _ids(database: Database) -> dict[str, str]:
    with database.read() as session:
        vault = vault_of(session)
        return {name_in(vault, row): row.id for row in session.exec(select(Beneficiary))}


def _homes(ledgers: dict[str, list[dict[str, str]]], ids: dict[str, str]) -> list[Home]:
    return [_home(ids[row["姓名"]], county, row) for county, rows in ledgers.items() for row in rows]


def _home(beneficiary: str, county: str, row: dict[str, str]) -> Home:
    plain = not row["志愿者性别"] and row["沟通方式"] == "普通话"
    return Home(beneficiary, county, float(row["纬度"]), float(row["经度"]), plain)


def figures(session: Session) -> dict[str, int]:
    """How many served people are paired, in agreement, asked for, to be handed on, and wait for the family's word."""
    listed = (Beneficiary.status == LISTED, col(Beneficiary.merged_into).is_(None))
    served = col(Stint.beneficiary_id).is_not(None)
    agreed = select(FamilyConsent.beneficiary_id).where(col(FamilyConsent.withdrawn_at).is_(None))
    counts = {
        "paired": select(func.count()).where(Stint.state == OPEN, Stint.part == LEAD, served),
        "agreeing": select(func.count()).where(Stint.state == AGREEING, Stint.part == LEAD, served),
        "asked": select(func.count(func.distinct(Offer.beneficiary_id))).where(col(Offer.state).in_(HOLDING)),
        "relays": select(func.count()).where(Relay.state == SEEKING),
        "family": select(func.count()).where(*listed, col(Beneficiary.id).not_in(agreed)),
    }
    return {name: int(session.exec(query).one()) for name, query in counts.items()}
