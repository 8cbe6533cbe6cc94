"""Images decoded one by one, several at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

Report = Callable[[str, float], None]
Part = tuple[np.ndarray, np.ndarray]
# Images decoded between two reports.
_BLOCK = 256


def read_all(
    count: int, read: Callable[[int], np.ndarray], size: tuple[int, int], doing: str, report: Report
) -> np.ndarray:
    """``(count, height, width, 3)`` uint8, in order.

    Args:
        count: how many.
        read: gives the pixels of one, by its number; called by several threads.
        size: ``(height, width)``.
        doing: what is reported with the share that is done.
        report: called once for each block of images.
    """
    images = np.empty((count, *size, 3), np.uint8)
    with ThreadPoolExecutor() as pool:
        for start in range(0, count, _BLOCK):
            report(doing, start / count)
            numbers = range(start, min(start + _BLOCK, count))
            for number, image in zip(numbers, pool.map(read, numbers), strict=True):
                images[number] = image
    report(doing, 1.0)
    return images
