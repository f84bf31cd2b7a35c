"""What the port promises (bot/platforms/base.py), kept by every platform over every database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlmodel import select

from bot.app import App
from bot.platforms import telegram_pace
from bot.platforms.base import Outcome, Platform, Rejected
from handlers import menu
from handlers.message import Inbound, Link, Option, Reply
from models.conversation import Conversation
from models.database import Database
from models.inbox import InboxMessage
from models.person import Door
from tests.phones import Shown, Stage
from tests.sides import Api, Side, TelegramSide, WeChatSide


@pytest.fixture(params=[WeChatSide, TelegramSide], ids=lambda side: side.name)
def side(request: pytest.FixtureRequest) -> Side:
    made: Side = request.param()
    return made


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    await made.server.start_server()
    yield made
    await made.server.close()


@pytest.fixture
def stage(database: Database, tmp_path: Path, api: Any) -> Stage:
    return Stage(database, tmp_path / "spool", api)


@pytest.fixture
async def app(stage: Stage) -> App:
    return stage.app()


@pytest.fixture
async def client(app: App) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(app.web)) as made:
        yield made


@pytest.fixture
def platform(app: App, side: Side, client: TestClient[Any, Any]) -> Platform:
    return app.platforms[side.name, "test"]


async def post(client: TestClient[Any, Any], made: dict[str, Any]) -> tuple[int, bytes]:
    more = dict(made)
    answer = await client.post(more.pop("path"), **more)
    return answer.status, await answer.read()


def loop_time() -> float:
    return asyncio.get_running_loop().time()


class TestContract:
    """One class for every platform and database."""

    READ: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("text", "你好 🙂 ]]> <b>", {"kind": "text", "text": "你好 🙂 ]]> <b>"}),
        ("choice", "x" * 22 + ":0", {"kind": "choice", "choice": "x" * 22 + ":0"}),
        ("menu", "register", {"kind": "menu", "menu": "register"}),
        ("follow", "", {"kind": "follow", "scene": ""}),
        ("follow", "g_ABCD2345", {"kind": "follow", "scene": "g_ABCD2345"}),
        ("unfollow", "", {"kind": "unfollow"}),
        ("sticker", "", {"kind": "media", "media_kind": "sticker"}),
        ("voice", "", {"kind": "media", "media_kind": "voice", "media_id": "m1"}),
        ("image", "", {"kind": "media", "media_kind": "image", "media_id": "m1"}),
        ("location", "", {"kind": "location"}),
        ("other", "", {"kind": "other"}),
    )

    @pytest.mark.parametrize(("what", "value", "wanted"), READ, ids=[f"{what}-{value[:6]}" for what, value, _ in READ])
    def test_it_reads_what_a_person_did(
        self, platform: Platform, side: Side, what: str, value: str, wanted: dict[str, Any]
    ) -> None:
        made = side.request(side.make(what, "alin", 70_000_001, value))
        (inbound,) = platform.open(made["data"], made.get("params", {}))
        for name, part in wanted.items():
            assert getattr(inbound, name) == part, name
        assert (inbound.platform, inbound.account, inbound.sender) == (side.name, "test", side.sender("alin"))
        assert inbound.sent_at.utcoffset() is not None
        assert inbound.key
        if what == "location":
            assert inbound.latitude == pytest.approx(23.1291, abs=2e-3), "WGS-84, whatever the platform counts in"
            assert inbound.longitude == pytest.approx(113.3612, abs=2e-3)
        assert Inbound.from_json(json.loads(json.dumps(inbound.as_json()))) == inbound, "it survives the spool"

    def test_a_repeat_has_the_same_key_and_another_update_another(self, platform: Platform, side: Side) -> None:
        def key(number: int, what: str = "text") -> str:
            made = side.request(side.make(what, "alin", number, "x"))
            return platform.open(made["data"], made.get("params", {}))[0].key

        for what in ("text", "menu", "follow", "sticker", "choice"):
            assert key(70_000_001, what) == key(70_000_001, what)
            assert key(70_000_001, what) != key(70_000_002, what)

    def test_whatever_the_bytes_are_it_raises_nothing_but_rejected(self, platform: Platform, side: Side) -> None:
        good = side.request(side.make("text", "alin", 1, "x"))["data"]
        for raw in (b"", b"\x00", b"{}", b"<xml/>", b"[" * 9_000, good[:40], good + b"x", b"\xff" * 99):
            try:
                for inbound in platform.open(raw, {}):
                    assert inbound.sender
            except Rejected as refusal:
                assert refusal.status in (400, 403)
                assert refusal.reason.isalpha()

    def reply(self) -> Reply:
        return Reply(
            "请选择。", (Option("p:0", "同意"), Option("p:1", "不同意")), (Link("https://a.example/p/x", "打开"),)
        )

    async def rendered(self, platform: Platform, side: Side, stage: Stage, reply: Reply | None) -> Shown | None:
        made = side.request(side.make("text", "alin", 70_000_001, "x"))
        query = made.get("params", {})
        (inbound,) = platform.open(made["data"], query)
        answer = platform.render(reply, inbound, made["data"], query)
        assert answer.status == 200
        body = answer.body or b""
        assert isinstance(body, bytes)
        return side.shown(stage, body)

    async def test_a_reply_shows_its_words_options_and_links(
        self, platform: Platform, side: Side, stage: Stage
    ) -> None:
        shown = await self.rendered(platform, side, stage, self.reply())
        assert shown is not None
        assert shown.text == "请选择。"
        assert [label for _id, label in shown.options] == ["同意", "不同意"]
        assert shown.links == [("https://a.example/p/x", "打开")]
        if platform.features.buttons:
            assert [option for option, _label in shown.options] == ["p:0", "p:1"]
        else:
            assert [option for option, _label in shown.options] == ["1", "2"], "numbers begin with 1"

    async def test_nothing_to_say_is_an_acknowledgement_without_words(
        self, platform: Platform, side: Side, stage: Stage
    ) -> None:
        assert await self.rendered(platform, side, stage, None) is None

    @pytest.mark.parametrize("length", [1, 600, 4_097, 30_000])
    async def test_what_is_too_long_is_cut_and_keeps_its_options(
        self, platform: Platform, side: Side, stage: Stage, length: int
    ) -> None:
        shown = await self.rendered(platform, side, stage, Reply("字" * length, self.reply().options))
        assert shown is not None
        assert len(shown.text) <= platform.features.max_text
        assert len(shown.options) == 2
        if length > platform.features.max_text:
            assert "已截短" in shown.text

    @pytest.mark.parametrize(
        "words", ["]]><Content>x", "<a href='https://evil.example'>x</a>", "\x00\ud800🙂", "&amp;"]
    )
    async def test_words_are_shown_as_they_are_and_become_nothing_else(
        self, platform: Platform, side: Side, stage: Stage, words: str
    ) -> None:
        shown = await self.rendered(platform, side, stage, Reply(f"前{words}后"))
        assert shown is not None
        assert shown.text.startswith("前")
        assert shown.text.endswith("后")
        assert shown.links == []
        assert "<a " not in shown.text or side.name == "telegram", "only there is it plain text"

    async def test_a_message_sent_says_so_and_arrives_as_it_was(self, platform: Platform, side: Side, api: Api) -> None:
        reply = Reply("请选择。", self.reply().options)
        outcome = await platform.send(side.sender("alin"), reply, key="k", deadline=loop_time() + 5)
        assert outcome.name == "sent"
        shown = side.sent(api.calls[-1])
        assert shown.text == "请选择。"
        assert shown.options == [("p:0", "同意"), ("p:1", "不同意")]

    @pytest.mark.parametrize("name", ["closed", "left", "refused", "stopped", "retry"])
    async def test_an_explicit_answer_has_its_name(self, platform: Platform, side: Side, api: Api, name: str) -> None:
        if name not in side.answers():
            pytest.skip("this platform has no such door")
        api.behaviour = side.answers()[name]
        outcome = await platform.send(side.sender("alin"), Reply("你好"), key="k", deadline=loop_time() + 5)
        assert outcome.name == name
        assert outcome.code
        if name == "retry":
            assert outcome.retry_after > 0

    @pytest.mark.parametrize("fault", ["5xx", "html", "cut", "slow"])
    async def test_what_may_have_arrived_is_uncertain(
        self, platform: Platform, side: Side, api: Api, fault: str
    ) -> None:
        async def broken(request: web.Request) -> web.StreamResponse:
            if fault == "slow":
                await asyncio.sleep(2)
            if fault == "cut":
                assert request.transport is not None
                request.transport.close()
            return web.Response(status=502 if fault == "5xx" else 200, text="<html>", content_type="text/html")

        api.behaviour = broken
        began = loop_time()
        patience = 1.0 if fault == "slow" else 5
        outcome = await platform.send(side.sender("alin"), Reply("你好"), key="k", deadline=began + patience)
        assert outcome.name == "uncertain"
        assert loop_time() - began < 3
        assert len(api.calls) == 1, "never sent again by itself"

    async def test_what_never_left_is_to_be_tried_again(self, platform: Platform, side: Side, api: Api) -> None:
        await api.server.close()
        outcome = await platform.send(side.sender("alin"), Reply("你好"), key="k", deadline=loop_time() + 3)
        assert outcome.name == "retry"
        assert api.calls == []

    async def test_menus_of_all_roles_are_put_up(self, platform: Platform, api: Api) -> None:
        menus = menu.columns() if platform.name == "wechat" else menu.commands()
        api.behaviour = None
        outcome: Outcome = await platform.install_menu({"volunteer": menus["volunteer"]})
        assert outcome.name == "sent"
        keys = [entry.key for column in menus["volunteer"] for entry in column.entries]
        said = json.dumps([body for _method, body in api.calls])
        assert all(key in said for key in keys)

    async def test_a_forged_call_has_no_effect(
        self, client: TestClient[Any, Any], side: Side, database: Database
    ) -> None:
        status, _content = await post(client, side.forged(side.make("text", "alin", 70_000_001, "报名")))
        assert status == 403
        with database.read() as session:
            assert session.exec(select(InboxMessage)).all() == []

    async def test_repeats_through_the_route_get_the_same_reply_and_have_one_effect(
        self, client: TestClient[Any, Any], side: Side, stage: Stage, database: Database
    ) -> None:
        made = side.request(side.make("text", "alin", 70_000_001, "报名"))
        shown = []
        for _time in range(3):
            status, content = await post(client, made)
            assert status == 200
            shown.append(side.shown(stage, content))
        assert shown[0] is not None
        assert "隐私说明" in shown[0].text
        assert shown[0] == shown[1] == shown[2]
        with database.read() as session:
            assert len(session.exec(select(InboxMessage)).all()) == 1
            assert session.exec(select(Conversation)).one().revision == 1

    async def test_leaving_and_coming_back_through_the_route(
        self,
        client: TestClient[Any, Any],
        side: Side,
        stage: Stage,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(telegram_pace, "BURST", 10.0)  # a person is slower than this test
        number = 70_000_000
        for what, value in (("follow", ""), ("text", "报名"), ("unfollow", ""), ("follow", "")):
            number += 1
            status, content = await post(client, side.request(side.make(what, "alin", number, value)))
            assert status == 200
            shown = side.shown(stage, content)
            assert (shown is None) == (what == "unfollow")
        assert shown is not None
        assert "你好，这里是暖阳" in shown.text
        with database.read() as session:
            assert len(session.exec(select(Door)).all()) == 1
