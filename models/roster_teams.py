"""Rows of a table of teams, and of one of specialists (programme §1, §8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, func, select

from config import regions
from models import role, team, team_member
from models.beneficiary import MACHINE
from models.ledger_batch import CHANGED, NEW, SAME
from models.ledger_cells import RowCells
from models.ledger_values import choice, folded
from models.role import GrantError, RoleGrant
from models.role_used import is_used
from models.roster import (
    CHANGED_SINCE,
    NOT_YOURS,
    OFFERED,
    PAIRED,
    STAFFED,
    USED,
    Doing,
    Later,
    Refused,
    State,
    brought_by,
    count,
    day,
    hanging,
    named,
    need,
    number,
    numbers,
    region,
)
from models.team import (
    GENERAL,
    LONGEST_NAME,
    MOST_SERVED,
    STUDENT,
    Team,
    TeamError,
    TeamMember,
    by_team_number,
    leader_of,
    may_help,
    members,
)
from models.volunteer import ACTIVE, Volunteer, by_number
from models.volunteer_dates import CLEARED, TRAINED, DatesError, note_dates, put_dates_back


@dataclass(frozen=True, slots=True)
class TeamEntry:
    """A team as a row has it; None = the row says nothing. `leader` and `members` are volunteers' numbers."""

    name: str
    region: str
    student: bool | None
    capacity: int | None
    leader: str | None
    members: tuple[str, ...]


class Teams:
    """Teams: the same name in the same region is the same team. Nobody is taken out of one for not being named."""

    name = "teams"
    entry = TeamEntry

    def __init__(self) -> None:
        self._standing: dict[str, set[str]] = {}

    def prepare(self, session: Session, batch: str = "") -> None:
        """The names that stand, as they are compared, and where."""
        self._standing = {}
        query = select(Team.name, Team.region).where(col(Team.ended_at).is_(None))
        for name, code in session.exec(query.where(col(Team.id).not_in(brought_by(batch)))):
            self._standing.setdefault(folded(name), set()).add(code)

    def read(self, row: RowCells, here: str | None) -> TeamEntry | None:
        """The row as it is meant."""
        name = need(row, "name", named(LONGEST_NAME, 2))
        place = need(row, "region", region(here))
        student = row.take("student", lambda cell: choice("student", cell, "yes_no"))
        capacity, leader = row.take("capacity", count(MOST_SERVED)), row.take("leader", number)
        members = row.take("members", numbers) or ()
        if not name or not place:
            return None
        return TeamEntry(name, place, None if student is None else student == "yes", capacity, leader, members)

    def key(self, entry: TeamEntry) -> tuple[str, ...]:
        """Name and region."""
        return folded(entry.name), entry.region

    def do(self, doing: Doing, entry: TeamEntry) -> str:
        """Make it, or bring it to what the row says."""
        found = team.named(doing.session, entry.name, entry.region)
        try:
            if found is not None:
                changed = self._change(doing, found, entry)
                return CHANGED if self._take_in(doing, found, entry) or changed else SAME
            for place in self._standing.get(folded(entry.name), ()):
                if place == entry.region:
                    doing.doubt("name", "alike")
                elif regions.within(place, entry.region) or regions.within(entry.region, place):
                    doing.doubt("region", "above_or_below")
            kind = STUDENT if entry.student else GENERAL
            made = team.create(doing.session, doing.by, entry.name, entry.region, kind, entry.capacity)
        except TeamError as error:
            raise Refused("region", "not_yours" if error.reason == "scope" else "team_rule") from None
        self._take_in(doing, made, entry)
        return NEW

    def _change(self, doing: Doing, found: Team, entry: TeamEntry) -> bool:
        if entry.student is not None and entry.student != (found.kind == STUDENT):
            doing.row.problem("student", "kind_stays")  # when visits are due hangs on it: no rule changes it
        if entry.capacity is None or entry.capacity == found.capacity:
            return False
        team.set_capacity(doing.session, doing.by, found.id, entry.capacity)
        return True

    def _take_in(self, doing: Doing, found: Team, entry: TeamEntry) -> bool:
        """Its members and its leader; one who cannot be taken in keeps nobody else out."""
        changed = False
        for place, one in enumerate(entry.members, start=1):
            try:
                changed |= team_member.add(doing.session, doing.by, found.id, one)
            except TeamError as error:
                doing.row.problem("members", f"member_{error.reason}", which=str(place))
        if entry.leader is None:
            return changed
        try:
            changed |= team_member.add(doing.session, doing.by, found.id, entry.leader)
            changed |= team_member.set_leader(doing.session, doing.by, found.id, entry.leader)
        except TeamError as error:
            doing.row.problem("leader", f"leader_{error.reason}")
        return changed

    def place(self, session: Session, entry: TeamEntry) -> tuple[str, str | None]:
        """Its region."""
        return "region", entry.region

    def called(self, session: Session, entry: TeamEntry) -> str:
        """Its name."""
        return entry.name

    def state(self, session: Session, entry: TeamEntry) -> State:
        """Which one it is, how many it takes, the region that it helps, and whose it is: person by row, and leader."""
        found = team.named(session, entry.name, entry.region)
        if found is None:
            return {"id": None, "capacity": None, "helps": None, "members": {}, "leader": None, "rows": 0}
        held, lead = members(session, found), leader_of(session, found)
        rows = select(func.count()).select_from(TeamMember).where(TeamMember.team_id == found.id)
        return {
            "id": found.id,
            "capacity": found.capacity,
            "helps": found.helps,
            "members": {one.id: one.person_id for one in held},
            "leader": lead.person_id if lead is not None else None,
            "rows": session.exec(rows).one(),
        }

    def put_back(self, session: Session, by: str, entry: TeamEntry, before: State, after: State) -> None:
        """A new one is dissolved; in one that stood whoever came goes, and who led it leads it again. One that is
        paired by now keeps its only leader."""
        found = session.get_one(Team, after["id"])
        if before["id"] is None:
            _check_hanging(session, found)
        try:
            if before["id"] is None:
                team.end(session, by, found.id)
                return
            if before["leader"] != after["leader"]:
                if before["leader"] is None and team.is_paired(session, found.id):
                    raise Later(PAIRED)  # nobody would answer for those whom it serves
                team_member.lead_again(session, by, found.id, before["leader"])
            for person in sorted(set(after["members"].values()) - set(before["members"].values())):
                team_member.take_out(session, by, found.id, person)
            if before["capacity"] != after["capacity"]:
                team.set_capacity(session, by, found.id, before["capacity"])
        except TeamError as error:
            raise Later({"scope": NOT_YOURS, "stints": PAIRED}.get(error.reason, CHANGED_SINCE)) from None


def _check_hanging(session: Session, found: Team) -> None:
    """Something else than the import has come to hang on a team. Raises Later."""
    name = hanging(session, "team", found.id, but=("team_member", "proposal"))  # a proposal binds nobody
    if name:
        raise Later({"stint": PAIRED, "offer": OFFERED}.get(name, CHANGED_SINCE))
    granted = select(RoleGrant.id).where(RoleGrant.scope_kind == "team", RoleGrant.scope == found.number)
    if session.exec(granted.limit(1)).first() is not None:
        raise Later(STAFFED)


@dataclass(frozen=True, slots=True)
class SpecialistEntry:
    """A specialist as a row has it: `kind` "region" or "team", `scope` a region code or a team's number."""

    number: str
    kind: str
    scope: str
    trained_on: date | None
    cleared_until: date | None


class Specialists:
    """Specialists: each row is a role for a region or for a team."""

    name = "specialists"
    entry = SpecialistEntry

    def prepare(self, session: Session, batch: str = "") -> None:
        """Nothing is looked at beforehand."""

    def read(self, row: RowCells, here: str | None) -> SpecialistEntry | None:
        """The row as it is meant."""
        who = need(row, "number", number)
        place = row.take("region", region(here), stops=True)
        its = row.take("team", number, stops=True)
        if place and its:
            row.problem("team", "two_scopes", stops=True)
        elif not place and not its and not row.is_bad("region") and not row.is_bad("team"):
            row.problem("region" if "region" in row.columns else "team", "no_scope", stops=True)
        trained, cleared = row.take(TRAINED, day), row.take(CLEARED, day)
        if not who or not (place or its):
            return None
        return SpecialistEntry(who, "region" if place else "team", place or its or "", trained, cleared)

    def key(self, entry: SpecialistEntry) -> tuple[str, ...]:
        """Who, and for what."""
        return entry.number, entry.kind, entry.scope

    def do(self, doing: Doing, entry: SpecialistEntry) -> str:
        """Give the role, and write down the dates."""
        volunteer = by_number(doing.session, entry.number)
        if volunteer is None:
            raise Refused("number", "nobody")
        held = role.holding(doing.session, "specialist", entry.kind, entry.scope)
        standing = any(one.person_id == volunteer.person_id for one in held)
        if not standing:
            self._check(doing, entry, volunteer)
            try:
                who = volunteer.person_id
                role.grant(doing.session, who, "specialist", entry.kind, entry.scope, by=doing.by)
            except GrantError:
                raise Refused(entry.kind, "not_yours") from None
        dated = self._dates(doing, entry, volunteer)
        return CHANGED if standing and dated else SAME if standing else NEW

    def _check(self, doing: Doing, entry: SpecialistEntry, volunteer: Volunteer) -> None:
        places = [entry.scope]
        if entry.kind == "team":
            its = by_team_number(doing.session, entry.scope)
            if its is None or its.ended_at is not None:
                raise Refused("team", "no_team")
            places = [code for code in (its.region, its.helps) if code]
        if volunteer.status != ACTIVE:
            doing.doubt("number", "not_active")
        home = volunteer.county or ""
        # A number that was written down wrongly is mostly somebody's from far away.
        if not any(regions.within(home, code) or may_help(doing.session, home, code) for code in places):
            doing.doubt("number", "from_elsewhere")

    def _dates(self, doing: Doing, entry: SpecialistEntry, volunteer: Volunteer) -> bool:
        changed = False
        for field, value in ((TRAINED, entry.trained_on), (CLEARED, entry.cleared_until)):
            if value is None or getattr(volunteer, field) == value:
                continue
            try:
                changed |= bool(note_dates(doing.session, doing.by, volunteer.id, **{field: value}))
            except DatesError as error:
                doing.row.problem(field, f"date_{error.reason}")
        return changed

    def place(self, session: Session, entry: SpecialistEntry) -> tuple[str, str | None]:
        """The region, or the home of the team."""
        if entry.kind == "region":
            return "region", entry.scope
        its = by_team_number(session, entry.scope)
        return "team", its.region if its is not None else None

    def called(self, session: Session, entry: SpecialistEntry) -> str:
        """By the volunteer's number; names are for those who may read them."""
        return entry.number

    def state(self, session: Session, entry: SpecialistEntry) -> State:
        """Whether the role stands, and the dates that are written down."""
        volunteer = by_number(session, entry.number)
        if volunteer is None:
            return {"id": None, "person": None, TRAINED: None, CLEARED: None}
        held = role.holding(session, "specialist", entry.kind, entry.scope)
        mine = next((one.id for one in held if one.person_id == volunteer.person_id), None)
        dates = {name: str(day) if (day := getattr(volunteer, name)) else None for name in (TRAINED, CLEARED)}
        return {"id": mine, "person": volunteer.person_id, **dates}

    def put_back(self, session: Session, by: str, entry: SpecialistEntry, before: State, after: State) -> None:
        """A new role ends, unless it has been used; dates are what they were."""
        dates = {name: before[name] for name in (TRAINED, CLEARED) if before[name] != after[name]}
        try:
            if dates:
                old = {name: date.fromisoformat(said) if said else None for name, said in dates.items()}
                put_dates_back(session, by, after["person"], old)
            if before["id"] is None:
                if is_used(session, session.get_one(RoleGrant, after["id"])):
                    raise Later(USED)
                role.end_grant(session, after["id"], by, operator=by == MACHINE)
        except (GrantError, DatesError):
            raise Later(NOT_YOURS) from None
