"""scikit-learn's handwritten digits: nothing to download."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Literal

import numpy as np

from labelbench import Dataset, ImageSource, hookimpl

_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


# Of each class with ``few``: what a network is trained and validated with, and what it is tested on.
_FEW_TRAIN, _FEW_TEST = 45, 15


def digits(*, size: Literal[8, 16, 32] = 32, few: bool = False) -> Dataset:
    """1,797 handwritten digits that come with scikit-learn, as RGB of 8, 16 or 32 pixels a side; few: 600 of them.

    With few there are 45 training images of each class, a third of them for validation, and 15 test images: a task at
    which networks differ, and a third of the work.
    """
    return Dataset(
        "digits",
        _NAMES,
        (size, size),
        flip=False,
        # Measured on its training images.
        mean=(0.3055, 0.3055, 0.3055),
        std=(0.3761, 0.3761, 0.3761),
        source=partial(_source, size, few),
        validation_share=1 / 3 if few else 0.1,
    )


def _source(size: int, few: bool, report: Callable[[str, float], None]) -> ImageSource:
    installed = version("scikit-learn")
    kind = ["scikit-learn", installed, *([size] if size != 32 else []), *(["few"] if few else [])]
    return ImageSource(f"digits of scikit-learn {installed}", kind, partial(_read, size, few))


def _read(
    size: int, few: bool, report: Callable[[str, float], None]
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """8x8 pixels of 0 to 16, each made a square of pixels of 0 to 255, in three channels.

    Of each class, ordered by the SHA-256 of its 32x32 pixels, the first fifth (rounded down) are the test images.
    """
    from sklearn.datasets import load_digits

    report("reading digits", 0.0)
    values, classes = load_digits(return_X_y=True)
    grey = values.astype(np.int64).reshape(-1, 8, 8)
    # round(v * 255 / 16), halves upwards, without leaving the integers.
    grey = ((grey * 510 + 16) // 32).astype(np.uint8)
    images = np.repeat(grey.repeat(4, axis=1).repeat(4, axis=2)[..., None], 3, axis=3)
    classes = classes.astype(np.int64)
    hashes = [hashlib.sha256(image.tobytes()).digest() for image in images]
    order = sorted(range(len(classes)), key=lambda number: (classes[number], hashes[number]))
    # Every size has the same test images.
    images, classes = images[order, :: 32 // size, :: 32 // size], classes[order]
    sizes = np.bincount(classes)
    rank = np.arange(len(classes)) - np.searchsorted(classes, classes, side="left")
    tests = sizes[classes] // 5
    test, train = rank < tests, rank >= tests
    if few:
        test, train = rank < _FEW_TEST, train & (rank < tests + _FEW_TRAIN)
    report("reading digits", 1.0)
    return (images[train], classes[train]), (images[test], classes[test])


@hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """The hook of this module."""
    return {"digits": digits}
