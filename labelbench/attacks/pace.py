"""How an attack goes on a device: in which batches, and how often the host looks at what is broken."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labelbench.attacks.passes import Passes

# Perturbed images in one batch: little enough for the caches of a CPU, and enough to fill another device.
_ROWS_ON_CPU, _ROWS_ELSEWHERE, _ROWS_ON_CUDA = 160, 256, 2048
# What runs beside an attack needs memory as well. The share of all memory decides as a rule, so that batches, and with
# them roundings, are the same whatever else runs.
_SHARE_OF_MEMORY, _SHARE_OF_FREE = 1 / 8, 1 / 2
# Passes hold about as much again as what they save for the gradient.
_BESIDE_SAVED = 2
_LEAST_FILLED = 64


@dataclass(frozen=True)
class Pace:
    """How an attack goes.

    Attributes:
        rows: perturbed images in one batch at most.
        filled: whether batches are filled up to one of few sizes, with rows that do not count.
        look_every: steps between two looks of the host at what is broken; what is, is taken out then.
    """

    rows: int
    filled: bool = False
    look_every: int = 1

    @property
    def looks_always(self) -> bool:
        """Whether no row is ever under attack that is broken already."""
        return self.look_every == 1

    def looks_after(self, step: int) -> bool:
        """Whether the host looks at what broke in the first ``step`` steps."""
        return self.looks_always or step % self.look_every == 1

    def size(self, count: int) -> int:
        """Rows of a batch that holds ``count``: as many, or :attr:`rows` halved as often as still holds them.

        >>> [Pace(2048, filled=True).size(count) for count in (3, 64, 65, 1000, 2048)], Pace(160).size(3)
        ([64, 64, 128, 1024, 2048], 3)
        """
        size = max(self.rows, count)
        while self.filled and size // 2 >= max(count, min(_LEAST_FILLED, self.rows)):
            size //= 2
        return size if self.filled else count

    def chunks(self, pending: np.ndarray) -> Iterator[np.ndarray]:
        """Indices of consecutive images with at most :attr:`rows` marked epsilons among them (or one image with more).

        Chunks are about equal where they are not filled, since a small last one costs more for each of its images.

        Args:
            pending: ``(epsilons, images)`` bool.
        """
        marked = pending.sum(axis=0)
        images = marked.nonzero()[0]
        limit = self.rows
        if not self.filled:
            total = int(marked.sum())
            even = math.ceil(total / max(1, math.ceil(total / self.rows)))
            limit = min(self.rows, even + int(marked.max(initial=1)) - 1)
        start = 0
        while start < len(images):
            taken = max(1, int(np.searchsorted(marked[images[start:]].cumsum(), limit, side="right")))
            yield images[start : start + taken]
            start += taken


def pace_on(passes: Passes, example: Tensor, rows: int | None = None) -> Pace:
    """The pace that suits a device.

    Args:
        passes: of the network whose gradients are followed.
        example: one or two images, or none, as pixels on the network's device.
        rows: perturbed images in one batch at most; None for a number that suits the device.
    """
    device = example.device
    if device.type != "cuda" or not len(example):
        return Pace(rows or (_ROWS_ON_CPU if device.type == "cpu" else _ROWS_ELSEWHERE))
    free, total = torch.cuda.mem_get_info(device)
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    needed = _BESIDE_SAVED * passes.bytes_of_row(passes.network.normalise(example))
    return Pace(rows or rows_that_fit(needed, free + cached, total), filled=True, look_every=3)


def rows_that_fit(needed: int, free: int, total: int) -> int:
    """Rows of ``needed`` bytes each in one batch of a card, a power of two up to 2,048.

    >>> rows_that_fit(2_400_000, 70 << 30, 80 << 30), rows_that_fit(200 << 20, 20 << 30, 80 << 30)
    (2048, 32)
    """
    fitting = min(_SHARE_OF_MEMORY * total, _SHARE_OF_FREE * free) / needed
    return int(min(_ROWS_ON_CUDA, 2 ** int(math.log2(max(1.0, fitting)))))
