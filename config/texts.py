"""Users' words: gettext with zh_CN in the code as source, zh_HK and en translated in config/locales.

The .po files are read at the first use of a language; there is nothing to compile and nothing to forget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from opencc import OpenCC

SOURCE = "zh_CN"
LANGUAGES = (SOURCE, "zh_HK", "en")
# Each language is called by its own name, whatever is spoken now.
LANGUAGE_NAMES = {"zh_CN": "简体中文", "zh_HK": "繁體中文（香港）", "en": "English"}
LOCALES = Path(__file__).parent / "locales"

_language: ContextVar[str] = ContextVar("language", default=SOURCE)


@cache
def catalogue(language: str) -> dict[str, str]:
    """All translated messages of one language; empty for the source language."""
    if language == SOURCE:
        return {}
    with (LOCALES / language / "LC_MESSAGES" / "nuanyang.po").open("rb") as file:
        messages = read_po(file, locale=language)
    return {str(m.id): str(m.string) for m in messages if m.id and m.string and not m.fuzzy}


def _(message: str) -> str:
    """The message in the current language; the source text where a translation is missing."""
    language = _language.get()
    if language == SOURCE:
        return message
    return catalogue(language).get(message, message)


def N_(message: str) -> str:  # noqa: N802 gettext's usual name for “mark, translate later”
    """Mark a text for translation that is looked up later with `_`."""
    return message


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Use one language inside the block; unknown ones fall back to the source. Worker threads call it themselves,
    since `run_in_executor` loses context variables."""
    token = _language.set(language if language in LANGUAGES else SOURCE)
    try:
        yield
    finally:
        _language.reset(token)


@cache
def _converter(script: str) -> Callable[[str], str]:
    convert: Callable[[str], str] = OpenCC(script).convert
    return convert


def simplified(words: str) -> str:
    """What somebody typed, in simplified characters, for comparing."""
    return words if words.isascii() else _converter("t2s")(words)


def in_script(words: str) -> str:
    """A name from our data (a region's) in the script of the language spoken now."""
    return _converter("s2hk")(words) if _language.get() == "zh_HK" else words


def current() -> str:
    """The language spoken now."""
    return _language.get()


def language_for(hint: str) -> str:
    """The best of our languages for a platform's hint such as "zh-hant", "zh-HK" or "en-GB"; the source otherwise."""
    tag = hint.lower().replace("_", "-")
    if tag.startswith("zh"):
        return "zh_HK" if any(part in ("hant", "hk", "mo", "tw") for part in tag.split("-")) else SOURCE
    return "en" if tag.startswith("en") else SOURCE
