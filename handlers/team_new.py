"""新建团队: what it is called, where it is at home, whether of students, how many people it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.catalogue import rules
from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.message import Option, Reply
from handlers.places import place as meant
from handlers.team_words import refused, team_capacity, to_team
from models import team as teams
from models.person import Person
from models.role import grants
from models.team import GENERAL, LONGEST_NAME, STUDENT, TeamError


class Facts(BaseModel):
    """`own` are the regions that the person is an organiser of; `usual` = the capacity of a team unless another is
    given."""

    own: tuple[str, ...] = ()
    usual: int = 10


@dataclass(frozen=True)
class Make:
    """A team to be made; without a name the person may make none."""

    name: str = ""
    region: str = ""
    kind: str = GENERAL
    capacity: int = 0


def prepare(session: Session, person: Person) -> Facts:
    """Where the person may make teams."""
    held = [row for row in grants(session, person.id) if row.role == "organiser" and row.scope_kind == "region"]
    places = [place.code for row in held if (place := regions.get(row.scope)) is not None]
    return Facts(own=tuple(dict.fromkeys(places)), usual=rules().pairing.team_capacity)


def talk(facts: Facts) -> Talk:
    """Four questions, one less for whoever organises a single county, and a look at it all."""
    if not facts.own:
        return Make()
    name = yield Ask("name", _("团队叫什么名称？例如“阳光助残一队”。"), check=_name)
    region = facts.own[0]
    if len(facts.own) > 1 or not regions.leaf(region):
        choices = tuple(Choice(code, _("整个{place}").format(place=regions.place_words(code))) for code in facts.own)
        text = _("团队在哪里？写县（市、区）的名字；一个地方的全部都去，就选下面的。")
        region = yield Ask("region", text, choices, check=_region(facts.own))
    kinds = {STUDENT: _("学生团队"), GENERAL: _("不是学生团队")}
    kind = yield Ask(
        "kind",
        _("是学生团队吗？学生放假早，探访的期限会早一个月。"),
        (Choice(STUDENT, kinds[STUDENT], words=(_("是"),)), Choice(GENERAL, kinds[GENERAL], words=(_("不是"),))),
    )
    usual = Choice(str(facts.usual), _("{count} 位").format(count=facts.usual))
    text = _("最多和几位服务对象结对？一般是 {count} 位，以后可以改。").format(count=facts.usual)
    size = int((yield Ask("capacity", text, (usual,), check=team_capacity, numeric=True)))
    lines = [
        _("请核对："),
        _("团队名称：{value}").format(value=name),
        _("所在地：{place}").format(place=regions.place_name(region)),
        kinds[kind],
        _("结对人数：{count}").format(count=size),
    ]
    sure = yield Ask("confirm", "\n".join(lines), _confirm(facts))
    return Make(name, region, kind, size) if sure == "submit" else None


def _confirm(facts: Facts) -> tuple[Choice, ...]:
    where = (
        ()
        if len(facts.own) == 1 and regions.leaf(facts.own[0])
        else (Choice("region", _("改所在地"), drops=("region",)),)
    )
    return (
        Choice("submit", _("建团队"), words=(_("提交"),)),
        Choice("name", _("改名称"), drops=("name",)),
        *where,
        Choice("kind", _("改团队类型"), drops=("kind",)),
        Choice("capacity", _("改结对人数"), words=(_("改人数"),), drops=("capacity",)),
        Choice("no", _("不建了")),
    )


def _name(words: str) -> str:
    name = " ".join(words.split())
    if not 2 <= len(name) <= LONGEST_NAME or not any(c.isalpha() for c in name):
        raise Invalid(_("请写团队名称，2 到 {most} 个字，例如“阳光助残一队”。").format(most=LONGEST_NAME))
    return name


def _region(own: tuple[str, ...]) -> Callable[[str], str]:
    """A check for one region among one's own."""
    look = meant()

    def check(words: str) -> str:
        found = [code for code in look(words) if any(regions.within(code, scope) for scope in own)]
        if not found:
            raise Invalid(_("这个地方不归你负责。请写你负责的县（市、区）。"))
        if len(found) > 1:
            places = _("、").join(regions.place_words(code) for code in found[:5])
            raise Invalid(_("有几个地方叫这个：{places}。请写全一点，带上市的名字。").format(places=places))
        return found[0]

    return check


def perform(session: Session, person: Person, command: Make) -> Reply:
    """Make it; everything is checked again."""
    if not command.name:
        text = _("新建团队要由当地的管理员来做。想加入或成立团队，请回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    try:
        made = teams.create(session, person.id, command.name, command.region, command.kind, command.capacity)
    except TeamError as error:
        key = {"taken": "name", "name": "name", "capacity": "capacity", "region": "region"}.get(error.reason)
        if key is not None:
            raise Refused(key, refused(error)) from None
        return Reply(refused(error))
    text = _("团队“{name}”建好了，团队编号：{number}。\n接下来可以加队员、设队长、设专员。")
    return Reply(text.format(name=made.name, number=made.number), to_team(session, person.id, made))


TEAM_NEW = Dialogue("team_new", Facts, prepare, talk, perform)
