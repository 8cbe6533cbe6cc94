"""The labels made by formula, against the published arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelbench import InputError, label
from labelbench.datasets import Dataset
from labelbench.plugins.lookup import find_dataset
from labelbench_labels.matrices import composition, register_labels

LABELS = register_labels()
CIFAR10 = find_dataset("cifar10")
CIFAR100 = find_dataset("cifar100")
TINY = Dataset("tiny", ("a", "b", "c"), (8, 8))
DRAWN = ["uniform-random", "low-dim", "gaussian-composition"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("constant", "cifar10_uniform.npy"),
        ("constant", "cifar100_uniform.npy"),
        ("uniform-random", "cifar10_random.npy"),
        ("uniform-random", "cifar100_random.npy"),
        ("low-dim", "cifar10_lowdim.npy"),
        ("gaussian-composition", "cifar10_composite.npy"),
        ("gaussian-composition", "cifar100_composite.npy"),
    ],
)
def test_labels_equal_the_official_arrays_bit_for_bit(shared: Path, name: str, file: str) -> None:
    dataset = CIFAR100 if file.startswith("cifar100") else CIFAR10
    expected = np.load(shared / "labels" / "official" / file)
    targets = LABELS[name](dataset).targets
    assert targets.dtype == expected.dtype
    assert targets.shape == expected.shape
    assert targets.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("official", "name"),
    [
        ("uniform", "constant"),
        ("random", "uniform-random"),
        ("lowdim", "low-dim"),
        ("composite", "gaussian-composition"),
    ],
)
def test_the_papers_names_are_aliases(official: str, name: str) -> None:
    assert LABELS[official](TINY).identity == LABELS[name](TINY).identity
    assert LABELS[official] is LABELS[name]


@pytest.mark.parametrize("name", ["constant", *DRAWN])
def test_the_loss_is_smooth_l1_and_values_span_0_to_80(name: str) -> None:
    labels = LABELS[name](CIFAR10)
    assert labels.loss == "smooth-l1"
    assert labels.targets.min() >= 0
    assert labels.targets.max() <= 80


@pytest.mark.parametrize("name", ["constant", "uniform-random", "gaussian-composition"])
def test_matrices_follow_the_size_of_the_images(name: str) -> None:
    assert LABELS[name](TINY).shape == (16, 16)
    assert LABELS[name](Dataset("x", ("a", "b"), (24, 24))).shape == (48, 48)


def test_low_dim_is_as_long_as_there_are_classes() -> None:
    assert LABELS["low-dim"](CIFAR100).shape == (100,)


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_draws_anew_and_always_the_same(name: str) -> None:
    assert label(f"{name}:seed=3", TINY).sha256 == label(f"{name}:seed=3", TINY).sha256
    assert len({label(f"{name}:{argument}", TINY).sha256 for argument in ("", "seed=1", "seed=2", "seed=3")}) == 4
    assert label(f"{name}:seed=3", TINY).provenance["seed"] == 3


@pytest.mark.parametrize(("name", "seed"), [("uniform-random", 48), ("low-dim", 48), ("gaussian-composition", 0)])
def test_the_official_draw_has_a_seed_too(name: str, seed: int) -> None:
    assert LABELS[name](TINY).sha256 == LABELS[name](TINY, seed=seed).sha256


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_of_the_run_outside_a_run_is_the_draw_of_seed_0(name: str) -> None:
    assert label(f"{name}:seed=run", TINY).sha256 == label(f"{name}:seed=0", TINY).sha256


def test_compositions_of_different_seeds_share_no_random_stream() -> None:
    images = np.concatenate([composition(6, 16, seed).reshape(6, -1) for seed in range(4)])
    correlations = np.corrcoef(images)[np.triu_indices(24, k=1)]
    assert correlations.max() < 0.999


@pytest.mark.parametrize("size", [16, 48])
def test_a_composition_spans_nearly_the_whole_range_at_any_size(size: int) -> None:
    images = composition(3, size, 0)
    assert (images.min(axis=(1, 2)) < 1).all()
    assert (images.max(axis=(1, 2)) > 76).all()


@pytest.mark.parametrize(
    ("name", "loss"), [("category", "smooth-l1"), ("constant", "smooth-l1"), ("normal-dim:50", "smooth-l1")]
)
def test_random_like_is_noise_in_the_shape_and_range_of_any_label(name: str, loss: str) -> None:
    inner, noise = label(name, CIFAR10), label(f"random-like:{name}", CIFAR10)
    assert (noise.shape, noise.loss) == (inner.shape, loss)
    assert noise.targets.min() >= inner.targets.min() and noise.targets.max() <= inner.targets.max()
    assert not np.array_equal(noise.targets, inner.targets)
    assert noise.sha256 == label(f"random-like:{name}", CIFAR10).sha256


def test_random_like_of_a_label_with_an_identity_has_one_of_its_own() -> None:
    digits = find_dataset("digits")
    inner, noise = label("speech", digits), label("random-like:speech", digits)
    assert noise.identity == f"random-like:{inner.identity}"
    assert noise.provenance["like"] == "speech"


def test_random_like_needs_a_label() -> None:
    with pytest.raises(InputError, match="label random-like needs its name: random-like:NAME"):
        label("random-like", CIFAR10)
