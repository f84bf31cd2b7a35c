"""What people do on Telegram, read from updates as Telegram really shapes them, and from broken ones."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from bot.platforms.base import Rejected
from bot.platforms.telegram_update import callback_id, read_parsed, read_update
from handlers.message import Inbound
from tests.platforms.telegram_corpus import CHAT, CORPUS, NOW, PERSON, PLACE, POLL, SENT, command, message, pressed


def read(update: object) -> list[Inbound]:
    return read_update(json.dumps(update).encode(), "gd", lambda: NOW)


@pytest.mark.parametrize("name", CORPUS)
def test_each_thing_a_person_can_do_is_read(name: str) -> None:
    update, fields = CORPUS[name]
    expected: dict[str, Any] = {
        "platform": "telegram",
        "account": "gd",
        "sender": "1001",
        "key": "710000001",
        "sent_at": SENT,
        "language": "zh-hans",
        **fields,
    }
    assert read(update) == [Inbound(**expected)]


def test_what_belongs_to_no_chat_gives_no_entry() -> None:
    assert read({"update_id": 1, "poll": POLL}) == []
    assert read({"update_id": 1, "something_of_the_year_2030": {"a": [1]}}) == []
    assert read(pressed(message=None, inline_message_id="x")) == []


def test_a_forged_choice_is_passed_on_bounded_to_64_bytes() -> None:
    assert read(pressed(data="'; drop--"))[0].choice == "'; drop--"
    [long] = read(pressed(data="探" * 50))
    assert long.choice == "探" * 21  # 63 bytes: no half character
    assert read(pressed(data="a" * 1000))[0].choice == "a" * 64


def test_text_comes_without_what_no_database_can_store() -> None:
    [inbound] = read(message(text="早\ud800上\x00好\r\n👋"))
    assert inbound.text == "早\ufffd上好\n👋"
    assert inbound.text.encode()


def test_a_long_scene_and_a_long_text_are_bounded() -> None:
    assert read(command("/start " + "s" * 500))[0].scene == "s" * 64
    assert len(read(message(text="字" * 9000))[0].text) == 4096


def test_a_strange_language_is_no_language() -> None:
    for code in ("../../etc", "", 7, "x" * 99, None):
        update = message(text="好")
        update["message"]["from"] = {**PERSON, "language_code": code}
        assert read(update)[0].language == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"update_id"',
        b'{"update_id": true}',
        b'{"update_id": -1}',
        b'{"update_id": "1"}',
        b'{"update_id": 1.0}',
        b'{"update_id": ' + b"9" * 4000 + b"}",
        b'{"update_id": ' + b"9" * 60_000 + b"}",
        b'{"update_id": 1, "message": NaN}',
        b'{"update_id": 1, "x": -Infinity}',
        b"[" * 65_000,
        b'{"update_id": 1, "a": ' + b"[" * 50 + b"]" * 50 + b"}",
        b'{"a":' * 13_000,
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        '{"update_id": 1}'.encode("utf-16"),
        b'{"update_id": 1, "message": {}}',
        b'{"update_id": 1, "message": "hello"}',
        b'{"update_id": 1, "message": [[1, 2]]}',
    ],
    ids=lambda raw: raw[:24].decode("latin-1"),
)
def test_what_is_no_update_is_rejected_as_shape(raw: bytes) -> None:
    with pytest.raises(Rejected) as rejected:
        read_update(raw, "gd", lambda: NOW)
    assert (rejected.value.status, rejected.value.reason) == (400, "shape")


@pytest.mark.parametrize(
    "change",
    [
        {"text": 5},
        {"text": {"a": 1}},
        {"chat": {**CHAT, "id": "1001"}},
        {"chat": {**CHAT, "id": True}},
        {"chat": {**CHAT, "id": 2**70}},
        {"chat": {**CHAT, "id": -5}},
        {"chat": {**CHAT, "id": 0}},
        {"chat": None},
        {"date": 10**18, "text": "x"},
        {"date": "yesterday", "text": "x"},
        {"location": {"latitude": 91, "longitude": 0}},
        {"location": {"latitude": 1, "longitude": -180.5}},
        {"location": {"latitude": True, "longitude": 0}},
        {"location": {"latitude": "1", "longitude": 0}},
        {"voice": {"file_id": 5, "file_unique_id": "x", "duration": 1}},
    ],
    ids=str,
)
def test_a_field_of_the_wrong_type_or_size_is_rejected(change: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        read(message(**change))
    assert read(message(text="好"))  # the same without the change is fine


def test_a_location_beyond_every_number_is_rejected() -> None:
    raw = json.dumps(message(location=PLACE)).replace("23.135", "1e999").encode()
    with pytest.raises(Rejected):
        read_update(raw, "gd", lambda: NOW)


def test_of_a_doubled_key_the_last_counts() -> None:
    raw = json.dumps(message(text="one")).replace('"text": "one"', '"text": "one", "text": "two"').encode()
    assert read_update(raw, "gd", lambda: NOW)[0].text == "two"


def test_replies_nested_a_hundred_deep_are_rejected_and_a_real_reply_is_not() -> None:
    inner = message(text="原话")["message"]
    assert read(message(text="回复", reply_to_message=inner))[0].text == "回复"
    for _ in range(100):
        inner = {**inner, "reply_to_message": copy.copy(inner)}
    with pytest.raises(Rejected):
        read_parsed({"update_id": 1, "message": inner}, "gd", lambda: NOW)


def test_the_callback_id_is_taken_only_from_a_pressed_button() -> None:
    assert callback_id(pressed()) == "4382bfdwdsb323b2d9"
    for strange in (None, [], {}, message(text="x"), {"callback_query": []}, pressed(id=5), pressed(id="x" * 99)):
        assert callback_id(strange) == ""


STRANGE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**63,
    10**30,
    0.5,
    1e308,
    "",
    "x",
    "\ud800",
    "\x00",
    "private",
    "字" * 5000,
    [],
    {},
    [None],
    [[[]]],
    {"id": 1},
    {"file_id": None},
    {"api_kwargs": {}},
    {"self": 1},
)


def mutate(random_: random.Random, update: dict[str, Any]) -> bytes:
    """One to four changes at random places of the tree; sometimes of the bytes as well."""
    changed = copy.deepcopy(update)
    for _ in range(random_.randint(1, 4)):
        spots: list[tuple[Any, Any]] = []
        stack: list[Any] = [changed]
        while stack:
            node = stack.pop()
            for place in node if isinstance(node, dict) else range(len(node)):
                spots.append((node, place))
                if isinstance(node[place], dict | list):
                    stack.append(node[place])
        if not spots:
            break
        node, place = random_.choice(spots)
        how = random_.randrange(5)
        if how == 0:
            del node[place]
        elif how == 1 and isinstance(node, dict):
            node[random_.choice(["chat", "from", "text", "date", "location", "api_kwargs", "bot"])] = node.pop(place)
        elif how == 2:
            other, elsewhere = random_.choice(spots)
            if (isinstance(other, dict) and elsewhere in other) or (isinstance(other, list) and elsewhere < len(other)):
                node[place] = copy.deepcopy(other[elsewhere])
        else:
            node[place] = copy.deepcopy(random_.choice(STRANGE))
    raw = bytearray(json.dumps(changed, ensure_ascii=random_.random() < 0.9).encode("utf-8", "surrogatepass"))
    if random_.random() < 0.2:
        for _ in range(random_.randint(1, 6)):
            raw[random_.randrange(len(raw))] = random_.randrange(256)
    if random_.random() < 0.05:
        del raw[random_.randrange(len(raw)) :]
    return bytes(raw)


def check_mutations(seed: int, cases: int) -> None:
    random_ = random.Random(seed)
    updates = [update for update, _ in CORPUS.values()]
    rejected = read_well = 0
    for case in range(cases):
        raw = mutate(random_, updates[case % len(updates)])
        try:
            inbounds = read_update(raw, "gd", lambda: NOW)
        except Rejected as error:
            assert (error.status, error.reason) == (400, "shape")
            rejected += 1
            continue
        except Exception as error:  # noqa: BLE001 - any other exception is the finding
            pytest.fail(f"seed {seed}, case {case}: {error!r} from {raw[:2000]!r}")
        read_well += 1
        for inbound in inbounds:
            assert Inbound.from_json(json.loads(json.dumps(inbound.as_json()))) == inbound
            assert json.dumps(inbound.as_json(), ensure_ascii=False).encode()  # storable as UTF-8
            assert inbound.sent_at.tzinfo is not None
            assert len(inbound.choice.encode()) <= 64
            assert "\x00" not in f"{inbound.text}{inbound.choice}{inbound.scene}{inbound.media_id}"
            assert str(int(inbound.sender)) == inbound.sender
    # Both ways must really have been taken, or the mutator is too tame or too wild to show anything.
    assert rejected > cases // 10
    assert read_well > cases // 10


def test_mutated_updates_give_an_inbound_or_a_rejection_and_nothing_else() -> None:
    check_mutations(seed=20261122, cases=1_500)


@pytest.mark.long
def test_many_mutated_updates_give_an_inbound_or_a_rejection_and_nothing_else() -> None:
    for seed in range(10):
        check_mutations(seed, cases=1_500)
