"""Labels of the paper that are made by formula; without arguments they are the published arrays bit for bit."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from labelbench import LabelName, LabelSet, hookimpl, label
from labelbench_labels.dense import RANGE, dense_side

if TYPE_CHECKING:
    from labelbench import Dataset

# Seed of the published uniform-random and low-dimensional arrays.
OFFICIAL_SEED = 48
_COMPONENTS = 10
_SIGMA_Y = 0.075
_SIGMA_X = 0.075 / 0.31
# Each component draws from streams k + 1, k + 2 and k + 3: draws this far apart share none.
_STREAMS = _COMPONENTS + 2


@hookimpl
def register_labels() -> Mapping[str, Callable[..., LabelSet]]:
    """The matrix labels and the low-dimensional one, and the names of the paper's repository as aliases."""
    return {
        "constant": constant,
        "uniform-random": uniform_random,
        "random-like": random_like,
        "low-dim": low_dim,
        "gaussian-composition": gaussian_composition,
        "uniform": constant,
        "random": uniform_random,
        "lowdim": low_dim,
        "composite": gaussian_composition,
    }


def constant(dataset: Dataset) -> LabelSet:
    """Constant matrix: class i is i * 80 / (C - 1) everywhere (paper, section 3.1).

    Targets are ``(C, side, side)``, 0 to 80; equal to the official ``uniform`` arrays.
    """
    side = dense_side(dataset)
    values = np.arange(dataset.num_classes) * RANGE / max(1, dataset.num_classes - 1)
    targets = np.broadcast_to(values[:, None, None], (dataset.num_classes, side, side))
    return LabelSet(targets, provenance={"recipe": "constant matrix", "side": side})


def uniform_random(dataset: Dataset, *, seed: int = OFFICIAL_SEED) -> LabelSet:
    """Uniform noise from 0 to 80 in every element (paper, section 3.1).

    Targets are ``(C, side, side)``: ``RandomState(seed).uniform(0, 80, (C, side, side))``. With seed 48
    the targets equal the official ``random`` arrays.
    """
    side = dense_side(dataset)
    targets = np.random.RandomState(seed).uniform(0, RANGE, (dataset.num_classes, side, side))
    return LabelSet(targets, provenance={"recipe": "uniform noise", "side": side, "seed": seed})


def random_like(dataset: Dataset, name: LabelName) -> LabelSet:
    """Control: uniform noise in the shape and range of another label: random-like:NAME.

    Targets have the shape of those of NAME: ``RandomState(48).uniform(low, high, shape)`` with its lowest and highest
    value. The loss is that of NAME too, but smooth L1 where it is cross-entropy, whose targets are probabilities.
    """
    inner = label(name, dataset)
    low, high = float(inner.targets.min()), float(inner.targets.max())
    targets = np.random.RandomState(OFFICIAL_SEED).uniform(low, high, inner.targets.shape)
    provenance = {"recipe": "uniform noise", "like": name, "between": [low, high], "seed": OFFICIAL_SEED}
    if "identity" in inner.provenance:  # the range may differ in its last bits from machine to machine
        provenance["identity"] = f"random-like:{inner.identity}"
    return LabelSet(targets, "smooth-l1" if inner.loss == "cross-entropy" else inner.loss, provenance)


def low_dim(dataset: Dataset, *, seed: int = OFFICIAL_SEED) -> LabelSet:
    """Vector of C uniform numbers from 0 to 80 (paper, section 4.2).

    Targets are ``(C, C)``: ``RandomState(seed).uniform(0, 80, (C, C))``. With seed 48 the
    targets of ten classes equal the official ``lowdim`` array. The authors published none for 100 classes; a width
    equal to the number of classes is how this label keeps the size of a category label.
    """
    width = dataset.num_classes
    targets = np.random.RandomState(seed).uniform(0, RANGE, (width, width))
    return LabelSet(targets, provenance={"recipe": "low-dimensional uniform noise", "width": width, "seed": seed})


def gaussian_composition(dataset: Dataset, *, seed: int = 0) -> LabelSet:
    """Sum of ten Gaussians of random place and orientation, 0 to 80 (section 3.1).

    Targets are ``(C, side, side)``; see :func:`composition`. With seed 0 the targets equal the
    official ``composite`` arrays.
    """
    side = dense_side(dataset)
    targets = composition(dataset.num_classes, side, seed)
    return LabelSet(targets, provenance={"recipe": "Gaussian composition", "side": side, "seed": seed})


@lru_cache(maxsize=4)
def composition(num_classes: int, side: int, seed: int) -> np.ndarray:
    """Images of ten summed Gaussians, as the paper's generator draws them.

    A grid of ``4 * side`` points a side covers [-0.5, 0.5]. Component k (0 to 9) draws its place from the streams
    ``random.Random(k + 1)`` and ``Random(k + 2)`` and its orientation from ``Random(k + 3)``, all of them running on
    from image to image, one draw of each of the first two being dropped; for another seed the streams are
    ``12 * seed`` higher. Widths are 0.075 across and 0.075 / 0.31 along. The sum is brought to 0..255 by its own
    minimum and maximum in float32, thinned to every fourth point from the third on, and divided by 255 / 80.

    Args:
        num_classes: how many images.
        side: of each image.
        seed: 0 is the official draw.

    Returns:
        ``(num_classes, side, side)`` float32, 0 to 80, read-only.
    """
    size = 4 * side
    across = (np.arange(size) + 0.5) / size - 0.5
    u, v = across[None, :], -across[:, None]
    base = seed * _STREAMS
    places_x, places_y, turns = (
        [random.Random(base + k + stream) for k in range(_COMPONENTS)]  # noqa: S311  (the paper's generator)
        for stream in (1, 2, 3)
    )
    targets = np.empty((num_classes, side, side), dtype=np.float32)
    for target in targets:
        total = np.zeros((size, size))
        for x_stream, y_stream, turn in zip(places_x, places_y, turns, strict=True):
            x = x_stream.random() - 0.5
            y_stream.random()
            x_stream.random()
            y = y_stream.random() - 0.5
            angle = math.pi * turn.random()
            along = math.sin(angle) * (v - y) + math.cos(angle) * (u - x)
            crosswise = math.cos(angle) * (v - y) - math.sin(angle) * (u - x)
            total += np.exp(-(along**2) / (2 * _SIGMA_X**2) - crosswise**2 / (2 * _SIGMA_Y**2))
        grey = ((total - total.min()) / (total.max() - total.min()) * 255).astype(np.float32)
        target[:] = grey[2::4, 2::4] / np.float32(255) * np.float32(RANGE)
    targets.setflags(write=False)
    return targets
