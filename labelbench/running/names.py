"""The names of a suite, each refused before anything is computed if it cannot be used, and written in one way."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from labelbench.datasets import Dataset
from labelbench.errors import MachineError, PluginError, Unavailable
from labelbench.plugins.discovery import plugins
from labelbench.plugins.entries import IN_WORDS, KINDS
from labelbench.plugins.lookup import check, find_dataset
from labelbench.suite import Suite


def named_once(suite: Suite) -> tuple[Suite, tuple[str, ...]]:
    """The suite with every name in its shortest form, so that what is the same is done once.

    Returns:
        The suite, and a line for each name that was written in another way.

    Raises:
        UnknownName: a name that nothing registers, or an argument that there is not.
        InputError: an argument that cannot be used, or a label or backbone that a data set cannot have.
    """
    names: dict[str, dict[str, str]] = {}
    for kind in KINDS:
        axis = f"{kind}s"
        names[axis] = {name: plugins().canonical(kind, name) for name in getattr(suite, axis)}
    for dataset in map(_described, names["datasets"].values()):
        if dataset is not None:
            _check("label", names["labels"], dataset)
            _check("backbone", names["backbones"], dataset.image_size)
    notes = [
        f"{IN_WORDS.get(axis[:-1], axis[:-1])} {name} is {short}: done once, under that name"
        for axis, same in names.items()
        for name, short in same.items()
        if name != short
    ]
    renamed = {axis: tuple(dict.fromkeys(same.values())) for axis, same in names.items()}
    # Of names that mean the same the first says how it is trained.
    recipes = {plugins().canonical("label", name): how for name, how in reversed(suite.recipes)}
    headline = tuple(dict.fromkeys(_column(column, names["evaluators"]) for column in suite.headline))
    return replace(suite, headline=headline, recipes=tuple(recipes.items()), **renamed), tuple(notes)  # type: ignore[arg-type]


def _described(name: str) -> Dataset | None:
    """A data set; None if it is not here, which fails its own cells alone."""
    with suppress(Unavailable):
        return find_dataset(name)
    return None


def _check(kind: str, names: Iterable[str], given: object) -> None:
    for name in names:
        with suppress(PluginError, MachineError):  # these fail one cell after the other, and not the suite
            check(kind, name, given)


def _column(column: str, evaluators: dict[str, str]) -> str:
    for name, short in evaluators.items():
        if column.startswith(f"{name}/"):
            return short + column.removeprefix(name)
    return column
