"""What the talks about teams share: their facts, how a refusal of the rules is told, and the ways to a team."""

from __future__ import annotations

import re

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Choice, Invalid
from handlers.late import asked
from handlers.message import Option
from handlers.numerals import number
from handlers.paging import ListFacts
from handlers.somebody import called
from models.role import holding
from models.team import LONGEST_NAME, MOST_SERVED, Team, TeamError

LISTED = 10  # members or specialists that a question offers; others are written by their number


class TeamFacts(BaseModel):
    """A team as it stood on the screen. `members` are numbers with what they are called, at most LISTED; `decides` =
    the person may change more than its members; `own` = he or she is no more than a member."""

    team: str = ""
    name: str = ""
    capacity: int = 0
    members: tuple[tuple[str, str], ...] = ()
    decides: bool = False
    own: bool = False


def actions(facts: TeamFacts) -> tuple[Choice, ...]:
    """What somebody may do with it."""
    if facts.own:
        return (Choice("leave", _("退出团队")),)
    found = [Choice("add", _("加队员"), words=(_("添加队员"),))]
    if facts.members:
        found += [Choice("leader", _("设队长")), Choice("remove", _("移出队员"))]
    if facts.decides:
        found += [
            Choice("capacity", _("改结对人数"), words=(_("改人数"),)),
            Choice("end", _("解散团队"), words=(_("解散"),)),
        ]
    return tuple(found)


class SpecialistFacts(BaseModel):
    """For what a specialist is set: `kind` "region" or "team", `scope` empty until a county was named, unless it is
    `fixed`. `standing` are the grants in force there, each with what its person is called; `called` and `county` belong
    to whom `number` was found to be."""

    own: tuple[str, ...] = ()
    fixed: bool = False
    kind: str = "region"
    scope: str = ""
    name: str = ""
    standing: tuple[tuple[str, str], ...] = ()
    number: str = ""
    called: str = ""
    county: str = ""


def specialist_actions(facts: SpecialistFacts) -> tuple[Choice, ...]:
    """Set another specialist, or end one."""
    more = (Choice("end", _("结束专员职责"), words=(_("结束专员"),)),) if facts.standing else ()
    return (Choice("grant", _("设专员"), words=(_("设一位专员"),)), *more)


def standing(session: Session, kind: str, scope: str) -> tuple[tuple[str, str], ...]:
    """The specialists for exactly this scope: each grant, and what its person is called."""
    rows = holding(session, "specialist", kind, scope)[:LISTED]
    return tuple((row.id, called(session, row.person_id)) for row in rows)


def refused(error: TeamError) -> str:
    """Why the rules did not take it, and what to do."""
    return {
        "gone": _("这个团队已经解散了。"),
        "scope": _("这个团队现在不归你负责，没有改动。"),
        "region": _("行政区划有变动，请再选一次地方。"),
        "name": _("团队名称请写 2 到 {most} 个字。").format(most=LONGEST_NAME),
        "taken": _("这里已经有一个同名的团队，请换一个名称。"),
        "capacity": _("请写 1 到 {most} 之间的数字。").format(most=MOST_SERVED),
        "pair": _("两地还没有结对帮扶，不能跨地区帮助。"),
        "stints": _("还有服务对象和这里结对，先办好交接。"),
        "number": _("团队所在的和你负责的地区里没有这个编号"),
        "inactive": _("现在还不能服务，例如还在等监护人同意"),
        "minor": _("未满 18 岁，不能当队长，请另选一位。"),
        "stranger": _("不是这个团队的队员，请先加为队员。"),
    }[error.reason]


def to_team(session: Session, person_id: str, team: Team) -> tuple[Option, ...]:
    """A button that opens the team, and the list."""
    label = _("看“{name}”").format(name=team.name)
    opened = asked(session, person_id, "teams", "pick", ListFacts(ids=(team.id,)), [(team.id, label)])
    return (*opened, to_list())


def to_list() -> Option:
    """The button of the list of teams."""
    return Option("m:teams", _("团队"))


def team_capacity(words: str) -> int:
    """A check for how many people a team takes."""
    plain = re.sub(r"\s*[个個位人名]$", "", words.strip())
    try:
        size = int(plain) if plain.isdecimal() else number(plain)
    except (KeyError, ValueError):
        size = 0
    if not 1 <= size <= MOST_SERVED:
        raise Invalid(_("请写 1 到 {most} 之间的数字，例如 10。").format(most=MOST_SERVED))
    return size
