"""The two platforms, played for measuring: messages as they come in, our adapter, and the same by hand."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import Any, Protocol

from pydantic import SecretStr

from bot.platforms.base import Features
from bot.platforms.telegram import Telegram
from bot.platforms.wechat import WeChat
from bot.platforms.wechat_crypto import Crypto, sealed_part
from bot.platforms.wechat_text import passive_xml
from bot.platforms.wechat_xml import read
from bot.sandbox.wechat_envelope import Envelope
from config.settings import TelegramAccount, WeChatAccount
from handlers.message import Inbound, Reply

NAME, APPID, TOKEN, ACCOUNT = "bench", "wx62656e6368000001", "bench-token", "gh_bench"
AES_KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
ANSWER = "请写你的手机号。"
Body = tuple[bytes, dict[str, str]]


class Door(Protocol):
    """What is measured of a platform: from the body of a webhook call to the body of its answer."""

    platform: str
    features: Features
    begin: tuple[str, ...]

    def texts(self, sender: str) -> tuple[str, str]:
        """What this person writes by turns, each a turn of its own."""

    def people(self, number: int) -> list[str]:
        """Senders as this platform writes them."""

    def message(self, sender: str, text: str) -> Body:
        """Body and query of one webhook call."""

    def ours(self, raw: bytes, query: dict[str, str]) -> Inbound:
        """Verified, opened and translated by our adapter."""

    def answer(self, reply: Reply | None, inbound: Inbound, raw: bytes, query: dict[str, str]) -> int:
        """Rendered by our adapter; how many bytes it is."""

    def by_hand(self, raw: bytes, query: dict[str, str]) -> tuple[str, str, Any]:
        """The same without the adapter: sender, key and what is kept of the message."""

    def answer_by_hand(self, sender: str, query: dict[str, str]) -> int:
        """The answer's body, made without the adapter."""


def _no_calls() -> Any:
    raise RuntimeError("nothing is sent here")


class WeChatDoor:
    """Signed and AES-sealed XML, with a signed and sealed answer."""

    platform = "wechat"
    features = WeChat.features
    begin = ("报名", "同意", "王小明")

    def __init__(self, first: int = 0) -> None:
        """`first` = where the numbers of its messages begin: copies that serve one account share none."""
        secret = SecretStr
        settings = WeChatAccount(
            appid=APPID,
            secret=secret("-"),
            token=secret(TOKEN),
            encoding_aes_key=secret(AES_KEY),
            api_base="http://[::1]",
        )
        self._envelope = Envelope(TOKEN, AES_KEY, APPID)
        self._adapter = WeChat(NAME, settings, _no_calls)
        self._crypto = Crypto(token=TOKEN, appid=APPID, aes_keys=[AES_KEY])
        self._number = first

    def people(self, number: int) -> list[str]:
        return [f"o{secrets.token_hex(10)}" for _ in range(number)]

    def texts(self, sender: str) -> tuple[str, str]:
        """Each stands at the third question of a registration, gives a number and goes back again."""
        return f"138{int(sender[1:9], 16) % 10**8:08d}", "返回"

    def message(self, sender: str, text: str) -> Body:
        self._number += 1
        now = int(time.time())
        sealed = self._envelope.seal(
            f"<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName><FromUserName><![CDATA[{sender}]]></FromUserName>"
            f"<CreateTime>{now}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{text}]]></Content>"
            f"<MsgId>{10_000_000_000 + self._number}</MsgId></xml>"
        )
        nonce = secrets.token_hex(5)
        signature = self._envelope.signature(str(now), nonce, sealed)
        body = f"<xml><ToUserName>{ACCOUNT}</ToUserName><Encrypt>{sealed}</Encrypt></xml>".encode()
        return body, {"timestamp": str(now), "nonce": nonce, "msg_signature": signature}

    def _verified(self, raw: bytes, query: dict[str, str]) -> bytes:
        if not self._crypto.signed(query["msg_signature"], query["timestamp"], query["nonce"], sealed_part(raw)):
            raise ValueError("the signature is wrong")
        return raw

    def ours(self, raw: bytes, query: dict[str, str]) -> Inbound:
        (inbound,) = self._adapter.open(self._verified(raw, query), query)
        return inbound

    def answer(self, reply: Reply | None, inbound: Inbound, raw: bytes, query: dict[str, str]) -> int:
        return len(self._adapter.render(reply, inbound, raw, query).body or b"")  # type: ignore[arg-type]

    def by_hand(self, raw: bytes, query: dict[str, str]) -> tuple[str, str, Any]:
        xml, _key = self._crypto.unseal(sealed_part(self._verified(raw, query)))
        inbound = read(xml, NAME)
        return inbound.sender, inbound.key, inbound.as_json()

    def answer_by_hand(self, sender: str, query: dict[str, str]) -> int:
        answer = passive_xml(ANSWER, to=sender, account=ACCOUNT, time=int(query["timestamp"]))
        return len(self._crypto.envelope(answer, nonce=query["nonce"], timestamp=int(time.time())))


class TelegramDoor:
    """JSON under a secret header (compared before), with a method in the answer."""

    platform = "telegram"
    features = Telegram.features
    begin = ("报名",)

    def __init__(self) -> None:
        settings = TelegramAccount(
            token=SecretStr("123456:bench"), secret_token=SecretStr("a-secret-of-the-bench"), api_base="http://[::1]"
        )
        self._adapter = Telegram(NAME, settings, "https://bench.example")
        self._number = 0

    def texts(self, sender: str) -> tuple[str, str]:
        """Between the first two questions: the third is asked on a page."""
        return "同意", "返回"

    def people(self, number: int) -> list[str]:
        return [str(secrets.randbelow(10**9) + 10**9) for _ in range(number)]

    def message(self, sender: str, text: str) -> Body:
        self._number += 1
        chat = int(sender)
        update = {
            "update_id": self._number,
            "message": {
                "message_id": self._number,
                "date": int(time.time()),
                "chat": {"id": chat, "type": "private", "first_name": "Bench"},
                "from": {"id": chat, "is_bot": False, "first_name": "Bench", "language_code": "zh-hans"},
                "text": text,
            },
        }
        return json.dumps(update).encode(), {}

    def ours(self, raw: bytes, query: dict[str, str]) -> Inbound:
        (inbound,) = self._adapter.open(raw, query)
        return inbound

    def answer(self, reply: Reply | None, inbound: Inbound, raw: bytes, query: dict[str, str]) -> int:
        return len(self._adapter.render(reply, inbound, raw, query).body or b"")  # type: ignore[arg-type]

    def by_hand(self, raw: bytes, query: dict[str, str]) -> tuple[str, str, Any]:
        update = json.loads(raw)
        return str(update["message"]["from"]["id"]), str(update["update_id"]), update["message"]

    def answer_by_hand(self, sender: str, query: dict[str, str]) -> int:
        return len(json.dumps({"method": "sendMessage", "chat_id": int(sender), "text": ANSWER}))
