"""What updates the weights, as frozen values; ``training.optimizers`` makes torch's optimisers of them.

A new one is a class here with its name in :data:`OPTIMIZERS`, and a function there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from labelbench.values import refuse_unless, settle


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent for all weights (the paper's).

    Attributes:
        learning_rate: peak learning rate, which the recipe's schedule lowers.
        momentum: 0 or more, below 1.
        nesterov: whether momentum looks ahead.
        weight_decay: added to every gradient, times the weight.
    """

    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        settle(self)
        checks = {
            "learning_rate": (0 < self.learning_rate < math.inf, "above 0"),
            "momentum": (0 <= self.momentum < 1, "0 or more, below 1"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "0 or more"),
        }
        refuse_unless("recipe", self, checks)


@dataclass(frozen=True)
class Muon(SGD):
    """Muon for the kernels of convolutions (Jordan 2024), and for all other weights what is inherited.

    Kernels move along their orthogonalised momentum, without weight decay; it is orthogonalised in bfloat16 whatever
    the numerics.

    Attributes:
        kernel_learning_rate: peak learning rate of kernels; it follows the same schedule.
        kernel_momentum: momentum of kernels, 0 or more, below 1.
    """

    kernel_learning_rate: float = 0.1
    kernel_momentum: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        checks = {
            "kernel_learning_rate": (0 < self.kernel_learning_rate < math.inf, "above 0"),
            "kernel_momentum": (0 <= self.kernel_momentum < 1, "0 or more, below 1"),
        }
        refuse_unless("recipe", self, checks)


OPTIMIZERS: Mapping[str, type[SGD]] = {"sgd": SGD, "muon": Muon}
"""Kinds of optimisers by the name that a recipe gives them."""
