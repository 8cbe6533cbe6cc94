"""Small networks on made-up images, trained and measured as in a run: by the same worker, into a results folder."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from labelbench.datasets import Dataset, Images, Split
from labelbench.evaluation.evaluator import Evaluator, needs_of
from labelbench.evaluation.needs import Needs
from labelbench.evaluation.scores import Measurement
from labelbench.optimizers import SGD
from labelbench.recipes import Recipe
from labelbench.results.records import Cell
from labelbench.results.store import Results
from labelbench.running.jobs import MeasuringJob, TrainingJob
from labelbench.running.materials import Materials
from labelbench.running.progress import JobListener
from labelbench.running.worker import Worker
from labelbench.runs import RunSpec
from labelbench.suite import Suite

DATASET = Dataset("made-up", ("dark", "grey", "light", "bright"), (16, 16), flip=False, validation_share=0.25)
_PER_CLASS = {"train": 16, "test": 6}
_RECIPE = Recipe(
    name="check", epochs=3, batch_size=16, optimizer=SGD(0.05), schedule="one-cycle", milestones=(), crop_padding=0
)


def made_up_images() -> Images:
    """Noise around a level of grey for each class: learned in seconds, and not without a mistake."""
    random = np.random.RandomState(0)

    def part(name: str) -> Split:
        classes = np.repeat(np.arange(DATASET.num_classes), _PER_CLASS[name])
        levels = (40 + 50 * classes)[:, None, None, None]
        pixels = levels + random.normal(0, 45, (len(classes), *DATASET.image_size, 3))
        return Split(pixels.clip(0, 255).astype(np.uint8), classes.astype(np.int64))

    return Images(part("train"), part("test"), "made-up", (0.45,) * 3, (0.25,) * 3, "made up")


def check_runs() -> list[RunSpec]:
    """A run with a vector label and one with a matrix label."""
    controls = Suite.load("trial")
    return [RunSpec(DATASET.name, name, controls.backbones[0], 0, recipe=_RECIPE) for name in controls.labels]


class _MadeUp(Materials):
    """Labels as they are, for images that are made up."""

    def dataset(self, run: RunSpec) -> Dataset:
        return DATASET

    def images(self, run: RunSpec) -> Images:
        return self._made_up

    @cached_property
    def _made_up(self) -> Images:
        return made_up_images()


class _KeepingParts(Results):
    """Finished parts stay, as if each measurement had been interrupted at its very end."""

    def forget_parts(self, cell: Cell) -> None:
        pass


class EvaluatorBench:
    """Trains and measures for the check of one evaluator.

    Args:
        name: of the evaluator, as a user writes it.
        made: what it makes.
        results: an empty folder.
        listener: told of everything.
    """

    def __init__(self, name: str, made: Evaluator, results: Results, listener: JobListener) -> None:
        self._name = name
        self._made = made
        self._results = _KeepingParts(results.folder)
        self._worker = Worker(self._results, listener, _MadeUp())

    def needs(self, run: RunSpec) -> Needs:
        """What the evaluator asks for to measure a run; trained, where it is not yet."""
        needs = needs_of(self._made, run)
        for needed in needs.trainings:
            files = [self._results.network_file(needed)]
            files += [self._results.snapshot_file(needed, share) for share in needs.snapshots]
            if not all(file.exists() for file in files):
                self._worker.do(TrainingJob(needed, needs.snapshots))
        return needs

    def measured(self, run: RunSpec, needs: Needs) -> Measurement:
        """What the evaluator finds, as its record says."""
        cell = Cell(run.of_labels if needs.labels_alone else run, self._name, self._made.version)
        self._worker.do(MeasuringJob(cell, needs))
        return self._results.load_measurement(cell)
