"""Directions about tables of teams: 〔名册 何老师 440106 阳光一队,阳光二队〕 was checked on a page and taken;
〔改团队 阳光二队 9〕 changes how many it takes."""

from __future__ import annotations

from typing import Any

from sqlmodel import select

from models import roster_batch, team
from models.beneficiary import MACHINE
from models.roster import read_roster
from models.team import Team
from tests.sheets import text

VERBS = ("名册", "改团队")


def direct(play: Any, verb: str, *words: str) -> None:
    """Carry out a direction of VERBS."""
    database = play.stage.database
    if verb == "名册":
        who, region, names = words
        data = text([("团队名称", "地区"), *((name, region) for name in names.split(","))])
        with database.read() as session:
            by = play.person_id(session, who)
        read = read_roster(data, "", roster_batch.KINDS["teams"](), here=region)
        batch = roster_batch.check(database, read, data, region=region, by=by)
        roster_batch.take(database, batch.id, by=by)
        return
    name, capacity = words
    with database.write() as session:
        found = session.exec(select(Team).where(Team.name == name)).one()
        team.set_capacity(session, MACHINE, found.id, int(capacity))
