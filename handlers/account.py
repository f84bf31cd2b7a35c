"""Binding another account to the same person, and unbinding it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session

from config.catalogue import rules
from config.texts import _, speaking
from handlers.codes import bad_code, code_shape
from handlers.dialogue import Ask, Choice, Dialogue, Further, Refused, Talk
from handlers.here import here
from handlers.message import Reply
from handlers.one_language import which_language
from models.account import (
    BadCode,
    CannotJoin,
    Joined,
    are_two_registrations,
    behind_code,
    bind,
    bind_code,
    has_role,
    leaving_with,
    part,
    same_human,
)
from models.ids import new_id
from models.outbox import enqueue
from models.person import Door, Person, address_form, doors
from models.recognition import DISPUTED_FOR
from models.role import highest


def account_name(platform: str) -> str:
    """How people call an account of a platform."""
    return {"wechat": _("微信账号"), "telegram": _("Telegram 账号")}.get(platform, platform)


class BindFacts(BaseModel):
    """What is known of the code once it was looked at: whose it is, by platform and form of address only."""

    code: str = ""
    platform: str = ""
    called: str = ""
    has_role: bool = False


@dataclass(frozen=True, slots=True)
class Bind:
    """`code` empty = a new one is wanted; `key` is the question that it answered; `sure` = its owner was shown."""

    code: str = ""
    key: str = "code"
    sure: bool = False


def _bind_facts(session: Session, person: Person) -> BindFacts:
    return BindFacts()


def _bind_talk(facts: BindFacts) -> Talk:
    key = "code"
    code = yield Ask(
        "code",
        _(
            "绑定后两个账号算同一个人，资料和时长在一起。只绑你自己的账号：别人发来的码不要输，自己的码不要给人。\n"
            "请选一项；已经有码，直接发给我。"
        ),
        choices=(
            Choice("get", _("在这里拿一个绑定码"), words=(_("拿码"),)),
            Choice("type", _("我有一个码，来输入"), words=(_("输入"),)),
        ),
        check=code_shape,
    )
    if code == "get":
        return Bind()
    if code == "type":
        key = "typed"
        code = yield Ask("typed", _("请输入另一个账号里拿到的 8 位绑定码。"), check=code_shape)
    if facts.code != code:
        return Bind(code, key)
    sure = yield Ask(
        "sure",
        _bind_question(facts),
        choices=(Choice("yes", _("是我的，绑定"), words=(_("绑定"), _("确定"), _("是"))), Choice("no", _("不绑定"))),
    )
    return Bind(code, key, sure=True) if sure == "yes" else None


def _bind_question(facts: BindFacts) -> str:
    called = _("称呼“{called}”").format(called=facts.called) if facts.called else _("没有设称呼")
    lines = [
        _("这个码来自：{account}（{called}）。").format(account=account_name(facts.platform), called=called),
        _("绑定以后，两个账号都能看到和修改同一份资料。随时可以解除。"),
    ]
    if facts.has_role:
        lines.append(_("注意：其中有账号担任项目专员或管理员，绑定以后两个账号都有这个权限。"))
    lines.append(_("那个账号是你自己的吗？"))
    return "\n".join(lines)


def _bind(session: Session, person: Person, command: Bind) -> Reply | Further:
    if not command.code:
        return _new_code(session, person)
    try:
        other = behind_code(session, command.code, person)
        if are_two_registrations(session, person.id, other.id) and not same_human(session, person.id, other.id):
            raise CannotJoin("two_registrations")
        if not command.sure:
            return Further(
                BindFacts(
                    code=command.code,
                    platform=next((door.platform for door in doors(session, other.id)), ""),
                    called=address_form(session, other) or "",
                    has_role=has_role(session, person.id) or has_role(session, other.id),
                )
            )
        joined = bind(session, command.code, person)
    except BadCode as bad:
        raise bad_code(command.key, person, bad.verdict, renew=_("请在另一个账号里重新拿一个。")) from None
    except CannotJoin as cannot:
        return _cannot_bind(cannot.reason)
    this, gone = here(session), other if joined.person.id == person.id else person
    for door in doors(session, joined.person.id):
        if door.id != this.door_id:
            before = gone.language if door.id in {moved.id for moved in joined.moved} else joined.person.language
            _tell(session, joined.person.id, door, "notice.bound", this.platform, before=before)
    menu = highest(session, joined.person.id)
    return Reply(_bound_here(person.language, joined), menu=menu, language=joined.person.language)


def _bound_here(before: str, joined: Joined) -> str:
    """The confirmation, in the language that now applies."""
    language = joined.person.language
    with speaking(language):
        text = _("绑好了，两个账号现在是同一个人。想分开，回复“解除绑定”。")
        if joined.merged_registrations:
            text += "\n" + _("两边都有登记，已经合成一份；解除绑定时会各自恢复。")
    return text + "\n" + which_language(language, before)


def _new_code(session: Session, person: Person) -> Reply:
    code = bind_code(session, person, here(session).door_id)
    return Reply(
        _(
            "绑定码：{code}\n"
            "{minutes} 分钟内有效，只能用一次。请打开你的另一个账号，在那边发送：\n"
            "绑定 {code}\n"
            "这个码只给你自己用，不要转给别人。"
        ).format(code=code, minutes=rules().doors.code_minutes)
    )


def _cannot_bind(reason: str) -> Reply:
    if reason == "two_registrations":
        return Reply(
            _(
                "两个账号都登记过，但手机号或出生日期不一样，所以没有绑定。如果都是你本人，可以回复“联系专员”，请负责的人核对。"
            )
        )
    return Reply(_("那个账号刚刚有变化，没有绑定。请重新拿一个码再试。"))


def _tell(session: Session, person_id: str, door: Door, kind: str, platform: str, **more: str) -> None:
    key = f"{kind}:{door.id}:{new_id()}"
    enqueue(session, person_id, kind, {"platform": platform, **more}, unique_key=key, door_id=door.id)


BIND = Dialogue("bind", BindFacts, _bind_facts, _bind_talk, _bind)


class KnownDoor(BaseModel):
    """A door as the person may choose it. `together` counts all that would part with it."""

    id: str
    platform: str
    since: str
    is_here: bool
    together: int


class UnbindFacts(BaseModel):
    """The person's open doors."""

    doors: tuple[KnownDoor, ...] = ()


@dataclass(frozen=True, slots=True)
class Unbind:
    """Empty = there is nothing to unbind."""

    door: str = ""


def _unbind_facts(session: Session, person: Person) -> UnbindFacts:
    zone = ZoneInfo(person.zone)
    return UnbindFacts(
        doors=tuple(
            KnownDoor(
                id=door.id,
                platform=door.platform,
                since=door.opened_at.astimezone(zone).date().isoformat(),
                is_here=door.id == here(session).door_id,
                together=len(leaving_with(session, person, door.id)[1]),
            )
            for door in doors(session, person.id)
        )
    )


def _unbind_talk(facts: UnbindFacts) -> Talk:
    if len(facts.doors) < 2:
        return Unbind()
    chosen = yield Ask(
        "door",
        _("要把哪个账号分出去？资料、结对和时长留在其余的账号里。"),
        choices=(*(Choice(door.id, _door_label(door)) for door in facts.doors), Choice("none", _("都不分"))),
    )
    if chosen == "none":
        return None
    door = next(door for door in facts.doors if door.id == chosen)
    lines = [
        _("要分出去的是：{account}。它会像新来的一样；绑定以前自己登记过的，会恢复。").format(
            account=account_name(door.platform)
        )
    ]
    if door.together > 1:
        lines.append(_("当初和它一起绑进来的账号也会一起分出去，共 {count} 个。").format(count=door.together))
    lines.append(_("确定分出去吗？"))
    sure = yield Ask(
        "sure",
        "\n".join(lines),
        choices=(Choice("yes", _("确定分出去"), words=(_("确定"),)), Choice("no", _("不分了"))),
    )
    return Unbind(chosen) if sure == "yes" else None


def _door_label(door: KnownDoor) -> str:
    label = _("{account}（{day} 起）").format(account=account_name(door.platform), day=door.since)
    return label + _("，就是这里") if door.is_here else label


def _unbind(session: Session, person: Person, command: Unbind) -> Reply:
    only = _("你只有这一个账号，没有可以解除的。想停止使用，可以取消关注；想删掉资料，回复“删除我的数据”。")
    if not command.door:
        return Reply(only)
    try:
        parted = part(session, person, command.door)
    except CannotJoin as cannot:
        if cannot.reason == "last":
            return Reply(_("这样分就一个账号也不剩了，所以没有改动。想删掉资料，回复“删除我的数据”。"))
        raise Refused("door", _("这个账号刚刚已经不在了，请重新选。")) from None
    this = here(session)
    for door in parted.moved:
        if door.id != this.door_id:
            _tell(session, parted.person.id, door, "notice.unbound", door.platform)
    for door in doors(session, person.id):
        if door.id != this.door_id:
            _tell(session, person.id, door, "notice.unbound_other", parted.moved[0].platform)
    leaves = any(door.id == this.door_id for door in parted.moved)
    now = parted.person if leaves else person
    with speaking(now.language):
        text = _("已经分开。")
        if leaves and parted.merged_registrations:
            text += _("这个账号恢复了绑定前的登记。")
        elif leaves:
            text += _("这个账号现在是单独的身份。")
        text += _("想再绑在一起，回复“绑定”。")
    return Reply(text, menu=highest(session, now.id), language=now.language)


UNBIND = Dialogue("unbind", UnbindFacts, _unbind_facts, _unbind_talk, _unbind)


def _bound(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    text = _(
        "刚刚有一个账号和你绑在一起了：{account}。两边现在是同一个人。不是你本人做的，请马上回复“解除绑定”。"
    ).format(account=account_name(str(params["platform"])))
    before = str(params.get("before", person.language))  # not there in what an earlier version left in the outbox
    return Reply(text + "\n" + which_language(person.language, before), menu=highest(session, person.id))


def _unbound(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    text = _(
        "这个账号刚刚从绑定里分出来了，现在是单独的身份。不是你本人做的，请在 {hours} 小时内回复“我以前注册过”："
        "除了给原来的账号发码，还会请当地负责的同事核实。"
    )
    said = text.format(hours=round(DISPUTED_FOR.total_seconds() / 3600))
    return Reply(said, menu=highest(session, person.id))


def _unbound_other(session: Session, person: Person, params: dict[str, Any]) -> Reply | None:
    return Reply(
        _("刚刚有一个账号从你的绑定里分出去了：{account}。资料留在这边。不是你本人做的，请回复“联系专员”。").format(
            account=account_name(str(params["platform"]))
        ),
        menu=highest(session, person.id),
    )


NOTICES = {
    "notice.bound": _bound,
    "notice.unbound": _unbound,
    "notice.unbound_other": _unbound_other,
}
