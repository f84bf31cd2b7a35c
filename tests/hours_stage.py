"""Directions about hours: 〔服务 阿林 2026-11-21 9:00 11:30 study 1〕 = told, of this person of the ledger;
〔服务过 阿林 90 study〕 = so many hours, told and confirmed on the days before; 〔进门 阿林 study〕 = checked in now;
〔手机 妈妈 1〕 = this phone is the family's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from models import serving
from models.database import machine_now_of, now_of
from models.family_consent import FamilyDoor
from models.pairing import OPEN, Stint
from models.role import RoleGrant
from models.serving import Doing, Told
from tests.paired_stage import Stage
from tests.pairings import somebody

CHINA = ZoneInfo("Asia/Shanghai")


def _moment(day: str, clock: str) -> datetime:
    return datetime.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M").replace(tzinfo=CHINA).astimezone(UTC)


def _stint(session: Session, number: str) -> str | None:
    if not number:
        return None
    found = somebody(session, int(number))
    return session.exec(select(Stint.id).where(Stint.beneficiary_id == found.id, Stint.state == OPEN)).one()


def _served(
    play: Stage, session: Session, name: str, day: str, start: str, end: str, content: str, number: str = ""
) -> None:
    told = Told(content, _moment(day, start), _moment(day, end), stint_id=_stint(session, number))
    serving.tell(session, play.person_id(session, name), told)


def _has_served(play: Stage, session: Session, name: str, hours: str, content: str) -> None:
    person, left = play.person_id(session, name), float(hours)
    specialist = session.exec(select(RoleGrant.person_id).where(col(RoleGrant.ended_at).is_(None))).first()
    assert specialist is not None, "nobody could confirm it"
    midnight = now_of(session).astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(1, 60):
        if left > 0:
            starts = midnight - timedelta(days=day) + timedelta(hours=9)
            told = Told(content, starts.astimezone(UTC), (starts + timedelta(hours=min(left, 3))).astimezone(UTC))
            row = serving.confirm(session, specialist, serving.tell(session, person, told).id)
            row.told_at = now_of(session)
            session.add(row)
            left -= 3


def _in(play: Stage, session: Session, name: str, content: str) -> None:
    serving.check_in(session, play.person_id(session, name), Doing(content, "station"))


def _phone(play: Stage, session: Session, name: str, number: str) -> None:
    session.add(
        FamilyDoor(
            beneficiary_id=somebody(session, int(number)).id,
            holder="guardian",
            issued_by="machine",
            issued_at=machine_now_of(session),
            expires_at=machine_now_of(session),
            person_id=play.person_id(session, name),
            bound_at=now_of(session),
        )
    )


DIRECTIONS: dict[str, Callable[..., None]] = {"服务": _served, "服务过": _has_served, "进门": _in, "手机": _phone}
