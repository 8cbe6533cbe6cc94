"""Two sets of results, label by label and seed by seed: what differs, how surely, and what was set otherwise."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from labelbench.errors import InputError, UnknownName
from labelbench.evaluation.scores import Score
from labelbench.plugins.lookup import headline_of
from labelbench.results.conditions import conditions_of
from labelbench.results.grouping import newest_versions
from labelbench.results.records import Record
from labelbench.results.spread import Paired, differences
from labelbench.results.tables import value_of

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
        scores: ``evaluator/score`` to compare; none for the headline scores of each evaluator, or its first.

    Raises:
        InputError: a side has two results for one label and seed, so that it is not one set of settings; or the sides
            share nothing.
        UnknownName: a score that neither side has.
    """
    sides = [[record for record in newest_versions(side)[0] if not record.diverged] for side in (left, right)]
    known: dict[str, dict[str, None]] = defaultdict(dict)
    for record in (record for side in sides for record in side):
        known[record.cell.evaluator] |= {score.name: None for score in record.scores}
    names = [f"{evaluator}/{score}" for evaluator, found in known.items() for score in found]
    for name in scores:
        if name not in names:
            raise UnknownName("score", name, names)
    wanted = set(scores) or {f"{name}/{score}" for name, found in known.items() for score in headline_of(name, found)}
    one, other = (_by_key(side, wanted) for side in sides)
    lines = []
    # What labels have by themselves comes last.
    for key in sorted(one.keys() & other.keys(), key=lambda key: (not key.backbone, key)):
        some = next(iter(other[key].values()))
        before, after = (value_of(side[key], some.unit) for side in (one, other))
        difference = after.less(before)
        if difference:
            lines.append(
                Line(
                    **vars(key),
                    unit=some.unit,
                    higher_is_better=some.higher_is_better,
                    left=statistics.fmean(before.by_seed[seed] for seed in difference.seeds),
                    right=statistics.fmean(after.by_seed[seed] for seed in difference.seeds),
                    difference=difference,
                    p=exact_p(list(differences(after.by_seed, before.by_seed).values())),
                )
            )
    if not lines:
        raise InputError(
            "the two sides have no score of one label, data set, backbone and seed in common; expected results of the "
            "same things under other settings"
        )
    words = [[*_settings_of(side), *said] for side, said in zip(sides, _told_apart(*sides), strict=True)]
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


def _by_key(records: Sequence[Record], wanted: Container[str]) -> dict[_Key, dict[int, Score]]:
    """Scores that have a value, by seed."""
    found: dict[_Key, dict[int, Score]] = defaultdict(dict)
    for record in records:
        run, evaluator = record.run, record.cell.evaluator
        for score in record.scores:
            if f"{evaluator}/{score.name}" not in wanted or score.value is None:
                continue
            key = _Key(run.dataset, run.backbone, run.train_fraction, run.label, evaluator, score.name)
            if run.seed in found[key]:
                raise InputError(
                    f"one side has two results of {run.label} seed {run.seed} for {evaluator}/{score.name}; expected "
                    "one set of settings: compare two recipes of the folder with --in DIR RECIPE RECIPE"
                )
            found[key][run.seed] = score
    return dict(found)


def _labels_of(keys: Iterable[_Key]) -> set[str]:
    """Each label with where it was trained, or with its data set where it was looked at alone."""
    trained = {(key.label, key.dataset, key.backbone) for key in keys if key.backbone}
    looked_at = {(key.label, key.dataset) for key in keys} - {(label, dataset) for label, dataset, _ in trained}
    return {f"{label} ({', '.join(places)})" for label, *places in (*trained, *looked_at)}


def _settings_of(records: Sequence[Record]) -> list[str]:
    """Settings in words, how many test images were measured among them."""
    return list(dict.fromkeys(part for each in conditions_of(records) for part in each.words))


def _told_apart(left: Sequence[Record], right: Sequence[Record]) -> tuple[list[str], list[str]]:
    """What two sides call by one name and is not the same: versions of evaluators, and targets of labels."""
    sides = [dict(pair for record in side for pair in _meant_by(record)) for side in (left, right)]
    apart = [name for name in sides[0] if name in sides[1] and sides[0][name] != sides[1][name]]
    one, other = ([f"{name} {side[name]}" for name in apart] for side in sides)
    return one, other


def _meant_by(record: Record) -> Iterator[tuple[str, str]]:
    run = record.run
    drawn = "" if run.label_seed is None else f", seed {run.seed}"
    yield f"targets of {run.label} ({run.dataset}{drawn})", str(record.facts["label"]["identity"])[:12]
    yield f"evaluator {record.cell.evaluator}, version", str(record.cell.version)
