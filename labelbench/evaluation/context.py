"""What an evaluator is given."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from labelbench.evaluation.scores import Arrays, Measurement
from labelbench.runs import RunSpec, derived_seed

if TYPE_CHECKING:
    from torch import Tensor

    from labelbench.datasets import Dataset, Images, Split
    from labelbench.labels import LabelSet
    from labelbench.training.result import Trained


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
