"""Directions about checking in: 〔坐标 1 23.1291 113.3207〕, 〔阵地 五山V站〕, 〔活动 阿林 周末读书会〕, 〔连心卡 1〕.

Numbers, tokens and secrets are fixed, so that a transcript may name scenes and codes. Coordinates are WGS-84.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from sqlmodel import Session

from models import activities, door_cards, station
from models.activities import New
from models.beneficiary import MACHINE, as_columns, record_of
from models.database import now_of, vault_of
from models.sealed import seal
from tests.pairings import hush, somebody

STATION, ACTIVITY, TOKEN = "1234567897", "2234567895", "AAAAAAAAAAAAAAAAAAAAAA"


class Stage(Protocol):
    """What a direction needs of a play."""

    def person_id(self, session: Session, name: str) -> str: ...


def _place(_play: Stage, session: Session, number: str, latitude: str, longitude: str) -> None:
    """The ledger knows where somebody lives."""
    served, vault = somebody(session, int(number)), vault_of(session)
    record = replace(record_of(vault, served), latitude=float(latitude), longitude=float(longitude))
    served.record_sealed = as_columns(vault, served.id, record)["record_sealed"]
    session.add(served)


def _station(_play: Stage, session: Session, name: str) -> None:
    made = station.create(session, MACHINE, name, "v_station", "440106")
    made.number = STATION
    session.add(made)


def _activity(play: Stage, session: Session, leader: str, name: str) -> None:
    """From now on for two hours."""
    now = now_of(session)
    new = New(name, now, now + timedelta(hours=2), "study", "440106", play.person_id(session, leader), place="文化站")
    made = activities.create(session, MACHINE, new)
    made.number, made.secret_sealed = ACTIVITY, seal(session, "activity.secret_sealed", made.id, "00" * 20)
    session.add(made)
    hush(session, "notice.activity")


def _card(_play: Stage, session: Session, number: str) -> None:
    door_cards.make(session, MACHINE, [somebody(session, int(number)).id])
    card = door_cards.standing_of(session, somebody(session, int(number)).id)
    assert card is not None
    card.token = TOKEN
    session.add(card)


DIRECTIONS = {"坐标": _place, "阵地": _station, "活动": _activity, "连心卡": _card}
