"""WeChat's figures, and who has used how much of them. Days and months are those of the programme clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.sandbox.memory import Person, WeChatMemory, Window
from bot.sandbox.wechat_refusals import Refusal
from bot.sandbox.wechat_sim import WINDOWS

CHINA = ZoneInfo("Asia/Shanghai")


def _daily() -> dict[str, int]:
    return {
        "message/custom/send": 500_000,
        "message/template/send": 100_000,
        "message/mass/send": 100,
        "message/mass/sendall": 100,
        "message/mass/preview": 100,
        "menu/create": 1_000,
        "menu/addconditional": 2_000,
        "qrcode/create": 100_000,
        "stable_token": 500_000,
        "force_refresh": 20,
    }


def _minutely() -> dict[str, int]:
    return {"message/mass/send": 60, "message/mass/sendall": 60, "stable_token": 10_000}


@dataclass(frozen=True)
class WeChatLimits:
    """The account's quotas; tests make them small. Times in seconds."""

    daily: dict[str, int] = field(default_factory=_daily)
    minutely: dict[str, int] = field(default_factory=_minutely)
    token_life: int = 7200
    token_overlap: int = 300  # the old token still works that long after an ordinary renewal
    force_pause: int = 30
    templates: int = 25
    tags: int = 100
    tags_per_person: int = 20
    tag_batch: int = 50
    mass_per_month: int = 4
    mass_smallest: int = 2
    mass_largest: int = 10_000
    permanent_codes: int = 100_000
    client_msg_life: int = 600
    clientmsgid_life: int = 86_400


class Quotas:
    """Counts calls and messages; every method raises Refusal when a limit is reached."""

    def __init__(self, memory: Callable[[], WeChatMemory], limits: WeChatLimits, now: Callable[[], datetime]) -> None:
        self._memory = memory
        self._limits = limits
        self._now = now
        self._minute: dict[str, deque[float]] = {}

    def count(self, path: str) -> None:
        """One call of an endpoint: 45011 for too many in a minute, 45009 for too many in a day."""
        now = time.monotonic()
        per_minute = self._limits.minutely.get(path)
        recent = self._minute.setdefault(path, deque())
        while recent and recent[0] <= now - 60:
            recent.popleft()
        if per_minute is not None and len(recent) >= per_minute:
            raise Refusal(45011)
        per_day = self._limits.daily.get(path)
        if per_day is not None:
            self._count_day(path, per_day)
        if per_minute is not None:
            recent.append(now)

    def _count_day(self, path: str, most: int) -> None:
        calls = self._memory().calls
        day = self._now().astimezone(CHINA).date().isoformat()
        for old in [key for key in calls if not key.startswith(day)]:
            del calls[old]
        if calls.get(f"{day}|{path}", 0) >= most:
            raise Refusal(45009)
        calls[f"{day}|{path}"] = calls.get(f"{day}|{path}", 0) + 1

    def take_window(self, person: Person) -> None:
        """Use one 客服 message: 45015 when no window is open, 45047 when the open ones are used up."""
        open_windows: list[tuple[datetime, Window]] = []
        for kind, window in self._memory().windows.get(person.id, {}).items():
            ends = window.opened + timedelta(seconds=WINDOWS[kind][1])
            if window.opened <= self._now() < ends:
                open_windows.append((ends, window))
        if not open_windows:
            raise Refusal(45015)
        usable = [(ends, window) for ends, window in open_windows if window.left > 0]
        if not usable:
            raise Refusal(45047)
        min(usable, key=lambda pair: pair[0])[1].left -= 1

    def mass_left(self, person: Person) -> int:
        """Mass messages this person may still get in this month."""
        return self._limits.mass_per_month - self._memory().mass.get(self._month(person), 0)

    def take_mass(self, person: Person) -> None:
        """The person gets a mass message."""
        mass = self._memory().mass
        month = self._month(person)
        for old in [key for key in mass if key[:7] != month[:7]]:
            del mass[old]
        mass[month] = mass.get(month, 0) + 1

    def _month(self, person: Person) -> str:
        return f"{self._now().astimezone(CHINA):%Y-%m}|{person.id}"
