"""The official attack loops, one image at a time, written from the description of the protocol alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from labelbench.labels import LabelSet
from labelbench.networks import Network


def read_class(network: Network, labels: LabelSet, image: Tensor) -> int:
    """The nearest label by mean squared difference."""
    with torch.no_grad():
        output = network.forward_normalised(image)
    differences = labels.targets - output.numpy()
    return int((differences**2).reshape(len(differences), -1).mean(axis=1).argmin())


def input_gradient(network: Network, labels: LabelSet, image: Tensor, aim: Tensor) -> Tensor:
    """Gradient of the training loss to the label of class ``aim`` by the image."""
    image = image.detach().clone().requires_grad_(True)
    output = network.forward_normalised(image)
    network.zero_grad()
    if labels.loss == "cross-entropy":
        loss = functional.cross_entropy(output, aim)
    else:
        loss = functional.smooth_l1_loss(output, torch.from_numpy(labels.targets[aim.numpy()]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    return image.grad


def attack_one(network: Network, labels: LabelSet, image: Tensor, aim: Tensor, epsilon: float, attack: str) -> Tensor:
    """The image, ``(1, 3, height, width)`` in normalised units, after one attack."""
    method, mode = attack.split("-")
    direction = -1 if mode == "targeted" else 1
    if method == "fgsm":
        gradient = input_gradient(network, labels, image, aim)
        return torch.clamp(image + direction * epsilon * gradient.sign(), image.min(), image.max())
    perturbed = image
    total = torch.zeros_like(image)
    for _ in range(5):
        total = total + input_gradient(network, labels, perturbed, aim)
        perturbed = perturbed + direction * (epsilon / 5) * total.sign()
        perturbed = torch.max(torch.min(perturbed, image + epsilon), image - epsilon)
    return perturbed


def official_loop(
    network: Network, labels: LabelSet, images: Tensor, classes: Tensor, epsilon: float, attack: str
) -> tuple[np.ndarray, np.ndarray]:
    """Class read after the attack, and class aimed at, of every image; images read wrong are not attacked."""
    read, aims = [], []
    with torch.random.fork_rng(devices=[]):
        generator = torch.manual_seed(444)
        for image, true in DataLoader(TensorDataset(images, classes), batch_size=1, shuffle=False):
            aim = true
            if attack.endswith("-targeted"):
                while aim.item() == true.item():
                    aim = torch.randint(0, labels.num_classes, (1,), generator=generator)
            aims.append(int(aim))
            read.append(read_class(network, labels, image))
            if read[-1] == true.item():
                perturbed = attack_one(network, labels, image, aim, epsilon, attack)
                read[-1] = read_class(network, labels, perturbed)
    return np.array(read), np.array(aims)


def normalised(network: Network, images: np.ndarray) -> Tensor:
    return network.normalise(torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255)


def reads_when_nudged(
    network: Network, labels: LabelSet, image: Tensor, aim: int, epsilon: float, attack: str
) -> set[int]:
    """Classes that the official attack ends with when its input moves by 1e-6."""
    generator = torch.Generator().manual_seed(0)
    reads = set()
    for _ in range(20):
        nudge = 1e-6 * (2 * torch.rand(image.shape, generator=generator) - 1)
        perturbed = attack_one(network, labels, image + nudge, torch.tensor([aim]), epsilon, attack)
        reads.add(read_class(network, labels, perturbed))
    return reads
