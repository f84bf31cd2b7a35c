"""值班请假: whoever answers for others names days and a deputy; the deputy says in one tap whether they stand in.

The days come first, since who can stand in hangs on them; then a last look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.texts import _
from handlers import duties
from handlers.checks import volunteer_number
from handlers.days import day_within, with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Further, Invalid, Refused, Talk
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.somebody import called
from models import duty_leaves, role
from models.duty_leave import DutyLeave
from models.duty_leaves import AHEAD_DAYS, DutyLeaveError
from models.person import Person, family, local_now
from models.volunteer import by_number

NOBODY = "~nobody"


class Facts(BaseModel):
    """`asks` = leaves for which they are asked to stand in, `leaves` and `helps` = their own and those for
    which they said yes, as ids with what is said of each; `people` = who can stand in on the days `found`, with what
    they are called; `today` is the day of whoever asks, `longest` in days."""

    allowed: bool = False
    today: str = "2026-01-01"
    longest: int = 92
    asks: tuple[tuple[str, str], ...] = ()
    leaves: tuple[tuple[str, str], ...] = ()
    helps: tuple[tuple[str, str], ...] = ()
    found: str = ""
    people: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Find:
    """Look who can stand in on these days; without days the person may ask for no leave."""

    facts: Facts
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Away:
    """`deputy` is a person's id, a volunteer's number, or NOBODY."""

    first: date
    last: date
    deputy: str


@dataclass(frozen=True, slots=True)
class End:
    """The leave of this id is over or called off; or whoever said yes stands in no more."""

    leave: str
    helping: bool = False


def prepare(session: Session, person: Person) -> Facts:
    """Whether they answer for anybody, and what stands."""
    own = duty_leaves.leaves_of(session, person.id)
    others = duty_leaves.standing_in_for(session, person.id)
    helping = [row for row in others if row.taken_at is not None]
    asking = [row for row in others if row.taken_at is None]
    return Facts(
        allowed=bool(role.grants(session, person.id)),
        today=local_now(session, person).date().isoformat(),
        longest=rules().duty.leave_most_days,
        asks=tuple((row.id, _helping_line(session, row)) for row in asking),
        leaves=tuple((row.id, _line(session, row)) for row in own),
        helps=tuple((row.id, _helping_line(session, row)) for row in helping),
    )


def _span(row: DutyLeave) -> str:
    if row.first_day == row.last_day:
        return with_weekday(row.first_day)
    return _("{first}到{last}").format(first=with_weekday(row.first_day), last=with_weekday(row.last_day))


def _line(session: Session, row: DutyLeave) -> str:
    if row.deputy_id is None:
        return _("{span}，没有代班人").format(span=_span(row))
    who = called(session, row.deputy_id)
    text = _("{span}，{who}代班") if row.taken_at else _("{span}，正在等{who}答应代班")
    return text.format(span=_span(row), who=who)


def _helping_line(session: Session, row: DutyLeave) -> str:
    return _("{span}，替{who}").format(span=_span(row), who=called(session, row.person_id))


def talk(facts: Facts) -> Talk:
    """What stands; else days, deputy and a last look."""
    if not facts.allowed:
        return Find(facts)
    if facts.asks:
        leave, said = facts.asks[0]
        text = _("有人请你代班：{what}。要代班吗？").format(what=said)
        answer = yield Ask("asked", text, (*_answers(), Choice("later", _("先不答"))))
        if answer != "later":
            return Answer(leave, answer == "take")
    if facts.leaves or facts.helps:
        what = yield Ask("what", _standing(facts), _actions(facts))
        if what == "no":
            return None
        if what in ("end", "help"):
            rows = facts.leaves if what == "end" else facts.helps
            if len(rows) == 1:
                return End(rows[0][0], what == "help")
            choices = (*(Choice(key, said) for key, said in rows), Choice("no", _("都不改")))
            which = yield Ask("which", _("哪一个？"), choices)
            return End(which, what == "help") if which != "no" else None
    today = date.fromisoformat(facts.today)
    first = yield Ask("first", _("从哪一天起请假？例如“今天”“明天”或“下周一”。"), check=day_within(today, AHEAD_DAYS))
    most = first + timedelta(days=facts.longest - 1)
    text = _("到哪一天为止（那一天也算）？最晚 {day}。").format(day=with_weekday(most))
    last = yield Ask("last", text, check=_last(first, most, today))
    if f"{first}/{last}" != facts.found:
        return Find(facts, first, last)
    deputy = yield Ask("deputy", _ask_deputy(facts), _deputies(facts), check=volunteer_number)
    yield Ask("right", _look(facts, first, last, deputy), _right())
    return Away(first, last, deputy)


def _last(first: date, most: date, today: date) -> Callable[[str], date]:
    """The last day, as it is said today: 下周五 is that of next week, whenever the leave begins."""
    read = day_within(today, (most - today).days)

    def check(words: str) -> date:
        day = read(words)
        if day < first:
            raise Invalid(_("最后一天不能早于第一天（{day}）。").format(day=with_weekday(first)))
        return day

    return check


def _standing(facts: Facts) -> str:
    lines = [_("你的值班请假：{what}").format(what=said) for _key, said in facts.leaves]
    lines += [_("你代班：{what}").format(what=said) for _key, said in facts.helps]
    return "\n".join([*lines, _("要做什么？")])


def _actions(facts: Facts) -> tuple[Choice, ...]:
    found = [Choice("new", _("再请一次假"), words=(_("请假"),))]
    if facts.leaves:
        found.append(Choice("end", _("结束或取消请假"), words=(_("结束请假"), _("取消请假"))))
    if facts.helps:
        found.append(Choice("help", _("不再代班"), words=(_("代不了"),)))
    return (*found, Choice("no", _("不改")))


def _ask_deputy(facts: Facts) -> str:
    if not facts.people:
        return _("现在没有别的同事和你负责同样的地方。可以不设代班人，也可以写一位同事的志愿者编号。")
    return _("请谁代班？这几位和你负责同样的地方；也可以写另一位同事的志愿者编号。")


def _deputies(facts: Facts) -> tuple[Choice, ...]:
    return (
        *(Choice(key, said) for key, said in facts.people),
        Choice(NOBODY, _("不设代班人"), words=(_("不用"), _("没有"))),
    )


def _look(facts: Facts, first: date, last: date, deputy: str) -> str:
    who = dict(facts.people).get(deputy, deputy)
    if deputy == NOBODY:
        said = _("不设代班人：请假期间的留言、求助和提醒，由当地别的同事收。")
    else:
        said = _("代班人：{who}。对方答应以后，请假期间的留言、求助和提醒都转给对方。").format(who=who)
    days = _("请核对：{first}到{last}。").format(first=with_weekday(first), last=with_weekday(last))
    return "\n".join([days, said])


def _right() -> tuple[Choice, ...]:
    return (
        Choice("yes", _("请假")),
        Choice("days", _("改日期"), drops=("first", "last")),
        Choice("who", _("换代班人"), drops=("deputy",)),
    )


def perform(session: Session, person: Person, command: Find | Away | End | Answer) -> Reply | Further:
    """Look who can stand in, keep the leave, end one, or answer; everything is checked again."""
    if isinstance(command, Answer):
        return _answer(session, person, command)
    if isinstance(command, Find):
        return _find(session, person, command)
    if isinstance(command, End):
        return _end(session, person, command)
    deputy = _deputy(session, command.deputy)
    try:
        row = duty_leaves.ask(session, person.id, command.first, command.last, deputy, person.id)
    except DutyLeaveError as error:
        if error.reason in ("day", "overlap"):
            raise Refused("first", refused(error)) from None
        if error.reason in ("deputy", "self", "unreachable", "away"):
            raise Refused("deputy", refused(error)) from None
        return _not_for_you()
    text = _("记下了：{what}。到时候自动开始和结束，提前回来请回复“值班请假”。").format(what=_line(session, row))
    return Reply(text, (_to_list(),))


def _find(session: Session, person: Person, command: Find) -> Reply | Further:
    if command.first is None or command.last is None:
        return _not_for_you()
    ids = duty_leaves.candidates(session, person.id, command.first, command.last)
    people = tuple((one, called(session, one)) for one in ids)
    found = f"{command.first}/{command.last}"
    return Further(command.facts.model_copy(update={"found": found, "people": people}))


def _not_for_you() -> Reply:
    text = _("“值班请假”是专员和管理员用的。志愿者请假，请回复“请假交接”。")
    return Reply(text, (Option("m:hand_over", _("请假交接")),))


def _to_list() -> Option:
    return Option("m:duty_leave", _("值班请假"))


def _deputy(session: Session, chosen: str) -> str | None:
    if chosen == NOBODY:
        return None
    if not chosen.isdecimal():
        return chosen
    volunteer = by_number(session, chosen)
    if volunteer is None:
        raise Refused("deputy", _("没有找到和你负责同样地方的这个编号，请核对一下。"))
    return volunteer.person_id


def _end(session: Session, person: Person, command: End) -> Reply:
    try:
        if command.helping:
            row = duty_leaves.decline(session, command.leave, person.id)
            return Reply(_("好的，不再由你代班，正在告诉{who}。").format(who=called(session, row.person_id)))
        row = duty_leaves.end(session, command.leave, person.id)
    except DutyLeaveError as error:
        return Reply(refused(error), (_to_list(),))
    began = row.first_day <= local_now(session, person).date()
    if not began:
        return Reply(_("这次请假取消了。"), (_to_list(),))
    still, options = duties.still(session, person.id)
    return Reply("\n".join(filter(None, [_("欢迎回来，请假结束了。"), still])), (*options, _todo()))


def _todo() -> Option:
    return Option("m:todo", _("待办清单"))


def refused(error: DutyLeaveError) -> str:
    """Why the rules did not take it, and what to do."""
    return {
        "role": _("这位没有职责，不用请值班假。"),
        "day": _("日期不对：要从今天或以后开始，最长 {days} 天。").format(days=rules().duty.leave_most_days),
        "overlap": _("这几天里已经有一次请假了，请换别的日期，或先取消那一次。"),
        "deputy": _("没有找到和你负责同样地方的这个编号，请核对一下。"),
        "self": _("代班人要是另一位同事。"),
        "unreachable": _("这位同事现在收不到消息，请另选一位。"),
        "away": _("这位同事那几天也请假，请另选一位。"),
        "gone": _("这次请假已经结束，或者已经换了代班人，没有改动。"),
        "scope": _("这次请假不归你管，没有改动。"),
    }[error.reason]


DUTY_LEAVE = Dialogue("duty_leave", Facts, prepare, talk, perform)


# --- the deputy ---


class DeputyFacts(BaseModel):
    """Which leave."""

    leave: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`takes` = 我来代班."""

    leave: str
    takes: bool


def _deputy_facts(session: Session, person: Person) -> DeputyFacts:
    return DeputyFacts()


def _answers() -> tuple[Choice, ...]:
    # A bare 收到 or 好的 takes nothing over (programme §13).
    take = Choice("take", _("我来代班"), words=("我来", "我來", "可以代"))
    return take, Choice("no", _("我代不了"), words=("代不了", "唔得"))


def _deputy_talk(facts: DeputyFacts) -> Talk:
    if not facts.leave:
        return None
    answer = yield Ask("deputy", _("要代班吗？"), _answers())
    return Answer(facts.leave, answer == "take")


def _answer(session: Session, person: Person, command: Answer) -> Reply:
    try:
        if not command.takes:
            duty_leaves.decline(session, command.leave, person.id)
            return Reply(_("知道了，谢谢你说一声，正在告诉对方。"))
        row = duty_leaves.take(session, command.leave, person.id)
    except DutyLeaveError as error:
        if error.reason == "deputy":
            return Reply(_("你现在负责的地方和对方不一样，不能代班。请对方另找一位同事。"))
        return Reply(_("这次请假已经结束，或者已经换了代班人，不用再回复。谢谢你！"))
    text = _("谢谢你！{span}由你替{who}：那几天的留言、求助和提醒都会发给你，到时候会再说一声。")
    return Reply(text.format(span=_span(row), who=called(session, row.person_id)), (_to_list(),))


DUTY_DEPUTY = Dialogue("duty_deputy", DeputyFacts, _deputy_facts, _deputy_talk, _answer, repeats=True)


# --- notices ---


def _notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = duty_leaves.leave_of(session, str(params["leave"]))
    if row is None:
        return None
    what, about = str(params["what"]), str(params["about"])
    if what in ("asked", "begins", "over"):
        return _to_deputy(session, person, row, what)
    if person.id not in family(session, row.person_id):
        return None
    if what == "back":
        still, options = duties.still(session, person.id)
        if row.ended_at is None or not still:
            return None
        return Reply(_("欢迎回来，值班请假结束了，现在又由你收。") + "\n" + still, (*options, _todo()))
    if row.ended_at is not None:
        return None
    return Reply(_told(session, row, what, about), (_to_list(),))


def _told(session: Session, row: DutyLeave, what: str, about: str) -> str:
    if what == "made":
        return _("管理员替你登记了值班请假：{what}。不对的话，回复“值班请假”可以取消。").format(
            what=_line(session, row)
        )
    who = called(session, about) if about else _("代班人")
    text = {
        "taken": _("{who}答应代班了：{span}。请放心。"),
        "declined": _("{who}不能代班：{span}。现在由当地别的同事收；要换一位，先取消这次请假，再请一次。"),
        "deputy_away": _("你的代班人{who}那几天也请假了。那几天转给对方的代班人，没有就由当地别的同事收：{span}。"),
    }[what]
    return text.format(who=who, span=_span(row))


def _to_deputy(session: Session, person: Person, row: DutyLeave, what: str) -> Reply | None:
    who, mine = called(session, row.person_id), row.deputy_id in family(session, person.id)
    if what == "over":
        if mine and row.ended_at is None:
            return None
        return Reply(_("不用再替{who}代班了，谢谢你！手上没有办完的，请和对方说一声。").format(who=who))
    if row.ended_at is not None or not mine:
        return None
    if what == "asked":
        if row.taken_at is not None:
            return None
        said = _("{who}请你代班：{span}。答应了，那几天发给对方的留言、求助和提醒都会发给你。")
        labels = [(choice.value, choice.label) for choice in _answers()]
        facts = DeputyFacts(leave=row.id)
        options = asked(session, person.id, DUTY_DEPUTY.name, "deputy", facts, labels)
        return Reply(said.format(who=who, span=_span(row)), options)
    still, options = duties.waits(session, person.id)
    said = _("从现在起由你替{who}代班，到{day}为止。").format(who=who, day=with_weekday(row.last_day))
    return Reply("\n".join([said, *still]), (*options, _todo()))


NOTICES = {"notice.duty_leave": _notice}
