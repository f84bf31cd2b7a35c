"""团队: the teams that somebody looks after, page by page, and the one that a volunteer belongs to.

Volunteers stand here by number and form of address alone, on Telegram by the number.
"""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from config import regions
from config.texts import _
from handlers.dialogue import Dialogue, Talk
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.paging import PAGE, ListFacts, Show, next_begin, onward, pick, where
from handlers.somebody import called
from handlers.team_words import (
    LISTED,
    SpecialistFacts,
    TeamFacts,
    actions,
    specialist_actions,
    standing,
    to_list,
)
from models import role
from models.person import Person
from models.region_pair import pairs_of
from models.role import grants
from models.team import (
    LEADER,
    STUDENT,
    Team,
    TeamMember,
    decides,
    leader_of,
    may_manage,
    members,
    places_taken,
    seen_by,
    teams_of,
)
from models.volunteer import volunteer_of

MOST_MEMBERS = 20  # members told one by one
MOST_PAIRS = 5  # pairs of regions told one by one


def _facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _talk(facts: ListFacts) -> Talk:
    return (yield from pick(facts, _("想看哪个团队？"), _("后面的团队")))


def _looks_after(session: Session, person_id: str) -> bool:
    return any(held.scope_kind in ("region", "team") for held in grants(session, person_id))


def _list(session: Session, person: Person, command: Show) -> Reply:
    seen, own = seen_by(session, person.id), teams_of(session, person.id)
    known = {team.id: team for team in (*seen, *own)}
    if command.entry:
        team = known.get(command.entry)
        gone = Reply(_("这个团队已经解散，或者现在不归你负责。"), (to_list(),))
        return _opened(session, person, team) if team is not None else gone
    if _looks_after(session, person.id):
        return _page(session, person, list(known.values()), command)
    if len(own) == 1:
        return _mine(session, person, own[0])
    if own:
        return _page(session, person, own, command)
    text = _("你还没有加入团队。想加入，请告诉负责的同事：回复“联系专员”。")
    return Reply(text, (Option("m:contact", _("联系专员")),))


def _page(session: Session, person: Person, teams: list[Team], command: Show) -> Reply:
    looks_after = _looks_after(session, person.id)
    lines = (
        _head(session, person, len(teams)) if looks_after else [_("你在 {count} 个团队里。").format(count=len(teams))]
    )
    begin = next_begin([team.id for team in teams], command)
    shown = teams[begin : begin + PAGE]
    lines += where(begin, len(teams))
    options: tuple[Option, ...] = ()
    if shown:
        labels = [(team.id, _label(session, team) if looks_after else team.name) for team in shown]
        labels += onward(begin, len(teams), _("后面的团队"))
        facts = ListFacts(ids=tuple(team.id for team in shown), first=begin)
        options = asked(session, person.id, TEAMS.name, "pick", facts, labels)
    return Reply("\n".join(lines), (*options, *(_further(session, person) if looks_after else ())), numbered=True)


def _head(session: Session, person: Person, count: int) -> list[str]:
    lines = [_("一共 {count} 个团队。").format(count=count) if count else _("你负责的地区还没有团队。")]
    pairs = pairs_of(session, person.id)
    for pair in pairs[:MOST_PAIRS]:
        said = _("结对帮扶：{helper}帮助{helped}。")
        helper, helped = regions.place_words(pair.helper), regions.place_words(pair.helped)
        lines.append(said.format(helper=helper, helped=helped))
    if len(pairs) > MOST_PAIRS:
        lines.append(_("另外还有 {count} 对。").format(count=len(pairs) - MOST_PAIRS))
    return lines


def _further(session: Session, person: Person) -> tuple[Option, ...]:
    of_regions = [held for held in grants(session, person.id) if held.scope_kind == "region"]
    organises = any(held.role == "organiser" for held in of_regions)
    makes = (Option("m:team_new", _("新建团队")), Option("m:county_specialist", _("设区县专员")))
    notes = (Option("m:volunteer_dates", _("登记培训和证明")),)
    return (*(makes if organises else ()), *(notes if of_regions else ()))


def _label(session: Session, team: Team) -> str:
    own = role.holding(session, "specialist", "team", team.number)
    return _("{name}（{place}）：队员 {members}，结对人数 {capacity}，空位 {free}，{specialist}").format(
        name=team.name,
        place=_short(team.region),
        members=len(members(session, team)),
        capacity=team.capacity,
        free=max(0, team.capacity - places_taken(session, team)),
        specialist=_("专员 {count} 位").format(count=len(own)) if own else _("还没有专员"),
    )


def _short(code: str) -> str:
    region = regions.get(code)
    return regions.own_name(region) if region is not None else code


def _opened(session: Session, person: Person, team: Team) -> Reply:
    looks_after = any(each.id == team.id for each in seen_by(session, person.id))
    if not looks_after:
        return _mine(session, person, team)
    lines = [_("{name}（团队编号 {number}）").format(name=team.name, number=team.number)]
    lines.append(_("所在地：{place}").format(place=regions.place_name(team.region)))
    if team.helps:
        lines.append(_("也帮助：{place}").format(place=regions.place_name(team.helps)))
    if team.kind == STUDENT:
        lines.append(_("学生团队"))
    taken = places_taken(session, team)
    said = _("结对人数：{capacity}，已结对 {taken}，空位 {free}")
    lines.append(said.format(capacity=team.capacity, taken=taken, free=max(0, team.capacity - taken)))
    lines += _specialists(session, team)
    belongs = members(session, team)
    lines += _members(session, belongs)
    if not may_manage(session, person.id, team):
        return Reply("\n".join(lines), (to_list(),))
    decided = decides(session, person.id, team)
    facts = _facts_of(session, team, belongs, decided=decided)
    labels = [(choice.value, choice.label) for choice in actions(facts)]
    options = asked(session, person.id, "team", "what", facts, labels)
    specialist = _specialist_options(session, person, team, decided=decided)
    about_members = sum(value in ("add", "leader", "remove") for value, _label in labels)
    return Reply("\n".join(lines), (*options[:about_members], *specialist, *options[about_members:], to_list()))


def _specialists(session: Session, team: Team) -> list[str]:
    own = role.holding(session, "specialist", "team", team.number)
    if not own:
        return [_("还没有专员，现在由负责这个地区的同事照看。")]
    return [_("专员：{who}").format(who=_("、").join(called(session, held.person_id) for held in own[:LISTED]))]


def _members(session: Session, belongs: list[TeamMember]) -> list[str]:
    leads = belongs[0] if belongs and belongs[0].part == LEADER else None
    lines = [_("队长：{who}").format(who=called(session, leads.person_id)) if leads else _("还没有队长。")]
    rest = [held for held in belongs if held is not leads]
    if not rest:
        return [*lines, _("还没有别的队员。") if leads else _("还没有队员。")]
    lines.append(
        _("队员 {count} 位（含队长）：").format(count=len(belongs))
        if leads
        else _("队员 {count} 位：").format(count=len(belongs))
    )
    lines += [_("· {who}").format(who=called(session, held.person_id)) for held in rest[:MOST_MEMBERS]]
    if len(rest) > MOST_MEMBERS:
        lines.append(_("另外还有 {count} 位。").format(count=len(rest) - MOST_MEMBERS))
    return lines


def _facts_of(session: Session, team: Team, belongs: list[TeamMember], *, decided: bool) -> TeamFacts:
    listed = []
    for held in belongs[:LISTED]:
        registered = volunteer_of(session, held.person_id)
        if registered is not None:
            listed.append((registered.number, called(session, held.person_id)))
    return TeamFacts(team=team.id, name=team.name, capacity=team.capacity, members=tuple(listed), decides=decided)


def _specialist_options(session: Session, person: Person, team: Team, *, decided: bool) -> tuple[Option, ...]:
    if not decided:
        return ()
    held = standing(session, "team", team.number)
    facts = SpecialistFacts(kind="team", fixed=True, scope=team.number, name=team.name, standing=held)
    labels = [(choice.value, choice.label) for choice in specialist_actions(facts)]
    return asked(session, person.id, "specialist", "what", facts, labels)


def _mine(session: Session, person: Person, team: Team) -> Reply:
    """What a member sees who does not look after the team."""
    lines = [_("我的团队：{name}").format(name=team.name)]
    lines.append(_("所在地：{place}").format(place=regions.place_name(team.region)))
    leads = leader_of(session, team)
    if leads is None:
        lines.append(_("还没有队长。"))
    elif leads.person_id == person.id:
        lines.append(_("你是队长。"))
    else:
        lines.append(_("队长：{who}").format(who=called(session, leads.person_id)))
    lines.append(_("队员 {count} 位。").format(count=len(members(session, team))))
    lines.append(_("找负责的专员，回复“联系专员”。"))
    facts = TeamFacts(team=team.id, name=team.name, own=True)
    labels = [(choice.value, choice.label) for choice in actions(facts)]
    leaving = asked(session, person.id, "team", "what", facts, labels)
    return Reply("\n".join(lines), (Option("m:contact", _("联系专员")), *leaving))


TEAMS = Dialogue("teams", ListFacts, _facts, _talk, _list, repeats=True)


def _notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To somebody who has joined a team, leads it now, or belongs to it no more. None once that is no longer so."""
    row = session.get(TeamMember, str(params["member"]))
    if row is None or row.person_id != person.id:
        return None
    team, news = session.get_one(Team, row.team_id), str(params["news"])
    belongs = any(each.id == team.id for each in teams_of(session, person.id))
    if news in ("joined", "leader", "follower"):
        return _joined(session, person, team, news) if row.left_at is None and belongs else None
    if belongs:
        return None
    said = (
        _("志愿服务团队“{name}”解散了。你还是志愿者，登记的资料都在。")
        if news == "ended"
        else _("你不再是志愿服务团队“{name}”的队员。你还是志愿者，登记的资料都在。")
    )
    text = said.format(name=team.name) + _("有疑问，请回复“联系专员”。谢谢你！")
    return Reply(text, (Option("m:contact", _("联系专员")),))


def _joined(session: Session, person: Person, team: Team, news: str) -> Reply:
    place = regions.place_name(team.region)
    if news == "leader":
        lines = [
            _("你现在是志愿服务团队“{name}”（{place}）的队长，谢谢你愿意带队！").format(name=team.name, place=place)
        ]
    elif news == "follower":
        text = _("志愿服务团队“{name}”（{place}）有了新队长，你还是队员。谢谢你一直带队！")
        lines = [text.format(name=team.name, place=place)]
    else:
        lines = [_("你加入了志愿服务团队“{name}”（{place}），欢迎！").format(name=team.name, place=place)]
        leads = leader_of(session, team)
        if leads is not None and leads.person_id != person.id:
            lines.append(_("队长：{who}").format(who=called(session, leads.person_id)))
    lines.append(_("不是你同意的，或者有疑问，请回复“联系专员”。"))
    return Reply("\n".join(lines), (Option("m:teams", _("团队")), Option("m:contact", _("联系专员"))))


NOTICES = {"notice.team": _notice}
