"""Playing a transcript: reads tests/transcripts/*.chat, acts as its people, and writes down what they see.

A line that begins with 〔微信〕 or 〔Telegram〕 belongs to that platform alone; every other line to all that play the
file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

from sqlmodel import Session, select
from stdnum import luhn

from models.beneficiary import MACHINE
from models.ledger_cells import read_ledger
from models.ledger_check import check
from models.ledger_import import take
from models.person import Person, door_of
from models.role import RoleGrant
from models.team import by_team_number
from models.volunteer import Registered, Volunteer, register
from scheduler.ticker import Ticker
from tests import directions_households
from tests.conftest import StoppedClock
from tests.hours_stage import DIRECTIONS as HOURS
from tests.ledger_files import as_csv
from tests.ledger_files import person as row_of
from tests.paired_stage import DIRECTIONS as PAIRED
from tests.phones import Shown, Stage, cdata, chat_id, openid, telegram_message, telegram_press, wechat_xml

PLATFORMS = {"微信": "wechat", "Telegram": "telegram"}
_ONLY = {platform: f"〔{name}〕" for name, platform in PLATFORMS.items()}
_DIRECTIONS = PAIRED | HOURS
_ACT = re.compile(r"^〔(\S+)(?: (.*))?〕$")
_SPEAKER = re.compile(r"^([^\s：〔#]{1,12})：(.*)$")
_CODE = re.compile(r"(?<![0-9A-Za-z])[2-9A-HJ-NP-Z]{8}(?![0-9A-Za-z])")
_NUMBER = re.compile(r"(?<!\d)\d{10}(?!\d)")
_DATE = re.compile(r"(?<!\d)20\d\d[-年/]\d{1,2}[-月/]\d{1,2}日?")


@dataclass
class Script:
    """A transcript file: its header, and its lines in order. `templates` = the WeChat account has them (模板：有)."""

    path: Path
    platforms: list[str]
    start: datetime
    lines: list[str]
    templates: bool = False

    @classmethod
    def read(cls, path: Path) -> Script:
        """Raises ValueError for a header that is not one."""
        platforms, start = ["wechat", "telegram"], datetime(2026, 11, 22, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
        lines = path.read_text("utf-8").splitlines()
        for line in lines:
            if line.startswith("平台："):
                platforms = [PLATFORMS[word] for word in line[3:].split("←")[0].split()]
            elif line.startswith("时间："):
                when = datetime.strptime(line[3:].split("←")[0].strip(), "%Y-%m-%d %H:%M")
                start = when.replace(tzinfo=ZoneInfo("Asia/Shanghai"))
        return cls(path, platforms, start.astimezone(UTC), lines, "模板：有" in lines)

    def on(self, platform: str) -> list[str]:
        """The lines as this platform plays them."""
        mine, others = _ONLY[platform], tuple(mark for other, mark in _ONLY.items() if other != platform)
        return [line.removeprefix(mine) for line in self.lines if not line.startswith(others)]

    def with_played(self, platform: str, happened: list[str]) -> list[str]:
        """The file after this platform played it: what the other one has otherwise stays, and both are marked."""
        rest = [other for other in self.platforms if other != platform]
        if not rest:
            return happened
        theirs = self.on(rest[0])
        lines: list[str] = []
        for what, a, b, c, d in SequenceMatcher(None, theirs, happened, autojunk=False).get_opcodes():
            parts = {rest[0]: theirs[a:b], platform: happened[c:d]}
            if what == "equal":
                lines += theirs[a:b]
            else:
                lines += [f"{_ONLY[each]}{line}" for each in self.platforms for line in parts[each]]
        return lines


class Play:
    """One run of a script on one platform and database."""

    def __init__(self, script: Script, stage: Stage, platform: str, clock: StoppedClock) -> None:
        self.script = script
        self.stage = stage
        self.platform = platform
        self.clock = clock
        self.names: dict[tuple[str, str], str] = {}
        self.screen: dict[tuple[str, str], list[Shown]] = {}
        self.last: dict[tuple[str, str], tuple[str, Any]] = {}
        self.codes: list[str] = []
        self.numbers: list[str] = []
        self.teams: list[str] = []
        clock.at = script.start

    async def run(self) -> list[str]:
        """The transcript as it happened: the script's own lines with the product's answers between them."""
        out: list[str] = []
        skipping = False
        for line in self.script.on(self.platform):
            if skipping and (line.startswith("  ") or not line.strip()):
                if not line.strip():
                    skipping = False
                    out.append(line)
                continue
            skipping = False
            if line.startswith("暖阳"):
                skipping = True
                continue
            out.append(line)
            if not line or line.startswith(("#", "平台：", "时间：", "模板：")):
                continue
            out += await self._line(line)
        return out

    async def _line(self, line: str) -> list[str]:
        alone = _ACT.match(line)
        if alone:
            return await self._stage_direction(alone[1], alone[2] or "")
        spoken = _SPEAKER.match(line)
        assert spoken, f"{self.script.path.name}: not a line of a transcript: {line!r}"
        name, _at, other = spoken[1].partition("@")
        platform = self.platform if not other else ({"wechat", "telegram"} - {self.platform}).pop()
        words = self._fill(spoken[2])
        act = _ACT.match(words)
        if act and act[1] == "网页":
            return await self._page(name, platform, act[2] or "")
        status, shown = await self._act(name, platform, act, words)
        assert status == 200, f"{line}: answered {status}"
        return self._write("暖阳：", name, platform, shown)

    async def _act(self, name: str, platform: str, act: re.Match[str] | None, words: str) -> tuple[int, Shown | None]:
        self.names[platform, str(openid(name) if platform == "wechat" else chat_id(name))] = name
        if act and act[1] == "重发":
            again = self.last[name, platform]
            status, shown = await self._post(name, again)
            return status, shown
        number = self.stage.next_number()
        made = (
            self._wechat(name, act, words, number) if platform == "wechat" else self._telegram(name, act, words, number)
        )
        self.last[name, platform] = (platform, made)
        return await self._post(name, (platform, made))

    async def _post(self, name: str, update: tuple[str, Any]) -> tuple[int, Shown | None]:
        platform, made = update
        return await (self.stage.wechat(name, made) if platform == "wechat" else self.stage.telegram(made))

    def _option(self, name: str, platform: str, label: str, *, old: bool = False) -> tuple[str, str]:
        screens = self.screen.get((name, platform), [])
        for shown in reversed(screens[:-1] if old else screens[-1:]):
            for option, text in shown.options:
                if text == label:
                    return option, text
        raise AssertionError(f"{self.script.path.name}: nothing called {label!r} stands on {name}'s screen")

    def _wechat(self, name: str, act: re.Match[str] | None, words: str, number: int) -> str:
        def event(inner: str) -> str:
            return wechat_xml(name, "event", inner, number)

        if not act:
            return wechat_xml(name, "text", cdata("Content", words), number)
        verb, rest = act[1], act[2] or ""
        if verb in ("按", "按旧的"):
            pressed, label = self._option(name, "wechat", rest, old=verb == "按旧的")
            if pressed.isdecimal() and verb == "按":
                return wechat_xml(name, "text", cdata("Content", pressed), number)
            menu_id = "" if pressed.isdecimal() else cdata("bizmsgmenuid", pressed)
            return wechat_xml(name, "text", cdata("Content", label) + menu_id, number)
        if verb == "关注":
            key = f"qrscene_{rest}" if rest else ""
            return event(cdata("Event", "subscribe") + cdata("EventKey", key))
        if verb == "取消关注":
            return event(cdata("Event", "unsubscribe") + cdata("EventKey", ""))
        if verb == "扫码":
            return event(cdata("Event", "SCAN") + cdata("EventKey", rest) + cdata("Ticket", "t"))
        if verb == "菜单":
            return event(cdata("Event", "CLICK") + cdata("EventKey", rest))
        if verb == "位置":
            latitude, longitude = rest.split(",")
            inner = f"<Location_X>{latitude}</Location_X><Location_Y>{longitude}</Location_Y><Scale>15</Scale>" + cdata(
                "Label", ""
            )
            return wechat_xml(name, "location", inner, number)
        if verb == "空":
            return wechat_xml(name, "text", cdata("Content", "  "), number)
        media = {"贴纸": "image", "图片": "image", "语音": "voice", "视频": "video"}[verb]
        inner = cdata("PicUrl", "http://127.0.0.1/x") + cdata("MediaId", "m1") + cdata("Format", "amr")
        return wechat_xml(name, media, inner + cdata("ThumbMediaId", "t1"), number)

    def _telegram(self, name: str, act: re.Match[str] | None, words: str, number: int) -> dict[str, Any]:
        if not act:
            return telegram_message(name, number, text=words)
        verb, rest = act[1], act[2] or ""
        if verb in ("按", "按旧的"):
            pressed, label = self._option(name, "telegram", rest, old=verb == "按旧的")
            return telegram_press(name, number, pressed) if pressed else telegram_message(name, number, text=label)
        if verb in ("关注", "扫码", "菜单"):
            command = f"/{rest}" if verb == "菜单" else f"/start {rest}".strip()
            length = len(command.split()[0])
            return telegram_message(
                name, number, text=command, entities=[{"type": "bot_command", "offset": 0, "length": length}]
            )
        if verb == "取消关注":
            message = telegram_message(name, number)["message"]
            bot = {"id": 1000001, "is_bot": True, "first_name": "bot"}
            member = {
                "chat": message["chat"],
                "from": message["from"],
                "date": message["date"],
                "old_chat_member": {"status": "member", "user": bot},
                "new_chat_member": {"status": "kicked", "user": bot, "until_date": 0},
            }
            return {"update_id": number, "my_chat_member": member}
        if verb == "位置":
            latitude, longitude = (float(part) for part in rest.split(","))
            return telegram_message(name, number, location={"latitude": latitude, "longitude": longitude})
        if verb == "空":
            return telegram_message(name, number, text="\u200b ")
        file = {"file_id": "f1", "file_unique_id": "u1"}
        media: dict[str, Any] = {
            "贴纸": {
                "sticker": {
                    **file,
                    "type": "regular",
                    "width": 1,
                    "height": 1,
                    "is_animated": False,
                    "is_video": False,
                }
            },
            "图片": {"photo": [{**file, "width": 1, "height": 1}]},
            "语音": {"voice": {**file, "duration": 1}},
            "视频": {"video": {**file, "width": 1, "height": 1, "duration": 1}},
        }
        return telegram_message(name, number, **media[verb])

    async def _page(self, name: str, platform: str, answer: str) -> list[str]:
        offered = [link for shown in self.screen[name, platform] for link in shown.links]
        status = await self.stage.page(offered[-1][0], answer)
        lines = [f"暖阳：（网页：{'收到了' if status == 200 else '请改一改'}）"]
        return lines + await self._deliver()

    async def _deliver(self) -> list[str]:
        lines: list[str] = []
        # Who is told of the same thing is told in no certain order.
        order = list(self.names)
        came = await self.stage.deliver()
        alike = [(one[0], one[1], one[2].lines()[1:]) for one in came]  # of several people at once, but for the name

        def place(at: int) -> tuple[int, int, str]:
            who = came[at][:2]
            return order.index(who) if who in order else -1, alike.index(alike[at]), "\n".join(came[at][2].lines())

        delivered = [came[at] for at in sorted(range(len(came)), key=place)]
        for platform, sender, shown in delivered:
            name = self.names.get((platform, sender), "？")
            door = "" if platform == self.platform else "@另"
            lines += self._write(f"暖阳 → {name}{door}：", name, platform, shown)
        return lines or ["暖阳：（没有要发的）"]

    async def _stage_direction(self, verb: str, rest: str) -> list[str]:
        if verb == "过":
            number, unit = rest.split()
            self.clock.at += (
                int(number) * {"天": timedelta(days=1), "小时": timedelta(hours=1), "分钟": timedelta(minutes=1)}[unit]
            )
            return []
        if verb == "外发":
            return await self._deliver()
        if verb in ("平台没有回音", "平台有回音"):
            self.stage.exchange.silent = verb == "平台没有回音"
            return []
        if verb == "定时":
            Ticker(self.stage.database).run_all()
            return []
        if verb == "台账":
            self._ledger(*rest.split())
            return []
        if verb in directions_households.VERBS:
            directions_households.direct(self, verb, *rest.split())
            return []
        if verb in _DIRECTIONS:
            with self.stage.database.write() as session:
                _DIRECTIONS[verb](self, session, *rest.split())
            return []
        if verb == "登记":
            self._volunteer(*rest.split())
            return []
        if verb == "注册":
            self._register(*rest.split())
            return []
        assert verb == "授权", f"{self.script.path.name}: no stage direction {verb}"
        name, role, scope = rest.split()
        with self.stage.database.write() as session:
            session.add(
                RoleGrant(
                    person_id=self.person_id(session, name),
                    role=role,
                    scope_kind="region",
                    scope=scope,
                    granted_by="machine",
                    granted_at=self.clock.now(),
                )
            )
        return []

    def _volunteer(self, name: str, county: str, town: str = "", sex: str = "") -> None:
        """Somebody who has a door is registered, grown up and active."""
        with self.stage.database.write() as session:
            person = session.get_one(Person, self.person_id(session, name))
            phone = f"+861380013{int(crc32(name.encode())) % 10_000:04d}"
            row = register(session, person, Registered(f"测{name}", phone, date(1999, 5, 4), county))
            row.town, row.sex = town or None, sex or None
            session.add(row)
            self.numbers.append(row.number)

    def _register(self, name: str, born: str, county: str) -> None:
        """They have registered before; who is a minor waits for a guardian."""
        with self.stage.database.write() as session:
            person = session.get_one(Person, self.person_id(session, name))
            phone = f"+861380013{len(self.names):04}"
            register(session, person, Registered(f"测{name}", phone, date.fromisoformat(born), county))

    def person_id(self, session: Session, name: str) -> str:
        """Who this name is, at the door of the platform that is played."""
        sender = openid(name) if self.platform == "wechat" else str(chat_id(name))
        door = door_of(session, self.platform, "test", sender)
        assert door is not None, f"{name} has no door yet"
        return door.person_id

    def _ledger(self, region: str, numbers: str) -> None:
        """Somebody at the machine brings a ledger of these people, each of a town of its own."""
        towns = ("五山街道", "员村街道", "石牌街道", "沙河街道", "天园街道", "猎德街道", "冼村街道")
        rows = [row_of(int(number), 乡镇街道=towns[int(number)]) for number in numbers.split(",")]
        data = as_csv(rows)
        ledger = read_ledger(data, "台账.csv", county=region, today=self.clock.now().date())
        batch = check(self.stage.database, ledger, data, region=region, by=MACHINE, part=False)
        take(self.stage.database, batch.id, by=MACHINE)

    def _write(self, who: str, name: str, platform: str, shown: Shown | None) -> list[str]:
        if shown is None:
            return [f"{who}（不回复）"]
        self.screen.setdefault((name, platform), []).append(shown)
        return [who, *("  " + self._hide(line) if line else "  ·" for line in shown.lines())]

    def _hide(self, line: str) -> str:
        line = re.sub(r"/p/[\w-]{22}", "/p/〈网页〉", line)
        line = re.sub(r"(档案|檔案|Case) [0-9A-F]{6}(?![0-9A-Za-z])", r"\1 〈记号〉", line)
        for code in _CODE.findall(line):
            if not code.isdecimal() and any(c.isdigit() for c in code) and code not in self.codes:
                self.codes.append(code)
        for number in _NUMBER.findall(line):
            if luhn.is_valid(number) and number not in self.numbers and self._is_volunteer(number):
                self.numbers.append(number)
            if number not in self.teams and self._is_team(number):
                self.teams.append(number)
        for at, code in enumerate(self.codes, 1):
            line = line.replace(code, f"〈码{at}〉")
        for at, number in enumerate(self.numbers, 1):
            line = line.replace(number, f"〈号{at}〉")
        for at, number in enumerate(self.teams, 1):
            line = line.replace(number, f"〈队{at}〉")
        return line

    def _is_volunteer(self, number: str) -> bool:
        with self.stage.database.read() as session:
            return session.exec(select(Volunteer).where(Volunteer.number == number)).first() is not None

    def _is_team(self, number: str) -> bool:
        with self.stage.database.read() as session:
            return by_team_number(session, number) is not None

    def _fill(self, words: str) -> str:
        for at, code in enumerate(self.codes, 1):
            words = words.replace(f"〈码{at}〉", code)
        for at, number in enumerate(self.numbers, 1):
            words = words.replace(f"〈号{at}〉", number)
        return words
