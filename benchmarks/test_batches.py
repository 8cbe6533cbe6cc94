"""Batches of cropped and mirrored training images per second, against PIL images in a DataLoader."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from labelbench.datasets import Split
from labelbench.recipes import Recipe
from labelbench.runs import RunSpec
from labelbench.training.batches import Batches

COUNT, WORKERS = 10_000, 2
RUN = RunSpec("made-up", "category", "none", 0, recipe=Recipe())


class Plain(Dataset[tuple[torch.Tensor, int]]):
    """One PIL image after another, as torchvision's data sets give them."""

    def __init__(self, split: Split) -> None:
        self.split = split
        self.transform = transforms.Compose(
            [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
        )

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.split.images[index])), int(self.split.classes[index])


def drained(batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """Mean pixel of all batches."""
    return float(np.mean([float(pixels.mean()) for pixels, _ in batches]))


def test_batches_from_memory(benchmark: Any, best_of: Callable[..., float]) -> None:
    random = np.random.RandomState(0)
    split = Split(random.randint(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8), random.randint(0, 10, COUNT))
    torch.set_num_threads(1)
    batches = Batches(split, np.arange(COUNT), RUN, flip=True, device=torch.device("cpu"))
    plain = {workers: DataLoader(Plain(split), 128, shuffle=True, num_workers=workers) for workers in (0, WORKERS)}
    # Both fill with black what a crop takes from beyond the border.
    assert abs(drained(batches.epoch(0)) - drained(plain[0])) < 0.01
    benchmark.pedantic(lambda: drained(batches.epoch(0)), rounds=5, iterations=1)
    ours = benchmark.stats.stats.min
    for workers, loader in plain.items():
        ratio = best_of(lambda loader=loader: drained(loader), rounds=2) / ours
        benchmark.extra_info[f"times a DataLoader with {workers} workers"] = round(ratio, 1)
        print(f"\n{COUNT / ours:,.0f} images/s, {ratio:.1f} times a DataLoader with {workers} workers")
