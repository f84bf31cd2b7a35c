"""People of a ledger, volunteers, teams and what went on between them, put straight into the tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from itertools import count
from typing import Any

from sqlmodel import Session

from models.beneficiary import MACHINE, Beneficiary, as_columns
from models.database import Database, now_of, vault_of
from models.family import FamilyConsent
from models.ids import new_id
from models.ledger_batch import LedgerBatch
from models.ledger_cells import Record
from models.offer import Offer
from models.pairing import Stint
from models.person import Person, open_door
from models.role import RoleGrant
from models.team import RegionPair, Team, TeamMember
from models.volunteer import Volunteer
from tests.ledger_files import id_number, name

COUNTY = "440106"
_RECORD = Record(
    **dict.fromkeys((field for field in Record.__dataclass_fields__), None)  # type: ignore[arg-type]
)


class Pairable:
    """Makes rows; each call is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._number = count(1)
        with database.write() as session:
            batch = LedgerBatch(region="44", file_digest="", total=0, made_by=MACHINE, made_at=now_of(session))
            session.add(batch)
            self._batch = batch.id
            self.clerk = self._person(session)

    def _person(self, session: Session) -> str:
        _door, person = open_door(session, "wechat", "test", new_id(), "zh_CN", zone="Asia/Shanghai")
        return person.id

    def listed(self, *, agreed: bool = True, row: dict[str, Any] | None = None, **told: Any) -> str:
        """Somebody of the ledger, whose family agreed to a pairing; `told` = fields of the record, `row` = columns."""
        number = next(self._number)
        record = replace(
            _RECORD,
            id_number=id_number(number),
            name=name(number),
            county=COUNTY,
            sex="male",
            status="listed",
            birth_date=date(1990, 1, 1),
            needs=("study",),
        )
        with self.database.write() as session:
            now, key = now_of(session), new_id()
            times: dict[str, datetime] = {"status_since": now, "listed_at": now, "changed_at": now}
            columns = as_columns(vault_of(session), key, replace(record, **told))
            session.add(Beneficiary(id=key, batch_id=self._batch, **times, **columns, **(row or {})))
            session.flush()
            if agreed:
                self._agreed(session, key)
        return key

    def _agreed(self, session: Session, key: str, **more: Any) -> None:
        usual = {"kind": "pairing", "version": "1", "giver": "self", "way": "phone"}
        session.add(
            FamilyConsent(beneficiary_id=key, recorded_by=self.clerk, given_at=now_of(session), **{**usual, **more})
        )

    def agreed(self, key: str, **more: Any) -> None:
        """A consent of the family."""
        with self.database.write() as session:
            self._agreed(session, key, **more)

    def volunteer(self, *, person: dict[str, Any] | None = None, **told: Any) -> str:
        """An active volunteer; returns the person's id. `person` = columns of the person."""
        usual: dict[str, Any] = {
            "status": "active",
            "birth_date": date(1990, 1, 1),
            "county": COUNTY,
            "services": ["study"],
            "sex": "female",
        }
        with self.database.write() as session:
            key = self._person(session)
            row = session.get_one(Person, key)
            for column, value in (person or {}).items():
                setattr(row, column, value)
            session.add(row)
            number = f"{next(self._number):08d}"
            session.add(Volunteer(person_id=key, number=number, registered_at=now_of(session), **{**usual, **told}))
        return key

    def team(self, *members: str, leader: str = "", **told: Any) -> str:
        """A team; returns its id."""
        with self.database.write() as session:
            now = now_of(session)
            usual = {"name": "某某队", "region": COUNTY, "capacity": 10, "made_by": MACHINE, "made_at": now}
            team = Team(number=f"T{next(self._number)}", **{**usual, **told})
            session.add(team)
            session.flush()
            for person in filter(None, (leader, *members)):
                part = "leader" if person == leader else "member"
                session.add(TeamMember(team_id=team.id, person_id=person, part=part, added_by=MACHINE, joined_at=now))
        return team.id

    def stint(self, key: str | None, person: str | None = None, team: str | None = None, **told: Any) -> None:
        """A pairing, open unless something else is said; one that ended did so now."""
        with self.database.write() as session:
            now = now_of(session)
            usual: dict[str, Any] = {
                "state": "open",
                "part": "lead",
                "activities": 12,
                "relay_months": 12,
                "made_by": MACHINE,
                "made_at": now,
            }
            if told.get("state") == "ended":
                usual["ended_at"] = now
            session.add(Stint(beneficiary_id=key, person_id=person, team_id=team, **{**usual, **told}))

    def offer(self, key: str, person: str, state: str, team: str | None = None) -> None:
        """An invitation."""
        with self.database.write() as session:
            now = now_of(session)
            session.add(
                Offer(
                    beneficiary_id=key,
                    person_id=person,
                    team_id=team,
                    state=state,
                    made_by=MACHINE,
                    made_at=now,
                    holds_until=now,
                )
            )

    def helps(self, helper: str, helped: str, **told: Any) -> None:
        """A region helps another."""
        with self.database.write() as session:
            session.add(
                RegionPair(
                    helper=helper,
                    helped=helped,
                    granted_by=MACHINE,
                    seconded_by=MACHINE,
                    granted_at=now_of(session),
                    **told,
                )
            )

    def in_charge(self, scope: str, role: str = "organiser") -> str:
        """Somebody who holds a role for a region."""
        with self.database.write() as session:
            key = self._person(session)
            session.add(
                RoleGrant(
                    person_id=key,
                    role=role,
                    scope_kind="region",
                    scope=scope,
                    granted_by=MACHINE,
                    granted_at=now_of(session),
                )
            )
        return key
