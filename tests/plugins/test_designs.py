"""Labels designed to vary one property at a time."""

from __future__ import annotations

import numpy as np
import pytest

from labelbench import InputError, LabelSet, label
from labelbench.datasets import Dataset
from labelbench.plugins.lookup import find_dataset

CIFAR10 = find_dataset("cifar10")
CIFAR100 = find_dataset("cifar100")
DRAWN = ["normal-dim:20", "uniform-gap:1", "hadamard", "simplex", "orthogonal-random"]


def built(name: str, dataset: Dataset, *more: str) -> LabelSet:
    base, _, argument = name.partition(":")
    return label(f"{base}:{','.join(part for part in (argument, *more) if part)}", dataset)


def dataset_of(classes: int, size: int) -> Dataset:
    return Dataset("some", tuple(f"class {index}" for index in range(classes)), (size, size))


@pytest.mark.parametrize("name", DRAWN)
def test_all_are_drawn_by_a_seed_and_always_the_same(name: str) -> None:
    assert built(name, CIFAR10).sha256 == built(name, CIFAR10, "seed=48").sha256
    assert len({built(name, CIFAR10, f"seed={seed}").sha256 for seed in range(4)}) == 4
    assert built(name, CIFAR10, "seed=run").sha256 == built(name, CIFAR10, "seed=0").sha256
    assert built(name, CIFAR10, "seed=3").provenance["seed"] == 3


@pytest.mark.parametrize("name", DRAWN)
def test_all_train_with_smooth_l1(name: str) -> None:
    assert built(name, CIFAR10).loss == "smooth-l1"


@pytest.mark.parametrize("dimension", [1, 5, 4000])
def test_normal_dim_scatters_around_the_class_index_by_a_tenth(dimension: int) -> None:
    targets = built(f"normal-dim:{dimension}", CIFAR10).targets
    assert targets.shape == (10, dimension)
    assert np.abs(targets - np.arange(10)[:, None]).max() < 0.6
    if dimension == 4000:
        assert np.allclose(targets.mean(axis=1), np.arange(10), atol=0.01)
        assert np.allclose(targets.std(axis=1), 0.1, atol=0.005)


@pytest.mark.parametrize("gap", [0, 0.1, 10])
def test_uniform_gap_shifts_an_interval_of_width_9_by_the_gap(gap: float) -> None:
    targets = np.concatenate([built(f"uniform-gap:{gap},seed={seed}", CIFAR10).targets for seed in range(40)], axis=1)
    assert targets.shape == (10, 40 * 50)
    starts = gap * np.arange(10)
    assert np.allclose(targets.min(axis=1), starts, atol=0.05)
    assert np.allclose(targets.max(axis=1), starts + 9, atol=0.05)


def test_classes_of_a_gap_above_the_width_do_not_overlap() -> None:
    targets = built("uniform-gap:10", CIFAR10).targets
    assert (targets.max(axis=1)[:-1] < targets.min(axis=1)[1:]).all()


@pytest.mark.parametrize("dataset", [CIFAR10, CIFAR100], ids=["cifar10", "cifar100"])
def test_hadamard_labels_are_balanced_and_differ_in_half_of_their_elements(dataset: Dataset) -> None:
    labels = built("hadamard", dataset)
    assert labels.shape == (64, 64)
    assert set(np.unique(labels.targets)) == {0.0, 80.0}
    lit = (labels.targets > 0).reshape(labels.num_classes, -1)
    assert (lit.sum(axis=1) == 2048).all()
    for index, row in enumerate(lit):
        assert ((lit[index + 1 :] != row).sum(axis=1) == 2048).all()


@pytest.mark.parametrize(("size", "side"), [(8, 16), (20, 64), (24, 64), (33, 128)])
def test_hadamard_sides_are_powers_of_two(size: int, side: int) -> None:
    assert built("hadamard", dataset_of(3, size)).shape == (side, side)


def test_hadamard_takes_every_row_but_the_constant_one() -> None:
    targets = built("hadamard", dataset_of(255, 8)).targets.reshape(255, -1) / 40 - 1
    assert np.array_equal(targets @ targets.T, 256 * np.eye(255))
    with pytest.raises(InputError, match="has 256 classes, of which 255 fit into 16 x 16 elements"):
        built("hadamard", dataset_of(256, 8))


@pytest.mark.parametrize("name", ["hadamard", "simplex", "orthogonal-random"])
@pytest.mark.parametrize("dataset", [CIFAR10, CIFAR100], ids=["cifar10", "cifar100"])
def test_all_classes_are_equally_far_apart_within_0_to_80(name: str, dataset: Dataset) -> None:
    labels = built(name, dataset)
    squared = labels.squared_distances[~np.eye(labels.num_classes, dtype=bool)]
    assert np.allclose(squared, squared[0], rtol=1e-6)
    assert labels.targets.min() == 0
    assert labels.targets.max() == 80


def test_a_simplex_is_as_long_as_there_are_classes_and_no_one_hot() -> None:
    labels = built("simplex", CIFAR10)
    assert labels.shape == (10,)
    assert len(np.unique(labels.targets)) > 90


def test_orthogonal_rows_are_orthogonal_around_their_common_shift() -> None:
    labels = built("orthogonal-random", CIFAR10)
    assert labels.shape == (64, 64)
    rows = labels.targets.reshape(10, -1).astype(float)
    # With rows q and a shift s, differences of rows have no component along s, and squared length 2 each.
    differences = rows[1:] - rows[0]
    gram = differences @ differences.T / ((differences[0] ** 2).sum() / 2)
    assert np.allclose(gram, np.eye(9) + 1, atol=1e-5)


def test_orthogonal_rows_are_no_more_than_elements() -> None:
    assert built("orthogonal-random", dataset_of(256, 8)).num_classes == 256
    with pytest.raises(InputError, match="has 257 classes, of which 256 fit into 16 x 16 elements"):
        built("orthogonal-random", dataset_of(257, 8))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("normal-dim", r"label normal-dim needs its dimension: normal-dim:DIMENSION"),
        ("uniform-gap:seed=3", r"label uniform-gap needs its gap: uniform-gap:GAP"),
        ("normal-dim:0", r"dimension is '0'; expected a whole number from 1 to 1000000"),
        ("normal-dim:many", r"dimension is 'many'; expected a whole number"),
        ("uniform-gap:-1", r"gap is '-1'; expected a number from 0 to 1000000"),
        ("hadamard:3", r"unknown argument of label hadamard '3'; known: seed expected hadamard:seed=48"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        built(name, CIFAR10)
