"""What a chart is: values, apart from what measures them and what draws them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

KINDS = ("line", "scatter")
# The label that all others are compared with.
REFERENCE = "category"


@dataclass(frozen=True)
class Series:
    """One line, or one cloud of points.

    Attributes:
        name: of the label, with what tells its settings apart if a chart holds several.
        x: where the points are, in the units of the chart's ``x_title``; finite, rising along a line.
        y: as many values, in the units of its ``y_title``; None where nothing was measured (a gap in the line).
        low, high: 95 % interval of each value, None where there is none; both empty if no value has one.
        classes: class of each point of a scatter, which gets a colour by it; empty in a line.

    Raises:
        ValueError: lengths that differ, or an x that is not finite.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    classes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(values) for values in (self.y, self.low or self.x, self.high or self.x, self.classes or self.x)}
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
        name: unique in a results folder, fit for a file name.
        title: in words.
        kind: ``"line"`` or ``"scatter"``.
        x_title, y_title: with units; empty where axes mean nothing.
        panels: in reading order.
        log_x: whether x has a logarithmic axis; no x is 0 then.
        percent: whether y are shares, 0 to 1, shown as 0 to 100 %.
        note: what must be known to read it (seeds, intervals, settings), in sentences.
        columns: panels in a row where a row means something (one label, say), 0 where any number will do.
    """

    name: str
    title: str
    kind: str
    x_title: str
    y_title: str
    panels: tuple[Panel, ...]
    log_x: bool = False
    percent: bool = False
    note: str = ""
    columns: int = 0


def base_label(name: str) -> str:
    """The label of a series, without what tells its settings and its targets from others of the same name.

    >>> base_label("speech (b)"), base_label("speech #1a2b3c"), base_label("npy:my (a).npy")
    ('speech', 'speech', 'npy:my (a).npy')
    """
    return re.sub(r"( #[0-9a-f]{1,6})?( \([a-z]+\))?$", "", name)


def ordered(series: Iterable[Series]) -> tuple[Series, ...]:
    """Category first, then by name."""
    return tuple(sorted(series, key=lambda one: (base_label(one.name) != REFERENCE, one.name)))
