"""独自上门: “我进门了，16:00 前出来”. Until when, who is to look after it, and a help word that nobody else knows.

At the time a gentle question; then the partner hears of it, then whoever answers for the volunteer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.texts import _, current, simplified
from handlers.dialogue import Answer, Ask, Choice, Dialogue, Invalid, Refused, Talk
from handlers.late import asked
from handlers.message import Option, Reply
from handlers.moments import ahead
from handlers.served_facts import when
from handlers.somebody import called
from models import lone_timing, serving
from models.checking_in import serving_in
from models.database import now_of
from models.lone_timing import LoneError
from models.lone_visit import LoneVisit
from models.person import Person

PARTNERS = 5  # on one screen
NOBODY = "~nobody"


class LoneFacts(BaseModel):
    """`now` = local time when the talk began (ISO); `stint` = where they are, as far as that is known. Partners: an id
    and how they are called."""

    now: str = ""
    stint: str = ""
    partners: list[tuple[str, str]] = []
    running: str = ""


@dataclass(frozen=True, slots=True)
class Begin:
    """They are in; `until` as they wrote it."""

    until: str
    stint: str
    partner: str


@dataclass(frozen=True, slots=True)
class Out:
    """They are out."""


@dataclass(frozen=True, slots=True)
class Longer:
    """Until then."""

    until: str


def _local_now(session: Session, person: Person) -> datetime:
    return now_of(session).astimezone(ZoneInfo(person.zone))


def _facts(session: Session, person: Person) -> LoneFacts:
    partners = lone_timing.partners_of(session, person.id)[:PARTNERS]
    running = lone_timing.running_of(session, person.id)
    return LoneFacts(
        now=_local_now(session, person).isoformat(),
        stint=_where(session, person),
        partners=[(one, called(session, one)) for one in partners],
        running=running.until.isoformat() if running is not None else "",
    )


def _where(session: Session, person: Person) -> str:
    """The pairing that they are checked in for, or the only one: not asked, since nobody is to be named."""
    running = serving.running_of(session, person.id)
    if running is not None and running.stint_id is not None:
        return running.stint_id
    stints = serving_in(session, person.id)
    return stints[0].id if len(stints) == 1 else ""


def _until(facts: LoneFacts) -> Callable[[str], str]:
    """A check for a time or a length of time. What it means is reckoned at the end, from then on."""
    now = datetime.fromisoformat(facts.now) if facts.now else None

    def check(words: str) -> str:
        if now is None or ahead(words, now) is None:
            raise Invalid(_("请写几点出来，例如 16:00、“四点半”或“一个小时后”。"))
        return words

    return check


def _talk(facts: LoneFacts) -> Talk:
    until = yield Ask(
        "until", _("进门了就好。打算几点出来？到时间我会问你一声。例如 16:00 或“一个小时后”。"), check=_until(facts)
    )
    partner = NOBODY
    if facts.partners:
        choices = (*(Choice(key, label) for key, label in facts.partners), Choice(NOBODY, _("不用，直接告诉专员")))
        text = _("到时间没出来也没回答，先告诉谁？再没有消息，就告诉专员和值班的人。")
        partner = yield Ask("partner", text, choices)
    return Begin(until, facts.stint, "" if partner == NOBODY else partner)


def _perform(session: Session, person: Person, command: Begin) -> Reply:
    until = _meant(session, person, command.until)
    try:
        lone_timing.begin(session, person.id, until, command.stint or None, command.partner or None)
    except LoneError as error:
        if error.reason == "partner":
            raise Refused("partner", _("这一位现在不能帮忙看着，请另选一位。")) from None
        raise Refused("until", _bad_time(error)) from None
    grace, known = rules().hours.lone_grace_minutes, lone_timing.times(session, person.id) > 1
    lines = [
        _("记下了：{time} 前出来。到时间我会问一声；{minutes} 分钟没有回答，就告诉别人去找你。").format(
            time=_time(person, until), minutes=grace
        ),
        _("出来以后回复“我出来了”；要晚一点，回复“还要一会儿”。"),
        _("万一不方便求助，还是发那句暗语；忘了可以平时回复“暗语”看。") if known else _silent_word(),
    ]
    return Reply("\n".join(lines), _answers(session, person))


def _meant(session: Session, person: Person, words: str) -> datetime:
    at = ahead(words, _local_now(session, person))
    if at is None:
        raise Refused("until", _("请再写一次几点出来，例如 16:00。"))
    return at.astimezone(UTC)


def silent_word(session: Session, person: Person) -> Reply:
    """暗语: the help word, for somebody who has forgotten it."""
    return Reply(_silent_word(), (Option("m:lone_visit", _("独自上门")),))


def _silent_word() -> str:
    return _(
        "万一不方便求助，发一句“{words}”：我会装作在说订奶，同时马上告诉值班的人。"
        "请记住这句话，然后把这条消息删掉。能打电话就先打{police}。"
    ).format(words=help_words(), police=rules().safety.emergency_police)


def help_words() -> str:
    """The help word that is taught in this language: the first of its script (rules.toml)."""
    words = rules().safety.silent_words
    if current() == "en":
        return next((one for one in words if one.isascii()), words[0])
    other = [one for one in words if not one.isascii() and simplified(one) != one]
    return (other or list(words))[0] if current() == "zh_HK" else words[0]


def _bad_time(error: LoneError) -> str:
    if error.reason == "past":
        return _("这个时间已经过了，请写一个晚一点的时间。")
    return _("最长可以到 {hours} 小时以后，请写近一点的时间。").format(hours=rules().hours.lone_longest_hours)


def _time(person: Person, at: datetime) -> str:
    """16:00; with the day where that is not today's any more for anybody who reads it late."""
    return f"{at.astimezone(ZoneInfo(person.zone)):%H:%M}"


LONE_VISIT = Dialogue("lone_visit", LoneFacts, _facts, _talk, _perform)


# --- out, or later ---


def _answer_choices() -> tuple[Choice, ...]:
    return (
        Choice("out", _("我出来了"), words=("出来了", "已经出来了", "i am out", "i'm out", "我出嚟喇", "out")),
        Choice("more", _("还要一会儿"), words=("还要一会", "再等等", "仲要一陣", "a bit longer")),
    )


def _answers(session: Session, person: Person) -> tuple[Option, ...]:
    labels = [(choice.value, choice.label) for choice in _answer_choices()]
    return asked(session, person.id, LONE_ANSWER.name, "how", _facts(session, person), labels)


def _answer_talk(facts: LoneFacts) -> Talk:
    how = yield Ask("how", _("出来了吗？"), _answer_choices())
    if how == "out":
        return Out()
    text = _("好的，不急。打算几点出来？例如 17:00 或“半小时后”。")
    return Longer((yield Ask("until", text, check=_until(facts), numeric=True)))


def _answer(session: Session, person: Person, command: Out | Longer) -> Reply:
    if isinstance(command, Longer):
        until = _meant(session, person, command.until)
        try:
            lone_timing.longer(session, person.id, until)
        except LoneError as error:
            if error.reason == "gone":
                return _nothing_runs()
            raise Refused("until", _bad_time(error)) from None
        text = _("好的，改到 {time}。到时间我再问一声。").format(time=_time(person, until))
        return Reply(text, _answers(session, person))
    if lone_timing.out(session, person.id) is not None:
        said = _("好，平安就好。这次独自上门结束了。在签到的话，别忘了签退。")
        return Reply(said, (Option("m:check_out", _("签退")), Option("m:visit_report", _("探访记录"))))
    lone_timing.after_silent_call(session, person.id, _("（说已经出来了）"))
    return _nothing_runs()


def _nothing_runs() -> Reply:
    text = _("好的。现在没有在计时的独自上门。在签到的话，回复“签退”。")
    return Reply(text, (Option("m:check_out", _("签退")), Option("m:lone_visit", _("独自上门"))))


LONE_ANSWER = Dialogue("lone_answer", LoneFacts, _facts, _answer_talk, _answer, repeats=True, resumes=False)


# --- the partner ---


class PartnerFacts(BaseModel):
    """Which timer."""

    lone: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of it."""

    lone: str
    safe: bool


def _partner_facts(session: Session, person: Person) -> PartnerFacts:
    return PartnerFacts()


def _partner_choices() -> tuple[Choice, ...]:
    return Choice("safe", _("联系上了，没事")), Choice("lost", _("联系不上，告诉专员"))


def _partner_talk(facts: PartnerFacts) -> Talk:
    if not facts.lone:
        return None
    said = yield Ask("said", _("联系上了吗？"), _partner_choices())
    return Looked(facts.lone, said == "safe")


def _partner(session: Session, person: Person, command: Looked) -> Reply:
    if not lone_timing.partner_says(session, person.id, command.lone, safe=command.safe):
        return Reply(_("这次独自上门已经结束了，不用再找。谢谢你！"))
    if command.safe:
        return Reply(_("太好了，谢谢你！已经记下来了。"))
    text = _("谢谢你。已经马上告诉值班的人。有人身危险就先报警（{police}）。")
    return Reply(text.format(police=rules().safety.emergency_police))


LONE_PARTNER = Dialogue("lone_partner", PartnerFacts, _partner_facts, _partner_talk, _partner)


# --- what goes out ---


def _still(session: Session, params: dict[str, Any]) -> LoneVisit | None:
    return lone_timing.still(session, str(params["lone"]), str(params["until"]), str(params["step"]))


def _late(session: Session, row: LoneVisit) -> str:
    """How late it is by now; after a machine was down the question itself comes late."""
    minutes = int((now_of(session) - row.until).total_seconds() // 60)
    return _("现在过了 {minutes} 分钟。").format(minutes=minutes) if minutes >= 1 else ""


def _ask_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = _still(session, params)
    if row is None:
        return None
    text = _("说好 {time} 出来，一切都好吗？").format(time=_time(person, row.until)) + _late(session, row)
    return Reply(text, _answers(session, person))


def _partner_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = _still(session, params)
    if row is None:
        return None
    text = _("{who}独自上门，说好 {time} 前出来，到现在没有回答。请马上打电话或过去看看。").format(
        who=called(session, row.person_id), time=when(person, row.until)
    )
    facts = PartnerFacts(lone=row.id)
    labels = [(choice.value, choice.label) for choice in _partner_choices()]
    return Reply(text + _late(session, row), asked(session, person.id, LONE_PARTNER.name, "said", facts, labels))


def _told_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = _still(session, params)
    if row is None:
        return None
    said = {
        "partner": _("还没有你的消息，已经请搭档找你。出来了就说一声。"),
        "specialist": _("还没有你的消息，已经告诉负责的同事，他们会找你。出来了就说一声。"),
    }
    return Reply(said[str(params["step"])], _answers(session, person))


def _news_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    row = session.get(LoneVisit, str(params["lone"]))
    if row is None or row.partner_id is None:
        return None
    who = called(session, row.person_id)
    if params["news"] == "out":
        return Reply(_("{who}已经出来了，不用再找。谢谢你！").format(who=who))
    until = datetime.fromisoformat(str(params["until"]))
    return Reply(_("{who}有消息了：还要一会儿，{time} 前出来。").format(who=who, time=_time(person, until)))


NOTICES = {
    "notice.lone_ask": _ask_notice,
    "notice.lone_partner": _partner_notice,
    "notice.lone_told": _told_notice,
    "notice.lone_news": _news_notice,
}


# --- plain words ---

_IN = re.compile(
    r"^(?:我|人)?(?:已经|刚刚?)?(?:到了?|进门了?|进屋了?|进去了?|上门了?|在里面)(?:了|啦|喇)?[,，。.、 ]*"
    r"(?:大概|大约|打算|准备|争取|应该)?(?P<when>.{1,14}?)(?:之前|以前|前|左右|就|会|再)*(?:出来|出门|出嚟|走|离开)"
    r"(?:了|吧)?[。.!！]*$"
)
_IN_ENGLISH = re.compile(
    r"^i(?:['’]m| am) (?:in|inside|at the door)\b[,.; ]*(?:and )?(?:i(?:['’]ll| will) be )?(?:out|leaving|back) "
    r"(?:by |before |at |in )?(?P<when>.{1,20})$"
)
_OUT = re.compile(r"^(?:我)?(?:已经|刚)?(?:平安)?出来了?(?:了|啦|喇)?[。.!！]*$|^i(?:['’]m| am) out( now)?[.!]*$")
_MORE = re.compile(
    r"^(?:我)?(?:还要|还得|再)(?:等)?(?P<when>.{0,10}?)(?:一会儿?|一阵)?(?:才|再)?(?:出来|走)?[。.!！]*$"
)


def told_at_once(words: str) -> tuple[Dialogue, dict[str, Answer]] | None:
    """“我进门了，16:00 前出来”, “我出来了”, “还要一会儿”, “还要半小时”: the talk, and what is answered by that."""
    plain = simplified(" ".join(words.casefold().split()))
    found = _IN.match(plain) or _IN_ENGLISH.match(plain)
    if found is not None and ahead(found["when"], _NOON) is not None:
        return LONE_VISIT, {"until": {"t": found["when"]}}
    if _OUT.match(plain):
        return LONE_ANSWER, {"how": {"c": "out"}}
    more = _MORE.match(plain)
    if more is None:
        return None
    if not more["when"]:
        return (LONE_ANSWER, {"how": {"c": "more"}}) if "一会" in plain or "一阵" in plain else None
    if ahead(more["when"], _NOON) is None:
        return None
    return LONE_ANSWER, {"how": {"c": "more"}, "until": {"t": more["when"]}}


_NOON = datetime(2026, 1, 1, 12, tzinfo=ZoneInfo("Asia/Shanghai"))  # any day will do: only whether it is a time
