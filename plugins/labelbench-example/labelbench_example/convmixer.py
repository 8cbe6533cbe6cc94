"""The backbone ``convmixer``: the names of its hook alone, so that listing it loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

from labelbench import Between, InputError, hookimpl

if TYPE_CHECKING:
    from torch import nn


def convmixer(size: tuple[int, int], width: Annotated[int, Between(1)] = 64) -> nn.Module:
    """ConvMixer for small images (Trockman and Kolter 2022).

    Args:
        size: height and width of the images.
        width: in channels; a user writes it after the colon, as in ``convmixer:32``.

    Raises:
        InputError: images smaller than a patch.
    """
    from labelbench_example.convmixer_network import PATCH, ConvMixer

    if min(size) < PATCH:
        raise InputError(f"backbone convmixer: images of {size[0]}x{size[1]}; expected {PATCH}x{PATCH} or more")
    return ConvMixer(width)


@hookimpl
def register_backbones() -> Mapping[str, Callable[..., nn.Module]]:
    """ConvMixer."""
    return {"convmixer": convmixer}
