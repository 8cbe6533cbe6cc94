"""Strengths of the adaptive attack, as data: which attacks, in which order, and how much of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from labelbench import Attack, loss_named

# Steps that begin with twice epsilon and end near nothing: first across the ball, then within it. The evaluation
# puts its own epsilons in.
_BASE = Attack((1 / 255,), steps=10, step=2.0, schedule="cosine", momentum=0.25, clamp="range", success="any")

LARGE_EPSILON = 0.5


@dataclass(frozen=True)
class Library:
    """An attack of another library on the decoder wrapped as a classifier.

    Attributes:
        name: ``"apgd-ce"``, ``"apgd-dlr"`` or ``"square"`` of torchattacks, or ``"autoattack"``.
        amount: gradient steps on, or queries of, each image.
        sample: images it is tried on first at each epsilon; if it breaks over 2 % of them, on all that are to be tried.
    """

    name: str
    amount: int
    sample: int


@dataclass(frozen=True)
class Strength:
    """One preset.

    Attributes:
        gradient: attacks of the engine by name, in order; each sees what survived those before.
        libraries: gradient attacks of torchattacks on what is left.
        gradient_free: attack without gradients on what survived every gradient attack.
        comparison: how many of the gradient attacks are repeated at the paper's epsilons.
        noise: random points of the ball tried on each image.
        probed: images that the sanity checks look at.
    """

    gradient: Mapping[str, Attack]
    gradient_free: Library
    libraries: tuple[Library, ...] = ()
    comparison: int = 5
    noise: int = 10
    probed: int = 100

    def attacks(self, num_classes: int) -> Iterator[tuple[str, Attack]]:
        """The engine's attacks that a label with this many classes allows."""
        for name, attack in self.gradient.items():
            enough = loss_named(attack.loss).min_classes[attack.targeted] <= num_classes
            if enough and (not attack.targeted or attack.target_rank < num_classes):
                yield name, attack


def _untargeted(*losses: str, **settings: Any) -> dict[str, Attack]:
    suffix = f"-{settings['start']}" if "start" in settings else ""
    return {f"{loss}{suffix}": replace(_BASE, loss=loss, **settings) for loss in losses}


def _targeted(loss: str, ranks: int, **settings: Any) -> dict[str, Attack]:
    attack = replace(_BASE, loss=loss, targeted=True, **settings)
    return {f"{loss}-targeted-{rank}": replace(attack, target_rank=rank) for rank in range(1, ranks + 1)}


STRENGTHS: Mapping[str, Strength] = MappingProxyType(
    {
        "quick": Strength(
            gradient={
                **_untargeted("margin"),
                **_untargeted("cross-entropy", "training", "dlr", steps=5),
                **_targeted("margin", 3, steps=5),
            },
            gradient_free=Library("square", amount=100, sample=50),
            comparison=2,
            noise=3,
            probed=40,
        ),
        "standard": Strength(
            gradient={
                **_untargeted("margin", "cross-entropy", "training"),
                **_untargeted("dlr", "margin", start="random"),
                **_targeted("margin", 9, start="random"),
                **_targeted("cross-entropy", 1),
                **_targeted("dlr", 1),
                **_targeted("training", 1),
            },
            gradient_free=Library("square", amount=500, sample=100),
        ),
        "strong": Strength(
            gradient={
                **_untargeted("margin", "cross-entropy", "training"),
                **_untargeted("margin", "cross-entropy", "training", "dlr", start="random", steps=40, restarts=2),
                **_targeted("margin", 9, start="random", steps=30),
                **_targeted("cross-entropy", 5, steps=20),
                **_targeted("dlr", 5, start="random", steps=20),
                **_targeted("training", 3, steps=20),
            },
            libraries=(
                Library("apgd-ce", amount=50, sample=100),
                Library("apgd-dlr", amount=50, sample=100),
            ),
            gradient_free=Library("square", amount=2000, sample=150),
            noise=25,
        ),
    }
)

# Tried on what the preset's gradient attacks leave, if it is asked for.
AUTOATTACK = Library("autoattack", amount=100, sample=30)

# Beside the attacks themselves.
TRANSFER = replace(_BASE, steps=20, success="last")
ONE_STEP = Attack(_BASE.epsilons)
NOISE = replace(_BASE, steps=0, start="random")
LARGE = replace(_BASE, epsilons=(LARGE_EPSILON,), steps=20)
MORE_STEPS = {steps: replace(_BASE, steps=steps) for steps in (5, 10, 20)}
