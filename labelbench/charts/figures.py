"""Charts as pictures for papers, drawn by matplotlib at the width of a column or of a page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from labelbench.charts.data import REFERENCE, Chart, Panel, Series
from labelbench.charts.styles import CLASS_COLOURS, Style, styles_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Inches: one column of a two-column paper, and both.
COLUMN, PAGE = 3.4, 7.0
# Points; what is printed at column width is read at this size.
_TEXT, _SMALL = 8.0, 7.0
_SETTINGS: dict[str, Any] = {
    "font.size": _TEXT,
    "axes.titlesize": _TEXT,
    "axes.labelsize": _TEXT,
    "xtick.labelsize": _SMALL,
    "ytick.labelsize": _SMALL,
    "legend.fontsize": _SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}
_DASHES: Mapping[str, Any] = {"solid": "-", "dash": (0, (5, 2)), "dot": (0, (1, 1.5)), "dashdot": (0, (6, 1.5, 1, 1.5))}
_MARKERS = {
    **{"circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "triangle-down": "v"},
    **{"cross": "P", "x": "X"},
}
# Lines with more points than this have markers at some of them only.
_MARKED = 12


def chart_figure(chart: Chart, styles: Mapping[str, Style] | None = None, class_names: Sequence[str] = ()) -> Figure:
    """A chart as a figure of vector text and lines; equal charts give equal figures.

    Args:
        chart: any.
        styles: of its series, by name; by default such that they differ within this chart.
        class_names: of the data set, for the legend of a scatter; numbers where they are not known.
    """
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS):  # type: ignore[arg-type]
        if chart.kind == "scatter":
            return _scatter_figure(chart, class_names)
        return _line_figure(chart, styles or styles_of([chart]))


def _line_figure(chart: Chart, styles: Mapping[str, Style]) -> Figure:
    """Panels with one y axis for all, and one legend: in a free place of the grid, else below."""
    from matplotlib.figure import Figure

    count = len(chart.panels)
    across = count if count < 3 else 2 if count == 4 else 3
    down = math.ceil(count / across)
    names = list(dict.fromkeys(series.name for panel in chart.panels for series in panel.series))
    width = COLUMN if across == 1 else PAGE
    free = across * down > count and len(names) <= 12
    columns = 1 if free else max(1, min(len(names), int(width / (0.45 + 0.062 * max(map(len, names))))))
    below = 0.0 if free else 0.16 * math.ceil(len(names) / columns) + 0.1
    panel_height = 2.1 if across == 1 else 1.95
    titles = 0.16 * max((len(_wrapped(panel.title, width / across, chart)) for panel in chart.panels), default=0)
    figure = Figure(figsize=(width, down * (panel_height + titles) + 0.25 + below), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharey=True, sharex=chart.log_x or "accuracy" in chart.name)
    places = grid.ravel()
    lines: dict[str, Line2D] = {}
    for place, panel in zip(places, chart.panels, strict=False):
        for series in panel.series:
            lines[series.name] = _draw_line(
                place, series, styles[series.name], shade=max(0.04, 0.3 / len(panel.series))
            )
        _dress(place, chart, panel, width / across)
    for place in places[count:]:
        place.set_axis_off()
    # What stands above an empty place has the lowest x axis of its column.
    for index in range(max(0, count - across), count):
        places[index].tick_params(labelbottom=True)
        places[index].set_xlabel(chart.x_title)
    for index in range(0, count, across):
        places[index].set_ylabel(chart.y_title)
    if names == [REFERENCE]:
        return figure
    # A text that begins with an underscore would be left out of the legend.
    texts = [f" {name}" if name.startswith("_") else name for name in names]
    shown = [lines[name] for name in names]
    settings: dict[str, Any] = {"frameon": False, "handlelength": 2.8}
    if free:
        places[count].legend(shown, texts, loc="center", **settings)
    else:
        figure.legend(shown, texts, loc="outside lower center", ncols=columns, columnspacing=1.2, **settings)
    return figure


def _draw_line(axes: Axes, series: Series, style: Style, shade: float) -> Line2D:
    if series.seeds:
        # A band of so few would span everything.
        for values in series.seeds:
            axes.plot(series.x, _numbers(values), color=style.colour, linewidth=0.5, alpha=0.45, zorder=1)
    elif series.low and len(series.x) == 1:
        (centre,), (below,), (above,) = series.y, series.low, series.high
        if centre is not None and below is not None and above is not None:
            axes.vlines(series.x, below, above, color=style.colour, linewidth=0.7, zorder=1)
    elif series.low:
        low, high = _numbers(series.low), _numbers(series.high)
        axes.fill_between(series.x, low, high, color=style.colour, alpha=shade, linewidth=0, zorder=1)
    (line,) = axes.plot(
        series.x,
        _numbers(series.y),
        color=style.colour,
        linestyle=_DASHES[style.dash],
        linewidth=1.8 if style.bold else 1.1,
        marker=_MARKERS[style.marker],
        markersize=(3.6 if style.bold else 3.0) + 2 * (len(series.x) == 1),
        markeredgewidth=0,
        markevery=max(1, math.ceil(len(series.x) / _MARKED)),
        zorder=3 if style.bold else 2,
    )
    return line


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    """As an array, not a number where there is none."""
    return np.array(values, dtype=float)


def _dress(axes: Axes, chart: Chart, panel: Panel, width: float) -> None:
    axes.set_title("\n".join(_wrapped(panel.title, width, chart)))
    axes.grid(color="#DDDDDD", linewidth=0.4)
    axes.set_axisbelow(True)
    values = sorted({x for series in panel.series for x in series.x})
    if chart.log_x:
        axes.set_xscale("log")
        # A tick at every value, a number at those that leave room for it.
        named = set(_spaced(values))
        axes.set_xticks(values, [f"{value:g}" if value in named else "" for value in values])
        axes.minorticks_off()
    elif chart.kind == "line" and len(values) <= 8:
        axes.set_xticks(values, [f"{value:g}" for value in values])
    else:
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=all(value == round(value) for value in values)))
        if chart.kind == "points":
            # Labels are told apart near each other, and room is left for those at the ends.
            axes.margins(x=0.12)
    if chart.percent:
        # Above 100 and below 0 there is room for markers and nothing else.
        axes.set_ylim(-0.02, 1.02)
        axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "20", "40", "60", "80", "100"])


def _spaced(values: Sequence[float]) -> list[float]:
    """Of rising values above 0, those that leave room for their labels on a logarithmic axis; first and last stay."""
    room = math.log(values[-1] / values[0]) / 16 if len(values) > 1 else 0.0
    kept = list(values[:1])
    for value in values[1:]:
        if math.log(value / kept[-1]) >= room:
            kept.append(value)
    return kept


def _scatter_figure(chart: Chart, class_names: Sequence[str]) -> Figure:
    """A grid of small panels without ticks, colours by class, which a legend names."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    across = chart.columns or min(5, len(chart.panels))
    down = math.ceil(len(chart.panels) / across)
    side = PAGE / max(across, 3)
    lines = max(len(_wrapped(panel.title, side, chart)) for panel in chart.panels)
    used = sorted({index for panel in chart.panels for series in panel.series for index in series.classes})
    names = [class_names[index] if index < len(class_names) else f"class {index}" for index in used]
    width = side * across
    columns = max(1, min(len(names), int(width / (0.3 + 0.062 * max(map(len, names), default=1)))))
    below = 0.16 * math.ceil(len(names) / columns)
    figure = Figure(figsize=(width, down * (side * 0.93 + 0.14 * lines) + below), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    # Classes beyond the colours share one, and a legend of them would say nothing.
    if 0 < len(used) <= len(CLASS_COLOURS):
        dots = [Line2D([], [], marker="o", linestyle="", markersize=4, color=CLASS_COLOURS[index]) for index in used]
        figure.legend(dots, names, loc="outside lower center", ncols=columns, frameon=False, handletextpad=0.2)
    for place, panel in zip(grid.ravel(), chart.panels, strict=False):
        for series in panel.series:
            colours = [CLASS_COLOURS[index % len(CLASS_COLOURS)] for index in series.classes] or "#333333"
            place.scatter(series.x, series.y, s=3.5, c=colours, linewidths=0, alpha=0.85)
        place.set_title("\n".join(_wrapped(panel.title, side, chart)), fontsize=_SMALL)
        place.set_xticks([])
        place.set_yticks([])
        place.set_box_aspect(1)
        for spine in place.spines.values():
            spine.set(visible=True, linewidth=0.4, color="#888888")
    for place in grid.ravel()[len(chart.panels) :]:
        place.set_axis_off()
    return figure


def _wrapped(title: str, width: float, chart: Chart) -> list[str]:
    """A title in lines that fit ``width`` inches; where one of the chart is broken at its colon, all are."""
    letters = int(width * 17)
    parts = title.split(": ") if any(len(panel.title) > letters for panel in chart.panels) else [title]
    return [line for part in parts for line in textwrap.wrap(part, max(12, letters))]
