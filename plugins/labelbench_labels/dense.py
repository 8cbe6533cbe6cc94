"""The size and the range that matrix labels share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelbench import Dataset

# The paper's matrix labels span 80 units, as decibels above the floor do in speech.
RANGE = 80.0


def dense_side(dataset: Dataset) -> int:
    """Side of a matrix label: twice the longer side of the images (paper: 64 for 32), up to a multiple of 16."""
    return -(-2 * max(dataset.image_size) // 16) * 16
