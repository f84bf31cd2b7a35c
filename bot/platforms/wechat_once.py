"""WeChat's page on which a person allows one 一次性订阅消息, and what WeChat says when it sends the person back.

WeChat signs nothing of it. So the word that comes back counts for no more than this: one card may be tried, to the
very account that the link was given to; where WeChat knows of no permission, it refuses the call (43101).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from config.cards import Once
from models.channel import Asks

LONGEST = 128  # characters of anything that comes back


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person chose; `openid` is told only with "confirm"."""

    action: Literal["confirm", "cancel"]
    openid: str = ""


def asks(appid: str, once: Once | None, base: str) -> Asks | None:
    """Where people of this account allow one, `base` being the address of WeChat's pages; None without a template."""
    if once is None:
        return None
    says = {"scene": str(once.scene), "template_id": once.id}
    return Asks(f"{base}/mp/subscribemsg?{urlencode({'action': 'get_confirm', 'appid': appid, **says})}", says)


def address(asked: Asks, back: str, mark: str) -> str:
    """The whole address of WeChat's page. `mark` comes back as `reserved`: letters and digits, 128 at most."""
    return f"{asked.address}&{urlencode({'redirect_url': back, 'reserved': mark})}#wechat_redirect"


def read(asked: Asks, query: Iterable[tuple[str, str]], mark: str) -> Answer | None:
    """What the query of a return says; None for one that is not the answer to this very question: something is
    missing, stands twice, is too long, or is another scene, template or mark. Names that WeChat may add are passed
    over."""
    given: dict[str, str] = {}
    for name, value in query:
        if name not in ("action", "openid", "reserved", *asked.says):
            continue
        if name in given or len(value) > LONGEST:
            return None
        given[name] = value
    if any(given.get(name) != value for name, value in asked.says.items()):
        return None
    if not hmac.compare_digest(given.get("reserved", "").encode(), mark.encode()):
        return None
    openid = given.get("openid", "")
    if given.get("action") == "confirm" and openid:
        return Answer("confirm", openid)
    return Answer("cancel") if given.get("action") == "cancel" else None
