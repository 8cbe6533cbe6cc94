"""Networks that withstand attacks: one by training, one only because no gradient passes."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from labelbench.attacks.engine import Attack, run_attack
from labelbench.datasets import Split
from labelbench.labels import LabelSet
from labelbench.networks import Network


class Rounded(nn.Module):
    """Its input is rounded to few levels before the first layer, so that no gradient passes."""

    def __init__(self, backbone: nn.Module, step: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.num_features: int = backbone.num_features  # type: ignore[assignment]
        self.step = step

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.backbone((images / self.step).round() * self.step)
        return features


def hardened(network: Network, labels: LabelSet, train: Split, epsilon: float, epochs: int) -> Network:
    """A copy of the network trained on further, on images perturbed within ``epsilon``."""
    network = copy.deepcopy(network)
    images, classes = train.images, train.classes
    attack = Attack((epsilon,), loss="margin", steps=3, step=0.5, start="random")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    order = np.random.RandomState(0)
    for _ in range(epochs):
        for batch in np.array_split(order.permutation(len(classes)), 22):
            found = run_attack(attack, network, labels, images[batch], classes[batch], keep_images=True)
            assert found.images is not None
            network.train()
            optimizer.zero_grad()
            loss = labels.loss_of(network(found.images[0]), torch.from_numpy(classes[batch])).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network.eval()
