"""What `nuanyang doctor` says of how fast an account sends, and of the ways to whoever has been silent."""

from __future__ import annotations

import json

import pytest

from bot import doctor
from config.cards import CARDS
from tests.checkup import Configure, Played, of
from tests.checkup import configure as configure
from tests.checkup import played as played

WECHAT, TELEGRAM = "NUANYANG_WECHAT__GD__", "NUANYANG_TELEGRAM__HK__"
CARD = {"id": "S-1", "fields": {"thing": "thing1"}}


async def levels(*keys: str) -> list[str]:
    """The levels of what is found under these settings, one each."""
    findings = await doctor.examine(offline=True)
    found = [[finding.level for finding in findings if finding.key == key] for key in keys]
    assert all(len(each) == 1 for each in found), found
    return [each[0] for each in found]


async def test_the_defaults_are_a_good_pace(configure: Configure, played: Played) -> None:
    keys = [f"{account}{name}" for account in (WECHAT, TELEGRAM) for name in ("SENDS_A_SECOND", "SENDS_AT_ONCE")]
    assert await levels(*keys) == ["good"] * 4


@pytest.mark.parametrize("account", [WECHAT, TELEGRAM])
async def test_no_limit_at_all_is_a_warning(configure: Configure, played: Played, account: str) -> None:
    configure(**{f"{account}SENDS_A_SECOND": "0"})
    assert await levels(f"{account}SENDS_A_SECOND", f"{account}SENDS_AT_ONCE") == ["warn", "good"]


@pytest.mark.parametrize(("rate", "level"), [("30", "good"), ("30.5", "warn"), ("1000", "warn"), ("0.5", "good")])
async def test_more_than_telegram_takes_is_a_warning(
    configure: Configure, played: Played, rate: str, level: str
) -> None:
    configure(**{f"{TELEGRAM}SENDS_A_SECOND": rate, f"{TELEGRAM}SENDS_AT_ONCE": "500"})
    assert await levels(f"{TELEGRAM}SENDS_A_SECOND") == [level]
    if level == "warn":
        (found,) = of(await doctor.examine(offline=True), f"{TELEGRAM}SENDS_A_SECOND", "warn")
        assert rate in found.text and "30" in found.mend


@pytest.mark.parametrize(("at_once", "level"), [("5", "good"), ("4", "warn"), ("1", "warn")])
async def test_too_few_calls_at_once_for_the_rate_are_named(
    configure: Configure, played: Played, at_once: str, level: str
) -> None:
    configure(**{f"{WECHAT}SENDS_AT_ONCE": at_once})
    assert await levels(f"{WECHAT}SENDS_AT_ONCE") == [level]


async def test_what_is_not_set_up_beside_templates_is_no_fault(configure: Configure, played: Played) -> None:
    assert await levels(f"{WECHAT}SUBSCRIPTIONS", f"{WECHAT}ONCE") == ["good", "good"]


async def test_subscriptions_count_as_ways(configure: Configure, played: Played) -> None:
    configure(**{f"{WECHAT}SUBSCRIPTIONS": json.dumps(dict.fromkeys(CARDS, CARD))})
    assert await levels(f"{WECHAT}SUBSCRIPTIONS", f"{WECHAT}TEMPLATES") == ["good", "good"]
    (found,) = of(await doctor.examine(offline=True), f"{WECHAT}SUBSCRIPTIONS", "good")
    assert str(len(CARDS)) in found.text


@pytest.mark.parametrize(
    ("public", "level"),
    [(None, "bad"), ("https://nuanyang.example.org", "good"), ("https://example.org/nuanyang", "warn")],
)
async def test_one_time_permissions_need_an_address_to_come_back_to(
    configure: Configure, played: Played, public: str | None, level: str
) -> None:
    configure(**{f"{WECHAT}ONCE": '{"id": "T", "scene": 1000}', "NUANYANG_PUBLIC_URL": public})
    assert await levels(f"{WECHAT}ONCE") == [level]
    (found,) = of(await doctor.examine(offline=True), f"{WECHAT}ONCE", level)
    assert level != "good" or "nuanyang.example.org" in found.text
