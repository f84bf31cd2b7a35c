"""约探访: a time is booked, moved or called off; the answer to a reminder: 能去 / 去不了 / 晚点问我; nobody at home.

Every time is shown with its weekday before it is kept. A bare 收到 or 好的 answers nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session

from config.texts import _
from handlers.days import with_weekday
from handlers.dialogue import Answer, Ask, Choice, Dialogue, Further, Invalid, Refused, Talk
from handlers.message import Option, Reply
from handlers.moments import asked_later, day_only, later_day, moment, moment_ahead, told
from handlers.visit_ways import (
    ANSWER,
    BOOK,
    OFF,
    VAIN,
    Booked,
    Home,
    VisitFacts,
    answer_choices,
    booked_choices,
    bookings,
    freshened,
    homes,
    instant,
    now_at,
    refused,
)
from models import visit_help, visiting
from models.person import Person
from models.visiting import VisitError


@dataclass(frozen=True, slots=True)
class Act:
    """`what`: "book", "move", "cancel", "vain", "cannot", "later", "report", or "none" = nobody to visit."""

    what: str
    stint: str = ""
    visit: str = ""
    booking: str = ""
    at: str = ""
    day: str = ""
    why: str = ""
    who: str = ""
    asked: str = "at"  # by which question the time was given


# --- the answer to a reminder ---


def _no_facts(session: Session, person: Person) -> VisitFacts:
    return VisitFacts()


def _answer_talk(facts: VisitFacts) -> Talk:
    if not facts.visit:
        return None
    now = datetime.fromisoformat(facts.now)
    text = _("{who}的探访，能去吗？也可以直接写时间，例如“周六下午三点”。").format(who=facts.who)
    what = yield Ask("what", text, answer_choices(), check=_said(now))
    about = {"stint": facts.stint, "visit": facts.visit, "who": facts.who}
    if what == "cannot":
        why = yield Ask("why", _("没关系。是什么原因？选一项，专员好帮你安排。"), _reasons())
        return Act("cannot", why=why, **about)
    if what in ("go", "later") and not facts.fresh:
        return facts
    if what.startswith("later"):
        day = what.partition(":")[2]
        if not day:
            day = yield Ask("day", _("好的，哪天再问你？"), _days(), check=later_day(now.date()))
        return Act("later", day=_after(now, day), **about)
    if what == "go":
        return (yield from _sure(Act("book", at=(yield from _time(now, facts.due)), **about)))
    return (yield from _sure(Act("book", at=what, asked="what", **about)))


def _said(now: datetime) -> Callable[[str], str]:
    """A time ahead, or a day on which to ask again, may be written at once."""

    def check(words: str) -> str:
        at = moment(words, now)
        if at is not None and at > now:
            return at.isoformat(timespec="minutes")
        day = asked_later(words, now.date())
        if day is not None:
            return f"later:{day.isoformat()}"
        raise Invalid(_("请选一项，或者写一个时间，例如“周六下午三点”。"))

    return check


def _reasons() -> tuple[Choice, ...]:
    return (
        Choice("time", _("时间不合适（考试、上班、出门）"), words=("时间", "考试", "上班", "没时间")),
        Choice("health", _("身体或家里有事"), words=("生病", "家里有事", "身体")),
        Choice("far", _("太远，去不方便"), words=("太远", "远")),
        Choice("stop", _("以后都去不了了"), words=("不想去了", "做不下去")),
    )


def _days() -> tuple[Choice, ...]:
    return Choice("3", _("三天后")), Choice("7", _("一周后")), Choice("14", _("两周后"))


def _after(now: datetime, day: str) -> str:
    return date.fromordinal(now.date().toordinal() + int(day)).isoformat() if day.isdecimal() else day


def _time(now: datetime, due: str = "") -> Talk:
    text = _("约在什么时候？写日期和几点，例如“周六下午三点”。")
    if due and date.fromisoformat(due) >= now.date():
        text += _("最好在 {day}以前。").format(day=with_weekday(date.fromisoformat(due)))
    return (yield Ask("at", text, check=moment_ahead(now)))


def _sure(act: Act) -> Talk:
    text = _("请核对：{time}，去看{who}。").format(time=told(act.at), who=act.who)
    choices = (
        Choice("yes", _("就这个时间"), words=("确定", "对", "是", "是的")),
        Choice("time", _("换个时间"), drops=(act.asked,)),
        Choice("no", _("先不约")),
    )
    return act if (yield Ask("sure", text, choices)) == "yes" else None


# --- the menu entry ---


def _facts(session: Session, person: Person) -> VisitFacts:
    told = {"homes": homes(session, person), "booked": bookings(session, person)}
    return VisitFacts(now=now_at(session, person), fresh=True, **told)


def _talk(facts: VisitFacts) -> Talk:
    if not facts.homes and not facts.booked:
        return Act("none")
    now, what = datetime.fromisoformat(facts.now), "new"
    if facts.booked:
        lines = [_("约好的探访：")] if not facts.booking else []
        lines += [_("{time} {who}").format(time=told(one.at), who=one.who) for one in facts.booked]
        words = booked_choices()
        offered = [one for one in words if one != "new" or facts.homes]
        what = yield Ask("what", "\n".join(lines), tuple(Choice(one, words[one], words=_other(one)) for one in offered))
    if what == "new":
        home = yield from _home(facts.homes)
        at = yield from _time(now, home.due)
        return (yield from _sure(Act("book", stint=home.stint, at=at, who=home.who)))
    one = yield from _which(facts.booked)
    act = Act(what, stint=one.stint, booking=one.booking, who=one.who, at=one.at)
    if what == "move" and not facts.fresh:
        return facts
    if what == "move":
        at = yield from _time(now)
        return (yield from _sure(Act("move", stint=one.stint, booking=one.booking, who=one.who, at=at)))
    return (yield from _off(act)) if what == "cancel" else act


def _off(act: Act) -> Talk:
    text = _("要取消 {time} 去看{who}的探访吗？").format(time=told(act.at), who=act.who)
    choices = (Choice("yes", _("取消这次探访"), words=("确定", "是", "是的")), Choice("no", _("不取消")))
    return act if (yield Ask("off", text, choices)) == "yes" else None


def _off_talk(facts: VisitFacts) -> Talk:
    if not facts.booked:
        return Act("nothing")
    one = yield from _which(facts.booked)
    return (yield from _off(Act("cancel", stint=one.stint, booking=one.booking, who=one.who, at=one.at)))


def _other(what: str) -> tuple[str, ...]:
    return {"vain": ("没人在家", "没有人在家", "冇人喺屋企"), "report": ("去过了",), "cancel": ("取消探访",)}.get(
        what, ()
    )


def _home(found: tuple[Home, ...]) -> Talk:
    if len(found) == 1:
        return found[0]
    choices = tuple(Choice(one.stint, _owed(one)) for one in found)
    picked = yield Ask("home", _("去看谁？"), choices)
    return next(one for one in found if one.stint == picked)


def _owed(home: Home) -> str:
    if not home.due:
        return home.who
    return _("{who}（{day}前去一次）").format(who=home.who, day=home.due)


def _which(booked: tuple[Booked, ...]) -> Talk:
    if len(booked) == 1:
        return booked[0]
    choices = tuple(Choice(one.booking, _("{time} {who}").format(time=told(one.at), who=one.who)) for one in booked)
    picked = yield Ask("which", _("是哪一次？"), choices)
    return next(one for one in booked if one.booking == picked)


# --- carried out ---


def _perform(session: Session, person: Person, command: Act | VisitFacts) -> Reply | Further:
    if isinstance(command, VisitFacts):
        return Further(freshened(session, person, command))
    try:
        return _DOES[command.what](session, person, command)
    except VisitError as error:
        text = refused(error.reason, error.day)
        if command.what in ("book", "move") and error.reason in ("past", "far", "early", "taken"):
            raise Refused(command.asked, text) from None
        if command.what == "later" and error.reason == "day":
            raise Refused("day", text) from None
        return Reply(text, _more())


def _none(session: Session, person: Person, command: Act) -> Reply:
    text = _("你现在没有要探访的结对，也没有约好的探访。")
    return Reply(text, (Option("m:pairings", _("我的结对")), Option("m:contact", _("联系专员"))))


def _nothing(session: Session, person: Person, command: Act) -> Reply:
    return Reply(_("你现在没有约好的探访，不用取消。想约时间，回复“约探访”。"), _more())


def _book(session: Session, person: Person, command: Act) -> Reply:
    visiting.book(session, person.id, command.stint, instant(person, command.at), command.visit or None)
    return _kept(command)


def _move(session: Session, person: Person, command: Act) -> Reply:
    visiting.move(session, person.id, command.booking, instant(person, command.at))
    return _kept(command)


def _kept(command: Act) -> Reply:
    text = _(
        "约好了：{time}，去看{who}。前一晚会提醒你；前后 24 小时内，“我的结对”里可以看地址。去不了随时回复“约探访”改。"
    )
    return Reply(text.format(time=told(command.at), who=command.who), _more())


def _cancel(session: Session, person: Person, command: Act) -> Reply:
    visiting.cancel(session, person.id, command.booking)
    text = _("取消了 {time} 去看{who}的探访。想好新的时间，回复“约探访”。").format(
        time=told(command.at), who=command.who
    )
    return Reply(text, _more())


def _vain_talk(facts: VisitFacts) -> Talk:
    if not facts.homes and not facts.booked:
        return Act("none")
    if facts.booked:
        one = yield from _which(facts.booked)
        act, at = Act("vain", booking=one.booking, who=one.who), told(one.at)
    else:
        home = yield from _home(facts.homes)
        act, at = Act("vain", stint=home.stint, who=home.who), told(facts.now)
    text = _("{time} 去看{who}，没人在家，对吗？").format(time=at, who=act.who)
    choices = (Choice("yes", _("对，没人在家"), words=("对", "是", "是的")), Choice("no", _("不是")))
    return act if (yield Ask("sure", text, choices)) == "yes" else None


def _vain(session: Session, person: Person, command: Act) -> Reply:
    if command.booking:
        visiting.nobody_home(session, person.id, command.booking)
    else:
        visiting.in_vain(session, person.id, command.stint)
    text = _(
        "记下了：去了，没人在家。辛苦你跑一趟！请约个新的时间：回复“约探访”，先打电话问问家里更稳妥。过几天也会再问你。"
    )
    return Reply(text, _more())


def _report(session: Session, person: Person, command: Act) -> Reply:
    return Reply(_("谢谢你去！请选“探访记录”，几句话就好。"), (Option("m:visit_report", _("探访记录")),))


def _cannot(session: Session, person: Person, command: Act) -> Reply:
    found = visit_help.cannot_go(session, command.visit, person.id, command.why)
    if found == "asked":
        text = _("没关系，谢谢你早点说。已经去问和你一起的志愿者，也告诉了专员；{who}不会没人管。")
    elif found == "told":
        text = _("没关系，谢谢你早点说。已经告诉专员，会找人替你去；{who}不会没人管。")
    else:
        text = _("没关系，谢谢你早点说，记下了。但现在没有能联系上的专员，请也告诉你的团队；{who}不会没人管。")
    lines = [text.format(who=command.who)]
    if command.why == "stop":
        lines.append(_("以后都去不了，可以选“请假交接”，会有人接上。"))
    options = (Option("m:hand_over", _("请假交接")), Option("m:contact", _("联系专员")))
    return Reply("\n".join(lines), options)


def _later(session: Session, person: Person, command: Act) -> Reply:
    day = date.fromisoformat(command.day)
    visiting.ask_later(session, person.id, command.visit, day)
    return Reply(_("好的，{day}再问你。想去了随时回复“约探访”。").format(day=with_weekday(day)))


def _more() -> tuple[Option, ...]:
    return (Option("m:book_visit", _("约探访")),)


_DOES: dict[str, Callable[[Session, Person, Act], Reply]] = {
    "none": _none,
    "nothing": _nothing,
    "book": _book,
    "move": _move,
    "cancel": _cancel,
    "vain": _vain,
    "report": _report,
    "cannot": _cannot,
    "later": _later,
}

VISIT_ANSWER = Dialogue(ANSWER, VisitFacts, _no_facts, _answer_talk, _perform, repeats=True)
VISIT_OFF = Dialogue(OFF, VisitFacts, _facts, _off_talk, _perform)
VISIT_VAIN = Dialogue(VAIN, VisitFacts, _facts, _vain_talk, _perform)
BOOK_VISIT = Dialogue(BOOK, VisitFacts, _facts, _talk, _perform, repeats=True)

# “取消明天下午那个” means what is booked, not the talk.
_CALLS_OFF = re.compile(
    r"^(我)?(想|要)?(取消|不去)(了)?.{1,12}(那个|那個|那次|那趟|的约|的約|探访|探訪|探望)(吧|了|啦)?$|^取消(探访|探訪)(的时间)?$"
    r"|^cancel (my |the )?.{0,16}visit$",
    re.IGNORECASE,
)
_MOVES = re.compile(
    r"(往后|往後)?(挪|改期|改时间|改時間|推迟|推遲|换个?时间|換個?時間)(一下|不|吗|嗎|吧)*[?？]?$"
    r"|^(move|rebook) (my |the )?visit$",
    re.IGNORECASE,
)
_EMPTY = re.compile(r"没人在家|沒人在家|没有人在家|家里没人|冇人喺屋企|nobody (was |is )?(at )?home", re.IGNORECASE)


def told_at_once(words: str) -> tuple[Dialogue, dict[str, Answer], bool] | None:
    """A wish about what is booked; the third part says that it is heard in the middle of another talk, too."""
    if _CALLS_OFF.search(words):
        return VISIT_OFF, {}, True
    if _EMPTY.search(words):
        return VISIT_VAIN, {}, False
    if _MOVES.search(words):
        return BOOK_VISIT, {"what": {"c": "move"}}, False
    return None


def meant(session: Session, person: Person, words: str) -> tuple[VisitFacts, dict[str, Answer]] | None:
    """Words after a reminder that are no number and no label, as an answer to it: a time, a day, “去不成”. None where
    nothing was asked lately, or the words say nothing of it."""
    visit = visit_help.asked_lately(session, person.id)
    home = next((one for one in homes(session, person) if one.visit == visit), None) if visit else None
    if home is None:
        return None
    about = {"visit": home.visit, "stint": home.stint, "who": home.who, "due": home.due}
    facts = VisitFacts(now=now_at(session, person), fresh=True, **about)
    try:
        _said(datetime.fromisoformat(facts.now))(words)
    except Invalid:
        if day_only(words, datetime.fromisoformat(facts.now).date()):
            return facts, {"what": {"c": "go"}}
        return (facts, {"what": {"c": "cannot"}}) if _CANNOT.search(words) else None
    answers: dict[str, Any] = {"what": {"t": words}}
    return facts, answers


_CANNOT = re.compile(r"去不了|去不成|去唔到|唔得閒|来不了|來不了|can(no|')t (go|come|make it)", re.IGNORECASE)
