"""What checking in says: plain sentences, and what to do next."""

from __future__ import annotations

from config.catalogue import rules
from config.texts import _
from handlers.dialogue import Choice
from handlers.message import Option, Reply
from models.activity import Activity
from models.service import UNPROVEN, ServiceRecord


def where(activities: int, *, forgotten: bool) -> str:
    """The first question. `forgotten` = nobody checked out of the one before."""
    lines = [_("上一次服务还没有签退。")] if forgotten else []
    lines.append(_("在哪里签到？在驿站扫墙上的码、在家里扫连心卡，也会直接签到。"))
    if activities:
        lines.append(_("现在有活动可以签到，也可以直接写 6 位签到码。"))
    return "\n".join(lines)


def code() -> str:
    """At an activity."""
    return _("请写现场的 6 位签到码。带队的人手机上能看到，每分钟会变。")


def place() -> str:
    """At a home that the ledger knows the place of."""
    return _("请发一次你现在的位置。只用来比对这一次到没到，比完就丢掉，不会记下来。\n发不了也能签到，选一个原因就行。")


def place_again() -> str:
    """Asked once more."""
    return _("可以再发一次位置，或者选下面一项。")


def unproven() -> tuple[Choice, ...]:
    """The ways round the place; each says what it is."""
    return (
        Choice("no_match", _("到了，可是对不上，就这样签到"), words=(_("对不上"),), later=True),
        Choice("card", _("家里有连心卡，我去扫"), words=(_("连心卡"),)),
        Choice("no_signal", _("这里信号不好，定不了位"), words=(_("没信号"), _("信号不好"))),
        Choice("no_phone", _("家里没有智能手机和连心卡，我也定不了位"), words=(_("没有智能手机"),)),
        Choice("refused", _("不想发位置"), words=(_("不发位置"),)),
    )


def no_place() -> str:
    """At a home whose place the ledger does not have, or an institution."""
    return _("台账里没有这里的坐标，位置没法比对，所以不用发。可以这样签到：")


def without_place() -> tuple[Choice, ...]:
    """What can be done there."""
    return (
        Choice("card", _("有连心卡，我去扫"), words=(_("连心卡"),)),
        Choice("no_place", _("直接签到，注明没有核对"), words=(_("直接签到"),)),
    )


def no_match() -> str:
    """A shared place that is not near enough. It does not say how far, nor which way."""
    return _("这个位置和登记的地址对不上。手机定位有时会差一点，到窗边或门口再试一次。")


def scan_card() -> str:
    """They go and scan the card."""
    return _("好的，请用手机扫一扫门上的连心卡，扫了就会签到。扫不了，再回复“签到”选别的办法。")


def scan_station() -> str:
    """They are at a station."""
    return _("请扫一扫驿站墙上的签到码，扫了就会签到。没有码或扫不了，结束以后可以补记时长。")


def scan_activity() -> str:
    """One code fits two activities, which hardly ever happens."""
    return _("这个码对不上一个活动。请从活动的二维码进来，再写签到码。")


def type_the_code() -> str:
    """Several activities are open now."""
    return _("请直接写现场的 6 位签到码，带队的人手机上能看到。")


def no_station() -> str:
    """A station that is closed, or never was."""
    return _("这个签到码现在用不了：这个地方可能已经关了或换了码。结束以后可以补记时长。")


def no_activity() -> str:
    """Nothing is open near them."""
    return _("你附近现在没有可以签到的活动。活动开始前一小时才能签到；结束以后也可以补记时长。")


def activity_closed(found: Activity | None) -> str:
    """Too early, too late, cancelled or unknown."""
    if found is None or found.cancelled_at is not None:
        return _("没有这个活动，或者已经取消了。")
    return _("这个活动现在不能签到：开始前一小时到结束之间可以。结束以后可以补记时长。")


def foreign_card() -> str:
    """The same for a card that is not theirs to scan and for one that never was."""
    return _("这张卡只能由在这里服务的志愿者用来签到。如果你在这里服务，请回复“签到”用别的办法，或问专员。")


def old_card() -> str:
    """The family has a newer one."""
    return _("这是旧的连心卡，已经换了新的。请扫新卡；没有新卡，回复“签到”用别的办法，并告诉专员。")


def no_pairing() -> str:
    """Nobody to visit."""
    return _("你现在没有在服务的结对，不能按上门签到。参加活动或在驿站服务，可以选那两项。")


def not_active(registered: bool) -> Reply:
    """Whoever may not serve now."""
    if registered:
        text = _("你的注册现在不能服务，签到不了。请看“我的资料”，或回复“联系专员”。")
        return Reply(text, (Option("m:profile", _("我的资料")), Option("m:contact", _("联系专员"))))
    text = _("签到是给注册志愿者用的。想成为志愿者，先报名，两分钟就好。")
    return Reply(text, (Option("m:register", _("报名注册")), Option("m:contact", _("联系专员"))))


def pause() -> str:
    """After too many wrong codes."""
    minutes = rules().doors.code_pause_minutes
    return _("写错太多次了，先停 {minutes} 分钟。不用着急：也可以等结束以后补记时长。").format(minutes=minutes)


def late_code() -> str:
    """It was good a short while ago."""
    return _("这个码刚刚换了，请写现在的。")


def wrong_code() -> str:
    """No such code."""
    return _("签到码不对。请看带队的人手机上现在的 6 位数字，再写一次。")


def refused(reason: str) -> str:
    """Why the rules do not let them check in."""
    return {
        "running": _("你还有一次服务没有签退。请先签退，再签到。"),
        "overlap": _("这个时间和你另一条服务记录重叠，不能签到。请先看“我的时长”。"),
        "minor": _("未满 18 岁不能独自上门服务。请和团队一起来，由队长签到。"),
        "self": _("这是你自己的档案，不能给自己签到。"),
        "gone": _("这个结对、地方或活动现在不能签到了，没有改动。"),
    }.get(reason, _("现在签到不了，没有改动。请回复“联系专员”。"))


def checked_in(row: ServiceRecord, content: str, began: str, planned: str) -> str:
    """The echo, and what comes next."""
    lines = [_("签到好了：{content}，{time} 开始。").format(content=content, time=began)]
    if row.way == UNPROVEN:
        lines.append(_why(row.unproven_why))
    if row.stint_id is not None:
        lines.append(_("一个人上门，可以说“我进门了，几点前出来”，到时间我会问你平安。"))
    lines.append(_("结束时回复“签退”。没有签退的，到 {time} 会问你。").format(time=planned))
    return "\n".join(lines)


def _why(reason: str) -> str:
    """What the record says, to whoever reads it: no reproach."""
    return {
        "no_match": _("记录里注明：位置没有对上。专员确认时会看到，没关系。"),
        "no_place": _("记录里注明：台账没有坐标，没有核对。"),
        "no_signal": _("记录里注明：当时没有信号。"),
        "no_phone": _("记录里注明：家里没有手机或连心卡。可以请专员打印一张连心卡。"),
        "refused": _("记录里注明：没有发位置。"),
    }[reason]
