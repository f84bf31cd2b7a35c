"""“我以前注册过”: somebody returns with a new account and is recognised by phone number, birth date, and a code to
the old account or the word of whoever is responsible. What is said never tells whether a number is registered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.texts import _, speaking
from handlers.checks import birth_date, mobile_number, written_number
from handlers.codes import bad_code, code_shape
from handlers.dialogue import Ask, Choice, Dialogue, Further, Refused, Talk
from handlers.duties import still
from handlers.here import here
from handlers.late import asked
from handlers.message import Link, Option, Reply, Written
from handlers.one_language import which_language
from models.account import BadCode, CannotJoin, Joined
from models.page import issue_page
from models.person import Person, address_form, local_now
from models.recognition import (
    OPEN_FOR,
    NotToDecide,
    Recognition,
    answer_code,
    came_to_nothing,
    confirm,
    left_unanswered,
    may_seek,
    refuse,
    registered_phone,
    seek,
    to_decide,
    was_sent_to,
)
from models.role import highest
from models.volunteer import called, volunteer_of

# So long the buttons of a request are understood after it has expired, to say just that.
LATE = timedelta(days=60)


class SearchFacts(BaseModel):
    """`sought` is what was looked for already ("phone date"), so that a corrected answer is looked for again."""

    today: str = "2000-01-01"
    registered: bool = False
    sought: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """`phone` is E.164; `code` is empty before the search, "again" for another one, "wait" to leave it at that."""

    facts: SearchFacts
    phone: str = ""
    born: date = date.min
    code: str = ""


def _search_facts(session: Session, person: Person) -> SearchFacts:
    today = local_now(session, person).date().isoformat()
    return SearchFacts(today=today, registered=volunteer_of(session, person.id) is not None)


def _search_talk(facts: SearchFacts) -> Talk:
    if facts.registered:
        return Search(facts)
    phone = yield Ask(
        "phone",
        _("我来找你以前的登记，需要手机号和生日两样。请写登记时用的手机号，例如 13800138000。"),
        check=mobile_number,
    )
    born = yield Ask("born", _("请写出生日期，例如 2005-08-13。"), check=birth_date(facts.today))
    if facts.sought != f"{phone} {born}":
        return Search(facts, phone, born)
    code = yield Ask(
        "code",
        _("收到验证码后，请直接发到这里。"),
        choices=(
            Choice("again", _("再找一次，重新发码")),
            Choice("phone", _("换一个手机号再找"), drops=("phone",)),
            Choice("wait", _("没有码，等核实")),
        ),
        check=code_shape,
    )
    return Search(facts, phone, born, code)


def _search(session: Session, person: Person, command: Search) -> Reply | Further:
    if command.facts.registered:
        return _already_registered()
    if command.code == "wait":
        return Reply(_("好的。如果登记对得上，核实的结果会在这里告诉你；也可以随时回复“联系专员”。"))
    if command.code in ("", "again"):
        return _seek(session, person, command)
    try:
        joined = answer_code(session, person, command.code)
    except BadCode as bad:
        raise bad_code("code", person, bad.verdict, renew=_("请选“再找一次，重新发码”。")) from None
    except CannotJoin:
        return _changed()
    return _joined(session, person, joined)


def _already_registered() -> Reply:
    text = _("这个账号已经登记过了。要和另一个账号合成一个，请用“绑定”。")
    return Reply(text, (Option("m:bind", _("绑定另一个账号")), Option("m:profile", _("我的资料"))))


def _changed() -> Reply:
    return Reply(_("这个账号刚刚有变化，没有接上。可以回复“联系专员”，请负责的人核对。"))


def _joined(session: Session, person: Person, joined: Joined) -> Reply:
    """The welcome, in the language of the old registration; `person` is who searched for it."""
    with speaking(joined.person.language):
        welcome = _welcome(session, joined.person)
    text = welcome.text
    if joined.person.language != person.language:
        text += "\n" + which_language(joined.person.language, person.language)
    return replace(welcome, text=text, language=joined.person.language)


def _welcome(session: Session, person: Person) -> Reply:
    name = called(session, person)
    hello = _("欢迎回来，{name}！").format(name=name) if name else _("欢迎回来！")
    said = hello + _("已经接上你以前的登记，资料都在。想做什么，回复“菜单”。")
    duties, options = still(session, person.id)
    lines = [said, duties] if duties else [said]
    if lost := left_unanswered(session, person.id):
        gone = _("你离开时，有 {count} 条留言还没有得到答复，已经随聊天内容删除；还想问，请回复“联系专员”再写一次。")
        lines.append(gone.format(count=lost))
    return Reply("\n".join(lines), options, menu=highest(session, person.id))


def _seek(session: Session, person: Person, command: Search) -> Reply | Further:
    limits = rules().doors
    if not may_seek(session, person):
        return Reply(
            _("找得太多次了，请过 {minutes} 分钟再试，或回复“联系专员”。").format(minutes=limits.code_pause_minutes)
        )
    # The same words whatever was found.
    said = _(
        "已经去找了。为了保护隐私，找没找到，这里说的话都一样：\n"
        "登记对得上、原来的账号还在用，那边会收到一个验证码，{minutes} 分钟内有效。\n"
        "原来的账号不在了，就请当地负责的同事核实，结果会在这里告诉你；当地还没有负责人，由系统的工作人员查看，"
        "请求保留 {days} 天。"
    ).format(minutes=limits.code_minutes, days=OPEN_FOR.days)
    if command.code == "again":
        raise Refused("code", said, then=lambda later: seek(later, person, command.phone, command.born))
    seek(session, person, command.phone, command.born)
    sought = f"{command.phone} {command.born}"
    return Further(command.facts.model_copy(update={"sought": sought}), said)


RECOGNITION = Dialogue("recognition", SearchFacts, _search_facts, _search_talk, _search)


def _code_talk(facts: SearchFacts) -> Talk:
    code = yield Ask("code", _("收到验证码后，请直接发到这里。"), check=code_shape)
    return Search(facts, code=code)


def _code(session: Session, person: Person, command: Search) -> Reply:
    """A code that came by itself, after the talk that asked for it had ended: good or not, this ends at once."""
    if was_sent_to(session, person, command.code):
        return Reply(_("这个验证码要在新账号里输入，发在这里没有用。不是你本人在找，不用理会，也不要把码告诉任何人。"))
    if command.facts.registered:
        return _already_registered()
    try:
        joined = answer_code(session, person, command.code)
    except BadCode as bad:
        refused = bad_code("code", person, bad.verdict, renew=_("想再找一次，回复“我以前注册过”。"))
        return Reply(refused.text, (Option("m:recognise", _("我以前注册过")),))
    except CannotJoin:
        return _changed()
    return _joined(session, person, joined)


RECOGNITION_CODE = Dialogue("recognition_code", SearchFacts, _search_facts, _code_talk, _code)


class CheckFacts(BaseModel):
    """Which request, and the number of the volunteer in question; `checked` = it could still be decided just now."""

    request: str = ""
    number: str = ""
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """What the specialist says: "yes", "no", "later" or "phone"; "open" = yes, which is to be made sure of."""

    facts: CheckFacts
    word: str


def _check_facts(session: Session, person: Person) -> CheckFacts:
    return CheckFacts()


def _check_talk(facts: CheckFacts) -> Talk:
    if not facts.request:
        return None
    word = yield Ask("word", _("志愿者 {number} 是本人吗？").format(number=facts.number), choices=_words())
    if word == "yes" and not facts.checked:
        return Word(facts, "open")
    if word == "yes":
        sure = yield Ask(
            "sure",
            _(
                "请确认：你打过登记的电话，或者当面见过本人。\n"
                "确认以后，来找的人就能看到和修改志愿者 {number} 的全部资料。"
            ).format(number=facts.number),
            choices=(Choice("yes", _("确认是本人")), Choice("no", _("还没有核实")), _see_phone()),
        )
        word = {"yes": "yes", "phone": "phone"}.get(sure, "later")
    return Word(facts, word)


def _words() -> tuple[Choice, ...]:
    return (
        Choice("yes", _("是本人"), words=("是",)),
        Choice("no", _("不是")),
        Choice("later", _("再核实")),
        _see_phone(),
    )


def _see_phone() -> Choice:
    return Choice("phone", _("看登记的电话"), words=(_("电话"),))


def _check(session: Session, person: Person, command: Word) -> Reply | Further:
    request = command.facts.request
    try:
        if command.word == "yes":
            confirm(session, request, person.id)
            return Reply(_("记下了，已经接上登记，正在告诉对方。"))
        if command.word == "no":
            refuse(session, request, person.id)
            return Reply(_("记下了，没有接上，正在告诉对方。"))
        row = to_decide(session, request, person.id)
    except NotToDecide as cannot:
        return Reply(_undecided(cannot))
    except CannotJoin:
        return Reply(_("两个账号的登记对不上，没有接上。请和对方联系后用“登记资料”核对。"))
    if command.word == "open":
        return Further(command.facts.model_copy(update={"checked": True}))
    if command.word == "phone":
        return _phone(session, person, command.facts)
    text = _("好的。请求保留到 {day}，核实后选下面的一项。").format(day=_day(person, row.at + OPEN_FOR))
    return Reply(text, _buttons(session, person, command.facts))


def _phone(session: Session, person: Person, facts: CheckFacts) -> Reply:
    """Where the registered number is read: on a page of its own, on every platform."""
    place, buttons = here(session), _buttons(session, person, facts)
    if not place.public_url:
        said = _("这里现在打不开网页，看不了电话。请值班的人用 nuanyang recognitions --phones 查看，或者当面核实。")
        return Reply(said, buttons)
    token = issue_page(session, person.id, "data", {"recognition": facts.request}, door_id=place.door_id)
    said = _(
        "登记的电话在网页上看，{minutes} 分钟内有效，只给你自己看，不要转发；看过会留下记录。打过以后，再选下面的一项。"
    ).format(minutes=rules().doors.page_minutes)
    return Reply(said, buttons, (Link(place.page(token), _("打开看电话")),))


def phone_page(session: Session, reader: str, request: str, *, reading: bool) -> Written | None:
    """The registered number of a request, for whoever may decide it now; None for anybody else, and once it is decided.
    `reading` = it is shown now, which leaves a line in the audit trail."""
    try:
        row = to_decide(session, request, reader)
    except NotToDecide:
        return None
    registered = volunteer_of(session, row.found or "")
    if registered is None:
        return None
    phone = registered_phone(session, row, reader) if reading else ""
    title = _("志愿者 {number}").format(number=registered.number)
    return Written(title, _("登记的电话：{phone}").format(phone=written_number(phone) if phone else _("没有")))


def _undecided(cannot: NotToDecide) -> str:
    return {
        "decided": _("这条请求已经有人处理了，不用再做什么。"),
        "expired": _(
            "这条请求已过期（{days} 天里没有人核实），没有接上。对方可以再找一次，那时会再请负责的同事核实。"
        ).format(days=OPEN_FOR.days),
        "gone": _("这条请求已经不在了（有人删除了自己的资料），不用再做什么。"),
        "not_yours": _("这位志愿者现在不归你负责，没有改动。"),
    }[cannot.reason]


def _day(person: Person, at: datetime) -> str:
    return at.astimezone(ZoneInfo(person.zone)).date().isoformat()


def _buttons(session: Session, person: Person, facts: CheckFacts) -> tuple[Option, ...]:
    pairs = [(choice.value, choice.label) for choice in _words()]
    facts = facts.model_copy(update={"checked": False})
    return asked(session, person.id, RECOGNITION_CHECK.name, "word", facts, pairs, lasts=OPEN_FOR + LATE)


# What the notice asks for takes a while, and its buttons stand there until the request is decided.
RECOGNITION_CHECK = Dialogue("recognition_check", CheckFacts, _check_facts, _check_talk, _check, repeats=True)


def _code_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    text = _(
        "有人在一个新账号里说是你，想接上你的登记。\n"
        "是你本人，请在新账号里输入验证码：{code}（{minutes} 分钟内有效）。\n"
        "不是你，不用理会，也不要把码告诉任何人。"
    )
    return Reply(text.format(code=str(params["code"]), minutes=rules().doors.code_minutes))


def _check_notice(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    try:
        row = to_decide(session, str(params["request"]), person.id)
    except NotToDecide:
        return None
    registered = volunteer_of(session, row.found or "")
    found = session.get(Person, row.found) if row.found else None
    if registered is None or found is None:
        return None
    form = address_form(session, found)
    who = _("志愿者 {number}（{called}）").format(number=registered.number, called=form) if form else None
    text = _(
        "请核实：一个新账号是不是这位志愿者本人。\n"
        "说自己是：{who}\n"
        "提出日期：{since}\n"
        "手机号和生日对得上，原来的账号没法核实。\n"
        "先打登记的电话（选“看登记的电话”），或者当面见本人，再选。\n"
        "选“是本人”：新账号接上这份登记。\n"
        "选“不是”：不接，并告诉对方。\n"
        "请在 {until} 前选，过期就作废。"
    ).format(
        who=who or _("志愿者 {number}").format(number=registered.number),
        since=_day(person, row.at),
        until=_day(person, row.at + OPEN_FOR),
    )
    return Reply(text, _buttons(session, person, CheckFacts(request=row.id, number=registered.number)))


def _recognised(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    return _welcome(session, person)


def _refused(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    text = _("负责的同事没能核实这个登记，所以没有接上。可以重新报名，或者回复“联系专员”说明情况。")
    return Reply(text, (Option("m:register", _("报名注册")), Option("m:contact", _("联系专员"))))


def _expired(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    """The same words whatever was found; what to do next depends on whether the person has registered meanwhile."""
    row = session.get(Recognition, str(params["request"]))
    if row is None or row.asker != person.id or not came_to_nothing(session, row):
        return None
    text = _("你在 {day} 找过以前的登记。请求保留 {days} 天，现在到期了，没有接上。").format(
        day=_day(person, row.at), days=OPEN_FOR.days
    )
    ask = Option("m:contact", _("联系专员"))
    if volunteer_of(session, person.id) is not None:
        return Reply(text + "\n" + _("还想接上，请回复“联系专员”说明情况。"), (ask,))
    return Reply(
        text + "\n" + _("可以再找一次，也可以重新报名；有疑问就回复“联系专员”。"),
        (Option("m:recognise", _("我以前注册过")), Option("m:register", _("报名注册")), ask),
    )


NOTICES = {
    "notice.recognition_expired": _expired,
    "notice.recognition_code": _code_notice,
    "notice.recognition_check": _check_notice,
    "notice.recognised": _recognised,
    "notice.recognition_refused": _refused,
}
