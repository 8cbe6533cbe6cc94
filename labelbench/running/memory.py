"""Whether one more training fits into the memory of a GPU: looked at before it is begun."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelbench.networks import Network

# What libraries, captured steps and fragments take beside tensors, and what is left free for those who measure.
_OVERHEAD, _KEPT_FREE = 512 << 20, 1 << 30
# Activations that a backward pass makes anew beside those it was left.
_BACKWARD = 1.5
_BORDER = 8


@dataclass
class Memory:
    """What trainings on one GPU need: estimated before the first of a kind, and measured with it.

    Attributes:
        measured: bytes of one training, by kind.
    """

    measured: dict[object, int] = field(default_factory=dict)

    def fits(self, kind: object, estimate: Callable[[], int], free: int) -> bool:
        """Whether one more training fits into ``free`` bytes; ``estimate`` says its size if none was measured."""
        return (self.measured[kind] if kind in self.measured else estimate()) + _KEPT_FREE <= free

    def learn(self, kind: object, before: int, after: int) -> None:
        """A training of a kind was begun, and left ``after`` of the ``before`` bytes that were free."""
        self.measured[kind] = max(self.measured.get(kind, 0), before - after)


def needed_memory(network: Network, image_size: tuple[int, int], batch: int, images: int) -> int:
    """Bytes that a training takes on a GPU, estimated by a forward pass without values, in float32.

    Args:
        network: untrained, on any device.
        image_size: ``(height, width)``.
        batch: images of a step.
        images: training and validation images kept on the device.
    """
    import torch

    twin = copy.deepcopy(network).to("meta").train()
    saved: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[int(storage._cdata)] = int(storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = twin(torch.zeros(batch, 3, *image_size, device="meta"))
    weights = sum(int(tensor.nbytes) for tensor in network.state_dict().values())
    pixels = images * 3 * (image_size[0] + _BORDER) * (image_size[1] + _BORDER)
    activations = round(_BACKWARD * (sum(saved.values()) + int(outputs.nbytes)))
    # Weights, their gradients, momentum, the best so far, and a copy on the way to the disk.
    return 5 * weights + activations + pixels + _OVERHEAD
