"""Means and what is known of them: t-intervals, differences paired by seed, tests against a margin.

Shares of few images come in steps, so that seeds may agree to the digit although they differ. Where a ``step`` is
given, the standard deviation is taken to be no less than that of rounding to it: step / sqrt(12) for a number, and for
the difference of two numbers step / sqrt(6).
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

LEAST_SEEDS = 3
"""With fewer seeds nothing is separated, best or decided: two numbers that differ may be two that always do."""

# Digits kept of differences: numbers that are equal on paper differ by the rounding of floats.
_ROUNDING = 12


@dataclass(frozen=True)
class Paired:
    """Differences between two labels, seed by seed.

    Attributes:
        mean: of the differences.
        std: sample standard deviation, None with fewer than two.
        interval: 95 % t-interval of the mean, None with fewer than two.
        seeds: the seeds that both have.
    """

    mean: float
    std: float | None
    interval: tuple[float, float] | None
    seeds: tuple[int, ...]

    @property
    def n(self) -> int:
        """How many pairs."""
        return len(self.seeds)

    @property
    def separated(self) -> bool:
        """Whether the labels differ: three pairs or more, and an interval that excludes 0."""
        return self.n >= LEAST_SEEDS and self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def differences(left: Mapping[int, float], right: Mapping[int, float]) -> dict[int, float]:
    """``left - right`` for each seed for which both have a finite number, in the order of seeds.

    >>> differences({1: 0.5, 0: 0.25}, {0: 0.125, 1: 0.25, 2: 1.0})
    {0: 0.125, 1: 0.25}
    """
    found = {seed: round(left[seed] - right[seed], _ROUNDING) for seed in sorted(left.keys() & right.keys())}
    return {seed: difference for seed, difference in found.items() if math.isfinite(difference)}


def paired(left: Mapping[int, float], right: Mapping[int, float], step: float = 0.0) -> Paired | None:
    """The paired difference of two labels whose numbers come in steps, or None if they share no seed."""
    found = differences(left, right)
    if not found:
        return None
    numbers = list(found.values())
    return Paired(
        statistics.fmean(numbers),
        standard_deviation(numbers),
        t_interval(numbers, least=of_difference(step)),
        tuple(found),
    )


def standard_deviation(numbers: Sequence[float]) -> float | None:
    """Sample standard deviation, None for fewer than two.

    The standard library's works in exact fractions, a hundred times slower and to no use here.
    """
    if len(numbers) < 2:
        return None
    if min(numbers) == max(numbers):
        # Their mean may be off by a rounding, and a spread of that size would decide everything.
        return 0.0
    mean = statistics.fmean(numbers)
    return math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1))


def of_difference(step: float) -> float:
    """The least standard deviation of a difference of two numbers that come in steps."""
    return step / math.sqrt(6)


def of_number(step: float) -> float:
    """The least standard deviation of numbers that come in steps."""
    return step / math.sqrt(12)


def t_interval(numbers: Sequence[float], level: float = 0.95, least: float = 0.0) -> tuple[float, float] | None:
    """Student's interval of the mean: mean ± t * s / sqrt(n) with n - 1 degrees of freedom; None for fewer than two.

    Args:
        numbers: whose mean it is.
        level: how often it covers the mean.
        least: standard deviation that s is not below.

    >>> low, high = t_interval([1.0, 2.0, 3.0])
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    """
    if len(numbers) < 2:
        return None
    mean = statistics.fmean(numbers)
    half = _quantile((1 + level) / 2, len(numbers) - 1) * _standard_error(numbers, least)
    return mean - half, mean + half


def p_above(numbers: Sequence[float], bound: float, least: float = 0.0) -> float:
    """One-sided p-value of "the mean is at most ``bound``" (Student's t): small if the mean is shown to lie above.

    Args:
        numbers: two or more. If all are equal, the p-value is 0 above the bound and 1 elsewhere.
        bound: where the hypothesis ends.
        least: standard deviation that theirs is not below.
    """
    distance = round(statistics.fmean(numbers) - bound, _ROUNDING)
    error = _standard_error(numbers, least)
    if error == 0:
        return 0.0 if distance > 0 else 1.0
    from scipy.special import stdtr

    return float(stdtr(len(numbers) - 1, -distance / error))


def p_below(numbers: Sequence[float], bound: float, least: float = 0.0) -> float:
    """As :func:`p_above`, of "the mean is at least ``bound``"."""
    return p_above([-number for number in numbers], -bound, least)


def p_equivalent(numbers: Sequence[float], margin: float, least: float = 0.0) -> float:
    """p-value of "the mean lies ``margin`` or more from 0": the larger of two one-sided tests (Schuirmann 1987)."""
    return max(p_above(numbers, -margin, least), p_below(numbers, margin, least))


def seeds_to_decide(distance: float, std: float, level: float = 0.95) -> int | None:
    """The least number of seeds, three or more, with which an interval of this level would end short of a bound.

    Args:
        distance: of the mean to the bound, 0 or more, if more seeds leave it where it is.
        std: standard deviation over seeds, if more leave it as it is.
        level: of the two-sided t-interval.

    Returns:
        None if it takes more than 999.

    >>> seeds_to_decide(0.01, 0.01), seeds_to_decide(0.01, 0.0001), seeds_to_decide(0.0, 0.01)
    (7, 3, None)
    """
    if distance <= 0:
        return None
    return _fewest(lambda n: _quantile((1 + level) / 2, n - 1) * std < distance * math.sqrt(n))


def seeds_to_show_any(cells: Sequence[tuple[float, float]], tests: int, at: float) -> int | None:
    """The least number of seeds, three or more, with which :func:`p_any` of several tests would be ``at`` or less.

    Args:
        cells: those that speak against their hypotheses: distance of the mean to its bound, above 0, and standard
            deviation over seeds, if more seeds leave both as they are.
        tests: how many there are; the others have a p-value of 1.
        at: 0 to 1.

    Returns:
        None if it takes more than 999.

    >>> seeds_to_show_any([(0.01, 0.01)], 1, 0.025), seeds_to_show_any([(0.01, 0.01)], 72, 0.025)
    (7, 18)
    """
    from scipy.special import stdtr

    def shown(n: int) -> bool:
        found = [float(stdtr(n - 1, -distance * math.sqrt(n) / std)) if std else 0.0 for distance, std in cells]
        return p_any([*found, *[1.0] * (tests - len(found))]) <= at

    return _fewest(shown) if cells else None


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """The least number of seeds that is enough, if more of them are enough as well."""
    counts = range(LEAST_SEEDS, 1000)
    first = bisect_left(counts, True, key=enough)
    return counts[first] if first < len(counts) else None


def p_any(p_values: Iterable[float]) -> float:
    """p-value of "all hypotheses are true" (Simes 1986): small if one of them is shown to be false.

    Valid for independent and for positively dependent tests, such as scores of the same networks.

    >>> p_any([0.02, 1.0]), p_any([0.02, 0.02])
    (0.04, 0.02)
    """
    ordered = sorted(p_values)
    return min((len(ordered) * p / rank for rank, p in enumerate(ordered, 1)), default=1.0)


def p_adjusted(p_values: Sequence[float]) -> list[float]:
    """p-values of hypotheses of which each is to be told from the others (Holm 1979), in the order given.

    >>> p_adjusted([0.02, 0.01, 1.0])
    [0.04, 0.03, 1.0]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    scaled = [min(1.0, (len(order) - rank) * p_values[place]) for rank, place in enumerate(order)]
    adjusted = dict(zip(order, accumulate(scaled, max), strict=True))
    return [adjusted[place] for place in range(len(order))]


def _standard_error(numbers: Sequence[float], least: float) -> float:
    return max(standard_deviation(numbers) or 0.0, least) / math.sqrt(len(numbers))


@lru_cache(maxsize=4096)
def _quantile(probability: float, degrees: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))
