"""The page on which a person allows one message: who is led where, and which returns count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlmodel import select

from bot.app import App
from bot.platforms import wechat_once
from bot.platforms.wechat import WeChat
from config.cards import CARDS, Once
from config.catalogue import rules
from handlers import granted
from handlers.message import Reply
from models.channel import ChannelGrant
from models.database import Database, DatabaseAway
from models.person import Person, door_of
from tests.chatting import PUBLIC, Chat
from tests.conftest import StoppedClock
from tests.people import follow, unfollow
from tests.phones import APPID, Exchange, Stage

SCENE, TEMPLATE = "1000", "T-once_1"
BASE = "https://mp.weixin.qq.com"
Web = TestClient[Any, Any]


@pytest.fixture
async def app(database: Database, tmp_path: Path) -> AsyncIterator[App]:
    exchange = Exchange()
    await exchange.server.start_server()
    made = Stage(database, tmp_path / "spool", exchange).app()
    with_scene(made, int(SCENE))
    yield made
    await exchange.server.close()


def with_scene(app: App, scene: int) -> None:
    """As the account has it whose ONCE is set."""
    account = cast(WeChat, app.platforms["wechat", "test"])
    asks = wechat_once.asks(APPID, Once(TEMPLATE, scene), BASE)
    account.channels = tuple(
        replace(channel, cards=dict.fromkeys(CARDS, str(scene)), asks=asks) if channel.name == "once" else channel
        for channel in account.channels
    )


@pytest.fixture
async def web(app: App) -> AsyncIterator[Web]:
    async with TestClient(TestServer(app.web)) as client:
        yield client


@pytest.fixture
def alin(database: Database) -> Chat:
    chat = Chat(database)
    follow(chat)
    return chat


def offered(chat: Chat, subject: str = SCENE, public_url: str = PUBLIC) -> Reply:
    """What the words 开通提醒 say."""
    with chat.database.write() as session:
        door = door_of(session, chat.platform, "test", chat.sender)
        assert door is not None
        session.info["here"] = replace(chat.here(door.id), public_url=public_url)
        return granted.offer(session, session.get_one(Person, door.person_id), "once", subject)


def link(chat: Chat) -> str:
    """The path of the link in the chat."""
    (found,) = offered(chat).links
    return found.url.removeprefix(PUBLIC)


async def led(web: Web, path: str) -> dict[str, str]:
    """What WeChat's page is asked, read from the address that a link leads to."""
    answer = await web.get(path, allow_redirects=False)
    assert answer.status == 302
    at = urlsplit(answer.headers["Location"])
    assert (f"{at.scheme}://{at.netloc}{at.path}", at.fragment) == (f"{BASE}/mp/subscribemsg", "wechat_redirect")
    return {name: value for name, (value,) in parse_qs(at.query, strict_parsing=True).items()}


def confirmed(asked: dict[str, str], **other: str | None) -> dict[str, str]:
    """The query of a return after 允许; None takes a part away."""
    said: dict[str, str | None] = {
        "openid": "alin",
        "template_id": asked["template_id"],
        "action": "confirm",
        "scene": asked["scene"],
        "reserved": asked["reserved"],
        **other,
    }
    return {name: value for name, value in said.items() if value is not None}


def open_grants(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        rows = session.exec(select(ChannelGrant)).all()
        return [(row.channel, row.subject) for row in rows if row.ended_at is None]


def back(asked: dict[str, str]) -> str:
    return asked["redirect_url"].removeprefix(PUBLIC)


async def test_the_link_leads_to_the_page_of_wechat_and_names_the_account_only_there(web: Web, alin: Chat) -> None:
    said = offered(alin)
    assert APPID not in str(said)
    path = said.links[0].url.removeprefix(PUBLIC)
    asked = await led(web, path)
    assert (asked["action"], asked["appid"], asked["scene"], asked["template_id"]) == (
        "get_confirm",
        APPID,
        SCENE,
        TEMPLATE,
    )
    assert asked["reserved"].isalnum() and len(asked["reserved"]) == 32
    assert asked["redirect_url"] == said.links[0].url.removesuffix("allow") + "allowed"
    assert asked == await led(web, path), "a preview that fetches the link changes nothing"


@pytest.mark.parametrize("slash", ["", "/"])
async def test_whoever_allows_gives_one_permission(web: Web, alin: Chat, database: Database, slash: str) -> None:
    asked = await led(web, link(alin))
    answer = await web.get(back(asked) + slash, params=confirmed(asked))
    assert answer.status == 200 and "可以关掉这一页了" in await answer.text()
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["Referrer-Policy"] == "no-referrer"
    assert open_grants(database) == [("once", SCENE)]


async def test_a_return_that_comes_again_gives_nothing_more(web: Web, alin: Chat, database: Database) -> None:
    path = link(alin)
    asked = await led(web, path)
    for status in (200, 404, 404):
        assert (await web.get(back(asked), params=confirmed(asked))).status == status
    assert (await web.get(path, allow_redirects=False)).status == 404
    assert open_grants(database) == [("once", SCENE)]


async def test_two_links_for_one_scene_give_one_permission_as_wechat_counts(
    web: Web, alin: Chat, database: Database
) -> None:
    first, second = await led(web, link(alin)), await led(web, link(alin))
    for asked in (first, second):
        assert (await web.get(back(asked), params=confirmed(asked))).status == 200
    assert open_grants(database) == [("once", SCENE)]


async def test_returns_at_the_same_moment_give_one_permission(web: Web, alin: Chat, database: Database) -> None:
    first, second = await led(web, link(alin)), await led(web, link(alin))
    answers = await asyncio.gather(
        *(web.get(back(asked), params=confirmed(asked)) for asked in (first, second) for _time in range(4))
    )
    assert sorted(answer.status for answer in answers) == [200] * 2 + [404] * 6
    assert open_grants(database) == [("once", SCENE)]


async def test_whoever_cancels_gives_nothing_and_may_think_again(web: Web, alin: Chat, database: Database) -> None:
    asked = await led(web, link(alin))
    answer = await web.get(back(asked), params=confirmed(asked, action="cancel", openid=None))
    assert answer.status == 200 and "没有开通" in await answer.text()
    assert open_grants(database) == []
    assert (await web.get(back(asked), params=confirmed(asked))).status == 200
    assert open_grants(database) == [("once", SCENE)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"openid": None},
        {"openid": ""},
        {"openid": "somebody"},
        {"openid": "ALIN"},
        {"openid": "alin" * 100},
        {"template_id": None},
        {"template_id": "T-other"},
        {"scene": None},
        {"scene": "1001"},
        {"scene": "01000"},
        {"scene": "١٠٠٠"},
        {"action": None},
        {"action": "CONFIRM"},
        {"action": "confirm\x00"},
        {"reserved": None},
        {"reserved": ""},
        {"reserved": "0" * 32},
        {"reserved": "é" * 32},
        {"reserved": "0" * 4_000},
    ],
)
async def test_a_return_that_is_not_the_answer_to_this_question_gives_nothing(
    web: Web, alin: Chat, database: Database, wrong: dict[str, str | None]
) -> None:
    asked = await led(web, link(alin))
    answer = await web.get(back(asked), params=confirmed(asked, **wrong))
    assert answer.status == 404 and "这个网页用不了了" in await answer.text()
    assert open_grants(database) == []
    assert (await web.get(back(asked), params=confirmed(asked))).status == 200, "and uses nothing up"


@pytest.mark.parametrize("twice", ["openid", "template_id", "action", "scene", "reserved"])
@pytest.mark.parametrize("same", [True, False])
async def test_a_part_that_stands_twice_gives_nothing(
    web: Web, alin: Chat, database: Database, twice: str, same: bool
) -> None:
    asked = await led(web, link(alin))
    query = [*confirmed(asked).items()]
    query.insert(0, (twice, confirmed(asked)[twice] if same else "x"))
    assert (await web.get(back(asked), params=query)).status == 404
    assert open_grants(database) == []


async def test_the_mark_of_another_persons_link_opens_nothing(web: Web, alin: Chat, database: Database) -> None:
    other = Chat(database, "bobo")
    follow(other)
    mine, theirs = await led(web, link(alin)), await led(web, link(other))
    for query in (
        confirmed(mine, reserved=theirs["reserved"]),
        confirmed(mine, openid="bobo"),
        confirmed(theirs, openid="bobo"),
    ):
        assert (await web.get(back(mine), params=query)).status == 404
    assert open_grants(database) == []


async def test_a_link_ends_with_its_time(web: Web, alin: Chat, database: Database, clock: StoppedClock) -> None:
    path = link(alin)
    asked = await led(web, path)
    clock.pass_time(timedelta(minutes=rules().doors.page_minutes))
    assert (await web.get(path, allow_redirects=False)).status == 404
    assert (await web.get(back(asked), params=confirmed(asked))).status == 404
    assert open_grants(database) == []


async def test_a_link_ends_when_the_person_leaves(web: Web, alin: Chat, database: Database) -> None:
    asked = await led(web, link(alin))
    unfollow(database, alin)
    assert (await web.get(back(asked), params=confirmed(asked))).status == 404
    assert open_grants(database) == []


async def test_a_link_ends_when_the_account_gets_another_scene(
    web: Web, app: App, alin: Chat, database: Database
) -> None:
    path = link(alin)
    asked = await led(web, path)
    with_scene(app, 1001)
    assert (await web.get(path, allow_redirects=False)).status == 404
    assert (await web.get(back(asked), params=confirmed(asked, scene="1001"))).status == 404
    assert open_grants(database) == []


async def test_only_a_get_is_an_answer(web: Web, alin: Chat, database: Database) -> None:
    path = link(alin)
    asked = await led(web, path)
    for method in ("HEAD", "POST", "PUT", "DELETE"):
        assert (await web.request(method, back(asked), params=confirmed(asked))).status == 405, method
        assert (await web.request(method, path, allow_redirects=False)).status == 405, method
    assert open_grants(database) == []


async def test_no_other_page_and_no_made_up_one_can_be_answered_so(web: Web, alin: Chat, database: Database) -> None:
    path = link(alin)
    asked = await led(web, path)
    page = path.removesuffix("/allow")
    assert (await web.get(page)).status == 404, "there is nothing to read on it"
    assert (await web.post(page, data={"answer": "好"})).status == 404
    alin.act("menu", menu="my_data")
    (data,) = [one.url.removeprefix(PUBLIC) for one in alin.said.links] or ["/p/" + "x" * 22]
    for token in (data, "/p/" + "x" * 22, "/p/x", "/p/" + "x" * 3_000, "/p/%00"):
        assert (await web.get(f"{token}/allow", allow_redirects=False)).status == 404
        assert (await web.get(f"{token}/allowed", params=confirmed(asked))).status == 404
    assert open_grants(database) == []


async def test_with_the_database_away_the_return_may_be_opened_again(
    web: Web, app: App, alin: Chat, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = link(alin)
    asked = await led(web, path)

    def away() -> Any:
        raise DatabaseAway("gone")

    with monkeypatch.context() as broken:
        broken.setattr(database, "write", away)
        assert (await web.get(back(asked), params=confirmed(asked))).status == 503
    with monkeypatch.context() as broken:
        broken.setattr(database, "read", away)
        assert (await web.get(path, allow_redirects=False)).status == 503
    assert open_grants(database) == []
    assert (await web.get(back(asked), params=confirmed(asked))).status == 200
    assert open_grants(database) == [("once", SCENE)]


async def test_the_words_say_what_is_so_at_each_time(web: Web, alin: Chat, database: Database) -> None:
    assert offered(alin, subject="").links == () and "不用开通" in offered(alin, subject="").text
    assert offered(alin, public_url="").links == () and "打不开网页" in offered(alin, public_url="").text
    assert "30 分钟内有效" in offered(alin).text
    asked = await led(web, link(alin))
    await web.get(back(asked), params=confirmed(asked))
    assert offered(alin).links == () and "已经开通了" in offered(alin).text
