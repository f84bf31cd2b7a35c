"""机构结对: the institutions that somebody answers for, with their team, its term and who is responsible, page by page;
and one of them with what can be done."""

from __future__ import annotations

from sqlmodel import Session

from config import regions
from config.texts import _
from handlers.band_words import often_words, service_words
from handlers.days import with_weekday
from handlers.dialogue import Dialogue, Talk
from handlers.institution_words import LIST, STEP, StepFacts, choices, kind_words, steps_of, to_list
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.paging import PAGE, ListFacts, Show, next_begin, onward, pick, where
from handlers.served_words import colleague
from handlers.somebody import called
from models import institution_seen
from models.institution_seen import MOST, Seen
from models.pairing import Stint
from models.person import Person, local_now
from models.role import grants
from models.served import answering, leaders
from models.team import Team

OFFERED = 5  # teams that a question offers; others are written by their number


def _facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _talk(facts: ListFacts) -> Talk:
    return (yield from pick(facts, _("想看哪个机构？"), _("后面的机构")))


def _list(session: Session, person: Person, command: Show) -> Reply:
    if not institution_seen.looks_after(session, person.id):
        text = _("“机构结对”是负责的同事用的。队长看自己团队的结对，回复“我的结对”；有事回复“联系专员”。")
        return Reply(text, (Option("m:pairings", _("我的结对")), Option("m:contact", _("联系专员"))))
    if command.entry:
        about = institution_seen.one(session, person.id, command.entry)
        gone = Reply(_("这个机构已经停办，或者现在不归你负责。"), (to_list(),))
        return _opened(session, person, about) if about is not None else gone
    found = institution_seen.listed(session, person.id)
    if not found:
        return _none(session, person)
    keys = [each.institution.id for each in found]
    begin = next_begin(keys, command)
    shown = found[begin : begin + PAGE]
    without = sum(each.stint is None and each.agreeing is None for each in found)
    lines = [_("一共 {count} 个机构，还没有团队的 {without} 个，排在前面。").format(count=len(found), without=without)]
    if len(found) == MOST:
        lines.append(_("只列出前 {count} 个。").format(count=MOST))
    lines += where(begin, len(found))
    labels = [(each.institution.id, _label(each)) for each in shown]
    labels += onward(begin, len(found), _("后面的机构"))
    facts = ListFacts(ids=tuple(each.institution.id for each in shown), first=begin)
    options = asked(session, person.id, LIST, "pick", facts, labels)
    return Reply("\n".join(lines), (*options, *_further(session, person)), numbered=True)


def _none(session: Session, person: Person) -> Reply:
    further = _further(session, person)
    if further:
        text = _("你负责的地区还没有登记机构。先登记一个，再请团队和它结对。")
        return Reply(text, further)
    text = _("你负责的团队那里还没有登记机构。请当地的专员或管理员登记，或回复“联系专员”。")
    return Reply(text, (Option("m:contact", _("联系专员")),))


def _further(session: Session, person: Person) -> tuple[Option, ...]:
    own = any(held.scope_kind == "region" for held in grants(session, person.id))
    return (Option("m:institution_new", _("登记机构")),) if own else ()


def _label(about: Seen) -> str:
    region = regions.get(about.institution.county)
    place = regions.own_name(region) if region is not None else about.institution.county
    return _("{name}（{place}）：{state}").format(name=about.institution.name, place=place, state=_state(about))


def _state(about: Seen) -> str:
    if about.stint is None:
        if about.next_team is None:
            return _("还没有团队")
        return _("等“{team}”队长接受协议").format(team=about.next_team.name)
    team = about.team.name if about.team is not None else ""
    if about.relay is not None:
        said = _("{team}，要换团队，最后一天 {day}")
        return said.format(team=team, day=about.relay.last_day.isoformat())
    return _("{team}，到 {day}").format(team=team, day=_ends(about.stint))


def _ends(stint: Stint) -> str:
    return stint.ends_on.isoformat() if stint.ends_on is not None else ""


def _opened(session: Session, person: Person, about: Seen) -> Reply:
    one = about.institution
    lines = [
        _("{name}（机构编号 {number}）").format(name=one.name, number=one.number),
        kind_words(one.kind),
        _("所在地：{place}").format(place=regions.place_name(one.county) + (one.town or "")),
    ]
    if about.stint is None and about.agreeing is None:
        lines.append(_("还没有团队和这个机构结对。"))
    if about.stint is not None and about.team is not None:
        lines += _paired(about.stint, about.team)
    if about.relay is not None:
        lines.append(_("要换团队，最后一天：{day}").format(day=with_weekday(about.relay.last_day)))
    if about.agreeing is not None and about.next_team is not None:
        lines.append(_coming(about, about.agreeing, about.next_team))
    lines.append(_("今天由谁负责：{who}").format(who=_responsible(session, person, about)))
    facts = _step_facts(session, person, about)
    labels = [(choice.value, choice.label) for choice in choices(facts.steps)]
    options = asked(session, person.id, STEP, "step", facts, labels)
    listed = (Option("m:hand_overs", _("交接清单")),) if about.relay is not None and about.own else ()
    return Reply("\n".join(lines), (*options, *listed, to_list()))


def _paired(stint: Stint, team: Team) -> list[str]:
    agreed = _("约定：{services}；一年 {count} 次（{often}）；到 {day}")
    return [
        _("结对的团队：{name}（团队编号 {number}）").format(name=team.name, number=team.number),
        agreed.format(
            services=service_words(stint.services),
            count=stint.activities,
            often=often_words(stint.activities),
            day=_ends(stint),
        ),
    ]


def _coming(about: Seen, agreeing: Stint, team: Team) -> str:
    if agreeing.accepted_at is not None:
        return _("接的团队：{name}（团队编号 {number}），已接受协议，等交接").format(name=team.name, number=team.number)
    return _("请了团队：{name}（团队编号 {number}），等队长接受协议").format(name=team.name, number=team.number)


def _responsible(session: Session, person: Person, about: Seen) -> str:
    """The leader of its team; without any whoever answers for the county."""
    leads = leaders(session, about.team.id) if about.team is not None else ()
    if leads:
        return _("队长 {who}").format(who=called(session, leads[0]))
    people = answering(session, about.institution.county)
    if not people:
        return _("还没有人，请找管理员")
    return _("、").join(colleague(session, person, one) for one in people[:3])


def _step_facts(session: Session, person: Person, about: Seen) -> StepFacts:
    steps = steps_of(about)
    teams = institution_seen.teams_for(session, person.id, about, OFFERED) if "pair" in steps else []
    return StepFacts(
        institution=about.institution.id,
        name=about.institution.name,
        steps=steps,
        teams=tuple((each.team.number, each.team.name, each.near, each.free) for each in teams),
        today=local_now(session, person).date().isoformat(),
    )


INSTITUTIONS = Dialogue(LIST, ListFacts, _facts, _talk, _list, repeats=True)
