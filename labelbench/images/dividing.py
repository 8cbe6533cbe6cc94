"""A part of the training images taken as test images, by their pixels and a seed."""

from __future__ import annotations

import hashlib

import numpy as np

from labelbench.errors import InputError
from labelbench.images.arrays import ImageArrays, SplitArrays


def divided(images: np.ndarray, classes: np.ndarray, share: float, seed: int) -> ImageArrays:
    """Divide images into a training part and a test part with a share of each class.

    Images are ordered by the SHA-256 of seed and pixels: names and order of files change nothing, and equal images come
    into the same part unless the boundary falls between them.

    Args:
        images: ``(n, height, width, 3)`` uint8.
        classes: ``(n,)`` int64.
        share: of each class, above 0 and below 1; rounded, one image or more, and one or more stay.
        seed: another one takes others.

    Raises:
        InputError: a class has one image.
    """
    keys = [hashlib.sha256(b"%d %d " % (seed, label) + image.tobytes()).digest()
            for image, label in zip(images, classes, strict=True)]  # fmt: skip
    order = np.array(sorted(range(len(keys)), key=lambda number: (classes[number], keys[number])), dtype=np.int64)
    ordered = classes[order]
    sizes = np.bincount(classes)
    if sizes[sizes > 0].min() < 2:
        raise InputError("a class has one image, which cannot be trained on and measured as well; expected two or more")
    wanted = np.clip(np.round(share * sizes), 1, sizes - 1).astype(np.int64)
    rank = np.arange(len(ordered)) - np.searchsorted(ordered, ordered, side="left")
    test = rank < wanted[ordered]
    return ImageArrays(*(SplitArrays(images[order[part]], ordered[part]) for part in (~test, test)))
