"""Colours, dashes and markers: a label looks the same in every chart of a folder, whoever draws it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labelbench.charts.data import REFERENCE, Chart

# Okabe and Ito (2008), told apart by readers who see fewer colours; black is kept for category, and yellow, which is
# too pale for a line on white, left out.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_BLACK = "#000000"
DASHES = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x")
# As many classes as anyone can tell apart; further ones begin again. Tol's "muted" scheme and three of Okabe and Ito.
CLASS_COLOURS = (
    *("#332288", "#88CCEE", "#44AA99", "#117733", "#999933"),
    *("#DDCC77", "#CC6677", "#882255", "#AA4499", "#777777"),
)


@dataclass(frozen=True)
class Style:
    """How the series of one label are drawn.

    Attributes:
        colour: ``"#RRGGBB"``; black for category, to be turned where the ground is dark.
        dash: one of :data:`DASHES`.
        marker: one of :data:`MARKERS`.
        bold: whether the line is thicker: category, which all are compared with.
    """

    colour: str
    dash: str
    marker: str
    bold: bool


def styles_of(charts: Iterable[Chart]) -> Mapping[str, Style]:
    """A style for every series of line charts, by name.

    Colours go by label: settings of one label share its colour and differ in dashes. Labels beyond the number of
    colours begin again with another dash; no two series have the same colour, dash and marker before 40 are drawn.
    """
    label_of = {
        series.name: series.label
        for chart in charts
        if chart.kind == "line"
        for panel in chart.panels
        for series in panel.series
    }
    labels = sorted(set(label_of.values()) - {REFERENCE})
    styles = {}
    used: dict[str, int] = {}
    for name, label in sorted(label_of.items()):
        variant = used.get(label, 0)
        used[label] = variant + 1
        if label == REFERENCE:
            styles[name] = Style(_BLACK, DASHES[variant % len(DASHES)], MARKERS[variant % len(MARKERS)], True)
            continue
        index = labels.index(label)
        dash = index // len(_COLOURS) + variant
        marker = 1 + index + variant
        styles[name] = Style(
            _COLOURS[index % len(_COLOURS)], DASHES[dash % len(DASHES)], MARKERS[marker % len(MARKERS)], False
        )
    return styles
