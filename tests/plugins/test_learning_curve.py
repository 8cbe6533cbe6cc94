from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbench import Measurement, Trained
from labelbench.training.result import Epoch
from labelbench_evaluators.learning_curve import CURVES, learning_curve


@pytest.fixture
def measured(digit_bench: Callable[..., Any]) -> Callable[..., Measurement]:
    """The measurement of a made-up curve: ``measured([0.1, 0.5], diverged=True)``."""

    def measure(accuracy: list[float], diverged: bool = False) -> Measurement:
        bench = digit_bench("category", images=10)
        history = tuple(Epoch(i + 1, 0.1, 2.0, 1.5, value, 1.0) for i, value in enumerate(accuracy))
        best = int(np.argmax(accuracy)) + 1 if accuracy else 0
        bench.trained = lambda run: Trained(run, bench.network, history, best, diverged)
        return bench.measured_by(learning_curve())

    return measure


def test_epochs_are_the_first_at_each_level(measured: Callable[..., Measurement]) -> None:
    found = measured([0.3, 0.5, 0.45, 0.7, 0.72])
    assert [found[f"epochs-to-{level}%"].value for level in (50, 70, 90)] == [2, 4, None]
    assert found["epochs-to-50%"].unit == "epochs" and found["epochs-to-50%"].higher_is_better is False
    assert found["epochs-to-90%"].note == "never reached: the best is 72.0%, at epoch 5 of 5"
    assert found["area"].value == pytest.approx(0.534)


def test_the_curve_is_kept(measured: Callable[..., Measurement]) -> None:
    found = measured([0.3, 0.6])
    assert set(found.arrays) == set(CURVES)
    assert all(array.shape == (2,) for array in found.arrays.values())
    assert found.arrays["epoch"].tolist() == [1, 2] and found.arrays["validation_accuracy"].tolist() == [0.3, 0.6]


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [
        ([0.5, 0.8, 0.9, 0.92, 0.93, 0.94], ""),
        ([0.1, 0.1, 0.11, 0.12, 0.12, 0.13], "guessing gives 10.0%"),
        (
            [0.1, 0.1, 0.1, 0.2, 0.5, 0.9],
            "50% of the way from guessing to its best validation accuracy came only at epoch 5",
        ),
        ([0.3, 0.6, 0.6, 0.65, 0.8, 0.9], ""),  # the last part comes with the falling learning rate
        ([0.8, 0.85, 0.5, 0.9, 0.6, 0.9], "fell by more than 10 points 2 times in 6 epochs"),
        ([0.8, 0.85, 0.9, 0.7, 0.9, 0.91, 0.9, 0.9, 0.9, 0.9], ""),  # one drop in ten epochs happens to anyone
        ([0.1, 0.9], ""),  # too short to say
        ([0.1], "guessing gives 10.0%"),
    ],
)
def test_difficulty_is_said_with_its_reason(
    measured: Callable[..., Measurement], accuracy: list[float], words: str
) -> None:
    found = measured(accuracy)
    difficult = found.details["difficult"]
    assert difficult == found["area"].note and bool(difficult) == bool(words) == bool(found.details["reasons"])
    assert words in difficult and (not words or difficult.startswith("training was difficult: "))


def test_a_training_that_diverged_is_difficult(measured: Callable[..., Measurement]) -> None:
    found = measured([0.3, 0.6], diverged=True)
    assert found["epochs-to-50%"].value == 2 and found["area"].value is None
    assert found["epochs-to-70%"].note.endswith("at epoch 2 of 2, then the training diverged")
    assert "stopped being finite in epoch 3" in found.details["difficult"]
    nothing = measured([], diverged=True)
    assert "no epoch was finished" in nothing["epochs-to-50%"].note
    assert all(array.shape == (0,) for array in nothing.arrays.values())


@given(st.lists(st.floats(0, 1), min_size=5, max_size=40))
def test_a_curve_that_never_falls_and_starts_high_is_not_difficult(values: list[float]) -> None:
    curve = np.sort(0.9 + np.array(values) / 10)
    trained = replace_history(curve)
    assert learning_curve().difficulties(curve, 10, trained) == []
    late = np.append(np.full(3 * len(curve), 0.3), curve)
    assert len(learning_curve().difficulties(late, 10, trained)) == 1


def replace_history(curve: np.ndarray) -> Any:
    made = Trained(None, None, (), int(curve.argmax()) + 1, False)  # type: ignore[arg-type]
    return replace(made, diverged=False)


@pytest.mark.parametrize(("best", "difficult"), [(0.9, False), (0.55, True)])
def test_two_classes_can_be_learnt_without_difficulty(best: float, difficult: bool) -> None:
    curve = np.full(6, best)
    assert bool(learning_curve().difficulties(curve, 2, replace_history(curve))) is difficult
