"""A faster copy of a network in eval mode: fewer and quicker layers, and lower precision if wanted."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from labelbench.networks import Network

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def folded(network: Network, precision: str = "float32") -> Network:
    """A copy in eval mode, without parameter gradients, whose outputs are those of ``network`` up to rounding.

    Batch norms are folded into the convolutions before them, and transposed convolutions that double height and width
    are computed as ordinary ones. A backbone that cannot be traced, because its forward pass depends on values, is
    copied as it is.

    Args:
        network: left as it is.
        precision: name of the floating point type that weights and activations get; normalisation stays in float32.
    """
    made = copy.deepcopy(network).eval().requires_grad_(False)
    made.backbone = _folded(made.backbone)
    made.head.layers = _folded(made.head.layers)
    if precision != "float32":
        dtype: torch.dtype = getattr(torch, precision)
        made.backbone = nn.Sequential(_Cast(dtype), made.backbone.to(dtype))
        made.head.to(dtype)
    return made.to(memory_format=torch.channels_last)


class _Cast(nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, images: Tensor) -> Tensor:
        return images.to(self.dtype)


def _folded(module: nn.Module) -> nn.Module:
    """``module`` with every batch norm folded that follows a convolution nothing else reads."""
    try:
        traced = torch.fx.symbolic_trace(module)
    except Exception:  # a backbone may do anything that tracing cannot follow
        return module
    modules = dict(traced.named_modules())
    calls = [node for node in traced.graph.nodes if node.op == "call_module"]
    targets = [str(node.target) for node in calls]
    for node in calls:
        norm = modules[str(node.target)]
        before = node.args[0] if node.args else None
        if not isinstance(norm, _NORMS) or norm.running_mean is None:
            continue
        if not isinstance(before, torch.fx.Node) or before not in calls:
            continue
        convolution = modules[str(before.target)]
        shared = len(before.users) > 1 or targets.count(str(before.target)) > 1 or targets.count(str(node.target)) > 1
        if not isinstance(convolution, _CONVOLUTIONS) or shared:
            continue
        fused = fuse_conv_bn_eval(convolution, norm, transpose=isinstance(convolution, _TRANSPOSED))
        traced.set_submodule(str(before.target), fused)
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    for name, part in list(traced.named_modules()):
        if isinstance(part, nn.ConvTranspose2d) and _doubles(part):
            traced.set_submodule(name, _Doubling(part))
    traced.recompile()
    return traced


def _doubles(convolution: nn.ConvTranspose2d) -> bool:
    """Whether it has the shape of those in :class:`labelbench.networks.LabelHead`, which double height and width."""
    return (
        convolution.kernel_size == (4, 4)
        and convolution.stride == (2, 2)
        and convolution.padding == (1, 1)
        and convolution.output_padding == (0, 0)
        and convolution.dilation == (1, 1)
        and convolution.groups == 1
    )


class _Doubling(nn.Module):
    """A transposed convolution, kernel 4, stride 2, padding 1, as an ordinary one that gives four pixels for each.

    Output pixel (2i + a, 2j + b) reads the 3x3 input pixels about (i, j). On a CPU this takes half the time.
    """

    def __init__(self, transposed: nn.ConvTranspose2d) -> None:
        super().__init__()
        weight = transposed.weight.detach()
        channels_in, channels_out = weight.shape[:2]
        kernel = weight.new_zeros(channels_out, 2, 2, channels_in, 3, 3)
        for row, column in ((row, column) for row in range(4) for column in range(4)):
            # In one dimension the output at 2i + a takes the input at i + d with the kernel at a + 1 - 2d.
            a, b = (row + 1) % 2, (column + 1) % 2
            kernel[:, a, b, :, (a + 3 - row) // 2, (b + 3 - column) // 2] = weight[:, :, row, column].T
        bias = weight.new_zeros(channels_out) if transposed.bias is None else transposed.bias.detach()
        self.down = nn.Parameter(weight, requires_grad=False)
        self.up = nn.Parameter(kernel.flatten(0, 2), requires_grad=False)
        self.bias = nn.Parameter(bias.repeat_interleave(4), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        doubled: Tensor = _Double.apply(images, self.up, self.bias, self.down)
        return doubled


class _Double(torch.autograd.Function):
    """What :class:`_Doubling` computes. The gradient by the images is the ordinary convolution that was transposed."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, up: Tensor, bias: Tensor, down: Tensor) -> Tensor:
        ctx.save_for_backward(down)
        return functional.pixel_shuffle(functional.conv2d(images, up, bias, padding=1), 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (down,) = ctx.saved_tensors
        return functional.conv2d(gradients[0], down, stride=2, padding=1), None, None, None
