"""The leaderboard as sections of text, which every format for people draws in its own way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from labelbench.leaderboard.first_table import Missing
from labelbench.leaderboard.grids import (
    MOST_COLUMNS,
    Detail,
    Grid,
    Place,
    columns_explained,
    grid,
    heading,
    images_of,
    interval_text,
    notes_of,
    place_of,
)
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.reported import sources
from labelbench.leaderboard.standings import Difference
from labelbench.results.tables import Column, Table, shown_number

READING = (
    "Mean ± standard deviation over n seeds, in brackets Student's 95 % t-interval of the mean; with one seed (n = 1) "
    "the 95 % interval over the test images (Wilson's, for shares). Bold: better than every other label of the same "
    "data set, backbone and settings, and separated from each: the 95 % t-interval of the difference paired by seed "
    "excludes 0, over three seeds or more; with fewer nothing is bold. n/m: not meaningful, "
    "see the notes."
)
_GAPS = 3
_DIFFERENCES = (
    "mean difference paired by seed, in brackets its 95 % t-interval over n pairs; with one pair there is no interval; "
    "a label drawn at random is one draw, which no spread over seeds contains unless it is drawn again (seed=run)"
)
_CORRELATIONS = (
    "Spearman's rank correlation with the label as the unit; in brackets its 95 % interval by Fisher's z with the "
    "standard error of Bonett and Wright; labels come in families, so that n overstates how much is known"
)


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
    board: Leaderboard, most_columns: int = MOST_COLUMNS, detail: Detail = Detail.FULL
) -> Iterator[Section]:
    """The headline, what follows from it, every evaluator's table, and the settings.

    Args:
        board: any.
        most_columns: of scores; a table of more is turned, so that its rows are scores.
        detail: how much cells of scores say.
    """
    if board.headline:
        section = _table_section(board.headline, "headline", most_columns, detail)
        yield replace(section, notes=(columns_explained(board.headline), *section.notes, *_gaps(board.missing)))
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


def _gaps(missing: Sequence[Missing]) -> Iterator[str]:
    """What rows lack, with the commands that measure it; of many gaps the first."""
    shown = missing if len(missing) <= _GAPS else missing[: _GAPS - 1]
    yield from (f"{one}; to measure it: {one.repeat.command}" for one in shown)
    if len(missing) > len(shown):
        yield f"{len(missing) - len(shown)} more gaps; all stand with their commands under `missing` of --format json"


def compact(section: Section) -> Section:
    """The section without those columns that hold one value, which is said above the table."""
    found = section.grid
    common: dict[str, str] = {}
    for name in ("dataset", "backbone", "n", "set"):
        if found and len(found.cells) and name in found.headings:
            place = found.headings.index(name)
            values = {cells[place] for cells in found.cells}
            if len(values) == 1:
                common[name] = values.pop()
                found = found.without(place)
    return replace(section, grid=found, common=common)


def remarks_of(board: Leaderboard) -> Iterator[str]:
    """Everything below the tables: settings, results left out, failures."""
    for letter, text in board.legend.items():
        yield f"settings {letter}: {text}"
    yield from board.remarks
    for what, why in board.failures:
        yield f"failed: {what}: {why}"


def _table_section(table: Table, kind: str, most_columns: int, detail: Detail) -> Section:
    text = grid(table, most_columns, detail)
    return Section(table.title, text, tuple(notes_of(table)), kind, images=images_of(table))


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
        text += f" {interval_text(one.paired.interval, one.column.unit, signed=True)}"
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
    text = Grid(headings, cells, 5, places=tuple(map(place_of, chosen)))
    yield Section("Reported by others", text, tuple(notes), "reported")
