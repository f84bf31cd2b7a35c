"""WeChat's side of the envelope: signatures, AES and XML, written from the public description of the protocol.

Deliberately nothing of the product's adapter and nothing of wechatpy is used here: a mistake on one side must
show as a refusal on the other, and not cancel itself out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Any
from xml.parsers import expat

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32  # bytes; WeChat pads to 32 although AES blocks have 16
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DEEPEST = 8


class BadEnvelope(Exception):
    """An answer WeChat would not understand; `str()` is a short English reason without content."""


class Envelope:
    """Token, key and appid of one account. Raises ValueError for a key that is no EncodingAESKey."""

    def __init__(self, token: str, encoding_aes_key: str, appid: str) -> None:
        self._token = token
        self._key = base64.b64decode(encoding_aes_key + "=")
        if len(self._key) != 32:
            raise ValueError("an EncodingAESKey decodes to 32 bytes")
        self._appid = appid.encode()

    def signature(self, *parts: str) -> str:
        """SHA-1 over the sorted parts and the token."""
        # S324: SHA-1 is the protocol's choice, not ours.
        return hashlib.sha1("".join(sorted((self._token, *parts))).encode()).hexdigest()  # noqa: S324

    def seal(self, xml: str) -> str:
        """Encrypt one message; base64."""
        message = xml.encode()
        plain = secrets.token_bytes(16) + len(message).to_bytes(4, "big") + message + self._appid
        filler = BLOCK - len(plain) % BLOCK
        writer = self._cipher().encryptor()
        return base64.b64encode(writer.update(plain + bytes([filler]) * filler) + writer.finalize()).decode()

    def open(self, encrypted: str) -> str:
        """Decrypt one message; raises BadEnvelope."""
        try:
            sealed = base64.b64decode(encrypted, validate=True)
        except ValueError as error:
            raise BadEnvelope("Encrypt is not base64") from error
        if not sealed or len(sealed) % 16:
            raise BadEnvelope("Encrypt has a broken length")
        reader = self._cipher().decryptor()
        plain = reader.update(sealed) + reader.finalize()
        filler = plain[-1]
        if not 1 <= filler <= BLOCK or plain[-filler:] != bytes([filler]) * filler:
            raise BadEnvelope("the padding is wrong (another AES key?)")
        plain = plain[:-filler]
        end = 20 + int.from_bytes(plain[16:20], "big")
        if end > len(plain):
            raise BadEnvelope("the length inside is wrong")
        if not hmac.compare_digest(plain[end:], self._appid):
            raise BadEnvelope("the appid inside is another one")
        try:
            return plain[20:end].decode()
        except UnicodeDecodeError as error:
            raise BadEnvelope("the message is not UTF-8") from error

    def open_answer(self, body: str) -> dict[str, Any]:
        """The fields of an encrypted passive reply, its signature verified; raises BadEnvelope."""
        outer = parse(body)
        encrypted = outer.get("Encrypt")
        if not isinstance(encrypted, str) or not encrypted:
            raise BadEnvelope("the answer is not encrypted")
        expected = self.signature(str(outer.get("TimeStamp", "")), str(outer.get("Nonce", "")), encrypted)
        if not hmac.compare_digest(expected, str(outer.get("MsgSignature", ""))):
            raise BadEnvelope("MsgSignature is wrong")
        return parse(self.open(encrypted))

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))


def build(fields: dict[str, Any]) -> str:
    """`<xml>` with the fields in order: texts as CDATA, numbers bare, dicts nested, lists of dicts as `<item>`."""
    return f"<xml>{_elements(fields)}</xml>"


def _elements(fields: dict[str, Any]) -> str:
    return "".join(f"<{name}>{_content(value)}</{name}>" for name, value in fields.items())


def _content(value: Any) -> str:
    if isinstance(value, dict):
        return _elements(value)
    if isinstance(value, list):
        return "".join(f"<item>{_elements(item)}</item>" for item in value)
    if isinstance(value, int | float):
        return str(value)
    return "<![CDATA[" + ILLEGAL.sub("", str(value)).replace("]]>", "]]]]><![CDATA[>") + "]]>"


def parse(text: str) -> dict[str, Any]:
    """An `<xml>` document as nested dicts, repeated `<item>`s as a list under "item"; raises BadEnvelope."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise BadEnvelope("the answer is not XML") from error
    return builder.result()


class _Builder:
    """Collects elements; a child that comes twice is refused unless it is `<item>`."""

    def __init__(self) -> None:
        self._stack: list[tuple[str, dict[str, Any], list[str]]] = []
        self._root: dict[str, Any] | None = None

    def doctype(self, *_parts: object) -> None:
        raise BadEnvelope("the answer has a document type")

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if len(self._stack) >= DEEPEST:
            raise BadEnvelope("the answer is nested too deeply")
        self._stack.append((name, {}, []))

    def data(self, text: str) -> None:
        self._stack[-1][2].append(text)

    def end(self, _name: str) -> None:
        name, children, texts = self._stack.pop()
        value: Any = children or "".join(texts)
        if not self._stack:
            if name != "xml":
                raise BadEnvelope("the answer's root is not <xml>")
            self._root = children
            return
        parent = self._stack[-1][1]
        if name == "item":
            parent.setdefault("item", []).append(value)
        elif name in parent:
            raise BadEnvelope(f"<{name}> comes twice")
        else:
            parent[name] = value

    def result(self) -> dict[str, Any]:
        if self._root is None:
            raise BadEnvelope("the answer is empty")
        return self._root
