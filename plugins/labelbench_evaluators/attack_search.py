"""The worst case over many attacks: what is broken stays broken, and each attack sees what survived those before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from labelbench import Attack, Context, GradientSource, Network, folded, run_attack
from labelbench_evaluators.attack_libraries import run_library
from labelbench_evaluators.attack_presets import Library

Arrays = dict[str, np.ndarray]
NOBODY = -1
SAMPLE_BREAKS = 0.02


class Survivors:
    """Images that no attack has broken yet, at epsilons in rising order.

    Attributes:
        classes: ``(n,)`` true classes.
        alive: ``(epsilons, n)`` bool.
        broken_by: ``(epsilons, n)`` int8: index into ``names`` of the attack that broke an image, -1 for none.
        names: attacks tried so far.

    Args:
        classes: as above.
        alive: those to begin with.
    """

    def __init__(self, classes: np.ndarray, alive: np.ndarray) -> None:
        self.classes = classes
        self.alive = alive
        self.broken_by = np.full(self.alive.shape, NOBODY, dtype=np.int8)
        self.names: list[str] = []

    def add(self, name: str, read: np.ndarray) -> None:
        """Take in what an attack found: ``read`` ``(epsilons, n)`` classes, -1 where it was not tried.

        What breaks an image within a small ball lies within every larger one.
        """
        before = self.alive
        hits = (read != NOBODY) & (read != self.classes)
        self.alive = before & ~np.logical_or.accumulate(hits, axis=0)
        self.broken_by[before & ~self.alive] = len(self.names)
        self.names.append(name)


def downwards(classes: np.ndarray, alive: np.ndarray, attack: Callable[[np.ndarray], Arrays]) -> Arrays:
    """Attack every survivor at the largest epsilon that it survived, and what breaks there at the next smaller one.

    What an attack cannot break within a ball it is not tried on within smaller ones: whatever it could find there lies
    in the larger ball too.

    Args:
        classes: ``(n,)`` true classes.
        alive: ``(epsilons, n)`` bool, at epsilons in rising order; what lives at one lives at all smaller ones.
        attack: takes ``(epsilons, n)`` bool of what to attack, gives arrays with ``read`` of that shape and counts.

    Returns:
        The arrays of all calls, ``read`` in one and counts added up.
    """
    survivors = Survivors(classes, alive)
    tried = np.zeros_like(alive)
    total: Arrays = {}
    while True:
        largest = survivors.alive.sum(axis=0) - 1
        asked = survivors.alive & (np.arange(len(alive))[:, None] == largest) & ~tried
        if total and not asked.any():
            return total
        found = attack(asked)
        survivors.add("", found["read"])
        tried |= asked
        for name, array in found.items():
            before = total.get(name, NOBODY if name == "read" else 0)
            total[name] = np.where(asked, array, before) if name == "read" else before + array


class Attacker:
    """The network of one evaluation and its images, and what is done to them; results are arrays of parts."""

    def __init__(self, context: Context) -> None:
        network = context.trained().network
        self.context = context
        self.network: Network = folded(network) if context.run.numerics.mode == "fast" else network
        self.test = context.test
        self.classes = np.asarray(self.test.classes)
        self.device = network.mean.device

    def engine(
        self,
        attack: Attack,
        asked: np.ndarray,
        report: Callable[[float], None] = lambda share: None,
        targets: np.ndarray | None = None,
        source: GradientSource | None = None,
    ) -> Arrays:
        """An attack of the engine on the images and epsilons that ``asked``, ``(epsilons, n)`` bool, marks."""
        found = run_attack(
            attack,
            self.network,
            self.context.labels,
            self.test.images,
            self.classes,
            targets,
            source=source,
            asked=asked,
            report=report,
        )
        return {
            "read": found.predictions.astype(np.int32),
            "gradients": found.gradients,
            "unbroken": found.unbroken,
            "zero": found.zero_gradients,
            "queries": np.array([found.queries]),
        }

    def library(self, library: Library, epsilons: tuple[float, ...], asked: np.ndarray) -> Arrays:
        """Another library's attack: on a sample at each epsilon, and on the rest where the sample is not safe."""
        read = np.full(asked.shape, NOBODY, dtype=np.int32)
        cost = np.zeros(2, dtype=np.int64)
        for index in np.flatnonzero(asked.any(axis=1)):
            remaining = np.flatnonzero(asked[index])
            chosen = remaining[np.unique(np.linspace(0, len(remaining) - 1, library.sample).astype(int))]
            while len(chosen):
                found = self._run_library(library, epsilons[index], chosen)
                read[index, chosen] = found.predictions
                cost += found.gradients, found.queries
                broken = found.predictions != self.classes[chosen]
                remaining = np.setdiff1d(remaining, chosen)
                chosen = remaining if broken.mean() > SAMPLE_BREAKS else remaining[:0]
        return {"read": read, "gradients": cost[:1], "queries": cost[1:]}

    def _run_library(self, library: Library, epsilon: float, chosen: np.ndarray) -> Any:
        pixels = self.network.pixels(torch.from_numpy(np.array(self.test.images[chosen])).to(self.device))
        classes = torch.from_numpy(self.classes[chosen]).to(self.device)
        seed = self.context.seed("attack", library.name) % 2**32
        return run_library(library, self.network, self.context.labels, pixels, classes, epsilon, seed)
