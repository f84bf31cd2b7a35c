"""What the sandbox keeps over a restart, in its one file, and what a page that was open is told."""

from __future__ import annotations

import json
from typing import Any

import pytest


async def test_a_restart_keeps_people_chats_and_menus_but_not_what_was_on_its_way(play: Any, events: Any) -> None:
    async with play() as ground:
        await ground.follow()
        await ground.wx("menu/create", {"button": [{"type": "click", "name": "签到", "key": "in"}]})
        people = (await ground.get("/state"))["people"]
        seq = (await ground.get("/state"))["seq"]
        ground.product.sleep(0.5)
        lost = await ground.act("wechat", do="text", text="在吗")
    async with play() as again:
        state = await again.get("/state")
        assert state["people"] == people
        assert state["accounts"]["wechat"]["menu"][0]["key"] == "in"
        (told,) = await events(again, seq, 1)  # a page that slept through the restart
        assert told["type"] == "reload"
        chat = await again.chat("wechat")
        assert [message["text"] for message in chat] == ["关注了公众号", "在吗"]
        assert (chat[-1]["id"], chat[-1]["state"]) == (lost, "failed")


async def test_telegram_keeps_what_was_not_taken_over_a_restart(play: Any) -> None:
    async with play(mode="polling") as ground:
        await ground.act("telegram", do="follow")
        first = (await ground.tg("getUpdates"))["result"]
    async with play(mode="polling") as again:
        assert (await again.tg("getUpdates"))["result"] == first


async def test_a_broken_file_is_set_aside_and_said(play: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "sandbox.json").write_text('{"version": 99}')
    async with play() as ground:
        assert len((await ground.get("/state"))["people"]) == 6
    assert (tmp_path / "sandbox.broken").read_text() == '{"version": 99}'
    assert "could not be read" in caplog.text
    assert json.loads((tmp_path / "sandbox.json").read_text())["version"] == 1


async def test_the_file_is_written_soon_after_a_change(play: Any, tmp_path: Any) -> None:
    async with play() as ground:
        await ground.follow()

        async def written() -> bool:
            file = tmp_path / "sandbox.json"
            return file.exists() and "关注了公众号" in file.read_text()

        await ground.until(written)
        assert not (tmp_path / "sandbox.json.new").exists()


async def test_an_open_page_need_not_ask_for_what_a_restart_forgot(play: Any, events: Any) -> None:
    async with play() as ground:
        await ground.follow()
    async with play() as again:
        state = await again.get("/state")
        first = (await events(again, state["oldest"], 1))[0]
        assert first["type"] == "wire"  # the check of the address, and no word of anything lost
        (lost,) = await events(again, state["oldest"] - 1, 1)
        assert (lost["type"], lost["lost"]) == ("reload", True)


async def test_a_file_of_an_earlier_version_keeps_its_chats(play: Any, tmp_path: Any) -> None:
    async with play() as ground:
        await ground.follow()
    file = tmp_path / "sandbox.json"
    document = json.loads(file.read_text())
    (message,) = document["chats"]["wechat:p1"]["messages"]
    del message["note"], document["people"]["p1"]["role"]
    message |= {"state": "failed", "detail": "微信已放弃"}
    file.write_text(json.dumps(document))
    async with play() as again:
        (kept,) = await again.chat("wechat")
        assert (kept["text"], kept["state"], kept["detail"]) == ("关注了公众号", "failed", {})
        assert (await again.person())["role"] == ""
