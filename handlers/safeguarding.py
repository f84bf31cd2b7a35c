"""Danger words, 紧急求助 and 我很担心TA: answered at once, kept, and whoever is responsible is told.

At most one question is asked here; what duty people read and answer stands in handlers/on_duty.py, their times come
later (programme.md §12).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.emergency import UNSEEN, is_danger
from handlers.free_text import free_words
from handlers.late import asked
from handlers.message import Reply
from handlers.numbers import numbers_to_call
from models.alert import SILENT, Alert, CannotAdd, add_words, hear_more, raise_alert, recent_alert
from models.lone_timing import after_silent_call, call_silently
from models.person import Person

MAX_WORDS = 2_000


def emergency(session: Session, person: Person, words: str) -> Reply:
    """A danger word was written: the numbers at once; the words are kept for whoever is responsible.

    Somebody who has just cried for help goes on telling: what is written then joins that record.
    """
    return told_more(session, person, words) or _answered(session, person, "words", _kept(words))


def told_more(session: Session, person: Person, words: str) -> Reply | None:
    """Somebody who cried for help within the last half hour goes on telling: it joins that record; None where there
    is no such record. Where it is full, words of danger open a new one, and whoever is responsible is told again; so
    do any words where it is closed at this moment."""
    alert = recent_alert(session, person.id)
    if alert is None:
        return None
    if alert.source == SILENT and not is_danger(words):
        after_silent_call(session, person.id, _kept(words))
        return None  # nothing of it stands on the screen
    if alert.source == SILENT:
        return _answered(session, person, "words", _kept(words))  # said openly now: it is answered openly
    try:
        add_words(session, alert, _kept(words))
    except CannotAdd as cannot:
        if cannot.reason == "gone":
            return _answered(session, person, alert.source, _kept(words))
        if is_danger(words):
            return _answered(session, person, "words", _kept(words))
        return Reply(f"{numbers_to_call(session, person)}\n\n{_full()}")
    return Reply(f"{numbers_to_call(session, person)}\n\n{_added(session, alert, words)}")


def _added(session: Session, alert: Alert, words: str) -> str:
    """A new cry for help hears as much as the first one did: whether anybody is told of it."""
    said = _("这句已经加到刚才那条求助里。")
    if not is_danger(words):
        return said
    if hear_more(session, alert):
        return said + "\n" + _("正在再次通知负责的同事；在有人回复之前，请不要只等消息。")
    return said + "\n" + _("现在没有值班的同事能马上看到，请一定先打上面的电话。")


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


def silent(session: Session, person: Person) -> Reply:
    """The help word of a lone visit: everybody who answers for them is told, and the screen speaks of milk."""
    call_silently(session, person.id)
    return Reply(_("订好了，明天早上送到。"))


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
    return Reply(f"{numbers_to_call(session, person)}\n\n{kept}", options)


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
        return Reply(_("这条求助已经找不到了。") + "\n" + numbers_to_call(session, person))
    latitude, comma, longitude = command.words.removeprefix("geo:").partition(",")
    is_place = command.words.startswith("geo:") and comma
    words = _place(latitude, longitude) if is_place else command.words
    try:
        add_words(session, alert, words)
    except CannotAdd as cannot:
        if cannot.reason == "gone":
            # Nobody reads a closed record: the words join the one that is open now, or open a new one.
            return told_more(session, person, words) or _answered(session, person, alert.source, _kept(words))
        if is_danger(words):
            return emergency(session, person, words)
        return Reply(_full() + "\n" + numbers_to_call(session, person))
    return Reply(_("记下了，已经加到这条求助里。") + "\n" + numbers_to_call(session, person))


TELL_MORE = Dialogue("tell_more", MoreFacts, _prepare, _talk, _perform)
