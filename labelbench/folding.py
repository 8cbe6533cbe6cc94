"""A faster copy of a network in eval mode: batch norm folded into convolutions, and lower precision if wanted."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from labelbench.networks import Network

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def folded(network: Network, precision: str = "float32") -> Network:
    """A copy in eval mode, without parameter gradients, whose outputs are those of ``network`` up to rounding.

    A backbone that cannot be traced, because its forward pass depends on values, is copied as it is.

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
    return made


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
    traced.recompile()
    return traced
