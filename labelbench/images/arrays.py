"""The images of a data set as arrays: what a source gives, the order they are kept in, and their hash."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

# Images copied or summed at a time: a few MiB of CIFAR images.
_BLOCK = 1024
# One grey level: what a channel that (nearly) never changes is divided by.
_STD_FLOOR = 1 / 255


class SplitArrays(NamedTuple):
    """One part of a data set.

    Attributes:
        images: ``(n, height, width, 3)`` uint8 RGB.
        classes: ``(n,)`` int64.
    """

    images: np.ndarray
    classes: np.ndarray


class ImageArrays(NamedTuple):
    """Both parts of a data set."""

    train: SplitArrays
    test: SplitArrays


# What is being done, and how much of it is done, 0 to 1.
Report = Callable[[str, float], None]


def pixel_order(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Order by class, then by the SHA-256 of the pixels: the same for every source of the same images.

    Args:
        images: ``(n, height, width, 3)`` uint8.
        classes: ``(n,)`` int64.

    Returns:
        ``(n,)`` int64 indices into both.
    """
    keys = [
        (int(label), hashlib.sha256(image.tobytes()).digest()) for label, image in zip(classes, images, strict=True)
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def blocks(images: np.ndarray, order: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Contiguous copies of a few images at a time, in ``order`` (by default as they lie)."""
    for start in range(0, len(images), _BLOCK):
        part = slice(start, start + _BLOCK)
        yield np.ascontiguousarray(images[part] if order is None else images[order[part]])


def fingerprint(class_names: Sequence[str], arrays: ImageArrays) -> str:
    """SHA-256 of a data set: of its class names, and of shape, pixels and classes of both parts.

    Args:
        class_names: in words, in the order of the class indices.
        arrays: both parts, each in :func:`pixel_order`.

    Returns:
        64 hexadecimal digits.
    """
    parts = [
        {
            "shape": list(part.images.shape),
            "images": hashlib.sha256(np.ascontiguousarray(part.images).data).hexdigest(),
            "classes": hashlib.sha256(part.classes.astype("<i8").tobytes()).hexdigest(),
        }
        for part in arrays
    ]
    described = ["labelbench images 1", list(class_names), *parts]
    return hashlib.sha256(json.dumps(described, separators=(",", ":"), sort_keys=True).encode()).hexdigest()


def channel_statistics(images: np.ndarray) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation of each channel over all pixels, in [0, 1], from exact integer sums.

    The standard deviation is that of the population, and at least 1/255, so that a constant channel can be divided.

    Args:
        images: ``(n, height, width, 3)`` uint8, n at least 1.
    """
    total, squares = [0, 0, 0], [0, 0, 0]
    for block in blocks(images):
        pixels = block.reshape(-1, 3).astype(np.uint64)
        for channel in range(3):
            total[channel] += int(pixels[:, channel].sum())
            squares[channel] += int((pixels[:, channel] ** 2).sum())
    count = images.size // 3
    means = [value / count for value in total]
    variances = [
        (count * square - value * value) / (count * count) for value, square in zip(total, squares, strict=True)
    ]
    stds = [max(math.sqrt(variance) / 255, _STD_FLOOR) for variance in variances]
    return (means[0] / 255, means[1] / 255, means[2] / 255), (stds[0], stds[1], stds[2])
