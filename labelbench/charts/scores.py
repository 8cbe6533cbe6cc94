"""Line charts of scores that are named by where they were measured: accuracy against epsilon, or share of data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labelbench.charts.data import Chart, Panel, Series, ordered
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.results.tables import Row, Table, Value


@dataclass(frozen=True)
class Axes:
    """What the panels of one kind of chart share.

    Attributes:
        title: in words.
        x_title: with the unit that all its panels have.
        log_x: whether x has a logarithmic axis, which cannot show 0.
        note: a sentence about the axes.
    """

    title: str
    x_title: str
    log_x: bool = False
    note: str = ""


@dataclass(frozen=True)
class Curve:
    """How the scores of one evaluator become one panel.

    Attributes:
        chart: key of :data:`AXES`: scores in different units never share a chart.
        evaluator: its name without argument; ``attacks-adaptive`` stands for ``attacks-adaptive:quick`` as well.
        score: names of the scores, with ``{x}`` in the place of the number that goes along x.
        panel: title; the evaluator's argument is added to it.
        start: columns of the leaderboard that hold the value at x = 0, where the evaluator has none itself: the first
            that the row has counts.
    """

    chart: str
    evaluator: str
    score: str
    panel: str = ""
    start: tuple[str, ...] = ()


AXES: Mapping[str, Axes] = {
    "accuracy-epsilon": Axes(
        "Accuracy under attack, at the paper's epsilons",
        "epsilon, normalised units",
        note="Accuracy is over all test images; epsilon is the largest change of a normalised pixel.",
    ),
    "accuracy-epsilon-pixels": Axes(
        "Accuracy under attack, at small epsilons",
        "epsilon, 1/255 of the pixel range",
        log_x=True,
        note="Accuracy is over all test images; epsilon is the largest change of a pixel.",
    ),
    "data-efficiency": Axes(
        "Accuracy against training data",
        "share of the training images, %",
        log_x=True,
        note="Accuracy is over all test images.",
    ),
}

# All that is known here of evaluators: which scores lie along an axis, and in which units. Scores of evaluators that
# are not named here stay in the tables.
CURVES = (
    Curve("accuracy-epsilon", "attacks-paper", "fgsm-untargeted/{x}", "FGSM, untargeted"),
    Curve("accuracy-epsilon", "attacks-paper", "fgsm-targeted/{x}", "FGSM, targeted"),
    Curve("accuracy-epsilon", "attacks-paper", "iterative-untargeted/{x}", "iterative, untargeted"),
    Curve("accuracy-epsilon", "attacks-paper", "iterative-targeted/{x}", "iterative, targeted"),
    Curve(
        "accuracy-epsilon",
        "attacks-adaptive",
        "at-paper-epsilon/{x}",
        "adaptive",
        # Without an attack the paper's protocol and plain accuracy are the same number.
        start=("attacks-paper/fgsm-untargeted/0", "accuracy/nearest"),
    ),
    Curve("accuracy-epsilon-pixels", "attacks-adaptive", "paper/{x}", "strongest of the paper's attacks"),
    Curve("accuracy-epsilon-pixels", "attacks-adaptive", "adaptive/{x}", "adaptive"),
    Curve("accuracy-epsilon-pixels", "attacks-adaptive", "noise/{x}", "random noise"),
    Curve("data-efficiency", "data-efficiency", "{x}%"),
)


def score_charts(board: Leaderboard) -> Iterable[Chart]:
    """A chart for every kind of axes, data set and backbone of which a leaderboard has scores."""
    tables = [table for table in board.evaluator_tables if _curves_of(table)]
    places = sorted({(row.dataset, row.backbone) for table in tables for row in table.rows})
    for name, axes in AXES.items():
        for dataset, backbone in places:
            rows = _rows_by_panel(name, dataset, backbone, tables)
            letters = sorted({row.settings for _, _, found in rows for row in found})
            panels = [
                _panel(board, curve, table.title, found, several=len(letters) > 1) for curve, table, found in rows
            ]
            if not panels:
                continue
            seeds = {len(row.seeds) for _, _, found in rows for row in found}
            legend = [f"{letter}: {board.legend[letter]}." for letter in letters] if len(letters) > 1 else []
            yield Chart(
                name,
                dataset,
                backbone,
                f"{axes.title}: {dataset}, {backbone}",
                "line",
                axes.x_title,
                "accuracy, %",
                tuple(panels),
                log_x=axes.log_x,
                percent=True,
                note=" ".join([axes.note, spread_in_words(seeds), *legend]),
            )


def spread_in_words(seeds: Iterable[int]) -> str:
    """What the bands of a chart are, given how many seeds its rows have."""
    counts = sorted(set(seeds))
    if counts == [1]:
        return "One seed (n = 1); bands: 95 % intervals over test images."
    if 1 not in counts:
        n = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        return f"Mean over n = {n} seeds; bands: 95 % t-intervals over seeds."
    return (
        f"Mean over n = 1 to {counts[-1]} seeds; bands: 95 % t-intervals over seeds, or over test images where n = 1."
    )


def _curves_of(table: Table) -> list[Curve]:
    """What the table of an evaluator can be drawn as."""
    base = table.title.partition(":")[0]
    return [curve for curve in CURVES if curve.evaluator == base]


def _rows_by_panel(
    chart: str, dataset: str, backbone: str, tables: Sequence[Table]
) -> list[tuple[Curve, Table, list[Row]]]:
    """Curves and the rows that have points on them, evaluator by evaluator in the order of :data:`CURVES`."""
    order = {curve.evaluator: index for index, curve in reversed(list(enumerate(CURVES)))}
    found = []
    for table in sorted(tables, key=lambda table: (order[table.title.partition(":")[0]], table.title)):
        for curve in _curves_of(table):
            rows = [
                row
                for row in table.rows
                if (row.dataset, row.backbone) == (dataset, backbone) and _points(curve, table.title, row)
            ]
            if curve.chart == chart and rows:
                found.append((curve, table, rows))
    return found


def _panel(board: Leaderboard, curve: Curve, evaluator: str, rows: Iterable[Row], *, several: bool) -> Panel:
    argument = evaluator.partition(":")[2]
    title = f"{curve.panel} ({argument})" if argument else curve.panel
    return Panel(
        title,
        ordered(_series(board, row.settings if several else "", curve, evaluator, row) for row in rows),
    )


def _series(board: Leaderboard, settings: str, curve: Curve, evaluator: str, row: Row) -> Series:
    """Means and intervals of one row along x."""
    values = {x: row.values[key] for x, key in _points(curve, evaluator, row).items()}
    if curve.start and 0 not in values:
        start = _start(board, curve, row)
        values = {**({0.0: start} if start else {}), **values}
    points = [values[x] for x in sorted(values)]
    bounds = [value.interval or (None, None) for value in points]
    banded = any(value.interval for value in points)
    return Series(
        row.label,
        tuple(sorted(values)),
        tuple(value.mean for value in points),
        low=tuple(low for low, _ in bounds) if banded else (),
        high=tuple(high for _, high in bounds) if banded else (),
        identity=row.identity,
        settings=settings,
    )


def _points(curve: Curve, evaluator: str, row: Row) -> dict[float, str]:
    """Column key of every point of a curve that a row has, by x; none at 0 on a logarithmic axis."""
    before, after = curve.score.split("{x}")
    pattern = re.compile(re.escape(f"{evaluator}/{before}") + r"(\d+(?:\.\d+)?)" + re.escape(after))
    matches = ((pattern.fullmatch(key), key) for key in row.values)
    found = {float(match[1]): key for match, key in matches if match}
    return {x: key for x, key in found.items() if x > 0 or not AXES[curve.chart].log_x}


def _start(board: Leaderboard, curve: Curve, row: Row) -> Value | None:
    """The value at x = 0 of the same label, settings and seeds, from another evaluator."""
    for key in curve.start:
        for table in board.evaluator_tables:
            for other in table.rows:
                same = (*other.place, other.name, other.seeds) == (*row.place, row.name, row.seeds)
                if key in other.values and same:
                    return other.values[key]
    return None
