"""Hostile input over real HTTP: nothing forged is accepted, nothing counts twice, nothing breaks, nothing blocks.

Every case comes from a seed, which a failure names.
"""

from __future__ import annotations

import asyncio
import random
import time

import pytest
from sqlmodel import select

from models.page import Page, issue_page
from models.person import Person, open_door
from tests.besieging import AT_ONCE, Siege, signed, volley
from tests.besieging import siege as siege
from tests.hostility import SLOW, as_json, mutated, telegram_update, twisted, wechat_update
from tests.phones import AES_KEY, APPID, BOT_SECRET, cdata, telegram_message, wechat_xml
from tests.platforms.wechat_player import envelope, seal

# What `make test` runs, on each of both databases, and what `make test-long` runs.
SIZES = [
    pytest.param(400, id="short"),
    pytest.param(4_400, id="long", marks=[pytest.mark.long, pytest.mark.timeout(900)]),
]


@pytest.mark.parametrize("cases", SIZES)
@pytest.mark.parametrize("seed", [20261122])
async def test_mutated_messages_of_wechat_break_nothing(siege: Siege, cases: int, seed: int) -> None:
    async def case(number: int) -> None:
        rng = random.Random(f"wechat {seed} {number}")
        xml = wechat_update(rng, f"w{rng.randrange(6)}", siege.next())
        label = f"seed {seed}, case {number}"
        status, _content = await siege.wechat(mutated(rng, xml) if number % 8 else xml, label)
        assert status in ((200, 400) if number % 8 else (200,)), f"{label}: {status}"

    await volley(case, cases)
    assert siege.answers[200] > cases // 8, "some of it must have come through, or nothing was tested"
    assert siege.answers[400] > cases // 8


@pytest.mark.parametrize("cases", SIZES)
@pytest.mark.parametrize("seed", [20261123])
async def test_mutated_updates_of_telegram_break_nothing(siege: Siege, cases: int, seed: int) -> None:
    async def case(number: int) -> None:
        rng = random.Random(f"telegram {seed} {number}")
        update = telegram_update(rng, f"t{rng.randrange(6)}", siege.next())
        label = f"seed {seed}, case {number}"
        body = as_json(update)
        if number % 8 > 4:
            body = mutated(rng, body)
        elif number % 8:
            body = as_json(twisted(rng, update))[:60_000]
        status, _content = await siege.telegram(body, label)
        assert status in ((200, 400) if number % 8 else (200,)), f"{label}: {status}"

    await volley(case, cases)
    assert siege.answers[200] > cases // 8
    assert siege.answers[400] > cases // 8


@pytest.mark.parametrize("cases", SIZES)
@pytest.mark.parametrize("seed", [20261124])
async def test_nothing_forged_is_accepted(siege: Siege, cases: int, seed: int) -> None:
    """Wrong tokens, keys, appids and secrets, old and early times, signatures of something else."""

    async def wechat(rng: random.Random, label: str) -> None:
        xml = wechat_xml("forger", "text", cdata("Content", "报名"), siege.next()).encode()
        sealed = seal(xml, key=AES_KEY, appid=APPID)
        query, body = signed(sealed), envelope(sealed)
        match rng.randrange(9):
            case 0:
                query = signed(sealed, token="guessed")
            case 1:
                query = signed(sealed, at=time.time() - rng.choice((301, 3_600, 10**9)))
            case 2:
                query = signed(sealed, at=time.time() + rng.choice((302, 86_400)))
            case 3:
                body = envelope(seal(xml, key=AES_KEY, appid=APPID))
            case 4:
                other = seal(xml, key="B" * 43, appid=APPID)
                query, body = signed(other), envelope(other)
            case 5:
                other = seal(xml, key=AES_KEY, appid="wxsomebodyelse0001")
                query, body = signed(other), envelope(other)
            case 6:
                query["msg_signature"] = query["signature"]
            case 7:
                query[rng.choice(("timestamp", "nonce", "msg_signature"))] = rng.choice(("", "0", "x" * 300, "٣", "-1"))
            case _:
                query.pop(rng.choice(("timestamp", "nonce", "msg_signature")))
        status, _content = await siege.post("/wechat/test", body, label, params=query)
        assert status in (400, 403), f"{label}: {status}"

    async def telegram(rng: random.Random, label: str) -> None:
        guesses = (None, "", "guessed", BOT_SECRET + "x", BOT_SECRET[:-1], BOT_SECRET.upper(), "é", "x" * 4_000)
        guess = rng.choice(guesses)
        headers = {"Content-Type": "application/json"} | (
            {} if guess is None else {"X-Telegram-Bot-Api-Secret-Token": guess}
        )
        body = as_json(telegram_message("forger", siege.next(), text="报名"))
        status, _content = await siege.post("/telegram/test", body, label, headers=headers)
        assert status == 403, f"{label}: {status}"

    async def case(number: int) -> None:
        rng = random.Random(f"forged {seed} {number}")
        await (wechat, telegram)[number % 2](rng, f"seed {seed}, case {number}")

    await volley(case, cases)
    assert siege.count() == 0, "not one row of it"


@pytest.mark.parametrize("cases", SIZES)
@pytest.mark.parametrize("seed", [20261125])
async def test_replays_inside_the_window_have_no_second_effect(siege: Siege, cases: int, seed: int) -> None:
    rng = random.Random(f"replay {seed}")
    answers: dict[tuple[str, int], set[bytes]] = {}
    sent = 0

    async def person(at: int) -> None:
        nonlocal sent
        name = f"r{at}"
        while sent < cases:
            words, number, repeats = (
                rng.choice(("报名", "同意", "阿林", "你好", "取消")),
                siege.next(),
                rng.randint(1, 4),
            )
            sent += 2 * (1 + repeats)
            xml = wechat_xml(name, "text", cdata("Content", words), number).encode()
            sealed = seal(xml, key=AES_KEY, appid=APPID)
            query, body = signed(sealed), envelope(sealed)
            update = as_json(telegram_message(name, number, text=words))
            label = f"seed {seed}, update {number}"
            for _time in range(1 + repeats):
                _status, content = await siege.post("/wechat/test", body, label, params=query)
                answers.setdefault(("wechat", number), set()).add(b"%d" % len(content))
                _status, content = await siege.telegram(update, label)
                answers.setdefault(("telegram", number), set()).add(content)

    await asyncio.gather(*(person(at) for at in range(AT_ONCE)))
    different = [key for key, found in answers.items() if len(found) != 1]
    assert not different, f"seed {seed}: another reply to a repeat of {different[:3]}"
    assert siege.count() == len(answers)
    assert sum(siege.revisions()) == len(answers), "each update changed its conversation exactly once"


@pytest.mark.parametrize("seed", [20261126])
async def test_forged_buttons_and_codes_open_nothing_of_anybody_else(siege: Siege, seed: int) -> None:
    """One person's buttons and codes, pressed and typed by another, and ones that never were."""
    rng = random.Random(f"buttons {seed}")
    _status, shown = await siege.telegram(as_json(telegram_message("victim", siege.next(), text="报名")), "victim")
    button = next(part.split(b'"')[0].decode() for part in shown.split(b'"callback_data": "')[1:])
    before = siege.revisions()
    chat = {"id": 4_242, "type": "private", "first_name": "x"}
    user = {"id": 4_242, "is_bot": False, "first_name": "x", "language_code": "zh-hans"}

    async def case(number: int) -> tuple[int, bytes]:
        prompt = button.partition(":")[0]
        pressed = (button, f"{prompt}:{rng.randrange(99)}", f"{prompt}:", prompt, prompt[::-1] + ":0", "x" * 22 + ":0")
        query = {"id": "1", "from": user, "chat_instance": "1", "data": rng.choice(pressed)}
        query["message"] = {"message_id": 1, "date": 1, "chat": chat}
        update = {"update_id": siege.next(), "callback_query": query}
        if number % 3 == 0:
            code = "".join(rng.choice("23456789ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(8))
            words = rng.choice((f"绑定 {code}", f"监护 {code}", f"/start g_{code}"))
            update = telegram_message("thief", siege.next(), text=words)
        return await siege.telegram(as_json(update), f"seed {seed}, case {number}")

    answers = await volley(case, 120)
    assert all(status == 200 for status, _content in answers)
    assert any("已经回答过了".encode() in content for _status, content in answers)
    with siege.database.read() as session:
        assert len(session.exec(select(Person)).all()) == 3, "nobody was joined to anybody"
    assert before[0] in siege.revisions(), "the victim's talk stands where it stood"


async def test_tokens_of_pages_that_are_forged_expired_used_or_foreign_open_nothing(siege: Siege) -> None:
    with siege.database.write() as session:
        door, person = open_door(session, "telegram", "test", "55", "zh_CN", zone="Asia/Shanghai")
        good = issue_page(session, person.id, "answer", {"prompt": "gone"}, door_id=door.id)
        used = issue_page(session, person.id, "data", {})
        session.get_one(
            Page, session.exec(select(Page.id).where(Page.kind == "data")).one()
        ).used_at = person.created_at
    rng = random.Random(7)
    forged = [
        "x" * 22,
        good[::-1],
        good + "x",
        good[:-1],
        used,
        good,
        "é" * 11,
        "%00" * 22,
        "' OR 1=1 --",
        "..",
        "a" * 4_000,
    ]
    forged += [
        "".join(rng.choice("abcdefghijklmnopqrstuvwxyzABCDEF0123456789-_") for _ in range(22)) for _time in range(40)
    ]
    for token in forged:
        url = f"http://127.0.0.1:{siege.house.port}/p/{token}"
        async with siege.http.get(url) as answer:
            siege.answers[answer.status] += 1
            assert answer.status == 404, token[:40]
        status, _content = await siege.post(
            f"/p/{token}", b"", token[:40], headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert status == 404
    assert siege.count() == 0


def burn() -> None:
    began = time.thread_time()
    while time.thread_time() - began < 2 * SLOW:
        pass


async def test_a_callback_that_holds_the_loop_would_be_seen(siege: Siege) -> None:
    await siege.telegram(as_json(telegram_message("alin", siege.next(), text="你好")), "one")
    assert siege.house.slow == []
    await siege.house.call(burn)
    assert len(siege.house.slow) == 1
    assert "burn" in siege.house.slow[0][1]
    siege.house.slow.clear()
