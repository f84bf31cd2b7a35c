"""Parameters of the Bot API: JSON values, or the strings forms make of them. Everything raises Denied 400."""

from __future__ import annotations

from typing import Any

from bot.sandbox.reading import strict_json, whole_number
from bot.sandbox.telegram_refusals import bad

Params = dict[str, Any]


def structured(params: Params, name: str) -> Any:
    """A structured parameter; forms bring it as JSON text."""
    value = params.get(name)
    if isinstance(value, str):
        if not value:
            return None
        try:
            return strict_json(value)
        except ValueError:
            raise bad(f"can't parse {name} JSON object") from None
    return value


def an_object(params: Params, name: str) -> dict[str, Any] | None:
    """A structured parameter that must be an object; None when it is missing."""
    value = structured(params, name)
    if value is not None and not isinstance(value, dict):
        raise bad("object expected as reply markup" if name == "reply_markup" else f"object expected as {name}")
    return value


def a_list(params: Params, name: str) -> list[Any] | None:
    """A structured parameter that must be a list; None when it is missing."""
    value = structured(params, name)
    if value is not None and not isinstance(value, list):
        raise bad(f"expected an Array of {name}")
    return value


def allowed_updates(params: Params) -> list[str] | None:
    """The kinds of updates the bot wants; None when it does not say."""
    kinds = a_list(params, "allowed_updates")
    if kinds is not None and not all(isinstance(kind, str) for kind in kinds):
        raise bad("can't parse allowed_updates")
    return kinds


def a_number(params: Params, name: str, otherwise: int) -> int:
    """A whole number, `otherwise` when it is missing."""
    value = params.get(name)
    number = otherwise if value in (None, "") else whole_number(value)
    if number is None:
        raise bad(f"invalid {name} value specified")
    return number


def degrees(params: Params, name: str, most: float) -> float:
    """A latitude or longitude."""
    try:
        value = float(params.get(name, ""))
    except (TypeError, ValueError, OverflowError):
        value = most + 1
    if not -most <= value <= most:
        raise bad(f"wrong {name} specified")
    return value


def a_flag(params: Params, name: str) -> bool:
    """Whether a yes-or-no parameter says yes; forms bring it as a word."""
    return params.get(name) in (True, "true", "True", "1", 1)
