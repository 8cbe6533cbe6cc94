"""Train one network: batches from memory, the recipe's schedule, the best checkpoint, resume after any epoch."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from labelbench.datasets import Images
from labelbench.errors import ConflictError
from labelbench.files import disk_errors, write_atomic
from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench.runs import RunSpec, derived_seed
from labelbench.training.batches import Batches, to_pixels
from labelbench.training.optimizers import Optimizers
from labelbench.training.step import TrainingStep, in_precision

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Epoch:
    """One line of the learning curve.

    Attributes:
        epoch: epochs done, from 1; each may be several passes over few images (``Recipe.minimum_steps``).
        learning_rate: of the last step.
        train_loss, validation_loss: mean training loss over augmented training, and over validation images.
        validation_accuracy: share of validation images whose nearest label is the true one, 0 to 1.
        seconds: wall time of the epoch.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training.

    Attributes:
        run: what was trained.
        network: in eval mode on the run's device, with the weights of the best epoch.
        history: the learning curve.
        best_epoch: the epoch with the best validation accuracy (ties: lower loss), 0 if there is none.
        diverged: True if the loss stopped being finite; training ended there.
    """

    run: RunSpec
    network: Network
    history: tuple[Epoch, ...]
    best_epoch: int
    diverged: bool


Report = Callable[[int, int, float, "Epoch | None"], None]
"""Called with steps done, steps in all, images per second, and the epoch if one was just finished."""


def no_report(done: int, total: int, rate: float, epoch: Epoch | None) -> None:
    """A report that nobody reads."""


def initial_network(run: RunSpec, backbone: Callable[[], nn.Module], labels: LabelSet, images: Images) -> Network:
    """The untrained network of a run: the same weights for equal specs, and the same backbone for all labels.

    Args:
        run: its seed decides the weights.
        backbone: builds a fresh backbone from torch's global random state.
        labels: give the shape of the head.
        images: give the normalisation.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(run.seed, "initialisation"))
        return Network(backbone(), labels.shape, images.mean, images.std)


def split_indices(run: RunSpec, count: int, validation_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and validation images (paper, section 4.1).

    The seed orders all images; the first are for validation, the next ``train_fraction * count`` (or what is left)
    for training: shares of one seed are nested, and all have the same validation images.

    Args:
        run: gives seed and training share.
        count: images in the training part of the data set.
        validation_share: share of them set aside, 0 to 1.

    Returns:
        Two int64 arrays without common elements.
    """
    seed = derived_seed(run.seed, "split")
    order = np.random.RandomState([seed >> 32, seed & 0xFFFFFFFF]).permutation(count)
    validation = max(1, round(validation_share * count))
    train = max(2, round(run.train_fraction * count))
    return order[validation : validation + train], order[:validation]


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
    report: Report = no_report,
) -> Trained:
    """Train one network, or go on where its checkpoint ends.

    After every epoch a checkpoint holds everything that decides the rest, so an interrupted training ends with the
    same bits as one that was not. The finished network is ``network.safetensors`` in ``folder``.

    Args:
        run: what to train.
        network: untrained, as :func:`initial_network` makes it.
        labels: targets and loss.
        images: the data set's images.
        validation_share: share of the training images set aside to choose the epoch.
        flip: whether the data set allows mirrored images.
        folder: where checkpoint, snapshots and network are written.
        snapshots: files that keep the weights as they are after these shares of training, to the nearest epoch.
        report: told of every step.

    Raises:
        ConflictError: the checkpoint was made with other labels or images.
        MachineError: the disk refuses.
    """
    device = torch.device(run.numerics.device)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    train_indices, validation_indices = split_indices(run, len(images.train), validation_share)
    batches = Batches(images.train, train_indices, run, flip, device)
    validation = images.train.images[validation_indices], images.train.classes[validation_indices]
    recipe = run.recipe
    # With few epochs several shares fall on the same one.
    moments: dict[int, list[Path]] = defaultdict(list)
    for share, file in snapshots.items():
        moments[max(1, round(share * recipe.epochs))].append(file)

    optimizers = Optimizers(network, recipe.optimizer)
    take_step = TrainingStep(network, labels, optimizers, run.numerics, recipe.batch_size)
    identity = {"run": run.id, "label": labels.identity, "images": images.fingerprint}
    state = _State(network, optimizers, take_step.scaler, identity)
    checkpoint = folder / "checkpoint.safetensors"
    # A snapshot that was not asked for before the interruption can only be had from the start.
    state.resume(
        checkpoint,
        if_fine=lambda done: all(file.exists() for epoch in range(1, done + 1) for file in moments[epoch]),
    )

    total_steps = recipe.epochs * batches.steps
    diverged = False
    for epoch in range(len(state.history), recipe.epochs):
        started = time.perf_counter()
        network.train()
        loss_sum = torch.zeros((), device=device)
        rate = 0.0
        seen = 0
        with _own_random_numbers(run, epoch, device):
            for step, (pixels, classes) in enumerate(batches.epoch(epoch)):
                rate = recipe.rate_at(epoch, step, batches.steps)
                optimizers.set_rate(rate)
                loss_sum += take_step(pixels, classes) * len(classes)
                seen += len(classes)
                report(epoch * batches.steps + step + 1, total_steps, seen / (time.perf_counter() - started), None)
        train_loss = float(loss_sum) / seen
        validation_loss, accuracy = validate(network, labels, *validation, run.numerics.precision)
        if not np.isfinite(train_loss) or not np.isfinite(validation_loss):
            diverged = True
            break
        line = Epoch(epoch + 1, rate, train_loss, validation_loss, accuracy, time.perf_counter() - started)
        state.add(line)
        for file in moments[epoch + 1]:
            write_atomic(file, _packed(network.state_dict(), {**state.identity, **state.curve}))
        if epoch + 1 < recipe.epochs:
            state.write(checkpoint)
        report((epoch + 1) * batches.steps, total_steps, seen / line.seconds, line)

    if state.best:
        network.load_state_dict(state.best)
    metadata = {**state.identity, **state.curve, "diverged": diverged}
    write_atomic(folder / "network.safetensors", _packed(network.state_dict(), metadata))
    return Trained(run, network.eval(), tuple(state.history), state.best_epoch, diverged)


def load_trained(run: RunSpec, network: Network, labels: LabelSet, images: Images, file: Path) -> Trained:
    """Read a finished network or a snapshot back.

    Args:
        run: what it is the training of.
        network: of the same shape, untrained.
        labels, images: what it must have been trained with.
        file: ``network.safetensors`` or a snapshot.

    Raises:
        ConflictError: it was trained with other labels or images.
    """
    identity = {"run": run.id, "label": labels.identity, "images": images.fingerprint}
    tensors, metadata = _unpacked(file, identity)
    network.load_state_dict(tensors)
    device = torch.device(run.numerics.device)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    history = tuple(Epoch(**line) for line in metadata.get("history", ()))
    return Trained(run, network.eval(), history, metadata.get("best_epoch", 0), metadata.get("diverged", False))


def outputs_of(
    network: Network, pixels: np.ndarray, batch: int = EVALUATION_BATCH, precision: str = "float32"
) -> Iterator[Tensor]:
    """Outputs of a network in eval mode, batch by batch.

    Args:
        network: on any device.
        pixels: ``(n, height, width, 3)`` uint8.
        batch: images at once.
        precision: of matrix products and convolutions.

    Yields:
        ``(at most batch, *label shape)`` float32 on the network's device.
    """
    network.eval()
    device = network.mean.device
    for start in range(0, len(pixels), batch):
        images = torch.from_numpy(np.array(pixels[start : start + batch])).to(device)
        # Entered and left between two yields: a mode that outlives a yield leaks into the caller.
        with torch.no_grad(), in_precision(device, precision):
            outputs = network(to_pixels(images)).float()
        yield outputs


def validate(
    network: Network, labels: LabelSet, pixels: np.ndarray, classes: np.ndarray, precision: str = "float32"
) -> tuple[float, float]:
    """Mean loss and share of images whose nearest label is the true one.

    Args:
        network: on any device; left in eval mode.
        labels: targets and loss.
        pixels: ``(n, height, width, 3)`` uint8.
        classes: ``(n,)`` true classes.
        precision: of matrix products and convolutions.
    """
    true = torch.from_numpy(np.array(classes)).to(network.mean.device)
    loss = torch.zeros((), device=true.device)
    hits = torch.zeros((), dtype=torch.int64, device=true.device)
    done = 0
    for outputs in outputs_of(network, pixels, precision=precision):
        expected = true[done : done + len(outputs)]
        loss += labels.loss_of(outputs, expected).sum()
        hits += (labels.nearest(outputs) == expected).sum()
        done += len(outputs)
    return float(loss) / done, int(hits) / done


@contextmanager
def _own_random_numbers(run: RunSpec, epoch: int, device: torch.device) -> Iterator[None]:
    """Layers that draw random numbers, such as dropout, draw the run's own in each epoch, whatever was drawn before."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derived_seed(run.seed, "layers", epoch))
        yield


class _State:
    """Everything that decides the rest of a training."""

    def __init__(
        self, network: Network, optimizers: Optimizers, scaler: torch.amp.GradScaler, identity: dict[str, str]
    ) -> None:
        self.network = network
        self.optimizers = optimizers
        self.scaler = scaler
        self.identity = identity
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0

    @property
    def curve(self) -> dict[str, Any]:
        """What the files of a training say of its course so far."""
        return {"history": [asdict(line) for line in self.history], "best_epoch": self.best_epoch}

    def add(self, line: Epoch) -> None:
        self.history.append(line)
        best = self.history[self.best_epoch - 1] if self.best_epoch else None
        better = best is None or (line.validation_accuracy, -line.validation_loss) > (
            best.validation_accuracy,
            -best.validation_loss,
        )
        if better:
            self.best = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
            self.best_epoch = line.epoch

    def write(self, file: Path) -> None:
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in self.optimizers.state.items()}
        write_atomic(file, _packed(tensors, {**self.identity, **self.curve, "scaler": self.scaler.state_dict()}))

    def resume(self, file: Path, if_fine: Callable[[int], bool]) -> None:
        """Go on from a checkpoint, if there is one and ``if_fine`` agrees to the epochs that it has done."""
        if not file.exists():
            return
        tensors, metadata = _unpacked(file, self.identity)
        if not if_fine(len(metadata["history"])):
            return

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        device = self.network.mean.device
        self.best = {name: tensor.to(device) for name, tensor in part("best.").items()}
        self.optimizers.resume(part("optimizer."))
        self.scaler.load_state_dict(metadata["scaler"])
        self.history = [Epoch(**line) for line in metadata["history"]]
        self.best_epoch = metadata["best_epoch"]


def _packed(tensors: dict[str, Tensor], metadata: dict[str, Any]) -> bytes:
    # Copies, since tied weights share memory and the format stores each tensor by itself.
    stored = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    return save(stored, {key: json.dumps(value) for key, value in metadata.items()})


def _unpacked(file: Path, identity: dict[str, str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a file, refused if it belongs to another run, label set or set of images."""
    try:
        with disk_errors("cannot read", file), safe_open(file, framework="pt") as stored:
            metadata = {key: json.loads(value) for key, value in (stored.metadata() or {}).items()}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  (no mapping)
    except (SafetensorError, ValueError) as error:
        raise ConflictError(f"{file} is damaged ({error}); remove it and run again") from error
    for key, expected in identity.items():
        if metadata.get(key) != expected:
            raise ConflictError(
                f"{file} was made with another {key} ({str(metadata.get(key))[:12]}, now {expected[:12]}); "
                f"use another --results folder, or --overwrite always to replace it"
            )
    return tensors, metadata
