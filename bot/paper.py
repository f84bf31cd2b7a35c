"""Paper: sheets of door cards and posters as PDF (or PNG, to look at), by typst from a template of ours.

Codes are drawn by segno as SVG. Nothing is fetched; the one thing that the machine must have is a Chinese font.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

import segno

from config.texts import _, current

FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "SimHei",
)


class PaperError(Exception):
    """`reason`: "font" — the machine has no Chinese font; "typst" — the template could not be set."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Card:
    """One door card: `link` is what its code says."""

    link: str
    serial: str
    form: str


def fonts() -> list[str]:
    """The Chinese fonts that typst finds here, the best one first."""
    import typst  # here: it is needed for paper alone

    families = set(typst.Fonts(include_system_fonts=True, include_embedded_fonts=True).families())
    return [name for name in FONTS if name in families]


def cards(made: Sequence[Card], *, form: Literal["pdf", "png"] = "pdf") -> bytes:
    """A sheet of door cards, eight on a page. As "png" the first page only. Raises PaperError."""
    told = {
        "title": _("连心卡"),
        "how": _("志愿者来的时候扫一次，走的时候再扫一次。码里没有姓名和地址；丢了告诉志愿者，换一张。"),
        "serial": _("编号"),
        "foot": _("“阳光行动”志愿者"),  # a door tells nobody who lives behind it
        "cards": [{"qr": qr(one.link), "serial": one.serial, "form": one.form} for one in made],
    }
    return _set("cards.typ", told, form)


def poster(name: str, link: str, how: Sequence[str], *, form: Literal["pdf", "png"] = "pdf") -> bytes:
    """A poster with one code. Raises PaperError."""
    told = {
        "title": _("扫码签到"),
        "name": name,
        "qr": qr(link),
        "how": list(how),
        "foot": _("青年志愿者助残“阳光行动”"),
    }
    return _set("poster.typ", told, form)


def qr(link: str) -> str:
    """A code as SVG; level Q is still read with a quarter of it gone, as happens to a card on a door."""
    drawn = io.BytesIO()
    segno.make(link, error="q", micro=False).save(drawn, kind="svg", border=2, xmldecl=False)
    return drawn.getvalue().decode()


def _set(template: str, told: dict[str, Any], form: Literal["pdf", "png"]) -> bytes:
    import typst

    usable = fonts()
    if not usable:
        raise PaperError("font")
    region = {"zh_HK": "HK"}.get(current(), "CN")
    data = json.dumps({**told, "font": usable[0], "region": region}, ensure_ascii=False)
    source = files("bot").joinpath("templates", template).read_bytes()
    try:
        made: Any = typst.compile(source, format=form, ppi=110.0, sys_inputs={"data": data})
    except typst.TypstError as error:
        raise PaperError("typst") from error
    pages = made if isinstance(made, list) else [made]
    return bytes(pages[0])
