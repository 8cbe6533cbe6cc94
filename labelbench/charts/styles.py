"""Colours, dashes and markers: a label looks the same in every chart of every folder, whoever draws it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labelbench.charts.data import REFERENCE, Chart, Series

# Okabe and Ito (2008), told apart by readers who see fewer colours; black is kept for category, and yellow, which is
# too pale for a line on white, left out.
_BLUE, _RED, _GREEN, _PINK, _ORANGE, _SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
_WINE, _BROWN = "#882255", "#8C6D1F"
# One-hot targets that are no longer category labels; it is seen on white and on black.
_GREY = "#777777"
_COLOURS = (_BLUE, _RED, _GREEN, _PINK, _ORANGE, _SKY)
_BLACK = "#000000"
DASHES = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x")
# As many classes as anyone can tell apart; further ones begin again. Tol's "muted" scheme and three of Okabe and Ito.
CLASS_COLOURS = (
    *("#332288", "#88CCEE", "#44AA99", "#117733", "#999933"),
    *("#DDCC77", "#CC6677", "#882255", "#AA4499", "#777777"),
)
# Colour and marker of the labels of the paper and its controls, so that pictures of other folders read alike: what
# belongs together has one colour. Every other label has what the hash of its name gives.
_FIXED = {
    REFERENCE: (_BLACK, "circle"),
    "speech": (_BLUE, "square"),
    "shuffled-speech": (_SKY, "diamond"),
    "gaussian-composition": (_GREEN, "triangle-up"),
    "constant": (_ORANGE, "square"),
    "uniform-random": (_RED, "diamond"),
    "low-dim": (_PINK, "triangle-down"),
    "bert": (_WINE, "circle"),
    "glove": (_BROWN, "triangle-up"),
    "category-dense": (_GREY, "square"),
    "category-huber": (_GREY, "triangle-down"),
    "category-smoothed": (_GREY, "diamond"),
    "hadamard": (_GREEN, "cross"),
    "simplex": (_GREEN, "x"),
    "orthogonal-random": (_GREEN, "circle"),
}
# Labels made of another one have its colour, and a marker that says how.
_MADE_OF = {"official": "circle", "official-as-released": "triangle-down", "scaled": "x", "random-like": "cross"}


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

    Colour and marker are those of the label, wherever it is drawn. Settings of one label differ in their dashes, as do
    labels to which the hash of their names gives one colour and marker.
    """
    series = {
        one.name: one for chart in charts if chart.kind != "scatter" for panel in chart.panels for one in panel.series
    }
    alike: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for name in sorted(series):
        alike[look_of(series[name].label)].append(series[name])
    styles = {}
    for (colour, marker), ones in alike.items():
        for index, one in enumerate(sorted(ones, key=lambda one: (one.label not in _FIXED, one.name))):
            styles[one.name] = Style(colour, DASHES[index % len(DASHES)], marker, one.label == REFERENCE)
    return styles


def style_of(label: str) -> Style:
    """How a label is drawn that is the only one of its colour and marker."""
    colour, marker = look_of(label)
    return Style(colour, DASHES[0], marker, label == REFERENCE)


def look_of(label: str) -> tuple[str, str]:
    """Colour and marker of a label.

    >>> look_of("category"), look_of("official:speech")
    (('#000000', 'circle'), ('#0072B2', 'circle'))
    """
    if label in _FIXED:
        return _FIXED[label]
    base, _, argument = label.partition(":")
    if base in _MADE_OF:
        return look_of(argument)[0], _MADE_OF[base]
    if base in _FIXED:
        # The same label with another argument: one more draw, another voice.
        return _FIXED[base][0], MARKERS[_hash(label) % len(MARKERS)]
    number = _hash(label)
    return _COLOURS[number % len(_COLOURS)], MARKERS[number // len(_COLOURS) % len(MARKERS)]


def _hash(label: str) -> int:
    return int.from_bytes(hashlib.sha256(label.encode()).digest()[:4], "big")
