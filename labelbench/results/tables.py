"""What a leaderboard's tables are made of."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from labelbench.evaluation.scores import Score
from labelbench.results.spread import Paired, of_number, paired, standard_deviation, t_interval


@dataclass(frozen=True)
class Column:
    """One score of one evaluator.

    Attributes:
        evaluator: its name as the user wrote it.
        score: the score's name.
        unit, higher_is_better, at: as the score says.
        heading: as short as can be understood, for tables of several evaluators; empty if the evaluator gives none.
        of_labels: whether it stands beside scores of networks and is of labels alone, which have no seeds.
    """

    evaluator: str
    score: str
    unit: str = ""
    higher_is_better: bool | None = None
    at: float | None = None
    heading: str = ""
    of_labels: bool = False

    @property
    def key(self) -> str:
        """``evaluator/score``, as a suite names it in ``headline``."""
        return f"{self.evaluator}/{self.score}"


@dataclass(frozen=True)
class Value:
    """One score of one row over its seeds.

    Attributes:
        mean: over the seeds that have a value, or None.
        std: sample standard deviation over them, None with fewer than two.
        seeds: the seeds that have a value, rising.
        interval: 95 %: Student's t over the seeds, or, with a single seed, that of the score over the test images.
        notes: why seeds have no value, or what must be known about them, each once.
        numbers: the value of each seed, in the order of ``seeds``.
        step: the smallest difference that two seeds can have, 0 if there is none: a share of 50 images comes in steps
            of 0.02.
        count: of images (pairs, classes) that it is taken over, the smallest of all seeds, or None.
        best: whether it is better than that of every other label of the same data set, backbone and settings, and
            separated from each of them.
    """

    mean: float | None
    std: float | None
    seeds: tuple[int, ...]
    interval: tuple[float, float] | None
    notes: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    step: float = 0.0
    best: bool = False
    count: int | None = None

    @property
    def note(self) -> str:
        """All notes as one text."""
        return "; ".join(self.notes)

    @property
    def by_seed(self) -> dict[int, float]:
        """The value of each seed."""
        return dict(zip(self.seeds, self.numbers, strict=True))

    def less(self, other: Value) -> Paired | None:
        """The difference to another value of the same score, paired by seed; None if they share no seed."""
        return paired(self.by_seed, other.by_seed, max(self.step, other.step))

    @property
    def interval_of(self) -> str:
        """What the interval is taken over: ``"seeds"``, ``"images"``, or nothing."""
        return "" if self.interval is None else "seeds" if len(self.seeds) > 1 else "images"


@dataclass(frozen=True)
class Flag:
    """A finding that an evaluator raised about a row.

    Attributes:
        name: as the score says that carries it.
        raised: for how many seeds.
        measured: how many seeds were looked at.
    """

    name: str
    raised: int
    measured: int

    def __str__(self) -> str:
        return self.name if self.raised == self.measured else f"{self.name} {self.raised}/{self.measured}"


@dataclass(frozen=True)
class Row:
    """One label under one combination of settings.

    Attributes:
        dataset, backbone, label: names; backbone is empty in tables of labels alone.
        settings: letter of the legend.
        seeds: seeds that were measured.
        values: by column key; a missing key was not measured.
        notes: what must be known about the row.
        flags: findings that some evaluator raised about the row.
        identity: six hexadecimal digits of the label's targets where the name stands for several, else empty.
    """

    dataset: str
    backbone: str
    label: str
    settings: str
    seeds: tuple[int, ...]
    values: Mapping[str, Value]
    notes: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    identity: str = ""

    @property
    def name(self) -> str:
        """The label as tables show it."""
        return shown_label(self.label, self.identity)

    @property
    def place(self) -> tuple[str, str, str]:
        """What rows must share to be compared: data set, backbone and settings."""
        return self.dataset, self.backbone, self.settings


@dataclass(frozen=True)
class Table:
    """Rows that share columns."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def value_of(scores: Mapping[int, Score], unit: str) -> Value:
    """One score of one row, given that of each seed."""
    known = {seed: score.value for seed, score in scores.items() if score.value is not None}
    numbers = list(known.values())
    counts = [scores[seed].count for seed in known]
    step = 0.0
    if unit == "share" and counts and all(counts):
        step = 1 / min(count or 1 for count in counts)
    elif unit == "epochs":
        step = 1.0
    if len(numbers) == 1:
        interval = scores[next(iter(known))].interval
    else:
        interval = t_interval(numbers, least=of_number(step))
        if interval and unit == "share" and min(numbers) >= 0 and max(numbers) <= 1:
            # No share lies outside, and no coverage is lost by saying so.
            interval = max(0.0, interval[0]), min(1.0, interval[1])
    return Value(
        mean=statistics.fmean(numbers) if numbers else None,
        std=standard_deviation(numbers),
        seeds=tuple(known),
        interval=interval,
        notes=tuple(dict.fromkeys(score.note for score in scores.values() if score.note)),
        numbers=tuple(numbers),
        step=step,
        count=min((count for count in counts if count is not None), default=None),
    )


def shown_label(label: str, identity: str) -> str:
    """A label's name, with what tells its targets from others of that name.

    >>> shown_label("npy:mine.npy", "1a2b3c"), shown_label("speech", "")
    ('npy:mine.npy #1a2b3c', 'speech')
    """
    return f"{label} #{identity}" if identity else label


def shown_number(number: float, unit: str, *, signed: bool = False) -> str:
    """A number as tables show it: shares in percent with one decimal, as broken epochs, others with four digits.

    >>> shown_number(0.5, "share"), shown_number(0.5, "share", signed=True), shown_number(6.58749, "bits")
    ('50.0', '+50.0', '6.587')
    >>> shown_number(3, "epochs"), shown_number(7 / 3, "epochs")
    ('3', '2.3')
    """
    sign = "+" if signed else ""
    if unit == "epochs" and number % 1:
        return format(number, f"{sign}z.1f")
    # What rounds to nothing has no sign.
    return format(number * 100, f"{sign}z.1f") if unit == "share" else format(number, f"{sign}.4g")
