"""What happened in the invented city within a year, by the programme's own rules: families asked, invitations answered,
pairings agreed, some handed on, some kept on a list, a few people who died or moved away.

Everything is an act at a moment of a clock of its own, which runs from `DAYS` ago to the last midnight (UTC).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, SQLModel

from models import (
    agreement,
    audit,
    demo,
    family,
    family_consent,
    institution_pairing,
    keepings,
    offering,
    relay_days,
    relaying,
    role,
    stints,
    substituting,
)
from models.agreement import Terms
from models.beneficiary import Beneficiary, is_minor
from models.clock import Clock
from models.database import Database, now_of
from models.demo import City, Doors, Home, Somebody, Told
from models.demo_people import Size
from models.distance import kilometres
from models.offering import Candidate, OfferError
from models.pairing import Stint
from models.stints import StintError

DAYS = 330
NEWER_LEDGER = 14  # days ago
FRESH = timedelta(days=2)  # what was told before that has been read long ago
NEAREST = 6  # of these one is asked
PER_VOLUNTEER = 2
LEFT_TO_KEEPER = 24  # days that somebody stays who then leaves the family to a keeper; others stay longer

# Of a hundred served people so many have come so far; the others' families agreed, and nobody has been asked yet.
FATES = (("paired", 60), ("family", 10), ("asked", 8), ("agreeing", 5), ("kept", 5), ("gone", 3))
Act = Callable[[Session], None]


class _Then(Clock):
    """A clock that stands where it was put."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        super().__init__(machine=lambda: self.at)


@contextmanager
def _put_back(database: Database, days: int) -> Iterator[_Then]:
    """The database's clock stands so many days ago; afterwards it is the one it was."""
    real = database.clock
    midnight = real.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    database.clock = then = _Then(midnight - timedelta(days=days))
    try:
        yield then
    finally:
        database.clock = real


def make(database: Database, size: Size, seed: int, doors: Doors, told: Told) -> City:
    """Fill an empty database; the same seed on the same day tells the same story. Whoever calls has looked whether it
    is empty. What goes wrong on the way leaves it half made, and marked so."""
    chance = Random(seed)  # noqa: S311 nothing here is secret
    total = size.volunteers + DAYS
    with database.write() as session:
        demo.mark(session, demo.BEGUN)
    with _put_back(database, DAYS) as clock:
        city = demo.found(database, size, chance, doors, lambda done, _all: told(done, total))
        story = Story(city, chance, clock)
        story.plan()
        story.play(database, DAYS - NEWER_LEDGER, lambda day: told(size.volunteers + day, total))
        story.take_newer_ledger(database)
        story.play(database, DAYS, lambda day: told(size.volunteers + day, total))
    with database.write() as session:
        _hush(session)
        audit.note(session, "machine", "demo.made", "programme", seed=seed)
        demo.mark(session, demo.DONE)
    return city


def _hush(session: Session) -> None:
    """What was told long ago is not brought to the phones now: it was never sent, and is withdrawn."""
    rows: Any = SQLModel.metadata.tables["outbox"]
    old = rows.c.state.in_(("waiting", "held")) & (rows.c.created_at < now_of(session) - FRESH)
    gone = {"state": "withdrawn", "why": "demo", "ended_at": now_of(session), "params_sealed": None}
    session.execute(update(rows).where(old).values(**gone))


class Story:
    """Who does what when. `_load` = how many served people somebody was asked for and has not refused."""

    def __init__(self, city: City, chance: Random, clock: _Then) -> None:
        self._city, self._chance, self._clock = city, chance, clock
        self._first, self._end = clock.at, clock.at + timedelta(days=DAYS)
        self._todo: list[tuple[datetime, int, Act]] = []
        self._count = 0
        self._load: Counter[str] = Counter()
        self._gone: list[Home] = []
        self._player = city.player
        self._for_player: set[str] = set()
        self._leaving = [city.of("specialist", county)[-1] for county in list(city.ledgers)[:2]]

    # --- what is to come ---

    def _at(self, days_ago: float, act: Act) -> None:
        """Some time of that day between 10:00 and 16:00 in China."""
        day = self._end - timedelta(days=round(days_ago))
        self._when(day + timedelta(hours=2, minutes=self._chance.randrange(360)), act)

    def _when(self, at: datetime, act: Act) -> None:
        self._count += 1
        heapq.heappush(self._todo, (at, self._count, act))

    def plan(self) -> None:
        """Begin everybody's story."""
        begin: dict[str, Callable[[Home, int], None]] = {
            "paired": self._paired,
            "family": self._family,
            "asked": self._asked,
            "agreeing": self._agreeing,
            "kept": self._kept,
            "gone": self._goes,
        }
        homes = list(self._city.homes)
        self._chance.shuffle(homes)
        for fate, share in FATES:
            count = len(self._city.homes) * share // 100
            some, homes = homes[:count], homes[count:]
            if fate in ("paired", "asked"):
                self._for_player.update(self._for_the_player(some))
            for number, home in enumerate(some):
                begin[fate](home, number)
        for home in homes:
            self._at(self._chance.randint(5, 60), partial(self._consent, home))
        for number, county in enumerate(self._city.institutions):
            self._at(150 if number != 1 else 3, partial(self._team_agrees, county, number != 1))
        for number, one in enumerate(self._leaving):
            self._at(20 - number, partial(self._specialist_leaves, one))

    def _for_the_player(self, homes: list[Home]) -> list[str]:
        """The first of these that nothing can stand against."""
        mine = [one.beneficiary_id for one in homes if one.plain and one.county == self._player.who.county]
        return mine[:1]

    def _paired(self, home: Home, number: int) -> None:
        begun = self._chance.randint(45, 320)
        self._begin(home, begun, "open", in_team=number % 15 == 3)
        if number % 12 == 0:
            reason = self._chance.choice(("graduation", "stopped", "moved"))
            self._at(self._chance.randint(3, 18), partial(self._leave, home, reason, self._chance.randint(25, 60)))
        elif number % 40 == 1:
            self._at(20, partial(self._leave, home, "moved", 40))
            self._at(11, partial(self._ask, home, "open", False))
        elif number % 30 == 2:
            self._at(10, partial(self._stand_in, home))

    def _begin(self, home: Home, days_ago: int, until: str, *, in_team: bool = False) -> None:
        self._at(days_ago, partial(self._consent, home))
        self._at(days_ago - 1, partial(self._ask, home, until, in_team))

    def _family(self, home: Home, number: int) -> None:
        """Their word is waited for; one of ten families has taken it back."""
        if number % 10 == 0:
            self._at(50, partial(self._consent, home))
            self._at(8, partial(self._take_back, home))

    def _asked(self, home: Home, number: int) -> None:
        self._begin(home, 2, "later" if number % 5 == 4 else "asked")

    def _agreeing(self, home: Home, number: int) -> None:
        self._begin(home, 13 if number % 2 else 5, "written" if number % 2 else "yes")

    def _kept(self, home: Home, _number: int) -> None:
        self._begin(home, self._chance.randint(200, 300), "open")
        self._at(90, partial(self._leave, home, "stopped", LEFT_TO_KEEPER))

    def _goes(self, home: Home, number: int) -> None:
        self._gone.append(home)
        if number % 2:
            self._begin(home, self._chance.randint(60, 300), "open")

    # --- and how it comes ---

    def play(self, database: Database, until: int, told: Callable[[int], None]) -> None:
        """Everything up to the `until`th day, a day a transaction."""
        ends = self._first + timedelta(days=until)
        while self._todo and self._todo[0][0] < ends:
            day = self._todo[0][0].date()
            with database.write() as session:
                while self._todo and self._todo[0][0] < ends and self._todo[0][0].date() == day:
                    self._clock.at, _number, act = heapq.heappop(self._todo)
                    act(session)
                _time_passes(session)
            told((self._clock.at - self._first).days)
        self._clock.at = ends
        with database.write() as session:
            _time_passes(session)
        told(until)

    def take_newer_ledger(self, database: Database) -> None:
        """残联 hand in the counties' ledgers anew: some have died, some moved away."""
        went = {home.beneficiary_id: "迁出" if number % 3 else "去世" for number, home in enumerate(self._gone)}
        for county, rows in self._city.ledgers.items():
            about = [row | {"状态": went.get(self._city.ids[row["姓名"]], row["状态"])} for row in rows]
            demo.take_ledger(database, county, about)

    # --- acts ---

    def _by(self, home: Home) -> str:
        return self._city.of("specialist", home.county)[0].person_id

    def _consent(self, home: Home, session: Session) -> None:
        somebody = session.get_one(Beneficiary, home.beneficiary_id)
        giver = family_consent.GUARDIAN if is_minor(somebody, now_of(session).date()) else family_consent.SELF
        way = self._chance.choice((family_consent.PAPER, family_consent.PHONE, family_consent.SPOKEN))
        family.record(session, home.beneficiary_id, family_consent.PAIRING, giver, way, self._by(home))

    def _take_back(self, home: Home, session: Session) -> None:
        family.take_back(session, home.beneficiary_id, family_consent.PAIRING, self._by(home))

    def _near(self, home: Home, *, in_team: bool) -> list[Candidate]:
        """Whom to ask, the best first: the player where it is for them, a leader for the team, else neighbours."""
        if home.beneficiary_id in self._for_player and self._load[self._player.person_id] < PER_VOLUNTEER:
            return [Candidate(self._player.person_id)]
        leaders = self._city.of("leader", home.county)
        if in_team:
            return [Candidate(one.person_id, self._city.teams[one.person_id]) for one in leaders]
        others = [one for one in (*leaders, *self._city.of("member", home.county)) if one is not self._player]
        free = [one for one in others if self._load[one.person_id] < PER_VOLUNTEER]
        free.sort(key=lambda one: kilometres(home.latitude, home.longitude, one.who.latitude, one.who.longitude))
        first, rest = free[:NEAREST], free[NEAREST:]
        self._chance.shuffle(first)
        return [Candidate(one.person_id) for one in (*first, *rest)]

    def _ask(self, home: Home, until: str, in_team: bool, session: Session) -> None:
        leaving = stints.lead_of(session, home.beneficiary_id)
        for candidate in self._near(home, in_team=in_team):
            if leaving is not None and candidate.person_id == leaving.person_id:
                continue
            try:
                (made,) = offering.offer(session, home.beneficiary_id, [candidate], self._by(home))
            except OfferError:
                continue
            if candidate.team_id is None:
                self._load[candidate.person_id] += 1
            self._for_player.discard(home.beneficiary_id)
            if until == "later":
                self._when(now_of(session) + timedelta(hours=4), partial(self._say_later, made.id, made.person_id))
            elif until != "asked":
                answer = partial(self._answer, home, made.id, candidate, until)
                self._when(now_of(session) + timedelta(hours=20), answer)
            return

    def _say_later(self, offer: str, person: str, session: Session) -> None:
        offering.answer(session, offer, person, "later")

    def _answer(self, home: Home, offer: str, candidate: Candidate, until: str, session: Session) -> None:
        now, person = now_of(session), candidate.person_id
        if person != self._player.person_id and self._chance.random() < 0.12:
            offering.answer(session, offer, person, "declined", self._chance.choice(("busy", "far", "unsure")))
            self._load[person] -= candidate.team_id is None
            self._when(now + timedelta(days=1), partial(self._ask, home, until, False))
            return
        found = offering.answer(session, offer, person, "accepted")
        if found is None or found.stint is None or until == "yes":
            return
        meet = partial(self._meet, home, found.stint.id, now + timedelta(days=4))
        self._when(now + timedelta(days=2), meet)
        self._when(now + timedelta(days=6), partial(self._write, home, found.stint.id, until))

    def _meet(self, home: Home, stint: str, at: datetime, session: Session) -> None:
        with suppress(StintError):  # the family has left meanwhile
            agreement.set_meeting(session, stint, at, self._by(home))

    def _write(self, home: Home, stint: str, until: str, session: Session) -> None:
        somebody = session.get_one(Beneficiary, home.beneficiary_id)
        terms = Terms(tuple(somebody.needs), self._chance.choice((6, 12, 12, 24)), 12)
        with suppress(StintError):
            agreement.write(session, stint, terms, self._by(home))
            if until != "written":
                self._when(now_of(session) + timedelta(days=1), partial(self._accept, stint))

    def _accept(self, stint: str, session: Session) -> None:
        row = session.get_one(Stint, stint)
        if row.confirmed_at is not None and row.person_id is not None:
            with suppress(StintError):
                agreement.accept(session, stint, row.person_id, row.confirmed_at)

    def _leave(self, home: Home, reason: str, days: int, session: Session) -> None:
        """Whoever serves says that they cannot go on. Where a specialist is to leave, that one keeps the family."""
        row = stints.lead_of(session, home.beneficiary_id)
        if row is None or row.person_id is None:
            return
        keeper = next((one.person_id for one in self._leaving if one.who.county == home.county), None)
        last = now_of(session).date() + timedelta(days=days)
        note = "样例交接说明：周六上午方便，喜欢画画。"
        relaying.begin(
            session, row.id, reason, last, row.person_id, note=note, keeper=keeper if days == LEFT_TO_KEEPER else None
        )

    def _stand_in(self, home: Home, session: Session) -> None:
        row = stints.lead_of(session, home.beneficiary_id)
        last = now_of(session).date() + timedelta(days=30)
        for candidate in self._near(home, in_team=False) if row is not None else ():
            try:
                asked = substituting.ask(session, str(row and row.id), candidate.person_id, last, self._by(home))
            except (OfferError, StintError):
                continue
            self._when(now_of(session) + timedelta(days=1), partial(self._says_yes, asked.id, candidate.person_id))
            return

    def _says_yes(self, stint: str, person: str, session: Session) -> None:
        with suppress(StintError):
            substituting.answer(session, stint, person, yes=True)

    def _team_agrees(self, county: str, accepted: bool, session: Session) -> None:
        """The last team of a county agrees with its institution; of the second county it has not accepted yet."""
        leader, by = self._city.of("leader", county)[-1].person_id, self._city.of("specialist", county)[0].person_id
        terms = Terms(("culture", "inclusion"), 12, 12)
        team = self._city.teams[leader]
        stint = institution_pairing.agree(session, self._city.institutions[county], team, terms, by)
        if accepted:
            self._when(now_of(session) + timedelta(days=1), partial(self._accepts_for_team, stint.id, leader))

    def _accepts_for_team(self, stint: str, leader: str, session: Session) -> None:
        row = session.get_one(Stint, stint)
        if row.confirmed_at is not None:
            agreement.accept(session, stint, leader, row.confirmed_at)

    def _specialist_leaves(self, one: Somebody, session: Session) -> None:
        for held in role.grants(session, one.person_id):
            role.end_grant(session, held.id, self._city.of("organiser")[0].person_id)


def _time_passes(session: Session) -> None:
    """What the jobs do (scheduler/jobs.py), once a day."""
    offering.pass_on(session, offering.overdue(session))
    relay_days.leave_last_days(session, relay_days.ending(session))
    substituting.end_over(session, substituting.over(session))
    relay_days.begin_for_terms(session, relay_days.terms_ending(session))
    keepings.rekeep(session, keepings.lost_keepers(session))
    keepings.name_anew(session, keepings.lost_specialists(session))
