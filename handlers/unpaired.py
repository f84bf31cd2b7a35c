"""待结对: who has nobody yet, what is missing for each, and the next step in few taps.

First how many wait for what, then the people of one kind, page by page, then one of them with what can be done now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.texts import _
from handlers.band_words import service_words
from handlers.contact_words import age_of
from handlers.contact_words import who as volunteer_words
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.here import here
from handlers.institution_words import to_one
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.paging import BACK, MORE, PAGE, before, next_begin, onward, turning, where
from handlers.paging import Show as Turn
from handlers.served_facts import step_options, when
from handlers.served_words import by_name, mark
from handlers.step_words import asked_words
from models import institution_seen, ledger_questions, offering, waiting
from models.beneficiary import Beneficiary
from models.institution import Institution
from models.pairing import AGREEING, OPEN, Stint
from models.person import Person
from models.served import served_of
from models.stints import lead_of, responsible_today
from models.team import Team

ALL = "~all"


class ListFacts(BaseModel):
    """`ids` = what is on the screen, states or people of `state`; `first` = the place of the first one."""

    state: str = ""
    ids: tuple[str, ...] = ()
    first: int = 0


@dataclass(frozen=True, slots=True)
class Show:
    """A state, a person, or what comes after the ones seen; with nothing the counts."""

    state: str = ""
    person: str = ""
    seen: tuple[str, ...] = ()
    first: int = 0


def _facts(session: Session, person: Person) -> ListFacts:
    return ListFacts()


def _talk(facts: ListFacts) -> Talk:
    if not facts.ids:
        return Show()
    choices = (*(Choice(key, key) for key in facts.ids), *turning(_("后面的人")))
    picked = yield Ask("pick", _("想看哪一位？"), choices)
    if not facts.state:
        return Show(state=picked)
    if picked == MORE:
        return Show(state=facts.state, seen=facts.ids, first=facts.first)
    if picked == BACK:
        return Show(state=facts.state, first=before(facts.first).first)
    return Show(state=facts.state, person=picked)


def state_words(state: str) -> str:
    """What somebody waits for."""
    return {
        "relay": _("要换人，还没有接的人"),
        "agreeing": _("有人答应了，等见面和协议"),
        "nobody": _("家里同意了，还没有邀请人"),
        "asked": _("邀请已发出，等回答"),
        "consent": _("家里还没有同意，或还没有记录"),
    }[state]


def _perform(session: Session, person: Person, command: Show) -> Reply:
    if not ledger_questions.scopes(session, person.id):
        text = _("“待结对”是负责的同事用的。想找负责的同事，回复“联系专员”。")
        return Reply(text, (Option("m:contact", _("联系专员")),))
    if command.person:
        return opened(session, person, command.person)
    if not command.state:
        return _counts(session, person)
    return _list(session, person, command)


def _counts(session: Session, person: Person) -> Reply:
    found, institutions = waiting.counts(session, person.id), institution_seen.waiting(session, person.id)
    also = [_("另有 {count} 个机构还没有团队。").format(count=institutions)] if institutions else []
    further = (Option("m:institutions", _("机构结对")),) if institutions else ()
    if not found:
        lines = [_("你负责的地区现在没有等着结对的人。"), *also]
        return Reply("\n".join(lines), (Option("m:nobody_dropped", _("一户不落")), *further))
    total = sum(found.values())
    lines = [_("你负责的地区有 {count} 位等着结对：").format(count=total)]
    states = [state for state in waiting.STATES if found.get(state)]
    labels = [
        (state, _("{item}：{value}").format(item=state_words(state), value=_("{count} 位").format(count=found[state])))
        for state in states
    ]
    if len(states) > 1:
        labels.append((ALL, _("全部")))
    facts = ListFacts(ids=tuple(value for value, _label in labels))
    options = asked(session, person.id, UNPAIRED.name, "pick", facts, labels)
    if found.get("nobody", 0) + found.get("relay", 0) > 1:
        options = (*options, Option("m:match_all", _("给全部的人配一次")))
    return Reply("\n".join([*lines, *also]), (*options, *further), numbered=True)


def _list(session: Session, person: Person, command: Show) -> Reply:
    state = "" if command.state == ALL else command.state
    found = waiting.people(session, person.id, state)
    if not found:
        return _counts(session, person)
    keys = [each.beneficiary_id for each in found]
    begin = next_begin(keys, Turn(seen=command.seen, first=command.first))
    shown = found[begin : begin + PAGE]
    lines = [state_words(state) if state else _("等着结对的人：")]
    if len(found) == waiting.MOST:
        lines.append(_("只列出前 {count} 位。").format(count=waiting.MOST))
    lines += where(begin, len(found))
    labels = [(each.beneficiary_id, _label(session, person, each, alone=bool(state))) for each in shown]
    labels += onward(begin, len(found), _("后面的人"))
    facts = ListFacts(state=command.state, ids=tuple(each.beneficiary_id for each in shown), first=begin)
    return Reply("\n".join(lines), asked(session, person.id, UNPAIRED.name, "pick", facts, labels), numbered=True)


def _label(session: Session, person: Person, each: waiting.Waiting, *, alone: bool) -> str:
    somebody = session.get_one(Beneficiary, each.beneficiary_id)
    called = by_name(session, person, somebody)
    town = somebody.town if here(session).sensitive_in_chat else None
    value = town or regions.place_name(somebody.county) if alone else state_words(each.state)
    return _("{item}：{value}").format(item=called, value=value)


def opened(session: Session, person: Person, beneficiary_id: str) -> Reply:
    """One person with what can be done now."""
    each = waiting.one(session, person.id, beneficiary_id)
    if each is None:
        return Reply(_("这一位已经有结对了，或者现在不归你负责。"), (Option("m:unpaired", _("待结对")),))
    somebody = session.get_one(Beneficiary, beneficiary_id)
    lines = [by_name(session, person, somebody), _place(somebody)]
    lines.append(_("需要：{needs}").format(needs=service_words(list(somebody.needs))))
    lines.append(_("现在：{state}").format(state=state_words(each.state)))
    lines += _more(session, person, somebody)
    lines.append(_("今天由谁负责：{who}").format(who=_responsible(session, person, somebody)))
    found = step_options(session, person, somebody.id, each.state)
    return Reply("\n".join(lines), (*found, Option("m:unpaired", _("待结对"))))


def _place(somebody: Beneficiary) -> str:
    county = regions.place_name(somebody.county)
    return _("所在地：{place}").format(place=county)


def _more(session: Session, person: Person, somebody: Beneficiary) -> list[str]:
    lines = []
    for offer in offering.holding(session, somebody.id):
        who = asked_words(session, offer.person_id, offer.team_id)
        text = _("已邀请：{who}（{age}），等到 {until}。")
        lines.append(text.format(who=who, age=age_of(session, offer.made_at), until=when(person, offer.holds_until)))
    stint = lead_of(session, somebody.id, AGREEING)
    if stint is not None:
        who = asked_words(session, str(stint.person_id), stint.team_id)
        lines.append(_("答应的人：{who}（{age}）。").format(who=who, age=age_of(session, stint.made_at)))
        if stint.confirmed_at is not None and stint.accepted_at is None:
            lines.append(_("协议写好了，等志愿者接受。"))
        elif stint.accepted_at is not None:
            lines.append(_("志愿者接受了协议，等交接。"))
        elif stint.meets_at is not None:
            lines.append(_("第一次见面：{time}").format(time=when(person, stint.meets_at)))
    return lines


def _responsible(session: Session, person: Person, somebody: Beneficiary) -> str:
    found = responsible_today(session, somebody)
    names = _("、").join(_("你") if one == person.id else volunteer_words(session, one) for one in found.people[:3])
    if not names:
        return _("还没有人，请找管理员")
    kind = {
        "team": _("团队"),
        "substitute": _("替补"),
        "keeper": _("代管的专员"),
        "specialist": _("专员"),
    }.get(found.kind)
    return _("{item}：{value}").format(item=kind, value=names) if kind else names


UNPAIRED = Dialogue("unpaired", ListFacts, _facts, _talk, _perform, repeats=True)


# --- what goes out to whoever answers for the county ---


def _about(session: Session, person: Person, params: dict[str, Any]) -> tuple[waiting.Waiting, Beneficiary] | None:

    served = params.get("served")
    if served is None:
        stint = session.get(Stint, str(params["stint"]))
        served = stint.beneficiary_id if stint else None
    each = waiting.one(session, person.id, str(served)) if served else None
    return (each, session.get_one(Beneficiary, each.beneficiary_id)) if each else None


def _card(session: Session, person: Person, params: dict[str, Any], text: str, *states: str) -> Reply | None:
    found = _about(session, person, params)
    if found is None or found[0].state not in states:
        return None
    facts = ListFacts(state=ALL, ids=(found[1].id,))
    label = [(found[1].id, _("看这一位"))]
    options = asked(session, person.id, UNPAIRED.name, "pick", facts, label)
    return Reply(text.format(called=mark(found[1])), (*options, Option("m:unpaired", _("待结对"))))


def _accepted(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    text = _("{called}：有志愿者接受了邀请。请约第一次见面，陪着去。")
    return _card(session, person, params, text, "agreeing")


def _nobody_left(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    text = _("{called}：邀请过的人都没有接上，现在没有人可以再邀请。这一位由你负责，请再找人。")
    return _card(session, person, params, text, "nobody", "relay")


def _unfinished(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    stint = session.get(Stint, str(params["stint"]))
    if stint is not None and stint.institution_id is not None:
        return _unaccepted(session, person, stint)
    text = _("{called}：有人答应已经有一段时间了，还没有见面或定好协议。")
    return _card(session, person, params, text, "agreeing")


def _unaccepted(session: Session, person: Person, stint: Stint) -> Reply | None:
    """An agreement with an institution for which nobody has found time."""
    seen = institution_seen.one(session, person.id, str(stint.institution_id))
    if seen is None or seen.agreeing is None or seen.agreeing.id != stint.id or seen.next_team is None:
        return None
    text = _("{called}：和团队“{team}”的协议已经有一段时间了，还没有定好。请联系队长，或撤回协议，再请别的团队。")
    said = text.format(called=seen.institution.name, team=seen.next_team.name)
    return Reply(said, to_one(session, person.id, seen.institution.id, seen.institution.name))


def _opened_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:

    stint = session.get(Stint, str(params["stint"]))
    if stint is None or stint.state != OPEN:
        return None
    about = served_of(session, stint)
    name = about.name if isinstance(about, Institution) else mark(about)
    team = session.get(Team, stint.team_id) if stint.team_id else None
    who = _("团队“{team}”").format(team=team.name) if team else volunteer_words(session, str(stint.person_id))
    return Reply(_("{called}：结对成立，从现在起由{who}负责。").format(called=name, who=who))


NOTICES = {
    "notice.accepted": _accepted,
    "notice.nobody_left": _nobody_left,
    "notice.unfinished": _unfinished,
    "notice.opened": _opened_notice,
}
