"""One adaptive evaluation: its parts in order, and what they found as scores, arrays and findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from labelbench import (
    Attack,
    Context,
    GradientSource,
    Measurement,
    RunSpec,
    Score,
    frozen,
    label,
    loss_named,
    run_attack,
)
from labelbench_evaluators import attack_diagnosis as diagnosis
from labelbench_evaluators.attack_libraries import require_autoattack, why_not
from labelbench_evaluators.attack_presets import (
    AUTOATTACK,
    LARGE,
    LARGE_EPSILON,
    MORE_STEPS,
    NOISE,
    ONE_STEP,
    STRENGTHS,
    TRANSFER,
    Library,
)
from labelbench_evaluators.attack_protocols import EPSILONS, PROTOCOLS, paper_targets
from labelbench_evaluators.attack_search import NOBODY, Attacker, Survivors, downwards

Arrays = Mapping[str, np.ndarray]
Report = Callable[[float], None]
PAPER_EPSILONS = tuple(epsilon for epsilon in EPSILONS if epsilon)
# Looked at on clean images; the last is no attack of ours, but what a library that knows no decoder would follow.
PROBED_LOSSES = ("training", "cross-entropy", "margin", "dlr", "plain-cross-entropy")
EXAMPLES = 8


def measure(
    context: Context, strength: str, epsilons: tuple[float, ...], category: RunSpec | None, *, autoattack: bool
) -> Measurement:
    """Run a preset and judge it.

    Args:
        context: of the evaluation.
        strength: name of the preset.
        epsilons: in 1/255 of the range of pixels, rising.
        category: the run whose network a transferred attack follows, or None.
        autoattack: whether AutoAttack's gradient attacks are tried as well.

    Raises:
        Unavailable: AutoAttack is asked for and cannot be imported.
    """
    evaluation = _Evaluation(context, strength, epsilons, category, autoattack=autoattack)
    with frozen(evaluation.attacker.network):
        return evaluation.measure()


class _Evaluation:
    def __init__(
        self,
        context: Context,
        strength: str,
        epsilons: tuple[float, ...],
        category: RunSpec | None,
        *,
        autoattack: bool,
    ) -> None:
        self.context = context
        self.steps = epsilons
        self.epsilons = tuple(step / 255 for step in self.steps)
        self.names = tuple(f"{step:g}/255" for step in self.steps)
        self.strength_name = strength
        self.strength = STRENGTHS[strength]
        self.category = category
        self.attacker = Attacker(context)
        self.classes = self.attacker.classes
        self.right = context.labels.nearest(context.outputs()).numpy() == self.classes
        # Starts of its own for every attack: together they cover more of the ball.
        self.attacks = {
            name: replace(attack, seed=context.seed("attack", name))
            for name, attack in self.strength.attacks(context.labels.num_classes)
        }
        libraries = self.strength.libraries
        if autoattack:
            require_autoattack()
            libraries += (AUTOATTACK,)
        missing = {each.name: why_not(each, context.labels.num_classes) for each in libraries}
        self.libraries = [each for each in libraries if not missing[each.name]]
        self.left_out = {name: reason for name, reason in missing.items() if reason}
        picked = np.flatnonzero(self.right)[:: max(1, int(self.right.sum()) // self.strength.probed)]
        self.probed = np.zeros_like(self.right)
        self.probed[picked[: self.strength.probed]] = True
        self.parts_done = 0
        self.parts_expected = (
            len(self.attacks) + len(self.libraries) + self.strength.comparison + len(PROTOCOLS["paper"]) + 7
        )
        self.cost: dict[str, dict[str, int]] = {}
        self.zero: dict[str, list[int]] = {}

    def measure(self) -> Measurement:
        zero = self._zero_gradients()
        survivors = Survivors(self.classes, np.tile(self.right, (len(self.epsilons), 1)))
        self._search("pixels", survivors, {name: self._pixels(attack) for name, attack in self.attacks.items()})
        for library in self.libraries:
            part = self._part(library.name, self._library(library, survivors.alive))
            survivors.add(library.name, part["read"])
        gradient_alive = survivors.alive
        others = self._without_gradients(survivors)
        paper = self._paper_attacks()
        compared = self._at_paper_epsilons()
        checks = self._checks(gradient_alive, others["noise"])
        flags = {
            "overstated": diagnosis.overstated(
                {name: left.sum(axis=1) for name, left in paper.items()},
                survivors.alive.sum(axis=1),
                len(self.classes),
                self.names,
            ),
            "saturated-loss": diagnosis.saturated_loss(
                {loss: found for loss, found in zero.items() if loss != "plain-cross-entropy"}, int(self.right.sum())
            ),
            "masked-gradients": diagnosis.masked_gradients(
                {name: ((read != NOBODY) & gradient_alive).sum(axis=1) for name, read in others.items()},
                {name: (self._hits(read) & gradient_alive).sum(axis=1) for name, read in others.items()},
                self.names,
            ),
        }
        scores = [
            *self._shares("adaptive", self.steps, survivors.alive),
            *self._shares("paper", self.steps, self._strongest(paper)),
            *self._shares("at-paper-epsilon", PAPER_EPSILONS, compared),
            *self._shares("noise", self.steps, self._left(others["noise"])),
            *(
                Score(name, found.value, "share", False, note=found.evidence * found.raised, flag=name * found.raised)
                for name, found in flags.items()
            ),
        ]
        arrays = {
            "classes": self.classes.astype(np.int32),
            "right": self.right,
            "survived": survivors.alive,
            "broken_by": survivors.broken_by,
            "survived_at_paper_epsilons": compared,
            **self._part("examples", self._examples),
        }
        details = {
            "strength": self.strength_name,
            "settings": {name: asdict(self._pixels(attack)) for name, attack in self.attacks.items()},
            "libraries": [asdict(each) for each in (*self.libraries, self.strength.gradient_free)],
            "libraries_left_out": self.left_out,
            "attacks": survivors.names,
            "flags": {name: asdict(found) for name, found in flags.items()},
            "checks": {name: asdict(found) for name, found in checks.items()},
            "clean_zero_gradients": {"images": int(self.right.sum()), **zero},
            "zero_gradients": self.zero,
            "cost": self.cost,
            "cost_of_worst_case": self._total(survivors.names),
        }
        return Measurement(tuple(scores), arrays, details)

    # Parts

    def _part(self, name: str, compute: Callable[[Report], Mapping[str, np.ndarray]]) -> Arrays:
        """A part of the evaluation, its cost noted and its progress reported."""

        def report(share: float) -> None:
            self.context.report(f"attack {name}", min(1.0, (self.parts_done + share) / self.parts_expected))

        part = self.context.part(name, lambda: compute(report))
        self.parts_done += 1
        report(0)
        if "queries" in part:
            self.cost[name] = {key: int(part[key].sum()) for key in ("gradients", "queries")}
        if "zero" in part:
            self.zero[name] = [int(part["zero"].sum()), int(part["unbroken"].sum())]
        return part

    def _pixels(self, attack: Attack, **changes: Any) -> Attack:
        return replace(attack, epsilons=self.epsilons, **changes)

    def _noise(self) -> Attack:
        return self._pixels(NOISE, restarts=self.strength.noise, seed=self.context.seed("attack", "noise"))

    def _engine(self, attack: Attack, asked: np.ndarray, **rest: Any) -> Any:
        return lambda report: self.attacker.engine(attack, asked, report, **rest)

    def _downwards(self, attack: Attack, alive: np.ndarray, **rest: Any) -> Any:
        def compute(report: Report) -> Arrays:
            return downwards(self.classes, alive, lambda asked: self.attacker.engine(attack, asked, **rest))

        return compute

    def _library(self, library: Library, alive: np.ndarray) -> Any:
        def compute(report: Report) -> Arrays:
            return downwards(self.classes, alive, lambda asked: self.attacker.library(library, self.epsilons, asked))

        return compute

    def _search(self, prefix: str, survivors: Survivors, attacks: Mapping[str, Attack]) -> None:
        """The first attack at every epsilon in one pass, the others from the largest epsilon that was survived down."""
        for name, attack in attacks.items():
            how = self._downwards if survivors.names else self._engine
            part = self._part(f"{prefix} {name}", how(attack, survivors.alive))
            survivors.add(name, part["read"])

    def _total(self, names: list[str]) -> dict[str, int]:
        """Gradients and queries spent on the attacks of these names within pixel epsilons."""
        searched = [cost for part, cost in self.cost.items() if part.removeprefix("pixels ") in names]
        return {key: sum(cost[key] for cost in searched) for key in ("gradients", "queries")}

    def _zero_gradients(self) -> dict[str, int]:
        """Clean images read right whose input gradient is exactly zero, by loss."""

        def compute(report: Report) -> dict[str, np.ndarray]:
            found = {}
            for loss in PROBED_LOSSES:
                if self.context.labels.num_classes < loss_named(loss).min_classes[False]:
                    continue
                found[loss] = self.attacker.engine(replace(ONE_STEP, loss=loss), self.right[None])
            return {
                **{loss: part["zero"] for loss, part in found.items()},
                "gradients": np.array([part["gradients"].sum() for part in found.values()]),
                "queries": np.array([part["queries"].sum() for part in found.values()]),
            }

        part = self._part("gradients of clean images", compute)
        return {loss: int(part[loss].sum()) for loss in PROBED_LOSSES if loss in part}

    def _without_gradients(self, survivors: Survivors) -> dict[str, np.ndarray]:
        """What reads each survivor of the gradient attacks has under attacks that take no gradient of the network.

        Noise is tried on every image read right.
        """
        alive = survivors.alive
        square = self.strength.gradient_free
        found = {
            "noise": self._part(
                "noise",
                self._engine(self._noise(), np.tile(self.right, (len(self.names), 1))),
            )["read"],
            square.name: self._part(square.name, self._library(square, alive))["read"],
        }
        if self.category:
            network = self.context.trained(self.category).network
            source = GradientSource(network, label("category", self.context.dataset))
            found["transfer"] = self._part("transfer", self._engine(self._pixels(TRANSFER), alive, source=source))[
                "read"
            ]
        for name, read in found.items():
            survivors.add(name, read)
        return found

    def _paper_attacks(self) -> dict[str, np.ndarray]:
        """``(epsilons, n)`` bool: what each of the paper's attacks leaves within the same balls of pixels."""
        everyone = np.tile(self.right, (len(self.names), 1))
        targets = paper_targets(self.classes, self.context.labels.num_classes)
        left = {}
        for name, attack in PROTOCOLS["paper"].items():
            in_pixels = self._pixels(attack, units="pixels")
            part = self._part(f"paper {name}", self._engine(in_pixels, everyone, targets=targets))
            left[name] = part["read"] == self.classes
        return left

    def _at_paper_epsilons(self) -> np.ndarray:
        """``(epsilons, n)`` bool: what survives the first attacks of the preset at the paper's epsilons."""
        survivors = Survivors(self.classes, np.tile(self.right, (len(PAPER_EPSILONS), 1)))
        chosen = list(self.attacks.items())[: self.strength.comparison]
        in_units = {name: replace(each, units="normalised", epsilons=PAPER_EPSILONS) for name, each in chosen}
        self._search("normalised", survivors, in_units)
        return survivors.alive

    def _checks(self, gradient_alive: np.ndarray, noise: np.ndarray) -> dict[str, diagnosis.Finding]:
        """What must hold of any attack that is worth its name."""
        asked = np.tile(self.probed, (len(self.names), 1))

        def more(report: Report) -> dict[str, np.ndarray]:
            parts = {steps: self.attacker.engine(self._pixels(attack), asked) for steps, attack in MORE_STEPS.items()}
            return {
                "left": np.array([(part["read"] == self.classes).sum(axis=1) for part in parts.values()]),
                "gradients": np.array([part["gradients"].sum() for part in parts.values()]),
                "queries": np.array([part["queries"].sum() for part in parts.values()]),
            }

        left = self._part("more steps", more)["left"]
        large = self._part("large epsilon", self._engine(LARGE, self.probed[None]))["read"]
        count = int(self.probed.sum())
        return {
            "noise": diagnosis.noise_is_weaker(
                self._left(noise).sum(axis=1), gradient_alive.sum(axis=1), int(self.right.sum()), self.names
            ),
            "more-steps": diagnosis.more_steps_help(dict(zip(MORE_STEPS, left, strict=True)), count),
            "large-epsilon": diagnosis.large_epsilon_breaks(int((large == self.classes).sum()), count, LARGE_EPSILON),
        }

    def _examples(self, report: Report) -> dict[str, np.ndarray]:
        """A few images, clean and at the smallest epsilon that breaks them (else the largest), as 8-bit pixels."""
        chosen = np.flatnonzero(self.right)
        chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, EXAMPLES).astype(int))] if len(chosen) else chosen
        clean = np.array(self.attacker.test.images[chosen])
        attack = self._pixels(next(iter(self.attacks.values())))
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

    # Scores

    def _hits(self, read: np.ndarray) -> np.ndarray:
        return np.asarray((read != NOBODY) & (read != self.classes))

    def _left(self, read: np.ndarray) -> np.ndarray:
        """``(epsilons, n)`` bool: read right without an attack and with it, also within every smaller ball."""
        return np.asarray(self.right & ~np.logical_or.accumulate(self._hits(read), axis=0))

    def _strongest(self, left: Mapping[str, np.ndarray]) -> np.ndarray:
        """``(epsilons, n)`` bool: at each epsilon, what the attack leaves that leaves least."""
        return np.stack([min(rows, key=np.sum) for rows in zip(*left.values(), strict=True)])

    def _shares(self, name: str, epsilons: tuple[float, ...], survived: np.ndarray) -> list[Score]:
        """Accuracy over all images, and over those read right without an attack."""
        scores = []
        for epsilon, row in zip(epsilons, survived, strict=True):
            left, right = int(row.sum()), int(self.right.sum())
            scores.append(Score.share(f"{name}/{epsilon:g}", left, len(row), at=epsilon))
            scores.append(Score.share(f"{name}/{epsilon:g}/of-correct", left, right, at=epsilon))
        return scores
