"""How the settings of recipes were chosen: the same grid and the same budget for every label."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from labelbench.errors import InputError
from labelbench.recipes import Recipe
from labelbench.values import digest_of

Points = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Grid:
    """Values of settings, of which every combination is tried.

    Attributes:
        axes: each setting, written with hyphens, and its values, rising.

    >>> Grid.of({"learning-rate": (0.2, 0.1), "weight-decay": (1e-4,)}).points
    ((0.1, 0.0001), (0.2, 0.0001))
    """

    axes: tuple[tuple[str, tuple[float, ...]], ...]

    @staticmethod
    def of(axes: Mapping[str, tuple[float, ...]]) -> Grid:
        """A grid whose values are put in order, each once."""
        return Grid(tuple((name, tuple(sorted(set(map(float, values))))) for name, values in axes.items()))

    @property
    def names(self) -> tuple[str, ...]:
        """The settings."""
        return tuple(name for name, _ in self.axes)

    @property
    def points(self) -> Points:
        """Every combination, one value for each of :attr:`names`."""
        return tuple(itertools.product(*(values for _, values in self.axes)))

    def edges(self, point: tuple[float, ...]) -> list[tuple[str, float, str]]:
        """Each setting of which a point has an outermost value: name, value, and ``"smallest"`` or ``"largest"``."""
        found = []
        for (name, values), value in zip(self.axes, point, strict=True):
            if len(values) > 1 and value in (values[0], values[-1]):
                found.append((name, value, "smallest" if value == values[0] else "largest"))
        return found

    def __str__(self) -> str:
        return "; ".join(f"{name} {', '.join(f'{value:g}' for value in values)}" for name, values in self.axes)


@dataclass(frozen=True)
class Tuning:
    """A grid, its budget, and what it found.

    Attributes:
        grid: what was tried.
        seeds: of the networks that were judged by their validation images; results have others.
        epochs: of each training.
        places: data sets and backbones, each pair a place.
        recipe: digest of the recipe whose settings were tuned.
        accuracy: for each label the mean validation accuracy at each point of the grid, 0 to 1; None where a training
            diverged or failed.
        seconds: what all trainings took together.
    """

    grid: Grid
    seeds: tuple[int, ...]
    epochs: int
    places: tuple[tuple[str, str], ...]
    recipe: str
    accuracy: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def words(self) -> str:
        """Grid and budget in words: labels tuned in the same words may be compared."""
        places = " and ".join(f"{dataset} {backbone}" for dataset, backbone in self.places)
        seeds = f"{len(self.seeds)} seed{'s' if len(self.seeds) > 1 else ''}"
        return f"{self.grid} with {seeds} and {self.epochs} epochs each, on {places} ({self.digest})"

    @property
    def digest(self) -> str:
        """Six digits that tell apart whatever the words leave out: which seeds, and which recipe."""
        return digest_of([self.grid.axes, self.seeds, self.epochs, self.places, self.recipe])[:6]

    def best(self, label: str) -> tuple[float, ...] | None:
        """The point at which a label did best, the first of equals; None if it is not known or all diverged."""
        known = [
            (accuracy, -index) for index, accuracy in enumerate(self.accuracy.get(label, ())) if accuracy is not None
        ]
        return self.grid.points[-max(known)[1]] if known else None

    @property
    def facts(self) -> dict[str, Any]:
        """The tuning as JSON values, as :func:`tuning_of` reads them."""
        return {
            "grid": {name: list(values) for name, values in self.grid.axes},
            "seeds": list(self.seeds),
            "epochs": self.epochs,
            "places": [list(place) for place in self.places],
            "recipe": self.recipe,
            "seconds": round(self.seconds),
            "accuracy": {
                # TOML has no value for nothing.
                label: [-1 if one is None else round(one, 6) for one in found]
                for label, found in self.accuracy.items()
            },
        }


def tuned_recipe(recipe: Recipe, tuning: Tuning) -> Recipe:
    """The recipe, marked as one whose settings were chosen so."""
    return replace(recipe, tuned=tuple(name.replace("-", "_") for name in tuning.grid.names), tuning=tuning.words)


def tuning_of(source: str, table: Mapping[str, Any]) -> Tuning:
    """A tuning from :attr:`Tuning.facts`.

    Raises:
        InputError: the table is none of those that ``labelbench tune`` writes.
    """
    try:
        return Tuning(
            Grid.of({str(name): tuple(values) for name, values in table["grid"].items()}),
            tuple(map(int, table["seeds"])),
            int(table["epochs"]),
            tuple((str(dataset), str(backbone)) for dataset, backbone in table["places"]),
            str(table["recipe"]),
            {
                label: tuple(None if one < 0 else float(one) for one in found)
                for label, found in table.get("accuracy", {}).items()
            },
            float(table.get("seconds", 0)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"suite file {source}: [tuning] is not what `labelbench tune` writes ({type(error).__name__}: {error})"
        ) from error
