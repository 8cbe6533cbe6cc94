"""What an adaptive evaluation found, as scores, arrays and findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from labelbench import Context, Measurement, RunSpec, Score, frozen
from labelbench_evaluators import attack_diagnosis as diagnosis
from labelbench_evaluators.attack_parts import PAPER_EPSILONS, Parts
from labelbench_evaluators.attack_presets import LARGE_EPSILON, STRENGTHS
from labelbench_evaluators.attack_search import NOBODY


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
    parts = Parts(context, STRENGTHS[strength], epsilons, category, autoattack=autoattack)
    with frozen(parts.attacker.network):
        return _measured(parts, strength, epsilons)


def _measured(parts: Parts, strength: str, epsilons: tuple[float, ...]) -> Measurement:
    right, names = parts.right, parts.names
    count = int(right.sum())
    zero = parts.zero_gradients()
    survivors = parts.by_gradients()
    gradient_alive = survivors.alive
    others = parts.without_gradients(survivors)
    hits = {name: (read != NOBODY) & (read != parts.classes) for name, read in others.items()}
    paper = parts.paper_attacks()
    compared = parts.at_paper_epsilons()
    more_steps = parts.more_steps()
    large = parts.at_a_large_epsilon()
    # Read right without an attack and with it, also within every smaller ball.
    noise_left = right & ~np.logical_or.accumulate(hits["noise"], axis=0)
    checks = {
        "noise": diagnosis.noise_is_weaker(noise_left.sum(axis=1), gradient_alive.sum(axis=1), count, names),
        "more-steps": diagnosis.more_steps_help(more_steps, int(parts.probed.sum())),
        "large-epsilon": diagnosis.large_epsilon_breaks(large, int(parts.probed.sum()), LARGE_EPSILON),
    }
    flags = {
        "overstated": diagnosis.overstated(
            {name: left.sum(axis=1) for name, left in paper.items()},
            survivors.alive.sum(axis=1),
            len(right),
            names,
        ),
        "saturated-loss": diagnosis.saturated_loss(
            {loss: found for loss, found in zero.items() if loss != "plain-cross-entropy"}, count
        ),
        "masked-gradients": diagnosis.masked_gradients(
            {name: ((read != NOBODY) & gradient_alive).sum(axis=1) for name, read in others.items()},
            {name: (found & gradient_alive).sum(axis=1) for name, found in hits.items()},
            names,
        ),
    }
    # At each epsilon, what the attack leaves that leaves least.
    strongest = np.stack([min(rows, key=np.sum) for rows in zip(*paper.values(), strict=True)])
    scores = [
        *_shares("adaptive", epsilons, survivors.alive, count),
        *_shares("paper", epsilons, strongest, count),
        *_shares("at-paper-epsilon", PAPER_EPSILONS, compared, count),
        *_shares("noise", epsilons, noise_left, count),
        *(
            Score(name, found.value, "share", False, note=found.evidence * found.raised, flag=name * found.raised)
            for name, found in flags.items()
        ),
    ]
    arrays = {
        "classes": parts.classes.astype(np.int32),
        "right": right,
        "survived": survivors.alive,
        "broken_by": survivors.broken_by,
        "survived_at_paper_epsilons": compared,
        **parts.examples(),
    }
    details = {
        "strength": strength,
        "settings": {name: asdict(parts.in_pixels(attack)) for name, attack in parts.attacks.items()},
        "libraries": [asdict(each) for each in (*parts.libraries, parts.strength.gradient_free)],
        "libraries_left_out": parts.left_out,
        "attacks": survivors.names,
        "flags": {name: asdict(found) for name, found in flags.items()},
        "checks": {name: asdict(found) for name, found in checks.items()},
        "clean_zero_gradients": {"images": count, **zero},
        "zero_gradients": parts.zero,
        "cost": parts.cost,
        "cost_of_worst_case": _total(parts.cost, survivors.names),
    }
    return Measurement(tuple(scores), arrays, details)


def _total(costs: Mapping[str, Mapping[str, int]], names: list[str]) -> dict[str, int]:
    """Gradients and queries spent on the attacks of these names within pixel epsilons."""
    searched = [cost for part, cost in costs.items() if part.removeprefix("pixels ") in names]
    return {key: sum(cost[key] for cost in searched) for key in ("gradients", "queries")}


def _shares(name: str, epsilons: tuple[float, ...], survived: np.ndarray, right: int) -> list[Score]:
    """Accuracy over all images, and over the ``right`` ones that are read right without an attack."""
    scores = []
    for epsilon, row in zip(epsilons, survived, strict=True):
        left = int(row.sum())
        scores.append(Score.share(f"{name}/{epsilon:g}", left, len(row), at=epsilon))
        scores.append(Score.share(f"{name}/{epsilon:g}/of-correct", left, right, at=epsilon))
    return scores
