"""`/q/<scene>`: what a printed code says leads into every account; and the page with an activity's code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from bot.app import App
from models import activities, activity_codes, station
from models.activities import New
from models.beneficiary import MACHINE
from models.database import Database, now_of
from models.page import issue_page
from tests.chatting import Chat
from tests.conftest import StoppedClock
from tests.guarded import KEEP_OUT
from tests.guarded import app as app
from tests.guarded import web as web
from tests.people import alin as alin


class Ways:
    """Stands for a platform's own call; `asked` are the scenes."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: list[str] = []

    async def __call__(self, scene: str, *, deadline: float) -> str:
        self.asked.append(scene)
        return self.address.format(scene=scene) if self.address else ""


@pytest.fixture
def ways(app: App, monkeypatch: pytest.MonkeyPatch) -> dict[str, Ways]:
    addresses = {"wechat": "http://weixin.qq.com/q/{scene}", "telegram": "https://t.me/nuanyang_bot?start={scene}"}
    made = {kind: Ways(address) for kind, address in addresses.items()}
    for (kind, _name), platform in app.platforms.items():
        monkeypatch.setattr(platform, "way_in", made[kind])
    return made


@pytest.fixture
def number(database: Database) -> str:
    with database.write() as session:
        return station.create(session, MACHINE, "五山V站", "v_station", "440106").number


async def test_one_link_leads_into_both(web: TestClient[Any, Any], ways: dict[str, Ways], number: str) -> None:
    for _time in range(3):
        response = await web.get(f"/q/s_{number}")
        page = await response.text()
        assert response.status == 200 and f"https://t.me/nuanyang_bot?start=s_{number}" in page
        assert page.count("data:image/svg+xml") == 1 and "长按" in page
        assert {name: response.headers[name] for name in KEEP_OUT} == KEEP_OUT
    assert [way.asked for way in ways.values()] == [[f"s_{number}"]] * 2, "each is asked once, and not again for a day"


@pytest.mark.parametrize("scene", ["s_0000000000", "d_" + "A" * 22, "x", "d_%00", "s_" + "9" * 500, "..%2f..%2fetc"])
async def test_what_never_was_asks_no_platform(web: TestClient[Any, Any], ways: dict[str, Ways], scene: str) -> None:
    assert (await web.get(f"/q/{scene}")).status == 404
    assert [way.asked for way in ways.values()] == [[], []]


async def test_a_platform_that_gives_no_way_now_is_left_out_and_asked_again(
    web: TestClient[Any, Any], ways: dict[str, Ways], number: str
) -> None:
    ways["wechat"].address = ways["telegram"].address = ""
    for _time in range(2):
        response = await web.get(f"/q/s_{number}")
        assert response.status == 503 and "过一会儿再扫" in await response.text()
    assert len(ways["wechat"].asked) == 2


async def test_the_page_with_a_code_renews_itself_as_long_as_its_reader_leads(
    web: TestClient[Any, Any], database: Database, clock: StoppedClock, alin: Chat
) -> None:
    with database.write() as session:
        now = now_of(session)
        new = New("周末读书会", now, now + timedelta(hours=2), "study", "440106", alin.person().id)
        event = activities.create(session, MACHINE, new)
        lasts = timedelta(days=1)
        token = issue_page(session, alin.person().id, "data", {"activity_code": event.id}, lasts=lasts)
        code = activity_codes.current(session, event)
    response = await web.get(f"/p/{token}")
    page = await response.text()
    assert f"{code.digits[:3]} {code.digits[3:]}" in page and "周末读书会" in page
    assert response.headers["Refresh"] == str(code.seconds + 1)
    assert {name: response.headers[name] for name in KEEP_OUT} == KEEP_OUT
    clock.pass_time(timedelta(seconds=60))
    assert f"{code.digits[:3]} {code.digits[3:]}" not in await (await web.get(f"/p/{token}")).text()
    clock.pass_time(timedelta(hours=2))
    assert (await web.get(f"/p/{token}")).status == 404
