"""导入名册: an organiser says which table it is (teams, specialists, institutions or stations) and of which region, and
gets the same kind of page for the file as for a ledger.

The file goes to the page and never through the chat, whatever the platform.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.catalogue import rules
from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Refused, Talk
from handlers.here import here
from handlers.message import Link, Option, Reply
from handlers.roster_words import sheet_name
from models import ledger_upload
from models.ledger_batch import LEDGER, SHEETS
from models.ledger_upload import Upload
from models.page import issue_page
from models.person import Person


class RosterFacts(BaseModel):
    """The codes of the regions that somebody organises."""

    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Begin:
    """A page for this table of a region; empty ones = nothing that could be asked about."""

    sheet: str = ""
    region: str = ""


def _facts(session: Session, person: Person) -> RosterFacts:
    return RosterFacts(scopes=tuple(ledger_upload.scopes(session, person.id)))


def _talk(facts: RosterFacts) -> Talk:
    if not facts.scopes:
        return Begin()
    tables = tuple(Choice(sheet, sheet_name(sheet), words=_typed(sheet)) for sheet in SHEETS if sheet != LEDGER)
    sheet = yield Ask("sheet", _("要导入哪一种名册？"), tables)
    if len(facts.scopes) == 1:
        return Begin(sheet, facts.scopes[0])
    places = tuple(Choice(code, regions.place_name(code)) for code in facts.scopes)
    return Begin(sheet, (yield Ask("region", _("是哪里的？"), places)))


def _typed(sheet: str) -> tuple[str, ...]:
    """What people write for it."""
    return {
        "teams": (_("导入团队"),),
        "specialists": (_("专员"), _("导入专员")),
        "institutions": (_("机构"), _("导入机构")),
        "stations": (_("驿站"), _("阵地"), _("站点"), _("导入驿站"), _("导入阵地")),
    }[sheet]


def _begin(session: Session, person: Person, command: Begin) -> Reply:
    if not command.sheet:
        text = _("导入名册是组织者用的。有名册要导入，请找你们的组织者，或回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    if not ledger_upload.may_import(session, person.id, command.region):
        if len(ledger_upload.scopes(session, person.id)) > 1:
            raise Refused("region", _("这个地区现在不归你负责。"))
        return Reply(_("这个地区现在不归你负责。"), (Option("m:ledger", _("台账")),))
    place, what = here(session), sheet_name(command.sheet)
    imports = Option("m:imports", _("最近的导入"))
    if not place.public_url:
        text = _(
            "这里现在打不开网页，收不了文件；名册也不能发在聊天里。"
            "请管理员在服务器上导入：nuanyang import {sheet} 文件 --by 编号。"
        )
        return Reply(text.format(sheet=command.sheet), (imports,))
    facts = Upload(command.region, part=True, sheet=command.sheet).as_facts()
    token = issue_page(session, person.id, "data", facts, door_id=place.door_id)
    text = _(
        "请打开下面的网页上传名册（{what}，{place}），{minutes} 分钟内有效，只给你自己用，不要转发。\n"
        "先检查，什么都不会改动；结果会发到这里，你点“收下”才算数。请不要把文件发在聊天里。"
    )
    said = text.format(what=what, place=regions.place_name(command.region), minutes=rules().doors.page_minutes)
    return Reply(said, (imports,), (Link(place.page(token), _("上传名册")),))


ROSTER = Dialogue("roster_upload", RosterFacts, _facts, _talk, _begin)
