"""整队交接: before graduation a whole team's pairings are handed over at once, with a keeper for the summer; or all
pairings of one organisation go to another team (programme §5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.checks import team_number
from handlers.days import day_within, with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Further, Invalid, Refused, Talk
from handlers.message import Option, Reply
from models import relaying, relaying_asked, relaying_lists, relaying_teams
from models.person import Person, local_now
from models.stints import StintError
from models.team import Team
from models.volunteer import by_number


class TeamFacts(BaseModel):
    """Of the `team` that was looked up: `name`, `count` pairings, `others` that somebody else answers for. `looked` =
    the answers for which `to_name`, that of the other team, was looked up."""

    today: str = "2000-01-01"
    allowed: bool = True
    team: str = ""
    looked: tuple[str, ...] = ()
    name: str = ""
    to_name: str = ""
    count: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """Which team this is, and what it has."""

    team: str


@dataclass(frozen=True, slots=True)
class Hand:
    """What was chosen; `sure` = after the look at it all. `keeper` is a volunteer's number, "me", or empty."""

    team: str
    why: str
    to: str
    last_day: date
    keeper: str
    sure: bool = False

    def answers(self) -> tuple[str, ...]:
        """As they are kept in the facts."""
        return (self.team, self.why, self.to, self.last_day.isoformat(), self.keeper)


def _facts(session: Session, person: Person) -> TeamFacts:
    today = local_now(session, person).date().isoformat()
    return TeamFacts(today=today, allowed=bool(relaying_lists.scopes(session, person.id)))


def _talk(facts: TeamFacts) -> Talk:
    if not facts.allowed:
        return Look("")
    today = date.fromisoformat(facts.today)
    team = yield Ask("team", _("要交接哪个团队？请写团队编号。"), check=team_number)
    if facts.team != team:
        return Look(team)
    why = yield Ask(
        "why",
        _("是哪种交接？"),
        (
            Choice("graduation", _("毕业或换届，找新的志愿者"), words=(_("毕业"), _("换届"))),
            Choice("organisation", _("交给另一个团队"), words=(_("组织间交接"), _("换团队"))),
        ),
    )
    to = ""
    if why == "organisation":
        to = yield Ask("to", _("交给哪个团队？请写对方的团队编号。"), check=team_number)
    last_day = yield Ask(
        "last_day",
        _("最后一天是哪一天（含当天）？写日期，例如 {example}。").format(
            example=(today + timedelta(days=45)).isoformat()
        ),
        check=day_within(today, relaying.LONGEST_DAYS),
    )
    keeper = yield Ask(
        "keeper",
        _("过了最后一天还没有人接的，由谁照看（例如整个暑假）？选一项，或写同事的志愿者编号。"),
        (Choice("me", _("我来"), words=(_("我自己"),)), Choice("each", _("各自负责的专员"), words=(_("专员"),))),
        check=keeper_number,
    )
    command = Hand(team, why, to, last_day, "" if keeper == "each" else keeper)
    if facts.looked != command.answers():
        return command
    sure = yield Ask("confirm", _preview(facts, command), _confirm(why))
    return Hand(team, why, to, last_day, command.keeper, sure=True) if sure == "submit" else None


def _confirm(why: str) -> tuple[Choice, ...]:
    to = (Choice("to", _("换对方团队"), drops=("to",)),) if why == "organisation" else ()
    return (
        Choice("submit", _("开始交接")),
        Choice("team", _("换团队"), drops=("team",)),
        *to,
        Choice("day", _("改日期"), drops=("last_day",)),
        Choice("keeper", _("换照看的人"), drops=("keeper",)),
        Choice("no", _("先不交接")),
    )


def _preview(facts: TeamFacts, command: Hand) -> str:
    lines = [
        _("请核对："),
        _("团队：{name}（{number}）").format(name=facts.name, number=command.team),
        _("要交接的结对：{count} 个").format(count=facts.count),
    ]
    if facts.others:
        lines.append(_("另有 {count} 个不归你负责，不在里面。").format(count=facts.others))
    if command.to:
        lines.append(_("交给：{name}（{number}），会逐个邀请对方的队长").format(name=facts.to_name, number=command.to))
    lines.append(_("最后一天：{day}").format(day=with_weekday(command.last_day)))
    keeper = _("我来") if command.keeper == "me" else command.keeper or _("各自负责的专员")
    lines.append(_("之后由谁照看：{who}").format(who=keeper))
    lines.append(_("开始以后，每位志愿者都会收到通知。"))
    return "\n".join(lines)


def keeper_number(words: str) -> str:
    """A colleague by volunteer number. Raises Invalid."""
    plain = "".join(words.split())
    if not (plain.isascii() and plain.isdecimal() and len(plain) == 10):
        raise Invalid(_("请选一项，或写同事的 10 位志愿者编号。"))
    return plain


def _perform(session: Session, person: Person, command: Look | Hand) -> Reply | Further:
    if not relaying_lists.scopes(session, person.id):
        text = _("“整队交接”是专员用的。自己要请假或交接，回复“请假交接”。")
        return Reply(text, (Option("m:hand_over", _("请假交接")),))
    team, to = _team(session, "team", command.team), None
    if isinstance(command, Hand) and command.to:
        to = _team(session, "to", command.to)
        if to.id == team.id:
            raise Refused("to", _("这就是要交接的团队，请写另一个。"))
        if relaying_teams.leader_of(session, to.id) is None:
            raise Refused("to", _("这个团队还没有队长，没有人能答应。请换一个团队，或先定队长。"))
    stints, others = relaying_teams.pairings_of(session, team.id, person.id)
    if not stints:
        raise Refused("team", _("这个团队没有归你负责的、正在进行的结对，请核对编号。"))
    facts = TeamFacts(
        today=local_now(session, person).date().isoformat(),
        team=command.team,
        name=team.name,
        count=len(stints),
        others=others,
    )
    if isinstance(command, Look):
        return Further(facts, _("{name}：归你负责的结对有 {count} 个。").format(name=team.name, count=len(stints)))
    keeper = _keeper(session, person, command.keeper)
    if keeper is not None and not relaying_teams.may_keep(session, keeper, stints):
        _refused("keeper")
    if not command.sure:
        looked = {"looked": command.answers(), "to_name": to.name if to is not None else ""}
        return Further(facts.model_copy(update=looked))
    many = len(stints) > relaying_asked.AT_ONCE
    begin = relaying_asked.ask if many else relaying_teams.hand_over_team
    try:
        done = begin(session, team, command.why, command.last_day, person.id, keeper=keeper, to=to)
    except StintError as error:
        _refused(error.reason)
        raise
    if isinstance(done, str):
        said = _("要交接的 {count} 个结对正在逐个开始，做完就告诉你。")
        return Reply(said.format(count=len(stints)), (_list_option(),))
    if not done.begun and not done.before:
        _refused("day")
    return Reply("\n".join(told(done)), (_list_option(),))


def _list_option() -> Option:
    return Option("m:hand_overs", _("交接清单"))


def _refused(why: str) -> None:
    if why == "keeper":
        raise Refused("keeper", _("这位同事不负责其中有些人所在的地区，请换一位。"))
    if why == "leader":
        raise Refused("to", _("这个团队还没有队长，没有人能答应。请换一个团队，或先定队长。"))
    if why == "day":
        raise Refused("last_day", _("这一天已经过了，或者太远，请再写一次。"))


def told(done: relaying_teams.Batch) -> list[str]:
    """What became of it, in lines."""
    lines = [_("开始交接 {count} 个结对，每位志愿者都会收到通知。").format(count=done.begun)]
    if done.before:
        lines.append(_("有 {count} 个以前就在交接，最后一天按早的算。").format(count=done.before))
    if done.left:
        lines.append(_("有 {count} 个没能开始：不归你负责，或刚刚结束。").format(count=done.left))
    if done.offered:
        lines.append(_("已邀请对方队长接 {count} 个。").format(count=done.offered))
    if done.not_offered:
        lines.append(
            _("有 {count} 个没能邀请（家里还没同意、对方已满，或条件不合），请在“待结对”里另找。").format(
                count=done.not_offered
            )
        )
    return lines


def _team(session: Session, key: str, number: str) -> Team:
    found = relaying_teams.team_of(session, number)
    if found is None:
        raise Refused(key, _("没有编号为 {number} 的团队，请核对。").format(number=number))
    return found


def _keeper(session: Session, person: Person, said: str) -> str | None:
    if said == "me":
        return person.id
    found = by_number(session, said) if said else None
    if said and found is None:
        raise Refused("keeper", _("没有编号为 {number} 的志愿者，请核对。").format(number=said))
    return found.person_id if found else None


TEAM_RELAY = Dialogue("hand_over_team", TeamFacts, _facts, _talk, _perform)


def _done(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To whoever asked: all of a team's pairings have been gone through."""
    found = relaying_asked.asked_for(session, str(params["batch"]))
    team = session.get(Team, found.team) if found is not None else None
    if found is None or found.done is None or team is None:
        return None
    if not found.done.begun and not found.done.before:
        said = _("{name}的结对一个也没能开始交接：不归你负责了，或已经结束。").format(name=team.name)
        return Reply(said, (_list_option(),))
    lines = [_("{name}的交接都开始了。").format(name=team.name), *told(found.done)]
    return Reply("\n".join(lines), (_list_option(),))


NOTICES = {"notice.team_relay": _done}
