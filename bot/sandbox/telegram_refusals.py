"""The Bot API's way to say no."""

from __future__ import annotations

from typing import Any

FORBIDDEN_BLOCKED = "Forbidden: bot was blocked by the user"
FORBIDDEN_NEVER = "Forbidden: bot can't initiate conversation with a user"


class Denied(Exception):
    """An error answer: HTTP status, description, and for 429 the seconds to wait."""

    def __init__(self, code: int, description: str, retry_after: int = 0) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after

    def as_json(self) -> dict[str, Any]:
        """The answer's body."""
        body: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.retry_after:
            body["parameters"] = {"retry_after": self.retry_after}
        return body

    def headers(self) -> dict[str, str]:
        """The answer's headers."""
        return {"Retry-After": str(self.retry_after)} if self.retry_after else {}


def bad(description: str) -> Denied:
    """400."""
    return Denied(400, f"Bad Request: {description}")


def flood(seconds: int) -> Denied:
    """429; `seconds` is what a well-behaved bot waits."""
    return Denied(429, f"Too Many Requests: retry after {seconds}", seconds)
