"""One step of training, as a run's numerics say: precision, compilation, gradient, update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench.runs import Numerics

# Compiled versions of one function: backbones, shapes of labels and sizes of images that one process trains.
_COMPILED_VERSIONS = 256


def in_precision(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Matrix products and convolutions of the block in ``precision``; nothing else changes."""
    return torch.autocast(device.type, getattr(torch, precision), enabled=precision != "float32")


class TrainingStep:
    """Forward pass, backward pass and update of one batch.

    Compiled networks share their code with all networks of the same backbone and shape of label: the weights and the
    targets are data.

    Args:
        network: in train mode on its device, channels last.
        labels: give the loss, which is computed in float32.
        optimizers: each of some of the network's parameters.
        numerics: precision and compilation.
        full_batch: images of a full batch; only those of this size are compiled, since every other size would be
            compiled anew.
    """

    def __init__(
        self,
        network: Network,
        labels: LabelSet,
        optimizers: Iterable[torch.optim.Optimizer],
        numerics: Numerics,
        full_batch: int,
    ) -> None:
        self.network = network
        self.labels = labels
        self.optimizers = tuple(optimizers)
        self.numerics = numerics
        self.full_batch = full_batch
        self.device = network.mean.device
        # Gradients of float16 vanish unless they are scaled; for the other types the scaler does nothing.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=numerics.precision == "float16")

    def __call__(self, pixels: Tensor, classes: Tensor) -> Tensor:
        """Update the weights.

        Args:
            pixels: ``(batch, 3, height, width)`` float32 in [0, 1].
            classes: ``(batch,)`` int64.

        Returns:
            The mean loss before the update, a float32 scalar on the device; nothing waits for it.
        """
        self.network.zero_grad(set_to_none=True)
        loss = self._loss(pixels, classes)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()
        return loss.detach()

    def _loss(self, pixels: Tensor, classes: Tensor) -> Tensor:
        with in_precision(self.device, self.numerics.precision):
            if self.numerics.compiled and len(pixels) == self.full_batch:
                with _many_versions():
                    outputs = compiled_forward(self.device.type)(self.network, pixels)
            else:
                outputs = self.network(pixels)
        return self.labels.loss_of(outputs, classes).mean()


def _forward(network: Network, pixels: Tensor) -> Tensor:
    outputs: Tensor = network(pixels)
    return outputs


@cache
def compiled_forward(device: str) -> Callable[[Network, Tensor], Tensor]:
    """The forward pass, compiled for each backbone and shape when it is first called, and its backward pass.

    On CUDA whole passes are recorded as CUDA graphs, since launching their kernels takes longer than running them.
    """
    return torch.compile(_forward, dynamic=False, mode="reduce-overhead" if device == "cuda" else "default")


@contextmanager
def _many_versions() -> Iterator[None]:
    """Let one function have as many compiled versions as there are networks; beyond the limit it would run as it is."""
    import torch._dynamo.config as config

    with config.patch(recompile_limit=_COMPILED_VERSIONS):
        yield
