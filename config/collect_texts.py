"""Collect the texts of the code for translation: `make texts`.

New texts come into config/locales empty, those that the code no longer has go; translations stay as they are.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from config.texts import LANGUAGES, LOCALES, SOURCE

ROOT = Path(__file__).parent.parent
FOLDERS = ("bot", "handlers", "models", "scheduler", "config")
_HEADER = "# Nuanyang in {language}. Source language: zh_CN, in the code. Collected by `make texts`."


def messages() -> frozenset[str]:
    """Every text marked with `_` or `N_` in the code and the templates."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        mappings = tomllib.load(file)["tool"]["babel"]["mappings"]
    methods = [(one["pattern"], one["method"]) for one in mappings]
    options = {one["pattern"]: {k: v for k, v in one.items() if k not in ("pattern", "method")} for one in mappings}
    found: set[str] = set()
    for folder in FOLDERS:
        for _file, _line, message, _comments, _context in extract_from_dir(
            ROOT / folder, methods, options, keywords={"_": None, "N_": None}
        ):
            found.add(str(message))
    return frozenset(found)


def collect() -> dict[str, int]:
    """Bring the catalogues up to date; returns how many texts wait for translation in each language."""
    texts = sorted(messages())
    waiting: dict[str, int] = {}
    for language in LANGUAGES:
        if language == SOURCE:
            continue
        path = LOCALES / language / "LC_MESSAGES" / "nuanyang.po"
        with path.open("rb") as file:
            old = {str(message.id): str(message.string) for message in read_po(file, locale=language) if message.id}
        catalogue = Catalog(locale=language, header_comment=_HEADER.format(language=language), fuzzy=False)
        for text in texts:
            catalogue.add(text, old.get(text, ""))
        with path.open("wb") as file:
            write_po(file, catalogue, width=0, omit_header=True)
        # A header without dates, so that collecting twice changes nothing.
        body = path.read_text("utf-8")
        head = (
            f'{_HEADER.format(language=language)}\nmsgid ""\nmsgstr ""\n"Language: {language}\\n"\n'
            '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n\n'
        )
        path.write_text(head + body.lstrip("\n"), "utf-8")
        waiting[language] = sum(1 for text in texts if not old.get(text))
    return waiting


if __name__ == "__main__":
    for name, number in collect().items():
        print(f"{name}: {number} texts to translate")
