"""Lists that are read page by page in a chat: what stands on the screen, and where the next page begins.

What is listed may change between two pages, so the next one goes on after the last one seen that is still listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from config.texts import _
from handlers.dialogue import Ask, Choice, Talk

PAGE = 5  # entries of a page
MORE, BACK = "~more", "~page-back"
PICK = "pick"  # the key of the question that a list asks


class ListFacts(BaseModel):
    """What is on the screen; `first` is the place of the first entry in the whole list, from 0. Without any the list
    is made anew."""

    ids: tuple[str, ...] = ()
    first: int = 0


@dataclass(frozen=True, slots=True)
class Show:
    """Open one entry, or show what comes after these; with neither the list from its beginning."""

    entry: str = ""
    seen: tuple[str, ...] = ()
    first: int = 0


def pick(facts: ListFacts, question: str, more: str) -> Talk:
    """The talk of a list: one of those on the screen, or the next page. Returns a Show."""
    if not facts.ids:
        return Show()
    picked = yield Ask(PICK, question, (*(Choice(key, key) for key in facts.ids), *turning(more)))
    if picked == BACK:
        return before(facts.first)
    return Show(seen=facts.ids, first=facts.first) if picked == MORE else Show(picked)


def turning(more: str) -> tuple[Choice, ...]:
    """The choices that turn the page; the way back stands on no button, it is typed (handlers/listing.py)."""
    return (Choice(MORE, more, words=(_("从头看"),)), Choice(BACK, BACK))


def before(first: int) -> Show:
    """The page before the one that begins at this place."""
    return Show(first=max(first - PAGE, 0))


def next_begin(keys: Sequence[str], command: Show) -> int:
    """Where the next page begins: after the last one seen that is still listed, else where the page itself began; at
    the end of the list it begins again."""
    places = [place for place, key in enumerate(keys, 1) if key in command.seen]
    begin = max(places, default=command.first)
    return begin if begin < len(keys) else 0


def where(begin: int, total: int) -> list[str]:
    """A line that says which page this is, where there are several. No numbers of entries: on the screen they are
    counted from 1 again."""
    if total <= PAGE:
        return []
    before, after = _pages(begin), _pages(total - begin)
    return [_("第 {page} 页，共 {pages} 页。").format(page=before + 1, pages=before + after)]


def onward(begin: int, total: int, more: str) -> list[tuple[str, str]]:
    """The choice that leads to the next page, or back to the first one."""
    if begin + PAGE < total:
        return [(MORE, more)]
    return [(MORE, _("从头看"))] if begin else []


def _pages(count: int) -> int:
    return -(-count // PAGE)
