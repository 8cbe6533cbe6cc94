"""One training of a results folder: begun or taken up, told of, and put on disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labelbench.machine.numerics import environment_facts, numerics_in_force
from labelbench.results.store import Results
from labelbench.running.facts import image_facts, label_facts, origins, when
from labelbench.running.jobs import TrainingJob
from labelbench.running.materials import Materials
from labelbench.running.progress import JobListener
from labelbench.training.checkpoint import Files
from labelbench.training.listeners import Course, Listener
from labelbench.training.result import Epoch, Trained
from labelbench.training.trainer import Trainer

# Seconds between two reports of steps: on a GPU they are taken in less time than it takes to tell of them.
_PACE = 0.1


@dataclass
class TrainingTask:
    """A training in hand. Several can be stepped in turn; the numerics of their runs are in force while they are.

    Attributes:
        job: what to train.
        results: where its network and record go.
        materials: images and labels.
        listener: told of the job.
        listeners: told of the training.
        overwrite: True if a checkpoint is not to be taken up again.
    """

    job: TrainingJob
    results: Results
    materials: Materials
    listener: JobListener
    listeners: Sequence[Listener] = ()
    overwrite: bool = False

    def carry_out(self) -> None:
        """Train from where the checkpoint ends, and record what came of it."""
        with numerics_in_force(self.job.run.numerics):
            trainer = self.begin()
            while not trainer.done:
                trainer.step()
            self.end(trainer)

    def begin(self) -> Trainer:
        """The trainer, put where an interrupted one ended."""
        run = self.job.run
        folder = self.results.work(run)
        if self.overwrite:
            shutil.rmtree(folder, ignore_errors=True)
        self.listener.begin(str(run), self.job.size)
        dataset = self.materials.dataset(run)
        files = Files(folder, {share: self.results.snapshot_file(run, share) for share in self.job.snapshots})
        trainer = Trainer(
            run,
            self.materials.network(run),
            self.materials.labels(run),
            self.materials.images(run),
            validation_share=dataset.validation_share,
            flip=dataset.flip,
            listeners=(files, _Progress(self.listener), *self.listeners),
        )
        files.resume(trainer)
        return trainer

    def end(self, trainer: Trainer) -> None:
        """Put what a trainer came to on disk; the record's presence means complete."""
        trained = trainer.finish()
        run = self.job.run
        self.results.save_training(run, {**self._facts(trained), **when(trainer.begun)})
        (self.results.work(run) / "checkpoint.safetensors").unlink(missing_ok=True)
        outcome = "trained"
        if trained.best_epoch:
            best = trained.history[trained.best_epoch - 1]
            outcome += f", best validation {best.validation_accuracy:.1%} at epoch {best.epoch}"
        self.listener.end("diverged: the loss stopped being finite" if trained.diverged else outcome)

    def _facts(self, trained: Trained) -> dict[str, Any]:
        run, network = trained.run, trained.network
        labels = self.materials.labels(run)
        return {
            "status": "diverged" if trained.diverged else "done",
            "best_epoch": trained.best_epoch,
            "epochs_done": len(trained.history),
            "images": image_facts(self.materials.images(run)),
            "label": {**label_facts(labels), "provenance": dict(labels.provenance)},
            "backbone": {
                "description": getattr(network.backbone, "description", ""),
                "num_features": network.backbone.num_features,
                "parameters": sum(parameter.numel() for parameter in network.parameters()),
            },
            "plugins": origins(run),
            "environment": environment_facts(run.numerics),
            **({"computed": dict(trained.computed)} if trained.computed else {}),
            "history": {name: [getattr(line, name) for line in trained.history] for name in Epoch.__dataclass_fields__},
        }


class _Progress(Listener):
    """Tells the reader of a training's steps."""

    def __init__(self, listener: JobListener) -> None:
        self._listener = listener
        self._so_far = ""
        self._told = 0.0

    def on_step(self, course: Course) -> None:
        if time.monotonic() - self._told >= _PACE:
            self._tell(course)

    def on_epoch(self, course: Course, epoch: Epoch) -> None:
        self._so_far = (
            f"epoch {epoch.epoch} done, loss {epoch.train_loss:.4g}, validation {epoch.validation_accuracy:.1%}, "
        )
        self._tell(course, always=epoch.epoch % 5 == 0)

    def on_note(self, course: Course, text: str) -> None:
        self._listener.update(text, course.steps_done / course.steps, always=True)

    def _tell(self, course: Course, *, always: bool = False) -> None:
        self._told = time.monotonic()
        doing = f"{self._so_far}{course.images_per_second:,.0f} images/s"
        self._listener.update(doing, course.steps_done / course.steps, always=always)
