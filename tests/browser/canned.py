"""People, accounts and chats for the fake sandbox: every kind of message and state once, in plausible words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 8, 5, 1, 12, tzinfo=UTC)  # 09:12 in Shanghai, a Wednesday
DOOR = {"wechat": "passive", "telegram": "bot api"}

MENU: list[tuple[str, list[str]]] = [
    ("去服务", ["签到签退", "约探访", "探访记录", "补记时长", "请假交接"]),
    ("我的", ["我的结对", "我的时长", "星级证明", "我的资料", "隐私授权"]),
    ("找帮助", ["报名注册", "近期活动", "联系专员", "我很担心TA", "紧急求助"]),
]
COMMANDS = [
    ("start", "开始"),
    ("menu", "菜单"),
    ("register", "报名注册"),
    ("my", "我的资料"),
    ("help", "帮助"),
    ("sos", "紧急求助"),
]


def person(
    identity: str, name: str, note: str, colour: str, role: str = "", *, following: bool = False, started: bool = False
) -> dict[str, Any]:
    number = int(identity[1:])
    return {
        "id": identity,
        "name": name,
        "note": note,
        "role": role,
        "avatar": colour,
        "wechat": {"openid": f"oSandbox{number}", "following": following},
        "telegram": {"id": 1000 + number, "started": started, "blocked": False},
    }


def people() -> list[dict[str, Any]]:
    blocked = person("p4", "何主任", "县里的管理员", "#f2994a", "administrator", started=True)
    blocked["telegram"]["blocked"] = True
    return [
        person("p1", "阿林", "19 岁学生", "#07c160", "student", following=True, started=True),
        person("p2", "陈老师", "想当项目专员", "#2f80ed", "coordinator", following=True),
        person("p3", "小海妈妈", "监护人", "#eb5757", "guardian"),
        blocked,
    ]


def accounts() -> dict[str, Any]:
    menu: list[dict[str, Any]] = [
        {"name": name, "sub_button": [{"type": "click", "name": entry, "key": f"menu.{entry}"} for entry in entries]}
        for name, entries in MENU
    ]
    menu[1]["sub_button"][4] = {"type": "view", "name": "隐私授权", "url": "http://127.0.0.1:9/p/privacy"}
    commands = [{"command": command, "description": about} for command, about in COMMANDS]
    return {
        "wechat": {"name": "sandbox", "title": "暖阳（沙盒）", "menu": menu},
        "telegram": {
            "name": "sandbox",
            "title": "暖阳沙盒 Bot",
            "username": "nuanyang_sandbox_bot",
            "mode": "polling",
            "commands": commands,
        },
    }


def message(identity: str, author: str, at: datetime, text: str, **fields: Any) -> dict[str, Any]:
    plain = {"id": identity, "from": author, "at": at.isoformat(), "kind": "text", "text": text, "buttons": []}
    return {**plain, "via": "", "state": "", "detail": {}, **fields}


def button(identity: str, text: str, url: str = "") -> dict[str, Any]:
    return {"id": identity, "text": text} | ({"url": url} if url else {})


def _wechat() -> list[dict[str, Any]]:
    day = NOW - timedelta(days=1, hours=14)
    early = NOW - timedelta(minutes=9)
    greeting = "你好，这里是暖阳：青年志愿者助残“阳光行动”的小助手。\n报名、签到、约探访、找专员，都可以在这里说。"
    template = "探访待确认\n服务对象：小宇\n时间：8月8日 15:00\n地点：温馨家园\n需要你：回复“能去”或“去不了”"
    choices = [[button("b0", "1. 现在报名")], [button("b1", "2. 先看看活动")], [button("b2", "3. 联系专员")]]
    pressed = {"code": "menu", "name": "签到签退"}
    scene = {"kind": "qr", "scene": "station-440106"}
    return [
        message("m1", "person", day, "关注了公众号", kind="event", state="delivered", note={"code": "followed"}),
        message("m2", "bot", day, greeting, via="passive"),
        message("m3", "person", day + timedelta(minutes=1), "注册", state="delivered"),
        message("m4", "bot", day + timedelta(minutes=1), "想先做什么？回复数字也可以。", via="客服", buttons=choices),
        message("m5", "person", day + timedelta(minutes=2), "[图片]", kind="image", state="delivered"),
        message("m6", "person", day + timedelta(minutes=2), "[语音]", kind="voice", state="repeated"),
        message("m7", "bot", early, template, kind="template", via="模板"),
        message("m8", "bot", early, "天河站的签到码", via="客服", **scene),
        message("m9", "person", early, "点击菜单：签到签退", kind="event", state="delivered", note=pressed),
        message("m10", "person", early, "广州天河（23.1291, 113.3612）", kind="location", state="delivered"),
        message(
            "m11",
            "bot",
            early,
            "已签到：天河站，09:04。\n走的时候别忘了签退，说明在这里：服务须知",
            via="passive",
            entities_html='已签到：天河站，09:04。\n走的时候别忘了签退，说明在这里：<a href="/p/notes">服务须知</a>',
        ),
        message(
            "m12", "person", NOW, "胳膊有点疼，今天能不能换人？", state="failed", detail={"code": "wechat_gave_up"}
        ),
        message("m13", "person", NOW, "在吗", state="repeated", detail={"code": "retry", "n": 2}),
    ]


def _telegram() -> list[dict[str, Any]]:
    early = NOW - timedelta(minutes=20)
    gave_up = {"code": "telegram_gave_up", "n": 8, "problem": "status", "status": 500}
    html = "请选择<b>要做的事</b>。<i>随时</i>可以发 <code>/help</code>。"
    keys = [
        [button("b0", "现在报名"), button("b1", "先看看活动")],
        [button("b2", "联系专员")],
        [button("b3", "打开一次性页面", "http://127.0.0.1:9/p/token")],
    ]
    return [
        message("t1", "person", early, "/start", state="delivered"),
        message(
            "t2", "bot", early, "请选择要做的事。随时可以发 /help。", entities_html=html, via="bot api", buttons=keys
        ),
        message("t3", "person", early, "😀", kind="sticker", state="delivered"),
        message("t4", "bot", NOW, "你在哪个县（市、区）？可以打字，也可以发送位置。", via="bot api"),
        message("t5", "person", NOW, "广州天河", kind="location", state="delivered"),
        message("t6", "bot", NOW, "好的：广东省 广州市 天河区。接下来请写你的手机号。", via="bot api"),
        message("t7", "person", NOW, "一三八…", state="failed", detail=gave_up),
    ]


def chats() -> dict[str, dict[str, Any]]:
    rows = [[{"text": "发送我的位置", "request_location": True}], [{"text": "跳过"}, {"text": "取消"}]]
    board = {"rows": rows, "placeholder": "例如：广州天河"}
    return {
        "wechat/p1": {"messages": _wechat(), "keyboard": None},
        "telegram/p1": {"messages": _telegram(), "keyboard": board},
    }
