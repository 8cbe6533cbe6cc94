"""Intervals, tests and correlations against what is known of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from labelbench.claims.claim import Correlate
from labelbench.claims.correlations import correlations, spearman, spearman_interval
from labelbench.results.spread import (
    differences,
    p_above,
    p_any,
    p_below,
    p_equivalent,
    paired,
    standard_deviation,
    t_interval,
)
from labelbench.results.tables import Column, Row, Table, Value

NUMBERS = st.lists(st.floats(-1, 1), min_size=2, max_size=12)


@given(NUMBERS)
def test_the_t_interval_is_that_of_scipy(numbers: list[float]) -> None:
    from scipy import stats

    deviation = float(np.std(numbers, ddof=1))
    assume(deviation > 1e-6)
    expected = stats.t.interval(0.95, len(numbers) - 1, np.mean(numbers), deviation / math.sqrt(len(numbers)))
    assert t_interval(numbers) == pytest.approx(expected)
    assert standard_deviation(numbers) == pytest.approx(deviation)


@given(NUMBERS, st.floats(-0.5, 0.5))
def test_one_sided_tests_are_those_of_scipy(numbers: list[float], bound: float) -> None:
    from scipy import stats

    assume(float(np.std(numbers, ddof=1)) > 1e-6)
    assert p_above(numbers, bound) == pytest.approx(stats.ttest_1samp(numbers, bound, alternative="greater").pvalue)
    assert p_below(numbers, bound) == pytest.approx(stats.ttest_1samp(numbers, bound, alternative="less").pvalue)


def test_one_number_has_no_spread() -> None:
    assert t_interval([0.5]) is None and standard_deviation([0.5]) is None
    found = paired({0: 0.5}, {0: 0.25})
    assert found and (found.mean, found.interval, found.n) == (0.25, None, 1)
    assert paired({0: 0.5}, {1: 0.5}) is None


def test_equal_numbers_decide_without_a_test() -> None:
    assert (p_above([0.1] * 3, 0.0), p_above([0.1] * 3, 0.1), p_below([0.1] * 3, 0.0)) == (0.0, 1.0, 1.0)
    assert p_equivalent([0.005] * 3, 0.01) == 0.0 and p_equivalent([0.02] * 3, 0.01) == 1.0


def test_rounding_of_floats_is_no_difference() -> None:
    assert differences({0: 0.1 + 0.2}, {0: 0.3}) == {0: 0.0}


def test_what_is_no_number_is_left_out() -> None:
    assert differences({0: math.nan, 1: 0.5, 2: math.inf}, {0: 0.1, 1: 0.25, 2: 0.1}) == {1: 0.25}


def test_simes_holds_its_level_where_all_hypotheses_are_true() -> None:
    random = np.random.RandomState(0)
    found = [p_any(random.uniform(size=20)) <= 0.05 for _ in range(4000)]
    assert abs(np.mean(found) - 0.05) < 0.012


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=12))
def test_the_rank_correlation_is_that_of_scipy(points: list[tuple[int, int]]) -> None:
    from scipy import stats

    left, right = zip(*points, strict=True)
    if len(set(left)) < 2 or len(set(right)) < 2:
        assert spearman(left, right) is None
    else:
        assert spearman(left, right) == pytest.approx(stats.spearmanr(left, right).statistic, abs=1e-9)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_the_interval_of_a_correlation_covers_it_as_often_as_it_says(rho: float) -> None:
    """The rank correlation of normal pairs is 6 / pi * asin(r / 2)."""
    random = np.random.RandomState(1)
    true = 6 / math.pi * math.asin(rho / 2)
    inside = 0
    for _ in range(400):
        x = random.normal(size=18)
        y = rho * x + math.sqrt(1 - rho**2) * random.normal(size=18)
        low, high = spearman_interval(spearman(list(x), list(y)) or 0.0, 18)
        inside += low <= true <= high
    assert 0.90 <= inside / 400 <= 0.99


def test_a_perfect_correlation_of_few_labels_has_a_wide_interval() -> None:
    low, high = spearman_interval(1.0, 4)
    assert low < 0.2 and high == 1.0


def labels_and_outcomes(count: int) -> list[Table]:
    def value(number: float) -> Value:
        return Value(number, None, (0,), None, (), (number,))

    alone = [Row("d", "", f"l{index}", "", (), {"s/entropy": value(index)}) for index in range(count)]
    trained = [Row("d", "b", f"l{index}", "a", (0,), {"e/score": value(-index)}) for index in range(count)]
    return [Table("s", (Column("s", "entropy"),), tuple(alone)), Table("e", (Column("e", "score"),), tuple(trained))]


def test_fewer_than_four_labels_are_not_correlated() -> None:
    asked = [Correlate(("s/entropy",), ("e/score",))]
    assert correlations(asked, labels_and_outcomes(3)) == ()
    (found,) = correlations(asked, labels_and_outcomes(5))
    assert (found.rho, len(found.labels), found.statistic) == (-1.0, 5, "s/entropy")


def test_outcomes_are_those_of_the_headline_unless_named() -> None:
    (found,) = correlations([Correlate(("s/entropy",))], labels_and_outcomes(5), ["e/score"])
    assert found.outcome == "e/score"


def test_seeds_that_agree_because_shares_come_in_steps_are_not_taken_to_have_no_spread() -> None:
    """Two of twenty images more in both of two seeds is no proof; two thousand of twenty thousand is."""
    from labelbench.results.spread import of_difference

    assert p_above([0.1, 0.1], 0.0, of_difference(1 / 20)) > 0.025
    assert p_above([0.1, 0.1], 0.0, of_difference(1 / 20_000)) < 0.001
    low, high = t_interval([0.1, 0.1], least=of_difference(1 / 20)) or (0.0, 0.0)
    assert low < 0 < 0.2 < high
    assert t_interval([0.1, 0.1]) == (0.1, 0.1)
