"""Build what a name stands for: label sets, backbones and evaluators, checked against what the hooks promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelbench.errors import LabelbenchError, PluginError, one_line
from labelbench.evaluation import Evaluator
from labelbench.labels import LabelSet
from labelbench.plugins import Entry, plugins

if TYPE_CHECKING:
    from torch import nn

    from labelbench.datasets import Dataset


def label(name: str, dataset: Dataset) -> LabelSet:
    """Build the label set ``NAME`` or ``NAME:ARGUMENT`` for a data set.

    Args:
        name: as a user writes it, e.g. ``"official:speech"``.
        dataset: what it labels; see ``labelbench.Dataset``.

    Raises:
        UnknownName: no plugin registers the name.
        PluginError: the provider failed or returned something else than a label set for this data set.
    """
    entry, argument = plugins().find("label", name)
    try:
        labels = entry.function(dataset, argument)
    except LabelbenchError:
        raise
    except Exception as error:
        raise PluginError(f"label {name!r} ({entry.origin}) failed: {one_line(error)}") from error
    if not isinstance(labels, LabelSet):
        raise PluginError(_wrong(entry, name, type(labels).__name__, "labelbench.LabelSet"))
    if labels.num_classes != dataset.num_classes:
        raise PluginError(
            _wrong(entry, name, f"{labels.num_classes} rows", f"{dataset.num_classes} for {dataset.name}")
        )
    return labels


def backbone(name: str, size: tuple[int, int]) -> nn.Module:
    """Build a fresh backbone ``NAME`` or ``NAME:ARGUMENT`` for images of ``(height, width)`` pixels.

    Raises:
        UnknownName: no plugin registers the name.
        PluginError: the builder failed or returned something else than a module.
    """
    from torch import nn

    entry, argument = plugins().find("backbone", name)
    try:
        module = entry.function(argument, size)
    except LabelbenchError:
        raise
    except Exception as error:
        raise PluginError(f"backbone {name!r} ({entry.origin}) failed: {one_line(error)}") from error
    if not isinstance(module, nn.Module):
        raise PluginError(_wrong(entry, name, type(module).__name__, "a torch.nn.Module"))
    return module


def evaluator(name: str) -> Evaluator:
    """Build the evaluator ``NAME`` or ``NAME:ARGUMENT``.

    Raises:
        UnknownName: no plugin registers the name.
        PluginError: the maker failed or returned something else than an evaluator.
    """
    entry, argument = plugins().find("evaluator", name)
    try:
        made = entry.function(argument)
    except LabelbenchError:
        raise
    except Exception as error:
        raise PluginError(f"evaluator {name!r} ({entry.origin}) failed: {one_line(error)}") from error
    if not isinstance(made, Evaluator):
        raise PluginError(_wrong(entry, name, type(made).__name__, "labelbench.Evaluator"))
    return made


def _wrong(entry: Entry, name: str, got: str, expected: str) -> str:
    return f"{name!r} ({entry.origin}) returned {got}; expected {expected}"
