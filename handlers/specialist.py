"""设专员: an organiser makes a volunteer the specialist of a county or of a team, and ends that again.

The talk comes in parts: a county is named and looked at, a number is looked up, then it is asked whether that is right.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from config import regions
from config.texts import _
from handlers.checks import volunteer_number
from handlers.dialogue import Ask, Choice, Dialogue, Further, Refused, Talk
from handlers.message import Option, Reply
from handlers.places import ask_county
from handlers.somebody import called
from handlers.team_words import SpecialistFacts, specialist_actions, standing, to_list, to_team
from models import role
from models.person import Person
from models.role import GrantError, covers_county, grants
from models.team import by_team_number, teams_of
from models.team_member import is_adult
from models.volunteer import ACTIVE, Volunteer, by_number


@dataclass(frozen=True)
class Look:
    """Look at a county, or at a volunteer's number; with neither the person may set nobody."""

    facts: SpecialistFacts
    county: str = ""
    number: str = ""


@dataclass(frozen=True)
class Give:
    """Make the volunteer of this number a specialist."""

    facts: SpecialistFacts


@dataclass(frozen=True)
class End:
    """End this grant."""

    facts: SpecialistFacts
    grant: str


def prepare(session: Session, person: Person) -> SpecialistFacts:
    """For which regions the person may set specialists; a single county needs no question."""
    held = [row for row in grants(session, person.id) if row.role == "organiser" and row.scope_kind == "region"]
    own = tuple(dict.fromkeys(place.code for row in held if (place := regions.get(row.scope)) is not None))
    if len(own) == 1 and regions.leaf(own[0]):
        return SpecialistFacts(own=own, fixed=True, scope=own[0], standing=standing(session, "region", own[0]))
    return SpecialistFacts(own=own)


def talk(facts: SpecialistFacts) -> Talk:
    """Which county, what to do, who; and a last look."""
    if not facts.fixed:
        if not facts.own:
            return Look(facts)
        county = yield from ask_county(_("给哪个县（市、区）设专员？写地名就行，例如“广州天河”。"))
        if county.code != facts.scope:
            return Look(facts, county=county.code)
    place = _place(facts)
    what = "grant"
    if facts.kind == "team" or facts.standing:
        who = _("、").join(name for _key, name in facts.standing) or _("还没有")
        text = _("{place}的专员：{who}。要做什么？").format(place=place, who=who)
        what = yield Ask("what", text, specialist_actions(facts))
    if what == "end":
        choices = tuple(Choice(key, name) for key, name in facts.standing)
        text = _("结束哪一位的职责？对方会收到通知；以后可以再设。")
        ends = yield Ask("ends", text, (*choices, Choice("no", _("都不结束"))))
        return End(facts, ends) if ends != "no" else None
    text = _("请写要当{place}专员的志愿者编号。对方回复“我的资料”能看到自己的编号。").format(place=place)
    number = yield Ask("number", text, check=volunteer_number)
    if number != facts.number:
        return Look(facts, number=number)
    text = _("{called}，{county}。让这位当{place}的专员吗？对方会收到通知。")
    text = text.format(called=facts.called, county=regions.place_name(facts.county), place=place)
    right = yield Ask("right", text, (Choice("yes", _("设为专员"), words=(_("是"),)), Choice("no", _("不是这位"))))
    return Give(facts) if right == "yes" else None


def _place(facts: SpecialistFacts) -> str:
    return _("“{name}”").format(name=facts.name) if facts.kind == "team" else regions.place_words(facts.scope)


def perform(session: Session, person: Person, command: Look | Give | End) -> Reply | Further:
    """Look something up, or give or end a role; everything is checked again."""
    if isinstance(command, Look):
        if command.number:
            return _found(session, person, command.facts, command.number)
        return _county(session, person, command)
    facts = command.facts
    try:
        if isinstance(command, End):
            role.end_grant(session, command.grant, person.id)
            said = _("已经结束这位在{place}的专员职责，正在告诉对方。")
        else:
            chosen = _chosen(session, person, facts)
            if chosen is None:
                return Reply(_("这位现在不能当专员，没有改动。"), _back(session, person, facts))
            role.grant(session, chosen, "specialist", facts.kind, facts.scope, by=person.id)
            said = _("已经设为{place}的专员，正在告诉对方。")
    except GrantError:
        return Reply(_("没有改动：这里现在不归你负责，或者已经有同事改过了。"), (to_list(),))
    return Reply(said.format(place=_place(facts)), _back(session, person, facts))


def _county(session: Session, person: Person, command: Look) -> Reply | Further:
    if not command.county:
        text = _("设专员要由当地的管理员来做。想找负责的同事，回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    if not any(regions.within(command.county, scope) for scope in command.facts.own):
        raise Refused("county", _("这个地方不归你负责。请写你负责的县（市、区）。"))
    held = standing(session, "region", command.county)
    return Further(command.facts.model_copy(update={"scope": command.county, "standing": held, "number": ""}))


def _found(session: Session, person: Person, facts: SpecialistFacts, number: str) -> Further:
    volunteer = by_number(session, number)
    if volunteer is None or not _within_reach(session, person, facts, volunteer):
        raise Refused("number", _("在你负责的地区里没有这个编号，请核对一下。"))
    if volunteer.status != ACTIVE or not is_adult(session, volunteer):
        raise Refused("number", _("这位现在不能当专员：要满 18 岁，而且是正式志愿者。"))
    if volunteer.person_id in {row.person_id for row in role.holding(session, "specialist", facts.kind, facts.scope)}:
        raise Refused("number", _("这位已经是{place}的专员。").format(place=_place(facts)))
    update = {"number": number, "called": called(session, volunteer.person_id), "county": volunteer.county or ""}
    return Further(facts.model_copy(update=update))


def _within_reach(session: Session, person: Person, facts: SpecialistFacts, volunteer: Volunteer) -> bool:
    """Whom somebody may find by number: people of his or her own region, and members of the team."""
    if covers_county(session, person.id, volunteer.county):
        return True
    belongs = {team.number for team in teams_of(session, volunteer.person_id)}
    return facts.kind == "team" and facts.scope in belongs


def _chosen(session: Session, person: Person, facts: SpecialistFacts) -> str | None:
    volunteer = by_number(session, facts.number)
    if volunteer is None or not _within_reach(session, person, facts, volunteer):
        return None
    return volunteer.person_id if volunteer.status == ACTIVE and is_adult(session, volunteer) else None


def _back(session: Session, person: Person, facts: SpecialistFacts) -> tuple[Option, ...]:
    team = by_team_number(session, facts.scope) if facts.kind == "team" else None
    return to_team(session, person.id, team) if team is not None else (to_list(),)


SPECIALIST = Dialogue("specialist", SpecialistFacts, prepare, talk, perform, repeats=True)
