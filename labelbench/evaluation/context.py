"""What an evaluator is given, and no more than it declared."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from labelbench.errors import PluginError
from labelbench.evaluation.needs import Needs
from labelbench.evaluation.scores import Arrays
from labelbench.runs import RunSpec, derived_seed

if TYPE_CHECKING:
    from torch import Tensor

    from labelbench.datasets import Dataset, Images, Split
    from labelbench.labels import LabelSet
    from labelbench.training.result import Trained


class Undeclared(PluginError):
    """An evaluator asked for what its needs do not name."""


class Supplies(Protocol):
    """Where a context has everything from: what one measurement may be given."""

    @property
    def dataset(self) -> Dataset:
        """The data set of the run that is measured."""

    @property
    def labels(self) -> LabelSet:
        """Its labels."""

    @property
    def images(self) -> Images:
        """All images of the data set."""

    @property
    def test(self) -> Split:
        """The test images that are measured."""

    def trained(self, run: RunSpec) -> Trained:
        """The trained network of a run."""

    def snapshot(self, run: RunSpec, share: float) -> Trained:
        """The network of a run as it was after ``share`` of its training."""

    def outputs(self, run: RunSpec) -> Tensor:
        """What the network of a run says of the test images that are measured."""

    def part(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Arrays that are stored, or computed and stored."""

    def report(self, doing: str, share: float) -> None:
        """Told what is being done and how much of it is done, 0 to 1."""


class Context:
    """What an evaluator is given. It reads and stores through this object alone, and changes copies.

    What its ``needs`` do not name is refused, with an error that fails the measurement even if it is caught.

    Attributes:
        run: the run that is measured.
        dataset: its data set.
        labels: its labels.
        images: its images; :attr:`test` is the part that is measured.
        test: the test images that are measured, ``--test-images`` of them.
        undeclared: what was asked for and refused, or None.
    """

    def __init__(self, run: RunSpec, needs: Needs, supplies: Supplies) -> None:
        self.run = run
        self.dataset = supplies.dataset
        self.labels = supplies.labels
        self._needs = needs
        self._supplies = supplies
        self.undeclared: Undeclared | None = None
        # Weakly, since networks are large: what nobody else holds is given to nobody else.
        self._given: dict[RunSpec, tuple[weakref.ref[Trained], str]] = {}
        _ = self.labels.sha256  # taken before anybody can change the targets

    @property
    def images(self) -> Images:
        """All images of the data set."""
        return self._supplies.images

    @property
    def test(self) -> Split:
        """The test images that are measured."""
        return self._supplies.test

    def trained(self, run: RunSpec | None = None) -> Trained:
        """The trained network of ``run`` (by default the one measured), in eval mode on its device.

        Raises:
            PluginError: the needs do not name it.
        """
        run = self._declared(run)
        found = self._supplies.trained(run)
        if run not in self._given or self._given[run][0]() is not found:
            self._given[run] = weakref.ref(found), found.network.digest
        return found

    def outputs(self, run: RunSpec | None = None) -> Tensor:
        """``(test images, *label shape)`` float32 on the CPU: a copy of what was computed once for all evaluators.

        Raises:
            PluginError: the needs do not name the run.
        """
        return self._supplies.outputs(self._declared(run)).clone()

    def snapshot(self, share: float, run: RunSpec | None = None) -> Trained:
        """The network as it was after ``share`` of its training, one of the needed ``snapshots``.

        Its ``history`` ends there, at the nearest epoch: with few epochs, several shares are the same moment.

        Raises:
            PluginError: the needs do not name the run, or not the share.
        """
        run = self._declared(run, share)
        return self._supplies.snapshot(run, share)

    def part(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Arrays of a finished part: read back if the evaluation was interrupted after it, else computed and stored."""
        return self._supplies.part(name, compute)

    def seed(self, *axis: object) -> int:
        """A seed derived from the run's own, for one axis of this evaluation's randomness."""
        return derived_seed(self.run.seed, *axis)

    def report(self, doing: str, share: float) -> None:
        """Tell the reader what is being done and how much of it is done, 0 to 1."""
        self._supplies.report(doing, share)

    def _declared(self, run: RunSpec | None, share: float | None = None) -> RunSpec:
        """The run that is asked for; refused unless the needs name it, and the share of training."""
        run = run or self.run
        if run not in self._needs.trainings or (share is not None and share not in self._needs.snapshots):
            moment = "" if share is None else f" after {share:.0%} of training"
            self.undeclared = Undeclared(
                f"it asked for the network of {run}{moment} without need; expected that needs(run) names everything: "
                "nothing else is made"
            )
            raise self.undeclared
        return run

    def changed(self) -> str:
        """What others are given too and is not as it was given, in words; empty if everything is."""
        if not self.labels.is_intact:
            return "the targets of its labels"
        for run, (reference, digest) in self._given.items():
            found = reference()
            if found is not None and found.network.digest != digest:
                return f"the weights of {run}"
        return ""
