"""The documents as tests read them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")


@cache
def read(path: Path) -> str:
    return path.read_text("utf-8")


def blocks(path: Path, language: str) -> list[str]:
    """The fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", read(path), re.DOTALL | re.MULTILINE)


def section(path: Path, *titles: str) -> str:
    """The text below the first heading whose title holds one of these, up to the next of the same or a higher level."""
    found = re.search(rf"^(#+) [^\n]*(?:{'|'.join(map(re.escape, titles))})[^\n]*\n", read(path), re.MULTILINE)
    assert found, f"{path.name} has no section {titles}"
    rest = read(path)[found.end() :]
    end = re.search(
        rf"^#{{1,{len(found[1])}}} ", re.sub(r"```.*?```", lambda m: " " * len(m[0]), rest, flags=re.S), re.M
    )
    return rest[: end.start()] if end else rest
