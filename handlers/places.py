"""The sub-talk “which county”: a typed place, a shared location, or numbered lists over three levels."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from config import regions
from config.region_tree import Region
from config.texts import _
from handlers.dialogue import Ask, Choice, Invalid

LIST = "list"
Codes = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class County:
    """The county's six-digit code, and the keys of the questions that led to it (for correcting)."""

    code: str
    keys: tuple[str, ...]


def ask_county(text: str, key: str = "county") -> Generator[Ask, Any, County]:
    """Ask until exactly one county is meant; keys are `key`, `key_2`, `key_3` … so that none comes twice."""
    keys = [key]
    said = yield Ask(
        key,
        text,
        (Choice(LIST, _("从列表里选"), words=(_("列表"), "列表", "从列表里选", "從列表裏選", "從列表選", "list")),),
        check=place(),
        location=True,
    )
    while True:
        if said == LIST:
            within, offered = "", regions.children()
        else:
            codes = (said,) if isinstance(said, str) else said
            found = tuple(region for region in map(regions.get, codes) if region)
            if len(found) == 1 and regions.leaf(found[0].code):
                return County(found[0].code, tuple(keys))
            within = found[0].code if len(found) == 1 else ""
            offered = regions.children(within) if within else found
        keys.append(f"{key}_{len(keys) + 1}")
        said = yield _which(keys[-1], within, offered)


def place(within: str = "", among: Codes = ()) -> Callable[[str], Codes]:
    """A check that turns a typed place or "geo:LAT,LON" into the codes it may mean.

    Where some were offered (`among`), naming what lies above one of them is enough; in a list of one region
    (`within`) what lies there comes first.
    """

    def check(words: str) -> Codes:
        if words.startswith("geo:"):
            return _shared(words)
        found = regions.search(words)
        if not found:
            raise Invalid(
                _("没找到这个地方。请写县（市、区）的名字，前面带上省或市会更准，例如“广州天河”“Guangzhou Tianhe”。")
                + "\n"
                + _("只有中国的县（市、区），含香港、澳门、台湾；人在海外，请写国内常回的地方。")
            )
        meant = tuple(code for code in among if any(regions.within(code, region.code) for region in found))
        if meant:
            return meant
        inside = tuple(region.code for region in found if within and regions.within(region.code, within))
        return inside or tuple(region.code for region in found)

    return check


def _shared(words: str) -> Codes:
    latitude, _comma, longitude = words.removeprefix("geo:").partition(",")
    try:
        found = regions.near(float(latitude), float(longitude))
    except ValueError:
        found = ()
    if not found:
        raise Invalid(_("这个位置不在我认识的县（市、区）里。请打字告诉我，例如“广州天河”。"))
    return tuple(region.code for region in found)


def _which(key: str, within: str, offered: tuple[Region, ...]) -> Ask:
    """A numbered list. Provinces and what lies in one region go by their own names, others by their full ones."""
    above = regions.get(within)
    provinces = all(region.level == 1 for region in offered)
    if above is not None:
        text = _("{place}的哪里？回复数字、名字，或重新写一个地方。").format(place=regions.place_words(above.code))
    elif provinces:
        text = _("哪个省（自治区、直辖市、特别行政区）？回复数字或名字。")
    else:
        text = _("是下面哪一个？回复数字；都不是就重新写一个地方，带上省或市。")
    short = above is not None or provinces
    choices = tuple(
        Choice(region.code, regions.own_name(region), words=(region.name, regions.short_name(region)))
        if short
        else Choice(region.code, regions.place_words(region.code), words=(region.full_name,))
        for region in offered
    )
    among = () if short else tuple(region.code for region in offered)
    return Ask(key, text, choices, check=place(within, among), location=True, numbered=True)
