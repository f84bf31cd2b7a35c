"""我的 and 我的资料: what is known of a volunteer, filling in more of it, and correcting any of it.

Filling in asks one item a talk and stores it at once, so that 取消 or a forgotten phone loses nothing that was said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from config.texts import _
from handlers.dialogue import Ask, Choice, Dialogue, Refused, Talk
from handlers.here import here
from handlers.invitation import invitation
from handlers.items import ITEMS, todo
from handlers.message import Option, Reply
from models import audit
from models.person import Person, doors, local_now
from models.role import grants
from models.team import memberships
from models.volunteer import ACTIVE, ENDED, PAUSED, WAITING, Volunteer, VolunteerError, called, volunteer_of


class Facts(BaseModel):
    """`todo` are items to fill in, the next one first; `known` those with a value. `today` is the person's own date."""

    registered: bool = False
    today: str = "2026-01-01"
    todo: list[str] = []
    known: list[str] = []


@dataclass(frozen=True)
class Told:
    """A value for one item; None = passed over, or taken away when `away`."""

    item: str
    value: Any
    away: bool = False


@dataclass(frozen=True)
class Nothing:
    """Not registered, or nothing left to fill in."""


def prepare(session: Session, person: Person) -> Facts:
    """What is known and what is not."""
    volunteer = volunteer_of(session, person.id)
    if volunteer is None:
        return Facts()
    open_items = todo(session, volunteer)
    return Facts(
        registered=True,
        today=local_now(session, person).date().isoformat(),
        todo=open_items,
        known=[key for key in ITEMS if key not in open_items],
    )


def talk_more(facts: Facts) -> Talk:
    """The next item that has no value yet."""
    if not facts.todo:
        return Nothing()
    item = facts.todo[0]
    return Told(item, (yield from ITEMS[item].ask(facts.today, True)))


def talk_change(facts: Facts) -> Talk:
    """Choose an item, then say what is right; further items can also be taken away."""
    if not facts.registered:
        return Nothing()
    items = tuple(Choice(key, _(item.label)) for key, item in ITEMS.items())
    key = yield Ask("item", _("要改哪一项？"), items)
    if key in facts.known and not ITEMS[key].basic:
        text = _("“{item}”要怎么改？").format(item=_(ITEMS[key].label))
        how = yield Ask("how", text, (Choice("again", _("重新填写")), Choice("away", _("清除这一项"))))
        if how == "away":
            return Told(key, None, away=True)
    value = yield from ITEMS[key].ask(facts.today, False)
    # 不说 and 到区县就行 take away what was known.
    return Told(key, value, away=value is None and key in facts.known)


def perform(session: Session, person: Person, command: Told | Nothing) -> Reply:
    """Store one item, and offer the next step."""
    volunteer = volunteer_of(session, person.id)
    if volunteer is None:
        return _not_registered()
    if isinstance(command, Nothing):
        return Reply(_("资料都填好了，谢谢你。"), _mine())
    if command.value in (None, ()) and not command.away:
        volunteer.skipped = [*(key for key in volunteer.skipped if key != command.item), command.item]
        session.add(volunteer)
        return _next(session, volunteer, _("好的，这一项先不填。"))
    before = volunteer.status
    _store(session, person, volunteer, command)
    audit.note(session, person.id, "volunteer.changed", volunteer.id, item=command.item)
    if volunteer.status != before and volunteer.status == WAITING:
        said = _said(session, volunteer, command.item)
        return Reply(f"{said}\n{invitation(session, person, volunteer)}", _mine())
    return _next(session, volunteer, _said(session, volunteer, command.item))


def overview(session: Session, person: Person) -> Reply:
    """我的资料: what is known, in short lines, and what may be done about it."""
    volunteer = volunteer_of(session, person.id)
    if volunteer is None:
        return _not_registered()
    state = {
        ACTIVE: _("正式志愿者"),
        WAITING: _("等监护人同意"),
        PAUSED: _("监护人撤回了同意，已暂停"),
        ENDED: _("登记授权已撤回，已停"),
    }[volunteer.status]
    lines = [_("编号：{number}（{state}）").format(number=volunteer.number, state=state)]
    missing = []
    for item in ITEMS.values():
        value = item.read(session, volunteer)
        if value is None:
            missing.append(_(item.label))
        else:
            lines.append(_("{item}：{value}").format(item=_(item.label), value=value))
    if volunteer.trained_on:
        lines.append(_("培训日期：{day}").format(day=volunteer.trained_on.isoformat()))
    if volunteer.cleared_until:
        lines.append(_("无犯罪记录查询有效期至：{day}").format(day=volunteer.cleared_until.isoformat()))
    options = [Option("m:change_profile", _("改一项资料"))]
    if missing:
        lines.append(_("还没填：{items}").format(items=_("、").join(missing)))
        options.append(Option("m:more_profile", _("填写更多资料")))
    if volunteer.status == ENDED:
        options.append(Option("m:consents", _("查看和撤回授权")))
    elif volunteer.status != ACTIVE:
        options.append(Option("m:register", _("请监护人同意")))
    return Reply("\n".join(lines), (*options, Option("m:my", _("我的"))))


def my(session: Session, person: Person) -> Reply:
    """我的: everything that a person can set."""
    name = called(session, person)
    text = _("{called}，你好。要看或改什么？").format(called=name) if name else _("要看或改什么？")
    options = (
        Option("m:profile", _("我的资料")),
        Option("m:address_form", _("称呼")),
        Option("m:language", _("语言 Language")),
        Option("m:quiet_hours", _("免打扰时段")),
        Option("m:pause", _("暂停到某天")),
        *([Option("m:preferred_door", _("优先渠道"))] if len(doors(session, person.id)) > 1 else []),
        *([Option("m:allow_notice", _("开通提醒"))] if here(session).asks[1] else []),
        Option("m:bind", _("绑定另一个账号")),
        *([Option("m:teams", _("团队"))] if _has_teams(session, person) else []),
        Option("m:privacy", _("隐私授权")),
    )
    return Reply(text, options)


def _has_teams(session: Session, person: Person) -> bool:
    """Whether somebody belongs to a team, or looks after some."""
    return bool(memberships(session, person.id)) or any(
        held.scope_kind != "system" for held in grants(session, person.id)
    )


def _store(session: Session, person: Person, volunteer: Volunteer, command: Told) -> None:
    try:
        ITEMS[command.item].store(session, person, volunteer, command.value)
    except VolunteerError as error:
        if error.reason == "minor":
            text = _("这样改就不用监护人同意了，要请专员核对证件后才能改。请回复“联系专员”，或写别的日期。")
            raise Refused("birth_date", text) from None
        if error.reason == "county":
            raise Refused("county", _("行政区划有变动，请再选一次所在地。")) from None
        raise Refused("birth_date", _("这个出生日期用不了，请检查一下。")) from None
    volunteer.skipped = [key for key in volunteer.skipped if key != command.item]
    session.add(volunteer)


def _said(session: Session, volunteer: Volunteer, key: str) -> str:
    value = ITEMS[key].read(session, volunteer)
    label = _(ITEMS[key].label)
    if value is None:
        return _("“{item}”已经清除。").format(item=label)
    return _("记下了。{item}：{value}").format(item=label, value=value)


def _next(session: Session, volunteer: Volunteer, said: str) -> Reply:
    empty = todo(session, volunteer)
    unasked = [key for key in empty if key not in volunteer.skipped]
    if not empty:
        return Reply(said, _mine())
    if not unasked:
        text = _("都问过了。跳过的 {count} 项想填时，点“填写更多资料”。").format(count=len(empty))
        return Reply(f"{said}\n{text}", (Option("m:more_profile", _("填写更多资料")), *_mine()))
    text = _("还有 {count} 项可以填，想停随时停。").format(count=len(unasked))
    stop = Option("m:enough", _("先到这里"))
    return Reply(f"{said}\n{text}", (Option("m:more_profile", _("填下一项")), stop, *_mine()))


def _mine() -> tuple[Option, ...]:
    return (Option("m:change_profile", _("改一项资料")), Option("m:profile", _("我的资料")))


def _not_registered() -> Reply:
    return Reply(
        _("你还没有报名，所以没有资料。报名大约两分钟。"),
        (Option("m:register", _("报名注册")), Option("m:recognise", _("我以前注册过"))),
    )


PROFILE = Dialogue(name="profile", facts=Facts, prepare=prepare, talk=talk_more, perform=perform)
CHANGE = Dialogue(name="change_profile", facts=Facts, prepare=prepare, talk=talk_change, perform=perform)
