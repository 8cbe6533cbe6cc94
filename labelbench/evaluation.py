"""What an evaluator is, what it may ask for, and what it gives back."""

from __future__ import annotations

import abc
import dataclasses
import math
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from labelbench.errors import PluginError, one_line
from labelbench.runs import RunSpec, derived_seed

if TYPE_CHECKING:
    from torch import Tensor

    from labelbench.datasets import Dataset, Images, Split
    from labelbench.labels import LabelSet
    from labelbench.training.loop import Trained

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
    """

    name: str
    value: float | None
    unit: str = ""
    higher_is_better: bool | None = None
    interval: tuple[float, float] | None = None
    count: int | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or not self.name.isprintable():
            raise PluginError(f"score name {self.name!r}; expected printable text")
        if not isinstance(self.unit, str) or not isinstance(self.note, str):
            raise PluginError(f"score {self.name!r} has unit {self.unit!r} and note {self.note!r}; expected text")
        if self.higher_is_better not in (True, False, None):
            raise PluginError(
                f"score {self.name!r} has higher_is_better {self.higher_is_better!r}; expected True, False or None"
            )
        if self.higher_is_better is not None:
            object.__setattr__(self, "higher_is_better", bool(self.higher_is_better))
        if self.interval is not None:
            object.__setattr__(self, "interval", self._checked(self.interval))
        if self.count is not None:
            try:
                object.__setattr__(self, "count", index(self.count))
            except TypeError as error:
                raise PluginError(
                    f"score {self.name!r} has count {self.count!r}; expected a whole number or None"
                ) from error
        if self.value is None:
            if not self.note:
                raise PluginError(f"score {self.name!r} has no value; its note must say why")
        elif not isinstance(self.value, int | float | np.integer | np.floating) or not math.isfinite(self.value):
            raise PluginError(f"score {self.name!r} is {self.value!r}; expected a finite number, or None with a note")
        else:
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
    def share(name: str, hits: int, count: int, *, higher_is_better: bool | None = True, note: str = "") -> Score:
        """``hits`` of ``count`` with its Wilson interval.

        >>> score = Score.share("nearest", 8, 10)
        >>> score.value, score.count
        (0.8, 10)
        >>> Score.share("robust", 0, 0).note
        'no image to count'
        """
        if count == 0:
            return Score(name, None, "share", higher_is_better, count=0, note=note or "no image to count")
        return Score(name, hits / count, "share", higher_is_better, wilson_interval(hits, count), count, note)


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

    def __getitem__(self, name: str) -> Score:
        """The score of that name.

        Raises:
            KeyError: there is none.
        """
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)


@dataclass(frozen=True)
class Needs:
    """What an evaluator asks for.

    Attributes:
        trainings: runs whose networks it looks at. None at all for an evaluator that looks at labels alone: it is
            then asked once for each label of each data set.
        measurements: ``(run, evaluator name)`` whose scores it builds on.
        snapshots: shares of training, above 0 to 1, after which it wants to see each network.
    """

    trainings: tuple[RunSpec, ...] = ()
    measurements: tuple[tuple[RunSpec, str], ...] = ()
    snapshots: tuple[float, ...] = ()

    @property
    def labels_alone(self) -> bool:
        """Whether nothing is asked for but the labels, which every measurement has."""
        return not self.trainings and not self.measurements


class Evaluator(abc.ABC):
    """Measures trained networks, or labels. Subclasses are frozen dataclasses; their fields are their settings.

    Attributes:
        version: raised whenever equal inputs give other scores; results of two versions are never mixed.
        explanations: a sentence for each score name or its first part.
        copes_with_divergence: True if it has something to say of needed trainings that diverged, which it can tell by
            ``context.trained(run).diverged``. Else a measurement with one of them is recorded as diverged, unasked.
    """

    version: ClassVar[int] = 1
    copes_with_divergence: ClassVar[bool] = False
    explanations: ClassVar[Mapping[str, str]] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting as JSON values: the fields of the dataclass."""
        return dataclasses.asdict(self) if dataclasses.is_dataclass(self) else {}

    def needs(self, run: RunSpec) -> Needs:
        """What is asked for to measure ``run``: its own network, unless overridden."""
        return Needs(trainings=(run,))

    @abc.abstractmethod
    def evaluate(self, context: Context) -> Measurement:
        """Measure ``context.run``."""


class Context:
    """What an evaluator is given. It reads and stores through this object alone, and changes copies.

    Attributes:
        run: the run that is measured.
        dataset: its data set.
        labels: its labels.
        images: its images; :attr:`test` is the part that is measured.
        test: the test images that are measured, ``--test-images`` of them.
    """

    def __init__(
        self,
        *,
        run: RunSpec,
        dataset: Dataset,
        labels: LabelSet,
        images: Callable[[], Images],
        test: Callable[[], Split],
        trained: Callable[[RunSpec], Trained],
        outputs: Callable[[RunSpec], Tensor],
        snapshot: Callable[[RunSpec, float], Trained],
        measurement: Callable[[RunSpec, str], Measurement],
        part: Callable[[str, Callable[[], Arrays]], Arrays],
        report: Callable[[str, float], None],
    ) -> None:
        self.run = run
        self.dataset = dataset
        self.labels = labels
        self._images = images
        self._test = test
        self._trained = trained
        self._outputs = outputs
        self._snapshot = snapshot
        self._measurement = measurement
        self._part = part
        self._report = report
        # Weakly, since networks are large: what nobody else holds is given to nobody else.
        self._given: dict[RunSpec, tuple[weakref.ref[Trained], str]] = {}
        _ = labels.sha256  # taken before anybody can change the targets

    @property
    def images(self) -> Images:
        """All images of the data set."""
        return self._images()

    @property
    def test(self) -> Split:
        """The test images that are measured."""
        return self._test()

    def trained(self, run: RunSpec | None = None) -> Trained:
        """The trained network of ``run`` (by default the one measured), in eval mode on its device."""
        run = run or self.run
        found = self._trained(run)
        if run not in self._given or self._given[run][0]() is not found:
            self._given[run] = weakref.ref(found), found.network.digest
        return found

    def outputs(self, run: RunSpec | None = None) -> Tensor:
        """``(test images, *label shape)`` float32 on the CPU: a copy of what was computed once for all evaluators."""
        return self._outputs(run or self.run).clone()

    def snapshot(self, share: float, run: RunSpec | None = None) -> Trained:
        """The network as it was after ``share`` of its training, one of the needed ``snapshots``.

        Its ``history`` ends there, at the nearest epoch: with few epochs, several shares are the same moment.
        """
        return self._snapshot(run or self.run, share)

    def measurement(self, run: RunSpec, evaluator: str) -> Measurement:
        """A finished measurement named in the needs."""
        return self._measurement(run, evaluator)

    def part(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Arrays of a finished part: read back if the evaluation was interrupted after it, else computed and stored."""
        return self._part(name, compute)

    def seed(self, *axis: object) -> int:
        """A seed derived from the run's own, for one axis of this evaluation's randomness."""
        return derived_seed(self.run.seed, *axis)

    def report(self, doing: str, share: float) -> None:
        """Tell the reader what is being done and how much of it is done, 0 to 1."""
        self._report(doing, share)

    def _changed(self) -> str:
        """What others are given too and is not as it was given, in words; empty if everything is."""
        if not self.labels.is_intact:
            return "the targets of its labels"
        for run, (reference, digest) in self._given.items():
            found = reference()
            if found is not None and found.network.digest != digest:
                return f"the weights of {run}"
        return ""


def needs_of(made: Evaluator, run: RunSpec) -> Needs:
    """What an evaluator asks for to measure ``run``.

    Raises:
        PluginError: it fails, or returns something else.
    """
    try:
        need = made.needs(run)
    except Exception as error:  # a plugin can fail in any way
        raise PluginError(f"needs() failed for {run}: {one_line(error)}; expected labelbench.Needs") from error
    if not isinstance(need, Needs):
        raise PluginError(f"needs() returned {type(need).__name__}; expected labelbench.Needs")
    return need


def evaluated(made: Evaluator, context: Context) -> Measurement:
    """What an evaluator finds.

    Raises:
        PluginError: it returned something else, or changed what others are given too.
    """
    found = made.evaluate(context)
    if not isinstance(found, Measurement):
        raise PluginError(f"evaluate() returned {type(found).__name__}; expected labelbench.Measurement")
    changed = context._changed()
    if changed:
        raise PluginError(f"evaluate() changed {changed}, which others are given too; expected that it changes copies")
    return found


def wilson_interval(hits: float, count: float, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927).

    Args:
        hits: successes, 0 to ``count``.
        count: trials, 1 or more; fractions are fine for an effective number of trials.
        z: quantile of the normal distribution.

    >>> tuple(round(bound, 3) for bound in wilson_interval(8, 10))
    (0.49, 0.943)
    """
    share = hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)
