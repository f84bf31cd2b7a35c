"""Field encryption with a ring of keys, and blind indexes for looking up what is encrypted.

AES-256-GCM-SIV (RFC 8452) with table.column.row as associated data, so that a value moved to another row or
column does not open. Layout: 1 byte version, 4 bytes key id, 12 bytes nonce, ciphertext with its 16-byte tag.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

_VERSION = b"\x01"
_OVERHEAD = 1 + 4 + 12 + 16
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # json.dumps would make one for each value


class VaultError(Exception):
    """A sealed value that cannot be opened: its key is not in the ring, or it was changed or moved."""


class Vault:
    """The key ring of a deployment, newest key first. It never shows a key and never logs a value."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        ring = list(keys)
        if not ring or any(len(key) != 32 for key in ring):
            raise ValueError("the vault needs at least one key of 32 bytes")
        self._ciphers: dict[bytes, AESGCMSIV] = {}
        self._index_keys: dict[bytes, bytes] = {}
        for key in ring:
            key_id = hashlib.sha256(b"nuanyang key id" + key).digest()[:4]
            self._ciphers[key_id] = AESGCMSIV(hmac.digest(key, b"nuanyang field", "sha256"))
            self._index_keys[key_id] = hmac.digest(key, b"nuanyang blind index", "sha256")
        self._newest = next(iter(self._ciphers))

    def __repr__(self) -> str:
        return f"Vault({len(self._ciphers)} keys)"

    @property
    def newest(self) -> str:
        """The id of the key that seals now, 8 hex digits."""
        return self._newest.hex()

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys of the ring, newest first."""
        return tuple(key_id.hex() for key_id in self._ciphers)

    def seal(self, place: str, row: str, value: str) -> bytes:
        """Encrypt `value` for one place ("table.column") and row."""
        nonce = os.urandom(12)
        body = self._ciphers[self._newest].encrypt(nonce, value.encode(), f"{place}.{row}".encode())
        return _VERSION + self._newest + nonce + body

    def open(self, place: str, row: str, sealed: bytes) -> str:
        """Decrypt; raises VaultError, whose text names the place and never the value."""
        if len(sealed) < _OVERHEAD or sealed[:1] != _VERSION:
            raise VaultError(f"{place}: not a sealed value")
        cipher = self._ciphers.get(sealed[1:5])
        if cipher is None:
            raise VaultError(f"{place}: sealed with key {sealed[1:5].hex()}, which is not in NUANYANG_KEYS")
        try:
            return cipher.decrypt(sealed[5:17], sealed[17:], f"{place}.{row}".encode()).decode()
        except (InvalidTag, UnicodeDecodeError):
            raise VaultError(f"{place}: the sealed value was changed or moved") from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it."""
        return sealed[1:5] == self._newest

    def digests(self, kind: str, value: str) -> dict[str, bytes]:
        """The blind-index digest of a value under each key of the ring (key id → 16 bytes)."""
        return {
            key_id.hex(): hmac.digest(key, f"{kind}\0{value}".encode(), "sha256")[:16]
            for key_id, key in self._index_keys.items()
        }

    def seal_json(self, place: str, row: str, value: Any) -> bytes:
        """`seal` for plain JSON values."""
        return self.seal(place, row, _ENCODER.encode(value))

    def open_json(self, place: str, row: str, sealed: bytes) -> Any:
        """`open` for plain JSON values."""
        return json.loads(self.open(place, row, sealed))
