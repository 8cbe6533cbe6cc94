"""A table of the leaderboard as text: headings, cells, and what must be known about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum

from labelbench.leaderboard.reported import Reported
from labelbench.leaderboard.standings import Difference
from labelbench.results.tables import Column, Row, Table, Value, shown_number

# A value of many seeds may have a note of each; exports have them all.
_NOTES_OF_ONE = 2
_FLAGS = "flags are findings about the row; the notes of the evaluator's table say what was measured"
# A table of more columns than this is turned, since no page is as wide.
MOST_COLUMNS = 16
# Scores over more different numbers of images than this (of those read right, say) are not told apart by them.
_COUNTS = 3


class Detail(IntEnum):
    """How much a cell says beside the mean, where there is room for it."""

    MEAN = 0
    SPREAD = 1
    INTERVAL = 2
    FULL = 3


@dataclass(frozen=True)
class Place:
    """What a row is about; the backbone is empty where labels alone were measured, the label where several were."""

    dataset: str
    backbone: str
    label: str


@dataclass(frozen=True)
class Grid:
    """A table as text.

    Attributes:
        headings: of the columns.
        cells: rows of text.
        text_columns: how many columns from the left hold text and not numbers.
        bold: ``(row, column)`` of cells in bold.
        wide: whether the last column holds sentences.
        places: what each row is about; empty if the table is turned.
    """

    headings: list[str]
    cells: list[list[str]]
    text_columns: int
    bold: frozenset[tuple[int, int]] = frozenset()
    wide: bool = False
    places: tuple[Place, ...] = ()

    def without(self, place: int) -> Grid:
        """The grid without one of its columns."""
        return replace(
            self,
            headings=self.headings[:place] + self.headings[place + 1 :],
            cells=[cells[:place] + cells[place + 1 :] for cells in self.cells],
            text_columns=self.text_columns - (place < self.text_columns),
            bold=frozenset((line, column - (column > place)) for line, column in self.bold),
        )


def shown(value: Value | None, column: Column, row: Row, detail: Detail = Detail.FULL) -> str:
    """One cell as text: mean, spread over seeds, interval, and n where it is not the row's."""
    if value is None:
        return ""
    if value.mean is None:
        return "n/m" if value.note else ""
    text = shown_number(value.mean, column.unit)
    if value.std is not None and detail in (Detail.SPREAD, Detail.FULL):
        text += f" ± {shown_number(value.std, column.unit)}"
    if value.interval and detail >= Detail.INTERVAL:
        text += f" {interval_text(value.interval, column.unit)}"
    if len(value.seeds) != (len(row.seeds) or 1) and not column.of_labels:
        text += f" (n={len(value.seeds)})"
    return text


def heading(column: Column) -> str:
    """A column's heading: the evaluator's own words or the score, the unit, and whether higher is better."""
    text = column.heading or column.score
    arrow = {True: " ↑", False: " ↓", None: ""}[column.higher_is_better]
    if column.unit == "share":
        return text + ("" if text.endswith("%") else " %") + arrow
    # A short heading has its unit in the notes.
    return text + (f" ({column.unit})" if column.unit and not column.heading else "") + arrow


def grid(table: Table, most_columns: int = MOST_COLUMNS, detail: Detail = Detail.FULL) -> Grid:
    """A table as text; empty columns are left out, and a table of very many columns is turned: scores are rows then."""
    measured = [column for column in table.columns if any(column.key in row.values for row in table.rows)]
    lead: list[tuple[str, Callable[[Row], str]]] = [("dataset", lambda row: row.dataset)]
    if any(row.backbone for row in table.rows):
        lead.append(("backbone", lambda row: row.backbone))
    lead.append(("label", lambda row: row.name))
    if any(row.flags for row in table.rows):
        lead.append(("flags", lambda row: ", ".join(map(str, row.flags))))
    text_columns = len(lead)
    if any(row.seeds for row in table.rows):
        lead.append(("n", lambda row: str(len(row.seeds))))
        lead.append(("set", lambda row: row.settings))
    headings = [name for name, _ in lead] + [heading(column) for column in measured]
    cells = [
        [text(row) for _, text in lead]
        + [shown(row.values.get(column.key), column, row, detail) for column in measured]
        for row in table.rows
    ]
    bold = frozenset(
        (line, len(lead) + place)
        for line, row in enumerate(table.rows)
        for place, column in enumerate(measured)
        if column.key in row.values and row.values[column.key].best
    )
    if len(measured) <= most_columns:
        return Grid(headings, cells, text_columns, bold, places=tuple(map(place_of, table.rows)))
    turned = [list(line) for line in zip(headings, *cells, strict=True)]
    return Grid(turned[0], turned[1:], 1, frozenset((place - 1, line + 1) for line, place in bold))


def notes_of(table: Table) -> list[str]:
    """What must be known about rows and cells, each said once."""
    by_place: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        where = " ".join(part for part in (row.dataset, row.backbone) if part)
        for note in row.notes:
            by_place.setdefault((where, note), []).append(row.name)
    lines = {f"{where} {', '.join(dict.fromkeys(names))}: {note}": None for (where, note), names in by_place.items()}
    by_note: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        for column in table.columns:
            value = row.values.get(column.key)
            if value and value.notes:
                first, more = value.notes[:_NOTES_OF_ONE], len(value.notes[_NOTES_OF_ONE:])
                note = "; ".join([*first, *([f"and {more} more like it"] if more else [])])
                by_note.setdefault((column.score, note), []).append(f"{row.dataset} {row.name}")
    for (score, note), labels in by_note.items():
        lines[f"{score}: {note} ({', '.join(dict.fromkeys(labels))})"] = None
    return [*lines, *([_FLAGS] if any(row.flags for row in table.rows) else [])]


def columns_explained(table: Table) -> str:
    """Which score of which evaluator stands under each heading."""
    units = {"share": "", "": ""}
    named = [
        f"{column.heading} is {column.key}{units.get(column.unit, f' in {column.unit}')}" for column in table.columns
    ]
    return "columns: " + ", ".join(named)


def images_of(table: Table) -> str:
    """How many images shares are taken over, once if it is the same everywhere."""
    counts: dict[int, list[str]] = {}
    for column in table.columns:
        values = (row.values.get(column.key) for row in table.rows)
        found = {value.count for value in values if value and value.count and column.unit == "share"}
        for count in sorted(found):
            counts.setdefault(count, []).append(column.heading or column.score)
    if len(counts) > _COUNTS:
        return ""
    if len(counts) == 1:
        return f"{next(iter(counts)):,} images"
    return "; ".join(f"{count:,} images: {', '.join(names)}" for count, names in counts.items())


def place_of(one: Row | Difference | Reported) -> Place:
    """What a row is about."""
    return Place(one.dataset, one.backbone, one.label)


def interval_text(interval: tuple[float, float], unit: str, *, signed: bool = False) -> str:
    """An interval as it stands behind its number."""
    return f"[{shown_number(interval[0], unit, signed=signed)}, {shown_number(interval[1], unit, signed=signed)}]"
