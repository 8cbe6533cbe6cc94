"""The leaderboard as sections of text, which every format for people draws in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.reported import Reported, sources
from labelbench.leaderboard.standings import Difference
from labelbench.results.tables import Column, Row, Table, Value, shown_number

READING = (
    "Mean ± standard deviation over n seeds, in brackets Student's 95 % t-interval of the mean; with one seed (n = 1) "
    "the 95 % interval over the test images (Wilson's, for shares). Bold: better than every other label of the same "
    "data set, backbone and settings, and separated from each: the 95 % t-interval of the difference paired by seed "
    "excludes 0, over three seeds or more; with fewer nothing is bold. n/m: not meaningful, "
    "see the notes."
)
_FLAGS = "flags are findings about the row; the notes of the evaluator's table say what was measured"
_DIFFERENCES = (
    "mean difference paired by seed, in brackets its 95 % t-interval over n pairs; with one pair there is no interval; "
    "a label drawn at random is one draw, which no spread over seeds contains unless it is drawn again (seed=run)"
)
_CORRELATIONS = (
    "Spearman's rank correlation with the label as the unit; in brackets its 95 % interval by Fisher's z with the "
    "standard error of Bonett and Wright; labels come in families, so that n overstates how much is known"
)
# A table of more columns than this is turned, since no page is as wide.
_MOST_COLUMNS = 16
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


@dataclass(frozen=True)
class Section:
    """A titled table, or notes alone.

    Attributes:
        title: heading.
        grid: the table, or None.
        notes: what must be known, each a line.
        kind: ``"headline"``, ``"differences"``, ``"claims"``, ``"correlations"``, ``"reported"``, ``"evaluator"`` or
            ``"settings"``.
        images: what the table was measured on, in words.
        common: what all rows share, by heading; such a column is not in the table.
    """

    title: str
    grid: Grid | None
    notes: tuple[str, ...]
    kind: str
    images: str = ""
    common: Mapping[str, str] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """What stands above the table: what all rows share."""
        words = {"n": "n = {}", "set": "settings {}"}
        parts = [words.get(name, "{}").format(value) for name, value in self.common.items() if value]
        return ", ".join([*parts, *([self.images] if self.images else [])])


def sections_of(
    board: Leaderboard, most_columns: int = _MOST_COLUMNS, detail: Detail = Detail.FULL
) -> Iterator[Section]:
    """The headline, what follows from it, every evaluator's table, and the settings.

    Args:
        board: any.
        most_columns: of scores; a table of more is turned, so that its rows are scores.
        detail: how much cells of scores say.
    """
    if board.headline:
        section = _table_section(board.headline, "headline", most_columns, detail)
        lacking = (f"{one}; to measure it: {one.repeat.command}" for one in board.missing)
        yield replace(section, notes=(_columns_explained(board.headline), *section.notes, *lacking))
    if board.differences:
        yield _difference_section(board.differences)
    if board.verdicts:
        yield _verdict_section(board)
    if board.correlations:
        yield _correlation_section(board)
    if board.reported:
        yield from _reported_section(board)
    for table in board.evaluator_tables:
        yield _table_section(table, "evaluator", most_columns, detail)
    yield Section("Settings", None, tuple(remarks_of(board)), "settings")


def compact(section: Section, names: Sequence[str] = ("dataset", "backbone", "n", "set")) -> Section:
    """The section without those columns that hold one value, which is said above the table."""
    found, common = section.grid, {}
    for name in names:
        if found and len(found.cells) and name in found.headings:
            place = found.headings.index(name)
            values = {cells[place] for cells in found.cells}
            if len(values) == 1:
                common[name] = values.pop()
                found = _without(found, place)
    return replace(section, grid=found, common=common)


def _without(grid: Grid, place: int) -> Grid:
    return replace(
        grid,
        headings=grid.headings[:place] + grid.headings[place + 1 :],
        cells=[cells[:place] + cells[place + 1 :] for cells in grid.cells],
        text_columns=grid.text_columns - (place < grid.text_columns),
        bold=frozenset((line, column - (column > place)) for line, column in grid.bold),
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
        text += f" {_interval(value.interval, column.unit)}"
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


def grid(table: Table, most_columns: int = _MOST_COLUMNS, detail: Detail = Detail.FULL) -> Grid:
    """A table as text; empty columns are left out, and a table of very many columns is turned: scores are rows then."""
    measured = [column for column in table.columns if any(column.key in row.values for row in table.rows)]
    lead: list[tuple[str, Callable[[Row], str]]] = [("dataset", lambda row: row.dataset)]
    if any(row.backbone for row in table.rows):
        lead.append(("backbone", lambda row: row.backbone))
    lead.append(("label", lambda row: row.name))
    if any(row.flags for row in table.rows):
        lead.append(("flags", _flags))
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
        return Grid(headings, cells, text_columns, bold, places=tuple(map(_place, table.rows)))
    turned = [list(line) for line in zip(headings, *cells, strict=True)]
    return Grid(turned[0], turned[1:], 1, frozenset((place - 1, line + 1) for line, place in bold))


def notes_of(table: Table) -> list[str]:
    """What must be known about rows and cells, each said once."""
    lines: dict[str, None] = {}
    for row in table.rows:
        where = " ".join(part for part in (row.dataset, row.backbone, row.name) if part)
        for note in row.notes:
            lines[f"{where}: {note}"] = None
    by_note: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        for column in table.columns:
            value = row.values.get(column.key)
            if value and value.note:
                by_note.setdefault((column.score, value.note), []).append(f"{row.dataset} {row.name}")
    for (score, note), labels in by_note.items():
        lines[f"{score}: {note} ({', '.join(dict.fromkeys(labels))})"] = None
    return [*lines, *([_FLAGS] if any(row.flags for row in table.rows) else [])]


def remarks_of(board: Leaderboard) -> Iterator[str]:
    """Everything below the tables: settings, results left out, failures."""
    for letter, text in board.legend.items():
        yield f"settings {letter}: {text}"
    yield from board.remarks
    for what, why in board.failures:
        yield f"failed: {what}: {why}"


def _table_section(table: Table, kind: str, most_columns: int, detail: Detail) -> Section:
    text = grid(table, most_columns, detail)
    return Section(table.title, text, tuple(notes_of(table)), kind, images=_images(table))


def _columns_explained(table: Table) -> str:
    """Which score of which evaluator stands under each heading."""
    units = {"share": "", "": ""}
    named = [
        f"{column.heading} is {column.key}{units.get(column.unit, f' in {column.unit}')}" for column in table.columns
    ]
    return "columns: " + ", ".join(named)


def _images(table: Table) -> str:
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


def _place(one: Row | Difference | Reported) -> Place:
    return Place(one.dataset, one.backbone, one.label)


def _flags(row: Row) -> str:
    return ", ".join(map(str, row.flags))


def _interval(interval: tuple[float, float], unit: str, *, signed: bool = False) -> str:
    return f"[{shown_number(interval[0], unit, signed=signed)}, {shown_number(interval[1], unit, signed=signed)}]"


def _difference_section(found: tuple[Difference, ...]) -> Section:
    columns = list(dict.fromkeys(one.column for one in found))
    rows: dict[tuple[str, str, str, str, str], dict[Column, Difference]] = {}
    for one in found:
        rows.setdefault((one.dataset, one.backbone, one.label, one.name, one.settings), {})[one.column] = one
    cells = []
    for (dataset, backbone, _, name, settings), by_column in rows.items():
        n = max(one.paired.n for one in by_column.values())
        texts = [_difference(by_column.get(column), n) for column in columns]
        cells.append([dataset, backbone, name, str(n), settings, *texts])
    headings = ["dataset", "backbone", "label", "n", "set", *map(heading, columns)]
    references = " and ".join(dict.fromkeys(one.reference for one in found))
    places = tuple(Place(dataset, backbone, label) for dataset, backbone, label, *_ in rows)
    text = Grid(headings, cells, 3, places=places)
    return Section(f"Differences to {references}", text, (_DIFFERENCES,), "differences")


def _difference(one: Difference | None, row_n: int) -> str:
    if one is None:
        return ""
    text = shown_number(one.paired.mean, one.column.unit, signed=True)
    if one.paired.interval:
        text += f" {_interval(one.paired.interval, one.column.unit, signed=True)}"
    return text + (f" (n={one.paired.n})" if one.paired.n != row_n else "")


def _verdict_section(board: Leaderboard) -> Section:
    cells = []
    for verdict in board.verdicts:
        parts = [*verdict.missing, *verdict.evidence]
        where = [verdict.claim, verdict.dataset, verdict.backbone, verdict.settings, verdict.attack]
        cells.append([*where, verdict.outcome, ". ".join(parts)])
    headings = ["claim", "dataset", "backbone", "set", "attack", "verdict", "what is missing, and evidence"]
    texts = dict.fromkeys(f"{verdict.claim}: {verdict.text}" for verdict in board.verdicts)
    places = tuple(Place(verdict.dataset, verdict.backbone, "") for verdict in board.verdicts)
    text = Grid(headings, cells, len(headings), wide=True, places=places)
    return Section("Claims", text, tuple(texts), "claims")


def _correlation_section(board: Leaderboard) -> Section:
    cells = []
    for one in board.correlations:
        text = "n/m" if one.rho is None else f"{one.rho:+.2f}"
        if one.interval:
            text += f" [{one.interval[0]:+.2f}, {one.interval[1]:+.2f}]"
        where = [one.dataset, one.backbone, one.statistic, one.outcome]
        cells.append([*where, one.settings, str(len(one.labels)), text])
    headings = ["dataset", "backbone", "statistic of labels", "outcome", "set", "n labels", "Spearman"]
    places = tuple(Place(one.dataset, one.backbone, "") for one in board.correlations)
    return Section(
        "Correlations over labels", Grid(headings, cells, 4, places=places), (_CORRELATIONS,), "correlations"
    )


def _reported_section(board: Leaderboard) -> Iterator[Section]:
    """Printed numbers of the headline's scores; of all scores where there is no headline."""
    wanted = {column.key for column in board.headline.columns} if board.headline else None
    chosen = [one for one in board.reported if wanted is None or one.score in wanted]
    if not chosen:
        return
    cells = []
    for one in chosen:
        numbers = [shown_number(number, one.unit) for number in (one.ours, one.reported)]
        difference = shown_number(one.difference, one.unit, signed=True)
        score = f"{one.score} %" if one.unit == "share" else one.score
        where = [one.dataset, one.backbone, one.name, score, f"{one.source}: {one.note}" if one.note else one.source]
        cells.append([*where, one.settings, *numbers, difference])
    headings = ["dataset", "backbone", "label", "score", "source", "set", "ours", "reported", "difference"]
    notes = ["numbers that others printed under other protocols; they take no part in ranks, means or verdicts"]
    for name in dict.fromkeys(one.source for one in chosen):
        source = sources()[name]
        notes.append(f"{name}: {source.title} ({source.cite}); {source.protocol}")
    if len(chosen) < len(board.reported):
        notes.append(f"{len(board.reported) - len(chosen)} more for other scores are in the CSV and JSON exports")
    text = Grid(headings, cells, 5, places=tuple(map(_place, chosen)))
    yield Section("Reported by others", text, tuple(notes), "reported")
