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
    from labelbench.commands.listing import PLUGGED, names_of, rows_of

    if kind == "scores":
        return _scores(names_of("evaluators"))
    names, rows = names_of(kind), rows_of(kind)
    if kind not in PLUGGED:
        return _lines((kind[:-1], "what it is"), [(f"`{name}`", text) for name, text, _ in rows])
    headings = (kind[:-1], "with its arguments", "what it is")
    return _lines(
        headings, [(f"`{name}`", _plain(usage), text) for name, (usage, text, _) in zip(names, rows, strict=True)]
    )


def _scores(names: list[str]) -> str:
    from labelbench.plugins.lookup import evaluator

    parts = []
    for name in names:
        rows = [(f"`{score}`", text) for score, text in evaluator(name).explanations.items()]
        parts += [f"### {name}", _lines(("score", "what it means"), rows)]
    return "\n\n".join(parts)


def _lines(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *((*names, _plain(text)) for *names, text in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Text in which nothing is read as Markdown."""
    return re.sub(r"[|<>\[\]*_`]", lambda mark: f"&#{ord(mark[0])};", text)
