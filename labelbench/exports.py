"""The leaderboard as a rich table, markdown, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from labelbench.errors import UnknownName
from labelbench.leaderboard import Column, Leaderboard, Row, Table, Value

if TYPE_CHECKING:
    from rich.console import RenderableType

_CSV_HEADINGS = (
    *("dataset", "backbone", "label", "settings", "evaluator", "score", "unit", "direction"),
    *("mean", "std", "n", "low", "high", "seeds", "note"),
)
# A table of more columns than this is turned, since no page is as wide.
_MOST_COLUMNS = 16
_DIRECTIONS = {True: "higher is better", False: "lower is better", None: ""}


def shown(value: Value | None, column: Column, row: Row) -> str:
    """One cell as text: mean, spread over seeds or interval over images, and n where it is not the row's."""
    if value is None:
        return ""
    if value.mean is None:
        return "n/m" if value.note else ""
    scale, digits = (100, 1) if column.unit == "share" else (1, None)

    def number(given: float) -> str:
        return f"{given * scale:.{digits}f}" if digits is not None else f"{given:.4g}"

    text = number(value.mean)
    if value.std is not None:
        text += f" ± {number(value.std)}"
    elif value.interval:
        text += f" [{number(value.interval[0])}, {number(value.interval[1])}]"
    if row.seeds and len(value.seeds) != len(row.seeds):
        text += f" (n={len(value.seeds)})"
    return text


def heading(column: Column, *, with_evaluator: bool = False) -> str:
    """A column's heading: score, unit, and whether higher is better."""
    arrow = {True: " ↑", False: " ↓", None: ""}[column.higher_is_better]
    unit = {"share": " %", "": ""}.get(column.unit, f" ({column.unit})")
    return (column.key if with_evaluator else column.score) + unit + arrow


@dataclass(frozen=True)
class Grid:
    """A table as text.

    Attributes:
        headings: of the columns.
        cells: rows of text.
        text_columns: how many columns from the left hold text and not numbers.
    """

    headings: list[str]
    cells: list[list[str]]
    text_columns: int


def grid(table: Table, *, with_evaluator: bool = False) -> Grid:
    """A table as text; empty columns are left out, and a table of very many columns is turned: scores are rows then."""
    measured = [column for column in table.columns if any(column.key in row.values for row in table.rows)]
    lead: list[tuple[str, Callable[[Row], str]]] = [("dataset", lambda row: row.dataset)]
    if any(row.backbone for row in table.rows):
        lead.append(("backbone", lambda row: row.backbone))
    lead.append(("label", lambda row: row.label))
    text_columns = len(lead)
    if any(row.seeds for row in table.rows):
        lead.append(("n", lambda row: str(len(row.seeds))))
        lead.append(("set", lambda row: row.settings))
    headings = [name for name, _ in lead] + [heading(column, with_evaluator=with_evaluator) for column in measured]
    cells = [
        [text(row) for _, text in lead] + [shown(row.values.get(column.key), column, row) for column in measured]
        for row in table.rows
    ]
    if len(measured) <= _MOST_COLUMNS:
        return Grid(headings, cells, text_columns)
    turned = [list(line) for line in zip(headings, *cells, strict=True)]
    return Grid(turned[0], turned[1:], 1)


def notes_of(table: Table) -> list[str]:
    """What must be known about rows and cells, each said once."""
    lines: dict[str, None] = {}
    for row in table.rows:
        where = " ".join(part for part in (row.dataset, row.backbone, row.label) if part)
        for note in row.notes:
            lines[f"{where}: {note}"] = None
    by_note: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        for column in table.columns:
            value = row.values.get(column.key)
            if value and value.note:
                by_note.setdefault((column.score, value.note), []).append(f"{row.dataset} {row.label}")
    for (score, note), labels in by_note.items():
        lines[f"{score}: {note} ({', '.join(dict.fromkeys(labels))})"] = None
    return list(lines)


def remarks_of(board: Leaderboard) -> Iterator[str]:
    """Everything below the tables: settings, results left out, failures."""
    for letter, text in board.legend.items():
        yield f"settings {letter}: {text}"
    yield from board.remarks
    for what, why in board.failures:
        yield f"failed: {what}: {why}"


_READING = (
    "Mean ± standard deviation over n seeds; with one seed the 95 % Wilson interval over the test images in brackets. "
    "n/m: not meaningful, see the notes."
)


def to_markdown(board: Leaderboard) -> str:
    """GitHub-flavoured markdown."""
    lines = [f"# {_cell(board.name)}", "", _READING, ""]
    for table in board.tables:
        text = grid(table, with_evaluator=table.title == "Leaderboard")
        lines += [f"## {_cell(table.title)}", "", _line(text.headings)]
        lines += [_line(["---" if index < text.text_columns else "---:" for index in range(len(text.headings))])]
        lines += [_line(row) for row in text.cells]
        lines += ["", *(f"- {_cell(note)}" for note in notes_of(table)), ""]
    lines += ["## Settings", "", *(f"- {_cell(remark)}" for remark in remarks_of(board))]
    page = "\n".join(lines)
    while "\n\n\n" in page:
        page = page.replace("\n\n\n", "\n\n")
    return page.rstrip() + "\n"


def to_csv(board: Leaderboard) -> str:
    """Tidy CSV: one line per row and score of the evaluators' tables."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_CSV_HEADINGS)
    for table, row, column, value in _values(board):
        low, high = value.interval or (None, None)
        writer.writerow(
            [
                row.dataset,
                row.backbone,
                row.label,
                board.legend.get(row.settings, ""),
                table.title,
                column.score,
                column.unit,
                _DIRECTIONS[column.higher_is_better],
                *("" if number is None else repr(number) for number in (value.mean, value.std)),
                len(value.seeds),
                *("" if number is None else repr(number) for number in (low, high)),
                " ".join(map(str, value.seeds)),
                value.note,
            ]
        )
    return buffer.getvalue()


def to_json(board: Leaderboard) -> str:
    """Everything that the leaderboard holds, as JSON."""
    facts: dict[str, Any] = {
        "schema": 1,
        "name": board.name,
        "legend": dict(board.legend),
        "headline": [column.key for table in board.tables if table.title == "Leaderboard" for column in table.columns],
        "tables": [_table_facts(table) for table in board.tables],
        "remarks": list(board.remarks),
        "failures": [{"what": what, "why": why} for what, why in board.failures],
    }
    return json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_rich(board: Leaderboard) -> RenderableType:
    """Tables for a terminal."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    parts: list[RenderableType] = []
    for table in board.tables:
        text = grid(table, with_evaluator=table.title == "Leaderboard")
        shown_table = RichTable(title=Text(table.title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for index, name in enumerate(text.headings):
            shown_table.add_column(Text(name), justify="left" if index < text.text_columns else "right")
        for row in text.cells:
            shown_table.add_row(*map(Text, row))
        parts += [shown_table, *(Text(f"  {note}") for note in notes_of(table)), Text("")]
    parts += [Text(_READING), *map(Text, remarks_of(board))]
    return Group(*parts)


FORMATS: Mapping[str, Callable[[Leaderboard], str]] = {"markdown": to_markdown, "csv": to_csv, "json": to_json}


def export(board: Leaderboard, form: str) -> str:
    """The leaderboard in one of :data:`FORMATS`; equal leaderboards give equal text.

    Raises:
        UnknownName: no such format.
    """
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    return FORMATS[form](board)


def _values(board: Leaderboard) -> Iterator[tuple[Table, Row, Column, Value]]:
    for table in board.tables:
        if table.title == "Leaderboard":
            continue
        for row in table.rows:
            for column in table.columns:
                if column.key in row.values:
                    yield table, row, column, row.values[column.key]


def _table_facts(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "columns": [{**asdict(column), "key": column.key} for column in table.columns],
        "rows": [asdict(row) for row in table.rows],
    }


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """Text that neither breaks a markdown table nor is read as markup."""
    for mark in "\\`*_|":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("<", "&lt;").replace(">", "&gt;").replace("](", "]\\(").replace("\n", " ")
