"""Every chart of a results folder, as data.

The same objects are drawn as files for papers (:mod:`labelbench.charts.figures`) and as interactive figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from labelbench.charts.curves import curve_charts
from labelbench.charts.data import Chart, Panel
from labelbench.charts.scatters import scatter_charts
from labelbench.charts.tradeoffs import trade_offs
from labelbench.charts.trainings import learning_curves
from labelbench.charts.tuning import tuning_chart
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.results.reading import Contents


def charts_of(contents: Contents, board: Leaderboard) -> tuple[Chart, ...]:
    """Every chart for which a results folder holds measurements; equal folders give equal charts.

    What evaluators declare, and learning curves, each for every data set and backbone, in the order of their sections.

    Args:
        contents: of the folder.
        board: its leaderboard.

    Raises:
        InputError: a file of arrays or a training is damaged.
    """
    tuning = contents.asked.tuning
    charts = (
        *curve_charts(board),
        *trade_offs(board),
        *learning_curves(contents.trainings),
        *([tuning_chart(tuning)] if tuning else []),
        *scatter_charts(contents, board.legend),
    )
    return tuple(sorted(charts, key=lambda chart: (chart.section.order, chart.section.title)))


def only_labels(charts: Iterable[Chart], labels: Iterable[str]) -> tuple[Chart, ...]:
    """The charts with the series of some labels alone; panels and charts without any are left out."""
    wanted = set(labels)
    left = []
    for chart in charts:
        panels = [
            Panel(panel.title, tuple(one for one in panel.series if one.label in wanted)) for panel in chart.panels
        ]
        if any(panel.series for panel in panels):
            left.append(replace(chart, panels=tuple(panel for panel in panels if panel.series)))
    return tuple(left)
