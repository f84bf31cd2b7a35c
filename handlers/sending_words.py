"""How the sending of messages is told to people who look after it: lanes, states, outcomes and reasons."""

from __future__ import annotations

from config.texts import _
from models.outbox import CAMPAIGN, EMERGENCY, REMINDER, REPLY


def lane(priority: int) -> str:
    """How urgent a message is."""
    return {EMERGENCY: _("紧急"), REPLY: _("答复"), REMINDER: _("提醒"), CAMPAIGN: _("活动通知")}[priority]


def state(name: str) -> str:
    """Where a message stands."""
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
    }[name]


def outcome(name: str) -> str:
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


def reason(why: str) -> str:
    """The reason that a row keeps: one of ours, or a call's outcome with the platform's code."""
    ours = {
        "": _("还没有轮到，或账号暂停发送"),
        "no open door": _("没有开着的渠道"),
        "no open channel": _("现在没有能用的渠道"),
        "card": _("已发模板提醒，等对方来看"),
        "told by phone": _("已经打电话说了"),
        "arrived after all": _("后来知道已经送到"),
        "left": _("对方已取消关注、停用或屏蔽"),
        "taken back": _("写的人撤回了"),
        "registration": _("对方不再登记"),
        "deleted": _("对方的资料已经删除"),
        "ledger died": _("台账记为去世"),
        "ledger moved": _("台账记为迁出"),
        "answered": _("对方已经回答"),
        "accepted": _("对方已经接受"),
        "withdrawn": _("不用找人了"),
        "cancelled": _("交接已取消"),
        "ended": _("这个结对已经结束"),
        "set anew": _("时间已改"),
        "turn over": _("这一次轮流已经有答复，或已经过了"),
        "written anew": _("协议重写过"),
        "gone": _("服务对象不在台账里了"),
        "booked": _("已经约了时间"),
        "made": _("已经去过了"),
        "excused": _("这次不用去了"),
        "moved": _("时间已改"),
        "vain": _("去了，没人在家"),
        "kept": _("已经去过了"),
        "lapsed": _("约的时间过了，没有消息"),
        "worker gone": _("发送的进程中断了"),
        "restored": _("数据库从备份恢复过，可能已经发过"),
        "claim broken off": _("发送的进程中断了"),
        "too old to send": _("太旧"),
        "no longer true": _("情况已变，不用再说"),
        "quiet hours or a pause": _("免打扰时段或暂停中"),
        "rests past its end": _("免打扰时段里不能提醒，之后就过期了"),
        "another sender's account": _("这个账号由另一个进程发送"),
        "chat paused": _("平台要求这个会话等一等"),
        "claim ran out before the call": _("轮到它时发送权已经到期"),
        "not begun in time": _("轮到它时发送权已经到期"),
        "way gone": _("要用的渠道刚被别的消息用掉"),
        "heard meanwhile": _("对方刚说了话，马上再看"),
        "day quota": _("今天的次数已用完，明天再发"),
        "nobody sends": _("很久没有进程为这个账号发送"),
        "key over": _("可能已经送到，不再重发"),
        "no words": _("这一版程序不会写这种消息：升级后会发"),
    }.get(why)
    if ours is not None:
        return ours
    called, _comma, times = why.removesuffix(" times").partition(", ")
    name, _space, code = called.partition(" ")
    told = outcome(name) + (f" [{code}]" if code else "")
    return _("{text}（试了 {count} 次）").format(text=told, count=times) if times else told


def kind(name: str) -> str:
    """What kind of message it is, for whoever tells it on the phone."""
    return {
        "reply": _("对来话的自动应答"),
        "notice.contact": _("要答复的留言"),
        "notice.contact_answer": _("负责的同事的答复"),
        "notice.answer_lost": _("离开前没有看到的答复，内容已经删除"),
        "notice.alert": _("要处理的求助"),
        "notice.alert_taken": _("求助由谁处理"),
        "notice.alert_seen": _("“有人已经看到，会尽快联系你”"),
        "notice.role": _("职责的变动"),
        "notice.team": _("加入或离开团队"),
        "notice.dates": _("培训和证明的登记"),
        "notice.ledger": _("台账里要核实的人"),
        "notice.relay": _("有结对要找接的人"),
        "notice.relay_begun": _("结对要交接了，或问要不要再续一期"),
        "notice.relay_cancelled": _("不用找接的人了"),
        "notice.silence": _("很久没有对方的消息，问还好吗"),
        "notice.silence_given": _("很久没有对方的消息，专员在看结对怎么办"),
        "notice.silence_over": _("很久没有消息的志愿者有消息了"),
        "notice.relay_off": _("交接取消了"),
        "notice.team_relay": _("整队交接都开始了"),
        "notice.hand_over": _("有人接了，请交接"),
        "notice.relay_day": _("交接日"),
        "notice.renewed": _("又续了一期"),
        "notice.willing": _("志愿者想再续一期，现在还不能续"),
        "notice.thanks": _("结对结束，谢谢对方"),
        "notice.keeping": _("从现在起由对方照看的人"),
        "notice.institution_left": _("机构的结对到期，没有团队接"),
        "notice.leave": _("有人请假，要找人替"),
        "notice.stand_in": _("请对方替一阵"),
        "notice.stood_in_for": _("找到人替对方了"),
        "notice.substitute": _("替补的答复"),
        "notice.back": _("替的时间到了"),
        "notice.turn": _("轮到对方去，问能不能去"),
        "notice.turn_beside": _("轮到对方和成年队员一起去"),
        "notice.turn_alone": _("一起去的队员这次去不了"),
        "notice.turn_released": _("这次不用对方去了"),
        "notice.turn_off": _("答应过的那次轮流取消了"),
        "notice.turn_nobody": _("轮流的队员都去不了，问队长"),
        "notice.turn_skipped": _("轮流里跳过了一位队员"),
        "notice.turn_left": _("团队这次没有人能去"),
        "notice.offer": _("邀请对方和一位服务对象结对"),
        "notice.offer_taken": _("邀请过的那一位不用找人了"),
        "notice.accepted": _("有志愿者接受了邀请"),
        "notice.nobody_left": _("没有人可以再邀请了"),
        "notice.unfinished": _("答应了很久还没有定好"),
        "notice.meeting": _("第一次见面的时间"),
        "notice.agreement": _("结对协议"),
        "notice.opened": _("结对成立"),
        "notice.opened_for_you": _("交接给对方了"),
        "notice.called_off": _("结对没有定下来"),
        "notice.served_left": _("一个结对结束了"),
        "notice.objected": _("家里决定先不结对"),
        "notice.matched": _("配对建议好了"),
        "notice.family_said": _("家里说的话"),
        "notice.family_meeting": _("告诉家里第一次见面的时间"),
        "notice.family_opened": _("告诉家里结对成立了"),
        "notice.family_ended": _("告诉家里结对结束了"),
        "notice.duty_leave": _("值班请假和代班"),
        "notice.todo": _("早上的待办清单"),
        "notice.week": _("一周小结"),
        "notice.climbed": _("区县报上来的过期探访"),
        "notice.led_overdue": _("团队有探访过期"),
        "notice.qualification": _("自己的培训和证书"),
        "notice.qualifications": _("专员的培训和证书快到期"),
        "notice.dates_due": _("无犯罪记录查询快到期"),
        "notice.visit": _("提醒对方去探访"),
        "notice.visit_eve": _("提醒对方明天的探访"),
        "notice.visit_how": _("问对方探访去成了没有"),
        "notice.visits_overdue": _("有探访过期了"),
        "notice.visit_cannot": _("志愿者这次去不了，要找人去"),
        "notice.visit_turn": _("同组的人去不了，问对方能不能去"),
        "notice.nudge": _("专员问最近好不好"),
        "notice.nudge_answer": _("志愿者答复最近怎么样"),
        "notice.activity": _("由对方带队的活动"),
        "notice.lone_ask": _("独自上门到时间了，问出来没有"),
        "notice.lone_partner": _("有人独自上门没有出来，请对方去找"),
        "notice.lone_told": _("独自上门没有回答，已经告诉别人"),
        "notice.lone_news": _("独自上门的人有消息了"),
        "notice.hours_decided": _("时长确认了，或没有通过"),
        "notice.hours_case": _("志愿者说时长有误"),
        "notice.hours_case_late": _("“时长有误”过期没有答复"),
        "notice.hours_case_answered": _("“时长有误”的答复"),
        "notice.check_out_asked": _("没有签退，问几点结束"),
        "notice.family_asked": _("问家里这次怎么样"),
    }.get(name) or _("系统的通知")


def channel(name: str, platform: str = "") -> str:
    """One way to a person; the empty name is a platform's ordinary one."""
    if not name:
        name = "custom" if platform == "wechat" else "bot"
    return {
        "custom": _("客服消息"),
        "once": _("一次性订阅消息"),
        "subscription": _("订阅通知"),
        "template": _("模板消息"),
        "mass": _("群发"),
        "bot": _("机器人消息"),
    }.get(name, name)


def closed(why: str) -> str:
    """Why a way was passed over (models/ladder.py), without its figures."""
    return {
        "over": _("窗口已过：对方太久没有说话"),
        "used": _("窗口里能发的条数已用完"),
        "shut": _("平台说现在发不了，等对方再说话"),
        "no card": _("这种消息没有模板写法"),
        "not set up": _("没有配置这种模板"),
        "no grant": _("对方没有同意过，或同意的次数已用完"),
        "day": _("今天的次数已用完"),
        "refused": _("平台不收这个提醒（模板可能有误），一小时内不再用"),
        "carded": _("这条已经发过一次提醒"),
        "unsure": _("另一个渠道可能已经送到，不重复发"),
    }.get(why, why)
