"""What WeChat's answers mean, as named outcomes: one table for every call."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot.platforms.base import Outcome, OutcomeName

TOKEN_REFUSED = frozenset({40001, 40014, 42001})

_BUSY = 5.0  # seconds before asking a busy system again
_PER_MINUTE = 60.0
_LONGEST = 900.0  # a Retry-After is believed up to a quarter of an hour
_RID = re.compile(r"\brid: ?([0-9A-Za-z-]{6,64})")

_LEFT = {40003, 43004, 43019, 48002, 50005}  # no follower, or one who blocked us or takes no messages
# This way only: grant gone, calls of the day used up (each API has its own), window over, mass quota or window used up.
_CLOSED = {43101, 45009, 45015, 45028, 45047}
_STOPPED = {
    40002, 40013, 40125, 40164, 40243, 41002, 41004,  # appid, secret or this machine's address is not accepted
    48001, 48004, 48006, 50002, 50007, 61024, 89501, 89503, 89506, 89507,  # the account may not do this, or is blocked
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended and what came back; `data` is empty unless the call went well or named an errcode."""

    outcome: Outcome
    data: Mapping[str, Any] = field(default_factory=dict)
    content: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the platform did what was asked."""
        return self.outcome.name == "sent"


def of_errcode(code: int, *, reference: str = "") -> Outcome:
    """The outcome of an explicit errcode.

    An errcode that is in no list refuses this message and no other: it was certainly not sent, and would not be taken
    the next time either.
    """
    text = str(code)
    if code in (0, 45065):  # 45065: the same clientmsgid was done before, by us
        return Outcome("sent", text if code else "", reference=reference)
    if code == -1:
        return Outcome("retry", text, retry_after=_BUSY)
    if code == 45011 or code in TOKEN_REFUSED:
        return Outcome("retry", text, retry_after=_PER_MINUTE, whole_account=True, ask_first=code in TOKEN_REFUSED)
    name: OutcomeName = "refused"
    for codes, meaning in ((_LEFT, "left"), (_CLOSED, "closed"), (_STOPPED, "stopped")):
        if code in codes:
            name = meaning  # type: ignore[assignment]  # the tuple's literals widen to str
    return Outcome(name, text, whole_account=name == "stopped", ask_first=name == "stopped")


def not_called(outcome: Outcome) -> Outcome:
    """The outcome of a call that was not made, since there was no token for it."""
    code = outcome.code if outcome.code.startswith("token") else f"token {outcome.code}"
    return replace(outcome, code=code)


def of_status(status: int, retry_after: str | None) -> Outcome:
    """The outcome of an HTTP status other than 200, which WeChat's API itself never gives: something in between did."""
    code = f"http{status}"
    if status >= 500:
        return Outcome("uncertain", code)
    if status == 429:
        return Outcome("retry", code, retry_after=_seconds(retry_after), whole_account=True)
    if status in (400, 413, 414, 415):
        return Outcome("refused", code)
    if status in (401, 403, 404, 405):
        return Outcome("stopped", code, whole_account=True, ask_first=True)
    return Outcome("retry", code, retry_after=_PER_MINUTE, whole_account=True)


def of_body(body: bytes, *, result: str = "") -> Answer:
    """What a body under HTTP 200 says.

    `result` names the field that a call without errcode answers with, such as `ticket`. A body that is no JSON object,
    or brings neither a whole number as errcode nor that field, comes from something in between or from a platform
    that has changed: it proves neither that the message went out nor that it did not, so it is `uncertain`, and never
    `sent`. (An errcode as text is of this kind, `"0"` above all.)
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return Answer(Outcome("uncertain", "body"))
    if not isinstance(data, dict):
        return Answer(Outcome("uncertain", "body"))
    code = data.get("errcode")
    if "errcode" not in data and result and result in data:
        return Answer(Outcome("sent"), data)
    if not isinstance(code, int) or isinstance(code, bool):
        return Answer(Outcome("uncertain", "errcode"))
    if code == 0 and result and result not in data:
        return Answer(Outcome("uncertain", "body"))
    reference = data.get("msgid", data.get("msg_id", ""))
    if not isinstance(reference, int | str):
        reference = ""
    return Answer(of_errcode(code, reference=str(reference)), data)


def rid(data: Mapping[str, Any]) -> str:
    """WeChat's request id inside an errmsg, which its support asks for."""
    found = _RID.search(str(data.get("errmsg", "")))
    return found[1] if found else ""


def _seconds(retry_after: str | None) -> float:
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return _PER_MINUTE
    return min(max(seconds, 1.0), _LONGEST) if math.isfinite(seconds) else _PER_MINUTE
