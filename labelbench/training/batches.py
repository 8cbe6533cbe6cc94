"""Batches of training images, from memory: where a step finds everything that it reads, as tensors that stay there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from labelbench.datasets import Split
from labelbench.networks import Network
from labelbench.runs import RunSpec, derived_seed


def _padded(split: Split, chosen: np.ndarray | slice, padding: int) -> tuple[Tensor, Tensor]:
    """Images with a black border, and their classes."""
    pad = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    return torch.from_numpy(np.pad(split.images[chosen], pad)), torch.from_numpy(np.array(split.classes[chosen]))


# On GPUs all images of a split lie once for all trainings, by padding and device.
_SHARED: WeakKeyDictionary[Split, dict[tuple[int, torch.device], tuple[Tensor, Tensor]]] = WeakKeyDictionary()


def _shared(split: Split, padding: int, device: torch.device) -> tuple[Tensor, Tensor]:
    kept = _SHARED.setdefault(split, {})
    if (padding, device) not in kept:
        images, classes = _padded(split, slice(None), padding)
        kept[padding, device] = images.to(device), classes.to(device)
    return kept[padding, device]


class Batches:
    """Training images on the device as uint8, cropped and mirrored a batch at a time.

    What a step reads is written once for each pass, to the same memory: the order of the images, the corners of their
    crops, which are mirrored, and the learning rates. A counter on the device says which step of the pass comes next,
    so that the same commands, given again, make the next batch.

    Args:
        split: training images of the data set.
        indices: of those to train on.
        run: seed, batch size, padding and mirroring.
        flip: whether the data set allows mirrored images.
        device: where batches are made.

    Attributes:
        steps: batches of an epoch.
        rate: learning rate of the next step: a scalar, float32 on CUDA and else float64 on the CPU.
    """

    def __init__(self, split: Split, indices: np.ndarray, run: RunSpec, flip: bool, device: torch.device) -> None:
        self.run = run
        self.flip = flip and run.recipe.flip
        self.padding = run.recipe.crop_padding
        ordered = np.sort(indices)  # a memory map is read fastest in its own order
        self._numbers: Tensor | None = None
        if device.type == "cuda":
            self.images, self.classes = _shared(split, self.padding, device)
            self._numbers = torch.from_numpy(ordered).to(device)
        else:
            self.images, self.classes = _padded(split, ordered, self.padding)
            self.images, self.classes = self.images.to(device), self.classes.to(device)
        self.passes = run.recipe.passes_per_epoch(len(ordered))
        self.steps_per_pass = run.recipe.steps_per_pass(len(ordered))
        self.steps = self.passes * self.steps_per_pass
        self._count = count = len(ordered)
        self._order = torch.zeros(count, dtype=torch.int64, device=device)
        self._corners = torch.zeros(count, 2, dtype=torch.int64, device=device)
        self._mirrored = torch.zeros(count, dtype=torch.bool, device=device)
        self._step = torch.zeros(1, dtype=torch.int64, device=device)
        self._places = torch.arange(run.recipe.batch_size, device=device)
        self._rows, self._columns = (torch.arange(size, device=device) for size in split.images.shape[1:3])
        # The fused update of CUDA reads its rate where the weights are; elsewhere a number of the host costs nothing.
        rates: dict[str, Any] = {"dtype": torch.float64}
        if device.type == "cuda":
            rates = {"dtype": torch.float32, "device": device}
        self._rates = torch.zeros(self.steps_per_pass, **rates)
        self.rate = torch.zeros((), **rates)
        self._rate_step = self._step if self.rate.device == device else torch.zeros(1, dtype=torch.int64)

    def begin(self, number: int, step: int = 0) -> None:
        """Write what the steps of a pass read; all randomness comes from the run's seed and the pass.

        Args:
            number: passes before, from 0.
            step: steps of this pass that are done already.
        """
        generator = torch.Generator().manual_seed(derived_seed(self.run.seed, "order", number))
        count = self._count
        order = torch.randperm(count, generator=generator)
        corners = torch.randint(0, 2 * self.padding + 1, (count, 2), generator=generator)
        mirrored = torch.rand(count, generator=generator) < (0.5 if self.flip else 0.0)
        epoch, before = divmod(number, self.passes)
        rates = [
            self.run.recipe.rate_at(epoch, before * self.steps_per_pass + done, self.steps)
            for done in range(self.steps_per_pass)
        ]
        written = (self._order, order), (self._corners, corners), (self._mirrored, mirrored)
        for kept, new in (*written, (self._rates, torch.tensor(rates, dtype=self._rates.dtype))):
            # From pinned memory the copy is made when its turn comes, and nobody waits.
            kept.copy_(new.pin_memory() if kept.is_cuda else new, non_blocking=True)
        for counter in {self._step, self._rate_step}:
            counter.fill_(step)

    def size_of(self, step: int) -> int:
        """Images of a step of a pass, counted from 0."""
        return self.run.recipe.images_of_step(step, self._count)

    def take(self, count: int) -> tuple[Tensor, Tensor]:
        """The next batch, and its learning rate in :attr:`rate`.

        Args:
            count: its size, as :meth:`size_of` says.

        Returns:
            Pixels ``(count, 3, height, width)`` float32 in [0, 1], and ``(count,)`` int64 classes.
        """
        self.rate.copy_(self._rates.index_select(0, self._rate_step)[0])
        chosen = self._order.index_select(0, self._step * self.run.recipe.batch_size + self._places[:count])
        rows = self._corners[chosen, 0, None] + self._rows
        columns = self._corners[chosen, 1, None] + torch.where(
            self._mirrored[chosen, None], self._columns.flip(0), self._columns
        )
        if self._numbers is not None:
            chosen = self._numbers[chosen]
        images = self.images[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
        for counter in {self._step, self._rate_step}:
            counter += 1
        return Network.pixels(images), self.classes[chosen]

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels in [0, 1] and classes of every step of an epoch."""
        for number in range(epoch * self.passes, (epoch + 1) * self.passes):
            self.begin(number)
            for step in range(self.steps_per_pass):
                yield self.take(self.size_of(step))
