"""Train and measure what a plan says is missing, one piece at a time; what fails is recorded and the rest goes on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labelbench.datasets import Images, Split, find_dataset
from labelbench.errors import ConflictError, InputError, MachineError, Unavailable, one_line
from labelbench.evaluation import Context, Measurement
from labelbench.files import read_json
from labelbench.labels import LabelSet
from labelbench.machine import environment_facts, numerics_in_force
from labelbench.networks import Network
from labelbench.planning import Plan
from labelbench.plugins import plugins
from labelbench.progress import Reporter
from labelbench.registry import backbone, evaluator, label
from labelbench.results import Cell, Results
from labelbench.runs import RunSpec, label_of_run
from labelbench.training import Epoch, Trained, initial_network, load_trained, outputs_of, train


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
        self._images: dict[str, Images | Failed] = {}
        self._labels: dict[tuple[str, str], LabelSet | Failed] = {}
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
        for name in dict.fromkeys(cell.run.dataset for cell in self.plan.cells):
            self._load_images(name)
        for run in dict.fromkeys([*self.plan.todo_trainings, *(cell.run for cell in self.plan.todo_cells)]):
            if isinstance(self._images[run.dataset], Images):
                self._build_labels(run)
        failures = [value for value in self._images.values() if isinstance(value, Failed)]
        if failures and len(failures) == len(self._images):
            raise failures[0].error
        for run in self.plan.trainings:
            self._refuse_other_images(run)

    def _load_images(self, name: str) -> None:
        dataset = find_dataset(name)
        self.reporter.begin(f"data set {name}")
        try:
            self._images[name] = dataset.load(lambda doing, share: self.reporter.update(doing, share))
        except Unavailable as error:
            self._images[name] = Failed(error)
        self.reporter.end()

    def _build_labels(self, run: RunSpec) -> None:
        key = run.dataset, label_of_run(run.label, run.seed)
        if key in self._labels:
            return
        try:
            with self.reporter.paused():
                self._labels[key] = label(key[1], find_dataset(run.dataset))
        except InputError:
            raise
        except Exception as error:  # a label may fail in any way; only the cells that need it fail
            self._labels[key] = Failed(error)

    def _refuse_other_images(self, run: RunSpec) -> None:
        file = self.results.training_file(run)
        images = self._images[run.dataset]
        if self.overwrite or isinstance(images, Failed) or not file.exists():
            return
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

    # ------------------------------------------------------------------------------------------------ training

    def _train(self, run: RunSpec) -> None:
        started = time.perf_counter()
        images, labels = self._images_of(run), self._labels_of(run)
        dataset = find_dataset(run.dataset)
        work = self.results.work(run)
        if self.overwrite:
            shutil.rmtree(work, ignore_errors=True)
        self.reporter.begin(str(run), self._training_size(run))

        def report(done: int, total: int, rate: float, epoch: Epoch | None) -> None:
            text = f"{rate:,.0f} images/s"
            if epoch:
                text = (
                    f"epoch {epoch.epoch}, loss {epoch.train_loss:.4g}, "
                    f"validation {epoch.validation_accuracy:.1%}, {text}"
                )
            self.reporter.update(text, done / total, always=epoch is not None and epoch.epoch % 5 == 0)

        with numerics_in_force(run.numerics):
            network = self._network_of(run)
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
        labels = self._labels_of(run)
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
            "plugins": {"label": _origin("label", run.label), "backbone": _origin("backbone", run.backbone)},
            "environment": environment_facts(run.numerics),
            "history": {name: [getattr(line, name) for line in trained.history] for name in Epoch.__dataclass_fields__},
        }

    def _network_of(self, run: RunSpec) -> Network:
        size = find_dataset(run.dataset).image_size
        return initial_network(run, lambda: backbone(run.backbone, size), self._labels_of(run), self._images_of(run))

    # ----------------------------------------------------------------------------------------------- measuring

    def _measure(self, cell: Cell) -> None:
        started = time.perf_counter()
        run = cell.run
        made = evaluator(cell.evaluator)
        self.reporter.begin(str(cell), self._cell_size(cell))
        facts = {
            "evaluator": {"settings": made.settings, "plugin": _origin("evaluator", cell.evaluator)},
            "label": label_facts(self._labels_of(run)),
            "images": self._image_facts(run),
        }
        if not run.backbone:
            facts["label"]["provenance"] = dict(self._labels_of(run).provenance)
        with numerics_in_force(run.numerics):
            diverged = any(self._trained(needed).diverged for needed in self.plan.needs[cell].trainings)
            measurement = Measurement(()) if diverged else made.evaluate(self._context(cell))
            if not isinstance(measurement, Measurement):
                raise TypeError(f"evaluate() returned {type(measurement).__name__}; expected labelbench.Measurement")
            facts["environment"] = environment_facts(run.numerics)
        self.results.save_measurement(cell, measurement, {**facts, **_when(started)}, diverged=diverged)
        self.reporter.end("not measured, the training diverged" if diverged else _summary(measurement))

    def _context(self, cell: Cell) -> Context:
        run = cell.run
        return Context(
            run=run,
            dataset=find_dataset(run.dataset),
            labels=self._labels_of(run),
            images=lambda: self._images_of(run),
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
        return self._images_of(cell.run).test.evenly(cell.test_images)

    def _load_trained(self, run: RunSpec) -> Trained:
        return self._loaded(run, self.results.network_file(run))

    def _load_snapshot(self, run: RunSpec, share: float) -> Trained:
        return self._loaded(run, self.results.snapshot_file(run, share))

    def _loaded(self, run: RunSpec, file: Path) -> Trained:
        return load_trained(run, self._network_of(run), self._labels_of(run), self._images_of(run), file)

    def _compute_outputs(self, run: RunSpec, test_images: int | None) -> Tensor:
        pixels = self._images_of(run).test.evenly(test_images).images
        return torch.cat([outputs.cpu() for outputs in outputs_of(self._trained(run).network, pixels)])

    # --------------------------------------------------------------------------------------------------- parts

    def _images_of(self, run: RunSpec) -> Images:
        images = self._images[run.dataset]
        if isinstance(images, Failed):
            raise images.error
        return images

    def _labels_of(self, run: RunSpec) -> LabelSet:
        self._images_of(run)
        self._build_labels(run)
        labels = self._labels[run.dataset, label_of_run(run.label, run.seed)]
        if isinstance(labels, Failed):
            raise labels.error
        return labels

    def _image_facts(self, run: RunSpec) -> dict[str, Any]:
        images = self._images_of(run)
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
        images = self._images[run.dataset]
        if isinstance(images, Failed):
            return 0.0
        return run.recipe.epochs * run.train_fraction * len(images.train) / 1000

    def _cell_size(self, cell: Cell) -> float:
        images = self._images[cell.run.dataset]
        if isinstance(images, Failed) or not cell.run.backbone:
            return 0.0
        return min(cell.test_images or len(images.test), len(images.test)) / 3000


@dataclass(frozen=True)
class Failed:
    """Why a data set or label cannot be had; raised again by what needs it."""

    error: Exception


def label_facts(labels: LabelSet) -> dict[str, Any]:
    """What tells label sets apart, as JSON values; notes are what a reader of results must know."""
    return {
        "sha256": labels.sha256,
        "identity": labels.identity,
        "shape": list(labels.shape),
        "loss": labels.loss,
        "notes": list(labels.provenance.get("notes", ())),
    }


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
