"""Labels made to vary one property at a time: dimension, overlap, entropy, distance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np

from labelbench import Between, InputError, LabelSet, hookimpl
from labelbench_labels.dense import RANGE, dense_side

if TYPE_CHECKING:
    from labelbench import Dataset

# The replication prints no seed for its draws; this is the seed of the paper's random labels.
_SEED = 48
_NORMAL_STD = 0.1
_UNIFORM_LENGTH = 50
_UNIFORM_WIDTH = 9.0
_LARGEST_LENGTH = 1_000_000


@hookimpl
def register_labels() -> Mapping[str, Callable[..., LabelSet]]:
    """Labels of the replication, and labels with equal distances between all classes."""
    return {
        "normal-dim": normal_dim,
        "uniform-gap": uniform_gap,
        "hadamard": hadamard,
        "simplex": simplex,
        "orthogonal-random": orthogonal_random,
    }


def normal_dim(
    dataset: Dataset, dimension: Annotated[int, Between(1, _LARGEST_LENGTH)], *, seed: int = _SEED
) -> LabelSet:
    """D normal numbers around the class index, standard deviation 0.1: normal-dim:D (replication, cdu890).

    Targets are ``(C, D)``, not scaled: dimension grows while the class index is all they tell. The
    replication's own draws are not published.
    """
    centres = np.arange(dataset.num_classes)[:, None]
    targets = np.random.RandomState(seed).normal(centres, _NORMAL_STD, (dataset.num_classes, dimension))
    return LabelSet(targets, provenance={"recipe": "normal", "dimension": dimension, "seed": seed})


def uniform_gap(dataset: Dataset, gap: Annotated[float, Between(0, 1e6)], *, seed: int = _SEED) -> LabelSet:
    """50 uniform numbers from an interval of width 9 that starts at G times the class index: uniform-gap:G.

    Targets are ``(C, 50)``, not scaled (replication, cdu890): the intervals of all classes coincide at G = 0 and are
    disjoint from 9 on. The replication's own draws are not published.
    """
    starts = gap * np.arange(dataset.num_classes)[:, None]
    numbers = np.random.RandomState(seed).uniform(0, _UNIFORM_WIDTH, (dataset.num_classes, _UNIFORM_LENGTH))
    return LabelSet(starts + numbers, provenance={"recipe": "shifted uniform", "gap": gap, "seed": seed})


def hadamard(dataset: Dataset, *, seed: int = _SEED) -> LabelSet:
    """Rows of a Hadamard matrix, 0 or 80: one bit per element, all classes equally far apart.

    Targets are ``(C, side, side)``, the dense side rounded up to a power of two: rows of the Sylvester matrix of order
    side squared, drawn without the constant row and without repetition, read row by row. Half of the elements of each
    are 80, and any two differ in half of the elements.

    Raises:
        InputError: as many classes as the matrix has elements, or more.
    """
    side = 1 << (dense_side(dataset) - 1).bit_length()
    order = side * side
    _refuse_too_many("hadamard", dataset, order - 1)
    rows = 1 + np.random.RandomState(seed).permutation(order - 1)[: dataset.num_classes]
    # Sylvester's matrix is -1 where row and column index share an odd number of ones.
    shared = rows[:, None] & np.arange(order)[None, :]
    targets = np.where(np.bitwise_count(shared) % 2, 0.0, RANGE).reshape(-1, side, side)
    provenance = {"recipe": "Hadamard rows", "side": side, "rows": rows.tolist(), "seed": seed}
    return LabelSet(targets, provenance=provenance)


def simplex(dataset: Dataset, *, seed: int = _SEED) -> LabelSet:
    """Corners of a regular simplex in random position, C numbers each, 0 to 80: all classes equally far apart.

    Targets are ``(C, C)``: one-hot vectors without their mean, turned by a random orthogonal matrix, the whole set
    brought to 0..80. Unlike in one-hot, every element tells of every class.
    """
    classes = dataset.num_classes
    corners = (np.eye(classes) - 1 / classes) @ _orthonormal_rows(classes, classes, seed)
    # The last bits of the targets differ between machines, as those of every decomposition do: this decides them.
    identity = f"simplex {classes} {seed}"
    return LabelSet(_to_range(corners), provenance={"recipe": "regular simplex", "seed": seed, "identity": identity})


def orthogonal_random(dataset: Dataset, *, seed: int = _SEED) -> LabelSet:
    """Random orthogonal matrices, 0 to 80: as uniform-random, but all classes exactly equally far apart.

    Targets are ``(C, side, side)``: orthonormal rows from the QR decomposition of normal numbers, the whole set brought
    to 0..80 (which shifts them all alike, so that it is their differences from the shift that are orthogonal).


    Raises:
        InputError: more classes than the matrix has elements.
    """
    side = dense_side(dataset)
    _refuse_too_many("orthogonal-random", dataset, side * side)
    rows = _orthonormal_rows(dataset.num_classes, side * side, seed)
    targets = _to_range(rows).reshape(-1, side, side)
    identity = f"orthogonal-random {len(targets)} {side} {seed}"
    provenance = {"recipe": "random orthogonal", "side": side, "seed": seed, "identity": identity}
    return LabelSet(targets, provenance=provenance)


def _orthonormal_rows(count: int, length: int, seed: int) -> np.ndarray:
    """``(count, length)`` float64: rows of a uniformly drawn orthogonal matrix."""
    normal = np.random.RandomState(seed).normal(size=(count, length))
    columns, triangle = np.linalg.qr(normal.T)
    # Libraries differ in signs; with a positive diagonal there is one decomposition only.
    return np.asarray((columns * np.copysign(1.0, np.diag(triangle))).T)


def _to_range(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) * RANGE


def _refuse_too_many(label: str, dataset: Dataset, most: int) -> None:
    if dataset.num_classes > most:
        side = math.isqrt(most + 1)
        raise InputError(
            f"label {label}: {dataset.name} has {dataset.num_classes} classes, of which {most} fit into "
            f"{side} x {side} elements; use uniform-random"
        )
