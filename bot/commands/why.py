"""`nuanyang why` and `nuanyang calls`: what became of a message in plain words, and whom only a call reaches."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from sqlmodel import Session

from bot.commands.shared import Problem, configured, local, opened, say, time_head, told, zone_of
from bot.platforms.wechat_channels import channels_of
from config.catalogue import rules
from config.settings import Settings
from config.texts import _
from handlers.cards import of_kind
from handlers.sending_words import channel, closed, lane, outcome, reason, state
from models import audit
from models.calls import ToCall, to_call
from models.ledger import Channels
from models.person import Person
from models.story import Brief, Step, of_message, of_person
from models.volunteer import by_number, phone_of, volunteer_of


def add(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(help=_("说清楚一条消息，或一个人最近的消息，经过了哪些步骤、为什么还没送到（不显示内容）。"))(why)
    app.command(
        help=_(
            "列出有消息送不到、现在只能打电话找到的人；发过模板提醒的，过一天没来才列出（card_hours）。"
            "加 --phones 才显示电话，并留痕。"
        )
    )(calls)


def why(
    what: Annotated[str, typer.Argument(metavar="ID", help=_("消息编号，或志愿者编号"))],
    limit: Annotated[int, typer.Option(min=1, max=500, help=_("一个人最近的多少条"))] = 20,
) -> None:
    """A message's steps, or a person's newest messages."""
    settings = configured()
    zone = zone_of(settings)
    with opened() as database, database.read() as session:
        steps = of_message(session, what.strip(), _channels(settings), of_kind)
        if steps:
            say("\t".join([time_head(zone), _("经过")]))
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
    if briefs:
        say("\t".join([_("编号"), time_head(zone), _("方向"), _("种类"), _("状态"), _("渠道")]))
    for brief in briefs:
        by = [channel(name, platform) for platform, name in brief.by if platform or name]
        say("\t".join([brief.id, _at(brief.at, zone), *_brief(brief), *([_("、").join(by)] if by else [])]))
    if not briefs:
        say(_("这个人还没有消息，或都已过了保存期。"))


def _channels(settings: Settings) -> Channels:
    """The ways of each account as it is set up; a platform with one way has nothing to be told about it."""
    return {("wechat", name): channels_of(account) for name, account in settings.wechat.items()}


def calls(phones: Annotated[bool, typer.Option("--phones", help=_("显示电话"))] = False) -> None:
    """Whom no door reaches now."""
    zone = zone_of(configured())
    with told() as (session, lines):
        waiting = to_call(session)
        if waiting:
            since = _("从什么时候（{zone}）").format(zone=zone.key)
            heads = [_("志愿者"), _("所在地"), since, _("几条"), _("最急的"), _("原因")]
            lines.append("\t".join([*heads, _("电话")] if phones else heads))
        lines += ["\t".join(_to_call(session, each, zone, phones)) for each in waiting]
        if not waiting:
            lines.append(_("现在没有只能打电话找到的人。"))


def _to_call(session: Session, each: ToCall, zone: ZoneInfo, phones: bool) -> list[str]:
    registered = volunteer_of(session, each.person_id)
    number, county = (registered.number, registered.county or "-") if registered else ("-", "-")
    cells = [number, county, _at(each.since, zone), str(each.count), lane(each.priority), reason(each.why)]
    if not phones:
        return cells
    audit.note(session, "machine", "phone.read", each.person_id)
    return [*cells, phone_of(session, registered) if registered else "-"]


def _at(at: datetime | None, zone: ZoneInfo) -> str:
    return local(at, zone, seconds=True)


def _brief(brief: Brief) -> tuple[str, str, str]:
    if brief.way == "in":
        return _("收到"), brief.kind, _("已处理") if brief.state == "done" else _("处理失败，搁在一边")
    return _("发出"), brief.kind, state(brief.state)


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
        kind=facts["kind"], lane=lane(facts["priority"]), due=_at(facts["due"], zone)
    )
    if facts["expires"] is None:
        return text
    return text + _("，{expires} 之后不再发").format(expires=_at(facts["expires"], zone))


def _tried(facts: dict[str, Any], zone: ZoneInfo) -> str:
    through = _("{platform}（{account}）").format(**facts) if facts["platform"] else _("已关掉的渠道")
    code = f" [{facts['code']}]" if facts["code"] else ""
    if facts["platform"]:
        by = channel(facts["channel"], facts["platform"])
        told = _("经 {through} 发送{by}：{outcome}").format(through=through, by=by, outcome=outcome(facts["outcome"]))
    else:
        told = _("经 {through} 发送：{outcome}").format(through=through, outcome=outcome(facts["outcome"]))
    return told + code + _passed(facts["passed"])


def _passed(ways: str) -> str:
    """The ways that were closed before this one, by reason (models/ladder.py, `passed_over`)."""
    by_reason: dict[str, list[str]] = {}
    for one in filter(None, ways.split(";")):
        way, _colon, why = one.rpartition(":")
        platform, _slash, name = way.partition("/")
        by_reason.setdefault(why, []).append(channel(name, platform))
    if not by_reason:
        return ""
    told = [
        _("{item}：{value}").format(item=_("、").join(names), value=closed(why)) for why, names in by_reason.items()
    ]
    return _("（先跳过了{ways}）").format(ways=_("；").join(told))


def _now(facts: dict[str, Any], zone: ZoneInfo) -> str:
    text = _("现在：{state}").format(state=state(facts["state"]))
    told = reason(facts["why"]) if facts["why"] else ""
    return _("{text}（{reason}）").format(text=text, reason=told) if told else text


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
        "closed": _("{through}，{way}：{why}"),
        "mass": _("{through}：本月群发已满 {mass} 次"),
    }[facts["code"]].format(
        through=account,
        until=_at(facts.get("until"), zone),
        since=_at(facts.get("since"), zone),
        seconds=round(facts.get("seconds", 0)),
        count=facts.get("count", 0),
        way=channel(facts.get("channel", ""), facts.get("platform", "")),
        why=_closed(facts, zone),
        mass=rules().channels.mass_monthly,
    )
    return _("因为：{text}").format(text=text)


def _closed(facts: dict[str, Any], zone: ZoneInfo) -> str:
    """Why a way is closed now, with the figures that show it."""
    limits, why = rules().channels, facts.get("why", "")
    if why == "over":
        return _("窗口已过（{hours} 小时）：对方上次说话是 {since}").format(
            hours=limits.window_hours, since=_at(facts["since"], zone)
        )
    if why == "used":
        return _("窗口里的 {count} 条已用完，等对方再说话").format(count=limits.window_messages)
    if why == "day" and facts["daily"]:
        return _("今天的 {count} 次已用完，北京时间零点后再发").format(count=facts["daily"])
    return closed(why)
