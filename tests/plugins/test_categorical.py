"""Category labels and their controls."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelbench import InputError, UnknownName, label
from labelbench.datasets import Dataset
from labelbench.plugins.lookup import find_dataset
from labelbench_labels.categorical import register_labels

LABELS = register_labels()
CIFAR10 = find_dataset("cifar10")
CIFAR100 = find_dataset("cifar100")


def dataset_of(classes: int, size: int = 32) -> Dataset:
    return Dataset("some", tuple(f"class {index}" for index in range(classes)), (size, size))


def test_category_is_the_identity_with_cross_entropy() -> None:
    labels = LABELS["category"](CIFAR10)
    assert labels.loss == "cross-entropy"
    assert np.array_equal(labels.targets, np.eye(10))


def test_category_decodes_as_the_largest_output() -> None:
    outputs = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(LABELS["category"](CIFAR10).nearest(outputs), outputs.argmax(dim=1))


@pytest.mark.parametrize(
    ("classes", "size", "cell"),
    [(10, 32, (32, 12)), (100, 32, (6, 6)), (2, 32, (64, 32)), (7, 32, (64, 9)), (256, 8, (1, 1)), (17, 8, (4, 3))],
)
def test_dense_category_lights_one_cell_a_class_and_all_cells_are_equal(
    classes: int, size: int, cell: tuple[int, int]
) -> None:
    labels = LABELS["category-dense"](dataset_of(classes, size))
    lit = labels.targets.astype(bool)
    assert labels.loss == "smooth-l1"
    assert labels.shape == (2 * size, 2 * size)
    assert set(np.unique(labels.targets)) == {0.0, 80.0}
    assert (lit.sum(axis=0) <= 1).all(), "no element belongs to two classes"
    assert (lit.sum(axis=(1, 2)) == cell[0] * cell[1]).all()
    assert sorted(labels.provenance["cell"]) == sorted(cell)


@pytest.mark.parametrize("name", ["category", "category-dense", "category-huber", "category-smoothed"])
def test_all_classes_are_equally_far_apart(name: str) -> None:
    squared = LABELS[name](CIFAR100).squared_distances
    apart = squared[~np.eye(100, dtype=bool)]
    assert np.allclose(apart, apart[0], rtol=1e-6)


def test_dense_category_refuses_more_classes_than_elements() -> None:
    with pytest.raises(InputError, match="category-dense: 257 classes do not fit into 16 x 16 elements; use"):
        LABELS["category-dense"](dataset_of(257, 8))


def test_huber_category_differs_from_category_in_its_loss_alone() -> None:
    labels = LABELS["category-huber"](CIFAR10)
    assert np.array_equal(labels.targets, LABELS["category"](CIFAR10).targets)
    assert labels.loss == "smooth-l1"


@pytest.mark.parametrize(("argument", "smoothing"), [("", 0.1), ("0.2", 0.2), ("smoothing=0.2", 0.2)])
def test_smoothed_category_keeps_a_share_for_all_classes(argument: str, smoothing: float) -> None:
    labels = label(f"category-smoothed:{argument}", CIFAR10)
    expected = (1 - smoothing) * np.eye(10) + smoothing / 10
    assert labels.loss == "cross-entropy"
    assert np.allclose(labels.targets, expected, atol=1e-7)
    assert np.allclose(labels.targets.sum(axis=1), 1, atol=1e-6)
    assert labels.provenance["smoothing"] == smoothing


def test_smoothed_category_is_what_torch_smooths() -> None:
    outputs = torch.randn(20, 10, generator=torch.Generator().manual_seed(0))
    classes = torch.arange(20) % 10
    expected = torch.nn.functional.cross_entropy(outputs, classes, reduction="none", label_smoothing=0.2)
    assert torch.allclose(LABELS["category-smoothed"](CIFAR10, 0.2).loss_of(outputs, classes), expected, atol=1e-6)


@pytest.mark.parametrize("argument", ["0", "1", "-0.1", "much", "nan", "0.1,0.2"])
def test_smoothing_outside_0_to_1_is_refused(argument: str) -> None:
    with pytest.raises(InputError, match="label category-smoothed"):
        label(f"category-smoothed:{argument}", CIFAR10)


@pytest.mark.parametrize("name", ["low-dim", "uniform-random:seed=3", "category-huber", "constant"])
def test_scaled_brings_any_label_to_0_to_80_by_its_whole_set(name: str) -> None:
    inner = label(name, CIFAR10)
    labels = LABELS["scaled"](CIFAR10, name)
    assert labels.targets.min() == 0
    assert labels.targets.max() == 80
    assert labels.loss == inner.loss
    low, high = inner.targets.min(), inner.targets.max()
    assert np.allclose(labels.targets, (inner.targets.astype(float) - low) / (high - low) * 80, atol=1e-5)


def test_scaled_keeps_the_provenance_of_what_it_scales() -> None:
    labels = LABELS["scaled"](CIFAR10, "uniform-random:seed=3")
    assert labels.provenance["label"] == "uniform-random:seed=3"
    assert labels.provenance["of"]["seed"] == 3


def test_scaled_can_be_scaled_again_and_changes_nothing_then() -> None:
    assert np.allclose(
        LABELS["scaled"](CIFAR10, "scaled:low-dim").targets, LABELS["scaled"](CIFAR10, "low-dim").targets, atol=1e-5
    )


@pytest.mark.parametrize("name", ["category", "category-smoothed"])
def test_probabilities_are_not_scaled(name: str) -> None:
    with pytest.raises(InputError, match=f"scaled:{name}: {name} trains with cross-entropy"):
        LABELS["scaled"](CIFAR10, name)


def test_scaled_needs_a_label() -> None:
    with pytest.raises(InputError, match="label scaled needs its name: scaled:NAME"):
        label("scaled", CIFAR10)
    with pytest.raises(UnknownName, match="unknown label 'constnat'; did you mean constant"):
        LABELS["scaled"](CIFAR10, "constnat")
