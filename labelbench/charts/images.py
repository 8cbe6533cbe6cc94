"""Pictures of data sets: some images of every class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from labelbench.datasets import Images, Split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INCHES = 0.45  # of one image
_WHITE = 255


def contact_sheet(images: Images, class_names: Sequence[str], train: int = 10, test: int = 5) -> Figure:
    """Classes as rows: some of their training images at the left, test images at the right, with the number of each.

    Args:
        images: of the data set; the first of each class in stored order are shown.
        class_names: in words.
        train, test: how many of each class.
    """
    from matplotlib.figure import Figure

    height, width = images.train.images.shape[1:3]
    gap = max(height, width) // 8
    strips = [_strip(images.train, len(class_names), train, gap), _strip(images.test, len(class_names), test, gap)]
    between = np.full((len(strips[0]), 3 * gap, 3), _WHITE, np.uint8)
    sheet = np.concatenate([strips[0], between, strips[1]], axis=1)
    scale = _INCHES / max(height, width)
    figure = Figure(figsize=(sheet.shape[1] * scale + 2.4, sheet.shape[0] * scale + 0.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(sheet, interpolation="nearest")
    counts = [np.bincount(part.classes, minlength=len(class_names)) for part in (images.train, images.test)]
    places = np.arange(len(class_names)) * (height + gap) + height / 2
    axes.set_yticks(places, class_names, fontsize=8)
    axes.secondary_yaxis("right").set_yticks(
        places, [f"{one:,} + {other:,}" for one, other in zip(*counts, strict=True)], fontsize=7
    )
    starts = (0, strips[0].shape[1] + 3 * gap)
    axes.set_xticks(
        [start + strip.shape[1] / 2 for start, strip in zip(starts, strips, strict=True)], ["training", "test"]
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for second in axes.child_axes:
        second.tick_params(length=0)
        second.spines[:].set_visible(False)
    return figure


def _strip(part: Split, classes: int, each: int, gap: int) -> np.ndarray:
    """The first images of each class, one row for a class; white where there are fewer."""
    height, width = part.images.shape[1:3]
    strip = np.full((classes * (height + gap), each * (width + gap), 3), _WHITE, np.uint8)
    for label in range(classes):
        for place, number in enumerate(np.flatnonzero(part.classes == label)[:each]):
            top, left = label * (height + gap), place * (width + gap)
            strip[top : top + height, left : left + width] = part.images[number]
    return strip
