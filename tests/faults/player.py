"""Both platforms and the people on them, played in a process of their own with a log of their own.

It knows nothing of the product but its addresses and secrets, and seals WeChat's envelopes with other people's code
(wechatpy). What was lost or doubled is decided here, by what people were answered, never by the product's tables.

Each person registers: seven messages, each sent again until it is acknowledged, as a platform does (though WeChat would
stop after three), the next one only after the answer to the last. A message without its effect, or with two, shows at
once: the answer is not the one that belongs to the step.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from wechatpy.crypto import WeChatCrypto

APPID, SECRET, TOKEN = "wx0123456789abcdef", "app-secret", "AAAAA"
AES_KEY = "q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgz"
BOT_TOKEN, BOT_SECRET = "123456789:AA-player_token", "a-secret-hook-of-the-player"
ACCOUNT = "fault"
CUT, PATIENCE = 5.0, 120.0  # seconds: WeChat's cut; how long a person waits for an answer
AGAIN = "（补发，如已收到请忽略）"
NAMES = "一二三四五六七八九十"
STEPS = (
    ("报名", "隐私说明"),
    ("同意", "请写你的姓名"),
    ("{name}", "请写你的手机号"),
    ("{phone}", "你的出生日期"),
    ("1999-05-06", "你在哪个县"),
    ("广州天河", "提交"),
    ("提交", "注册成功"),
)


@dataclass
class Found:
    """What is counted: `lost` and `doubled` must be 0; `again` are answers that came again and said so."""

    acknowledged: int = 0
    repeats: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    different: int = 0
    again: int = 0
    late: int = 0
    slowest: float = 0.0
    numbers: list[str] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)  # messages by their words, and how often each came


@dataclass
class Person:
    """`heard` are the answers to the message under way; `before` those to earlier ones."""

    platform: str
    sender: str
    words: dict[str, str]
    heard: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, text: str, found: Found) -> None:
        """An answer came, by whatever way."""
        plain = text.removeprefix(AGAIN).strip()
        if text.startswith(AGAIN):
            found.again += 1
        if plain in self.heard or plain in self.before:
            found.doubled += not text.startswith(AGAIN)
            return
        self.heard.append(plain)
        self.news.set()


class Player:
    """The platforms' side of the wire."""

    def __init__(self, target: str, log: Path, seed: int, pace: float) -> None:
        self.target, self.pace, self.busy = target, pace, 0.0
        self.found = Found()
        self.people: dict[str, Person] = {}
        self._crypto = WeChatCrypto(TOKEN, AES_KEY, APPID)
        self._random = random.Random(seed)
        self._log = log.open("a", encoding="utf-8", buffering=1)
        self._number = self._random.randrange(10**6, 10**9)

    def note(self, what: str, **facts: Any) -> None:
        """A line of the log: what the player saw, and when."""
        self._log.write(json.dumps({"at": time.time(), "what": what, **facts}, ensure_ascii=False) + "\n")

    # --- what the product calls ---

    async def wechat(self, request: web.Request) -> web.Response:
        """The Official Account's API: everything is taken, and messages are heard by their receivers."""
        path = request.path.partition("/cgi-bin/")[2]
        if path == "stable_token":
            return web.json_response({"access_token": "token-of-the-player", "expires_in": 7200})
        body = await request.json() if request.can_read_body else {}
        if path == "message/custom/send":
            kind = body["msgtype"]
            text = body[kind].get("content") or body[kind].get("head_content", "")
            self.call(body["touser"], text)
            await self._take_time()
        if path == "tags/get":
            return web.json_response({"tags": []})
        if path == "tags/create":
            return web.json_response({"tag": {"id": self._next(), "name": body["tag"]["name"]}})
        return web.json_response({"errcode": 0, "errmsg": "ok", "tagid_list": [], "menuid": "1"})

    async def telegram(self, request: web.Request) -> web.Response:
        """The Bot API."""
        method = request.match_info["method"]
        body = dict(await request.post()) if request.content_type != "application/json" else await request.json()
        if method == "sendMessage":
            self.call(str(body["chat_id"]), str(body["text"]))
            await self._take_time()
            chat = {"id": int(str(body["chat_id"])), "type": "private"}
            sent = {"message_id": self._next(), "date": int(time.time()), "chat": chat}
            return web.json_response({"ok": True, "result": sent})
        me = {"id": 123456789, "is_bot": True, "first_name": "player", "username": "player_bot"}
        return web.json_response({"ok": True, "result": me if method == "getMe" else True})

    def call(self, sender: str, text: str) -> None:
        """A message that came by the API and not as an answer."""
        self.note("call", sender=sender, text=text)
        self.found.calls[text] = self.found.calls.get(text, 0) + 1
        if sender in self.people:
            self.people[sender].hear(text, self.found)

    async def _take_time(self) -> None:
        """What a platform takes until it answers; a process that dies meanwhile never learns the outcome."""
        if self.busy:
            await asyncio.sleep(self._random.uniform(0, self.busy))

    def _next(self) -> int:
        self._number += 1
        return self._number

    # --- what people do ---

    async def register(self, http: aiohttp.ClientSession, person: Person) -> None:
        """One person's whole talk."""
        for words, expected in STEPS:
            await asyncio.sleep(self._random.uniform(0, self.pace))
            person.before += person.heard
            person.heard, person.news = [], asyncio.Event()
            await self.say(http, person, words.format(**person.words))
            try:
                async with asyncio.timeout(PATIENCE):
                    await person.news.wait()
            except TimeoutError:
                self.found.lost += 1
                self.note("lost", sender=person.sender, step=expected)
                return
            if expected not in person.heard[0]:
                self.found.wrong += 1
                self.note("wrong", sender=person.sender, step=expected, heard=person.heard[0])
                return
        number = re.search(r"\d{10}", person.heard[0])
        self.found.numbers.append(number.group() if number else "")

    async def say(self, http: aiohttp.ClientSession, person: Person, words: str) -> None:
        """Send one update until it is acknowledged; sometimes twice at once, as platforms do."""
        number, at = self._next(), int(time.time())
        answers: set[str] = set()
        while True:
            twice = self._random.random() < 0.1
            tries = [self._post(http, person, words, number, at) for _ in range(1 + twice)]
            came = [answer for answer in await asyncio.gather(*tries) if answer is not None]
            self.found.repeats += len(tries) - 1
            if came:
                break
            self.found.repeats += 1
            await asyncio.sleep(0.3)
        self.found.acknowledged += 1
        answers |= {answer for answer in came if answer}
        self.found.different += len(answers) > 1
        for answer in answers:
            person.hear(answer, self.found)

    async def _post(self, http: aiohttp.ClientSession, person: Person, words: str, number: int, at: int) -> str | None:
        """The text of the answer, empty for none; None = not acknowledged."""
        began = time.monotonic()
        try:
            if person.platform == "wechat":
                answer = await self._post_wechat(http, person.sender, words, number, at)
            else:
                answer = await self._post_telegram(http, person.sender, words, number, at)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            self.note("not acknowledged", key=number, why=type(error).__name__)
            return None
        took = time.monotonic() - began
        self.found.slowest = max(self.found.slowest, took)
        self.found.late += took > CUT
        self.note("acknowledged", key=number, took=round(took, 3), answer=answer)
        return answer

    async def _post_wechat(self, http: aiohttp.ClientSession, sender: str, words: str, number: int, at: int) -> str:
        xml = (
            f"<xml><ToUserName><![CDATA[gh_player]]></ToUserName><FromUserName><![CDATA[{sender}]]></FromUserName>"
            f"<CreateTime>{at}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{words}]]></Content>"
            f"<MsgId>{number}</MsgId></xml>"
        )
        now, nonce = str(int(time.time())), str(self._random.randrange(10**9))
        sealed = self._crypto.encrypt_message(xml, nonce, now)
        encrypted = re.search(r"<Encrypt><!\[CDATA\[(.*?)\]\]></Encrypt>", sealed, re.DOTALL)
        signature = re.search(r"<MsgSignature><!\[CDATA\[(.*?)\]\]></MsgSignature>", sealed)
        assert encrypted and signature
        query = {"timestamp": now, "nonce": nonce, "msg_signature": signature.group(1), "encrypt_type": "aes"}
        body = f"<xml><ToUserName>gh_player</ToUserName><Encrypt>{encrypted.group(1)}</Encrypt></xml>"
        url = f"{self.target}/wechat/{ACCOUNT}"
        async with http.post(url, params=query, data=body.encode(), timeout=aiohttp.ClientTimeout(CUT)) as answer:
            answer.raise_for_status()
            text = await answer.text()
        if text == "success":
            return ""
        found = {
            name: re.search(rf"<{name}><!\[CDATA\[(.*?)\]\]></{name}>|<{name}>(.*?)</{name}>", text, re.DOTALL)
            for name in ("MsgSignature", "TimeStamp", "Nonce")
        }
        parts = {name: (match.group(1) or match.group(2)) if match else "" for name, match in found.items()}
        plain = self._crypto.decrypt_message(text, parts["MsgSignature"], parts["TimeStamp"], parts["Nonce"])
        content = re.search(r"<Content><!\[CDATA\[(.*?)\]\]></Content>", plain, re.DOTALL)
        return content.group(1) if content else ""

    async def _post_telegram(self, http: aiohttp.ClientSession, sender: str, words: str, number: int, at: int) -> str:
        chat = int(sender)
        message = {
            "message_id": number,
            "date": at,
            "chat": {"id": chat, "type": "private", "first_name": "P"},
            "from": {"id": chat, "is_bot": False, "first_name": "P", "language_code": "zh-hans"},
            "text": words,
        }
        headers = {"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET}
        url = f"{self.target}/telegram/{ACCOUNT}"
        update = {"update_id": number, "message": message}
        async with http.post(url, json=update, headers=headers, timeout=aiohttp.ClientTimeout(30)) as answer:
            answer.raise_for_status()
            text = await answer.text()
        return str(json.loads(text).get("text", "")) if text.startswith("{") else ""

    async def play(self, people: int, at_once: int) -> Found:
        """Everybody registers, so many at the same time."""
        gate = asyncio.Semaphore(at_once)

        async def one(number: int) -> None:
            wechat = number % 2 == 0
            sender = f"o{number:027d}" if wechat else str(7_000_000_000 + number)
            name = "林" + "".join(NAMES[int(digit)] for digit in f"{number:05d}"[-2:])
            person = Person("wechat" if wechat else "telegram", sender, {"name": name, "phone": f"138{number:08d}"})
            self.people[sender] = person
            async with gate:
                await self.register(http, person)

        async with aiohttp.ClientSession() as http:
            await asyncio.gather(*(one(number) for number in range(people)))
        return self.found


async def main() -> None:
    """Serve the API at a port that is printed; begin when the address of the product comes on standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--people", type=int, default=0, help="0 = nobody writes; what comes is counted until `end`")
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--pace", type=float, default=0.2)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--stragglers", type=float, default=2.0, help="seconds to wait at the end for what comes late")
    parser.add_argument("--busy", type=float, default=0.0, help="seconds that an answer of the platforms takes at most")
    asked = parser.parse_args()
    player = Player("", asked.log, asked.seed, asked.pace)
    player.busy = asked.busy
    app = web.Application()
    app.router.add_route("*", "/wechat/cgi-bin/{tail:.+}", player.wechat)
    app.router.add_route("*", "/telegram/bot{token}/{method}", player.telegram)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    player.target = (await asyncio.to_thread(sys.stdin.readline)).strip()
    if asked.people:
        await player.play(asked.people, asked.at_once)
        await asyncio.sleep(asked.stragglers)
    else:
        await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps(player.found.__dict__), flush=True)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
