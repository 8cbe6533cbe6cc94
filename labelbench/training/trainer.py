"""Train one network, step by step: the recipe's schedule, the best epoch, and everything that decides the rest."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from labelbench.datasets import Images
from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench.runs import RunSpec, derived_seed
from labelbench.training.batches import Batches
from labelbench.training.checkpoint import Files, identity_of
from labelbench.training.inference import validate
from labelbench.training.listeners import Listener
from labelbench.training.optimizers import Optimizers
from labelbench.training.result import Epoch, Trained
from labelbench.training.start import GLOBAL_RANDOM_NUMBERS, split_indices
from labelbench.training.step import TrainingStep


class Trainer:
    """One training, a step at a time; several can be interleaved, and each has the bits that it has alone.

    Args:
        run: what to train.
        network: untrained, as :func:`labelbench.training.start.initial_network` makes it.
        labels: targets and loss.
        images: the data set's images.
        validation_share: share of the training images set aside to choose the epoch.
        flip: whether the data set allows mirrored images.
        listeners: told of its course.

    Attributes:
        run: what is trained.
        network: being trained.
        identity: what a state must agree with to be taken up: run, label and images.
        steps: steps in all.
        steps_done: steps taken.
        history: the learning curve so far.
        best_epoch: the best of it, 0 if there is none.
        diverged: whether the loss stopped being finite.
        images_per_second: of the epoch under way, or of the one just done.
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
    ) -> None:
        self.run = run
        self.device = device = torch.device(run.numerics.device)
        self.network: Network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.labels = labels
        self.identity = identity_of(run, labels, images)
        self._listeners = tuple(listeners)
        training, validation = split_indices(run, len(images.train), validation_share)
        self._batches = Batches(images.train, training, run, flip, device)
        self._validation = images.train.images[validation], images.train.classes[validation]
        self._optimizers = Optimizers(self.network, run.recipe.optimizer, self._batches.rate)
        self._take_step = TrainingStep(self.network, labels, self._optimizers, run.numerics, run.recipe.batch_size)
        self.steps = run.recipe.epochs * self._batches.steps
        self.steps_done = 0
        self.begun = time.perf_counter()
        self.history: list[Epoch] = []
        self.best_epoch = 0
        self.diverged = False
        self.images_per_second = 0.0
        self._best: dict[str, Tensor] = {}
        self._loss = torch.zeros((), device=device)
        self._random = _RandomNumbers(device)
        # Of the epoch under way, by this process.
        self._started, self._seen = 0.0, 0
        self._told = False

    @property
    def done(self) -> bool:
        """Whether no step is left to take."""
        return self.diverged or self.steps_done == self.steps

    def step(self) -> None:
        """Take the next step; the last of an epoch is followed by validation. Nothing happens if all are taken."""
        if self.done:
            return
        if not self._told:
            self._begin()
        step = self.steps_done % self._batches.steps
        if step == 0:
            self._begin_epoch()
        if step % self._batches.steps_per_pass == 0:
            self._batches.begin(self.steps_done // self._batches.steps_per_pass)
        count = self._batches.size_of(step)
        with self._random.own():
            self._compute(count)
        self.steps_done += 1
        self._seen += count
        self.images_per_second = self._seen / (time.perf_counter() - self._started)
        for listener in self._listeners:
            listener.on_step(self)
        if self.steps_done % self._batches.steps == 0:
            self._end_epoch()

    def finish(self) -> Trained:
        """What came of it, once it is done: the network with the weights of the best epoch."""
        if self._best:
            self.network.load_state_dict(self._best)
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
        return {
            "network": self.network.state_dict(),
            "best": dict(self._best),
            "optimizer": self._optimizers.state,
            "random": self._random.states,
            "scaler": self._take_step.scaler.state_dict(),
            "steps_done": self.steps_done,
            "loss": float(self._loss) if self.steps_done % self._batches.steps else 0.0,
            "history": [asdict(line) for line in self.history],
            "best_epoch": self.best_epoch,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` was, of a trainer of the same run, labels and images."""
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

    def _compute(self, count: int) -> None:
        """A step as data: everything that it reads lies on the device and stays where it is."""
        pixels, classes = self._batches.take(count)
        self._loss += self._take_step(pixels, classes) * count

    def _end_epoch(self) -> None:
        epoch = self.steps_done // self._batches.steps
        images = sum(map(self._batches.size_of, range(self._batches.steps)))
        train_loss = float(self._loss) / images
        validation_loss, accuracy = validate(self.network, self.labels, *self._validation, self.run.numerics.precision)
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
        return {}


class _RandomNumbers:
    """What layers that draw random numbers, such as dropout, draw from: the run's own, whatever else is drawn.

    Attributes:
        states: of torch's generators by the kind of their device.
    """

    def __init__(self, device: torch.device) -> None:
        self._devices = [device] if device.type == "cuda" else []
        self.states: dict[str, Tensor] = {}

    def seed(self, seed: int) -> None:
        """Begin anew."""
        devices = [torch.device("cpu"), *self._devices]
        self.states = {one.type: torch.Generator(one).manual_seed(seed).get_state() for one in devices}

    @contextmanager
    def own(self) -> Iterator[None]:
        """The block draws from where the last one ended; the process's generators are as before after it."""
        with GLOBAL_RANDOM_NUMBERS, torch.random.fork_rng(devices=self._devices):
            torch.set_rng_state(self.states["cpu"])
            for device in self._devices:
                torch.cuda.set_rng_state(self.states["cuda"], device)
            yield
            self.states["cpu"] = torch.get_rng_state()
            for device in self._devices:
                self.states["cuda"] = torch.cuda.get_rng_state(device)


def begin_training(
    run: RunSpec,
    network: Network,
    labels: LabelSet,
    images: Images,
    *,
    validation_share: float,
    flip: bool,
    folder: Path,
    snapshots: Mapping[float, Path] = MappingProxyType({}),
    listeners: Iterable[Listener] = (),
) -> Trainer:
    """A trainer that keeps its files, put where its checkpoint ends; arguments and errors are :func:`train`'s."""
    files = Files(folder, snapshots)
    trainer = Trainer(
        run,
        network,
        labels,
        images,
        validation_share=validation_share,
        flip=flip,
        listeners=(files, *listeners),
    )
    files.resume(trainer)
    return trainer


def train(
    run: RunSpec,
    network: Network,
    labels: LabelSet,
    images: Images,
    *,
    validation_share: float,
    flip: bool,
    folder: Path,
    snapshots: Mapping[float, Path] = MappingProxyType({}),
    listeners: Iterable[Listener] = (),
) -> Trained:
    """Train one network, or go on where its checkpoint ends.

    After every epoch a checkpoint holds everything that decides the rest, so an interrupted training ends with the
    same bits as one that was not. The finished network is ``network.safetensors`` in ``folder``.

    Args:
        run: what to train.
        network: untrained, as :func:`labelbench.training.start.initial_network` makes it.
        labels: targets and loss.
        images: the data set's images.
        validation_share: share of the training images set aside to choose the epoch.
        flip: whether the data set allows mirrored images.
        folder: where checkpoint, snapshots and network are written.
        snapshots: files that keep the weights as they are after these shares of training, to the nearest epoch.
        listeners: told of its course.

    Raises:
        ConflictError: the checkpoint was made with other labels or images.
        MachineError: the disk refuses.
    """
    trainer = begin_training(
        run,
        network,
        labels,
        images,
        validation_share=validation_share,
        flip=flip,
        folder=folder,
        snapshots=snapshots,
        listeners=listeners,
    )
    while not trainer.done:
        trainer.step()
    return trainer.finish()
