"""培训与证书: a specialist sees what is good until when; an organiser notes it for a specialist, having seen the paper.

Nobody notes their own. The talk of an organiser has two halves: the number is looked up, then it is asked what and how.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.checks import volunteer_number
from handlers.days import day_until, months_on, past_day, with_weekday
from handlers.dialogue import Ask, Choice, Dialogue, Further, Invalid, Refused, Talk
from handlers.message import Option, Reply
from handlers.somebody import called, who
from models import qualifying, role
from models.duty_days import home_day
from models.person import Person
from models.qualification import CERTIFICATE, FIRST_TRAINING, INSURANCE, TRAINING, Qualification
from models.qualifying import LONGEST, MOST_NUMBER, OLDEST, TOLD_ORGANISER, Noted, QualifyingError
from models.volunteer import by_number, volunteer_of

MOST_LISTED = 10  # of a message to an organiser
LISTED_DAYS = 30  # before something lapses it stands in the organiser's talk


class Facts(BaseModel):
    """`own` = lines of what the person has or owes as a specialist, `is_own` = they are one; `notes` = they note for
    others. `person`, `called` and `stands` belong to whom `number` was found to be."""

    notes: bool = False
    is_own: bool = False
    own: tuple[str, ...] = ()
    lapsing: tuple[str, ...] = ()
    number: str = ""
    person: str = ""
    called: str = ""
    stands: tuple[str, ...] = ()
    today: str = "2026-01-01"


@dataclass(frozen=True, slots=True)
class Find:
    """Look a number up; empty = show one's own."""

    facts: Facts
    number: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Keep it."""

    person: str
    called: str
    noted: Noted


def prepare(session: Session, person: Person) -> Facts:
    """What they have, and whether they note for others."""
    held = role.grants(session, person.id)
    notes = any((each.role, each.scope_kind) == ("organiser", "region") for each in held)
    today = home_day(session)
    soon = qualifying.lapsing(session, person.id, LISTED_DAYS)[:MOST_LISTED] if notes else []
    return Facts(
        notes=notes,
        is_own=any(each.role == "specialist" for each in held),
        own=tuple(line(row, today) for row in qualifying.of(session, person.id)),
        lapsing=tuple(f"{who(session, row.person_id)}，{line(row, today)}" for row in soon),
        today=today.isoformat(),
    )


def kind_words(kind: str) -> str:
    """What it is."""
    return {
        FIRST_TRAINING: _("上岗培训"),
        TRAINING: _("系统培训"),
        CERTIFICATE: _("资格证"),
        INSURANCE: _("保险"),
    }.get(kind, kind)


def line(row: Qualification, today: date) -> str:
    """One of them, with what is to be done about it."""
    what = kind_words(row.kind)
    if row.until is None:
        return _("{what}：长期有效").format(what=what)
    day = with_weekday(row.until)
    if row.kind == FIRST_TRAINING:
        text = _("{what}：还没有参加，已经过了期限：{day}") if row.until < today else _("{what}：要在{day}以前参加")
    elif row.kind == TRAINING:
        text = _("{what}：有效期到{day}，已经过了") if row.until < today else _("{what}：下一次要在{day}以前")
    else:
        text = _("{what}：{day}已经过期") if row.until < today else _("{what}：有效期至 {day}")
    return text.format(what=what, day=day)


def talk(facts: Facts) -> Talk:
    """One's own is shown; whoever notes for others is asked for whom, what and until when."""
    if not facts.notes:
        return Find(facts)
    lines = [
        *facts.own,
        *([_("{days} 天内到期或已经过期的：").format(days=LISTED_DAYS)] if facts.lapsing else []),
        *facts.lapsing,
    ]
    ask = _("要给哪位专员登记？请写志愿者编号（10 位数字）。")
    number = yield Ask("number", "\n".join([*lines, ask]), check=volunteer_number, again=ask)
    if number != facts.number:
        return Find(facts, number)
    kind = yield Ask("kind", _head(facts), _kinds())
    if kind == "no":
        return None
    today = date.fromisoformat(facts.today)
    if kind == TRAINING:
        text = _("哪一天培训的？例如“昨天”或 {example}。").format(example=today - timedelta(days=10))
        since = yield Ask("trained", text, check=past_day(today, OLDEST))
        return Note(facts.person, facts.called, Noted(TRAINING, since))
    text = _("证书编号是什么？照原件写。") if kind == CERTIFICATE else _("保单编号是什么？没有就回复“跳过”。")
    paper = yield Ask("paper", text, check=_paper(), skippable=kind == INSURANCE)
    text = _("有效期到哪一天？例如“一年后”或 {example}。").format(example=months_on(today, 12))
    until = yield Ask("until", text, check=day_until(today, LONGEST))
    return Note(facts.person, facts.called, Noted(kind, None, until, paper or ""))


def _paper() -> Callable[[str], str]:
    def check(words: str) -> str:
        plain = "".join(words.split())
        if not 2 <= len(plain) <= MOST_NUMBER:
            raise Invalid(_("请写 2 到 {most} 个字符的编号。").format(most=MOST_NUMBER))
        return plain

    return check


def _head(facts: Facts) -> str:
    stands = facts.stands or (_("还没有登记"),)
    return "\n".join([_("{called}。").format(called=facts.called), *stands, _("要登记哪一项？请先看过原件。")])


def _kinds() -> tuple[Choice, ...]:
    return (
        Choice(TRAINING, _("培训")),
        Choice(CERTIFICATE, _("资格证"), words=(_("证书"),)),
        Choice(INSURANCE, _("保险")),
        Choice("no", _("不是这位")),
    )


def perform(session: Session, person: Person, command: Find | Note) -> Reply | Further:
    """Show one's own, find somebody, or keep it; everything is checked again."""
    if isinstance(command, Note):
        return _note(session, person, command)
    if not command.number:
        return _own(command.facts)
    volunteer = by_number(session, command.number)
    if volunteer is not None and volunteer.person_id == person.id:
        raise Refused("number", _("自己的培训和证书要由别的管理员登记。"))
    if volunteer is None or not qualifying.may_note(session, person.id, volunteer.person_id):
        raise Refused("number", _("在你负责的地区里没有这个编号，请核对一下。"))
    if not qualifying.is_specialist(session, volunteer.person_id):
        raise Refused("number", _("这位现在不是专员。志愿者的培训和证明，请回复“登记培训和证明”。"))
    today = home_day(session)
    found = {
        "number": volunteer.number,
        "person": volunteer.person_id,
        "called": called(session, volunteer.person_id),
        "stands": tuple(line(row, today) for row in qualifying.of(session, volunteer.person_id)),
    }
    return Further(command.facts.model_copy(update=found))


def _own(facts: Facts) -> Reply:
    if not facts.is_own:
        text = _("“培训与证书”是专员和管理员用的。自己的培训日期在“我的资料”里。")
        return Reply(text, (Option("m:profile", _("我的资料")),))
    lines = facts.own or (_("还没有登记你的培训和证书。"),)
    return Reply(
        "\n".join([*lines, _("登记和更正请找管理员：回复“联系专员”。")]), (Option("m:contact", _("联系专员")),)
    )


def _note(session: Session, person: Person, command: Note) -> Reply:
    again = (Option("m:qualifications", _("培训与证书")),)
    try:
        row = qualifying.note(session, person.id, command.person, command.noted)
    except QualifyingError as error:
        if error.reason in ("scope", "role"):
            return Reply(refused(error), again)
        key = "paper" if error.reason == "number" else "trained" if command.noted.kind == TRAINING else "until"
        raise Refused(key, refused(error)) from None
    said = _("记下了。{called}，{line}。正在告诉对方。写错了，再登记一次就行。")
    return Reply(said.format(called=command.called, line=line(row, home_day(session))), again)


def refused(error: QualifyingError) -> str:
    """Why it was not taken, and what to do."""
    return {
        "scope": _("这位不归你负责，或者就是你自己，没有登记。"),
        "role": _("这位现在不是专员，没有登记。"),
        "day": _("日期不对：培训不能在今天以后或早于 {old} 年前，有效期不能已过或超过 {long} 年。").format(
            old=OLDEST, long=LONGEST
        ),
        "number": _("资格证要写编号，最多 {most} 个字符。").format(most=MOST_NUMBER),
        "kind": _("只能登记培训、资格证或保险：training、certificate、insurance。"),
    }[error.reason]


QUALIFICATIONS = Dialogue("qualifications", Facts, prepare, talk, perform)


# --- notices ---


def _notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To the specialist: something was noted, or lapses. None once it is not so any more."""
    row = session.get(Qualification, str(params["qualification"]))
    if row is None or row.person_id != person.id or row.ended_at is not None:
        return None
    own = (Option("m:qualifications", _("培训与证书")),)
    today = home_day(session)
    if params["what"] == "noted":
        return Reply(_("管理员登记了：{line}。不对的话，请回复“联系专员”。").format(line=line(row, today)), own)
    if row.until is None or not qualifying.is_specialist(session, person.id):
        return None
    left = (row.until - today).days
    days = _("还有 {count} 天。").format(count=left) if left > 0 else _("就是今天。") if left == 0 else ""
    return Reply("\n".join([line(row, today) + _("。") + days, mend(row.kind)]), own)


def mend(kind: str) -> str:
    """What to do about what lapses, and what happens otherwise."""
    how = {
        FIRST_TRAINING: _("请向管理员报名培训；参加以后由管理员登记。"),
        TRAINING: _("每年要参加一次系统培训，请向管理员报名；参加以后由管理员登记。"),
        CERTIFICATE: _("请换新证，拿给管理员登记。"),
        INSURANCE: _("请续保，把保单拿给管理员登记。"),
    }[kind]
    return how + _("过期以后，不能再定新的未成年人结对和单独上门的结对；现有的照旧。")


def _gathered(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To an organiser, once a day: who of theirs has something that lapses."""
    rows = qualifying.lapsing(session, person.id, TOLD_ORGANISER)
    if not rows:
        return None
    today = home_day(session)
    lines = [
        _("专员的培训和证书，{days} 天内到期或已经过期的有 {count} 项：").format(days=TOLD_ORGANISER, count=len(rows))
    ]
    lines += [f"{who(session, row.person_id)}，{line(row, today)}" for row in rows[:MOST_LISTED]]
    if len(rows) > MOST_LISTED:
        lines.append(_("只列出前 {count} 项。").format(count=MOST_LISTED))
    return Reply("\n".join(lines), (Option("m:qualifications", _("培训与证书")),))


def _dates_due(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """To a volunteer: the clearance lapses soon. None once another day stands there."""
    row, day = volunteer_of(session, person.id), date.fromisoformat(str(params["day"]))
    if row is None or row.id != params["volunteer"] or row.cleared_until != day or day < home_day(session):
        return None
    text = _("你的无犯罪记录查询有效期至 {day}。过期以后不能再和未成年人新结对；请办好新的，拿给专员登记。")
    return Reply(text.format(day=with_weekday(day)), (Option("m:contact", _("联系专员")),))


NOTICES = {
    "notice.qualification": _notice,
    "notice.qualifications": _gathered,
    "notice.dates_due": _dates_due,
}
