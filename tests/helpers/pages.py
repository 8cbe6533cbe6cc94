"""The pages of the documentation and their blocks of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "pages").rglob("*.md"))]
LANGUAGES = {"sh", "python", "toml", "yaml", "text", "bibtex"}

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: the word after the fence.
        title: name of the file that the block shows, empty if none.
        code: its text.
        line: of the page where the text begins, from 1.
    """

    language: str
    title: str
    code: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        language, _, rest = found["info"].strip().partition(" ")
        title = re.fullmatch(r'title="([^"]+)"', rest)
        yield Block(language, title[1] if title else "", found["code"], text[: found.start("code")].count("\n") + 1)
