"""登记机构: what it is called, what kind it is, in which county."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.institution_words import NEW, institution_refused, kind_words, to_one
from handlers.message import Option, Reply
from handlers.places import ask_county
from models import institution
from models.institution import KINDS, LONGEST_NAME, InstitutionError
from models.person import Person
from models.role import grants


class Facts(BaseModel):
    """`own` are the regions that the person answers for."""

    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Make:
    """An institution to be written down; without a name the person may write none."""

    name: str = ""
    kind: str = "other"
    county: str = ""


def _facts(session: Session, person: Person) -> Facts:
    held = [row for row in grants(session, person.id) if row.scope_kind == "region"]
    places = [place.code for row in held if (place := regions.get(row.scope)) is not None]
    return Facts(own=tuple(dict.fromkeys(places)))


def _talk(facts: Facts) -> Talk:
    if not facts.own:
        return Make()
    name = yield Ask("name", _("机构叫什么名称？例如“阳光家园”。"), check=_name)
    kinds = tuple(Choice(kind, kind_words(kind)) for kind in KINDS)
    kind = yield Ask("kind", _("是哪一类机构？"), kinds)
    county = facts.own[0]
    keys: tuple[str, ...] = ()
    if len(facts.own) > 1 or not regions.leaf(county):
        found = yield from ask_county(_("机构在哪个区县？写县（市、区）的名字，例如“广州天河”。"))
        county, keys = found.code, found.keys
    lines = [
        _("请核对："),
        _("机构名称：{value}").format(value=name),
        kind_words(kind),
        _("所在地：{place}").format(place=regions.place_name(county)),
    ]
    where = (Choice("county", _("改所在地"), drops=keys),) if keys else ()
    ways = (
        Choice("submit", _("登记")),
        Choice("name", _("改名称"), drops=("name",)),
        Choice("kind", _("改类别"), drops=("kind",)),
        *where,
        Choice("no", _("不登记了")),
    )
    sure = yield Ask("confirm", "\n".join(lines), ways)
    return Make(name, kind, county) if sure == "submit" else None


def _name(words: str) -> str:
    name = " ".join(words.split())
    if not 2 <= len(name) <= LONGEST_NAME or not any(letter.isalpha() for letter in name):
        raise Invalid(_("请写机构的名称，2 到 {most} 个字，例如“阳光家园”。").format(most=LONGEST_NAME))
    return name


def _perform(session: Session, person: Person, command: Make) -> Reply:
    if not command.name:
        text = _("登记机构要由当地的专员或管理员来做。请回复“联系专员”，告诉我们是哪个机构。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    try:
        made = institution.create(session, person.id, command.name, command.kind, command.county)
    except InstitutionError as error:
        if error.reason in ("taken", "name"):
            raise Refused("name", institution_refused(error.reason)) from None
        if error.reason in ("scope", "county"):
            text = _("“{place}”不归你负责，没有登记。请负责那里的同事登记，或重新写你负责的区县。")
            listed = (Option("m:institution_new", _("登记机构")), Option("m:institutions", _("机构结对")))
            return Reply(text.format(place=regions.place_words(command.county)), listed)
        return Reply(institution_refused(error.reason))
    text = _("登记好了：{name}，机构编号 {number}。接下来可以请一个团队和它结对。")
    return Reply(text.format(name=made.name, number=made.number), to_one(session, person.id, made.id, made.name))


INSTITUTION_NEW = Dialogue(NEW, Facts, _facts, _talk, _perform)
