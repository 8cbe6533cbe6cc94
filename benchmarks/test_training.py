"""Images per second of training, against a plain loop written as the paper's release is.

The plain loop decodes nothing and logs nothing, but crops, mirrors and normalises one PIL image after another in the
workers of a DataLoader, takes labels from there, and steps in float32. All forms train the same network on the same
images with the same labels; they take turns, and each keeps its best round.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from labelbench.estimate import training_rate
from labelbench.hardware import usable_cores
from labelbench.machine import resolve_numerics
from labelbench.materials import Materials
from labelbench.networks import Network
from labelbench.runs import RunSpec

# Rounds of each form, and steps timed in each.
ROUNDS, STEPS = 3, 6
THREADS = int(os.environ.get("LABELBENCH_BENCHMARK_THREADS", usable_cores()))
BACKBONES = ("resnet32", "resnet110", "vgg19")


class Plain(Dataset[tuple[Tensor, Tensor]]):
    """Images and labels as the release's data loader gives them."""

    def __init__(self, run: RunSpec, materials: Materials) -> None:
        images = materials.images(run)
        self.images = images.train
        self.targets = torch.from_numpy(np.array(materials.labels(run).targets))
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(images.mean, images.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(Image.fromarray(self.images.images[index])), self.targets[self.images.classes[index]]


def plain_rate(run: RunSpec, network: Network, materials: Materials) -> float:
    """Images per second of the plain loop, timed after three steps."""
    import time

    torch.set_num_threads(run.numerics.threads)
    # Two sweeps, so that no step waits for workers that are only beginning.
    data = torch.utils.data.ConcatDataset([Plain(run, materials)] * 2)
    loader = DataLoader(data, batch_size=run.recipe.batch_size, shuffle=True, num_workers=usable_cores())
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    network.train()
    seen, running, started = 0, 0.0, 0.0
    for step, (images, targets) in enumerate(loader):
        if step == 3:
            started = time.perf_counter()
        optimizer.zero_grad()
        loss = torch.nn.functional.smooth_l1_loss(network.forward_normalised(images), targets)
        loss.backward()
        optimizer.step()
        running += loss.item()
        if step >= 3:
            seen += len(images)
        if step == 2 + STEPS:
            break
    return seen / (time.perf_counter() - started)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_training_against_a_plain_loop(benchmark: Any, backbone: str) -> None:
    from labelbench.recipes import Recipe

    run = RunSpec("digits", "speech", backbone, 0, recipe=Recipe(learning_rate=0.01))
    materials = Materials()
    modes = {mode: resolve_numerics(mode, "cpu", THREADS) for mode in ("exact", "fast")}
    rates: dict[str, list[float]] = {"plain": [], "exact": [], "fast": []}
    plain = replace(run, numerics=modes["exact"])

    def one_round() -> None:
        rates["plain"].append(plain_rate(plain, materials.network(plain), materials))
        for mode, numerics in modes.items():
            chosen = replace(run, numerics=numerics)
            rates[mode].append(training_rate(chosen, materials.network(chosen), materials, STEPS))

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    best = {name: max(found) for name, found in rates.items()}
    benchmark.extra_info |= {f"{name}, images/s": round(rate) for name, rate in best.items()}
    benchmark.extra_info |= {f"{mode}, times plain": round(best[mode] / best["plain"], 2) for mode in modes}
    print(
        f"\n{backbone}, {THREADS} threads, {modes['fast']}: "
        + ", ".join(f"{name} {rate:,.0f} images/s ({rate / best['plain']:.2f})" for name, rate in best.items())
    )
