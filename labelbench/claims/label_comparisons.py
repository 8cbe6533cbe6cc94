"""Labels compared by a statistic of their own: do the best have more of it, and does it go along with outcomes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from labelbench.claims.claim import Claims, Comparison
from labelbench.claims.correlations import p_correlation_above, spearman, spearman_interval
from labelbench.claims.evidence import (
    HOLDS_AT,
    Found,
    Measured,
    asked,
    labels_of,
    mean_outcome,
    preferred,
    rows_by_label,
)
from labelbench.results.spread import differences, of_difference, p_above, p_adjusted
from labelbench.results.tables import Row

# A label that does better than fewer than this is not said to be the best.
_FEWEST = 2


def judge_best(
    claims: Claims, measured: Measured, comparison: Comparison, place: tuple[str, str, str], found: Found
) -> None:
    """Whether each label that does better than all of the other side has more of a statistic than each of those."""
    known = measured.statistic(comparison.statistic)
    by_label = rows_by_label(measured, measured.evaluators(comparison), place)
    rights: dict[str, None] = {}
    for name in comparison.right:
        matching = labels_of(claims, by_label, [name], comparison, found)
        if not matching:
            found.missing[f"not measured with {asked(comparison)}"].append(name)
            return
        rights |= dict.fromkeys(matching)
    lefts = [left for left in labels_of(claims, by_label, comparison.left, comparison, found) if left not in rights]
    # How likely each comparison would be if the first label were no better than the second.
    chances: dict[tuple[str, str], float] = {}
    for left in lefts:
        for right in rights:
            numbers, least = _differences(measured, comparison, by_label, left, right, found)
            chances[left, right] = p_above(numbers, 0.0, least) if numbers else 1.0
            chances[right, left] = p_above([-number for number in numbers], 0.0, least) if numbers else 1.0
    evaluator = next(name for name in measured.evaluators(comparison) if (name, *place) in measured.rows)
    scores = measured.scores(evaluator, comparison) or comparison.scores
    outcome = f"{evaluator}/{scores[0]}" + (f" and {len(scores) - 1} more, their mean" if len(scores) > 1 else "")
    tried = [
        (one, others)
        for ones, others in ((lefts, list(rights)), (list(rights), lefts))
        for one in ones
        if len(others) >= _FEWEST
    ]
    # How likely if it were not better than all of the other side; each label tried is another chance to find one.
    found_better = [max(chances[one, other] for other in others) for one, others in tried]
    best = [
        (*pair, chance)
        for pair, chance, adjusted in zip(tried, found_better, p_adjusted(found_better), strict=True)
        if adjusted <= HOLDS_AT
    ]
    if not best:
        if not found.missing:
            found.missing[f"no label is shown to do better than {' and '.join(rights)}"].append(outcome)
        return
    for one, others, chance in best:
        for other in others:
            used = preferred(measured, comparison, by_label[one], by_label[other])
            for label in (one, other):
                _note_absent(by_label[label][used], used, measured.scores(used, comparison), found)
            sides = [known.get((place[0], label)) for label in (one, other)]
            if sides[0] is None or sides[1] is None:
                absent = [label for label, side in zip((one, other), sides, strict=True) if side is None]
                found.missing[f"not measured with {comparison.statistic}"] += absent
                continue
            holds = sides[0] - sides[1] > comparison.margin
            found.held += holds
            # Statistics of labels are known and not estimated: what may be wrong is that the label is the better one.
            found.against.append(1.0 if holds else chance)
            sentence = (
                f"{one} does better than {other} in {outcome}; {comparison.statistic} {sides[0]:.4g}, of {other} "
                f"{sides[1]:.4g}"
            )
            found.evidence[sentence] = found.against[-1]


def _differences(
    measured: Measured,
    comparison: Comparison,
    by_label: Mapping[str, Mapping[str, Row]],
    left: str,
    right: str,
    found: Found,
) -> tuple[list[float], float]:
    """``left`` less ``right`` seed by seed, none if there are too few, and the least spread that they may have."""
    evaluator = preferred(measured, comparison, by_label[left], by_label[right])
    if not evaluator:
        found.missing["not measured by the same evaluator"].append(f"{left} and {right}")
        return [], 0.0
    rows = [by_label[label][evaluator] for label in (left, right)]
    scores = measured.scores(evaluator, comparison)
    for score in comparison.scores:
        if score not in scores:
            found.missing["not measured, so not in the mean"].append(f"{evaluator}/{score}")
    sides = [mean_outcome(row, evaluator, scores) for row in rows] if scores else [{}, {}]
    numbers = list(differences(*sides).values())
    if len(numbers) < comparison.minimum_n:
        needed = f"needs {comparison.minimum_n} seeds, has {len(numbers)}"
        found.missing[needed].append(f"{left} and {right}: {evaluator}")
        return [], 0.0
    return numbers, of_difference(_step(rows, evaluator, scores))


def _note_absent(row: Row, evaluator: str, scores: Sequence[str], found: Found) -> None:
    """A label without a value for some of its seeds is not known by the others."""
    absent = len(row.seeds) - len(mean_outcome(row, evaluator, scores))
    if absent:
        found.missing[f"no value for {absent} of {len(row.seeds)} seeds"].append(f"{row.name}: {evaluator}")


def _step(rows: Sequence[Row], evaluator: str, scores: Sequence[str]) -> float:
    """The largest step of the scores that are averaged, over their number: that of their mean."""
    found = [row.values.get(f"{evaluator}/{score}") for row in rows for score in scores]
    return max((value.step for value in found if value), default=0.0) / max(1, len(scores))


def judge_correlation(
    claims: Claims, measured: Measured, comparison: Comparison, place: tuple[str, str, str], found: Found
) -> None:
    """Whether a statistic and the mean outcome rise together over labels."""
    known = measured.statistic(comparison.statistic)
    evaluator = next(name for name in measured.evaluators(comparison) if (name, *place) in measured.rows)
    points = {}
    for row in measured.rows[evaluator, *place]:
        outcomes = mean_outcome(row, evaluator, comparison.scores)
        asked = any(claims.counts_as(row.label, name) for name in comparison.left)
        if asked and outcomes and (place[0], row.name) in known:
            points[row.name] = (known[place[0], row.name], statistics.fmean(outcomes.values()))
            _note_absent(row, evaluator, comparison.scores, found)
    if len(points) < comparison.minimum_n:
        needed = f"needs {comparison.minimum_n} labels, has {len(points)}"
        found.missing[needed].append(f"{comparison.statistic} and {evaluator}/{comparison.scores[0]}")
        return
    rho = spearman(*zip(*points.values(), strict=True))
    if rho is None:
        found.missing["no difference between labels"].append(f"{comparison.statistic}, {evaluator}")
        return
    low, high = spearman_interval(rho, len(points))
    found.held += low > comparison.margin
    found.against.append(1 - p_correlation_above(rho, len(points), comparison.margin))
    sentence = (
        f"{comparison.statistic} and {evaluator}/{comparison.scores[0]}: "
        f"Spearman {rho:+.2f} [{low:+.2f}, {high:+.2f}], n = {len(points)} labels"
    )
    found.evidence[sentence] = found.against[-1]
