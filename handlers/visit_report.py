"""探访记录: when, how, three plain questions on how the person is, what changed, anything worrying; shown once more
before it is kept. What worries goes to whoever is on duty at once (safeguarding)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlmodel import Session

from config.texts import _
from handlers.days import with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Further, Refused, Talk
from handlers.free_text import free_words
from handlers.message import Option, Reply
from handlers.numbers import numbers_to_call
from handlers.visit_moments import past_moment, told
from handlers.visit_ways import (
    REPORT,
    VisitFacts,
    answer_labels,
    bookings,
    flag_words,
    form_choices,
    forms,
    freshened,
    homes,
    instant,
    now_at,
    refused,
)
from models import visit_reporting
from models.alert import raise_alert
from models.person import Person
from models.visit import Visit
from models.visit_reporting import Report
from models.visiting import VisitError

LONGEST_NOTE = 500  # characters
BACK_DAYS = 60
ASKED = ("mood", "body", "days")


@dataclass(frozen=True, slots=True)
class Tell:
    """What was told; without a stint there is nobody to tell of."""

    stint: str = ""
    who: str = ""
    booking: str = ""
    at: str = ""
    form: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    worrying: bool = False


def _facts(session: Session, person: Person) -> VisitFacts:
    told = {"homes": homes(session, person, went=True), "booked": bookings(session, person)}
    return VisitFacts(now=now_at(session, person), fresh=True, **told)


def _talk(facts: VisitFacts) -> Talk:
    if facts.stint:
        go = yield Ask(
            "go", _("现在写探访记录吗？"), (Choice("yes", _("去过了，写探访记录")), Choice("no", _("先不写")))
        )
        if go == "no":
            return None
        if not facts.fresh:
            return facts
        stint, who, booking = facts.stint, facts.who, facts.booking
    elif not facts.homes:
        return Tell()
    else:
        home = yield from _home(facts)
        stint, who, booking = home.stint, home.who, ""
    at = yield from _when(facts, stint, next((one.since for one in facts.homes if one.stint == stint), ""))
    form = yield Ask("form", _("是怎么探访的？"), form_choices())
    answers = {}
    for key in ASKED:
        words, choices = _question(key, who)
        answers[key] = yield Ask(key, words, tuple(Choice(value, label) for value, label in choices.items()))
    text = _("家里有什么变化、需要什么，想对专员说什么？一两句话就好。照片现在还不收，请先不要发。")
    note = yield Ask("note", text, check=free_words(LONGEST_NOTE), skippable=True, told=True, sensitive=True)
    if note:
        answers["note"] = note
    text = _("有没有让你担心的事？例如受伤、挨饿、被打骂、被关起来、突然不见人。拿不准也算，说出来就好。")
    worry = yield Ask("worry", text, (Choice("no", _("没有")), Choice("yes", _("有，我很担心"), words=("有", "担心"))))
    worrying = worry == "yes"
    sure = yield Ask("sure", _echo(who, at, form, answers, worrying), _sure_choices())
    return Tell(stint, who, booking, at, form, answers, worrying) if sure == "yes" else None


def _home(facts: VisitFacts) -> Talk:
    if len(facts.homes) == 1:
        return facts.homes[0]
    picked = yield Ask("home", _("去看了谁？"), tuple(Choice(one.stint, one.who) for one in facts.homes))
    return next(one for one in facts.homes if one.stint == picked)


def _when(facts: VisitFacts, stint: str, since: str) -> Talk:
    now = datetime.fromisoformat(facts.now)
    longest = (now.date() - date.fromisoformat(since)).days if since else BACK_DAYS
    booked = [one.at for one in facts.booked if one.stint == stint and one.at <= facts.now]
    at = facts.at or (booked[-1] if booked else "")
    known = {at: told(at)} if at else {}
    known |= {"today": _("今天"), "yesterday": _("昨天")}
    text = _("是什么时候去的？选一项，或者写日期，例如“上周六下午三点”。")
    choices = tuple(Choice(value, label) for value, label in known.items())
    said = yield Ask("at", text, choices, check=past_moment(now, min(longest, BACK_DAYS)))
    days = {"today": now, "yesterday": now - timedelta(days=1)}
    if said not in days:
        return said
    day = days[said].replace(hour=12, minute=0)
    return min(day, now).isoformat(timespec="minutes")


def _question(key: str, who: str) -> tuple[str, dict[str, str]]:
    usual = {"good": _("挺好"), "fair": _("一般"), "bad": _("不太好"), "unseen": _("没看出来")}
    words = {
        "mood": _("{who}今天心情怎么样？"),
        "body": _("{who}身体和精神怎么样？"),
        "days": _("{who}平时吃住、有没有人照顾，怎么样？"),
    }
    return words[key].format(who=who), usual


def _echo(who: str, at: str, form: str, answers: dict[str, str], worrying: bool) -> str:
    day = with_weekday(datetime.fromisoformat(at).date())
    lines = [_("请核对："), _("{day}，探访{who}，方式：{form}。").format(day=day, who=who, form=forms()[form])]
    for key, label in answer_labels().items():
        if key in answers:
            value = _question(key, who)[1].get(answers[key], answers[key]) if key in ASKED else _("写了，专员会看")
            lines.append(_("{item}：{value}").format(item=label, value=value))
    lines.append(_("担心的事：有，马上告诉值班的同事") if worrying else _("担心的事：没有"))
    return "\n".join(lines)


def _sure_choices() -> tuple[Choice, ...]:
    return (
        Choice("yes", _("提交")),
        Choice("at", _("改时间"), drops=("at",)),
        Choice("form", _("改方式"), drops=("form",)),
        Choice("how", _("改TA怎么样"), drops=ASKED),
        Choice("note", _("改想说的话"), drops=("note",)),
        Choice("worry", _("改担心的事"), drops=("worry",)),
        Choice("no", _("不提交")),
    )


def _tell(session: Session, person: Person, command: Tell | VisitFacts) -> Reply | Further:
    if isinstance(command, VisitFacts):
        return Further(freshened(session, person, command))
    if not command.stint:
        return Reply(_("你现在没有要探访的结对。"), (Option("m:pairings", _("我的结对")),))
    told_of = Report(
        command.stint,
        instant(person, command.at),
        command.form,
        command.answers,
        worrying=command.worrying,
        booking_id=command.booking or None,
    )
    try:
        row = visit_reporting.report(session, person.id, told_of)
    except VisitError as error:
        if error.reason in ("future", "day"):
            raise Refused("at", _when_refused(error)) from None
        return Reply(refused(error.reason, error.day), (Option("m:contact", _("联系专员")),))
    text = _("记下了，谢谢你去看{who}！").format(who=command.who)
    visit = session.get(Visit, row.visit_id) if row.visit_id else None
    if visit is not None:
        half = _("上半年") if visit.half == 1 else _("下半年")
        text += _("{year} 年{half}该去的一次，完成了。").format(year=visit.year, half=half) + flag_words(visit.flags)
    else:
        text += _("这次算额外的一次，一样记下了。")
    if command.worrying:
        return _worrying(session, person, row.id, command, text)
    hours = () if row.record_id is not None else (Option("m:add_hours", _("补记时长")),)
    if hours:
        text += "\n" + _("这次还没有时长记录，可以选“补记时长”。")
    return Reply(text, (*hours, Option("m:book_visit", _("约探访"))))


def _when_refused(error: VisitError) -> str:
    if error.reason == "future":
        return _("这个时间还没有到，请核对。")
    day = with_weekday(error.day) if error.day else ""
    return _("这一天还没有结对，或者结对已经结束（结对从 {day} 开始），请核对日期。").format(day=day)


def _worrying(session: Session, person: Person, report: str, command: Tell, text: str) -> Reply:
    """Suspicion is enough: whoever is on duty hears of it now, and more can be told."""
    words = _("写探访记录时担心{who}。").format(who=command.who) + command.answers.get("note", "")
    alert, told_somebody = raise_alert(session, person.id, "worried", words)
    visit_reporting.link_alert(session, report, alert.id)
    if told_somebody:
        kept = _("你担心的事已经记下，正在通知负责的同事；在有人回复之前，请不要只等消息。")
    else:
        kept = _("你担心的事已经记下，但现在没有值班的同事能马上看到，请一定先打上面的电话。")
    more = _("想说得具体一点，请选“我很担心TA”。")
    said = f"{numbers_to_call(session, person)}\n\n{text}\n{kept}{more}"
    return Reply(said, (Option("m:worried", _("我很担心TA")),))


VISIT_REPORT = Dialogue(REPORT, VisitFacts, _facts, _talk, _tell, repeats=True)
