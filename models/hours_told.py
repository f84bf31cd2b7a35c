"""Who hears of a decision about hours: the volunteer, of many at once; and the family on its own phone, which may say
in one tap how it was (programme §7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from models import audit, family_doors
from models.beneficiary import GONE, Beneficiary
from models.database import now_of
from models.family_consent import doors_of, holds_door
from models.one_human import accounts_of
from models.outbox import REMINDER, enqueue
from models.person import family, survivor
from models.service import CONFIRMED, FAMILY_SAYS, REFUSED, ServiceRecord

SETTLED = timedelta(minutes=5)  # after the last decision: whoever goes through a list makes one message of it
RECENT = timedelta(days=14)  # after that nobody is asked how a visit was
_OPINION = {"fair": "so_so", "change": "change"}  # as models/family_doors.py calls them
AT_MOST = 5_000


def undelivered(session: Session) -> list[str]:
    """The accounts about whose records somebody decided, and who have not been told; once nobody goes on deciding."""
    decided = col(ServiceRecord.decided_at)
    query = (
        select(ServiceRecord.person_id)
        .where(col(ServiceRecord.told_at).is_(None), col(ServiceRecord.state).in_((CONFIRMED, REFUSED)))
        .group_by(ServiceRecord.person_id)
        .having(func.max(decided) <= now_of(session) - SETTLED)
        .order_by(func.max(decided), ServiceRecord.person_id)
    )
    return list(session.exec(query.limit(AT_MOST)))


def tell(session: Session, among: Sequence[str]) -> int:
    """One message to each of these for all that was decided; and whoever was visited is asked how it was. Returns how
    many accounts there were."""
    now = now_of(session)
    for account in among:
        query = select(ServiceRecord).where(
            ServiceRecord.person_id == account,
            col(ServiceRecord.told_at).is_(None),
            col(ServiceRecord.state).in_((CONFIRMED, REFUSED)),
        )
        rows = session.exec(query.order_by(col(ServiceRecord.starts_at)).with_for_update()).all()
        for row in rows:
            row.told_at = now
            session.add(row)
            _ask_family(session, row)
        session.flush()
        owner = survivor(session, account)
        if rows and owner.deleted_at is None:
            told = {"records": [row.id for row in rows]}
            last = max(row.decided_at for row in rows if row.decided_at is not None)
            key = f"hours_decided:{account}:{last.isoformat()}"
            enqueue(session, owner.id, "notice.hours_decided", told, unique_key=key, priority=REMINDER)
    return len(among)


def _ask_family(session: Session, row: ServiceRecord) -> None:
    """One question a week and family, about a visit that is not long ago; never of the volunteer themselves."""
    if row.state != CONFIRMED or row.beneficiary_id is None or row.ends_at is None:
        return
    somebody = session.get_one(Beneficiary, row.beneficiary_id)
    if row.ends_at < now_of(session) - RECENT or somebody.status in GONE or somebody.merged_into is not None:
        return
    own = accounts_of(session, row.person_id)
    week = f"{row.ends_at:%G-%V}"
    for door in doors_of(session, somebody.id):
        if door.person_id is not None and door.person_id not in own:
            told = {"record": row.id}
            key = f"family_asked:{somebody.id}:{week}:{door.person_id}"
            enqueue(session, door.person_id, "notice.family_asked", told, unique_key=key, priority=REMINDER)


def family_says(session: Session, person_id: str, record_id: str, said: str) -> bool:
    """How a visit was, from the family's own phone; kept with the record for whoever answers for the county, who is
    told at once where it was not good. The last word counts. False when it is not theirs to say."""
    query = select(ServiceRecord).where(ServiceRecord.id == record_id).with_for_update()
    row = session.exec(query.execution_options(populate_existing=True)).first()
    if row is None or row.beneficiary_id is None or said not in FAMILY_SAYS:
        return False
    if not holds_door(session, row.beneficiary_id, person_id) or row.person_id in accounts_of(session, person_id):
        return False
    if row.family_said != said:
        row.family_said, row.family_at = said, now_of(session)
        session.add(row)
        session.flush()
        if said in _OPINION:
            family_doors.say(session, person_id, row.beneficiary_id, _OPINION[said])
        else:
            audit.note(session, person_id, "family.said", row.beneficiary_id, opinion=said)
    return True


def records_of(session: Session, person_id: str) -> list[ServiceRecord]:
    """Every service record of a person and of whoever became this person, the newest first."""
    query = select(ServiceRecord).where(col(ServiceRecord.person_id).in_(family(session, person_id)))
    return list(session.exec(query.order_by(col(ServiceRecord.starts_at).desc(), ServiceRecord.id)))
