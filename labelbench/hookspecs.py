"""The hooks: what a plugin can add, and what it returns.

A plugin is a module named by an entry point of the group ``labelbench``; its functions decorated with
``@labelbench.hookimpl`` register by returning values. The text a user writes after the first colon of a name
is the argument (``"resnet18"`` of ``timm:resnet18``), empty if there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from torch import nn

    from labelbench.datasets import Dataset
    from labelbench.evaluation.evaluator import Evaluator
    from labelbench.labels import LabelSet

hookspec = pluggy.HookspecMarker("labelbench")
hookimpl = pluggy.HookimplMarker("labelbench")


@hookspec
def register_labels() -> Mapping[str, Callable[[Dataset, str], LabelSet]]:  # type: ignore[empty-body]
    """Return ``{name: provider}``.

    ``provider(dataset, argument)`` returns a :class:`labelbench.LabelSet` whose ``targets`` are
    ``(num_classes, *shape)`` float32, row i for ``dataset.class_names[i]``; ``shape`` is ``(length,)`` or
    ``(side, side)`` with side a multiple of 16. Equal datasets and arguments give equal targets. A label
    that wraps another asks for it: ``labelbench.label(name, dataset)``. A provider that needs files which can be
    fetched may have an attribute ``fetch(argument) -> str``, for ``labelbench fetch``.
    """


@hookspec
def register_backbones() -> Mapping[str, Callable[[str, tuple[int, int]], nn.Module]]:  # type: ignore[empty-body]
    """Return ``{name: build}``.

    ``build(argument, (height, width))`` returns a fresh ``torch.nn.Module`` that maps images
    ``(batch, 3, height, width)`` float32, normalised, to features ``(batch, num_features)`` and says
    ``num_features`` in an int attribute of that name.
    """


@hookspec
def register_evaluators() -> Mapping[str, Callable[[str], Evaluator]]:  # type: ignore[empty-body]
    """Return ``{name: make}``.

    ``make(argument)`` returns a :class:`labelbench.Evaluator`: ``needs(run)`` says which trained networks it
    asks for, ``evaluate(context)`` measures them and returns a :class:`labelbench.Measurement`.
    """


@hookspec
def register_datasets() -> Mapping[str, Callable[[str], Dataset]]:  # type: ignore[empty-body]
    """Return ``{name: make}``.

    ``make(argument)`` returns a :class:`labelbench.Dataset`: class names, image size and whether mirroring is allowed,
    found without loading anything, and a ``source`` that finds its images when they are asked for. Images that are
    not here and may not be fetched raise :class:`labelbench.Unavailable` then: only the cells that need them fail.
    """
