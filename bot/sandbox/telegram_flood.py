"""Telegram's limits: about one message a second per chat and thirty overall, with a short burst forgiven."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox.telegram_refusals import flood

FORGET_AFTER = 1000  # chats


@dataclass(frozen=True)
class TelegramLimits:
    """Messages per second, and how many may come at once before that counts."""

    chat_rate: float = 1.0
    chat_burst: int = 4
    all_rate: float = 30.0
    all_burst: int = 30
    shortest_pause: int = 2  # seconds


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float
    closed_until: float = 0.0


class Flood:
    """Token buckets on a monotonic clock; whoever overdoes it is shut out until the pause is over."""

    def __init__(self, limits: TelegramLimits, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._chats: dict[int, _Bucket] = {}
        self._all = _Bucket(limits.all_burst, monotonic())

    def take(self, chat: int) -> None:
        """One message to that chat; raises Denied 429."""
        now, limits = self._monotonic(), self._limits
        if chat not in self._chats and len(self._chats) >= FORGET_AFTER:
            self._chats.clear()
        mine = self._chats.setdefault(chat, _Bucket(limits.chat_burst, now))
        self._refill(mine, now, limits.chat_rate, limits.chat_burst)
        self._refill(self._all, now, limits.all_rate, limits.all_burst)
        for bucket, rate in ((mine, limits.chat_rate), (self._all, limits.all_rate)):
            if bucket.level < 1 and bucket.closed_until <= now:
                bucket.closed_until = now + max(limits.shortest_pause, math.ceil((1 - bucket.level) / rate))
            if bucket.closed_until > now:
                raise flood(math.ceil(bucket.closed_until - now))
        mine.level -= 1
        self._all.level -= 1

    @staticmethod
    def _refill(bucket: _Bucket, now: float, rate: float, burst: int) -> None:
        bucket.level = min(float(burst), bucket.level + (now - bucket.at) * rate)
        bucket.at = now
