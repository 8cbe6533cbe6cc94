from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console

from labelbench import InputError, RunSpec, split_indices
from labelbench.optimizers import SGD
from labelbench.plugins.lookup import evaluator
from labelbench.recipes import Recipe
from labelbench.results.reading import read
from labelbench.results.store import Results
from labelbench.running.planning import Plan, plan
from labelbench.running.progress import Reporter
from labelbench.running.runner import Runner
from labelbench.runs import Numerics
from labelbench.suite import Suite
from labelbench_evaluators.data_efficiency import SHARES, area_score, data_efficiency, log_weights

RECIPE = Recipe(name="test", epochs=1, batch_size=64, optimizer=SGD(0.05), milestones=(1,), crop_padding=2)
SUITE = Suite(
    *("test", ("digits:size=8",), ("category",), ("resnet8",), ("accuracy", "data-efficiency")),
    recipe=RECIPE,
    test_images=60,
)
NAMES = ["1%", "2%", "4%", "8%", "10%", "20%", "100%"]


def planned(folder: Path, suite: Suite = SUITE) -> Plan:
    return plan(suite, Numerics(threads=1), Results(folder))


def run(folder: Path, suite: Suite = SUITE) -> Runner:
    runner = Runner(planned(folder, suite), Results(folder), Reporter(Console(file=io.StringIO())))
    runner.run()
    return runner


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of a real, tiny suite."""
    folder = tmp_path_factory.mktemp("data-efficiency")
    runner = run(folder)
    assert runner.outcome.failures == [] and runner.outcome.trained == 7
    return folder


def found_in(folder: Path, suite: Suite = SUITE) -> Any:
    results = Results(folder)
    (cell,) = (cell for cell in planned(folder, suite).cells if cell.evaluator == "data-efficiency")
    return results.load_measurement(cell)


def test_seven_trainings_are_planned_once_and_the_full_one_is_the_ordinary_one(tmp_path: Path) -> None:
    found = planned(tmp_path, replace(SUITE, labels=("category", "constant"), seeds=(0, 1)))
    assert len(found.trainings) == len(set(found.trainings)) == 7 * 2 * 2
    assert Counter(one.train_fraction for one in found.trainings) == dict.fromkeys(SHARES, 4)
    ordinary = {cell.run for cell in found.cells if cell.evaluator == "accuracy"}
    assert ordinary == {one for one in found.trainings if one.train_fraction == 1}


def test_trainings_run_are_the_trainings_planned_and_none_runs_again(done: Path) -> None:
    trained = [json.loads(file.read_text())["run"]["id"] for file in done.rglob("training.json")]
    assert sorted(trained) == sorted(one.id for one in planned(done).trainings)
    again = run(done)
    assert (again.outcome.trained, again.outcome.measured) == (0, 0)


def test_scores_are_what_the_outcomes_of_each_image_say(done: Path) -> None:
    found = found_in(done)
    assert [score.name for score in found.scores] == [*NAMES, "area"]
    right = found.arrays["right"]
    assert right.shape == (7, 60) and right.dtype == bool and tuple(found.arrays["shares"]) == SHARES
    assert [found[name].value for name in NAMES] == pytest.approx(right.mean(axis=1))
    expected = np.trapezoid(right.mean(axis=1), np.log(SHARES)) / np.log(100)
    assert found["area"].value == pytest.approx(expected)
    low, high = found["area"].interval
    assert low < expected < high


def test_the_full_share_is_the_accuracy_of_the_ordinary_run(done: Path) -> None:
    accuracy, _ = planned(done).cells
    assert found_in(done)["100%"].value == Results(done).load_measurement(accuracy)["nearest"].value


def test_missing_classes_are_named(done: Path) -> None:
    found = found_in(done)
    assert found.details["training_images"] == dict(zip(NAMES, [14, 29, 58, 115, 144, 288, 1298], strict=True))
    assert "14 training images, of " in found["1%"].note and "of 10 classes" in found["1%"].note
    assert found["100%"].note == ""


@given(st.integers(40, 60_000), st.integers(0, 5))
def test_shares_are_nested_and_have_the_same_validation_images(count: int, seed: int) -> None:
    runs = data_efficiency().needs(RunSpec("digits", "speech", "resnet8", seed)).trainings
    parts = [split_indices(one, count, 0.1) for one in runs]
    for (smaller, validation), (larger, other) in pairwise(parts):
        assert np.array_equal(smaller, larger[: len(smaller)]) and np.array_equal(validation, other)
        assert not np.intersect1d(larger, validation).size


def test_a_training_that_diverged_is_a_share_without_a_score(tmp_path: Path) -> None:
    """Weights grow a little in every step: small shares end in time, the larger ones do not."""
    recipe = replace(RECIPE, optimizer=SGD(1e4))
    suite = replace(SUITE, labels=("constant",), recipe=recipe)
    runner = run(tmp_path, suite)
    assert runner.outcome.failures == []
    found = found_in(tmp_path, suite)
    diverged = {name for name in NAMES if found[name].value is None}
    for name in diverged:
        assert found[name].note == "the training diverged"
    of_accuracy, _ = read(Results(tmp_path)).records
    assert of_accuracy.cell.evaluator == "accuracy" and of_accuracy.diverged and not of_accuracy.scores
    assert "100%" in diverged and found["area"].value is None and "100%" in found["area"].note


class Enough(Exception):
    """Stands for any interruption."""


def test_an_interrupted_evaluation_goes_on_where_it_was(digit_bench: Callable[..., Any]) -> None:
    whole = digit_bench("category", images=50)
    whole.category = whole.network
    expected = whole.measured_by(data_efficiency())
    cut = digit_bench("category", images=50)
    asked: list[float] = []

    def outputs(run: RunSpec) -> Any:
        asked.append(run.train_fraction)
        if len(asked) == 4:
            raise Enough
        return whole.outputs(run)

    cut.outputs = outputs
    with pytest.raises(Enough):
        cut.measured_by(data_efficiency())
    found = cut.measured_by(data_efficiency())
    assert asked == [0.01, 0.02, 0.04, 0.08, 0.08, 0.1, 0.2, 1.0]
    assert found.scores == expected.scores
    assert np.array_equal(found.arrays["right"], expected.arrays["right"])


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=9, unique=True))
def test_weights_of_the_area_are_trapezoids_over_the_logarithm(shares: list[float]) -> None:
    shares = sorted({round(share, 4) for share in shares})
    if len(shares) < 2:
        return
    weights = log_weights(tuple(shares))
    curve = np.random.RandomState(0).uniform(size=len(shares))
    area = np.trapezoid(curve, np.log(shares)) / (np.log(shares[-1]) - np.log(shares[0]))
    assert weights.sum() == pytest.approx(1) and weights @ curve == pytest.approx(area)


@given(arrays(bool, st.tuples(st.just(7), st.integers(1, 40))))
def test_the_interval_of_the_area_holds_it_and_is_never_empty(right: np.ndarray) -> None:
    score = area_score(SHARES, right)
    assert score.value is not None and score.interval is not None
    low, high = score.interval
    assert 0 <= low <= score.value + 1e-9 and score.value - 1e-9 <= high <= 1 and high - low > 0


def test_the_interval_of_the_area_covers() -> None:
    """Of images drawn again and again, about 95 % of the intervals hold the true area."""
    random = np.random.RandomState(0)
    curve = np.linspace(0.2, 0.9, 7)
    truth = log_weights(SHARES) @ curve
    held = 0
    for _ in range(400):
        # One difficulty for each image, as right answers of one image go together over the shares.
        right = random.uniform(size=200) < curve[:, None]
        low, high = area_score(SHARES, right).interval or (0, 0)
        held += low <= truth <= high
    assert 0.92 <= held / 400 <= 0.98


def test_fewer_shares_can_be_asked_for_and_all_images_are_always_among_them() -> None:
    assert evaluator("data-efficiency").shares == SHARES
    assert evaluator("data-efficiency:percent=4+10").shares == (0.04, 0.1, 1.0)
    for percent in ("10+4", "3"):
        with pytest.raises(InputError, match="expected rising ones of 1, 2, 4, 8, 10, 20, 100"):
            evaluator(f"data-efficiency:percent={percent}")
