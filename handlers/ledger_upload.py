"""导入台账: an organiser says whose ledger it is and whether it is the whole one, and gets a page for the file.

The file goes to the page and never through the chat, whatever the platform.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.catalogue import rules
from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.here import here
from handlers.message import Link, Option, Reply
from models import ledger_upload
from models.ledger_upload import Upload
from models.page import issue_page
from models.person import Person

_NARROWEST = 4  # a ledger is a city's or a county's: codes of four or six digits


class UploadFacts(BaseModel):
    """The codes that somebody organises: `own` of a city or a county, `wide` of a province."""

    own: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Begin:
    """A page for the ledger of this region; an empty one = nothing that could be asked about."""

    region: str = ""
    part: bool = False


def _facts(session: Session, person: Person) -> UploadFacts:
    held = ledger_upload.scopes(session, person.id)
    own = tuple(scope for scope in held if len(scope) >= _NARROWEST)
    return UploadFacts(own=own, wide=tuple(scope for scope in held if len(scope) < _NARROWEST))


def _talk(facts: UploadFacts) -> Talk:
    if not facts.own and not facts.wide:
        return Begin()
    region = facts.own[0] if facts.own else ""
    if facts.wide or len(facts.own) > 1:
        choices = tuple(Choice(code, regions.place_name(code)) for code in facts.own)
        text = _("是哪里的台账？") if choices else _("是哪里的台账？请写市或区县的名字，例如“广州”“广州天河”。")
        region = yield Ask("region", text, choices, check=_named(facts))
        if not isinstance(region, str):  # several places have this name
            found = tuple(Choice(code, regions.place_name(code)) for code in region)
            region = yield Ask("which", _("是下面哪一个？"), found)
    said = yield Ask(
        "part",
        _("{place}：文件是整本台账，还是一部分？整本里没有的人，会请负责的同事核实；一部分就不会。").format(
            place=regions.place_name(region)
        ),
        (Choice("whole", _("整本台账"), words=(_("整本"),)), Choice("part", _("只是一部分"), words=(_("一部分"),))),
    )
    return Begin(region, said == "part")


def _named(facts: UploadFacts) -> Callable[[str], str | tuple[str, ...]]:
    """A typed city or county that lies within what somebody organises."""

    def check(words: str) -> str | tuple[str, ...]:
        if not facts.wide:
            raise Invalid(_("请从上面选一个地区。"))
        found = [one.code for one in regions.search(words) if len(one.code) >= _NARROWEST]
        mine = tuple(code for code in found if any(code.startswith(scope) for scope in (*facts.wide, *facts.own)))
        if not mine:
            raise Invalid(_("没找到你负责的这个市或区县。请写名字，例如“广州”“广州天河”。"))
        return mine[0] if len(mine) == 1 else mine

    return check


def _begin(session: Session, person: Person, command: Begin) -> Reply:
    if not command.region:
        return Reply(_("导入台账是组织者用的。有台账要导入，请找你们的组织者，或回复“联系专员”。"), (_contact(),))
    if not ledger_upload.may_import(session, person.id, command.region):
        raise Refused("region", _("这个地区现在不归你负责。"))
    place = here(session)
    if not place.public_url:
        text = _(
            "这里现在打不开网页，收不了文件；台账也不能发在聊天里。"
            "请管理员在服务器上导入：nuanyang import ledger 文件 --region {code}。"
        )
        return Reply(text.format(code=command.region), (_list(),))
    facts = Upload(command.region, command.part).as_facts()
    token = issue_page(session, person.id, "data", facts, door_id=place.door_id)
    text = _(
        "请打开下面的网页上传{place}的台账，{minutes} 分钟内有效，只给你自己用，不要转发。\n"
        "先检查，不会改动台账；结果会发到这里，你点“收下”才算数。请不要把文件发在聊天里。"
    )
    said = text.format(place=regions.place_name(command.region), minutes=rules().doors.page_minutes)
    return Reply(said, (_imports(),), (Link(place.page(token), _("上传台账")),))


def _contact() -> Option:
    return Option("m:contact", _("联系专员"))


def _list() -> Option:
    return Option("m:ledger", _("台账"))


def _imports() -> Option:
    return Option("m:imports", _("最近的导入"))


UPLOAD = Dialogue("ledger_upload", UploadFacts, _facts, _talk, _begin)
