"""Identifiers made by us, because they take part in the encryption of their own row."""

from __future__ import annotations

import secrets
import time

from stdnum import luhn


def new_id() -> str:
    """A row's key: 48 bits of milliseconds and 80 random bits as 32 hex digits, so that rows grow in order."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def new_token() -> str:
    """A public handle for links, buttons and QR codes: 128 random bits in 22 URL-safe characters."""
    return secrets.token_urlsafe(16)


def new_number() -> str:
    """A volunteer's number: nine random digits and a Luhn check digit; tells nothing about who came first."""
    body = f"{secrets.randbelow(900_000_000) + 100_000_000}"
    return body + luhn.calc_check_digit(body)


def new_code() -> str:
    """A code that a person types from one phone into another: 8 characters without look-alikes, nearly 40 bits. It
    always holds a digit and a letter, so that it is never taken for a word or a number."""
    while True:
        code = "".join(secrets.choice("23456789ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(8))
        if not code.isalpha() and not code.isdigit():
            return code
