"""The encoders of the paper, VGG19 and CIFAR ResNets (paper, section 4.1), and a small ResNet of the same family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from labelbench import hookimpl

if TYPE_CHECKING:
    from torch import nn

Build = Callable[[tuple[int, int]], "nn.Module"]


@hookimpl
def register_backbones() -> Mapping[str, Build]:
    """VGG19, and ResNets of 8, 32 and 110 layers."""
    return {"vgg19": vgg19, **{f"resnet{depth}": _resnet(depth) for depth in (8, 32, 110)}}


def vgg19(size: tuple[int, int]) -> nn.Module:
    """VGG19 with batch norm, 512 features (20.0 million weights).

    Args:
        size: height and width of the images, 32 or more each.

    Raises:
        InputError: images that are too small.
    """
    from labelbench_backbones.vgg import VGG19

    return VGG19(size)


def _resnet(depth: int) -> Build:
    def build(size: tuple[int, int]) -> nn.Module:
        from labelbench_backbones.resnet import ResNet

        return ResNet(depth)

    build.__doc__ = f"ResNet-{depth} for images of about 32x32 pixels, 64 features."
    return build
