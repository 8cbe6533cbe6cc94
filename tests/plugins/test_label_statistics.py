"""Statistics of labels, against the tabled figures, the replication's printed numbers, and known cases."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelbench import Context, LabelSet, Measurement, Needs, RunSpec
from labelbench.plugins.lookup import find_dataset
from labelbench_evaluators.label_statistics import (
    effective_rank,
    entropy_256,
    label_statistics,
    neighbour_entropy,
    pair_distances,
    paper_entropy,
    pooled_entropy_256,
    register_evaluators,
)

ONE_HOT = np.eye(10, dtype=np.float32)

# Official array: paper's entropy, 256-bin entropy per class and pooled, neighbour entropy, effective rank, mean
# absolute difference, each with the digits it is tabled with; None where none is tabled.
TABLE: dict[str, tuple[str | None, ...]] = {
    "cifar10_speech": ("11.349", "7.480", None, ".378", "6.39", ".153"),
    "cifar10_shuffle": ("11.349", "7.480", None, ".469", "8.56", ".232"),
    "cifar10_composite": ("12.000", "7.694", None, ".289", "8.10", ".244"),
    "cifar10_random": ("12.000", "8.000", None, ".999", "8.99", ".334"),
    "cifar10_lowdim": ("3.322", None, "6.915", None, "5.76", ".341"),
    "cifar10_bert": ("11.055", "7.460", None, ".866", "8.15", ".089"),
    "cifar10_glove": ("5.644", None, "7.403", None, "5.42", ".147"),
    "cifar10_uniform": ("0.000", "0.000", "3.322", "0.000", "1.00", ".407"),
    "cifar100_speech": ("11.366", None, None, ".395", "26.8", ".157"),
    "cifar100_shuffle": ("11.366", None, None, ".505", "70.4", ".218"),
    "cifar100_composite": ("12.000", None, None, ".269", "22.3", ".256"),
    "cifar100_random": ("12.000", None, None, "1.000", "97.8", ".334"),
    "cifar100_bert": ("11.015", None, None, ".878", "38.4", ".127"),
    "cifar100_glove": ("5.643", None, None, None, "24.7", ".113"),
}


def digits(value: float, like: str) -> str:
    """``value`` with as many decimals as ``like``, written as it is."""
    text = f"{value:.{len(like.partition('.')[2])}f}"
    return text.removeprefix("0") if like.startswith(".") else text


@pytest.mark.parametrize("name", TABLE)
def test_statistics_of_the_official_arrays_equal_the_table_to_its_digits(shared: Path, name: str) -> None:
    targets = np.load(shared / "labels" / "official" / f"{name}.npy")
    found = (
        paper_entropy(targets),
        entropy_256(targets),
        pooled_entropy_256(targets),
        neighbour_entropy(targets) if targets.ndim == 3 else math.nan,
        effective_rank(targets),
        float(pair_distances(targets)["mean"].mean()),
    )
    tabled = TABLE[name]
    assert tuple(like and digits(value, like) for value, like in zip(found, tabled, strict=True)) == tabled


def test_statistics_of_one_hot_equal_the_table_to_its_digits() -> None:
    assert digits(paper_entropy(ONE_HOT), ".469") == ".469"
    assert digits(entropy_256(ONE_HOT), ".541") == ".541"
    assert digits(effective_rank(ONE_HOT), "9.00") == "9.00"
    assert digits(float(pair_distances(ONE_HOT)["mean"].mean()), ".200") == ".200"


@pytest.mark.parametrize("metric", ["label_norm_ord1", "label_norm_ord2", "label_avg_abs_dist"])
@pytest.mark.parametrize("name", ["speech", "shuffle", "composite", "random", "lowdim", "bert", "glove", "uniform"])
def test_distances_equal_what_the_replication_printed(shared: Path, name: str, metric: str) -> None:
    kind = {"label_norm_ord1": "order1", "label_norm_ord2": "order2", "label_avg_abs_dist": "mean"}[metric]
    records: list[dict[str, Any]] = json.loads((shared / "reference" / "replication_cdu890.json").read_text())
    printed = {record["metric"]: record["value"] for record in reversed(records) if record["label"] == name}
    found = pair_distances(np.load(shared / "labels" / "official" / f"cifar10_{name}.npy"))[kind]
    if metric == "label_avg_abs_dist":
        assert found.mean() == pytest.approx(printed[metric], rel=1e-5)
    else:
        assert found.mean() == pytest.approx(printed[f"{metric}_mean"], rel=1e-5)
        assert found.std() == pytest.approx(printed[f"{metric}_std"], rel=1e-4)


def test_a_constant_has_no_entropy_no_surprise_and_one_direction() -> None:
    constant = np.broadcast_to(np.arange(10.0)[:, None, None], (10, 16, 16))
    assert paper_entropy(constant) == 0
    assert entropy_256(constant) == 0
    assert neighbour_entropy(constant) == 0
    assert effective_rank(constant) == pytest.approx(1)
    assert pooled_entropy_256(constant) == pytest.approx(math.log2(10), abs=0.01)


def test_a_constant_with_the_least_noise_has_the_papers_highest_entropy_and_none_of_ours() -> None:
    noise = np.random.RandomState(0).uniform(0, 1e-6, (10, 64, 64))
    nearly_constant = np.arange(10.0)[:, None, None] + 0.5 + noise
    assert paper_entropy(nearly_constant) == pytest.approx(12)
    assert entropy_256(nearly_constant) < 0.1


def test_noise_has_the_highest_entropy_and_nothing_to_predict() -> None:
    noise = np.random.RandomState(0).uniform(size=(10, 64, 64))
    assert entropy_256(noise) == pytest.approx(8, abs=0.01)
    assert neighbour_entropy(noise) == pytest.approx(1, abs=0.01)
    assert effective_rank(noise) == pytest.approx(9, abs=0.05)
    # Two independent uniform numbers differ by 1/3 in the mean and by 1/sqrt(6) in the root mean square.
    assert pair_distances(noise)["mean"].mean() == pytest.approx(1 / 3, abs=0.005)
    assert pair_distances(noise)["rms"].mean() == pytest.approx(1 / math.sqrt(6), abs=0.005)


def test_stripes_are_predictable_along_themselves() -> None:
    stripes = np.repeat(np.random.RandomState(0).uniform(size=(10, 64, 1)), 64, axis=2)
    assert neighbour_entropy(stripes) < 0.01
    assert neighbour_entropy(stripes.transpose(0, 2, 1)) == pytest.approx(neighbour_entropy(stripes))


@pytest.mark.parametrize("shape", [(6, 5), (6, 16, 16)])
def test_pair_distances_equal_a_plain_loop(shape: tuple[int, ...]) -> None:
    targets = np.random.RandomState(0).normal(size=shape)
    unit = (targets - targets.min()) / np.ptp(targets)
    pairs = [(first, second) for first in range(6) for second in range(first + 1, 6)]
    found = pair_distances(targets)
    for index, (first, second) in enumerate(pairs):
        difference = unit[first] - unit[second]
        assert found["mean"][index] == pytest.approx(np.abs(difference).mean())
        assert found["rms"][index] == pytest.approx(np.sqrt((difference**2).mean()))
        assert found["order1"][index] == pytest.approx(np.linalg.norm(difference, ord=1))
        assert found["order2"][index] == pytest.approx(np.linalg.norm(difference, ord=2))
    assert all(len(values) == len(pairs) for values in found.values())


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-100, 100),
    order=st.permutations(range(5)),
)
def test_statistics_depend_on_neither_scale_shift_nor_order_of_classes(
    seed: int, scale: float, shift: float, order: list[int]
) -> None:
    targets = np.random.RandomState(seed).randint(0, 16, (5, 16, 16)) + 0.5
    targets[0, 0, 0], targets[1, 0, 0] = 0, 16
    other = (targets * scale + shift)[order]
    assert pair_distances(other)["mean"].mean() == pytest.approx(pair_distances(targets)["mean"].mean(), rel=1e-6)
    assert effective_rank(other) == pytest.approx(effective_rank(targets), rel=1e-6)
    assert paper_entropy(other) == pytest.approx(paper_entropy(targets))
    assert neighbour_entropy(other) == pytest.approx(neighbour_entropy(targets))


class LabelsAlone:
    """What is given to an evaluator that asks for nothing else."""

    dataset = find_dataset("cifar10")

    def __init__(self, labels: LabelSet, seen: list[float] | None) -> None:
        self.labels = labels
        self._seen = seen

    def refuse(self, *_: object) -> NoReturn:
        raise AssertionError("label statistics ask for nothing but the labels")

    images = test = property(refuse)
    trained = outputs = snapshot = part = refuse

    def report(self, doing: str, share: float) -> None:
        if self._seen is not None:
            self._seen.append(share)


def measured(labels: LabelSet, seen: list[float] | None = None) -> Measurement:
    context = Context(RunSpec.of("cifar10", "some", "resnet8", 0), Needs(), LabelsAlone(labels, seen))
    return label_statistics().evaluate(context)


def test_the_evaluator_needs_no_training() -> None:
    assert label_statistics().needs(RunSpec.of("digits", "constant", "resnet8", 0)) == Needs()


def test_the_evaluator_is_registered() -> None:
    assert set(register_evaluators()) == {"label-statistics"}


def test_every_score_is_explained_and_none_is_higher_is_better() -> None:
    measurement = measured(LabelSet(ONE_HOT))
    assert {score.name for score in measurement.scores} == set(label_statistics().explanations)
    assert all(score.higher_is_better is None for score in measurement.scores)


def test_the_papers_numbers_stand_apart_and_say_that_their_names_are_swapped() -> None:
    measurement = measured(LabelSet(ONE_HOT))
    assert [score.name for score in measurement.scores if score.name.startswith("paper/")] == [
        "paper/entropy",
        "paper/L1",
        "paper/L2",
    ]
    assert measurement["paper/L1"].value == pytest.approx(math.sqrt(2))
    assert measurement["paper/L2"].value == pytest.approx(2)
    assert "Euclidean norm" in measurement["paper/L1"].note
    assert "sum of magnitudes" in measurement["paper/L2"].note


def test_a_vector_gets_pooled_entropy_and_no_neighbour_entropy_and_says_why() -> None:
    measurement = measured(LabelSet(ONE_HOT))
    assert measurement["entropy-256"].value == measurement["entropy-256/pooled"].value
    assert "pooled over classes: 10 elements" in measurement["entropy-256"].note
    assert measurement["neighbour-entropy"].value is None
    assert "no neighbouring elements" in measurement["neighbour-entropy"].note


def test_a_matrix_gets_entropy_per_class_and_neighbour_entropy() -> None:
    targets = np.random.RandomState(0).uniform(0, 80, (10, 64, 64))
    measurement = measured(LabelSet(targets))
    assert measurement["entropy-256"].value == pytest.approx(entropy_256(targets.astype(np.float32)))
    assert measurement["entropy-256"].note == ""
    assert measurement["neighbour-entropy"].value == pytest.approx(1, abs=0.01)
    assert "spectral norm" in measurement["paper/L1"].note


def test_dimension_range_and_extreme_pairs_are_told() -> None:
    measurement = measured(LabelSet(np.array([[0.0, 0], [0, 3], [8, 0]])))
    assert measurement["dimension"].value == 2
    assert measurement["range"].value == 8
    assert measurement["closest-pair"].value == pytest.approx(3 / 8 / math.sqrt(2))
    assert measurement["farthest-pair"].value == pytest.approx(math.sqrt((1 + 9 / 64) / 2))
    assert measurement["mean-difference"].count == 3


def test_progress_rises_to_the_end() -> None:
    seen: list[float] = []
    measured(LabelSet(ONE_HOT), seen)
    assert seen == sorted(seen)
    assert seen[-1] == 1
