"""Which replies may leave in a webhook's answer: Telegram drops, without a word, what comes faster than it allows.

About one message a second in a chat, with a short burst forgiven (platforms.md). What is faster goes by the outbox,
whose calls are told of a refusal and come again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 3.0  # messages; the platform forgives a few more
RATE = 1.0  # messages a second
_MOST = 10_000  # chats remembered; one that was silent for BURST seconds need not be


class Pace:
    """One token bucket a chat. Not safe between threads: the event loop's alone."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._chats: OrderedDict[str, tuple[float, float]] = OrderedDict()  # chat → (level, when)

    def take(self, chat: str) -> bool:
        """Whether one more message may go to this chat now; if so, it is counted."""
        now = self._monotonic()
        level, at = self._chats.pop(chat, (BURST, now))
        level = min(BURST, level + (now - at) * RATE)
        allowed = level >= 1
        self._chats[chat] = (level - 1 if allowed else level, now)
        while len(self._chats) > _MOST:
            self._chats.popitem(last=False)
        return allowed
