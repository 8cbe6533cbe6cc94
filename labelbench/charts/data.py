"""What a chart is: values, apart from what measures them and what draws them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from labelbench.evaluation.shown import Section
from labelbench.results.tables import shown_label
from labelbench.runs import slug

KINDS = ("line", "points", "scatter")
# The label that all others are compared with.
REFERENCE = "category"
# Below so many seeds they are drawn one by one: a band of one degree of freedom spans 0 to 100 % and says nothing.
FEW_SEEDS = 5


@dataclass(frozen=True)
class Series:
    """One line, or one cloud of points.

    Attributes:
        label: its name.
        x: where the points are, in the units of the chart's ``x_title``; finite, rising along a line.
        y: as many values, in the units of its ``y_title``; None where nothing was measured (a gap in the line).
        low, high: 95 % interval of each value, None where there is none; both empty if no value has one.
        classes: class of each point of a scatter, which gets a colour by it; empty in a line.
        identity: digits of the label's targets where the name stands for several, else empty.
        settings: letter of the leaderboard's legend, if the chart holds several settings of a label, else empty.
        seeds: as many values for each seed, where they are few enough to be drawn one by one, in place of the interval.

    Raises:
        ValueError: lengths that differ, or an x that is not finite.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    classes: tuple[int, ...] = ()
    identity: str = ""
    settings: str = ""
    seeds: tuple[tuple[float | None, ...], ...] = ()

    @property
    def name(self) -> str:
        """What a legend calls it."""
        name = shown_label(self.label, self.identity)
        return f"{name} ({self.settings})" if self.settings else name

    def __post_init__(self) -> None:
        beside = (self.y, self.low or self.x, self.high or self.x, self.classes or self.x, *self.seeds)
        lengths = {len(values) for values in beside}
        if lengths != {len(self.x)} or bool(self.low) != bool(self.high):
            raise ValueError(f"series {self.name!r} has {len(self.x)} x and other lengths beside it: {sorted(lengths)}")
        if not all(map(math.isfinite, self.x)):
            raise ValueError(f"series {self.name!r} has an x that is not finite")


@dataclass(frozen=True)
class Panel:
    """Series that share axes.

    Attributes:
        title: what tells it from the other panels; empty if it is the only one.
        series: category first, then by name.
    """

    title: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Chart:
    """Panels that share titles and units of their axes.

    Attributes:
        figure: what it shows, fit for a file name: ``"learning-curves"``.
        dataset, backbone: of which; of each figure there is one for both.
        title: in words.
        kind: ``"line"``; ``"points"``, a single one for each series; or ``"scatter"``, clouds coloured by class.
        x_title, y_title: with units; empty where axes mean nothing.
        panels: in reading order.
        log_x: whether x has a logarithmic axis; no x is 0 then.
        percent: whether y are shares, 0 to 1, shown as 0 to 100 %.
        note: what must be known to read it, in sentences.
        spread: over how many seeds means are, and after a semicolon what is drawn beside them (intervals, single
            seeds), in a sentence; empty if there are no means.
        columns: panels in a row where a row means something (one label, say), 0 where any number will do.
        section: where in a report it stands.
    """

    figure: str
    dataset: str
    backbone: str
    title: str
    kind: str
    x_title: str
    y_title: str
    panels: tuple[Panel, ...]
    log_x: bool = False
    percent: bool = False
    note: str = ""
    spread: str = ""
    columns: int = 0
    section: Section = Section("Charts")

    @property
    def explained(self) -> str:
        """Everything that must be known to read it, in sentences."""
        return " ".join(filter(None, (self.note, self.spread)))

    @property
    def name(self) -> str:
        """Unique in a results folder, fit for a file name."""
        return f"{self.figure}-{slug(self.dataset)}-{slug(self.backbone)}"


def ordered(series: Iterable[Series]) -> tuple[Series, ...]:
    """Category first, then by name."""
    return tuple(sorted(series, key=lambda one: (one.label != REFERENCE, one.name)))
