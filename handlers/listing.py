"""Words typed below a list: the next page, the page before, a part of a name; else the list stays.

A list is asked outside a talk (handlers/late.py), so that nothing waits; its numbers must not change their meaning.
"""

from __future__ import annotations

import re

from sqlmodel import Session

from config.texts import _
from handlers import late, talk
from handlers.asking import show
from handlers.dialogue import folded, is_part, stands_in
from handlers.message import Option, Reply
from handlers.paging import BACK, MORE, PICK
from handlers.served_facts import PICK as PROPOSALS
from models.conversation import Prompt, State
from models.person import Person

_FORTH = re.compile(
    r"(看|翻到?)?(下一[页頁]|下[页頁]|后一[页頁]|後一[页頁]|[后後]面的?人?|还有呢?|還有呢?|next( page)?|more)",
    re.IGNORECASE,
)
_BACK = re.compile(r"(看|翻到?)?(上一?[页頁]|前一[页頁]|前面的?人?|previous( page)?)", re.IGNORECASE)
_OPEN = re.compile(r"^(看看|看|打开|打開|选|選|查看)\s*")


def heard(session: Session, person: Person, state: State, words: str) -> Reply | None:
    """What words that mean nothing else do to the list on the screen; None when there is none."""
    row = _asked(session, person, state)
    if row is None:
        return None
    if _FORTH.fullmatch(words):
        return _forth(session, person, state, row)
    if _BACK.fullmatch(words):
        return _back(session, person, state, row)
    found = _named(state, words, begins=row.dialogue == PROPOSALS)
    if not found and _OPEN.match(words):
        found = _named(state, _OPEN.sub("", words), begins=row.dialogue == PROPOSALS)
    if len(found) == 1:
        return talk.press(session, person, state, found[0], "")
    said = _("有几项带“{words}”。") if found else _("这里没有“{words}”。")
    return _again(state, said.format(words=words[:20]))


def kept(session: Session, person: Person, state: State, said: str) -> Reply | None:
    """Something is said that chooses nothing (to a sticker), and the list stays; None when there is none."""
    return _again(state, said) if _asked(session, person, state) else None


def _asked(session: Session, person: Person, state: State) -> Prompt | None:
    """The question of the list on the screen."""
    if state.current is not None:
        return None
    for prompt in dict.fromkeys(option.partition(":")[0] for option, _label in state.shown if option[:2] != "m:"):
        row = late.waiting(session, person.id, prompt)
        if row is not None and row.question == PICK:
            return row
    return None


def _named(state: State, words: str, *, begins: bool) -> list[str]:
    """The options with these words in their label; `begins` = what is chosen is done at once: then the label has to
    begin with them, unless they are a number."""
    plain = folded(words)
    if not is_part(plain):
        return []
    whole = [option for option, label in state.shown if folded(label).partition(":")[0] == plain]
    found = whole or [option for option, label in state.shown if stands_in(plain, folded(label))]
    if begins and not plain.isdecimal():
        found = [option for option, label in state.shown if option in found and folded(label).startswith(plain)]
    return found


def _forth(session: Session, person: Person, state: State, row: Prompt) -> Reply:
    values = late.values_of(row)
    if MORE not in values:
        return _again(state, _("只有这一页。"))
    option = f"{row.id}:{values.index(MORE)}"
    if next((label for each, label in state.shown if each == option), "") == _("从头看"):
        return _again(state, _("这已经是最后一页。"))
    return talk.press(session, person, state, option, "")


def _back(session: Session, person: Person, state: State, row: Prompt) -> Reply:
    first = late.facts_of(session, row).get("first", 0)
    before = talk.given_late(session, person, state, row, BACK) if first else None
    return before or _again(state, _("这已经是第一页。"))


def _again(state: State, said: str) -> Reply:
    """The list once more: the same options in the same order, so the same numbers."""
    said += _("请回复前面的数字；想做别的，回复“菜单”。")
    return show(state, Reply(said, tuple(Option(option, label) for option, label in state.shown), numbered=True))
