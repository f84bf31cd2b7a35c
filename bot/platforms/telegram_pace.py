"""Which replies may leave in a webhook's answer: Telegram drops, without a word, what comes faster than it allows.

About one message a second in a chat, with a short burst forgiven (platforms.md). What is faster goes by the outbox,
whose calls are told of a refusal and come again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

BURST = 3.0  # messages; the platform forgives a few more
RATE = 1.0  # messages a second
_FULL_AFTER = BURST / RATE  # seconds of silence after which a chat is as one that was never seen


class Pace:
    """One token bucket a chat. Safe between threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._one = Lock()
        self._chats: OrderedDict[str, tuple[float, float]] = OrderedDict()  # chat → (level, when); the oldest first

    def take(self, chat: str) -> bool:
        """Whether one more message may go to this chat now; if so, it is counted."""
        now = self._monotonic()
        with self._one:
            level, at = self._chats.pop(chat, (BURST, now))
            level = min(BURST, level + (now - at) * RATE)
            allowed = level >= 1
            self._chats[chat] = (level - 1 if allowed else level, now)
            while now - next(iter(self._chats.values()))[1] >= _FULL_AFTER:
                self._chats.popitem(last=False)
        return allowed
