"""Cries for help in the chat of duty people, beyond the notice itself.

收到，我来处理 typed at any time, 求助 for the list, and what a bare 收到 means while nobody has taken one.
"""

from __future__ import annotations

from sqlmodel import Session

from config.texts import _
from handlers.contact_words import age
from handlers.message import Option, Reply
from handlers.on_duty import holder_line, kind, phone_button, take_button, take_now
from handlers.somebody import who
from models.alert import Alert, holder, open_for, untaken_for
from models.person import Person
from models.role import grants

LISTED = 5  # cries of one answer; a platform shows so many buttons at ease

_TAKES = frozenset(
    (
        "收到我来处理",
        "收到我来处理吧",
        "我来处理",
        "我来处理吧",
        "我来处理这条",
        "收到由我处理",
        "由我处理",
        "收到我來處理",
        "我來處理",
        "我處理",
        "收到我處理",
        "收到我嚟處理",
        "我嚟處理",
        "iwillhandleit",
        "illhandleit",
        "receivediwillhandleit",
        "gotitiwillhandleit",
        "gotitillhandleit",
    )
)
_TAKES_WHERE_NOTHING_IS_ASKED = frozenset(("收到我来", "收到我來", "我来", "我來", "我嚟", "我来吧"))
_LISTS = frozenset(("求助", "求助清单", "求助清單", "看求助", "criesforhelp", "callsforhelp"))


def heard(session: Session, person: Person, words: str, *, talking: bool) -> Reply | None:
    """What duty people typed about cries for help; None where it is nothing of that kind, or nothing of theirs.
    `talking` = a question waits: then the shortest forms may well be its answer."""
    bare = "".join(c for c in words.casefold() if c.isalnum())
    if bare in _LISTS:
        return _list(session, person)
    if bare in _TAKES or (bare in _TAKES_WHERE_NOTHING_IS_ASKED and not talking):
        return _taken(session, person, talking=talking)
    return None


def not_taken_yet(session: Session, person: Person) -> Reply | None:
    """After a bare 收到, which takes nothing over: nobody has it yet, and how to take it. None where none waits."""
    waiting = untaken_for(session, person.id)
    if not waiting:
        return None
    said = _("还没有人接下这条求助，只回“收到”不算接手。要接下，请回复“收到，我来处理”。")
    many = _("还有 {count} 条求助没有人接手，只回“收到”不算接手。要接下，请回复“收到，我来处理”。")
    text = said if len(waiting) == 1 else many.format(count=len(waiting))
    return Reply(text, _takes(session, person, waiting))


def _taken(session: Session, person: Person, *, talking: bool) -> Reply | None:
    """The one that they were told of and nobody has; which one, where there are several."""
    waiting = untaken_for(session, person.id)
    if len(waiting) == 1:
        return take_now(session, person, waiting[0])
    if waiting:
        text = _("有 {count} 条求助还没有人接手，你接哪一条？").format(count=len(waiting))
        return Reply(_in_lines(session, person, text, waiting), _takes(session, person, waiting), numbered=True)
    found = [] if talking else open_for(session, person.id)  # in a talk it may be an answer to a volunteer
    if len(found) == 1 and holder(session, found[0]) is not None:
        return take_now(session, person, found[0])
    return _list(session, person) if found else None


def _list(session: Session, person: Person) -> Reply | None:
    found = open_for(session, person.id)
    if not found:
        return Reply(_("现在没有还没结束的求助。")) if _has_role(session, person) else None
    text = _("还没结束的求助有 {count} 条，最早的在前面。").format(count=len(found))
    shown = _first(session, found)
    free = [each for each in shown if holder(session, each) is None]
    mine = [each for each in shown if holder(session, each) == person.id]
    options = (*_takes(session, person, free), *_phones(session, person, mine))
    return Reply(_in_lines(session, person, text, found), options)


def _has_role(session: Session, person: Person) -> bool:
    return any(held.scope_kind == "region" for held in grants(session, person.id))


def _first(session: Session, alerts: list[Alert]) -> list[Alert]:
    """As many as one answer holds: what nobody has comes before all else, each part the oldest first."""
    return sorted(alerts, key=lambda each: holder(session, each) is not None)[:LISTED]


def _in_lines(session: Session, person: Person, text: str, alerts: list[Alert]) -> str:
    shown = _first(session, alerts)
    lines = [text, *(_line(session, person, each) for each in shown)]
    if len(shown) < len(alerts):
        lines.append(_("还有 {count} 条，请值班的人用 nuanyang alerts 查看。").format(count=len(alerts) - len(shown)))
    return "\n".join(lines)


def _line(session: Session, person: Person, alert: Alert) -> str:
    has_it = holder(session, alert)
    if has_it is None:
        state = _("还没有人接手。")
    else:
        state = _("这条求助由你处理。") if has_it == person.id else holder_line(session, has_it)
    line = _("{who}，{kind}，{age}：{state}")
    return line.format(who=who(session, alert.person_id), kind=kind(alert), age=age(session, alert), state=state)


def _takes(session: Session, person: Person, alerts: list[Alert]) -> tuple[Option, ...]:
    """A button for each; one alone has the words of the notice."""
    shown = _first(session, alerts)
    if len(alerts) == 1:
        return take_button(session, person, alerts[0], _("收到，我来处理"))
    return tuple(
        option
        for each in shown
        for option in take_button(session, person, each, _("接下：{which}").format(which=_which(session, each)))
    )


def _phones(session: Session, person: Person, alerts: list[Alert]) -> tuple[Option, ...]:
    if len(alerts) == 1:
        return phone_button(session, person, alerts[0], _("看登记的电话"))
    return tuple(
        option
        for each in alerts
        for option in phone_button(session, person, each, _("看电话：{which}").format(which=_which(session, each)))
    )


def _which(session: Session, alert: Alert) -> str:
    return _("{who}，{age}").format(who=who(session, alert.person_id), age=age(session, alert))
