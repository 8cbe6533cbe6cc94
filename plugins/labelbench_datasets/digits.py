"""scikit-learn's handwritten digits: nothing to download."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib.metadata import version

import numpy as np

from labelbench import Dataset, ImageSource, InputError, hookimpl

_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def digits(argument: str) -> Dataset:
    """1,797 handwritten digits that come with scikit-learn, as 32x32 RGB; nothing to download."""
    if argument:
        raise InputError(f"data set digits:{argument} takes no argument; write digits alone")
    return Dataset(
        "digits",
        _NAMES,
        (32, 32),
        flip=False,
        # Measured on its training images.
        mean=(0.3055, 0.3055, 0.3055),
        std=(0.3761, 0.3761, 0.3761),
        source=_source,
    )


def _source(report: Callable[[str, float], None]) -> ImageSource:
    installed = version("scikit-learn")
    return ImageSource(f"digits of scikit-learn {installed}", ["scikit-learn", installed], _read)


def _read(report: Callable[[str, float], None]) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """8x8 pixels of 0 to 16, each made 4x4 pixels of 0 to 255, in three channels.

    Of each class, ordered by the SHA-256 of the pixels, the first fifth (rounded down) are the test images.
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
    images, classes = images[order], classes[order]
    sizes = np.bincount(classes)
    rank = np.arange(len(classes)) - np.searchsorted(classes, classes, side="left")
    test = rank < sizes[classes] // 5
    report("reading digits", 1.0)
    return (images[~test], classes[~test]), (images[test], classes[test])


@hookimpl
def register_datasets() -> Mapping[str, Callable[[str], Dataset]]:
    """The hook of this module."""
    return {"digits": digits}
