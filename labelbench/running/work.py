"""One job: train one network, or measure one cell, and put the result on disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labelbench.datasets import Split
from labelbench.evaluation.context import Context
from labelbench.evaluation.evaluator import Evaluator, evaluated
from labelbench.evaluation.scores import Measurement
from labelbench.labels import LabelSet
from labelbench.machine.numerics import environment_facts, numerics_in_force
from labelbench.plugins import plugins
from labelbench.registry import evaluator
from labelbench.results.records import Cell
from labelbench.results.store import Results
from labelbench.running.materials import Materials
from labelbench.running.progress import Pieces
from labelbench.runs import RunSpec
from labelbench.training.checkpoint import load_trained
from labelbench.training.inference import outputs_of
from labelbench.training.listeners import Course, Listener
from labelbench.training.result import Epoch, Trained
from labelbench.training.trainer import Trainer, begin_training


@dataclass(frozen=True)
class Training:
    """A network to train.

    Attributes:
        run: what to train.
        snapshots: shares of training at which the network is looked at.
        size: how much work it is, for progress.
    """

    run: RunSpec
    snapshots: tuple[float, ...]
    size: float = 0.0

    def __str__(self) -> str:
        return f"training {self.run}"


@dataclass(frozen=True)
class Measuring:
    """A cell to measure.

    Attributes:
        cell: what to measure.
        trainings: the trained networks that it looks at.
        inputs: the finished measurements that it builds on.
        size: how much work it is, for progress.
    """

    cell: Cell
    trainings: tuple[RunSpec, ...]
    inputs: tuple[Cell, ...]
    size: float = 0.0

    def __str__(self) -> str:
        return str(self.cell)


Job = Training | Measuring


class Worker:
    """Does one job after another; what jobs share is loaded once.

    Args:
        results: where finished work goes.
        reporter: told of everything.
        materials: images and labels.
        overwrite: True if checkpoints and finished parts are not to be taken up again.
        listeners: told of every training.
    """

    def __init__(
        self,
        results: Results,
        reporter: Pieces,
        materials: Materials,
        *,
        overwrite: bool = False,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.results = results
        self.reporter = reporter
        self.materials = materials
        self.overwrite = overwrite
        self.listeners = tuple(listeners)
        # Networks and outputs are large: only those in use are kept.
        self._trained = lru_cache(maxsize=2)(self._load_trained)
        self._outputs = lru_cache(maxsize=1)(self._compute_outputs)

    def do(self, job: Job) -> None:
        """Do a job; its result is on disk then."""
        if isinstance(job, Training):
            self._train(job)
        else:
            self._measure(job)

    def _train(self, job: Training) -> None:
        with numerics_in_force(job.run.numerics):
            trainer = self.begin(job)
            while not trainer.done:
                trainer.step()
            self.end(trainer)

    def begin(self, job: Training) -> Trainer:
        """The trainer of a job, put where an interrupted one ended; the run's numerics are in force until its end."""
        run = job.run
        work = self.results.work(run)
        if self.overwrite:
            shutil.rmtree(work, ignore_errors=True)
        self.reporter.begin(str(run), job.size)
        dataset = self.materials.dataset(run)
        return begin_training(
            run,
            self.materials.network(run),
            self.materials.labels(run),
            self.materials.images(run),
            validation_share=dataset.validation_share,
            flip=dataset.flip,
            folder=work,
            snapshots={share: self.results.snapshot_file(run, share) for share in job.snapshots},
            listeners=[_Progress(self.reporter), *self.listeners],
        )

    def end(self, trainer: Trainer) -> None:
        """Put what a trainer came to on disk."""
        run, finished = trainer.run, trainer.finish()
        self.results.save_training(run, {**self._training_facts(finished), **_when(trainer.begun)})
        (self.results.work(run) / "checkpoint.safetensors").unlink(missing_ok=True)
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
            **({"computed": dict(trained.computed)} if trained.computed else {}),
            "history": {name: [getattr(line, name) for line in trained.history] for name in Epoch.__dataclass_fields__},
        }

    def _measure(self, job: Measuring) -> None:
        cell, run = job.cell, job.cell.run
        started = time.perf_counter()
        made = evaluator(cell.evaluator)
        self.reporter.begin(str(cell), job.size)
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
                self._trained(needed).diverged for needed in job.trainings
            )
            measurement = Measurement(()) if diverged else self._evaluated(made, job)
            facts["environment"] = environment_facts(run.numerics)
        self.results.save_measurement(cell, measurement, {**facts, **_when(started)}, diverged=diverged)
        self.results.forget_parts(cell)
        self.reporter.end("not measured, the training diverged" if diverged else _summary(measurement))

    def _evaluated(self, made: Evaluator, job: Measuring) -> Measurement:
        try:
            return evaluated(made, self._context(job))
        except Exception:
            # What it leaves behind is not what others should be given.
            self.materials.forget_labels(job.cell.run)
            self._trained.cache_clear()
            self._outputs.cache_clear()
            raise

    def _context(self, job: Measuring) -> Context:
        cell, run = job.cell, job.cell.run
        return Context(
            run=run,
            dataset=self.materials.dataset(run),
            labels=self.materials.labels(run),
            images=lambda: self.materials.images(run),
            test=lambda: self._test_of(cell),
            trained=self._trained,
            outputs=lambda other: self._outputs(other, cell.test_images),
            snapshot=self._load_snapshot,
            measurement=lambda other, name: self._input(job, other, name),
            part=lambda name, compute: self.results.part(cell, name, compute),
            report=lambda doing, share: self.reporter.update(doing, share),
        )

    def _input(self, job: Measuring, run: RunSpec, name: str) -> Measurement:
        for other in job.inputs:
            if (other.run, other.evaluator) == (run, name):
                return self.results.load_measurement(other)
        raise KeyError(f"measurement {name!r} of {run} is not among the needs of {job.cell.evaluator!r}")

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


class _Progress(Listener):
    """Tells the reader of a training's steps."""

    def __init__(self, reporter: Pieces) -> None:
        self._reporter = reporter
        self._so_far = ""

    def on_step(self, course: Course) -> None:
        self._tell(course)

    def on_epoch(self, course: Course, epoch: Epoch) -> None:
        self._so_far = (
            f"epoch {epoch.epoch} done, loss {epoch.train_loss:.4g}, validation {epoch.validation_accuracy:.1%}, "
        )
        self._tell(course, always=epoch.epoch % 5 == 0)

    def on_note(self, course: Course, text: str) -> None:
        self._reporter.update(text, course.steps_done / course.steps, always=True)

    def _tell(self, course: Course, *, always: bool = False) -> None:
        doing = f"{self._so_far}{course.images_per_second:,.0f} images/s"
        self._reporter.update(doing, course.steps_done / course.steps, always=always)


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
