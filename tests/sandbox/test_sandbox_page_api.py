"""The phone page's API: state, events, the clock, and who is let in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.loopback import is_loopback
from bot.sandbox.journal import Journal
from bot.sandbox.sandbox import Sandbox


async def test_six_invented_people_are_there_at_the_start(play: Any) -> None:
    async with play() as ground:
        state = await ground.get("/state")
        people = state["people"]
        assert [person["name"] for person in people] == ["阿林", "陈老师", "小海妈妈", "何主任", "小海", "Ah Ming"]
        assert {len(person["wechat"]["openid"]) for person in people} == {28}
        assert all(person["wechat"]["openid"].startswith("o6_") for person in people)
        assert len({person["telegram"]["id"] for person in people}) == 6
        assert state["accounts"]["telegram"]["mode"] == "webhook"
        assert state["clock"]["zone"] == "Asia/Shanghai"
        status, person = await ground.post("/people", {"name": "阿月", "note": "义工"})
        assert (status, person["id"]) == (201, "p7")
        assert (await ground.post("/people", {"name": " "}))[0] == 400


async def test_an_added_person_may_have_apps_in_english(play: Any) -> None:
    async with play() as ground:
        _, person = await ground.post("/people", {"name": "Sunny", "note": "", "language": "en"})
        await ground.begin(person["id"])
        assert ground.product.updates[-1]["message"]["from"]["language_code"] == "en"
        commands = [{"command": "start", "description": "Start"}]
        await ground.tg("setMyCommands", commands=commands, language_code="en")
        assert (await ground.get(f"/chats/telegram/{person['id']}"))["commands"] == commands
        assert (await ground.get("/chats/telegram/p1"))["commands"] == []
        status, answer = await ground.post("/people", {"name": "x", "note": "", "language": "xx"})
        assert (status, answer["code"]) == (400, "language")


async def test_events_go_on_where_a_page_left_off(play: Any, events: Any) -> None:
    async with play() as ground:
        await ground.follow()
        since = (await ground.get("/state"))["seq"]
        message = await ground.act("wechat", do="text", text="在吗")
        await ground.state_of("wechat", message, "delivered")
        seen = await events(ground, since, 3)
        assert [event["type"] for event in seen] == ["message", "wire", "status"]
        assert seen[0]["message"]["id"] == seen[2]["message_id"] == message
        assert (seen[2]["state"], seen[2]["platform"], seen[2]["person"]) == ("delivered", "wechat", "p1")
        assert [event["seq"] for event in seen] == [since + 1, since + 2, since + 3]
        later = await events(ground, 0, 1, headers={"Last-Event-ID": str(since + 2)})
        assert later == seen[2:]


async def test_a_page_gets_what_happens_while_it_listens(play: Any, events: Any) -> None:
    async with play() as ground:
        since = (await ground.get("/state"))["seq"]
        reading = asyncio.create_task(events(ground, since, 2))
        await asyncio.sleep(0.1)
        await ground.act("wechat", do="follow")
        following, message = await reading
        assert (following["type"], following["wechat"]["following"]) == ("following", True)
        assert message["message"]["kind"] == "event"


async def test_a_page_from_too_long_ago_or_another_life_is_told_to_read_anew(play: Any, events: Any) -> None:
    async with play() as ground:
        seq = (await ground.get("/state"))["seq"]
        (told,) = await events(ground, seq + 500, 1)
        assert told["type"] == "reload"
        assert told["seq"] <= seq + 1


def test_the_journal_holds_a_bounded_number_of_events() -> None:
    journal = Journal(seq=10, size=3)
    assert journal.after(10) == []
    for _ in range(5):
        journal.add("wire")
    assert [event["seq"] for event in journal.after(12) or []] == [13, 14, 15]
    assert journal.after(11) is None
    assert journal.after(9) is None
    assert journal.after(16) is None


async def test_a_silent_stream_says_it_is_still_there(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.sandbox.routes.HEARTBEAT", 0.1)
    async with play() as ground:
        since = (await ground.get("/state"))["seq"]
        async with ground.http.get(f"{ground.base}/sandbox/api/events", params={"since": str(since)}) as response:
            async with asyncio.timeout(5):
                async for line in response.content:
                    if line.startswith(b": still here"):
                        break


async def test_reset_brings_strangers_and_leaves_the_accounts_set_up(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        await ground.wx("menu/create", {"button": [{"type": "click", "name": "签到", "key": "in"}]})
        before = await ground.openid()
        assert (await ground.post("/reset", {}))[0] == 200
        assert await ground.openid() != before
        assert await ground.chat("wechat") == []
        state = await ground.get("/state")
        assert state["accounts"]["wechat"]["menu"][0]["key"] == "in"
        assert not state["people"][0]["wechat"]["following"]


async def test_a_reply_after_a_reset_does_not_reach_the_stranger(play: Any) -> None:
    async with play() as ground:
        await ground.follow()

        async def late(delivery: dict[str, Any], _count: int) -> str:
            await asyncio.sleep(0.3)
            return ground.product.reply(delivery, "迟到的回复")

        ground.product.wechat = late
        await ground.act("wechat", do="text", text="在吗")
        await ground.post("/reset", {})
        await asyncio.sleep(0.5)
        assert await ground.chat("wechat") == []


async def test_a_chat_says_up_to_which_event_it_is_told(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        chat = await ground.get("/chats/wechat/p1")
        assert chat["seq"] == (await ground.get("/state"))["seq"]
        assert [message["note"] for message in chat["messages"]] == [{"code": "followed"}]


async def test_the_page_sees_the_clock_run_while_it_is_moved(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.sandbox.routes.CLOCK_NEWS", 0.02)
    async with play() as ground:

        async def in_steps(seconds: int) -> None:
            for _ in range(4):
                await ground.clock.advance(seconds // 4)
                await asyncio.sleep(0.05)

        ground.sandbox._page._advance = in_steps
        since = (await ground.get("/state"))["seq"]
        await ground.post("/clock", {"advance_seconds": 4 * 86_400})
        told = [
            e["clock"]["offset_seconds"] for e in ground.sandbox.phones.journal.after(since) if e["type"] == "clock"
        ]
        assert told == sorted(told)
        assert {86_400, 2 * 86_400, 3 * 86_400} <= {round(offset, -2) for offset in told}
        assert abs(told[-1] - 4 * 86_400) <= 1


async def test_the_clock_moves_forward_only(play: Any) -> None:
    async with play() as ground:
        status, answer = await ground.post("/clock", {"advance_seconds": 86_400})
        assert status == 200
        assert abs(answer["clock"]["offset_seconds"] - 86_400) <= 1
        journal = ground.sandbox.phones.journal
        assert [event["type"] for event in journal.after(journal.seq - 1)] == ["clock"]
        for wrong in (0, -5, 1.5, "7", True, 10**10):
            assert (await ground.post("/clock", {"advance_seconds": wrong}))[0] == 400
        assert (await ground.chat("wechat")) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example:8080"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_other_hosts_and_other_origins_are_refused(play: Any, headers: dict[str, str]) -> None:
    async with play() as ground:
        status, answer = await ground.post("/people", {"name": "贼", "note": ""}, headers=headers)
        assert (status, answer["code"]) == (403, "forbidden")
        assert len((await ground.get("/state"))["people"]) == 6


@pytest.mark.parametrize("path", ["/sandbox/api/state", "/sandbox/api/events", "/sandbox/telegram-api/bot1:abc/getMe"])
async def test_a_foreign_host_may_not_even_read(play: Any, path: str) -> None:
    async with play() as ground, ground.http.get(ground.base + path, headers={"Host": "evil.example"}) as response:
        assert response.status == 403


async def test_the_own_origin_is_welcome(play: Any) -> None:
    async with play() as ground:
        headers = {"Origin": ground.base, "Sec-Fetch-Site": "same-origin"}
        assert (await ground.post("/people", {"name": "阿月", "note": ""}, headers=headers))[0] == 201


@pytest.mark.parametrize(
    ("netloc", "expected"),
    [
        ("127.0.0.1:8080", True),
        ("localhost", True),
        ("[::1]:8080", True),
        ("127.9.9.9", True),
        ("[::ffff:127.0.0.1]", True),
        ("0.0.0.0:8080", False),
        ("10.0.0.1", False),
        ("evil@127.0.0.1", False),
        ("", False),
        ("[::1", False),
        ("2130706433", False),
    ],
)
def test_loopback_is_told_by_its_number(netloc: str, expected: bool) -> None:
    assert is_loopback(netloc) is expected


async def test_bodies_over_64_kib_are_refused(play: Any) -> None:
    async with play() as ground:
        status, answer = await ground.post("/people", {"name": "x", "note": "x" * 65_536})
        assert (status, answer["code"]) == (413, "too_large")

        async def endless() -> Any:
            for _ in range(100):
                yield b" " * 1024

        url = f"{ground.base}/sandbox/api/people"
        async with ground.http.post(url, data=endless()) as response:
            assert response.status == 413


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"do": "fly"},
        {"do": "text"},
        {"do": "text", "text": "  "},
        {"do": "text", "text": 7},
        {"do": "text", "text": "x", "repeat": 99},
        {"do": "press", "message_id": "m999", "button_id": "b0"},
        {"do": "location", "latitude": 91, "longitude": 0},
        {"do": "location", "latitude": "x", "longitude": 0},
        {"do": "scan", "scene": "x" * 65},
        {"do": "follow"},
    ],
)
async def test_what_a_phone_cannot_do_is_answered_with_a_plain_sentence(play: Any, body: dict[str, Any]) -> None:
    async with play() as ground:
        await ground.follow()
        status, answer = await ground.post("/chats/wechat/p1/act", body)
        assert 400 <= status < 500
        assert answer["error"].endswith("。")
        assert all(f"{value}" in answer["error"] for value in answer.get("fields", {}).values())
        assert answer["code"].isascii()
        assert (await ground.post("/chats/nowhere/p1/act", {"do": "text", "text": "x"}))[0] == 404
        assert (await ground.post("/chats/wechat/p99/act", {"do": "text", "text": "x"}))[0] == 404


async def test_control_letters_reach_the_product_harmlessly_and_half_letters_not_at_all(play: Any) -> None:
    async with play() as ground:
        await ground.follow()
        message = await ground.act("wechat", do="text", text="好\x07了")
        await ground.state_of("wechat", message, "delivered")
        assert ground.product.received[-1]["parsed"].content == "好了"
        status, answer = await ground.post("/chats/wechat/p1/act", {"do": "text", "text": "好\ud83d"})
        assert (status, answer["code"]) == (400, "json")


async def test_the_page_and_its_files_are_served_and_nothing_beside_them(play: Any) -> None:
    async with play() as ground:
        for path in ("/sandbox", "/sandbox/"):
            async with ground.http.get(ground.base + path) as response:
                assert (response.status, response.content_type) == (200, "text/html")
                assert response.headers["X-Content-Type-Options"] == "nosniff"
        for path in (
            "/sandbox/static/..%2f..%2fsandbox.py",
            "/sandbox/static/%2e%2e/sandbox.py",
            "/sandbox/static/none",
        ):
            async with ground.http.get(ground.base + path) as response:
                assert response.status == 404


async def test_an_uploaded_page_is_never_served_as_a_page(play: Any) -> None:
    async with play() as ground:
        from bot.sandbox.media import File

        media_id = ground.sandbox._page._media.put(File("file", "text/html", "x.html", b"<script>1</script>"))
        async with ground.http.get(f"{ground.base}/sandbox/media/{media_id}") as response:
            assert response.content_type == "application/octet-stream"


def test_the_sandbox_plays_on_this_machine_only(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="only on this machine"):
        Sandbox("http://example.org", tmp_path, *_accounts(), advance=_never, now=lambda: None)


async def _never(_seconds: int) -> None:
    raise AssertionError("nobody moved the clock")


def _accounts() -> tuple[Any, Any]:
    from pydantic import SecretStr

    from config.settings import TelegramAccount, WeChatAccount

    key = SecretStr("q1Os1ZMe0nG28KUEx9lg3HjK7V5QyXvi212fzsgDqgz")
    wechat = WeChatAccount(appid="wx1", secret=SecretStr("s"), token=SecretStr("t"), encoding_aes_key=key)
    return wechat, TelegramAccount(token=SecretStr("1:abc"))


async def test_stopping_does_not_wait_for_open_streams(play: Any) -> None:
    loop = asyncio.get_running_loop()
    async with play(mode="polling") as ground:
        stream = await ground.http.get(f"{ground.base}/sandbox/api/events")
        poll = asyncio.create_task(ground.tg("getUpdates", timeout=30))
        await asyncio.sleep(0.1)
        began = loop.time()
        await ground.sandbox.stop()
        assert (await poll)["result"] == []
        async with asyncio.timeout(3):
            await stream.content.read()
        assert loop.time() - began < 2
