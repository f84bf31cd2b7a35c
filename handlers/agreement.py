"""Agreeing to a notice: the answer's value tells which version was agreed to, and in which language it was read."""

from __future__ import annotations

from config.texts import LANGUAGES, _, current
from handlers.dialogue import AGREE, Choice


def agreeing(version: str, *older: str) -> Choice:
    """同意 to this version of a notice, in the language spoken now, as "agree:2026-11:zh_CN".

    After a new notice a half-done talk asks again; a change of language alone asks nothing again. `older` are values
    stored before the value had its form.
    """
    plain = f"agree:{version}"
    before = (*(f"{plain}:{language}" for language in LANGUAGES), plain, *older)
    return Choice(f"{plain}:{current()}", _("同意"), words=AGREE, before=before)


def agrees(value: str) -> bool:
    """Whether this answer is a yes (by `agreeing`, or one of its older forms "yes")."""
    return value == "yes" or value.startswith("agree:")


def language_agreed(value: str) -> str:
    """The language in which somebody agreed; the one spoken now where an older value does not tell."""
    language = value.rpartition(":")[2]
    return language if language in LANGUAGES else current()
