"""What whoever answers for a visit does in the volunteer's place: writes down that it was made, excuses it, or takes it
in hand (收到，我来处理). Each with a reason where it closes something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from config.texts import _
from handlers.days import with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Further, Refused, Talk
from handlers.free_text import free_words
from handlers.message import Option, Reply
from handlers.visit_moments import past_moment
from handlers.visit_ways import (
    BEHALF,
    HOLD,
    OwedFacts,
    behalf_choices,
    form_choices,
    forms,
    instant,
    now_at,
    refused,
)
from models import visit_reporting, visiting
from models.person import Person
from models.visit import Visit
from models.visit_reporting import Report
from models.visiting import VisitError

LONGEST_WHY = 200  # characters
BACK_DAYS = 365


@dataclass(frozen=True, slots=True)
class Close:
    """`what`: "made" or "excuse"."""

    visit: str
    who: str
    what: str
    why: str
    at: str = ""
    form: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """They are taken in hand."""

    visits: tuple[str, ...]


def _facts(session: Session, person: Person) -> OwedFacts:
    return OwedFacts()


def _talk(facts: OwedFacts) -> Talk:
    if not facts.visits:
        return None
    offered = tuple(Choice(value, label) for value, label in behalf_choices().items())
    what = yield Ask("what", _("{who}的探访，要怎么办？").format(who=facts.who), offered)
    if not facts.fresh:
        return facts
    at = form = ""
    if what == "made":
        now = datetime.fromisoformat(facts.now)
        at = yield Ask("at", _("志愿者是哪天去的？例如“上周六”。"), check=past_moment(now, BACK_DAYS))
        form = yield Ask("form", _("是怎么探访的？"), form_choices())
    words = _why_made() if what == "made" else _why_not()
    text = _("怎么知道的？会留在记录里。") if what == "made" else _("为什么这次不用去？会以你的名义留在记录里。")
    why = yield Ask("why", text, (*(Choice(each, label) for each, label in words.items()), Choice("other", _("其他"))))
    if why == "other":
        why = yield Ask("words", _("请写一句原因。"), check=free_words(LONGEST_WHY), told=True, sensitive=True)
    text = _("请核对：{who}，{what}。").format(who=facts.who, what=_what(what, at, form))
    text += "\n" + _("原因：{why}").format(why=words.get(why) or _("写了，留在记录里"))
    sure = yield Ask(
        "sure",
        text,
        (
            Choice("yes", _("确定")),
            Choice("why", _("改原因"), drops=("why", "words")),
            Choice("no", _("先不办")),
        ),
    )
    return Close(facts.visits[0], facts.who, what, why, at, form) if sure == "yes" else None


def _what(what: str, at: str, form: str) -> str:
    if what == "excuse":
        return _("这次不用去了")
    day = with_weekday(datetime.fromisoformat(at).date())
    return _("{day}去过了，{form}").format(day=day, form=forms()[form])


def _why_made() -> dict[str, str]:
    return {"phoned": _("志愿者打电话说的"), "family": _("家里说的"), "there": _("我也在场")}


def _why_not() -> dict[str, str]:
    return {"health": _("住院或养病"), "family": _("家里请我们先别去"), "away": _("这段时间不在本地")}


def _close(session: Session, person: Person, command: Close | OwedFacts) -> Reply | Further:
    if isinstance(command, OwedFacts):
        return Further(command.model_copy(update={"now": now_at(session, person), "fresh": True}))
    visit = session.get(Visit, command.visit)
    more = (Option("m:nobody_dropped", _("一户不落")),)
    try:
        if visit is None:
            raise VisitError("gone")
        if command.what == "excuse":
            visiting.excuse(session, person.id, visit.id, command.why)
            return Reply(_("记下了：{who}这次不用去了，由你说明原因。").format(who=command.who), more)
        if visit.stint_id is None:
            visit_reporting.report_kept(
                session, person.id, visit.id, instant(person, command.at), command.form, command.why
            )
            closed = True
        else:
            told_of = Report(
                visit.stint_id, instant(person, command.at), command.form, visit_id=visit.id, why=command.why
            )
            closed = visit_reporting.report(session, person.id, told_of).visit_id == visit.id
    except VisitError as error:
        text = refused(error.reason, error.day)
        if error.reason in ("day", "future", "early"):
            raise Refused("at", text) from None
        return Reply(text, more)
    said = (
        _("记下了：{who}的探访完成了。") if closed else _("记下了，但这一天不在这次探访该去的时间里，这次还算没有去。")
    )
    return Reply(said.format(who=command.who), more)


VISIT_BEHALF = Dialogue(BEHALF, OwedFacts, _facts, _talk, _close, repeats=True)


def _hold_talk(facts: OwedFacts) -> Talk:
    if not facts.visits:
        return None
    yield Ask("go", _("由你来处理吗？"), (Choice("hold", _("收到，我来处理")),))
    return Hold(facts.visits)


def _hold(session: Session, person: Person, command: Hold) -> Reply:
    held, why = 0, ""
    for visit in command.visits:
        try:
            visiting.hold(session, person.id, visit)
            held += 1
        except VisitError as error:
            why = error.reason
    if not held:
        return Reply(refused(why))
    text = _("好的，{count} 户由你处理，7 天内不再往上报。有了结果请记下来。").format(count=held)
    return Reply(text, (Option("m:nobody_dropped", _("一户不落")),))


VISIT_HOLD = Dialogue(HOLD, OwedFacts, _facts, _hold_talk, _hold, repeats=True)
