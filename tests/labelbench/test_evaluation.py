from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbench.errors import PluginError
from labelbench.evaluation.evaluator import needs_of
from labelbench.evaluation.scores import Measurement, Score, wilson_interval
from labelbench.runs import RunSpec


@given(st.integers(1, 10_000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_the_wilson_interval_holds_its_share_and_stays_in_range(case: tuple[int, int]) -> None:
    hits, count = case
    low, high = wilson_interval(hits, count)
    assert 0 <= low <= hits / count + 1e-12 and hits / count - 1e-12 <= high <= 1 and low < high


def test_the_wilson_interval_equals_a_printed_example() -> None:
    """Newcombe 1998, table I: 81 of 263 gives .2553 to .3662."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.5"])
def test_a_score_is_a_finite_number(value: object) -> None:
    with pytest.raises(PluginError, match="expected a finite number"):
        Score("accuracy", value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unit": None}, "expected text"),
        ({"note": 3}, "expected text"),
        ({"flag": True}, "expected text"),
        ({"at": "0.5"}, "expected a finite number, or None"),
        ({"at": math.nan}, "expected a finite number, or None"),
        ({"higher_is_better": "higher"}, "expected True, False or None"),
        ({"interval": (0.1, None)}, "expected two finite numbers"),
        ({"interval": (0.1, math.inf)}, "expected two finite numbers"),
        ({"interval": 0.1}, "expected two finite numbers"),
        ({"count": "many"}, "expected a whole number"),
        ({"count": 2.5}, "expected a whole number"),
    ],
)
def test_every_field_of_a_score_is_of_its_type(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError, match=f"score 'x' has .*{message}"):
        Score("x", 0.5, **settings)


def test_numbers_of_numpy_are_taken_as_plain_ones() -> None:
    score = Score("x", np.float32(0.5), "share", np.True_, np.array([0.25, 0.75], np.float32), np.int64(8))  # type: ignore[arg-type]
    assert json.loads(json.dumps(asdict(score))) == {
        **{"name": "x", "value": 0.5, "unit": "share", "higher_is_better": True},
        **{"interval": [0.25, 0.75], "count": 8, "note": "", "at": None, "flag": ""},
    }
    assert Score.share("x", np.int64(1), np.int64(2)).count == 2  # type: ignore[arg-type]


def test_a_score_without_value_says_why() -> None:
    with pytest.raises(PluginError, match="its note must say why"):
        Score("threshold", None)
    assert Score("threshold", None, note="not meaningful").value is None


def test_a_share_of_nothing_has_no_value() -> None:
    assert Score.share("of-correct", 0, 0).value is None


def test_a_measurement_has_each_score_once() -> None:
    with pytest.raises(PluginError, match="twice"):
        Measurement((Score("a", 1.0), Score("a", 2.0)))
    assert Measurement((Score("a", 1.0),))["a"].value == 1.0


def test_a_measurement_is_made_of_scores() -> None:
    with pytest.raises(PluginError, match="a score of the measurement is float; expected labelbench"):
        Measurement((0.5,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("needs", "message"), [(lambda run: [run], "returned list"), (lambda run: 1 / 0, "failed for")]
)
def test_needs_of_another_kind_are_refused(needs: Callable[[RunSpec], Any], message: str) -> None:
    made = SimpleNamespace(needs=needs)
    with pytest.raises(PluginError, match=rf"needs\(\) {message}.*; expected labelbench"):
        needs_of(made, RunSpec("digits", "category", "resnet8", 0))  # type: ignore[arg-type]
