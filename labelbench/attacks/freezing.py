"""A network for a while without parameter gradients, as attacks use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from labelbench.attacks.passes import Passes, passes_of


@contextmanager
def frozen(network: nn.Module) -> Iterator[Passes]:
    """Eval mode without parameter gradients for the block; everything is put back after it.

    Outputs and gradients keep their bits; on a CPU the gradients of batch norms take a quarter of the time. Attacks
    within one block share what they prepare on a GPU, and so do blocks within it.

    Yields:
        its passes, for this block alone: ``outputs(images)`` for normalised images without gradient, and
        ``gradient(images, value)``, that of ``value(outputs)`` by them, with the outputs. On a GPU what they give is
        overwritten by the next pass.
    """
    training = {module: module.training for module in network.modules()}
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d) and _is_torchs(module)]
    try:
        network.eval()
        for parameter in wanted:
            parameter.requires_grad_(False)
        for norm in norms:
            norm.forward = partial(_normalised, norm)  # type: ignore[method-assign]
        with passes_of(network) as passes:
            yield passes
    finally:
        for module, mode in training.items():
            module.training = mode
        for parameter in wanted:
            parameter.requires_grad_(True)
        for norm in norms:
            vars(norm).pop("forward", None)


def _is_torchs(norm: nn.BatchNorm2d) -> bool:
    """Whether it scales and shifts each channel in eval mode, by torch's own method."""
    own_forward = type(norm) is not nn.BatchNorm2d or "forward" in vars(norm)
    return not own_forward and norm.affine and norm.running_var is not None


def _normalised(norm: nn.BatchNorm2d, images: Tensor) -> Tensor:
    differentiable = torch.is_grad_enabled() and images.requires_grad and not norm.training
    if differentiable and images.dtype == torch.float32 and images.device.type == "cpu":
        normalised: Tensor = _FrozenNorm.apply(norm, images)
        return normalised
    return nn.BatchNorm2d.forward(norm, images)


class _FrozenNorm(torch.autograd.Function):
    """Batch norm in eval mode, whose gradient by the images scales each channel.

    Torch's own also sums over all images for the gradients of the parameters, even where nobody wants these.
    """

    @staticmethod
    def forward(ctx: Any, norm: nn.BatchNorm2d, images: Tensor) -> Tensor:
        assert norm.running_var is not None
        # Torch's gradient adds epsilon in float64.
        inverse_deviation = (1 / (norm.running_var.double() + norm.eps).sqrt()).float()
        ctx.save_for_backward(inverse_deviation, norm.weight)
        return nn.BatchNorm2d.forward(norm, images)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        inverse_deviation, weight = ctx.saved_tensors
        # In the order in which torch multiplies, since another would round otherwise.
        return None, (gradients[0] * inverse_deviation.view(-1, 1, 1)).mul_(weight.view(-1, 1, 1))
