"""Train and measure what a plan says is missing, one piece at a time; what fails is recorded and the rest goes on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labelbench.datasets import Split
from labelbench.errors import ConflictError, MachineError, PluginError, Unavailable, one_line
from labelbench.estimate import Work
from labelbench.evaluation import Context, Measurement
from labelbench.files import read_json
from labelbench.labels import LabelSet
from labelbench.machine import environment_facts, numerics_in_force
from labelbench.materials import Materials
from labelbench.planning import Plan
from labelbench.plugins import plugins
from labelbench.progress import Reporter
from labelbench.registry import evaluator
from labelbench.results import Cell, Results
from labelbench.runs import RunSpec
from labelbench.training import Epoch, Trained, load_trained, outputs_of, train


@dataclass
class Outcome:
    """What came of running a plan.

    Attributes:
        trained, measured: how many of each were done now.
        failures: ``(what, why)`` of everything that failed now.
    """

    trained: int = 0
    measured: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)


class Runner:
    """Runs one plan.

    Args:
        plan: what to do.
        results: where finished work goes.
        reporter: told of everything.
        overwrite: True if finished work is to be done again: checkpoints are not resumed then.
    """

    def __init__(self, plan: Plan, results: Results, reporter: Reporter, *, overwrite: bool = False) -> None:
        self.plan = plan
        self.results = results
        self.reporter = reporter
        self.overwrite = overwrite
        self.outcome = Outcome()
        self.materials = Materials(reporter.update, reporter.paused)
        # Networks and outputs are large: only those in use are kept.
        self._trained = lru_cache(maxsize=2)(self._load_trained)
        self._outputs = lru_cache(maxsize=1)(self._compute_outputs)

    def run(self) -> Outcome:
        """Do what is missing.

        Raises:
            InputError: a data set or label that cannot be used, before anything is computed; or finished work
                that was made with other images.
            MachineError: the machine refuses; what is finished stays.
        """
        self._prepare()
        self.results.save_suite({"name": self.plan.suite.name, "headline": list(self.plan.suite.headline)})
        todo_trainings, todo_cells = list(self.plan.todo_trainings), list(self.plan.todo_cells)
        trained = set(self.plan.trainings) - set(todo_trainings)
        measured = set(self.plan.cells) - set(todo_cells)
        self.reporter.whole(sum(map(self._training_size, todo_trainings)) + sum(map(self._cell_size, todo_cells)))

        def measure_what_is_ready() -> None:
            for cell in [cell for cell in todo_cells if self.plan.ready(cell, trained, measured)]:
                todo_cells.remove(cell)
                if self._attempt(str(cell), self.results.measurement_file(cell), partial(self._measure, cell)):
                    measured.add(cell)
                    self.outcome.measured += 1

        measure_what_is_ready()
        for run in todo_trainings:
            file = self.results.training_file(run)
            if self._attempt(f"training {run}", file, partial(self._train, run)):
                trained.add(run)
                self.outcome.trained += 1
                measure_what_is_ready()
        for cell in todo_cells:
            missing = [str(run) for run in self.plan.needs[cell].trainings if run not in trained]
            missing += [str(other) for other in self.plan.inputs(cell) if other not in measured]
            self._fail(str(cell), self.results.measurement_file(cell), f"needs {missing[0]}, which is not there")
        return self.outcome

    def _prepare(self) -> None:
        """Load every data set and build every label before anything is computed: mistakes of the user come first."""
        unavailable: dict[str, Unavailable] = {}
        runs = [*self.plan.trainings, *(cell.run for cell in self.plan.cells)]
        by_dataset = {run.dataset: run for run in runs}
        for name, run in by_dataset.items():
            self.reporter.begin(f"data set {name}")
            try:
                self.materials.images(run)
            except Unavailable as error:
                unavailable[name] = error
            self.reporter.end()
        if len(unavailable) == len(by_dataset):
            raise next(iter(unavailable.values()))
        for run in dict.fromkeys([*self.plan.todo_trainings, *(cell.run for cell in self.plan.todo_cells)]):
            if run.dataset not in unavailable:
                with suppress(PluginError, MachineError):  # only the cells that need this label fail, one by one
                    self.materials.labels(run)
        for run in self.plan.trainings:
            if run.dataset not in unavailable:
                self._refuse_other_images(run)

    def _refuse_other_images(self, run: RunSpec) -> None:
        file = self.results.training_file(run)
        if self.overwrite or not file.exists():
            return
        images = self.materials.images(run)
        made_with = read_json(file)["images"]["fingerprint"]
        if made_with != images.fingerprint:
            raise ConflictError(
                f"{file} was made with other images of {run.dataset} (fingerprint {made_with[:12]}, now "
                f"{images.fingerprint[:12]} from {images.source}); use another --results folder, or --overwrite always"
            )

    def _attempt(self, what: str, file: Path, work: Callable[[], None]) -> bool:
        try:
            work()
        except (ConflictError, MachineError) as error:
            if isinstance(error, Unavailable):
                self._fail(what, file, one_line(error))
                return False
            raise
        except Exception as error:  # one cell may fail in any way; the others go on
            self._fail(what, file, one_line(error))
            return False
        return True

    def _fail(self, what: str, file: Path, why: str) -> None:
        self.results.save_failure(file, what, why)
        self.outcome.failures.append((what, why))
        self.reporter.line(f"{what}: failed: {why}")

    def _train(self, run: RunSpec) -> None:
        started = time.perf_counter()
        images, labels = self.materials.images(run), self.materials.labels(run)
        dataset = self.materials.dataset(run)
        work = self.results.work(run)
        if self.overwrite:
            shutil.rmtree(work, ignore_errors=True)
        self.reporter.begin(str(run), self._training_size(run))

        so_far = ""

        def report(done: int, total: int, rate: float, epoch: Epoch | None) -> None:
            nonlocal so_far
            if epoch:
                so_far = (
                    f"epoch {epoch.epoch} done, loss {epoch.train_loss:.4g}, "
                    f"validation {epoch.validation_accuracy:.1%}, "
                )
            self.reporter.update(
                f"{so_far}{rate:,.0f} images/s", done / total, always=bool(epoch and epoch.epoch % 5 == 0)
            )

        with numerics_in_force(run.numerics):
            network = self.materials.network(run)
            finished = train(
                run,
                network,
                labels,
                images,
                validation_share=dataset.validation_share,
                flip=dataset.flip,
                folder=work,
                snapshots={share: self.results.snapshot_file(run, share) for share in self.plan.snapshots[run]},
                report=report,
            )
        self.results.save_training(run, {**self._training_facts(finished), **_when(started)})
        (work / "checkpoint.safetensors").unlink(missing_ok=True)
        self._trained.cache_clear()
        self._outputs.cache_clear()
        best = finished.history[finished.best_epoch - 1] if finished.best_epoch else None
        outcome = (
            f"trained, best validation {best.validation_accuracy:.1%} at epoch {best.epoch}" if best else "trained"
        )
        self.reporter.end("diverged: the loss stopped being finite" if finished.diverged else outcome)

    def _training_facts(self, trained: Trained) -> dict[str, Any]:
        run = trained.run
        labels = self.materials.labels(run)
        network = trained.network
        return {
            "status": "diverged" if trained.diverged else "done",
            "best_epoch": trained.best_epoch,
            "epochs_done": len(trained.history),
            "images": self._image_facts(run),
            "label": {**label_facts(labels), "provenance": dict(labels.provenance)},
            "backbone": {
                "description": getattr(network.backbone, "description", ""),
                "num_features": network.backbone.num_features,
                "parameters": sum(parameter.numel() for parameter in network.parameters()),
            },
            "plugins": _origins(run),
            "environment": environment_facts(run.numerics),
            "history": {name: [getattr(line, name) for line in trained.history] for name in Epoch.__dataclass_fields__},
        }

    def _measure(self, cell: Cell) -> None:
        started = time.perf_counter()
        run = cell.run
        made = evaluator(cell.evaluator)
        self.reporter.begin(str(cell), self._cell_size(cell))
        if self.overwrite:
            self.results.forget_parts(cell)
        facts = {
            "evaluator": {"settings": made.settings},
            "label": label_facts(self.materials.labels(run)),
            "images": self._image_facts(run),
            "plugins": {**_origins(run), "evaluator": _origin("evaluator", cell.evaluator)},
        }
        if not run.backbone:
            facts["label"]["provenance"] = dict(self.materials.labels(run).provenance)
        with numerics_in_force(run.numerics):
            diverged = not made.copes_with_divergence and any(
                self._trained(needed).diverged for needed in self.plan.needs[cell].trainings
            )
            measurement = Measurement(()) if diverged else made.evaluate(self._context(cell))
            if not isinstance(measurement, Measurement):
                raise TypeError(f"evaluate() returned {type(measurement).__name__}; expected labelbench.Measurement")
            facts["environment"] = environment_facts(run.numerics)
        self.results.save_measurement(cell, measurement, {**facts, **_when(started)}, diverged=diverged)
        self.results.forget_parts(cell)
        self.reporter.end("not measured, the training diverged" if diverged else _summary(measurement))

    def _context(self, cell: Cell) -> Context:
        run = cell.run
        return Context(
            run=run,
            dataset=self.materials.dataset(run),
            labels=self.materials.labels(run),
            images=lambda: self.materials.images(run),
            test=lambda: self._test_of(cell),
            trained=self._trained,
            outputs=lambda other: self._outputs(other, cell.test_images),
            snapshot=self._load_snapshot,
            measurement=lambda other, name: self._input(cell, other, name),
            part=lambda name, compute: self.results.part(cell, name, compute),
            report=lambda doing, share: self.reporter.update(doing, share),
        )

    def _input(self, cell: Cell, run: RunSpec, name: str) -> Measurement:
        for other in self.plan.inputs(cell):
            if (other.run, other.evaluator) == (run, name):
                return self.results.load_measurement(other)
        raise KeyError(f"measurement {name!r} of {run} is not among the needs of {cell.evaluator!r}")

    def _test_of(self, cell: Cell) -> Split:
        return self.materials.images(cell.run).test.evenly(cell.test_images)

    def _load_trained(self, run: RunSpec) -> Trained:
        return self._loaded(run, self.results.network_file(run))

    def _load_snapshot(self, run: RunSpec, share: float) -> Trained:
        return self._loaded(run, self.results.snapshot_file(run, share))

    def _loaded(self, run: RunSpec, file: Path) -> Trained:
        return load_trained(
            run, self.materials.network(run), self.materials.labels(run), self.materials.images(run), file
        )

    def _compute_outputs(self, run: RunSpec, test_images: int | None) -> Tensor:
        pixels = self.materials.images(run).test.evenly(test_images).images
        return torch.cat([outputs.cpu() for outputs in outputs_of(self._trained(run).network, pixels)])

    def _image_facts(self, run: RunSpec) -> dict[str, Any]:
        images = self.materials.images(run)
        return {
            "fingerprint": images.fingerprint,
            "source": images.source,
            "train": len(images.train),
            "test": len(images.test),
            "mean": list(images.mean),
            "std": list(images.std),
        }

    def _training_size(self, run: RunSpec) -> float:
        """Images that a training looks at, in thousands."""
        with suppress(Unavailable):
            return Work.of(run, self.materials).images / 1000
        return 0.0

    def _cell_size(self, cell: Cell) -> float:
        if not cell.run.backbone:
            return 0.0
        with suppress(Unavailable):
            count = len(self.materials.images(cell.run).test)
            return min(cell.test_images or count, count) / 3000
        return 0.0


def label_facts(labels: LabelSet) -> dict[str, Any]:
    """What tells label sets apart, as JSON values; notes are what a reader of results must know."""
    return {
        "sha256": labels.sha256,
        "identity": labels.identity,
        "shape": list(labels.shape),
        "loss": labels.loss,
        "notes": list(labels.provenance.get("notes", ())),
    }


def _origins(run: RunSpec) -> dict[str, str]:
    """The distributions that a run's label and backbone come from."""
    found = {"label": _origin("label", run.label)}
    return {**found, "backbone": _origin("backbone", run.backbone)} if run.backbone else found


def _origin(kind: str, name: str) -> str:
    return str(plugins().find(kind, name)[0].origin)


def _summary(measurement: Measurement) -> str:
    known = [score for score in measurement.scores if score.value is not None][:2]
    shown = (f"{s.name} {s.value:.1%}" if s.unit == "share" else f"{s.name} {s.value:.4g}" for s in known)
    return ", ".join(shown) or "measured"


def _when(started: float) -> dict[str, Any]:
    return {
        "wall_seconds": round(time.perf_counter() - started, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
