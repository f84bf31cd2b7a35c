"""Which template an account has for which card: a short neutral form of a message, for channels that carry no words.

The cards' words are in handlers/cards.py; what an operator sets up is only ids and the names of fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.texts import _

CARDS = ("message", "answer", "recognition", "role", "alert", "unreachable", "pairing", "visit")
# What a field of a card may be in WeChat's categories: the name of a template's field begins with its kind.
FIELDS = {
    "state": ("thing", "phrase", "const", "short_thing"),
    "thing": ("thing", "const"),
    "time": ("time", "date"),
}
MOST_SCENE = 10_000

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_FIELD = re.compile(r"([a-z_]+?)[0-9]{1,3}\Z")


@dataclass(frozen=True, slots=True)
class Template:
    """One template: its id, and by what name it knows each of our fields."""

    id: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Once:
    """The account's 一次性订阅消息: the template's id and the scene under which people allow it."""

    id: str
    scene: int


def read_templates(value: Any) -> dict[str, Template]:
    """Card → template, from JSON or from the table of a configuration file. Raises ValueError that says what is wrong
    where, and how it should be written."""
    given = _json(value)
    example = '{"message": {"id": "…", "fields": {"thing": "thing1", "time": "time2"}}}'
    if not isinstance(given, dict):
        raise ValueError(_("要写成 {example}").format(example=example))
    return {str(card): _template(str(card), one) for card, one in given.items()}


def read_once(value: Any) -> Once | None:
    """As `read_templates`, for the one template with its scene."""
    if value is None or isinstance(value, Once):
        return value
    given = _json(value)
    if not isinstance(given, dict) or set(given) != {"id", "scene"}:
        raise ValueError(_("要写成 {example}").format(example='{"id": "…", "scene": 1000}'))
    scene = given["scene"]
    if not isinstance(scene, int) or isinstance(scene, bool) or not 0 <= scene <= MOST_SCENE:
        raise ValueError(_("scene 要写 0 到 {most} 的整数").format(most=MOST_SCENE))
    return Once(_id("id", given["id"]), scene)


def _template(card: str, given: Any) -> Template:
    if card not in CARDS:
        raise ValueError(_("没有“{card}”这种卡片，只有：{known}").format(card=card, known=_("、").join(CARDS)))
    if isinstance(given, Template):
        return given
    if not isinstance(given, dict) or set(given) != {"id", "fields"} or not isinstance(given["fields"], dict):
        raise ValueError(_("“{card}”里要有 id 和 fields").format(card=card))
    fields = {str(ours): str(theirs) for ours, theirs in given["fields"].items()}
    if not fields:
        raise ValueError(_("“{card}”的 fields 里至少要有一项").format(card=card))
    for ours, theirs in fields.items():
        kinds = FIELDS.get(ours)
        if kinds is None:
            known = _("、").join(FIELDS)
            raise ValueError(
                _("“{card}”的 fields 里没有“{field}”，只有：{known}").format(card=card, field=ours, known=known)
            )
        named = _FIELD.match(theirs)
        if named is None or named[1] not in kinds:
            told = _("“{card}”的“{field}”要写模板里的字段名，如：{example}")
            raise ValueError(told.format(card=card, field=ours, example=_("、").join(f"{kind}1" for kind in kinds)))
    if len(set(fields.values())) < len(fields):
        raise ValueError(_("“{card}”的两项写了同一个字段").format(card=card))
    return Template(_id(f"{card}.id", given["id"]), fields)


def _id(where: str, value: Any) -> str:
    if not isinstance(value, str) or not _ID.match(value):
        raise ValueError(_("{where} 要写公众平台里的模板 ID").format(where=where))
    return value


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(_("不是正确的 JSON（{why}）").format(why=error)) from None
