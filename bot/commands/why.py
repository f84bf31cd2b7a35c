"""`nuanyang why` and `nuanyang calls`: what became of a message in plain words, and whom only a call reaches."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from sqlmodel import Session

from bot.commands.shared import Problem, configured, opened, say
from config.texts import _
from models import audit
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER, REPLY
from models.person import Person
from models.story import Brief, Step, ToCall, of_message, of_person, to_call
from models.volunteer import by_number, phone_of, volunteer_of


def add(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(help=_("说清楚一条消息，或一个人最近的消息，经过了哪些步骤、为什么还没送到（不显示内容）。"))(why)
    app.command(help=_("列出现在只能打电话找到的人；加 --phones 才显示电话，并留痕。"))(calls)


def why(
    what: Annotated[str, typer.Argument(metavar="ID", help=_("消息编号，或志愿者编号"))],
    limit: Annotated[int, typer.Option(min=1, max=500, help=_("一个人最近的多少条"))] = 20,
) -> None:
    """A message's steps, or a person's newest messages."""
    zone = ZoneInfo(configured().timezone)
    with opened() as database, database.read() as session:
        steps = of_message(session, what.strip())
        if steps:
            for step in steps:
                say(_line(step, zone))
            return
        found = by_number(session, what.strip())
        person = found.person_id if found is not None else what.strip()
        if session.get(Person, person) is None:
            raise Problem(
                _("没有编号为 {id} 的消息或志愿者：消息编号见 nuanyang why 志愿者编号，或日志。").format(
                    id=what.strip()
                )
            )
        briefs = of_person(session, person, limit)
    for brief in briefs:
        say("\t".join([brief.id, _at(brief.at, zone), *_brief(brief)]))
    if not briefs:
        say(_("这个人还没有消息，或都已过了保存期。"))


def calls(phones: Annotated[bool, typer.Option("--phones", help=_("显示电话"))] = False) -> None:
    """Whom no door reaches now."""
    zone = ZoneInfo(configured().timezone)
    with opened() as database, database.write() as session:
        waiting = to_call(session)
        if waiting:
            heads = [_("志愿者"), _("所在地"), _("从什么时候"), _("几条"), _("最急的"), _("原因")]
            say("\t".join([*heads, _("电话")] if phones else heads))
        for each in waiting:
            say("\t".join(_to_call(session, each, zone, phones)))
    if not waiting:
        say(_("现在没有只能打电话找到的人。"))


def _to_call(session: Session, each: ToCall, zone: ZoneInfo, phones: bool) -> list[str]:
    registered = volunteer_of(session, each.person_id)
    number, county = (registered.number, registered.county or "-") if registered else ("-", "-")
    cells = [number, county, _at(each.since, zone), str(each.count), _lane(each.priority), _reason(each.why)]
    if not phones:
        return cells
    audit.note(session, "machine", "phone.read", each.person_id)
    return [*cells, phone_of(session, registered) if registered else "-"]


def _at(at: datetime | None, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}" if at is not None else "-"


def _lane(priority: int) -> str:
    return {EMERGENCY: _("紧急"), REPLY: _("答复"), REMINDER: _("提醒"), CAMPAIGN: _("活动通知")}[priority]


def _brief(brief: Brief) -> tuple[str, str, str]:
    if brief.way == "in":
        return _("收到"), brief.kind, _("已处理") if brief.state == "done" else _("处理失败，搁在一边")
    return _("发出"), brief.kind, _state(brief.state)


def _state(state: str) -> str:
    return {
        "waiting": _("等待发送"),
        "sending": _("正在发送"),
        "held": _("没有渠道，等对方下次说话"),
        "sent": _("平台已接收"),
        "uncertain": _("不确定是否送到"),
        "refused": _("平台拒绝"),
        "superseded": _("已不需要"),
        "expired": _("太旧，没有发"),
        "withdrawn": _("已撤下"),
    }[state]


def _line(step: Step, zone: ZoneInfo) -> str:
    make = {
        "received": _received,
        "aside": lambda facts, zone: _("处理失败 {failures} 次，搁在一边：修好后用 nuanyang inbox replay 重来").format(
            **facts
        ),
        "heard": lambda facts, zone: _("已处理"),
        "answered": _answered,
        "queued": _queued,
        "tried": _tried,
        "state": _now,
        "because": _because,
    }[step.what]
    return f"{_at(step.at, zone)}\t{make(step.facts, zone)}"


def _received(facts: dict[str, Any], zone: ZoneInfo) -> str:
    return _("从 {platform}（{account}）收到一条消息（{kind}）").format(**facts)


def _answered(facts: dict[str, Any], zone: ZoneInfo) -> str:
    return {
        "handed": _("回复已随应答交给平台"),
        "unsure": _("回复写好了，还不知道平台有没有拿到；半分钟后会改从发件箱补发"),
        "none": _("不需要应答里的回复"),
    }[facts["how"]]


def _queued(facts: dict[str, Any], zone: ZoneInfo) -> str:
    text = _("写进发件箱（{kind}，{lane}），应在 {due} 发出").format(
        kind=facts["kind"], lane=_lane(facts["priority"]), due=_at(facts["due"], zone)
    )
    if facts["expires"] is None:
        return text
    return text + _("，{expires} 之后不再发").format(expires=_at(facts["expires"], zone))


def _tried(facts: dict[str, Any], zone: ZoneInfo) -> str:
    through = _("{platform}（{account}）").format(**facts) if facts["platform"] else _("已关掉的渠道")
    outcome = _outcome(facts["outcome"])
    code = f" [{facts['code']}]" if facts["code"] else ""
    return _("经 {through} 发送：{outcome}").format(through=through, outcome=outcome) + code


def _outcome(name: str) -> str:
    """The named outcome of a call (platforms.md, “What sent means”)."""
    return {
        "sent": _("平台已接收"),
        "retry": _("没发出去，平台要求等一等"),
        "uncertain": _("没有得到回音，不确定是否送到"),
        "closed": _("这个渠道现在发不了（时间窗口过了，或次数用完）"),
        "left": _("对方已取消关注、停用或屏蔽"),
        "refused": _("平台拒绝了这条消息"),
        "stopped": _("公众号或机器人账号本身有问题，已停发"),
        "late": _("没有发：轮到它时发送权已经到期"),
        "": _("没有记下结果：正在发时进程断了，或还在发"),
    }.get(name, name)


def _now(facts: dict[str, Any], zone: ZoneInfo) -> str:
    text = _("现在：{state}").format(state=_state(facts["state"]))
    reason = _reason(facts["why"]) if facts["why"] else ""
    return _("{text}（{reason}）").format(text=text, reason=reason) if reason else text


def _reason(why: str) -> str:
    """The reason that a row keeps, in plain words: one of ours, or a call's outcome with the platform's code."""
    ours = {
        "no open door": _("没有开着的渠道"),
        "worker gone": _("发送的进程中断了"),
        "too old to send": _("太旧"),
        "no longer true": _("情况已变，不用再说"),
        "quiet hours or a pause": _("免打扰时段或暂停中"),
        "another sender's account": _("这个账号由另一个进程发送"),
        "chat paused": _("平台要求这个会话等一等"),
        "claim ran out before the call": _("轮到它时发送权已经到期"),
        "no words": _("这一版程序不会写这种消息：升级后会发"),
    }.get(why)
    if ours is not None:
        return ours
    outcome, _space, code = why.partition(" ")
    return _outcome(outcome) + (f" [{code}]" if code else "")


def _because(facts: dict[str, Any], zone: ZoneInfo) -> str:
    account = _("{platform}（{account}）").format(**facts) if "platform" in facts else ""
    text = {
        "not due": _("还没到时间：{until}"),
        "rests": _("对方在免打扰时段或暂停中，到 {until}"),
        "no door": _("对方没有任何渠道：没关注、没用机器人，或已离开"),
        "blocked": _("{through}：对方从 {since} 起收不到"),
        "account paused": _("{through}：整个账号暂停发送，还有 {seconds} 秒"),
        "paused": _("{through}：这个会话暂停发送，还有 {seconds} 秒"),
        "nobody sends": _("{through}：现在没有进程在发送；启动 nuanyang serve 或 nuanyang worker"),
        "tried again": _("{until} 之后再试"),
        "others first": _("前面还有 {count} 条更急的"),
    }[facts["code"]].format(
        through=account,
        until=_at(facts.get("until"), zone),
        since=_at(facts.get("since"), zone),
        seconds=round(facts.get("seconds", 0)),
        count=facts.get("count", 0),
    )
    return _("因为：{text}").format(text=text)
