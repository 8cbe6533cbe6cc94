"""One step of training, as a run's numerics say: precision, compilation, gradient, update."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import torch
from torch import Tensor

from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench.runs import Numerics
from labelbench.training.optimizers import Optimizers

# Compiled versions of one function: backbones and sizes of images that one process trains.
_COMPILED_VERSIONS = 256


def in_precision(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Matrix products and convolutions of the block in ``precision``; nothing else changes."""
    return torch.autocast(device.type, getattr(torch, precision), enabled=precision != "float32")


class TrainingStep:
    """Forward pass, backward pass and update of one batch.

    Only backbones are compiled. The head is left as it is: chains of transposed convolutions fail on GPUs
    (pytorch/pytorch #171622). So one compilation serves all labels, and all networks of a backbone.

    Args:
        network: in train mode on its device, channels last.
        labels: give the loss, which is computed in float32.
        optimizers: update the network's parameters.
        numerics: precision and compilation.
        full_batch: images of a full batch; only those of this size are compiled, since every other size would be
            compiled anew.

    Attributes:
        compiled: whether full batches are computed by compiled code.
        why_not: why they are not though ``numerics`` asks for it, in a line; empty if they are.
    """

    def __init__(
        self, network: Network, labels: LabelSet, optimizers: Optimizers, numerics: Numerics, full_batch: int
    ) -> None:
        self.network = network
        self.labels = labels
        self.optimizers = optimizers
        self.numerics = numerics
        self.full_batch = full_batch
        self.device = network.mean.device
        self.compiled = numerics.compiled
        self.why_not = ""
        # Gradients of float16 vanish unless they are scaled; for the other types the scaler does nothing.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=numerics.precision == "float16")
        self._proven = False

    def __call__(self, pixels: Tensor, classes: Tensor) -> Tensor:
        """Update the weights.

        Args:
            pixels: ``(batch, 3, height, width)`` float32 in [0, 1].
            classes: ``(batch,)`` int64.

        Returns:
            The mean loss before the update, a float32 scalar on the device; nothing waits for it.
        """
        if self.compiled and not self._proven and len(pixels) == self.full_batch:
            loss = self._first_compiled(pixels, classes)
        else:
            loss = self._gradients(pixels, classes)
        self.optimizers.step(self.scaler)
        return loss

    def _first_compiled(self, pixels: Tensor, classes: Tensor) -> Tensor:
        """Gradients by compiled code, or without it if that fails: the first call compiles both passes."""
        before = [buffer.clone() for buffer in self.network.buffers()]
        try:
            loss = self._gradients(pixels, classes)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # a compiler fails in many ways
            self.compiled = False
            self.why_not = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            for buffer, old in zip(self.network.buffers(), before, strict=True):
                buffer.copy_(old)
            return self._gradients(pixels, classes)
        self._proven = True
        return loss

    def _gradients(self, pixels: Tensor, classes: Tensor) -> Tensor:
        # Not set to zero in place: new gradients of a captured step lie in the memory of its graph.
        self.network.zero_grad(set_to_none=True)
        loss = self._loss(pixels, classes)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _loss(self, pixels: Tensor, classes: Tensor) -> Tensor:
        with in_precision(self.device, self.numerics.precision):
            if self.compiled and len(pixels) == self.full_batch:
                import torch._dynamo.config as config

                # One function has as many versions as there are networks; beyond a limit it would run as it is.
                with config.patch(recompile_limit=_COMPILED_VERSIONS):
                    features = compiled_features()(self.network, pixels)
            else:
                features = self.network.features(pixels)
            outputs = self.network.head(features)
        return self.labels.loss_of(outputs, classes).mean()


def _features(network: Network, pixels: Tensor) -> Tensor:
    return network.features(pixels)


@cache
def compiled_features() -> Callable[[Network, Tensor], Tensor]:
    """Normalisation and backbone, compiled for each backbone when it is first called, and its backward pass."""
    return torch.compile(_features, dynamic=False)
