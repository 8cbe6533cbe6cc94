"""Whether statistics of labels go along with outcomes: rank correlations with the label as the unit."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labelbench.claims.claim import Correlate
from labelbench.evaluation.scores import Z95
from labelbench.results.tables import Table

# The standard error of Fisher's z needs more than three points.
LEAST_LABELS = 4


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of a statistic with an outcome over labels.

    Attributes:
        dataset, backbone, settings: of the outcome.
        statistic, outcome: ``evaluator/score``.
        labels: that have both; their number is n.
        rho: -1 to 1, or None where all values of one side are equal.
        interval: 95 %, or None.
    """

    dataset: str
    backbone: str
    settings: str
    statistic: str
    outcome: str
    labels: tuple[str, ...]
    rho: float | None
    interval: tuple[float, float] | None


def correlations(
    correlate: Sequence[Correlate], tables: Sequence[Table], headline: Sequence[str] = ()
) -> tuple[Correlation, ...]:
    """Every statistic with every outcome, wherever four labels or more have both.

    Args:
        correlate: what to correlate.
        tables: the evaluators' tables. A label's outcome is its mean over seeds.
        headline: outcomes where ``correlate`` names none.
    """
    by_key = {column.key: table for table in tables for column in table.columns}
    found = []
    for each in correlate:
        for outcome in each.outcomes or headline:
            for statistic in each.statistics:
                if outcome in by_key and statistic in by_key:
                    found += _over_places(statistic, by_key[statistic], outcome, by_key[outcome])
    return tuple(sorted(found, key=lambda one: (one.dataset, one.backbone, one.settings)))


def _over_places(statistic: str, alone: Table, outcome: str, trained: Table) -> list[Correlation]:
    known = labels_alone(alone, statistic)
    points: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in trained.rows:
        value = row.values.get(outcome)
        if row.backbone and value and value.mean is not None and (row.dataset, row.name) in known:
            points.setdefault(row.place, {})[row.name] = value.mean
    found = []
    for (dataset, backbone, settings), outcomes in points.items():
        if len(outcomes) >= LEAST_LABELS:
            labels = tuple(sorted(outcomes))
            rho = spearman([known[dataset, label] for label in labels], [outcomes[label] for label in labels])
            interval = None if rho is None else spearman_interval(rho, len(labels))
            found.append(Correlation(dataset, backbone, settings, statistic, outcome, labels, rho, interval))
    return found


def labels_alone(table: Table, key: str) -> Mapping[tuple[str, str], float]:
    """The mean of a score of labels alone by data set and label."""
    found = {}
    for row in table.rows:
        value = row.values.get(key)
        if not row.backbone and value and value.mean is not None:
            found[row.dataset, row.name] = value.mean
    return found


def spearman(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Spearman's rank correlation; equal values share their mean rank. None where one side is constant.

    >>> spearman([1, 2, 3, 4], [10, 20, 40, 30])
    0.8
    """
    if len(set(left)) < 2 or len(set(right)) < 2:
        return None
    return round(statistics.correlation(_ranks(left), _ranks(right)), 12)


def spearman_interval(rho: float, count: int) -> tuple[float, float]:
    """95 % interval by Fisher's z with the standard error of Bonett and Wright (2000), sqrt((1 + rho^2/2) / (n - 3)).

    Args:
        rho: -1 to 1. At either end, where z is infinite, the interval is that of the nearest correlation that a
            change of two neighbouring ranks would give, 1 - 6 * 2 / (n (n^2 - 1)), widened to the end.
        count: labels, 4 or more.
    """
    largest = 1 - 12 / (count * (count**2 - 1))
    z = math.atanh(max(-largest, min(largest, rho)))
    half = Z95 * math.sqrt((1 + rho**2 / 2) / (count - 3))
    low, high = math.tanh(z - half), math.tanh(z + half)
    return min(low, rho), max(high, rho)


def p_correlation_above(rho: float, count: int, bound: float) -> float:
    """One-sided p-value of "the correlation is at most ``bound``", by the same approximation."""
    largest = 1 - 12 / (count * (count**2 - 1))
    z = math.atanh(max(-largest, min(largest, rho))) - math.atanh(bound)
    return statistics.NormalDist().cdf(-z / math.sqrt((1 + rho**2 / 2) / (count - 3)))


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    first = {value: index for index, value in reversed(list(enumerate(ordered)))}
    last = {value: index for index, value in enumerate(ordered)}
    return [(first[value] + last[value]) / 2 for value in values]
