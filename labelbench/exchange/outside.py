"""A network of any make as the benchmark sees networks: pixels in, outputs of the label's shape out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labelbench.errors import InputError, one_line
from labelbench.labels import LabelSet
from labelbench.networks import Network


class _Body(nn.Module):
    """Everything of a network from elsewhere, where a backbone of ours would stand."""

    num_features = 1

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.module(images)
        return outputs


class OutsideNetwork(Network):
    """A network trained elsewhere.

    Args:
        module: images ``(batch, 3, height, width)`` to outputs of the label's shape, flattened or not.
        shape: of one label.
        mean, std: that the module's images are normalised with; 0 and 1 for one that takes pixels in [0, 1].
    """

    def __init__(self, module: nn.Module, shape: Sequence[int], mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(_Body(module), (1,), mean, std)
        self.head.layers = nn.Identity()
        self.head.shape = tuple(shape)

    def features(self, pixels: Tensor) -> Tensor:
        """What the last linear layer is given, ``(batch, features)``; outputs, flat, where there is none."""
        seen: list[Tensor] = []
        linear = [module for module in self.backbone.modules() if isinstance(module, nn.Linear)]
        hooks = [each.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0])) for each in linear]
        try:
            outputs = self(pixels)
        finally:
            for hook in hooks:
                hook.remove()
        return (seen[-1] if seen and len(seen[-1]) == len(pixels) else outputs).flatten(1)


def outside_network(
    module: nn.Module, labels: LabelSet, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]
) -> Network:
    """``module`` as the benchmark sees it, in eval mode, after a look at what it gives for two images.

    Args:
        module: as for :class:`OutsideNetwork`; a :class:`labelbench.Network` is taken as it is.
        labels: what its outputs are compared with.
        size: height and width of the images.
        mean, std: as for :class:`OutsideNetwork`.

    Raises:
        InputError: it fails, or gives outputs of another size.
    """
    module.eval()
    device = next((tensor.device for tensor in module.state_dict().values()), torch.device("cpu"))
    try:
        with torch.no_grad():
            outputs = module(torch.full((2, 3, *size), 0.5, device=device))
    except Exception as error:  # a network from elsewhere can fail in any way
        raise InputError(
            f"the network fails on images of shape (2, 3, {size[0]}, {size[1]}): {one_line(error)}"
        ) from error
    wanted = math.prod(labels.shape)
    if not isinstance(outputs, Tensor) or len(outputs) != 2 or outputs.numel() != 2 * wanted:
        given = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise InputError(
            f"the network gives {given} for 2 images; its label has shape {labels.shape}: expected (2, {wanted}), or "
            "name another label (a classifier's logits are label category)"
        )
    return module if isinstance(module, Network) else OutsideNetwork(module, labels.shape, mean, std).eval()
