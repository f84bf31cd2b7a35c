"""One person has one language at every door: said when two accounts with different ones become one person."""

from __future__ import annotations

from config.texts import LANGUAGE_NAMES, _, speaking


def which_language(language: str, before: str) -> str:
    """Which language now applies and how to change it; where another one was spoken `before`, in both."""
    lines = []
    for spoken in dict.fromkeys((language, before)):
        with speaking(spoken):
            lines.append(_("两边现在的语言：{language}。想换，回复“语言”。").format(language=LANGUAGE_NAMES[language]))
    return "\n".join(lines)
