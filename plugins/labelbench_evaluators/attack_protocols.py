"""The paper's attacks as data, with every quirk of the official code named, and the same attacks without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch

from labelbench import Attack

EPSILONS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
TARGET_SEED = 444

_FGSM = Attack(epsilons=EPSILONS, units="normalised", loss="training", steps=1, clamp="image")
# Five steps of a fifth of epsilon, kept in the ball but not in the range of pixels, along the sum of all gradients.
_ITERATIVE = replace(_FGSM, steps=5, step=1 / 5, clamp="none", gradient="accumulated")
_PAPER = {
    "fgsm-untargeted": _FGSM,
    "fgsm-targeted": replace(_FGSM, targeted=True),
    "iterative-untargeted": _ITERATIVE,
    "iterative-targeted": replace(_ITERATIVE, targeted=True),
}

PROTOCOLS: Mapping[str, Mapping[str, Attack]] = MappingProxyType(
    {
        "paper": _PAPER,
        "corrected": {name: replace(attack, clamp="range", gradient="fresh") for name, attack in _PAPER.items()},
    }
)


def paper_targets(classes: np.ndarray, num_classes: int) -> np.ndarray:
    """A class to aim at for every test image, drawn as the official code does, the same at each epsilon and attack.

    It seeds torch's default generator, from which the data loader takes one number first; then every test image in
    turn, also one that is classified wrong, draws a class until it is not the true one. Its test images come in another
    order, so that it aims at other classes for the same images.

    Args:
        classes: ``(n,)`` true classes, in the order of the test images.
        num_classes: how many there are, 2 or more.

    Returns:
        ``(n,)`` int64, never the true class.
    """
    generator = torch.Generator().manual_seed(TARGET_SEED)
    torch.empty((), dtype=torch.int64).random_(generator=generator)
    targets = np.array(classes, dtype=np.int64)
    for index, true in enumerate(classes):
        while targets[index] == true:
            targets[index] = int(torch.randint(0, num_classes, (1,), generator=generator))
    return targets
