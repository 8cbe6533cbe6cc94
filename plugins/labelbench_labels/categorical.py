"""Category labels, and the controls that differ from them in one thing each: size, loss, or certainty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from labelbench import Between, InputError, LabelName, LabelSet, hookimpl, label
from labelbench_labels.dense import RANGE, dense_side

if TYPE_CHECKING:
    from labelbench import Dataset

_SMOOTHING = 0.1


@hookimpl
def register_labels() -> Mapping[str, Callable[..., LabelSet]]:
    """Category, its controls, and the wrapper that brings any label to one range."""
    return {
        "category": category,
        "category-dense": category_dense,
        "category-huber": category_huber,
        "category-smoothed": category_smoothed,
        "scaled": scaled,
    }


def category(dataset: Dataset) -> LabelSet:
    """One-hot vector with cross-entropy: the usual label (paper, section 3.1).

    Targets are the ``(C, C)`` identity.
    """
    return LabelSet(np.eye(dataset.num_classes), loss="cross-entropy", provenance={"recipe": "one-hot"})


def category_dense(dataset: Dataset) -> LabelSet:
    """Control: one-hot drawn into a matrix, each class a lit cell, through the matrix labels' head and loss.

    Targets are ``(C, side, side)``, 80 in the cell of the class and 0 elsewhere, with smooth L1: the information and
    the equal distances of one-hot with the size, range, loss and decoder of the matrix labels. All cells have one size,
    the largest of which C fit (2 x 5 cells of 32 x 12 elements for ten classes and side 64); what they leave over at
    the right and bottom is 0 for all.

    Raises:
        InputError: more classes than the matrix has elements.
    """
    side = dense_side(dataset)
    if dataset.num_classes > side * side:
        raise InputError(
            f"label category-dense: {dataset.num_classes} classes do not fit into {side} x {side} elements; "
            "use category-huber"
        )
    rows, columns = _grid(dataset.num_classes, side)
    height, width = side // rows, side // columns
    targets = np.zeros((dataset.num_classes, side, side))
    for index, target in enumerate(targets):
        top, left = index // columns * height, index % columns * width
        target[top : top + height, left : left + width] = RANGE
    provenance = {"recipe": "one-hot as lit cells of a matrix", "side": side, "cell": [height, width]}
    return LabelSet(targets, provenance=provenance)


def category_huber(dataset: Dataset) -> LabelSet:
    """Control: one-hot vector trained with the matrix labels' loss, smooth L1.

    Targets are the ``(C, C)`` identity, 0 and 1 as in category, so that the loss is all that differs; smooth L1 is
    quadratic there. ``scaled:category-huber`` is the same at 0 and 80, where it is linear.
    """
    return LabelSet(np.eye(dataset.num_classes), provenance={"recipe": "one-hot"})


def category_smoothed(dataset: Dataset, smoothing: Annotated[float, Between(1e-6, 1 - 1e-6)] = _SMOOTHING) -> LabelSet:
    """Control: category with label smoothing, as in category-smoothed:0.2.

    Targets are ``(C, C)``: (1 - e) times the identity plus e / C, with cross-entropy; e above 0 and below 1.
    """
    classes = dataset.num_classes
    targets = (1 - smoothing) * np.eye(classes) + smoothing / classes
    return LabelSet(targets, loss="cross-entropy", provenance={"recipe": "smoothed one-hot", "smoothing": smoothing})


def scaled(dataset: Dataset, name: LabelName) -> LabelSet:
    """Any label brought to 0..80 by the minimum and maximum of its whole set: scaled:NAME.

    Shape and loss are those of the label named.

    Raises:
        InputError: the loss of the label named is cross-entropy, whose targets are probabilities.
    """
    inner = label(name, dataset)
    if inner.loss == "cross-entropy":
        raise InputError(
            f"label scaled:{name}: {name} trains with cross-entropy, whose targets are probabilities and "
            "cannot be scaled; use a label with another loss, such as category-huber"
        )
    values = inner.targets.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    provenance: dict[str, Any] = {"recipe": "scaled", "range": [0.0, RANGE], "from": [low, high], "label": name}
    provenance["of"] = dict(inner.provenance)
    if "identity" in inner.provenance:
        provenance["identity"] = f"scaled:{inner.identity}"
    if "notes" in inner.provenance:
        provenance["notes"] = inner.provenance["notes"]
    return LabelSet((values - low) / (high - low) * RANGE, loss=inner.loss, provenance=provenance)


def _grid(num_classes: int, side: int) -> tuple[int, int]:
    """Rows and columns of the largest equal cells of which ``num_classes`` fit; of equals, the squarest."""
    candidates = []
    for rows in range(1, min(num_classes, side) + 1):
        columns = -(-num_classes // rows)
        height, width = side // rows, side // columns
        if width:
            candidates.append((-height * width, abs(height - width), rows, columns))
    _, _, rows, columns = min(candidates)
    return rows, columns
