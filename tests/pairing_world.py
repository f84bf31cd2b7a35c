"""A small world for the rules of pairings: people of a ledger, volunteers with doors, specialists, teams and
institutions, written straight into the tables; and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import insert
from sqlmodel import Session, col, select

from models import agreement, family, offering
from models.agreement import Terms
from models.beneficiary import Beneficiary, as_columns, indexed, locked, record_of
from models.database import Database, now_of, vault_of
from models.family_consent import PAIRING
from models.ids import new_id, new_number
from models.institution import Institution
from models.ledger_batch import LedgerBatch
from models.ledger_cells import Record
from models.ledger_questions import change
from models.offer import Offer
from models.offering import Answered, Candidate
from models.outbox import OutboxMessage
from models.pairing import Stint
from models.person import Door, Person
from models.role import RoleGrant, grants
from models.sealed import BlindIndex
from models.stints import Held, Responsible, history, lead_of, responsible_today
from models.team import LEADER, Team, TeamMember
from models.volunteer import ACTIVE, Volunteer, set_phone
from tests.sheets import id_number

TIANHE, YUEXIU = "440106", "440104"
GROWN, CHILD = date(1990, 3, 7), date(2015, 3, 7)
TERMS = Terms(("study",), 12, 12)
NAME = "测试甲乙丙"  # of everybody in the ledger: no message may hold it

_EMPTY: dict[str, Any] = dict.fromkeys(Record.__dataclass_fields__)
T = TypeVar("T")


class World:
    """One database with people in it; every method is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.count = 0
        self.batch = ""

    def do(self, rule: Callable[..., T], *told: Any, **more: Any) -> T:
        """A rule in a transaction of its own, as a turn does it."""
        with self.database.write() as session:
            return rule(session, *told, **more)

    def run(self, job: Callable[[Database], int]) -> int:
        return job(self.database)

    # Who is there

    def beneficiary(self, county: str = TIANHE, *, consent: bool = True, **told: Any) -> str:
        """Somebody of the ledger whose family agreed to a pairing."""
        self.count += 1
        born = told.get("birth_date", GROWN)
        number = told.get("id_number") or id_number(born, f"{self.count % 1000:03d}")
        record = Record(
            **_EMPTY
            | {"needs": ("study",), "name": NAME, "birth_date": born, "sex": "female"}
            | told
            | {"id_number": number, "county": county, "status": "listed"}
        )
        with self.database.write() as session:
            if not self.batch:
                batch = LedgerBatch(region="44", file_digest="", total=0, made_by="machine", made_at=now_of(session))
                session.add(batch)
                session.flush()
                self.batch = batch.id
            key, vault, now = new_id(), vault_of(session), now_of(session)
            times = dict.fromkeys(("status_since", "listed_at", "changed_at"), now)
            session.add(Beneficiary(id=key, batch_id=self.batch, **times, **as_columns(vault, key, record)))
            session.flush()
            session.execute(insert(BlindIndex), indexed(vault, key, record))
        if consent:
            self.consent(key)
        return key

    def consent(self, beneficiary: str) -> None:
        """The family agrees, on paper that whoever answers for the county wrote down."""
        with self.database.write() as session:
            row = family.FamilyConsent(
                beneficiary_id=beneficiary,
                kind=PAIRING,
                version="2026-11",
                giver="guardian",
                way="paper",
                recorded_by=self._anybody(session),
                given_at=now_of(session),
            )
            session.add(row)

    def _anybody(self, session: Session) -> str:
        found = session.exec(select(Person.id)).first()
        if found is None:
            person = Person(created_at=now_of(session))
            session.add(person)
            session.flush()
            found = person.id
        return found

    def person(self, zone: str = "Asia/Shanghai", *, door: bool = True) -> str:
        """Somebody who follows."""
        with self.database.write() as session:
            return self._person(session, zone, door=door)

    def _person(self, session: Session, zone: str, *, door: bool) -> str:
        now = now_of(session)
        person = Person(created_at=now, zone=zone)
        session.add(person)
        session.flush()
        if door:
            told = {"platform": "wechat", "account": "test", "sender": new_id()}
            session.add(Door(person_id=person.id, opened_at=now, last_in_at=now, **told))
        return person.id

    def volunteer(self, county: str = TIANHE, **told: Any) -> str:
        """An active grown-up volunteer with a door; `zone` and `door` as of `person`."""
        (person,) = self.volunteers(1, county, **told)
        return person

    def volunteers(self, count: int, county: str = TIANHE, **told: Any) -> list[str]:
        """So many who are alike."""
        zone, door, phone = told.pop("zone", "Asia/Shanghai"), told.pop("door", True), told.pop("phone", None)
        own = {"birth_date": GROWN, "status": ACTIVE, "sex": "female", "county": county} | told
        with self.database.write() as session:
            now, people = now_of(session), []
            for _ in range(count):
                person = self._person(session, zone, door=door)
                row = Volunteer(person_id=person, number=new_number(), registered_at=now, active_since=now, **own)
                session.add(row)
                session.flush()
                set_phone(session, row, phone)
                people.append(person)
            return people

    def specialist(self, county: str = TIANHE, role: str = "specialist", kind: str = "region") -> str:
        """Somebody with a role for a region or a team, and a door."""
        person = self.person()
        self.give_role(person, county, role, kind)
        return person

    def give_role(self, person: str, scope: str = TIANHE, role: str = "specialist", kind: str = "region") -> None:
        with self.database.write() as session:
            session.add(
                RoleGrant(
                    person_id=person,
                    role=role,
                    scope_kind=kind,
                    scope=scope,
                    granted_by="machine",
                    granted_at=now_of(session),
                )
            )

    def end_roles(self, person: str) -> None:
        with self.database.write() as session:
            for held in grants(session, person):
                held.ended_at = now_of(session)
                session.add(held)

    def shut(self, person: str) -> None:
        """Nothing reaches them any more."""
        with self.database.write() as session:
            for door in session.exec(select(Door).where(Door.person_id == person)).all():
                session.delete(door)

    def team(self, *leaders: str, members: tuple[str, ...] = (), capacity: int = 10) -> str:
        """A team with these people."""
        with self.database.write() as session:
            now = now_of(session)
            row = Team(
                number=new_number(), name="向阳队", region=TIANHE, capacity=capacity, made_by="machine", made_at=now
            )
            session.add(row)
            session.flush()
            for one in (*leaders, *members):
                part = LEADER if one in leaders else "member"
                session.add(TeamMember(team_id=row.id, person_id=one, part=part, added_by="machine", joined_at=now))
            return row.id

    def institution(self, county: str = TIANHE) -> str:
        with self.database.write() as session:
            row = Institution(
                number=new_number(),
                name="阳光家园",
                kind="care",
                county=county,
                made_by="machine",
                made_at=now_of(session),
            )
            session.add(row)
            session.flush()
            return row.id

    # What happens

    def offers(self, beneficiary: str, *people: str, by: str = "programme") -> list[str]:
        """Invitations that stand, written straight into the table, as many as wanted."""
        with self.database.write() as session:
            now = now_of(session)
            lead = lead_of(session, beneficiary)
            rows = [
                Offer(
                    beneficiary_id=beneficiary,
                    person_id=one,
                    follows_id=lead.id if lead else None,
                    made_by=by,
                    made_at=now,
                    holds_until=now,
                )
                for one in people
            ]
            session.add_all(rows)
            return [row.id for row in rows]

    def offer(self, beneficiary: str, person: str, by: str = "programme", team: str | None = None) -> str:
        """The rule's own invitation."""
        (row,) = self.do(offering.offer, beneficiary, [Candidate(person, team)], by)
        return row.id

    def says(self, offer: str, person: str, said: str = "accepted") -> Answered:
        answered = self.do(offering.answer, offer, person, said)
        assert answered is not None
        return answered

    def agreeing(self, beneficiary: str, person: str, team: str | None = None) -> str:
        """They said yes; returns the stint."""
        answered = self.says(self.offer(beneficiary, person, team=team), person)
        assert answered.stint is not None, answered.what
        return answered.stint.id

    def write(self, stint: str, by: str, terms: Terms = TERMS) -> datetime:
        """The agreement; returns its version."""
        row = self.do(agreement.write, stint, terms, by)
        assert row.confirmed_at is not None
        return row.confirmed_at

    def paired(self, beneficiary: str, person: str, by: str, team: str | None = None) -> str:
        """From the invitation to the open stint, which is returned."""
        stint = self.agreeing(beneficiary, person, team)
        self.do(agreement.accept, stint, person, self.write(stint, by))
        return stint

    def becomes(self, beneficiary: str, status: str) -> None:
        """The ledger says so."""
        with self.database.write() as session:
            row = locked(session, beneficiary)
            assert row is not None
            old = record_of(vault_of(session), row)
            change(session, row, old, replace(old, status=status))  # type: ignore[arg-type]

    # What became of it

    def stint(self, key: str) -> Stint:
        with self.database.read() as session:
            return session.get_one(Stint, key)

    def one(self, table: type[T], key: str) -> T:
        with self.database.read() as session:
            return session.get_one(table, key)

    def responsible(self, beneficiary: str) -> Responsible:
        with self.database.read() as session:
            return responsible_today(session, session.get_one(Beneficiary, beneficiary))

    def history(self, beneficiary: str) -> list[Held]:
        with self.database.read() as session:
            return history(session, beneficiary)

    def told(self, person: str, *, waiting: bool = True) -> list[str]:
        """The kinds of messages that wait for somebody, in the order in which they were made."""
        query = select(OutboxMessage.kind).where(OutboxMessage.person_id == person)
        if waiting:
            query = query.where(OutboxMessage.state == "waiting")
        with self.database.read() as session:
            return list(session.exec(query.order_by(col(OutboxMessage.created_at), col(OutboxMessage.kind))))


def unbroken(held: list[Held]) -> bool:
    """Whether each one began when the one before ended, and the last one goes on."""
    ends = [one.until for one in held]
    return bool(held) and ends[-1] is None and ends[:-1] == [one.since for one in held[1:]]
