"""What the numbers of an attack say about the attack itself: findings and checks, each with its evidence in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

OVERSTATED_GAP = 0.10
SATURATED_SHARE = 0.01
MASKED_SHARE = 0.02
# Fewer images than these are chance, whatever share of few they are.
LEAST_IMAGES = 3
NOTHING_LEFT = 0.02
MORE_STEPS_SLACK = 0.02


@dataclass(frozen=True)
class Finding:
    """One thing found, or not.

    Attributes:
        value: the number that decides, a share.
        raised: True if something is wrong.
        evidence: what was measured, in words.
    """

    value: float
    raised: bool
    evidence: str


def overstated(paper: Mapping[str, np.ndarray], adaptive: np.ndarray, count: int, epsilons: Sequence[str]) -> Finding:
    """Whether the paper's attack leaves over 10 points more accuracy than the adaptive one at the same epsilon.

    At each epsilon the paper's attack is the one of its four that leaves least.

    Args:
        paper: images left at each epsilon, ``(epsilons,)``, by attack.
        adaptive: images that the adaptive attack leaves at each epsilon.
        count: images in all.
        epsilons: names of the epsilons.
    """
    strongest = [min(paper, key=lambda name: paper[name][index]) for index in range(len(epsilons))]
    more = [int(paper[name][index] - adaptive[index]) for index, name in enumerate(strongest)]
    worst = int(np.argmax(more))
    share = more[worst] / max(1, count)
    evidence = (
        f"at {epsilons[worst]} the strongest of the paper's attacks, {strongest[worst]}, leaves "
        f"{paper[strongest[worst]][worst] / max(1, count):.1%} of {count:,} images, "
        f"the adaptive attack {adaptive[worst] / max(1, count):.1%}"
    )
    return Finding(share, share > OVERSTATED_GAP and more[worst] >= LEAST_IMAGES, evidence)


def saturated_loss(zero: Mapping[str, int], count: int) -> Finding:
    """Whether a loss has exactly zero gradients where the network has none: over 1 % more than the margin.

    The margin is linear in the decoder's logits and cannot saturate: where its gradient is zero as well, the network
    stops gradients, and no loss does.

    Args:
        zero: clean images whose input gradient is exactly zero, by loss; ``margin`` is one of them.
        count: how many images were looked at.
    """
    if not count:
        return Finding(0.0, False, "no image is read right")
    beyond = {loss: (found - zero["margin"]) / count for loss, found in zero.items()}
    worst = max(beyond, key=lambda loss: beyond[loss])
    shares = ", ".join(f"{loss} {found / count:.1%}" for loss, found in zero.items())
    raised = beyond[worst] > SATURATED_SHARE and zero[worst] - zero["margin"] >= LEAST_IMAGES
    evidence = f"exactly zero gradients on {count:,} clean images: {shares}"
    if zero["margin"] > SATURATED_SHARE * count:
        evidence += "; the network itself stops the gradient where margin has none"
    return Finding(max(0.0, beyond[worst]), raised, evidence)


def masked_gradients(
    tried: Mapping[str, np.ndarray], broken: Mapping[str, np.ndarray], epsilons: Sequence[str]
) -> Finding:
    """Whether something that needs no gradient of this network breaks over 2 % of what survives every gradient attack.

    Args:
        tried: images tried at each epsilon, ``(epsilons,)``, by attack.
        broken: how many of them it broke.
        epsilons: names of the epsilons.
    """
    cells = [
        (int(broken[name][index]) / int(tried[name][index]), int(broken[name][index]), name, index)
        for name in tried
        for index in range(len(epsilons))
        if tried[name][index]
    ]
    if not cells:
        return Finding(0.0, False, "nothing survived the gradient attacks, so nothing can have been hidden from them")
    # What is raised first comes first, then what is largest.
    share, hits, name, index = max(cells, key=lambda cell: (_hides(cell[0], cell[1]), cell))
    evidence = (
        f"of {int(tried[name][index]):,} images that survive every gradient attack at {epsilons[index]}, "
        f"{name} breaks {hits:,} ({share:.1%})"
    )
    return Finding(share, _hides(share, hits), evidence)


def _hides(share: float, hits: int) -> bool:
    return share > MASKED_SHARE and hits >= LEAST_IMAGES


def more_steps_help(left: Mapping[int, np.ndarray], count: int) -> Finding:
    """Whether an attack with more steps leaves more images than one with fewer, beyond 2 % of them.

    Args:
        left: images left at each epsilon, ``(epsilons,)``, by number of steps.
        count: images attacked.
    """
    steps = sorted(left)
    rises = [(int((left[more] - left[fewer]).max()), fewer, more) for fewer, more in pairwise(steps)]
    rise, fewer, more = max(rises)
    share = max(0, rise) / max(1, count)
    table = ", ".join(f"{number} steps {left[number].tolist()}" for number in steps)
    evidence = f"images left of {count:,} at each epsilon: {table}"
    if share > MORE_STEPS_SLACK:
        evidence = f"{more} steps leave {rise:,} images more than {fewer}; {evidence}"
    return Finding(share, share > MORE_STEPS_SLACK, evidence)


def large_epsilon_breaks(left: int, count: int, epsilon: float) -> Finding:
    """Whether anything survives an attack that may change every pixel by ``epsilon``, over 2 % of ``count`` images."""
    share = left / max(1, count)
    evidence = f"{left:,} of {count:,} images survive epsilon {epsilon:g} in pixels"
    return Finding(share, share > NOTHING_LEFT, evidence)


def noise_is_weaker(noise: np.ndarray, adaptive: np.ndarray, count: int, epsilons: Sequence[str]) -> Finding:
    """Whether random noise leaves fewer images than the gradient attacks of the same size.

    Args:
        noise, adaptive: images left at each epsilon, ``(epsilons,)``.
        count: images attacked.
        epsilons: names of the epsilons.
    """
    worst = int(np.argmax(adaptive - noise))
    share = max(0, int(adaptive[worst] - noise[worst])) / max(1, count)
    evidence = f"at {epsilons[worst]} noise leaves {int(noise[worst]):,} of {count:,} images, "
    evidence += f"the gradient attacks {int(adaptive[worst]):,}"
    return Finding(share, share > 0, evidence)
