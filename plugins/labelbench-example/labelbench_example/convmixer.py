"""The backbone ``convmixer``: the names of its hook alone, so that listing it loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from labelbench import InputError, hookimpl

if TYPE_CHECKING:
    from torch import nn


def convmixer(argument: str, size: tuple[int, int]) -> nn.Module:
    """ConvMixer for small images: convmixer, or convmixer:WIDTH (Trockman and Kolter 2022).

    Args:
        argument: width in channels, 64 unless given.
        size: height and width of the images.

    Raises:
        InputError: no width, or images smaller than a patch.
    """
    from labelbench_example.convmixer_network import PATCH, ConvMixer

    if argument and not (argument.isdecimal() and int(argument)):
        raise InputError(f"backbone convmixer:{argument}; expected a number of channels, as in convmixer:64")
    if min(size) < PATCH:
        raise InputError(f"backbone convmixer: images of {size[0]}x{size[1]}; expected {PATCH}x{PATCH} or more")
    return ConvMixer(int(argument or 64))


@hookimpl
def register_backbones() -> Mapping[str, Callable[[str, tuple[int, int]], nn.Module]]:
    """ConvMixer."""
    return {"convmixer": convmixer}
