"""Build what a name stands for: data sets, labels, backbones and evaluators, checked against what the hooks promise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from labelbench.datasets import Dataset
from labelbench.errors import LabelbenchError, PluginError, Unavailable, one_line
from labelbench.evaluation.evaluator import Evaluator
from labelbench.evaluation.shown import Section
from labelbench.interrupts import is_the_users
from labelbench.labels import LabelSet
from labelbench.machine.process_state import kept_state
from labelbench.plugins.discovery import plugins
from labelbench.plugins.entries import Entry
from labelbench.plugins.signatures import expanded

if TYPE_CHECKING:
    from torch import nn

_Made = TypeVar("_Made")


def label(name: str, dataset: Dataset) -> LabelSet:
    """Build the label set ``NAME`` or ``NAME:ARGUMENT`` for a data set.

    Args:
        name: as a user writes it, e.g. ``"official:speech"``.
        dataset: what it labels; see ``labelbench.Dataset``.

    Raises:
        UnknownName: no plugin registers the name.
        PluginError: the provider failed or returned something else than a label set for this data set.
    """
    entry, labels = _made("label", name, LabelSet, dataset)
    if labels.num_classes != dataset.num_classes:
        raise PluginError(
            _wrong(entry, name, f"{labels.num_classes} rows", f"{dataset.num_classes} for {dataset.name}")
        )
    return labels


def find_dataset(name: str) -> Dataset:
    """The data set ``NAME`` or ``NAME:ARGUMENT``, without its images.

    Raises:
        UnknownName: no plugin registers the name.
        InputError: its argument cannot be used, as a folder that is not there.
        PluginError: the maker failed or returned something else than a data set.
    """
    return replace(_made("dataset", name, Dataset)[1], name=name)


def pixels_of(name: str) -> str | None:
    """The fingerprint of a data set's images where it is part of the identity of runs, else None.

    Raises:
        LabelbenchError: as :func:`find_dataset` and :meth:`labelbench.Dataset.images` do, but for what is not here.
    """
    try:
        dataset = find_dataset(name)
        return dataset.fingerprint if dataset.by_pixels else None
    except Unavailable:
        # What is not here fails the cells that need it, when their turn comes.
        return None


def backbone(name: str, size: tuple[int, int]) -> nn.Module:
    """Build a fresh backbone ``NAME`` or ``NAME:ARGUMENT`` for images of ``(height, width)`` pixels.

    Raises:
        UnknownName: no plugin registers the name.
        PluginError: the builder failed or returned something else than a module.
    """
    from torch import nn

    return _made("backbone", name, nn.Module, size)[1]


def evaluator(name: str) -> Evaluator:
    """Build the evaluator ``NAME`` or ``NAME:ARGUMENT``.

    Raises:
        UnknownName: no plugin registers the name.
        PluginError: the maker failed or returned something else than an evaluator.
    """
    return _made("evaluator", name, Evaluator)[1]  # type: ignore[type-abstract]


def evaluator_here(name: str) -> Evaluator | type[Evaluator]:
    """An evaluator, which says how its scores are shown; where its plugin is not here the class, which says nothing."""
    try:
        return evaluator(name)
    except LabelbenchError:
        return Evaluator


def headline_of(name: str, measured: Iterable[str]) -> list[str]:
    """The headline scores of an evaluator that were measured; the first score where it names none or is not here."""
    scores = list(measured)
    return [one.score for one in evaluator_here(name).headline if one.score in scores] or scores[:1]


def section_of(name: str) -> Section:
    """Where in a report the charts of an evaluator stand: where it says, else under its name."""
    return evaluator_here(name).section or Section(name.partition(":")[0])


def check(kind: str, name: str, *given: object) -> None:
    """Refuse a name that cannot be used, without building what it stands for.

    Its argument is read, and the attribute ``check`` of its function is called as the function would be, if it has one.

    Args:
        kind: ``"label"``, ``"backbone"`` or ``"evaluator"``.
        name: as a user writes it.
        given: what its function is given before its arguments.

    Raises:
        LabelbenchError: why it cannot be used.
    """
    entry, arguments = plugins().read(kind, name)
    for one in entry.signature.arguments:
        if one.names_label and one.name in arguments:
            check("label", arguments[one.name], *given)
    checked = getattr(entry.function, "check", None)
    if checked is not None:
        _called(checked, entry, f"{kind} {name!r}", given, arguments)


def guarded(kind: str, name: str) -> AbstractContextManager[None]:
    """The process is put back after the block as it was, and the plugin of this name is told of if it changed it."""
    return _guard(plugins().find(kind, name)[0], f"{kind} {name!r}")


def _guard(entry: Entry, what: str) -> AbstractContextManager[None]:
    # What is built in is tested to leave all as it is.
    if entry.built_in:
        return nullcontext()
    # Weights are drawn from torch's generator, which the caller has seeded.
    allowed = ("torch's random state",) if what.startswith("backbone ") else ()
    return kept_state(lambda changed: _tell(f"{what} ({entry.origin}) changed {', '.join(changed)}"), allowed=allowed)


@cache
def _tell(line: str) -> None:
    """Tell once per process."""
    sys.stderr.write(f"labelbench: {line}; that was put back\n")


def _made(kind: str, name: str, expected: type[_Made], *given: object) -> tuple[Entry, _Made]:
    """What the function behind a name returns, refused unless it is of the type expected."""
    entry, arguments = plugins().read(kind, name)
    made = _called(entry.function, entry, f"{kind} {name!r}", given, arguments)
    if not isinstance(made, expected):
        home = "torch.nn" if expected.__module__.startswith("torch") else "labelbench"
        raise PluginError(_wrong(entry, name, type(made).__name__, f"{home}.{expected.__name__}"))
    return entry, made


def _called(
    function: Callable[..., Any], entry: Entry, what: str, given: tuple[object, ...], arguments: Mapping[str, Any]
) -> object:
    try:
        with _guard(entry, what):
            return function(*given, **expanded(arguments))
    except PluginError as error:
        raise PluginError(f"{what} ({entry.origin}): {error}") from error
    except LabelbenchError:
        raise
    except BaseException as error:
        if is_the_users(error):
            raise
        raise PluginError(f"{what} ({entry.origin}) failed: {one_line(error)}") from error


def _wrong(entry: Entry, name: str, got: str, expected: str) -> str:
    return f"{name!r} ({entry.origin}) returned {got}; expected {expected}"
