"""Any model of the timm library as a backbone: ``timm:NAME[,pretrained][,size=N]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelbench import InputError, hookimpl

if TYPE_CHECKING:
    from torch import nn

_USAGE = "expected timm:NAME[,pretrained][,size=N], as in timm:resnet18 or timm:vit_tiny_patch16_224,size=64"


@hookimpl
def register_backbones() -> Mapping[str, Callable[[str, tuple[int, int]], nn.Module]]:
    """One name, ``timm``, whose argument names the model."""
    return {"timm": timm}


def timm(argument: str, size: tuple[int, int]) -> nn.Module:
    """Any timm model by name, as timm:resnet18; add ,pretrained for its published weights, ,size=N for its input.

    Args:
        argument: ``NAME[,pretrained][,size=N]``. Weights are random unless ``pretrained`` is written. ``size=N`` makes
            the model work on NxN pixels; without it the input size is adapted to the images, see
            ``labelbench_backbones.timm_networks.build``.
        size: height and width of the images.

    Raises:
        InputError: an argument of another form, a model that does not run on such images, or weights that are neither
            there nor may be fetched.
        UnknownName: timm has no model of that name.
        MachineError: published weights could not be fetched.
    """
    from labelbench_backbones.timm_networks import build

    return build(TimmArgument.parse(argument), size)


@dataclass(frozen=True)
class TimmArgument:
    """What the user wrote after ``timm:``.

    Attributes:
        name: of the model, with or without the tag of its weights (``resnet18``, ``resnet18.a1_in1k``).
        pretrained: whether published weights are asked for.
        size: side of the model's input in pixels, or None to adapt it to the images.
    """

    name: str
    pretrained: bool = False
    size: int | None = None

    @staticmethod
    def parse(argument: str) -> TimmArgument:
        """Read ``NAME[,pretrained][,size=N]``.

        Raises:
            InputError: anything else, or an option written twice.

        >>> TimmArgument.parse("resnet18,size=64")
        TimmArgument(name='resnet18', pretrained=False, size=64)
        """
        name, *options = (part.strip() for part in argument.split(","))
        if not name:
            raise InputError(f"backbone 'timm' needs the name of a model; {_USAGE}")
        found: dict[str, str] = {}
        for option in options:
            key, _, value = option.partition("=")
            if key in found:
                raise InputError(f"backbone 'timm:{argument}' has {key!r} twice; {_USAGE}")
            found[key] = value
            if option != "pretrained" and not re.fullmatch(r"size=[1-9][0-9]{0,3}", option):
                raise InputError(f"backbone 'timm:{argument}' has the option {option!r}; {_USAGE}")
        return TimmArgument(name, "pretrained" in found, int(found["size"]) if "size" in found else None)
