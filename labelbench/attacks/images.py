"""The images of an attack on its device, and how arrays get there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from labelbench.networks import Network

# Images up to this size are copied to another device once, and not batch by batch.
_HELD_BYTES = 1 << 30


class Images:
    """The images of an attack, as pixels on a device.

    Args:
        given: ``(n, 3, height, width)`` float32 pixels in [0, 1], or ``(n, height, width, 3)`` uint8.
        device: of the network.
    """

    def __init__(self, given: Tensor | np.ndarray, device: torch.device) -> None:
        self.given = given
        self.device = device
        self._held: Tensor | None = None
        if device.type != "cpu" and given.nbytes <= _HELD_BYTES:
            self._held = tensor_of(given).to(device)

    def __len__(self) -> int:
        return len(self.given)

    def pixels(self, chosen: np.ndarray) -> Tensor:
        """Images of these indices, ``(n, 3, height, width)`` float32 pixels in [0, 1]."""
        if self._held is not None:
            found = self._held[put(chosen, self.device)]
        else:
            found = tensor_of(self.given[chosen]).to(self.device)
        if found.dtype == torch.uint8:
            found = Network.pixels(found)
        return found.to(torch.float32)


def tensor_of(given: Tensor | np.ndarray) -> Tensor:
    """Arrays are copied, since they may be read-only."""
    return torch.as_tensor(given if isinstance(given, Tensor) else np.array(given))


def put(array: np.ndarray, device: torch.device) -> Tensor:
    """An array on a device; nothing waits until it is there."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
