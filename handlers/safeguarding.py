"""Danger words, 紧急求助 and 我很担心TA: answered at once, kept, and whoever is responsible is told.

At most one question is asked here; duty people with their times come later (programme.md §12).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.catalogue import rules
from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.emergency import UNSEEN, emergency_text, is_danger
from handlers.free_text import free_words
from handlers.here import here
from handlers.late import asked
from handlers.message import Link, Reply, Written
from models import audit
from models.alert import Alert, add_words, added_since, raise_alert, recent_alert, words_of
from models.contact import may_deal
from models.page import issue_page
from models.person import Person, address_form
from models.volunteer import volunteer_of

MAX_WORDS = 2_000
MAX_TOLD = 450  # of a record in one notice; WeChat takes 2,048 bytes


def emergency(session: Session, person: Person, words: str) -> Reply:
    """A danger word was written: the numbers at once; the words are kept for whoever is responsible.

    Somebody who has just cried for help goes on telling: what is written then joins that record.
    """
    return told_more(session, person, words) or _answered(session, person, "words", _kept(words))


def told_more(session: Session, person: Person, words: str) -> Reply | None:
    """Somebody who cried for help within the last half hour goes on telling: it joins that record; None where there
    is no such record. Where it is full, words of danger open a new one, and whoever is responsible is told again."""
    alert = recent_alert(session, person.id)
    if alert is None:
        return None
    if add_words(session, alert, _kept(words)):
        return Reply(emergency_text() + "\n\n" + _("这句已经加到刚才那条求助里。"))
    if is_danger(words):
        return _answered(session, person, "words", _kept(words))
    return Reply(f"{emergency_text()}\n\n{_full()}")


def told_place(session: Session, person: Person, latitude: float, longitude: float) -> Reply | None:
    """Somebody who cried for help within the last half hour shares where they are, in degrees of WGS-84."""
    return told_more(session, person, _place(f"{latitude:.6f}", f"{longitude:.6f}"))


def _place(latitude: str, longitude: str) -> str:
    return _("位置（WGS-84）：纬度 {latitude}，经度 {longitude}").format(latitude=latitude, longitude=longitude)


def _full() -> str:
    """A record has its limit; nothing is left out without a word."""
    return _("这条求助已经记得很满，这句没有加进去；前面写的都在。请直接打上面的电话说。")


def _kept(words: str) -> str:
    return "".join(c for c in words[:MAX_WORDS] if c.isspace() or unicodedata.category(c) not in UNSEEN)


def sos(session: Session, person: Person) -> Reply:
    """紧急求助."""
    return _answered(session, person, "sos", "")


_NOTHING_SAID = re.compile(
    r"(我很?[担擔]心|i(['’]m| am) (very )?worried( about)?)\s*(ta|[他她它佢]|某人|him|her|them|someone)?[\s。.!！…~]*",
    re.IGNORECASE,
)


def worried(session: Session, person: Person, typed: str = "") -> Reply:
    """我很担心TA, pressed or typed; what was typed is kept when it says more than the entry's own words."""
    said = _kept(unicodedata.normalize("NFKC", typed)).strip()
    bare = not said or said.casefold() == _("我很担心TA").casefold() or _NOTHING_SAID.fullmatch(said)
    return _answered(session, person, "worried", "" if bare else _kept(typed))


def _answered(session: Session, person: Person, source: str, words: str) -> Reply:
    alert, told = raise_alert(session, person.id, source, words)
    if told:
        kept = _("这条求助已经记下，正在通知负责的同事；在有人回复之前，请不要只等消息。")
    else:
        kept = _("这条求助已经记下，但现在没有值班的同事能马上看到，请一定先打上面的电话。")
    options = asked(
        session, person.id, TELL_MORE.name, "go", MoreFacts(alert=alert.id), [("write", _("写下发生了什么"))]
    )
    return Reply(f"{emergency_text()}\n\n{kept}", options)


class MoreFacts(BaseModel):
    """Which record the words belong to."""

    alert: str = ""


@dataclass(frozen=True, slots=True)
class More:
    """What the person wrote."""

    alert: str
    words: str


def _prepare(session: Session, person: Person) -> MoreFacts:
    return MoreFacts()


def _talk(facts: MoreFacts) -> Talk:
    go = yield Ask(
        "go", _("要写下发生了什么吗？"), choices=(Choice("write", _("写下发生了什么")), Choice("no", _("不用")))
    )
    if go == "no" or not facts.alert:
        return None
    words = yield Ask(
        "words",
        _("请写下发生了什么：谁、在哪里、现在安全吗？知道多少写多少，也可以发送位置，只有负责的同事能看到。"),
        check=free_words(MAX_WORDS),
        sensitive=True,
        keeps_typed=True,
        location=True,
    )
    return More(facts.alert, words)


def _perform(session: Session, person: Person, command: More) -> Reply:
    alert = session.get(Alert, command.alert)
    if alert is None or alert.person_id != person.id:
        return Reply(_("这条求助已经找不到了。") + "\n" + emergency_text())
    latitude, comma, longitude = command.words.removeprefix("geo:").partition(",")
    is_place = command.words.startswith("geo:") and comma
    if not add_words(session, alert, _place(latitude, longitude) if is_place else command.words):
        if is_danger(command.words):
            return emergency(session, person, command.words)
        return Reply(_full() + "\n" + emergency_text())
    return Reply(_("记下了，已经加到这条求助里。") + "\n" + emergency_text())


TELL_MORE = Dialogue("tell_more", MoreFacts, _prepare, _talk, _perform)


def _alert_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """For whoever is responsible. What was written, and who and where it is, never pass through Telegram.

    `added` in the parameters = it tells what was written after that many characters of the additions.
    """
    alert = session.get(Alert, str(params["alert"]))
    if alert is None or alert.state != "open" or not may_deal(session, alert.person_id, person.id):
        return None
    in_chat, added = here(session).sensitive_in_chat, params.get("added")
    if added is None:
        lines = [_("有一条求助，请马上处理。")]
    else:
        lines = [_("之前那条求助有补充（不是新的求助）。")]
    lines += [_("类型：{kind}").format(kind=_kind(alert)), *_who(session, alert.person_id, in_full=in_chat)]
    links: tuple[Link, ...] = ()
    if not in_chat:
        said, links = _elsewhere(session, person, alert)
        lines.append(said)
    elif added is None:
        words = _fitting(words_of(session, alert))
        lines.append(_("写的话：{words}").format(words=words) if words else _("没有写话。"))
    else:
        lines.append(_("补充：{words}").format(words=_fitting(added_since(session, alert, int(added)))))
    lines.append(_("有人身危险就先报警（{police}）。").format(police=rules().safety.emergency_police))
    return Reply("\n".join(lines), links=links)


def _elsewhere(session: Session, person: Person, alert: Alert) -> tuple[str, tuple[Link, ...]]:
    """Where the words are read by somebody who is told on Telegram: on a page of their own, else in WeChat."""
    place, hours = here(session), rules().doors.message_page_hours
    if not place.public_url:
        return _("内容不在这里显示，请到微信里看，或请值班的人用 nuanyang alerts 查看。"), ()
    token = issue_page(
        session, person.id, "data", {"alert": alert.id}, door_id=place.door_id, lasts=timedelta(hours=hours)
    )
    said = _("内容不在这里显示，请点链接在网页上看（{hours} 小时内有效，只给你自己看，不要转发）。").format(hours=hours)
    return said, (Link(place.page(token), _("看写了什么")),)


def written(session: Session, reader: str, alert_id: str, *, reading: bool) -> Written | None:
    """What a page with one cry for help shows to whoever deals with it; None where it is closed or no longer theirs.
    `reading` = it is shown now, which leaves a line in the audit trail."""
    alert = session.get(Alert, alert_id)
    if alert is None or alert.state != "open" or not may_deal(session, alert.person_id, reader):
        return None
    if reading:
        audit.note(session, reader, "alert.read", alert.id)
    words = words_of(session, alert)
    lines = [
        _("类型：{kind}").format(kind=_kind(alert)),
        *_who(session, alert.person_id, in_full=True),
        _("写的话：{words}").format(words=words) if words else _("没有写话。"),
        _("有人身危险就先报警（{police}）。").format(police=rules().safety.emergency_police),
    ]
    return Written(_("求助"), "\n".join(lines))


def _kind(alert: Alert) -> str:
    return {"words": _("写了危险的话"), "sos": _("按了紧急求助"), "worried": _("我很担心TA")}[alert.source]


def _who(session: Session, person_id: str, *, in_full: bool) -> list[str]:
    """Who cried for help: the volunteer number; `in_full` also form of address and county. Never name or phone."""
    registered = volunteer_of(session, person_id)
    number = _("志愿者 {number}").format(number=registered.number) if registered else _("还没有注册的人")
    asker = session.get(Person, person_id) if in_full else None
    form = address_form(session, asker) if asker else None
    lines = [
        _("求助人：{who}").format(who=_("{what}（{number}）").format(what=form, number=number) if form else number)
    ]
    county = regions.get(registered.county or "") if registered and in_full else None
    return [*lines, _("所在地：{place}").format(place=county.full_name)] if county else lines


def _fitting(words: str) -> str:
    """How it began and what came last: a platform would cut off the newest words without a sign."""
    return words if len(words) <= MAX_TOLD else f"{words[: MAX_TOLD // 3]}\n……\n{words[-MAX_TOLD * 2 // 3 :]}"


NOTICES = {"notice.alert": _alert_notice}
