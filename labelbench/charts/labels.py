"""Pictures of labels: a gallery as in the paper's figure 2, and distances between classes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from labelbench.errors import InputError
from labelbench.labels import LabelSet
from labelbench.pictures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")


def gallery(sets: Mapping[str, LabelSet], class_names: tuple[str, ...], columns: int = 10) -> Figure:
    """Labels as rows, classes as columns, one colour scale a row; vectors as bars.

    Args:
        sets: label sets of one data set, by name.
        class_names: of the data set.
        columns: how many classes are shown, the first ones.
    """
    from matplotlib.figure import Figure

    shown = min(columns, len(class_names))
    figure = Figure(figsize=(1.0 * shown + 2.2, 1.05 * len(sets) + 0.4), layout="constrained")
    grid = figure.subplots(len(sets), shown, squeeze=False)
    for row, (name, labels) in zip(grid, sets.items(), strict=True):
        low, high = float(labels.targets.min()), float(labels.targets.max())
        for axes, target in zip(row, labels.targets, strict=False):
            _draw(axes, target, low, high)
        title = f"{name}\n{'x'.join(map(str, labels.shape))}, {low:.3g} to {high:.3g}"
        row[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=8)
    for axes, name in zip(grid[0], class_names, strict=False):
        axes.set_title(name, fontsize=8)
    return figure


def distance_matrices(sets: Mapping[str, LabelSet], class_names: tuple[str, ...]) -> Figure:
    """Root mean squared difference of an element between every two classes, one matrix per label.

    Each matrix has its own colour scale from 0 to its largest distance, in the label's own units.

    Args:
        sets: label sets of one data set, by name.
        class_names: of the data set; written beside the matrices if there are 20 or fewer.
    """
    from matplotlib.figure import Figure

    across = min(4, len(sets))
    down = -(-len(sets) // across)
    figure = Figure(figsize=(3.2 * across, 3.0 * down), layout="constrained")
    places = figure.subplots(down, across, squeeze=False).ravel()
    few = len(class_names) <= 20
    for place, (name, labels) in zip(places, sets.items(), strict=False):
        distances = np.sqrt(labels.squared_distances / labels.targets[0].size)
        image = place.imshow(distances, cmap=COLOURS, vmin=0)
        place.set_title(name, fontsize=9)
        place.set_xticks(range(len(class_names)) if few else [], class_names if few else [], rotation=90, fontsize=6)
        place.set_yticks(range(len(class_names)) if few else [], class_names if few else [], fontsize=6)
        bar = figure.colorbar(image, ax=place, shrink=0.8)
        bar.ax.tick_params(labelsize=6)
        bar.set_label("RMS difference, label's own units", fontsize=6)
    for place in places[len(sets) :]:
        place.set_axis_off()
    return figure


def picture(figure: Figure, form: str, dpi: int = 150) -> bytes:
    """A figure as the bytes of a file; equal figures give equal bytes.

    Args:
        figure: any figure.
        form: one of :data:`FORMATS`.
        dpi: pixels in an inch of what is no vector.

    Raises:
        InputError: another format.
    """
    if form not in FORMATS:
        raise InputError(f"picture format {form!r}; expected one of {', '.join(FORMATS)}")
    import matplotlib as mpl
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        # Names are shown as they are: a $ in them begins no formula.
        text.set_parse_math(False)
    buffer = io.BytesIO()
    undated: dict[str, str | None] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form, {})  # type: ignore[assignment]
    # TrueType, as publishers ask for: text in PDF can be searched. In SVG it is outlines, since fonts differ.
    with mpl.rc_context({"svg.hashsalt": "labelbench", "pdf.fonttype": 42}):
        figure.savefig(buffer, format=form, dpi=dpi, metadata=undated)
    return buffer.getvalue()


def _draw(axes: Axes, target: np.ndarray, low: float, high: float) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    if target.ndim == 2:
        axes.imshow(target, cmap=COLOURS, vmin=low, vmax=high, interpolation="nearest", aspect="equal")
        return
    import matplotlib as mpl

    span = high - low
    colours = mpl.colormaps[COLOURS](0.15 + 0.7 * (target - low) / span)
    axes.bar(np.arange(len(target)), target, width=1.0, color=colours)
    axes.set_ylim(min(low, 0) - 0.02 * span, max(high, 0) + 0.02 * span)
    axes.set_box_aspect(1)
