"""WeChat's envelope: signature, cipher and the frame inside it. Nothing here reads XML.

AES and PKCS#7 and the signature's order of things are wechatpy's; what it leaves out is added here: comparison in
constant time, padding and length checked before they are believed, two keys during a change of keys.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Iterable

from wechatpy.crypto import PKCS7Encoder, WeChatCipher
from wechatpy.utils import WeChatSigner

from bot.platforms.base import Rejected

BLOCK = 32  # WeChat pads to 32 bytes, not to AES's own 16
HEAD = 20  # 16 random bytes and the length of what follows in 4

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}\Z")
_OPEN, _CLOSE = b"<Encrypt>", b"</Encrypt>"
_CDATA, _CDATA_END = b"<![CDATA[", b"]]>"


def sealed_part(body: bytes) -> bytes:
    """The ciphertext (base64) of an envelope, found by searching: cheap whatever the body is.

    A general XML parser would build every element of a hostile body before the signature could be looked at.
    Raises Rejected(400, "shape") unless there is exactly one `Encrypt`.
    """
    start = body.find(_OPEN)
    end = body.find(_CLOSE, start + len(_OPEN))
    if start < 0 or end < 0 or body.find(_OPEN, start + len(_OPEN)) >= 0:
        raise Rejected(400, "shape")
    part = body[start + len(_OPEN) : end].strip()
    if part.startswith(_CDATA) and part.endswith(_CDATA_END):
        part = part[len(_CDATA) : -len(_CDATA_END)].strip()
    if not _BASE64.match(part):
        raise Rejected(400, "shape")
    return part


class Crypto:
    """Signs, checks, seals and opens for one account. Safe to use from several threads at once.

    `aes_keys` are EncodingAESKeys, the current one first; a message is answered with the key that opened it.
    """

    def __init__(self, *, token: str, appid: str, aes_keys: Iterable[str]) -> None:
        self._token = token
        self._appid = appid.encode()
        self._ciphers = [WeChatCipher(base64.b64decode(key + "=")) for key in aes_keys]

    def signature(self, *parts: str | bytes) -> str:
        """sha1 over the account's token and `parts`, sorted: with a ciphertext it is msg_signature."""
        signer = WeChatSigner()
        signer.add_data(self._token, *parts)
        return str(signer.signature)

    def signed(self, signature: str, *parts: str | bytes) -> bool:
        """Whether `signature` is ours over `parts`, compared in constant time."""
        return hmac.compare_digest(self.signature(*parts).encode(), signature.encode("utf-8", "replace"))

    def unseal(self, part: bytes) -> tuple[bytes, int]:
        """Decrypt one ciphertext; returns the message and the number of the key that opened it.

        Raises Rejected: 400 "shape" (no whole blocks), 400 "decrypt" (no key opens it), 403 "appid" (somebody else's).
        """
        try:
            blocks = base64.b64decode(part, validate=True)
        except (binascii.Error, ValueError):
            raise Rejected(400, "shape") from None
        if not blocks or len(blocks) % BLOCK:
            raise Rejected(400, "shape")
        foreign = False
        for number, cipher in enumerate(self._ciphers):
            frame = _frame(cipher.decrypt(blocks))
            if frame is None:
                continue
            message, appid = frame
            if hmac.compare_digest(appid, self._appid):
                return message, number
            foreign = True
        raise Rejected(403, "appid") if foreign else Rejected(400, "decrypt")

    def seal(self, message: str, *, key: int = 0, salt: bytes | None = None) -> str:
        """Encrypt `message` with key number `key`; `salt` (16 bytes) is random unless a test fixes it."""
        plain = message.encode()
        salt = secrets.token_hex(8).encode() if salt is None else salt
        frame = salt + len(plain).to_bytes(4, "big") + plain + self._appid
        return base64.b64encode(self._ciphers[key].encrypt(PKCS7Encoder.encode(frame))).decode()

    def envelope(self, message: str, *, nonce: str, timestamp: int, key: int = 0, salt: bytes | None = None) -> str:
        """The sealed and signed answer to a webhook call; `timestamp` in seconds."""
        sealed = self.seal(message, key=key, salt=salt)
        signature = self.signature(str(timestamp), nonce, sealed)
        return (
            "<xml>\n"
            f"<Encrypt><![CDATA[{sealed}]]></Encrypt>\n"
            f"<MsgSignature><![CDATA[{signature}]]></MsgSignature>\n"
            f"<TimeStamp>{timestamp}</TimeStamp>\n"
            f"<Nonce><![CDATA[{nonce}]]></Nonce>\n"
            "</xml>"
        )


def _frame(plain: bytes) -> tuple[bytes, bytes] | None:
    """Message and appid of a decrypted frame; None when padding or length contradict themselves."""
    padding = plain[-1]
    if not 1 <= padding <= BLOCK or not plain.endswith(bytes([padding]) * padding):
        return None
    content = plain[:-padding]
    end = HEAD + int.from_bytes(content[16:HEAD], "big")
    if len(content) < HEAD or end > len(content):
        return None
    return content[HEAD:end], content[end:]
