"""Where the points of an attack may go, and how they get there: what its settings say, whatever the network is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from labelbench.attacks.attack import Attack
from labelbench.attacks.images import put
from labelbench.attacks.rows import Rows


def bounds(attack: Attack, origin: Tensor, epsilon: Tensor, limits: Tensor) -> tuple[Tensor, Tensor]:
    """Least and greatest values of points around ``origin``, broadcastable to it.

    Args:
        attack: its settings.
        origin: clean images, ``(rows, 3, height, width)``.
        epsilon: radius of the ball of each, ``(rows, 1, 1, 1)``.
        limits: least and greatest value that any pixel may have, ``(2, 3, 1, 1)``.
    """
    if attack.projection == "linf":
        low, high = origin - epsilon, origin + epsilon
    else:
        low, high = torch.full_like(epsilon, -torch.inf), torch.full_like(epsilon, torch.inf)
    if attack.clamp == "none":
        return low, high
    least, most = limits
    if attack.clamp == "image":
        least, most = origin.amin((1, 2, 3), keepdim=True), origin.amax((1, 2, 3), keepdim=True)
    return low.clamp(least, most), high.clamp(least, most)


def random_directions(attack: Attack, restart: int, chosen: np.ndarray, like: Tensor) -> Tensor:
    """Uniform numbers in [-1, 1) for the images ``chosen``, and -1 for those that fill the batch ``like``.

    They are drawn for each image on its own, so that a start depends on no other image and on no batch size.
    """
    noise = np.zeros(like.shape, np.float32)
    for index, drawn in zip(chosen, noise, strict=False):
        np.random.default_rng((attack.seed, restart, int(index))).random(out=drawn, dtype=np.float32)
    # Laid out as the image is: adding two layouts takes several times as long.
    return torch.empty_like(like).copy_(put(noise, like.device)).mul_(2).sub_(1)


def advance(attack: Attack, rows: Rows, step: int, *, broken_stand: bool) -> None:
    """One step along the sign of the gradient.

    Args:
        attack: its settings.
        rows: moved.
        step: number of the step, from 0.
        broken_stand: whether rows that are under attack no more may be among them, which stand still.
    """
    rows.total = rows.total + rows.gradient if attack.gradient == "accumulated" else rows.gradient
    size = rows.epsilon * attack.step_at(step)
    moved = rows.total.sign().mul_(size).add_(rows.points).clamp_(rows.low, rows.high)
    if attack.momentum and step:
        inertia = (rows.points - rows.previous).mul_(attack.momentum)
        moved = (moved - rows.points).mul_(1 - attack.momentum).add_(rows.points).add_(inertia)
        moved.clamp_(rows.low, rows.high)
    if broken_stand:
        moved = torch.where(rows.active.view(-1, 1, 1, 1), moved, rows.points)
    rows.previous, rows.points = rows.points, moved
