"""Train one network, step by step: the recipe's schedule, the best epoch, and everything that decides the rest."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelbench.datasets import Images
from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench.runs import RunSpec, derived_seed
from labelbench.training.batches import Batches
from labelbench.training.checkpoint import identity_of
from labelbench.training.device import Captured, Reading, Stream
from labelbench.training.inference import validate
from labelbench.training.listeners import Course, Listener
from labelbench.training.optimizers import Optimizers
from labelbench.training.randomness import RandomNumbers
from labelbench.training.result import Epoch, Trained
from labelbench.training.start import split_indices
from labelbench.training.step import TrainingStep


class Trainer(Course):
    """One training, a step at a time; several can be interleaved, and each has the bits that it has alone.

    Args:
        run: what to train.
        network: untrained, as :func:`labelbench.training.start.initial_network` makes it.
        labels: targets and loss.
        images: the data set's images.
        validation_share: share of the training images set aside to choose the epoch.
        flip: whether the data set allows mirrored images.
        listeners: told of its course.
        captured: whether full steps may be captured on a GPU.

    Attributes:
        network: being trained.
        diverged: whether the loss stopped being finite.
        begun: when it was made or taken up, by :func:`time.perf_counter`.
    """

    def __init__(
        self,
        run: RunSpec,
        network: Network,
        labels: LabelSet,
        images: Images,
        *,
        validation_share: float,
        flip: bool,
        listeners: Iterable[Listener] = (),
        captured: bool = True,
    ) -> None:
        self.run = run
        self.labels = labels
        self.identity = identity_of(run, labels, images)
        self._listeners = tuple(listeners)
        training, validation = split_indices(run, len(images.train), validation_share)
        self._stream = Stream(run.numerics.device)
        self._stream.follow()
        with self._stream.entered():
            kind = torch.device(run.numerics.device)
            self.network: Network = network.to(kind, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.device = device = self.network.mean.device
            self._batches = Batches(images.train, training, run, flip, device)
            self._validation = self._where_it_is_read(images, validation)
            self._optimizers = Optimizers(self.network, run.recipe.optimizer, self._batches.rate)
            self._loss = torch.zeros((), device=device)
        full = run.recipe.batch_size
        self._take_step = TrainingStep(self.network, labels, self._optimizers, run.numerics, full)
        why_not = "" if captured else "it was not to be"
        why_not = "float16 gradients are scaled" if run.numerics.precision == "float16" else why_not
        self._full_step = Captured(partial(self._compute, full), why_not)
        self.steps = run.recipe.epochs * self._batches.steps
        self.steps_done = 0
        self.begun = time.perf_counter()
        self.history = []
        self.best_epoch = 0
        self.diverged = False
        self.images_per_second = 0.0
        self._best: dict[str, Tensor] = {}
        self._random = RandomNumbers(device)
        # What the end of an epoch waits for: training loss, validation loss, and hits.
        self._pending: Reading | None = None
        # Of the epoch under way, by this process.
        self._started, self._seen = 0.0, 0
        self._told = False
        self._notes: list[str] = []

    @property
    def done(self) -> bool:
        """Whether no step is left to take, and the last epoch is validated."""
        return self.diverged or (self.steps_done == self.steps and self._pending is None)

    @property
    def is_ready(self) -> bool:
        """Whether the next step can be given to a GPU without waiting for it; always, elsewhere."""
        return self._stream.has_room if self._pending is None else self._pending.is_there

    def step(self) -> None:
        """Take the next step; the last of an epoch is followed by validation. Nothing happens if all are taken.

        On a GPU the step is begun and not waited for, and what came of a validation is looked at in the next call.
        """
        with self._stream.entered():
            self._settle()
            if not self.done:
                self._next()
                if not self._stream.is_apart:
                    self._settle()

    def _next(self) -> None:
        if not self._told:
            self._begin()
        step = self.steps_done % self._batches.steps
        if step == 0:
            self._begin_epoch()
        if step % self._batches.steps_per_pass == 0:
            self._batches.begin(self.steps_done // self._batches.steps_per_pass)
        count = self._batches.size_of(step)
        self._take(count)
        self._stream.mark()
        self.steps_done += 1
        self._seen += count
        self.images_per_second = self._seen / (time.perf_counter() - self._started)
        self._note()
        for listener in self._listeners:
            listener.on_step(self)
        if self.steps_done % self._batches.steps == 0:
            self._validate()

    def finish(self) -> Trained:
        """What came of it, once it is done: the network with the weights of the best epoch."""
        with self._stream.entered():
            if self._best:
                self.network.load_state_dict(self._best)
        self._stream.wait()
        self._full_step.forget()
        history = tuple(self.history)
        trained = Trained(self.run, self.network.eval(), history, self.best_epoch, self.diverged, self._computed)
        for listener in self._listeners:
            listener.on_end(self, trained)
        return trained

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the rest, after any step.

        Returns:
            ``network``, ``best`` (weights of the best epoch so far), ``optimizer`` and ``random`` (of generators) hold
            tensors by name, the trainer's own and not copies; the other keys are JSON values.
        """
        with self._stream.entered():
            self._settle()
            loss = float(self._loss) if self.steps_done % self._batches.steps else 0.0
        self._stream.lead()
        return {
            "network": self.network.state_dict(),
            "best": dict(self._best),
            "optimizer": self._optimizers.state,
            "random": self._random.states,
            "scaler": self._take_step.scaler.state_dict(),
            "steps_done": self.steps_done,
            "loss": loss,
            "history": [asdict(line) for line in self.history],
            "best_epoch": self.best_epoch,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` was, of a trainer of the same run, labels and images."""
        self._stream.follow()
        with self._stream.entered():
            self._load(state)
        self._stream.wait()
        self._full_step.forget()

    def _load(self, state: Mapping[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self._best = {name: tensor.to(self.device, copy=True) for name, tensor in state["best"].items()}
        self._optimizers.resume(state["optimizer"])
        self._random.states = state["random"]
        self._take_step.scaler.load_state_dict(state["scaler"])
        self.steps_done = state["steps_done"]
        self._loss.fill_(state["loss"])
        self.history = [Epoch(**line) for line in state["history"]]
        self.best_epoch = state["best_epoch"]
        step = self.steps_done % self._batches.steps_per_pass
        if step:
            self._batches.begin(self.steps_done // self._batches.steps_per_pass, step)
        self._started, self._seen = time.perf_counter(), 0

    def _begin(self) -> None:
        self._told = True
        self.network.train()
        for listener in self._listeners:
            listener.on_start(self)

    def _begin_epoch(self) -> None:
        self._started, self._seen = time.perf_counter(), 0
        self._loss.zero_()
        self.network.train()
        self._random.seed(derived_seed(self.run.seed, "layers", self.steps_done // self._batches.steps))

    def _take(self, count: int) -> None:
        """Take a step of so many images: as it is, or as a captured one."""
        full = count == self.run.recipe.batch_size and self._stream.is_apart
        step = self._full_step if full else partial(self._compute, count)
        # Where steps are captured, nothing random is drawn.
        with nullcontext() if self._full_step.is_captured else self._random.own():
            step()
        if self._stream.is_apart and self._random.drawn:
            self._full_step.why_not = self._full_step.why_not or "its layers draw random numbers"

    def _compute(self, count: int) -> None:
        """A step as data: everything that it reads lies on the device and stays where it is."""
        pixels, classes = self._batches.take(count)
        self._loss += self._take_step(pixels, classes) * count

    def _where_it_is_read(self, images: Images, chosen: np.ndarray) -> tuple[Any, Any]:
        """Images and classes for validation: on a GPU for good, elsewhere as they come."""
        pixels, classes = images.train.images[chosen], images.train.classes[chosen]
        if not self._stream.is_apart:
            return pixels, classes
        return torch.from_numpy(np.array(pixels)).to(self.device), torch.from_numpy(np.array(classes)).to(self.device)

    def _validate(self) -> None:
        """Look at the validation images; what comes of it is read in :meth:`_settle`."""
        found = validate(self.network, self.labels, *self._validation, self.run.numerics.precision)
        self._pending = Reading(self._loss, *found)

    def _settle(self) -> None:
        """End an epoch that is validated; waits for that."""
        if self._pending is None:
            return
        loss_sum, validation_loss, hits = self._pending.numbers()
        self._pending = None
        epoch, validated = self.steps_done // self._batches.steps, len(self._validation[1])
        images = sum(map(self._batches.size_of, range(self._batches.steps)))
        train_loss, validation_loss, accuracy = loss_sum / images, validation_loss / validated, hits / validated
        if not math.isfinite(train_loss) or not math.isfinite(validation_loss):
            self.diverged = True
            return
        rate = self.run.recipe.rate_at(epoch - 1, self._batches.steps - 1, self._batches.steps)
        seconds = time.perf_counter() - self._started
        line = Epoch(epoch, rate, train_loss, validation_loss, accuracy, seconds)
        self.images_per_second = self._seen / seconds
        self.history.append(line)
        if not self.best_epoch or line.is_better_than(self.history[self.best_epoch - 1]):
            self._best = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
            self.best_epoch = line.epoch
        for listener in self._listeners:
            listener.on_epoch(self, line)

    @property
    def _computed(self) -> dict[str, Any]:
        """How full steps were computed, where the run does not settle it."""
        facts: dict[str, Any] = {}
        if self.run.numerics.compiled:
            facts["compiled"] = self._take_step.compiled
            facts |= {"not compiled since": why} if (why := self._take_step.why_not) else {}
        if self._stream.is_apart:
            facts["captured"] = not self._full_step.why_not
            facts |= {"not captured since": why} if (why := self._full_step.why_not) else {}
        return facts

    def _note(self) -> None:
        """Say once what is not computed as it was meant to be."""
        captured = self._full_step.why_not if self._stream.is_apart else ""
        for what, why in (("compiled", self._take_step.why_not), ("captured", captured)):
            text = f"not {what}, since {why}"
            if why and text not in self._notes:
                self._notes.append(text)
                for listener in self._listeners:
                    listener.on_note(self, text)
