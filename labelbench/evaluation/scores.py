"""What an evaluator gives back: scores, and small arrays beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import index
from typing import Any

import numpy as np

from labelbench.errors import PluginError

# The quantile of the normal distribution that two-sided 95 % intervals end at.
Z95 = 1.959964

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Score:
    """One number of a measurement.

    Attributes:
        name: column name; parts are separated by ``/`` (``"adaptive/8"``).
        value: the number, or None where it means nothing or could not be measured; ``note`` then says why.
        unit: ``"share"`` for 0 to 1 (shown in percent), else the unit in words (``"bits"``, ``"epochs"``), or ``""``.
        higher_is_better: True, False, or None where neither is.
        interval: 95 % interval of the value, or None.
        count: how many images (or pairs, classes) the value is taken over, or None.
        note: what the reader must know about this value.
        at: where on an axis it was measured (an epsilon, a share of the data, an epoch), in the unit of the axes that
            the evaluator declares for its curves; None if on none.
        flag: name of a finding that this value is, such as ``"overstated"``, which then stands beside the row of the
            label; ``note`` says what was measured. Empty if nothing was found.
    """

    name: str
    value: float | None
    unit: str = ""
    higher_is_better: bool | None = None
    interval: tuple[float, float] | None = None
    count: int | None = None
    note: str = ""
    at: float | None = None
    flag: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or not self.name.isprintable():
            raise PluginError(f"score name {self.name!r}; expected printable text")
        if not (isinstance(self.unit, str) and isinstance(self.note, str) and isinstance(self.flag, str)):
            raise PluginError(
                f"score {self.name!r} has unit {self.unit!r}, note {self.note!r} and flag {self.flag!r}; expected text"
            )
        if self.higher_is_better not in (True, False, None):
            raise PluginError(
                f"score {self.name!r} has higher_is_better {self.higher_is_better!r}; expected True, False or None"
            )
        # What is of the right type stays as it is: a large results folder has a million scores.
        if self.higher_is_better is not None and type(self.higher_is_better) is not bool:
            object.__setattr__(self, "higher_is_better", bool(self.higher_is_better))
        if self.interval is not None:
            object.__setattr__(self, "interval", self._checked(self.interval))
        if self.count is not None and type(self.count) is not int:
            try:
                object.__setattr__(self, "count", index(self.count))
            except TypeError as error:
                raise PluginError(
                    f"score {self.name!r} has count {self.count!r}; expected a whole number or None"
                ) from error
        if self.at is not None:
            if not _is_finite(self.at):
                raise PluginError(f"score {self.name!r} has at {self.at!r}; expected a finite number, or None")
            object.__setattr__(self, "at", float(self.at))
        if self.value is None:
            if not self.note:
                raise PluginError(f"score {self.name!r} has no value; its note must say why")
        elif not _is_finite(self.value):
            raise PluginError(f"score {self.name!r} is {self.value!r}; expected a finite number, or None with a note")
        elif type(self.value) is not float:
            object.__setattr__(self, "value", float(self.value))

    def _checked(self, interval: Iterable[float]) -> tuple[float, float]:
        try:
            low, high = map(float, interval)
        except (TypeError, ValueError):
            low = high = math.nan
        if not math.isfinite(low) or not math.isfinite(high):
            raise PluginError(f"score {self.name!r} has interval {interval!r}; expected two finite numbers, or None")
        return low, high

    @staticmethod
    def share(
        name: str,
        hits: int,
        count: int,
        *,
        higher_is_better: bool | None = True,
        note: str = "",
        at: float | None = None,
    ) -> Score:
        """``hits`` of ``count`` with its Wilson interval.

        >>> score = Score.share("nearest", 8, 10)
        >>> score.value, score.count
        (0.8, 10)
        >>> Score.share("robust", 0, 0).note
        'no image to count'
        """
        if count == 0:
            return Score(name, None, "share", higher_is_better, count=0, note=note or "no image to count", at=at)
        return Score(name, hits / count, "share", higher_is_better, wilson_interval(hits, count), count, note, at)


@dataclass(frozen=True)
class Measurement:
    """What an evaluator found.

    Attributes:
        scores: go to the leaderboard, in this order.
        arrays: small arrays kept beside the scores (per-image outcomes, curves), by name.
        details: further JSON values for the record (counts of gradient evaluations, settings found, findings).

    >>> Measurement((Score.share("nearest", 8, 10), Score("rank", 6.5)))["rank"].value
    6.5
    """

    scores: tuple[Score, ...]
    arrays: Arrays = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", tuple(self.scores))
        for score in self.scores:
            if not isinstance(score, Score):
                raise PluginError(
                    f"a score of the measurement is {type(score).__name__}; expected labelbench.Score, which has unit "
                    "and direction"
                )
        names = [score.name for score in self.scores]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise PluginError(f"measurement has score {twice[0]!r} twice; give each score a name of its own")
        for name, array in self.arrays.items():
            kind = np.asarray(array).dtype
            if kind.kind not in "fiub":
                raise PluginError(f"array {name!r} holds {kind}; expected numbers, which are read without pickle")
        try:
            json.dumps(dict(self.details), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise PluginError(
                f"details cannot be written as JSON ({error}); expected texts, finite numbers, lists and dicts"
            ) from error

    def __getitem__(self, name: str) -> Score:
        """The score of that name.

        Raises:
            KeyError: there is none.
        """
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)


def _is_finite(number: object) -> bool:
    return isinstance(number, (int, float, np.integer, np.floating)) and math.isfinite(number)


def wilson_interval(hits: float, count: float) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927).

    Args:
        hits: successes, 0 to ``count``.
        count: trials, 1 or more; fractions are fine for an effective number of trials.

    >>> tuple(round(bound, 3) for bound in wilson_interval(8, 10))
    (0.49, 0.943)
    """
    share, z = hits / count, Z95
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)
