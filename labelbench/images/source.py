"""Where the images of a data set come from, as a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelbench.errors import InputError, PluginError
from labelbench.images.arrays import ImageArrays, Report, SplitArrays

# Images and classes of one part.
_Part = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class ImageSource:
    """Images that were found, and are read when they are not in the cache.

    Attributes:
        description: what is read, in words (``"cifar10.zip"``).
        state: a JSON value that differs whenever the images may differ: hashes of files, or versions of what draws
            them. The cache goes by it alone.
        read: called with a function that is told what is being done and how much of it is done, 0 to 1. Returns the
            training part, then the test part, each as ``(images, classes)`` in any order: ``(n, height, width, 3)``
            uint8 RGB and ``(n,)`` int64. An OSError is reported as files that cannot be read.
        notes: what a reader of results must know, a sentence each.
    """

    description: str
    state: Any
    read: Callable[[Report], tuple[_Part, _Part]]
    notes: tuple[str, ...] = ()

    def arrays(self, class_names: Sequence[str], image_size: tuple[int, int], report: Report) -> ImageArrays:
        """What ``read`` gives.

        Raises:
            InputError: all training images are alike, or there is one alone.
            PluginError: it is something else than images of that size with classes of that number.
        """
        expected = f"((n, {image_size[0]}, {image_size[1]}, 3) uint8, (n,) integers)"
        try:
            parts = [(np.asarray(images), np.asarray(classes)) for images, classes in self.read(report)]
            train, test = parts
        except (TypeError, ValueError) as error:
            raise PluginError(f"{self.description} gave no training and test part, each {expected}: {error}") from error
        for part, (images, classes) in (("training", train), ("test", test)):
            count = len(images) if images.ndim else 0
            seen = f"({images.shape} {images.dtype}, {classes.shape} {classes.dtype})"
            if images.shape != (count, *image_size, 3) or images.dtype != np.uint8 or classes.shape != (count,):
                raise PluginError(f"{self.description} gave {seen} as its {part} part; expected {expected}")
            if not count:
                raise PluginError(f"{self.description} gave no {part} images; expected one or more")
            if classes.dtype.kind not in "iu":
                raise PluginError(f"{self.description} gave {seen} as its {part} part; expected {expected}")
            if classes.min() < 0 or classes.max() >= len(class_names):
                raise PluginError(
                    f"{self.description} gave the classes {classes.min()} to {classes.max()} in its {part} part; "
                    f"expected 0 to {len(class_names) - 1}, a number for each of the {len(class_names)} class names"
                )
        if all(np.array_equal(image, train[0][0]) for image in train[0][1:]):
            raise InputError(
                f"all {len(train[0]):,} training images of {self.description} are alike, pixel for pixel; expected "
                "different ones: look at the files, and at what lies behind transparent pixels (ground=black)"
            )
        return ImageArrays(*(SplitArrays(images, classes.astype(np.int64)) for images, classes in parts))
