"""The hooks: what a plugin can add, and what it returns.

A plugin is a module named by an entry point of the group ``labelbench``; its functions decorated with
``@labelbench.hookimpl`` register by returning values. Each registered function takes what is given first and then
arguments of its own: ``def hadamard(dataset, *, seed: int = 48)`` is ``hadamard``, or ``hadamard:seed=3``. Arguments
are keywords of the types int, float, bool, str, pathlib.Path, Literal and tuple of numbers (``1+2+4``); numbers may be
kept between two others (``Annotated[int, labelbench.Between(1, 100)]``). One of them may be positional: its value is
written first and without its key, as in ``timm:resnet18,pretrained``; marked with :class:`labelbench.Rest` it may hold
commas. A seed may be ``run``: drawn again with the seed of each run. An attribute ``check`` of the function is called
as the function is, before anything is computed, to refuse arguments that cannot be used. The same function under two
names is one thing with another name.
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
def register_labels() -> Mapping[str, Callable[..., LabelSet]]:  # type: ignore[empty-body]
    """Return ``{name: provider}``.

    ``provider(dataset)`` returns a :class:`labelbench.LabelSet` whose ``targets`` are
    ``(num_classes, *shape)`` float32, row i for ``dataset.class_names[i]``; ``shape`` is ``(length,)`` or
    ``(side, side)`` with side a multiple of 16. Equal datasets and arguments give equal targets. A label
    that wraps another has an argument ``name: labelbench.LabelName`` and asks for ``labelbench.label(name, dataset)``.
    A provider that needs files which can be fetched may have an attribute ``fetch() -> str`` with arguments of the
    same kind, for ``labelbench fetch``.
    """


@hookspec
def register_backbones() -> Mapping[str, Callable[..., nn.Module]]:  # type: ignore[empty-body]
    """Return ``{name: build}``.

    ``build((height, width))`` returns a fresh ``torch.nn.Module`` that maps images
    ``(batch, 3, height, width)`` float32, normalised, to features ``(batch, num_features)`` and says
    ``num_features`` in an int attribute of that name. Weights that were trained in another normalisation than the data
    set's say so in an attribute ``normalisation``: mean and std of each channel of pixels in [0, 1].
    """


@hookspec
def register_evaluators() -> Mapping[str, Callable[..., Evaluator]]:  # type: ignore[empty-body]
    """Return ``{name: make}``.

    ``make()`` returns a :class:`labelbench.Evaluator`: ``needs(run)`` says which trained networks it
    asks for, ``evaluate(context)`` measures them and returns a :class:`labelbench.Measurement`.
    """


@hookspec
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:  # type: ignore[empty-body]
    """Return ``{name: make}``.

    ``make()`` returns a :class:`labelbench.Dataset`: class names, image size and whether mirroring is allowed,
    found without loading anything, and a ``source`` that finds its images when they are asked for. Images that are
    not here and may not be fetched raise :class:`labelbench.Unavailable` then: only the cells that need them fail.
    """
