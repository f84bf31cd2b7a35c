"""One person of 一户不落: all that is known in plain words, and what can be done."""

from __future__ import annotations

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.texts import _
from handlers import household_words
from handlers.here import here
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.served_facts import step_options
from handlers.visit_ways import read_option
from models.household import Household
from models.person import Person

ACT = "household"  # the dialogue of what is done about somebody (handlers/household.py)


class ActFacts(BaseModel):
    """Who it is about. `stint` and `today` (ISO) are known once a volunteer is to be relieved."""

    person: str = ""
    stint: str = ""
    today: str = ""


def card(session: Session, person: Person, line: Household | None, back: tuple[Option, ...]) -> Reply:
    """The card of somebody, for whoever answers for the county; None = nobody of theirs."""
    if line is None:
        return Reply(_("这一位不在台账里了，或者现在不归你负责。"), back)
    return Reply(
        "\n".join(_lines(session, person, line)),
        (*buttons(session, person, line), *read_option(session, person, line.id), *back),
    )


def _lines(session: Session, person: Person, line: Household) -> list[str]:
    zone, text = person.zone, _("{item}：{value}")
    lines = [
        household_words.called(session, person, [line.id])[line.id],
        _("所在地：{place}").format(place=regions.place_name(line.county)),
    ]
    if line.town and here(session).sensitive_in_chat:
        lines.append(_("乡镇街道：{town}").format(town=line.town))
    facts = [
        (_("现在"), household_words.state(line.state)),
        (_("为什么还在等"), household_words.waiting(line, zone)),
        (_("今天负责"), household_words.who(line, person.id)),
        (_("注意"), _("；").join(household_words.warnings(line))),
        (_("最近联系"), household_words.contact(line, zone)),
        (_("活动"), household_words.agreed(line)),
        (_("接下来"), household_words.due(line, zone) or _("没有定下的日子")),
    ]
    lines += [text.format(item=item, value=value) for item, value in facts if value]
    if not here(session).sensitive_in_chat:
        lines.append(_("姓名不在这里显示，可以在网页上看全部时看到。"))
    return lines


def buttons(session: Session, person: Person, line: Household) -> tuple[Option, ...]:
    """What can be done about somebody now."""
    labels = []
    if line.stint is not None:
        labels += [("nudge", _("催一下")), ("change", _("换人"))]
    elif line.kind != "keeper" or person.id not in {one.person_id for one in line.people}:
        labels.append(("take", _("我来接")))
    done = asked(session, person.id, ACT, "what", ActFacts(person=line.id), labels) if labels else ()
    if line.stint is None:
        return (*done, Option("m:unpaired", _("找人结对")))
    return (*done, *step_options(session, person, line.id, "paired"))
