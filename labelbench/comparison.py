"""Two sets of results, label by label and seed by seed: what differs, how surely, and what was set otherwise."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from labelbench.errors import InputError, UnknownName
from labelbench.plugins.lookup import evaluator_here
from labelbench.results.conditions import conditions_of
from labelbench.results.grouping import newest_versions
from labelbench.results.records import Record
from labelbench.results.spread import Paired, differences, paired

# With fewer pairs not even seeds that all agree pass 5 %: 2 / 2**5 is more.
_LEAST_FOR_EXACT, _MOST_FOR_EXACT = 6, 16


@dataclass(frozen=True, order=True)
class _Key:
    dataset: str
    backbone: str
    train_fraction: float
    label: str
    evaluator: str
    score: str


@dataclass(frozen=True)
class Line:
    """One score of one label on both sides.

    Attributes:
        dataset, backbone, train_fraction, label, evaluator, score: what was measured.
        unit: of the score.
        higher_is_better: of the score.
        left, right: means over the seeds that both have.
        difference: right minus left, paired by seed.
        p: of an exact test that swaps the sides of each seed, two-sided; None with too few or too many seeds.
    """

    dataset: str
    backbone: str
    train_fraction: float
    label: str
    evaluator: str
    score: str
    unit: str
    higher_is_better: bool | None
    left: float
    right: float
    difference: Paired
    p: float | None

    @property
    def worse_by(self) -> float:
        """How much worse the right side is on the mean, below 0 if it is better or neither is."""
        if self.higher_is_better is None:
            return -math.inf
        return -self.difference.mean if self.higher_is_better else self.difference.mean


@dataclass(frozen=True)
class Comparison:
    """What two sides have in common, and what not.

    Attributes:
        lines: scores of labels that both have, with seeds that both have.
        only_left, only_right: settings in words that one side alone has.
        alone_left, alone_right: labels that one side alone has, by data set and backbone.
    """

    lines: tuple[Line, ...]
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]
    alone_left: tuple[str, ...]
    alone_right: tuple[str, ...]


def compare(left: Iterable[Record], right: Iterable[Record], scores: Sequence[str] = ()) -> Comparison:
    """Compare two sides.

    Args:
        left, right: finished measurements of each.
        scores: ``evaluator/score`` to compare; none for the headline scores of each evaluator.

    Raises:
        InputError: a side has two results for one label and seed, so that it is not one set of settings; or the sides
            share nothing.
        UnknownName: a score that neither side has.
    """
    sides = [[record for record in newest_versions(side)[0] if not record.diverged] for side in (left, right)]
    every = (record for side in sides for record in side)
    known = {f"{record.cell.evaluator}/{score.name}": None for record in every for score in record.scores}
    for name in scores:
        if name not in known:
            raise UnknownName("score", name, known)
    (one, units), (other, _) = (_by_key(side, scores) for side in sides)
    lines = []
    # What labels have by themselves comes last.
    for key in sorted(one.keys() & other.keys(), key=lambda key: (not key.backbone, key)):
        found = differences(other[key], one[key])
        difference = paired(other[key], one[key])
        if difference:
            lines.append(
                Line(
                    **vars(key),
                    unit=units[key][0],
                    higher_is_better=units[key][1],
                    left=statistics.fmean(one[key][seed] for seed in difference.seeds),
                    right=statistics.fmean(other[key][seed] for seed in difference.seeds),
                    difference=difference,
                    p=exact_p(list(found.values())),
                )
            )
    if not lines:
        raise InputError(
            "the two sides have no score of one label, data set, backbone and seed in common; expected results of the "
            "same things under other settings"
        )
    words = [_settings_of(side) for side in sides]
    labels = [_labels_of(side) for side in (one, other)]
    return Comparison(
        tuple(lines),
        tuple(word for word in words[0] if word not in words[1]),
        tuple(word for word in words[1] if word not in words[0]),
        tuple(sorted(labels[0] - labels[1])),
        tuple(sorted(labels[1] - labels[0])),
    )


def exact_p(numbers: Sequence[float]) -> float | None:
    """Two-sided p-value of "either side could have been the other" of paired differences, by all swaps of signs.

    >>> exact_p([1.0] * 6), exact_p([1.0] * 5), exact_p([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    (0.03125, None, 1.0)
    """
    if not _LEAST_FOR_EXACT <= len(numbers) <= _MOST_FOR_EXACT:
        return None
    seen = abs(math.fsum(numbers)) * (1 - 1e-12)
    sums = [abs(math.fsum(map(float.__mul__, signs, numbers))) for signs in product((1.0, -1.0), repeat=len(numbers))]
    return sum(each >= seen for each in sums) / len(sums)


def _by_key(
    records: Sequence[Record], scores: Sequence[str]
) -> tuple[dict[_Key, dict[int, float]], dict[_Key, tuple[str, bool | None]]]:
    """Numbers by seed, and the unit and direction of each score."""
    found: dict[_Key, dict[int, float]] = defaultdict(dict)
    units: dict[_Key, tuple[str, bool | None]] = {}
    for record in records:
        run, evaluator = record.run, record.cell.evaluator
        headline = {each.score for each in evaluator_here(evaluator).headline}
        for score in record.scores:
            wanted = f"{evaluator}/{score.name}" in scores if scores else score.name in headline
            if not wanted or score.value is None:
                continue
            key = _Key(run.dataset, run.backbone, run.train_fraction, run.label, evaluator, score.name)
            if run.seed in found[key]:
                raise InputError(
                    f"one side has two results of {run.label} seed {run.seed} for {evaluator}/{score.name}; expected "
                    "one set of settings: compare two recipes of the folder with --in DIR RECIPE RECIPE"
                )
            found[key][run.seed] = score.value
            units[key] = score.unit, score.higher_is_better
    return dict(found), units


def _labels_of(keys: Iterable[_Key]) -> set[str]:
    """Each label with where it was trained, or with its data set where it was looked at alone."""
    trained = {(key.label, key.dataset, key.backbone) for key in keys if key.backbone}
    looked_at = {(key.label, key.dataset) for key in keys} - {(label, dataset) for label, dataset, _ in trained}
    return {f"{label} ({', '.join(places)})" for label, *places in (*trained, *looked_at)}


def _settings_of(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(part for conditions in conditions_of(records) for part in conditions.parts))
