"""Batches of training images, from memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from labelbench.datasets import Split
from labelbench.runs import RunSpec, derived_seed


def to_pixels(images: Tensor) -> Tensor:
    """``(batch, height, width, 3)`` uint8 to ``(batch, 3, height, width)`` float32 in [0, 1], channels last."""
    return images.permute(0, 3, 1, 2).float().div_(255)


class Batches:
    """Training images on the device as uint8, cropped and mirrored a batch at a time.

    Args:
        split: training images of the data set.
        indices: of those to train on.
        run: seed, batch size, padding and mirroring.
        flip: whether the data set allows mirrored images.
        device: where batches are made.

    Attributes:
        steps: batches of an epoch.
    """

    def __init__(self, split: Split, indices: np.ndarray, run: RunSpec, flip: bool, device: torch.device) -> None:
        self.run = run
        self.flip = flip and run.recipe.flip
        self.padding = run.recipe.crop_padding
        pad = ((0, 0), (self.padding, self.padding), (self.padding, self.padding), (0, 0))
        ordered = np.sort(indices)  # a memory map is read fastest in its own order
        self.images = torch.from_numpy(np.pad(split.images[ordered], pad)).to(device)
        self.classes = torch.from_numpy(np.array(split.classes[ordered])).to(device)
        self.size = split.images.shape[1:3]
        self.passes = run.recipe.passes_per_epoch(len(ordered))
        self.steps_per_pass = run.recipe.steps_per_pass(len(ordered))
        self.steps = self.passes * self.steps_per_pass

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels in [0, 1] and classes of every step; all randomness comes from the run's seed and the pass."""
        for number in range(epoch * self.passes, (epoch + 1) * self.passes):
            yield from self._pass(number)

    def _pass(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        device = self.images.device
        generator = torch.Generator().manual_seed(derived_seed(self.run.seed, "order", number))
        count = len(self.images)
        order = torch.randperm(count, generator=generator)
        corners = torch.randint(0, 2 * self.padding + 1, (count, 2), generator=generator)
        mirrored = torch.rand(count, generator=generator) < (0.5 if self.flip else 0.0)
        order, corners, mirrored = order.to(device), corners.to(device), mirrored.to(device)
        height, width = (torch.arange(size, device=device) for size in self.size)
        for step in range(self.steps_per_pass):
            chosen = order[step * self.run.recipe.batch_size :][: self.run.recipe.batch_size]
            rows = corners[chosen, 0, None] + height
            columns = corners[chosen, 1, None] + torch.where(mirrored[chosen, None], width.flip(0), width)
            images = self.images[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
            yield to_pixels(images), self.classes[chosen]
