"""Training as the paper's release writes it: PIL images in a DataLoader, float32, a loss that is read in every step.

``python plain_loop.py BACKBONE THREADS STEPS`` prints images per second, timed after three steps. It runs by itself, as
such a script does.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset
from torchvision import transforms

from labelbench.machine.hardware import usable_cores
from labelbench.optimizers import SGD
from labelbench.recipes import Recipe
from labelbench.running.materials import Materials
from labelbench.runs import RunSpec

_WARM_UP = 3


class PilImages(Dataset[tuple[Tensor, Tensor]]):
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


def images_per_second(run: RunSpec, threads: int, steps: int) -> float:
    """Rate of ``steps`` steps after the first ones."""
    materials = Materials()
    network = materials.network(run)
    torch.set_num_threads(threads)
    # Two sweeps, so that no step waits for workers that are only beginning.
    data = ConcatDataset([PilImages(run, materials)] * 2)
    loader = DataLoader(data, batch_size=run.recipe.batch_size, shuffle=True, num_workers=usable_cores())
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    network.train()
    seen, running, started = 0, 0.0, 0.0
    for step, (images, targets) in enumerate(loader):
        if step == _WARM_UP:
            started = time.perf_counter()
        optimizer.zero_grad()
        loss = torch.nn.functional.smooth_l1_loss(network.forward_normalised(images), targets)
        loss.backward()
        optimizer.step()
        running += loss.item()
        if step >= _WARM_UP:
            seen += len(images)
        if step == _WARM_UP + steps - 1:
            break
    return seen / (time.perf_counter() - started)


if __name__ == "__main__":
    backbone, threads, steps = sys.argv[1:]
    plain = RunSpec("digits", "speech", backbone, 0, recipe=Recipe(optimizer=SGD(0.01)))
    print(images_per_second(plain, int(threads), int(steps)))
