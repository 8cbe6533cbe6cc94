"""The leaderboard as markdown, LaTeX, HTML, CSV or JSON."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from labelbench.errors import UnknownName
from labelbench.leaderboard.data import to_csv, to_json, verdicts_to_csv
from labelbench.leaderboard.grids import Grid
from labelbench.leaderboard.latex import to_latex
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.pages import READING, Section, compact, sections_of


def to_markdown(board: Leaderboard) -> str:
    """GitHub-flavoured markdown: tables, their notes and settings."""
    lines = [f"# {_cell(board.name)}", ""]
    for section in map(compact, sections_of(board)):
        lines += [f"## {_cell(section.title)}", ""]
        if section.kind == "settings":
            lines += [READING, ""]
        if section.about:
            lines += [f"{_cell(section.about)}:", ""]
        if section.grid:
            text = section.grid
            lines += [_line([_cell(name) for name in text.headings])]
            lines += [_line(["---" if index < text.text_columns else "---:" for index in range(len(text.headings))])]
            lines += [_line(cells) for cells in _marked(text, "**{}**", _cell)]
            lines += [""]
        lines += [*(f"- {_cell(note)}" for note in section.notes), ""]
    page = "\n".join(lines)
    while "\n\n\n" in page:
        page = page.replace("\n\n\n", "\n\n")
    return page.rstrip() + "\n"


def to_html(board: Leaderboard) -> str:
    """Plain tables in one page without script or style."""
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        f'<head><meta charset="utf-8"><title>{_text(board.name)}</title></head>',
        "<body>",
        html_fragment(board),
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def html_fragment(board: Leaderboard) -> str:
    """What stands in the body of :func:`to_html`, for a page that is there already."""
    lines = [f"<h1>{_text(board.name)}</h1>", f"<p>{_text(READING)}</p>"]
    for section in map(compact, sections_of(board)):
        lines += [f"<h2>{_text(section.title)}</h2>", *_section_html(section)]
    return "\n".join(lines)


def first_table_html(board: Leaderboard) -> str:
    """The first table and its notes; nothing if nothing was measured."""
    section = next((one for one in map(compact, sections_of(board)) if one.grid), None)
    return "\n".join(_section_html(section)) if section else ""


def _section_html(section: Section) -> Iterator[str]:
    if section.about:
        yield f"<p>{_text(section.about)}</p>"
    if section.grid:
        yield from ("<table>", f"<tr>{_cells('th', map(_text, section.grid.headings))}</tr>")
        for cells in _marked(section.grid, "<strong>{}</strong>", _text):
            yield f"<tr>{_cells('td', cells)}</tr>"
        yield "</table>"
    if section.notes:
        yield from ("<ul>", *(f"<li>{_text(note)}</li>" for note in section.notes), "</ul>")


FORMATS: Mapping[str, Callable[[Leaderboard], str]] = {
    "markdown": to_markdown,
    "csv": to_csv,
    "json": to_json,
    "latex": to_latex,
    "html": to_html,
}


def export(board: Leaderboard, form: str) -> str:
    """The leaderboard in one of :data:`FORMATS`; equal leaderboards give equal text.

    Raises:
        UnknownName: no such format.
    """
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    return FORMATS[form](board)


def claims_alone(board: Leaderboard) -> Leaderboard:
    """The verdicts and correlations of a leaderboard, without its tables."""
    return replace(board, tables=(), differences=(), reported=())


def export_claims(board: Leaderboard, form: str) -> str:
    """The verdicts and correlations in one of :data:`FORMATS`; CSV has a line for each verdict.

    Raises:
        UnknownName: no such format.
    """
    if form == "csv":
        return verdicts_to_csv(board)
    return export(claims_alone(board), form)


def _marked(table: Grid, bold: str, escape: Callable[[str], str]) -> Iterator[list[str]]:
    """The rows of a grid, escaped, and what is bold put into ``bold``."""
    for line, cells in enumerate(table.cells):
        texts = [escape(cell) for cell in cells]
        yield [bold.format(text) if (line, place) in table.bold else text for place, text in enumerate(texts)]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    """Text that neither breaks a markdown table nor is read as markup."""
    for mark in "\\`*_|~":
        text = text.replace(mark, f"\\{mark}")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(text.replace("](", "]\\(").split())


def _text(text: str) -> str:
    return html.escape(text)


def _cells(kind: str, texts: Iterable[str]) -> str:
    return "".join(f"<{kind}>{text}</{kind}>" for text in texts)
