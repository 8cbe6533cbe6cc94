"""The parts of an adaptive evaluation: what is attacked, how and in which order, each stored once it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from labelbench import Attack, Context, GradientSource, RunSpec, label, loss_named, run_attack
from labelbench_evaluators.attack_libraries import require_autoattack, why_not
from labelbench_evaluators.attack_presets import (
    AUTOATTACK,
    LARGE,
    MORE_STEPS,
    NOISE,
    ONE_STEP,
    TRANSFER,
    Library,
    Strength,
)
from labelbench_evaluators.attack_protocols import EPSILONS, PROTOCOLS, paper_targets
from labelbench_evaluators.attack_search import Attacker, Survivors, downwards

Arrays = Mapping[str, np.ndarray]
Report = Callable[[float], None]
PAPER_EPSILONS = tuple(epsilon for epsilon in EPSILONS if epsilon)
# Looked at on clean images; the last is no attack of ours, but what a library that knows no decoder would follow.
PROBED_LOSSES = ("training", "cross-entropy", "margin", "dlr", "plain-cross-entropy")
EXAMPLES = 8


class Parts:
    """Everything that is tried on one network; arrays of images are in the order of the test images.

    Args:
        context: of the evaluation.
        strength: the preset.
        epsilons: in 1/255 of the range of pixels, rising.
        category: the run whose network a transferred attack follows, or None.
        autoattack: whether AutoAttack's gradient attacks are tried as well.

    Attributes:
        names: of the epsilons.
        attacker: attacks the network.
        classes, right: true class of each image, and whether it is read without an attack.
        probed: the images that checks look at.
        attacks, libraries: those of the preset that the label allows.
        left_out: the other libraries, and why.
        cost: gradients and queries by part, so far.
        zero: gradients that were exactly zero, and all on images that were not broken, by part, so far.

    Raises:
        Unavailable: AutoAttack is asked for and cannot be imported.
    """

    def __init__(
        self,
        context: Context,
        strength: Strength,
        epsilons: tuple[float, ...],
        category: RunSpec | None,
        *,
        autoattack: bool,
    ) -> None:
        self.context = context
        self.strength = strength
        self.category = category
        self.epsilons = tuple(step / 255 for step in epsilons)
        self.names = tuple(f"{step:g}/255" for step in epsilons)
        self.attacker = Attacker(context)
        self.classes = self.attacker.classes
        self.right = context.labels.nearest(context.outputs()).numpy() == self.classes
        # Starts of its own for every attack: together they cover more of the ball.
        self.attacks = {
            name: replace(attack, seed=context.seed("attack", name))
            for name, attack in strength.attacks(context.labels.num_classes)
        }
        libraries = strength.libraries
        if autoattack:
            require_autoattack()
            libraries += (AUTOATTACK,)
        missing = {each.name: why_not(each, context.labels.num_classes) for each in libraries}
        self.libraries = [each for each in libraries if not missing[each.name]]
        self.left_out = {name: reason for name, reason in missing.items() if reason}
        picked = np.flatnonzero(self.right)[:: max(1, int(self.right.sum()) // strength.probed)]
        self.probed = np.zeros_like(self.right)
        self.probed[picked[: strength.probed]] = True
        self._done = 0
        self._expected = len(self.attacks) + len(self.libraries) + strength.comparison + len(PROTOCOLS["paper"]) + 7
        self.cost: dict[str, dict[str, int]] = {}
        self.zero: dict[str, list[int]] = {}

    def zero_gradients(self) -> dict[str, int]:
        """Clean images read right whose input gradient is exactly zero, by loss."""

        def compute(report: Report) -> Arrays:
            found = {
                loss: self.attacker.engine(replace(ONE_STEP, loss=loss), self.right[None])
                for loss in PROBED_LOSSES
                if self.context.labels.num_classes >= loss_named(loss).min_classes[False]
            }
            return {**{loss: part["zero"] for loss, part in found.items()}, **_costs(found.values())}

        part = self._part("gradients of clean images", compute)
        return {loss: int(part[loss].sum()) for loss in PROBED_LOSSES if loss in part}

    def by_gradients(self) -> Survivors:
        """What survives every attack of the preset, and of its libraries, that follows gradients of the network."""
        survivors = self._all_right(len(self.names))
        self._search("pixels", survivors, {name: self.in_pixels(attack) for name, attack in self.attacks.items()})
        for library in self.libraries:
            survivors.add(library.name, self._library(library, survivors.alive)["read"])
        return survivors

    def without_gradients(self, survivors: Survivors) -> dict[str, np.ndarray]:
        """What is read under attacks that take no gradient of the network, by attack; survivors take it in.

        Noise is tried on every image read right, the others on the survivors.
        """
        alive, square = survivors.alive, self.strength.gradient_free
        noise = self.in_pixels(NOISE, restarts=self.strength.noise, seed=self.context.seed("attack", "noise"))
        found = {
            "noise": self._part("noise", self._engine(noise, self._all_right(len(self.names)).alive)),
            square.name: self._library(square, alive),
        }
        if self.category:
            network = self.context.trained(self.category).network
            source = GradientSource(network, label("category", self.context.dataset))
            transfer = self._engine(self.in_pixels(TRANSFER), alive, source=source)
            found["transfer"] = self._part("transfer", transfer)
        for name, part in found.items():
            survivors.add(name, part["read"])
        return {name: part["read"] for name, part in found.items()}

    def paper_attacks(self) -> dict[str, np.ndarray]:
        """``(epsilons, n)`` bool: what each of the paper's attacks leaves within the same balls of pixels."""
        everyone = self._all_right(len(self.names)).alive
        targets = paper_targets(self.classes, self.context.labels.num_classes)
        left = {}
        for name, attack in PROTOCOLS["paper"].items():
            in_pixels = self.in_pixels(attack, units="pixels")
            part = self._part(f"paper {name}", self._engine(in_pixels, everyone, targets=targets))
            left[name] = part["read"] == self.classes
        return left

    def at_paper_epsilons(self) -> np.ndarray:
        """``(epsilons, n)`` bool: what survives the first attacks of the preset at the paper's epsilons."""
        survivors = self._all_right(len(PAPER_EPSILONS))
        chosen = list(self.attacks.items())[: self.strength.comparison]
        in_units = {name: replace(each, units="normalised", epsilons=PAPER_EPSILONS) for name, each in chosen}
        self._search("normalised", survivors, in_units)
        return survivors.alive

    def more_steps(self) -> dict[int, np.ndarray]:
        """How many of the probed images are left at each epsilon, ``(epsilons,)``, by number of steps."""
        asked = np.tile(self.probed, (len(self.names), 1))

        def compute(report: Report) -> Arrays:
            parts = [self.attacker.engine(self.in_pixels(attack), asked) for attack in MORE_STEPS.values()]
            left = np.array([(part["read"] == self.classes).sum(axis=1) for part in parts])
            return {"left": left, **_costs(parts)}

        return dict(zip(MORE_STEPS, self._part("more steps", compute)["left"], strict=True))

    def at_a_large_epsilon(self) -> int:
        """How many of the probed images survive an attack that may change nearly everything."""
        part = self._part("large epsilon", self._engine(LARGE, self.probed[None]))
        return int((part["read"] == self.classes).sum())

    def examples(self) -> Arrays:
        """A few images, clean and at the smallest epsilon that breaks them (else the largest), as 8-bit pixels."""
        return self._part("examples", self._examples)

    def in_pixels(self, attack: Attack, **changes: Any) -> Attack:
        """An attack at the epsilons of the evaluation."""
        return replace(attack, epsilons=self.epsilons, **changes)

    def _part(self, name: str, compute: Callable[[Report], Arrays]) -> Arrays:
        """A part of the evaluation, its cost noted and its progress reported."""

        def report(share: float) -> None:
            self.context.report(f"attack {name}", min(1.0, (self._done + share) / self._expected))

        part = self.context.part(name, lambda: compute(report))
        self._done += 1
        report(0)
        if "queries" in part:
            self.cost[name] = {key: int(part[key].sum()) for key in ("gradients", "queries")}
        if "zero" in part:
            self.zero[name] = [int(part["zero"].sum()), int(part["unbroken"].sum())]
        return part

    def _engine(self, attack: Attack, asked: np.ndarray, **rest: Any) -> Callable[[Report], Arrays]:
        return lambda report: self.attacker.engine(attack, asked, report, **rest)

    def _library(self, library: Library, alive: np.ndarray) -> Arrays:
        attack = partial(self.attacker.library, library, self.epsilons)
        return self._part(library.name, self._downwards(alive, attack))

    def _downwards(self, alive: np.ndarray, attack: Callable[[np.ndarray], Any]) -> Callable[[Report], Arrays]:
        return lambda report: downwards(self.classes, alive, attack)

    def _search(self, prefix: str, survivors: Survivors, attacks: Mapping[str, Attack]) -> None:
        """The first attack at every epsilon in one pass, the others from the largest epsilon that was survived down."""
        for name, attack in attacks.items():
            alive = survivors.alive
            down = self._downwards(alive, partial(self.attacker.engine, attack))
            part = self._part(f"{prefix} {name}", down if survivors.names else self._engine(attack, alive))
            survivors.add(name, part["read"])

    def _all_right(self, epsilons: int) -> Survivors:
        return Survivors(self.classes, np.tile(self.right, (epsilons, 1)))

    def _examples(self, report: Report) -> Arrays:
        chosen = np.flatnonzero(self.right)
        chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, EXAMPLES).astype(int))] if len(chosen) else chosen
        clean = np.array(self.attacker.test.images[chosen])
        attack = self.in_pixels(next(iter(self.attacks.values())))
        classes = self.classes[chosen]
        found = run_attack(
            attack, self.attacker.network, self.context.labels, clean, classes, keep_images=True, report=report
        )
        assert found.images is not None
        broken = found.predictions != classes
        at = np.where(broken.any(axis=0), broken.argmax(axis=0), len(self.names) - 1)
        columns = np.arange(len(chosen))
        perturbed = (found.images.numpy()[at, columns] * 255).round().clip(0, 255).astype(np.uint8)
        return {
            "examples": chosen.astype(np.int32),
            "example_images": np.stack([clean, perturbed.transpose(0, 2, 3, 1)], axis=1),
            "example_read": np.stack([classes, found.predictions[at, columns]], axis=1).astype(np.int32),
            "example_epsilon": np.array(self.epsilons, dtype=np.float32)[at],
        }


def _costs(parts: Iterable[Arrays]) -> dict[str, np.ndarray]:
    """Gradients and queries of several attacks, one number for each."""
    every = list(parts)
    return {key: np.array([part[key].sum() for part in every]) for key in ("gradients", "queries")}
