"""Line charts of scores that lie along an axis, as their evaluators declare: accuracy against epsilon, say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labelbench.charts.data import FEW_SEEDS, Chart, Panel, Series, ordered
from labelbench.evaluation.shown import Axes, Curve, Section
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.plugins.lookup import evaluator_here, section_of
from labelbench.results.tables import Column, Row, Table, Value


@dataclass(frozen=True)
class _Drawn:
    """One curve of one evaluator: a panel of its chart."""

    curve: Curve
    table: Table
    columns: tuple[Column, ...]
    section: Section

    @property
    def title(self) -> str:
        """Of the panel: the evaluator's argument tells it from the same curve under another one."""
        argument = self.table.title.partition(":")[2]
        return f"{self.curve.panel} ({argument})".strip() if argument else self.curve.panel

    @property
    def order(self) -> tuple[object, ...]:
        """Evaluator by evaluator; curves that start at another's value stand after those that have their own."""
        return bool(self.curve.start), self.table.title

    def rows(self, dataset: str, backbone: str) -> list[Row]:
        """Of one data set and backbone, those that were measured."""
        here = [row for row in self.table.rows if (row.dataset, row.backbone) == (dataset, backbone)]
        return [row for row in here if any(column.key in row.values for column in self.columns)]


def curve_charts(board: Leaderboard) -> Iterable[Chart]:
    """A chart for all axes that some evaluator declares, for every data set and backbone with scores along them."""
    charts: dict[tuple[Axes, str], list[_Drawn]] = defaultdict(list)
    for one in _declared(board.evaluator_tables):
        # Scores in different units never share a chart.
        charts[one.curve.axes, one.columns[0].unit].append(one)
    named = [axes.name for axes, _ in charts]
    for (axes, unit), curves in sorted(charts.items(), key=lambda pair: (pair[1][0].section.order, pair[0][0].name)):
        alone = named.count(axes.name) == 1
        figure = axes.name if alone else f"{axes.name}-{curves[0].table.title.partition(':')[0]}"
        yield from _charts(board, axes, unit, figure, sorted(curves, key=lambda one: one.order))


def _declared(tables: Iterable[Table]) -> Iterable[_Drawn]:
    for table in tables:
        for curve in evaluator_here(table.title).curves:
            columns = tuple(
                column
                for column in table.columns
                if column.at is not None
                and column.score.rpartition("/")[0] == curve.scores
                # A logarithmic axis has no 0.
                and (column.at > 0 or not curve.axes.log)
            )
            if columns:
                yield _Drawn(curve, table, columns, section_of(table.title))


def _charts(board: Leaderboard, axes: Axes, unit: str, figure: str, curves: Sequence[_Drawn]) -> Iterable[Chart]:
    for dataset, backbone in sorted({(row.dataset, row.backbone) for one in curves for row in one.table.rows}):
        rows = [(one, found) for one in curves if (found := one.rows(dataset, backbone))]
        if not rows:
            continue
        letters = sorted({row.settings for _, found in rows for row in found})
        several = len(letters) > 1
        panels = (
            Panel(one.title, ordered(_series(board, one, row, row.settings if several else "") for row in found))
            for one, found in rows
        )
        legend = [f"{letter}: {board.legend[letter]}." for letter in letters] if several else []
        seeds = {len(row.seeds) for _, found in rows for row in found}
        yield Chart(
            figure,
            dataset,
            backbone,
            f"{axes.title}: {dataset}, {backbone}" if backbone else f"{axes.title}: {dataset}",
            "line",
            _with_unit(axes.x, axes.unit),
            _with_unit(axes.y, unit),
            tuple(panels),
            log_x=axes.log,
            percent=unit == "share",
            note=" ".join(filter(None, [axes.note, *legend])),
            spread=spread_in_words(seeds),
            section=rows[0][0].section,
        )


def spread_in_words(seeds: Iterable[int], *, over_images: bool = True) -> str:
    """What is drawn beside the means of a chart, given how many seeds its rows have.

    Args:
        seeds: of each row.
        over_images: whether the value of one seed has an interval over the test images.
    """
    counts = sorted(set(seeds))
    most = counts[-1]
    if most <= 1:
        return "One seed (n = 1)" + ("; bands: 95 % intervals over test images." if over_images else ".")
    n = str(most) if len(counts) == 1 else f"{counts[0]} to {most}"
    bands = []
    if any(1 < count < FEW_SEEDS for count in counts):
        bands.append("thin lines: single seeds")
    if most >= FEW_SEEDS:
        bands.append("bands: 95 % t-intervals over seeds")
    if counts[0] == 1 and over_images:
        bands.append("bands where n = 1: 95 % intervals over test images")
    return "; ".join([f"Mean over n = {n} seeds", *bands]) + "."


def _with_unit(name: str, unit: str) -> str:
    return ", ".join(filter(None, (name, "%" if unit == "share" else unit)))


def _series(board: Leaderboard, one: _Drawn, row: Row, settings: str) -> Series:
    """Means, intervals and single seeds of one row along x."""
    # Shares are shown in percent.
    factor = 100 if one.curve.axes.unit == "share" else 1
    values = {
        round(column.at * factor, 9): row.values[column.key]
        for column in one.columns
        if column.at is not None and column.key in row.values
    }
    start = None if 0 in values else _start(board, one.curve, row)
    if start:
        values[0.0] = start
    xs = tuple(sorted(values))
    points = [values[x] for x in xs]
    bounds = [value.interval or (None, None) for value in points]
    banded = any(value.interval for value in points)
    return Series(
        row.label,
        xs,
        tuple(value.mean for value in points),
        low=tuple(low for low, _ in bounds) if banded else (),
        high=tuple(high for _, high in bounds) if banded else (),
        identity=row.identity,
        settings=settings,
        seeds=tuple(tuple(value.by_seed.get(seed) for value in points) for seed in row.seeds)
        if 1 < len(row.seeds) < FEW_SEEDS
        else (),
    )


def _start(board: Leaderboard, curve: Curve, row: Row) -> Value | None:
    """The value at x = 0 of the same label, settings and seeds, from another evaluator."""
    for key in curve.start:
        for table in board.evaluator_tables:
            for other in table.rows:
                same = (*other.place, other.name, other.seeds) == (*row.place, row.name, row.seeds)
                if key in other.values and same:
                    return other.values[key]
    return None
