"""One measurement of a results folder: what its evaluator is given, and its record."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from torch import Tensor

from labelbench.datasets import Images, Split
from labelbench.evaluation.context import Context
from labelbench.evaluation.evaluator import Evaluator, evaluated
from labelbench.evaluation.scores import Arrays, Measurement
from labelbench.machine.numerics import environment_facts, numerics_in_force
from labelbench.plugins.lookup import evaluator, guarded
from labelbench.results.store import Results
from labelbench.running.facts import image_facts, label_facts, origin, origins, when
from labelbench.running.jobs import MeasuringJob
from labelbench.running.materials import Materials
from labelbench.running.networks import FinishedNetworks
from labelbench.running.progress import JobListener
from labelbench.runs import RunSpec


class MeasuringTask:
    """A measurement in hand, and the :class:`labelbench.evaluation.context.Supplies` of its evaluator.

    Args:
        job: what to measure.
        results: where parts and the record go.
        materials: images and labels.
        networks: trained ones.
        listener: told of everything.
    """

    def __init__(
        self,
        job: MeasuringJob,
        results: Results,
        materials: Materials,
        networks: FinishedNetworks,
        listener: JobListener,
    ) -> None:
        self.job = job
        self.cell = job.cell
        self.results = results
        self.materials = materials
        self.networks = networks
        self.trained, self.snapshot = networks.trained, networks.snapshot
        self.listener = listener
        self.dataset = materials.dataset(job.cell.run)
        self.labels = materials.labels(job.cell.run)

    def carry_out(self) -> None:
        """Measure, from the finished parts on, and record what came of it."""
        cell, run = self.cell, self.cell.run
        started = time.perf_counter()
        made = evaluator(cell.evaluator)
        self.listener.begin(str(cell), self.job.size)
        facts = self._facts(made)
        with numerics_in_force(run.numerics):
            diverged = not made.copes_with_divergence and any(
                self.trained(needed).diverged for needed in self.job.needs.trainings
            )
            measurement = Measurement(()) if diverged else self._measured(made)
            facts["environment"] = environment_facts(run.numerics)
        self.results.save_measurement(cell, measurement, {**facts, **when(started)}, diverged=diverged)
        self.results.forget_parts(cell)
        self.listener.end("not measured, the training diverged" if diverged else _summary(measurement))

    def _measured(self, made: Evaluator) -> Measurement:
        try:
            with guarded("evaluator", self.cell.evaluator):
                return evaluated(made, Context(self.cell.run, self.job.needs, self))
        except BaseException:
            # What it leaves behind is not what others should be given.
            self.materials.forget_labels(self.cell.run)
            self.networks.forget()
            raise

    def _facts(self, made: Evaluator) -> dict[str, Any]:
        run = self.cell.run
        facts: dict[str, Any] = {
            "evaluator": {"settings": made.settings},
            "label": label_facts(self.labels),
            "images": image_facts(self.images),
            "plugins": {**origins(run), "evaluator": origin("evaluator", self.cell.evaluator)},
        }
        if not run.backbone:
            facts["label"]["provenance"] = dict(self.labels.provenance)
        return facts

    @property
    def images(self) -> Images:
        """All images of the data set."""
        return self.materials.images(self.cell.run)

    @property
    def test(self) -> Split:
        """The test images that are measured."""
        return self.images.test.evenly(self.cell.test_images)

    def outputs(self, run: RunSpec) -> Tensor:
        """What the network of a run says of the test images that are measured."""
        return self.networks.outputs(run, self.cell.test_images)

    def part(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Arrays that are stored, or computed and stored."""
        return self.results.part(self.cell, name, compute)

    def report(self, doing: str, share: float) -> None:
        """Tell the reader."""
        self.listener.update(doing, share)


def _summary(measurement: Measurement) -> str:
    known = [score for score in measurement.scores if score.value is not None][:2]
    shown = (f"{s.name} {s.value:.1%}" if s.unit == "share" else f"{s.name} {s.value:.4g}" for s in known)
    return ", ".join(shown) or "measured"
