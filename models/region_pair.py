"""Regions that help each other (programme §2: a helping city and a helped county): granted and ended explicitly.

Both sides have a word in it: an organiser whose scope covers the helping region, and one whose scope covers the helped
one. Where one person covers both, another organiser seconds it, or the machine while there is no other.
"""

from __future__ import annotations

from sqlmodel import Session, col, select

from config import regions
from models import audit, role
from models.beneficiary import MACHINE
from models.database import insert_once, now_of
from models.ids import new_id
from models.role import RoleGrant, grants
from models.team import RegionPair, Team, may_help, standing_pairs


class PairError(Exception):
    """The rules do not allow this pair; `reason` is what the words are chosen by.

    "region" — no such region; "same" — one lies in the other; "scope" — neither names an organiser of each side;
    "second" — one covers both, and nobody else agreed; "gone" — no such pair stands.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def grant_pair(session: Session, helper: str, helped: str, by: str, second: str) -> RegionPair:
    """Let `helper` help `helped` (region codes of 2, 4 or 6 digits). `by` and `second` are persons' ids, one for each
    side in any order; MACHINE seconds as in models/role.py. One that stands already is returned. Raises PairError."""
    one, other = regions.get(helper), regions.get(helped)
    if one is None or other is None:
        raise PairError("region")
    if regions.within(one.code, other.code) or regions.within(other.code, one.code):
        raise PairError("same")
    _check_words(session, one.code, other.code, by, second)
    made = session.execute(
        insert_once(session, RegionPair).values(
            id=new_id(),
            helper=one.code,
            helped=other.code,
            granted_by=by,
            seconded_by=second,
            granted_at=now_of(session),
        )
    )
    row = _standing(session, one.code, other.code)
    if getattr(made, "rowcount", 0):
        audit.note(session, by, "region_pair.granted", row.id, helper=row.helper, helped=row.helped, second=second)
    return row


def end_pair(session: Session, helper: str, helped: str, by: str, second: str) -> None:
    """End a pair, with the same two words. Teams that helped by it alone help there no more; their pairings stay as
    they are. Raises PairError."""
    one, other = regions.get(helper), regions.get(helped)
    if one is None or other is None:
        raise PairError("region")
    row = _standing(session, one.code, other.code)
    _check_words(session, row.helper, row.helped, by, second)
    row.ended_at = now_of(session)
    session.add(row)
    session.flush()
    audit.note(session, by, "region_pair.ended", row.id, helper=row.helper, helped=row.helped, second=second)
    helping = select(Team).where(col(Team.helps).is_not(None), col(Team.ended_at).is_(None)).with_for_update()
    for team in session.exec(helping.execution_options(populate_existing=True)).all():
        if team.helps and not may_help(session, team.region, team.helps):
            team.helps = None
            session.add(team)
            audit.note(session, by, "team.helps", team.id, value="", pair=row.id)
    session.flush()


def pairs_of(session: Session, person_id: str) -> list[RegionPair]:
    """The standing pairs with a region, on either side, that somebody's roles have to do with."""
    held = [each.scope for each in grants(session, person_id) if each.scope_kind == "region"]
    return [
        pair
        for pair in standing_pairs(session)
        if any(
            regions.within(side, scope) or regions.within(scope, side)
            for side in (pair.helper, pair.helped)
            for scope in held
        )
    ]


def _standing(session: Session, helper: str, helped: str) -> RegionPair:
    query = select(RegionPair).where(
        RegionPair.helper == helper, RegionPair.helped == helped, col(RegionPair.ended_at).is_(None)
    )
    # Locked, so that of two who end it at the same moment the second one sees that it is done.
    found = session.exec(query.with_for_update().execution_options(populate_existing=True)).first()
    if found is None:
        raise PairError("gone")
    return found


def _check_words(session: Session, helper: str, helped: str, by: str, second: str) -> None:
    def organises(person_id: str, region: str) -> bool:
        return any(_covers(held, region) for held in grants(session, person_id))

    standing = role.organisers(session)
    both = organises(by, helper) and organises(by, helped)
    if both:
        if (second == MACHINE and standing == {by}) or (second != by and second in standing):
            return
        raise PairError("second")
    sides = ((helper, helped), (helped, helper))
    if by == second or not any(organises(by, mine) and organises(second, theirs) for mine, theirs in sides):
        raise PairError("scope")


def _covers(held: RoleGrant, region: str) -> bool:
    return held.role == "organiser" and held.scope_kind == "region" and regions.within(region, held.scope)
