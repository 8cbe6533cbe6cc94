"""An attack as a value, and what it did."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from labelbench.attacks.losses import loss_named
from labelbench.errors import InputError, UnknownName

_CHOICES = {
    "units": ("pixels", "normalised"),
    "schedule": ("constant", "cosine"),
    "gradient": ("fresh", "accumulated"),
    "start": ("image", "random"),
    "projection": ("linf", "none"),
    "clamp": ("range", "image", "none"),
    "success": ("last", "any"),
}


@dataclass(frozen=True)
class Attack:
    """Everything that decides an attack.

    Attributes:
        epsilons: radii of the L-infinity balls, 0 or more, in ``units``.
        units: of epsilons and perturbations: ``"pixels"`` in [0, 1], or ``"normalised"`` as the backbone sees them.
        loss: a key of :data:`labelbench.attacks.losses.LOSSES`.
        targeted: descend towards one other class instead of leaving the true one.
        target_rank: which class, if the caller names none: 1 is the nearest other class of the clean image.
        steps: gradient steps; with none of them, a random start is noise and nothing more.
        step: first step size, as a share of epsilon.
        schedule: ``"constant"`` step size, or ``"cosine"``: it falls to 0 along half a cosine.
        momentum: share of the last move in the next (0.25 in APGD, Croce and Hein 2020, equation 3).
        gradient: each step follows the sign of the ``"fresh"`` gradient, or of the sum of all gradients so far
            (``"accumulated"``: the official code never zeroes it).
        start: at the ``"image"``, or at a uniformly ``"random"`` point of the ball.
        restarts: random starts tried in turn on what is not broken yet.
        projection: back into the ball after every step (``"linf"``), or ``"none"``.
        clamp: to the ``"range"`` of all pixels, to the clean ``"image"``'s own minimum and maximum, or ``"none"``.
        success: whether the ``"last"`` iterate counts (the paper), or ``"any"``: an image is left alone once broken.
        seed: of the random starts, 0 or more.

    Raises:
        InputError: a setting that is out of its range.

    >>> fgsm = Attack(epsilons=(2 / 255, 8 / 255))
    >>> pgd = Attack(epsilons=(2 / 255, 8 / 255), steps=20, step=0.25, schedule="cosine", start="random", restarts=2)
    >>> fgsm.steps, [round(pgd.step_at(index), 3) for index in (0, 10, 19)]
    (1, [0.25, 0.125, 0.002])
    """

    epsilons: tuple[float, ...]
    units: str = "pixels"
    loss: str = "margin"
    targeted: bool = False
    target_rank: int = 1
    steps: int = 1
    step: float = 1.0
    schedule: str = "constant"
    momentum: float = 0.0
    gradient: str = "fresh"
    start: str = "image"
    restarts: int = 1
    projection: str = "linf"
    clamp: str = "range"
    success: str = "last"
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilons", tuple(float(epsilon) for epsilon in self.epsilons))
        loss_named(self.loss)
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise UnknownName(f"attack {name}", str(getattr(self, name)), choices)
        if not self.epsilons or not all(0 <= epsilon < math.inf for epsilon in self.epsilons):
            raise InputError(f"attack epsilons are {self.epsilons}; expected one or more, finite and not negative")
        for name, least in (("steps", 0), ("restarts", 1), ("target_rank", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"attack {name} is {getattr(self, name)}; expected {least} or more")
        if self.start == "image" and (self.restarts > 1 or not self.steps):
            raise InputError(
                f"attack with {self.restarts} restarts of {self.steps} steps from the image itself; "
                f"expected one restart and a step or more, or start='random'"
            )
        if not 0 < self.step < math.inf or not 0 <= self.momentum < 1:
            raise InputError(
                f"attack step {self.step}, momentum {self.momentum}; expected step above 0, momentum in [0, 1)"
            )

    def step_at(self, index: int) -> float:
        """Size of step ``index`` (from 0) as a share of epsilon."""
        if self.schedule == "constant":
            return self.step
        return self.step * (1 + math.cos(math.pi * index / self.steps)) / 2


@dataclass(frozen=True, eq=False)
class AttackResult:
    """What an attack did.

    Attributes:
        predictions: ``(epsilons, n)`` int64: class decoded after the attack; -1 where none was asked for.
        gradients: ``(steps,)`` int64: gradient evaluations by step, one per perturbed image.
        unbroken: ``(steps,)`` int64: how many of them were at a point still read as the true class.
        zero_gradients: ``(steps,)`` int64: how many of those were exactly zero in every pixel.
        queries: forward passes without gradient, one per image.
        images: ``(epsilons, n, 3, height, width)`` float32 pixels after the attack, if they were asked for: in
            [0, 1] unless the attack's clamp lets them leave it.
    """

    predictions: np.ndarray
    gradients: np.ndarray
    unbroken: np.ndarray
    zero_gradients: np.ndarray
    queries: int
    images: Tensor | None = None
