"""The data set ``shapes``: six shapes of random place, size and shade, which no file is needed for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from labelbench import Dataset, ImageSource, hookimpl

Part = tuple[np.ndarray, np.ndarray]
NAMES = ("disc", "square", "diamond", "ring", "cross", "triangle")
VERSION = 1


def shapes() -> Dataset:
    """Six shapes of random place, size and shade, 32x32; drawn when they are asked for."""
    return Dataset("shapes", NAMES, (32, 32), source=lambda report: ImageSource("shapes", ["shapes", VERSION], read))


def read(report: Callable[[str, float], None]) -> tuple[Part, Part]:
    """300 training and 60 test images of each shape, always the same ones."""
    random = np.random.RandomState(0)
    return draw(random, 300), draw(random, 60)


def draw(random: np.random.RandomState, each: int) -> Part:
    """So many images of each shape: pixels ``(n, 32, 32, 3)`` uint8, and classes ``(n,)``."""
    classes = np.repeat(np.arange(len(NAMES)), each)
    centre, radius = random.uniform(10, 22, (2, len(classes), 1, 1)), random.uniform(6, 10, (len(classes), 1, 1))
    down, right = np.arange(32)[:, None] - centre[0], np.arange(32) - centre[1]
    far, tall, wide = np.hypot(down, right), np.abs(down), np.abs(right)
    inside = np.choose(
        classes[:, None, None],
        [
            far < radius,
            np.maximum(tall, wide) < 0.9 * radius,
            tall + wide < 1.2 * radius,
            (far < radius) & (far > 0.6 * radius),
            (np.minimum(tall, wide) < 0.3 * radius) & (np.maximum(tall, wide) < radius),
            (down < 0.6 * radius) & (down > 2 * wide - radius),
        ],
    )
    shades: np.ndarray = random.randint(0, 256, (2, len(classes), 1, 1, 3))
    return np.where(inside[..., None], shades[0], shades[1]).astype(np.uint8), classes


@hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """The data set under its name."""
    return {"shapes": shapes}
