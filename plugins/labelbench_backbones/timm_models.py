"""Any model of the timm library as a backbone: ``timm:NAME[,pretrained][,size=N]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from labelbench import Between, hookimpl

if TYPE_CHECKING:
    from torch import nn

_Side = Annotated[int, Between(1, 9999)]


class Timm:
    """Any timm model by name, as timm:resnet18; pretrained takes its published weights, size=N the side of its input.

    Weights are random unless ``pretrained`` is written. With ``size=N`` the model works on NxN pixels; without it the
    size of its input is fitted to the images, see ``labelbench_backbones.timm_networks.build``.
    """

    def __call__(
        self, images: tuple[int, int], name: str, *, pretrained: bool = False, size: _Side | None = None
    ) -> nn.Module:
        """A fresh model without its classifier, for images of this height and width.

        Raises:
            InputError: a model that does not run on such images, or weights that are neither there nor may be fetched.
            UnknownName: timm has no model of that name.
            MachineError: published weights could not be fetched.
        """
        from labelbench_backbones.timm_networks import build

        return build(images, name, pretrained=pretrained, size=size)

    @staticmethod
    def check(images: tuple[int, int], name: str, *, pretrained: bool = False, size: int | None = None) -> None:
        """Refuse a name that timm's sources do not hold: timm, and torch with it, is loaded for the refusal alone."""
        if not _words_of_timm().issuperset(name.split(".")):
            from labelbench_backbones.timm_networks import check_name

            check_name(name, pretrained=pretrained)


@hookimpl
def register_backbones() -> Mapping[str, Callable[..., nn.Module]]:
    """One name, ``timm``, whose argument names the model."""
    return {"timm": Timm()}


@cache
def _words_of_timm() -> frozenset[str]:
    """Every word of timm's modules of models, the names of the models among them."""
    found = find_spec("timm")
    if found is None or not found.submodule_search_locations:
        return frozenset()
    files = Path(found.submodule_search_locations[0], "models").glob("*.py")
    return frozenset(word for file in files for word in re.findall(r"\w+", file.read_text(encoding="utf-8")))
