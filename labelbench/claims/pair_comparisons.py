"""Two labels compared seed by seed, one cell for each score: greater, or equivalent."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labelbench.claims.claim import Claims, Comparison
from labelbench.claims.evidence import HOLDS_AT, Found, Measured, labels_of, preferred, rows_by_label
from labelbench.results.spread import (
    differences,
    of_difference,
    p_above,
    p_below,
    p_equivalent,
    standard_deviation,
    t_interval,
)
from labelbench.results.tables import Row, Value, shown_number

EQUIVALENT_AT = 0.05
_LISTED_CELLS = 3


@dataclass(frozen=True)
class _Cell:
    name: str
    text: str
    mean: float
    holds: bool
    against: float


def judge_pairs(
    claims: Claims, measured: Measured, comparison: Comparison, place: tuple[str, str, str], found: Found
) -> None:
    """Each label of the left side against each of the right side in each score."""
    by_label = rows_by_label(measured, measured.evaluators(comparison), place)
    rights = labels_of(claims, by_label, comparison.right, comparison, found)
    for left in labels_of(claims, by_label, comparison.left, comparison, found):
        for right in rights:
            if left == right:
                continue
            evaluator = preferred(measured, comparison, by_label[left], by_label[right])
            if not evaluator:
                found.missing["not measured by the same evaluator"].append(f"{left} and {right}")
                continue
            rows = by_label[left][evaluator], by_label[right][evaluator]
            _judge_pair(comparison, evaluator, *rows, measured.units, found)


def _judge_pair(
    comparison: Comparison, evaluator: str, left: Row, right: Row, units: Mapping[str, str], found: Found
) -> None:
    cells = []
    for index, score in enumerate(comparison.scores):
        key = f"{evaluator}/{score}"
        pair = f"{left.name} and {right.name}: {key}"
        missing = [row.name for row in (left, right) if not _known(row, key)]
        if missing:
            found.missing["no value"].append(f"{' and '.join(missing)}: {key}")
            continue
        lefts, rights = left.values[key].by_seed, right.values[key].by_seed
        for row, values in ((left, lefts), (right, rights)):
            absent = set(row.seeds) - values.keys()
            if absent:
                reason = f"no value for {len(absent)} of {len(row.seeds)} seeds"
                found.missing[reason].append(f"{row.name}: {key}")
        numbers = list(differences(lefts, rights).values())
        least = of_difference(max(left.values[key].step, right.values[key].step))
        if len(numbers) < comparison.minimum_n:
            found.missing[f"needs {comparison.minimum_n} seeds, has {len(numbers)}"].append(pair)
            continue
        shared = lefts.keys() & rights.keys()
        means = [statistics.fmean(side[seed] for seed in sorted(shared)) for side in (lefts, rights)]
        if comparison.floor is not None and max(means) < comparison.floor:
            found.nothing[f"counts for nothing, both under {comparison.floor:.0%}"].append(pair)
            continue
        if comparison.keeps and comparison.keeps_scores[index]:
            kept_key = f"{evaluator}/{comparison.keeps_scores[index]}"
            kept = right.values[kept_key].mean if _known(right, kept_key) else None
            low, high = comparison.keeps
            if kept is None:
                found.missing["no value"].append(f"{right.name}: {kept_key}")
                continue
            if not low <= kept <= high:
                why = f"counts for nothing, {right.name} keeps {'under' if kept < low else 'over'}"
                found.nothing[f"{why} {low if kept < low else high:.0%} of what it read right"].append(pair)
                continue
        cells.append(_cell(comparison, key, units.get(key, ""), numbers, least, found))
    if cells:
        sentence = f"{left.name} less {right.name}: {_in_words(comparison, cells)}"
        found.evidence[sentence] = min(cell.against for cell in cells)
    for row in (left, right):
        for flag in row.flags:
            note = f"{row.name} has the flag {flag.name} for {flag.raised} of {flag.measured} seeds"
            if cells:
                found.evidence[note] = 1.0


def _known(row: Row, key: str) -> bool:
    value: Value | None = row.values.get(key)
    return value is not None and value.mean is not None and math.isfinite(value.mean)


def _cell(comparison: Comparison, key: str, unit: str, numbers: Sequence[float], least: float, found: Found) -> _Cell:
    """One cell, counted."""
    margin = comparison.margin
    if comparison.kind == "equivalent":
        holds = p_equivalent(numbers, margin, least) <= EQUIVALENT_AT
        against = min(p_above(numbers, margin, least), p_below(numbers, -margin, least))
        interval = t_interval(numbers, 1 - 2 * EQUIVALENT_AT, least)
    else:
        holds = p_above(numbers, margin, least) <= HOLDS_AT
        against = p_below(numbers, margin, least)
        interval = t_interval(numbers, 1 - 2 * HOLDS_AT, least)
    found.held += holds
    found.against.append(against)
    mean = statistics.fmean(numbers)
    ahead = margin - abs(mean) if comparison.kind == "equivalent" else mean - margin
    level = 1 - 2 * (EQUIVALENT_AT if comparison.kind == "equivalent" else HOLDS_AT)
    found.spreads.append((ahead, max(standard_deviation(numbers) or 0.0, least), level))
    low, high = interval or (mean, mean)
    shown = [shown_number(number, unit, signed=True) for number in (mean, low, high)]
    points = " points" if unit == "share" else f" {unit}" if unit else ""
    return _Cell(key, f"{shown[0]}{points} [{shown[1]}, {shown[2]}], n = {len(numbers)}", mean, holds, against)


def _in_words(comparison: Comparison, cells: Sequence[_Cell]) -> str:
    if len(cells) <= _LISTED_CELLS:
        listed = [f"{cell.name} {cell.text}" for cell in cells]
    else:
        lowest, highest = min(cells, key=lambda cell: cell.mean), max(cells, key=lambda cell: cell.mean)
        listed = [f"from {lowest.text} ({lowest.name})", f"to {highest.text} ({highest.name})"]
    if comparison.kind == "equivalent":
        listed.append("90 % interval of two one-sided tests")
    held = sum(cell.holds for cell in cells)
    return f"holds in {held} of {len(cells)} cells; " + "; ".join(listed)
