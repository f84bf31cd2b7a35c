"""What is done from a line of 一户不落: a kind reminder to whoever has somebody in the lead, what they say to it, and
taking somebody on one's own list (programme §10)."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session

from models import audit
from models.beneficiary import LISTED, Beneficiary, is_minor, locked, may_see, name_in
from models.database import now_of, vault_of
from models.outbox import REMINDER, enqueue
from models.person import Person, family, local_now
from models.standing_in import in_place_of
from models.stints import Responsible, answering, keep, keeping_of, lead_of, responsible_today

BEEN, PLANS, TROUBLE = ANSWERS = ("been", "plans", "trouble")
NUDGE_DAYS = 7  # a reminder that could not leave for so long is not sent any more


class HouseholdError(Exception):
    """`reason`: "gone" — not in the ledger any more; "scope" — not theirs; "paired" — somebody has the lead; "nobody" —
    no volunteer has it; "today" — this was done today."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _theirs(session: Session, beneficiary_id: str, by: str) -> Beneficiary:
    somebody = locked(session, beneficiary_id)
    if somebody is None or somebody.status != LISTED or somebody.merged_into is not None:
        raise HouseholdError("gone")
    if not may_see(session, by, somebody.county):
        raise HouseholdError("scope")
    return somebody


def nudge(session: Session, beneficiary_id: str, by: str) -> int:
    """Remind whoever serves somebody, once a day (of the one who reminds); returns how many are reminded. Raises
    HouseholdError ("nobody", "today", "gone", "scope")."""
    somebody = _theirs(session, beneficiary_id, by)
    found = responsible_today(session, somebody)
    if found.stint is None or not found.people:
        raise HouseholdError("nobody")
    day = local_now(session, session.get_one(Person, by)).date().isoformat()
    told = 0
    for person in found.people:
        params = {"beneficiary": somebody.id, "by": by}
        until = now_of(session) + timedelta(days=NUDGE_DAYS)
        key = f"nudge:{somebody.id}:{day}:{person}"
        told += enqueue(session, person, "notice.nudge", params, unique_key=key, priority=REMINDER, expires_at=until)
    if not told:
        raise HouseholdError("today")
    audit.note(session, by, "household.nudged", somebody.id, told=told)
    return told


def serves(session: Session, somebody: Beneficiary, person_id: str) -> Responsible | None:
    """That this volunteer serves somebody today, in the lead or as a substitute; None = not, or not any more."""
    if somebody.status != LISTED or somebody.merged_into is not None:
        return None
    found = responsible_today(session, somebody)
    mine = found.stint is not None and set(found.people).intersection(family(session, person_id))
    return found if mine else None


def name_for(session: Session, somebody: Beneficiary, volunteer: str, *, why: str) -> str | None:
    """The name of somebody for whoever serves them today, else None; a look at a minor's is logged."""
    if serves(session, somebody, volunteer) is None:
        return None
    if is_minor(somebody, now_of(session).date()):
        audit.note(session, volunteer, "beneficiary.read", somebody.id, why=why)
    return name_in(vault_of(session), somebody)


def answer(session: Session, beneficiary_id: str, volunteer: str, to: str, said: str) -> None:
    """What the volunteer says to a reminder goes to whoever sent it, or to those who answer for the county by now; once
    a day and answer. Raises HouseholdError("gone") where they do not serve that person any more."""
    if said not in ANSWERS:
        raise ValueError(said)
    somebody = session.get(Beneficiary, beneficiary_id)
    if somebody is None or serves(session, somebody, volunteer) is None:
        raise HouseholdError("gone")
    asked = in_place_of(session, to, lambda one: may_see(session, one, somebody.county))
    people = [asked] if asked is not None else answering(session, somebody.county)
    day = local_now(session, session.get_one(Person, volunteer)).date().isoformat()
    audit.note(session, volunteer, "household.nudge_answered", somebody.id, answer=said)
    for person in people:
        params = {"beneficiary": somebody.id, "volunteer": volunteer, "answer": said}
        key = f"nudge_answer:{somebody.id}:{volunteer}:{day}:{said}:{person}"
        enqueue(session, person, "notice.nudge_answer", params, unique_key=key, priority=REMINDER)


def take(session: Session, beneficiary_id: str, by: str) -> bool:
    """Somebody whom nobody has in the lead is kept by this one from now on, by name; False when it was so already.
    Raises HouseholdError ("paired", "gone", "scope")."""
    somebody = _theirs(session, beneficiary_id, by)
    if lead_of(session, somebody.id) is not None:
        raise HouseholdError("paired")
    kept = keeping_of(session, somebody.id)
    if kept is not None and kept.person_id == by:
        return False
    keep(session, somebody.id, by, "specialist", by)
    return True
