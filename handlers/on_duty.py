"""What whoever is responsible reads of a cry for help, and what they answer to it: 收到，我来处理.

What was written, and who and where it is, never pass through Telegram.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config import regions
from config.catalogue import rules
from config.texts import _
from handlers.checks import written_number
from handlers.dialogue import Ask, Choice, Dialogue, Talk
from handlers.emergency import is_danger
from handlers.here import here
from handlers.late import asked
from handlers.message import Link, Option, Reply, Written
from handlers.served_facts import when
from handlers.served_words import by_name
from handlers.somebody import who
from models import audit
from models.alert import (
    Alert,
    CannotTake,
    added_since,
    deals_with,
    has_phone,
    hear_more,
    holder,
    is_repeated,
    phone_to_call,
    take,
    takers,
    words_of,
)
from models.contact import county_of
from models.lone_timing import of_alert
from models.page import issue_page
from models.pairing import Stint
from models.person import Person, address_form
from models.served import served_of

MAX_TOLD = 450  # of a record in one notice; WeChat takes 2,048 bytes


class TakeFacts(BaseModel):
    """Which cry for help."""

    alert: str = ""


@dataclass(frozen=True, slots=True)
class Take:
    """It is theirs from now on."""

    alert: str


def _prepare(session: Session, person: Person) -> TakeFacts:
    return TakeFacts()


def _talk(facts: TakeFacts) -> Talk:
    if not facts.alert:
        return None
    yield Ask("take", _("这条求助由你处理吗？"), choices=(_taking(),))
    return Take(facts.alert)


def _taking() -> Choice:
    # A bare 收到 takes nothing over (programme §13).
    return Choice("take", _("收到，我来处理"), words=("我来处理", "我来", "我處理", "我嚟處理", "i will handle it"))


def _perform(session: Session, person: Person, command: Take) -> Reply:
    try:
        alert = take(session, command.alert, person.id)
    except CannotTake as cannot:
        if cannot.reason == "taken":
            return Reply(_("你已经接下这条求助。") if cannot.by == person.id else holder_line(session, cannot.by))
        if cannot.reason == "away":
            said = _("你正在值班请假，这条求助已经交给别的同事，没有改动。要自己接手，先回复“值班请假”结束请假。")
            return Reply(said, (Option("m:duty_leave", _("值班请假")),))
        if cannot.reason == "not_yours":
            return Reply(_("这位求助人现在不归你负责，没有改动。"))
        return Reply(_("这条求助已经结束了，不用再处理。"))
    others = any(each != person.id for each in hear_more(session, alert))
    lines = [
        _("记下了，这条求助由你处理，正在告诉收到通知的其他同事。") if others else _("记下了，这条求助由你处理。"),
        *_who(session, alert.person_id, in_full=here(session).sensitive_in_chat),
        *([] if has_phone(session, alert) else [_("对方没有登记电话，我们没有号码可以打。")]),
        _("对方再写什么，还会告诉你。"),
        _police(),
        _("处理完，请值班的人用 nuanyang alerts --close 写明结果，求助才算结束。"),
    ]
    return Reply("\n".join(lines), phone_button(session, person, alert, _("看登记的电话")))


# Whoever had it may have gone since the button was pressed: it may be pressed again.
TAKE_ALERT = Dialogue("alert_take", TakeFacts, _prepare, _talk, _perform, repeats=True)


class PhoneFacts(BaseModel):
    """Of which cry for help."""

    alert: str = ""


@dataclass(frozen=True, slots=True)
class SeePhone:
    """They want to call."""

    alert: str


def _phone_facts(session: Session, person: Person) -> PhoneFacts:
    return PhoneFacts()


def _phone_talk(facts: PhoneFacts) -> Talk:
    if not facts.alert:
        return None
    yield Ask("see", _("要看登记的电话吗？"), choices=(Choice("see", _("看登记的电话"), words=(_("电话"),)),))
    return SeePhone(facts.alert)


def _see_phone(session: Session, person: Person, command: SeePhone) -> Reply:
    """Where the number is read: on a page of its own, on every platform."""
    alert, place = session.get(Alert, command.alert), here(session)
    if alert is None or not _is_theirs(session, alert, person.id):
        return Reply(_("这条求助现在不由你处理（或者已经结束），看不了电话。"))
    if not place.public_url:
        return Reply(_("这里现在打不开网页，看不了电话。请值班的人用 nuanyang alerts --phones 查看。"))
    token = issue_page(session, person.id, "data", {"alert_phone": alert.id}, door_id=place.door_id)
    said = _("登记的电话在网页上看，{minutes} 分钟内有效，只给你自己看，不要转发；看过会留下记录。")
    link = Link(place.page(token), _("打开看电话"))
    return Reply(said.format(minutes=rules().doors.page_minutes), links=(link,))


# A page lasts only so long: the number may be asked for again.
ALERT_PHONE = Dialogue("alert_phone", PhoneFacts, _phone_facts, _phone_talk, _see_phone, repeats=True)


def phone_button(session: Session, person: Person, alert: Alert, label: str) -> tuple[Option, ...]:
    """The way to the number for whoever has this cry for help; nothing where there is no number."""
    if not has_phone(session, alert):
        return ()
    return asked(session, person.id, ALERT_PHONE.name, "see", PhoneFacts(alert=alert.id), [("see", label)])


def take_button(session: Session, person: Person, alert: Alert, label: str) -> tuple[Option, ...]:
    """The button that takes it."""
    return asked(session, person.id, TAKE_ALERT.name, "take", TakeFacts(alert=alert.id), [("take", label)])


def _is_theirs(session: Session, alert: Alert, person_id: str) -> bool:
    return alert.state == "open" and deals_with(session, alert, person_id) and holder(session, alert) == person_id


def phone_page(session: Session, reader: str, alert_id: str, *, reading: bool) -> Written | None:
    """The number of whoever cried for help, for whoever has it now and is responsible; None for anybody else, and once
    it is closed. `reading` = it is shown now, which leaves a line in the audit trail."""
    alert = session.get(Alert, alert_id)
    if alert is None or not _is_theirs(session, alert, reader) or not has_phone(session, alert):
        return None
    phone = phone_to_call(session, alert, reader) if reading else ""
    shown = _("登记的电话：{phone}").format(phone=written_number(phone)) if phone else ""
    return Written(who(session, alert.person_id), shown, _("只用来处理这条求助，请不要转发。"))


def take_now(session: Session, person: Person, alert: Alert) -> Reply:
    """What the button says and does, for somebody who typed it."""
    return _perform(session, person, Take(alert.id))


def holder_line(session: Session, person_id: str) -> str:
    """Who has it, by form of address only."""
    colleague = session.get(Person, person_id)
    form = address_form(session, colleague) if colleague else None
    return _("{who}已经接下这条求助，正在处理。").format(who=form or _("一位同事"))


def _alert_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """For whoever is responsible. `added` in the parameters = it tells what was written after that many characters of
    the additions."""
    alert = _for(session, person, params)
    if alert is None:
        return None
    in_chat = here(session).sensitive_in_chat
    new = None if params.get("added") is None else added_since(session, alert, int(params["added"]))
    standing, options = _standing(session, alert, person)
    lines = [_heading(session, alert, new), *standing, _kind(alert), *_who(session, alert.person_id, in_full=in_chat)]
    lines += _alone(session, person, alert)
    links: tuple[Link, ...] = ()
    if not in_chat:
        said, links = _elsewhere(session, person, alert)
        lines.append(said)
    elif new is None:
        lines.append(_said(_fitting(words_of(session, alert))))
    elif _is_cry(new):
        lines.append(_("又写的话：{words}").format(words=_fitting(new)))
    else:
        lines.append(_("补充：{words}").format(words=_fitting(new)))
    return Reply("\n".join([*lines, _police()]), options, links)


def _for(session: Session, person: Person, params: dict[str, Any]) -> Alert | None:
    """The record of a notice, if it is open and this person's to hear of."""
    alert = session.get(Alert, str(params["alert"]))
    if alert is None or alert.state != "open" or not deals_with(session, alert, person.id):
        return None
    return alert


def _heading(session: Session, alert: Alert, new: str | None) -> str:
    """What it is: a cry for help, one more by the same person, or words that only add to the one before."""
    if new is not None and not _is_cry(new):
        return _("之前那条求助有补充（不是新的求助）。")
    if new is not None or (alert.source != "worried" and is_repeated(session, alert)):
        return _("再次求助：同一个人又在求助，请马上处理。")
    return _("有一条求助，请马上处理。")


def _is_cry(new: str) -> bool:
    """Whether one of the messages that were added calls for help by itself."""
    return is_danger(new) or any(is_danger(line) for line in new.splitlines())


def _standing(session: Session, alert: Alert, person: Person) -> tuple[list[str], tuple[Option, ...]]:
    """Who has it, and the button for as long as nobody has."""
    has_it = holder(session, alert)
    if has_it is None:
        gone = [_("接下这条求助的同事不能处理了，现在没有人处理，请马上接手。")] if takers(session, [alert.id]) else []
        return gone, take_button(session, person, alert, _taking().label)
    if has_it == person.id:
        return [_("这条求助由你处理。")], phone_button(session, person, alert, _("看登记的电话"))
    return [holder_line(session, has_it)], ()


def _taken_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """For the others who heard of it: who has it."""
    alert = _for(session, person, params)
    has_it = holder(session, alert) if alert else None
    if alert is None or has_it is None or has_it == person.id:
        return None
    in_chat = here(session).sensitive_in_chat
    lines = [holder_line(session, has_it), _kind(alert), *_who(session, alert.person_id, in_full=in_chat)]
    return Reply("\n".join([*lines, _("对方再写什么，还会告诉你。")]))


def _seen_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """For whoever cried for help: no word of what it was, since others may look at the same phone."""
    alert = session.get(Alert, str(params["alert"]))
    if alert is None or alert.state != "open":
        return None
    return Reply(_("有人已经看到，会尽快联系你。"))


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
    if alert is None or alert.state != "open" or not deals_with(session, alert, reader):
        return None
    if reading:
        audit.note(session, reader, "alert.read", alert.id)
    has_it = holder(session, alert)
    lines = [
        _kind(alert),
        *_who(session, alert.person_id, in_full=True),
        *_alone(session, session.get_one(Person, reader), alert),
        _said(words_of(session, alert)),
        *([holder_line(session, has_it)] if has_it and has_it != reader else []),
        _police(),
    ]
    free = _("请不要转发。要接手，请回到聊天里，回复“收到，我来处理”。")
    return Written(_("求助"), "\n".join(lines), _("请不要转发。") if has_it else free)


def kind(alert: Alert) -> str:
    """How it began, for people who read it."""
    return {
        "words": _("写了危险的话"),
        "sos": _("按了紧急求助"),
        "worried": _("我很担心TA"),
        "silent": _("发了独自上门的暗语：身边可能有人看着手机，请不要在消息里回问，直接想办法找到人"),
        "lone": _("独自上门，到了说好的时间没有出来，也没有回答"),
    }[alert.source]


def _kind(alert: Alert) -> str:
    return _("类型：{kind}").format(kind=kind(alert))


def _said(words: str) -> str:
    return _("写的话：{words}").format(words=words) if words else _("没有写话。")


def _police() -> str:
    return _("有人身危险就先报警（{police}）。").format(police=rules().safety.emergency_police)


def _who(session: Session, person_id: str, *, in_full: bool) -> list[str]:
    """Who cried for help: the volunteer number; `in_full` also form of address and county. Never name or phone."""
    number = who(session, person_id)
    asker = session.get(Person, person_id) if in_full else None
    form = address_form(session, asker) if asker else None
    lines = [
        _("求助人：{who}").format(who=_("{what}（{number}）").format(what=form, number=number) if form else number)
    ]
    county = county_of(session, person_id) if in_full else None
    return [*lines, _("所在地：{place}").format(place=regions.place_name(county))] if county else lines


def _alone(session: Session, person: Person, alert: Alert) -> list[str]:
    """Of a lone visit: until when it was to last, and where it is, by what this platform may carry."""
    row = of_alert(session, alert.id)
    if row is None:
        return []
    lines = [_("独自上门：说好 {time} 前出来。").format(time=when(person, row.until))]
    stint = session.get(Stint, row.stint_id) if row.stint_id is not None else None
    if stint is not None:
        lines.append(_("去的是：{who}").format(who=by_name(session, person, served_of(session, stint))))
    return lines


def _fitting(words: str) -> str:
    """How it began and what came last: a platform would cut off the newest words without a sign."""
    return words if len(words) <= MAX_TOLD else f"{words[: MAX_TOLD // 3]}\n……\n{words[-MAX_TOLD * 2 // 3 :]}"


NOTICES = {"notice.alert": _alert_notice, "notice.alert_taken": _taken_notice, "notice.alert_seen": _seen_notice}
