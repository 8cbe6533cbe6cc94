"""Labels made to vary one property at a time: dimension, overlap, entropy, distance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from labelbench import InputError, LabelSet, hookimpl
from labelbench_labels.arguments import Provider, Seed, integer, number, read_argument, seed
from labelbench_labels.dense import RANGE, dense_side

if TYPE_CHECKING:
    from labelbench import Dataset

# The replication prints no seed for its draws; this is the seed of the paper's random labels.
_SEED = Seed(48)
_NORMAL_STD = 0.1
_UNIFORM_LENGTH = 50
_UNIFORM_WIDTH = 9.0
_LARGEST_LENGTH = 1_000_000


@hookimpl
def register_labels() -> Mapping[str, Provider]:
    """Labels of the replication, and labels with equal distances between all classes."""
    return {
        "normal-dim": normal_dim,
        "uniform-gap": uniform_gap,
        "hadamard": hadamard,
        "simplex": simplex,
        "orthogonal-random": orthogonal_random,
    }


def normal_dim(dataset: Dataset, argument: str) -> LabelSet:
    """D normal numbers around the class index, standard deviation 0.1: normal-dim:D (replication, cdu890).

    Targets are ``(C, D)``, not scaled: dimension grows while the class index is all they tell. ``seed=N`` or
    ``seed=run`` draws anew; the seed is 48 otherwise. The replication's own draws are not published.
    """
    readers = {"dimension": integer(1, _LARGEST_LENGTH), "seed": seed}
    given = read_argument("normal-dim", argument, readers, first="dimension")
    if "dimension" not in given:
        raise InputError("label normal-dim needs its dimension: normal-dim:D, such as normal-dim:50")
    dimension, drawn = given["dimension"], given.get("seed", _SEED)
    centres = np.arange(dataset.num_classes)[:, None]
    targets = np.random.RandomState(drawn.value).normal(centres, _NORMAL_STD, (dataset.num_classes, dimension))
    return LabelSet(targets, provenance={"recipe": "normal", "dimension": dimension, **drawn.provenance})


def uniform_gap(dataset: Dataset, argument: str) -> LabelSet:
    """50 uniform numbers from an interval of width 9 that starts at G times the class index: uniform-gap:G.

    Targets are ``(C, 50)``, not scaled (replication, cdu890): the intervals of all classes coincide at G = 0 and are
    disjoint from 9 on. ``seed=N`` or ``seed=run`` draws anew; the seed is 48 otherwise. The replication's own draws are
    not published.
    """
    readers = {"gap": number(0, 1e6, "a number, 0 or more, such as 0.1"), "seed": seed}
    given = read_argument("uniform-gap", argument, readers, first="gap")
    if "gap" not in given:
        raise InputError("label uniform-gap needs its gap: uniform-gap:G, such as uniform-gap:0.1")
    gap, drawn = given["gap"], given.get("seed", _SEED)
    starts = gap * np.arange(dataset.num_classes)[:, None]
    numbers = np.random.RandomState(drawn.value).uniform(0, _UNIFORM_WIDTH, (dataset.num_classes, _UNIFORM_LENGTH))
    return LabelSet(starts + numbers, provenance={"recipe": "shifted uniform", "gap": gap, **drawn.provenance})


def hadamard(dataset: Dataset, argument: str) -> LabelSet:
    """Rows of a Hadamard matrix, 0 or 80: one bit per element, all classes equally far apart.

    Targets are ``(C, side, side)``, the dense side rounded up to a power of two: rows of the Sylvester matrix of order
    side squared, drawn without the constant row and without repetition, read row by row. Half of the elements of each
    are 80, and any two differ in half of the elements. ``seed=N`` or ``seed=run`` draws anew; the seed is 48 otherwise.

    Raises:
        InputError: as many classes as the matrix has elements, or more.
    """
    drawn = read_argument("hadamard", argument, {"seed": seed}).get("seed", _SEED)
    side = 1 << (dense_side(dataset) - 1).bit_length()
    order = side * side
    _refuse_too_many("hadamard", dataset, order - 1)
    rows = 1 + np.random.RandomState(drawn.value).permutation(order - 1)[: dataset.num_classes]
    # Sylvester's matrix is -1 where row and column index share an odd number of ones.
    shared = rows[:, None] & np.arange(order)[None, :]
    targets = np.where(np.bitwise_count(shared) % 2, 0.0, RANGE).reshape(-1, side, side)
    provenance = {"recipe": "Hadamard rows", "side": side, "rows": rows.tolist(), **drawn.provenance}
    return LabelSet(targets, provenance=provenance)


def simplex(dataset: Dataset, argument: str) -> LabelSet:
    """Corners of a regular simplex in random position, C numbers each, 0 to 80: all classes equally far apart.

    Targets are ``(C, C)``: one-hot vectors without their mean, turned by a random orthogonal matrix, the whole set
    brought to 0..80. Unlike in one-hot, every element tells of every class. ``seed=N`` or ``seed=run`` draws anew; the
    seed is 48 otherwise.
    """
    drawn = read_argument("simplex", argument, {"seed": seed}).get("seed", _SEED)
    classes = dataset.num_classes
    corners = (np.eye(classes) - 1 / classes) @ _orthonormal_rows(classes, classes, drawn)
    return LabelSet(_to_range(corners), provenance={"recipe": "regular simplex", **drawn.provenance})


def orthogonal_random(dataset: Dataset, argument: str) -> LabelSet:
    """Random orthogonal matrices, 0 to 80: as uniform-random, but all classes exactly equally far apart.

    Targets are ``(C, side, side)``: orthonormal rows from the QR decomposition of normal numbers, the whole set brought
    to 0..80 (which shifts them all alike, so that it is their differences from the shift that are orthogonal).
    ``seed=N`` or ``seed=run`` draws anew; the seed is 48 otherwise.

    Raises:
        InputError: more classes than the matrix has elements.
    """
    drawn = read_argument("orthogonal-random", argument, {"seed": seed}).get("seed", _SEED)
    side = dense_side(dataset)
    _refuse_too_many("orthogonal-random", dataset, side * side)
    rows = _orthonormal_rows(dataset.num_classes, side * side, drawn)
    targets = _to_range(rows).reshape(-1, side, side)
    return LabelSet(targets, provenance={"recipe": "random orthogonal", "side": side, **drawn.provenance})


def _orthonormal_rows(count: int, length: int, drawn: Seed) -> np.ndarray:
    """``(count, length)`` float64: rows of a uniformly drawn orthogonal matrix."""
    normal = np.random.RandomState(drawn.value).normal(size=(count, length))
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
