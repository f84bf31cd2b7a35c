"""The six-digit code of an activity, which changes every code_seconds (rules.toml) and is made from the activity's own
secret, as one-time passwords are (RFC 6238, with SHA-256). The code before it is still good: typing takes a moment.

Codes go by the machine's clock. Wrong ones count among the person's wrong codes of every kind (models/code.py): after
a few of them nothing is looked up for a while.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Literal

from sqlmodel import Session

from config.catalogue import rules
from models.activity import Activity
from models.database import machine_now_of
from models.sealed import unseal

DIGITS = 6
BEHIND = 1  # codes before the current one that are good
LATE = 10  # codes before those, of which it is said that they were good

Verdict = Literal["good", "late", "wrong"]


@dataclass(frozen=True, slots=True)
class Code:
    """`digits` are good as the current code for so many `seconds` more."""

    digits: str
    seconds: int


def new_secret() -> str:
    """What an activity's codes are made from: 160 random bits."""
    return secrets.token_hex(20)


def code_at(secret: str, counter: int) -> str:
    """The code of one span of time (RFC 4226, section 5.3)."""
    digest = hmac.new(bytes.fromhex(secret), counter.to_bytes(8), hashlib.sha256).digest()
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def current(session: Session, activity: Activity) -> Code:
    """The code that the leader shows now."""
    span = rules().hours.code_seconds
    at = int(machine_now_of(session).timestamp())
    return Code(code_at(_secret(session, activity), at // span), span - at % span)


def verdict(session: Session, activity: Activity, typed: str) -> Verdict:
    """Whether a typed code is good now; "late" = it was a short while ago."""
    plain = "".join(typed.split())
    if len(plain) != DIGITS or not (plain.isascii() and plain.isdecimal()):
        return "wrong"
    secret = _secret(session, activity)
    now = int(machine_now_of(session).timestamp()) // rules().hours.code_seconds
    # All are compared, whichever it is: nothing can be learnt from how long it takes.
    same = [hmac.compare_digest(code_at(secret, now - ago), plain) for ago in range(BEHIND + LATE + 1)]
    if any(same[: BEHIND + 1]):
        return "good"
    return "late" if any(same) else "wrong"


def _secret(session: Session, activity: Activity) -> str:
    found = unseal(session, "activity.secret_sealed", activity.id, activity.secret_sealed)
    if found is None:
        raise ValueError("an activity has a secret")
    return found
