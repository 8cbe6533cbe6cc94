"""Accuracy under the attacks of the paper (section 4.4), as its code runs them or corrected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from labelbench import Context, Curve, Evaluator, Headline, Measurement, Needs, RunSpec, Score, hookimpl
from labelbench_evaluators.attack_axes import NORMALISED, ROBUSTNESS

if TYPE_CHECKING:
    from labelbench import Attack, Network

# Of images that are read right: two of the attacks follow one gradient and two follow 25, at six epsilons.
_PASSES = 2 * (3 * 1 + 6) + 2 * (3 * 25 + 6)


@dataclass(frozen=True)
class PaperAttacks(Evaluator):
    """FGSM and the iterative attack, untargeted and targeted, at seven epsilons in normalised units.

    Only images that are classified right are attacked; accuracy counts the true class, over all test images and over
    those classified right.

    Attributes:
        protocol: ``"paper"`` repeats the official code; ``"corrected"`` clamps to the range of pixels, follows fresh
            gradients, and counts how often a targeted attack reaches its target as well.
    """

    protocol: str = "paper"
    explanations = MappingProxyType(
        {
            "fgsm-untargeted": "accuracy after one step of size epsilon away from the true label",
            "fgsm-targeted": "accuracy after one step of size epsilon towards another class's label",
            "iterative-untargeted": "accuracy after five steps of epsilon / 5 away from the true label",
            "iterative-targeted": "accuracy after five steps of epsilon / 5 towards another class's label",
        }
    )
    # About 2.5/255: FGSM and the iterative attack still tell labels apart there.
    headline = (
        Headline("fgsm-untargeted/0.05", "FGSM 0.05"),
        Headline("iterative-untargeted/0.05", "iterative 0.05", "Robustness under the paper's iterative attack"),
    )
    curves = (
        Curve("fgsm-untargeted", NORMALISED, "FGSM, untargeted"),
        Curve("fgsm-targeted", NORMALISED, "FGSM, targeted"),
        Curve("iterative-untargeted", NORMALISED, "iterative, untargeted"),
        Curve("iterative-targeted", NORMALISED, "iterative, targeted"),
    )
    section = ROBUSTNESS

    def needs(self, run: RunSpec) -> Needs:
        """The network itself."""
        return Needs((run,), passes=_PASSES)

    def evaluate(self, context: Context) -> Measurement:
        """Four attacks, each a part of its own; epsilons are in normalised units, 0.3 is about 15.4 / 255."""
        from labelbench import frozen
        from labelbench_evaluators.attack_protocols import PROTOCOLS, TARGET_SEED, paper_targets

        classes = np.asarray(context.test.classes)
        targets = paper_targets(classes, context.labels.num_classes)
        clean = context.labels.nearest(context.outputs()).numpy()
        attacks = PROTOCOLS[self.protocol]
        scores: list[Score] = []
        arrays = {"classes": classes, "targets": targets, "clean": clean}
        cost = {}
        with ExitStack() as prepared:
            network, coarse = networks_of(context)
            for each in {network, coarse}:
                prepared.enter_context(frozen(each))
            for done, (name, attack) in enumerate(attacks.items()):

                def report(share: float, name: str = name, done: int = done) -> None:
                    context.report(f"attack {name}", (done + share) / len(attacks))

                def compute(attack: Attack = attack, report: Callable[[float], None] = report) -> dict[str, np.ndarray]:
                    # Several steps may follow coarse gradients. What they lead to is always read in float32.
                    followed = coarse if attack.steps > 1 else network
                    return attacked(context, network, followed, attack, clean, targets, report)

                part = context.part(name, compute)
                arrays[name] = part["predictions"]
                cost[name] = {"gradients": int(part["gradients"].sum()), "queries": int(part["queries"].sum())}
                scores += self._scores(name, attack, part["predictions"], arrays)
        small = {name: array.astype(np.int32) for name, array in arrays.items()}
        details = {
            "protocol": self.protocol,
            "settings": {name: asdict(attack) for name, attack in attacks.items()},
            "target_seed": TARGET_SEED,
            "cost": cost,
        }
        return Measurement(tuple(scores), small, details)

    def _scores(
        self, name: str, attack: Attack, predictions: np.ndarray, arrays: Mapping[str, np.ndarray]
    ) -> list[Score]:
        right = arrays["clean"] == arrays["classes"]
        scores = []
        for epsilon, row in zip(attack.epsilons, predictions, strict=True):
            kept = int((row == arrays["classes"]).sum())
            scores.append(Score.share(f"{name}/{epsilon:g}", kept, len(row), at=epsilon))
            scores.append(Score.share(f"{name}/{epsilon:g}/of-correct", kept, int(right.sum()), at=epsilon))
            if attack.targeted and self.protocol == "corrected":
                hits = int((right & (row == arrays["targets"])).sum())
                name_of_hits = f"{name}/{epsilon:g}/target-hit"
                scores.append(Score.share(name_of_hits, hits, len(row), higher_is_better=False, at=epsilon))
        return scores


def networks_of(context: Context) -> tuple[Network, Network]:
    """The network as it is attacked, and one to take gradients from: itself, or fast on a CPU a coarser copy.

    On an H200 a bfloat16 copy led attacks astray, why is not known: speech labels kept 66 % of their images at 0.05,
    where steps along float32 gradients of the same loss leave 23 % at 0.04.
    """
    from labelbench import folded

    network, numerics = context.trained().network, context.run.numerics
    if numerics.mode != "fast":
        return network, network
    attacked = folded(network)
    coarse = numerics.precision == "bfloat16" and numerics.device == "cpu"
    return attacked, folded(network, "bfloat16") if coarse else attacked


def attacked(
    context: Context,
    network: Network,
    followed: Network,
    attack: Attack,
    clean: np.ndarray,
    targets: np.ndarray,
    report: Callable[[float], None],
) -> dict[str, np.ndarray]:
    """Classes decoded after ``attack`` on the test images that are classified right; the others keep their class.

    Args:
        context: gives labels and test images.
        network: attacked.
        followed: ``network`` or a copy of it, whose gradients are followed.
        attack: what to do at every epsilon.
        clean: ``(n,)`` classes decoded without attack.
        targets: ``(n,)`` classes that a targeted attack aims at.
        report: told the share done, 0 to 1.

    Returns:
        ``predictions`` ``(epsilons, n)`` int64; ``gradients``, ``unbroken`` and ``zero_gradients`` ``(steps,)`` and
        ``queries`` ``(1,)`` int64, the counts of :class:`labelbench.AttackResult`.
    """
    from labelbench import GradientSource, run_attack

    test = context.test
    asked = np.tile(clean == test.classes, (len(attack.epsilons), 1))
    source = None if followed is network else GradientSource(followed, context.labels, is_copy=True)
    found = run_attack(
        attack,
        network,
        context.labels,
        test.images,
        test.classes,
        targets,
        source=source,
        asked=asked,
        report=report,
    )
    return {
        "predictions": np.where(asked, found.predictions, clean),
        "gradients": found.gradients,
        "unbroken": found.unbroken,
        "zero_gradients": found.zero_gradients,
        "queries": np.array([found.queries]),
    }


def attacks_paper(protocol: Literal["paper", "corrected"] = "paper") -> PaperAttacks:
    """Accuracy under the paper's FGSM and iterative attacks, untargeted and targeted; corrected without quirks."""
    return PaperAttacks(protocol)


@hookimpl
def register_evaluators() -> Mapping[str, Callable[..., Evaluator]]:
    """The paper's attacks."""
    return {"attacks-paper": attacks_paper}
