"""What is done with one institution: a team is asked, its pairing goes to another team or ends, it is closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import Session

from config.catalogue import rules
from config.services import entries
from config.texts import _
from handlers.band_words import often_words, service_words
from handlers.checks import between, team_number
from handlers.days import day_within, with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Further, Refused, Talk
from handlers.institution_words import (
    STEP,
    StepFacts,
    choices,
    institution_refused,
    near_words,
    pairing_refused,
    to_list,
    to_one,
)
from handlers.message import Reply
from models import agreement, institution, institution_pairing, institution_seen, relaying
from models.agreement import LEAST_ACTIVITIES, MOST_ACTIVITIES, MOST_MONTHS, Terms
from models.institution import InstitutionError
from models.institution_seen import Seen
from models.person import Person
from models.relay import ORGANISATION
from models.served import leaders
from models.stints import StintError, team_load
from models.team import Team, by_team_number


@dataclass(frozen=True, slots=True)
class Step:
    """What was decided: `what` is a step; `team` a team's number with the `terms`; `day` the last day of a relay."""

    institution: str
    name: str
    what: str
    team: str = ""
    terms: Terms | None = None
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Which team this number is."""

    facts: StepFacts
    team: str


def _facts(session: Session, person: Person) -> StepFacts:
    return StepFacts()


def _talk(facts: StepFacts) -> Talk:
    if not facts.institution:
        return None
    what = yield Ask("step", _("要对“{name}”做什么？").format(name=facts.name), choices(facts.steps))
    if what == "pair":
        return (yield from _pair_asks(facts))
    if what == "relay":
        return (yield from _relay_asks(facts))
    sure = yield Ask("sure", _sure_text(what).format(name=facts.name), _yes_or_no())
    return Step(facts.institution, facts.name, what) if sure == "yes" else None


def _yes_or_no() -> tuple[Choice, ...]:
    return (Choice("yes", _("确定")), Choice("no", _("先不")))


def _sure_text(what: str) -> str:
    return {
        "off": _("确定撤回和“{name}”还没有接受的协议吗？这个团队的队长会收到通知，之后再请别的团队。"),
        "stay": _("确定不换团队了吗？现在的团队会继续，请先和队长说好。"),
        "given": _("确定已经交接了吗？从现在起由接的团队负责，原来的结对到今天为止。"),
        "end": _("确定结束“{name}”现在的结对吗？队长会收到通知，之后可以再请别的团队。"),
        "close": _("确定“{name}”停办了，或者登记错了吗？以后不再列出，登记过的内容留着备查。"),
    }[what]


def _pair_asks(facts: StepFacts) -> Talk:
    said = _("{name}：{near}，空位 {free}")
    offered = tuple(
        Choice(number, said.format(name=name, near=near_words(near), free=free), words=(name,))
        for number, name, near, free in facts.teams
    )
    text = _("请哪个团队？近的、空位多的在前面；也可以写别的团队编号。")
    if not offered:
        text = _("附近没有既有队长又有空位的团队。知道团队编号可以直接写；也可以先在“团队”里设队长、改结对人数。")
    team = yield Ask("team", text, offered, check=team_number, numbered=True)
    names = {number: name for number, name, _near, _free in facts.teams} | {facts.looked[0]: facts.looked[1]}
    if team not in names:
        return Look(facts, team)
    services = tuple(Choice(key, entry.label, words=entry.spellings) for key, entry in entries("service").items())
    chosen = yield Ask("services", _("约定做什么？"), services, many=True)
    usual = rules().pairing
    count = yield Ask(
        "activities",
        _("一年几次？写数字，最少 {least} 次（两次探访）。一般 {usual} 次。").format(
            least=LEAST_ACTIVITIES, usual=usual.activities_a_year
        ),
        check=between(LEAST_ACTIVITIES, MOST_ACTIVITIES),
        numeric=True,
    )
    months = yield Ask(
        "months",
        _("约定几个月？一般 {usual} 个月。").format(usual=usual.term_months),
        check=between(1, MOST_MONTHS),
        numeric=True,
    )
    echo = _("“{name}”和团队“{team}”：{services}；一年 {count} 次（{often}）；{months} 个月。发给队长确认吗？").format(
        name=facts.name,
        team=names[team],
        services=service_words(list(chosen)),
        count=count,
        often=often_words(count),
        months=months,
    )
    ways = (
        Choice("yes", _("发给队长")),
        Choice("team", _("换团队"), drops=("team",)),
        Choice("terms", _("改约定"), drops=("services", "activities", "months")),
        Choice("no", _("先不发")),
    )
    sure = yield Ask("confirm", echo, ways)
    terms = Terms(tuple(chosen), count, months)
    return Step(facts.institution, facts.name, "pair", team, terms) if sure == "yes" else None


def _relay_asks(facts: StepFacts) -> Talk:
    today = date.fromisoformat(facts.today)
    text = _("现在的团队最后一天是哪一天（含当天）？写日期，例如 {example}。到那天还没有团队接，这个机构的结对就结束。")
    day = yield Ask(
        "day",
        text.format(example=(today + timedelta(days=30)).isoformat()),
        check=day_within(today, relaying.LONGEST_DAYS),
    )
    said = _("“{name}”换团队，最后一天 {day}。队长会收到通知；接下来请一个接的团队。").format(
        name=facts.name, day=with_weekday(day)
    )
    ways = (Choice("yes", _("开始交接")), Choice("day", _("改日期"), drops=("day",)), Choice("no", _("先不")))
    sure = yield Ask("confirm", said, ways)
    return Step(facts.institution, facts.name, "relay", day=day) if sure == "yes" else None


def _perform(session: Session, person: Person, command: Step | Look) -> Reply | Further:
    of = command.facts.institution if isinstance(command, Look) else command.institution
    about = institution_seen.one(session, person.id, of)
    if about is None:
        return Reply(_("这个机构已经停办，或者现在不归你负责。"), (to_list(),))
    if isinstance(command, Look):
        team = _team(session, about, command.team)
        return Further(command.facts.model_copy(update={"looked": (command.team, team.name)}))
    back = to_one(session, person.id, command.institution, command.name) if command.what != "close" else (to_list(),)
    try:
        return Reply(_DO[command.what](session, person, command, about), back)
    except InstitutionError as error:
        return Reply(institution_refused(error.reason), back)
    except StintError as error:
        if command.what == "pair" and error.reason in ("team", "full"):
            raise Refused("team", pairing_refused(error.reason)) from None
        if error.reason == "day":
            raise Refused("day", _("这一天已经过了，或者太远，请再写一次。")) from None
        return Reply(pairing_refused(error.reason), back)


def _team(session: Session, about: Seen, number: str) -> Team:
    """A team that may be asked, as far as can be seen before it is."""
    team = by_team_number(session, number)
    if team is None:
        raise Refused("team", _("没有编号为 {number} 的团队，请核对。").format(number=number))
    if about.stint is not None and about.stint.team_id == team.id:
        raise Refused("team", _("这就是现在的团队，请换一个。"))
    if team.ended_at is not None or not leaders(session, team.id):
        raise Refused("team", pairing_refused("team"))
    if team_load(session, team.id) >= team.capacity:
        raise Refused("team", pairing_refused("full"))
    return team


def _pair(session: Session, person: Person, command: Step, about: Seen) -> str:
    team = _team(session, about, command.team)
    if command.terms is None:
        raise StintError("terms")
    institution_pairing.agree(session, about.institution.id, team.id, command.terms, person.id)
    return _("协议写好了，正在请“{team}”的队长在聊天里接受；接受了会告诉你。").format(team=team.name)


def _off(session: Session, person: Person, command: Step, about: Seen) -> str:
    if about.agreeing is None:
        raise StintError("gone")
    agreement.call_off(session, about.agreeing.id, person.id)
    return _("撤回了，队长会收到通知。可以再请别的团队。")


def _relay(session: Session, person: Person, command: Step, about: Seen) -> str:
    if about.stint is None or command.day is None:
        raise StintError("gone")
    row = relaying.begin(session, about.stint.id, ORGANISATION, command.day, person.id)
    said = _("开始交接，最后一天 {day}，队长会收到通知。请接着为“{name}”请一个接的团队。")
    return said.format(day=with_weekday(row.last_day), name=command.name)


def _stay(session: Session, person: Person, command: Step, about: Seen) -> str:
    if about.relay is None:
        raise StintError("gone")
    relaying.cancel(session, about.relay.id, person.id)
    return _("取消了，“{name}”的结对照旧。").format(name=command.name)


def _given(session: Session, person: Person, command: Step, about: Seen) -> str:
    if about.relay is None:
        raise StintError("gone")
    relaying.give(session, about.relay.id, person.id)
    return _("记下了，“{name}”已经交接，从现在起由接的团队负责。").format(name=command.name)


def _end(session: Session, person: Person, command: Step, about: Seen) -> str:
    if about.stint is None:
        raise StintError("gone")
    institution_pairing.end(session, about.institution.id, person.id)
    return _("结束了，队长会收到通知。可以再请别的团队。")


def _close(session: Session, person: Person, command: Step, about: Seen) -> str:
    institution.end(session, person.id, about.institution.id)
    return _("记下了，“{name}”以后不再列出。").format(name=command.name)


_DO: dict[str, Callable[[Session, Person, Step, Seen], str]] = {
    "pair": _pair,
    "off": _off,
    "relay": _relay,
    "stay": _stay,
    "given": _given,
    "end": _end,
    "close": _close,
}

INSTITUTION_STEP = Dialogue(STEP, StepFacts, _facts, _talk, _perform, repeats=True)
