"""What the platforms of the state machine know of each message, and how the engine calls them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.platforms.base import ONE_CHANNEL, Outcome
from bot.platforms.telegram import Telegram
from bot.platforms.wechat import WeChat
from handlers.message import Inbound, Reply

Called = Callable[[str, str, Reply], Outcome]


@dataclass
class Said:
    """One message as its platform knows it. `accepted` = the product said that it has it. `calls` = how often the
    platform came, `acknowledged` = it was answered without words, and comes no more. `left` = the person unfollowed
    after it, and is owed nothing."""

    inbound: Inbound
    calls: int = 0
    accepted: bool = False
    acknowledged: bool = False
    spooled: bool = False
    left: bool = False
    seen: list[bool] = field(default_factory=list)  # each time that its answer stood on the screen: whether marked


class Screen:
    """Both platforms, as the engine calls them: what happens to each call is decided before."""

    def __init__(self, name: str, called: Called) -> None:
        self.name, self.account, self.channels = name, "test", ONE_CHANNEL
        self.features = (WeChat if name == "wechat" else Telegram).features
        self._called = called

    def answers_now(self, _inbound: Inbound) -> bool:
        """Telegram's answers are not slowed down here."""
        return True

    async def send(self, sender: str, reply: Reply, *, key: str, deadline: float, channel: str = "") -> Outcome:
        """One call."""
        return self._called(self.name, sender, reply)
