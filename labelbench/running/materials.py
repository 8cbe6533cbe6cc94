"""What runs are made from: images, labels and untrained networks, each loaded or built once per process."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from labelbench.datasets import Dataset, Images
from labelbench.errors import LabelbenchError, MachineError, PluginError, Unavailable, one_line
from labelbench.labels import LabelSet
from labelbench.plugins.lookup import backbone, find_dataset, label
from labelbench.runs import RunSpec, label_of_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from labelbench.networks import Network


class Materials:
    """Loads and builds on first use, and remembers what could not be had.

    Args:
        report: told what is being loaded and how much of it is done, 0 to 1.
        quiet: entered while a label is built, which may show a progress of its own.
    """

    def __init__(
        self,
        report: Callable[[str, float], None] = lambda doing, share: None,
        quiet: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._report = report
        self._quiet = quiet
        self._images: dict[str, Images | LabelbenchError] = {}
        self._labels: dict[tuple[str, str], LabelSet | LabelbenchError] = {}

    def dataset(self, run: RunSpec) -> Dataset:
        """The description of a run's data set."""
        return find_dataset(run.dataset)

    def images(self, run: RunSpec) -> Images:
        """The images of a run's data set.

        Raises:
            Unavailable: they are not here; tried once.
            PluginError: their plugin failed; tried once.
            InputError: they cannot be used.
        """
        if run.dataset not in self._images:
            try:
                self._images[run.dataset] = self.dataset(run).images(self._report)
            except (Unavailable, PluginError) as error:
                self._images[run.dataset] = error
        found = self._images[run.dataset]
        if isinstance(found, LabelbenchError):
            raise found
        return found

    def labels(self, run: RunSpec) -> LabelSet:
        """The label set of a run.

        Raises:
            InputError: the user named a label that cannot be used.
            Unavailable: what it is made from is not here, or the machine refused; tried once.
            PluginError: its plugin failed; tried once.
        """
        key = run.dataset, label_of_run(run.label, run.seed)
        if key not in self._labels:
            try:
                with self._quiet():
                    self._labels[key] = label(key[1], self.dataset(run))
            except (Unavailable, PluginError) as error:
                self._labels[key] = error
            except MachineError as error:
                self._labels[key] = Unavailable(one_line(error))
        found = self._labels[key]
        if isinstance(found, LabelbenchError):
            raise found
        return found

    def forget_labels(self, run: RunSpec) -> None:
        """Make the label set of a run anew when it is asked for again."""
        self._labels.pop((run.dataset, label_of_run(run.label, run.seed)), None)

    def network(self, run: RunSpec) -> Network:
        """The untrained network of a run."""
        from labelbench.training.start import initial_network

        size = self.dataset(run).image_size
        return initial_network(run, lambda: backbone(run.backbone, size), self.labels(run), self.images(run))
