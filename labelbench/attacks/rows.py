"""The perturbed images of one batch of an attack."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from torch import Tensor


@dataclass(eq=False)
class Rows:
    """The perturbed images of one batch; all tensors have one entry per row.

    ``active`` marks rows under attack, the others are broken or fill the batch; ``index`` says where a row's finding
    belongs, ``low`` and ``high`` how far its points may go, ``gradient`` is that at ``points``, and ``read`` the class
    decoded there, or -1 where it was not decoded.
    """

    active: Tensor
    index: Tensor
    low: Tensor
    high: Tensor
    points: Tensor
    previous: Tensor
    gradient: Tensor
    total: Tensor
    read: Tensor
    epsilon: Tensor
    classes: Tensor
    targets: Tensor

    def take(self, kept: Tensor) -> Rows:
        """Some of the rows; what was one tensor under several names still is one."""
        tensors = [getattr(self, field.name) for field in fields(self)]
        taken: dict[int, Tensor] = {}
        for tensor in tensors:
            if id(tensor) not in taken:
                taken[id(tensor)] = tensor[kept]
        return Rows(*(taken[id(tensor)] for tensor in tensors))


def filled_up(indices: np.ndarray, size: int) -> np.ndarray:
    """``size`` indices: those given, and the first of them again and again."""
    return np.concatenate([indices, np.repeat(indices[:1], size - len(indices))])
