"""Tables of what comes with labelbench, made from the plugins themselves: ``<!-- names: labels -->`` on a page."""

from __future__ import annotations

import os
import re
from typing import Any

_MARK = re.compile(r"<!-- names: (\w+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put a table in the place of each mark."""
    return _MARK.sub(lambda mark: _table(mark[1]), markdown)


def _table(kind: str) -> str:
    # What other plugins are installed where the site is built is no part of it.
    os.environ["LABELBENCH_PLUGINS"] = ""
    from labelbench.commands.listing import rows_of

    if kind == "scores":
        return _scores([row[0] for row in rows_of("evaluators")])
    return _lines((kind[:-1], "what it is"), [(f"`{name}`", text) for name, text, _ in rows_of(kind)])


def _scores(names: list[str]) -> str:
    from labelbench.registry import evaluator

    parts = []
    for name in names:
        rows = [(f"`{score}`", text) for score, text in evaluator(name).explanations.items()]
        parts += [f"### {name}", _lines(("score", "what it means"), rows)]
    return "\n\n".join(parts)


def _lines(headings: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [headings, ("---", "---"), *((name, _plain(text)) for name, text in rows)]
    return "\n".join(f"| {name} | {text} |" for name, text in lines)


def _plain(text: str) -> str:
    """Text in which nothing is read as Markdown."""
    return re.sub(r"[|<>\[\]*_`]", lambda mark: f"&#{ord(mark[0])};", text)
