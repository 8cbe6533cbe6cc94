"""The trainings of a tuning, and what they found."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from labelbench.errors import InputError
from labelbench.files import damaged, read_json
from labelbench.plugins.lookup import pixels_of
from labelbench.recipes import Recipe, changed_recipe
from labelbench.results.store import Results
from labelbench.running.planning import Plan, plan_of_trainings
from labelbench.runs import Numerics, RunSpec
from labelbench.suite import Suite
from labelbench.tunings import Grid, Tuning, tuned_recipe
from labelbench.values import differences, digest_of

FIRST_SEED = 1_000_000
"""Seeds of tuning begin here, far from those that anyone gives to results."""


@dataclass(frozen=True)
class Trials:
    """What a tuning tries, and what of it is known already.

    Attributes:
        suite: what is tuned; its labels include those that were tuned before.
        tuning: grid and budget, with the accuracies that are known.
        runs: the trainings of each label and each point of the grid that is not known.
    """

    suite: Suite
    tuning: Tuning
    runs: Mapping[tuple[str, int], tuple[RunSpec, ...]]

    @staticmethod
    def of(
        suite: Suite, grid: Grid | None, numerics: Numerics, *, seeds: int | None = None, epochs: int | None = None
    ) -> Trials:
        """The trials of a suite.

        Args:
            suite: gives labels, places, share of the data and the recipe. If it was tuned before, grid and budget are
                those that it had where they are not given, and what it knows of these is not tried again.
            grid: what to try.
            numerics: how to compute.
            seeds: networks for each label, place and point; one where nothing is said.
            epochs: of each training; the recipe's where nothing is said.

        Raises:
            InputError: no grid, a setting that is none, or an unknown one.
        """
        before = suite.tuning
        if grid is None and before is None:
            raise InputError(
                f"suite {suite.name!r} was not tuned before; say what to try: --grid learning-rate=0.1,0.2,0.4"
            )
        chosen = grid or (before.grid if before else Grid(()))
        if before:
            seeds, epochs = seeds or len(before.seeds), epochs or before.epochs
        recipe = suite.recipe if epochs is None else suite.recipe.with_epochs(epochs)
        tuning = Tuning(
            chosen,
            tuple(range(FIRST_SEED, FIRST_SEED + (seeds or 1))),
            recipe.epochs,
            tuple((dataset, backbone) for dataset in suite.datasets for backbone in suite.backbones),
            digest_of([differences(recipe), suite.train_fraction]),
        )
        known = _known(before, tuning)
        recipes = [_at(recipe, chosen, point) for point in chosen.points]
        pixels = {dataset: pixels_of(dataset) for dataset in suite.datasets}
        runs = {
            (label, index): tuple(
                RunSpec.of(
                    *(dataset, label, backbone, seed),
                    pixels=pixels[dataset],
                    train_fraction=suite.train_fraction,
                    recipe=recipes[index],
                    numerics=numerics,
                )
                for dataset, backbone in tuning.places
                for seed in tuning.seeds
            )
            for label in suite.labels
            for index, point in enumerate(chosen.points)
            if point not in known.get(label, {})
        }
        accuracy = {
            label: tuple(known.get(label, {}).get(point) for point in chosen.points)
            for label in dict.fromkeys([*known, *suite.labels])
        }
        return Trials(
            suite, replace(tuning, accuracy=accuracy, seconds=before.seconds if known and before else 0.0), runs
        )

    def plan(self, results: Results, overwrite: str = "missing") -> Plan:
        """The plan of the trainings, of which those that are done are left out."""
        return plan_of_trainings(self.suite, [run for runs in self.runs.values() for run in runs], results, overwrite)

    def found(self, results: Results) -> Suite:
        """The suite with a recipe for each label, once the trainings are done."""
        accuracy = {label: list(values) for label, values in self.tuning.accuracy.items()}
        seconds = self.tuning.seconds
        for (label, index), runs in self.runs.items():
            outcomes = [_outcome(results.training_file(run)) for run in runs]
            seconds += sum(spent for _, spent in outcomes)
            reached = [best for best, _ in outcomes if best is not None]
            accuracy[label][index] = statistics.fmean(reached) if len(reached) == len(runs) else None
        tuning = replace(
            self.tuning, accuracy={label: tuple(found) for label, found in accuracy.items()}, seconds=seconds
        )
        recipes = []
        for label in accuracy:
            best = tuning.best(label)
            if best is not None:
                recipes.append((label, tuned_recipe(_at(self.suite.recipe, tuning.grid, best), tuning)))
        return replace(self.suite, labels=tuple(accuracy), recipes=tuple(recipes), tuning=tuning)


def _at(recipe: Recipe, grid: Grid, point: tuple[float, ...]) -> Recipe:
    whole = {key for key, value in recipe.settings.items() if type(value) is int}
    values = {
        name: int(value) if name.replace("-", "_") in whole and value.is_integer() else value
        for name, value in zip(grid.names, point, strict=True)
    }
    return changed_recipe("--grid", recipe, values)


def _known(before: Tuning | None, now: Tuning) -> dict[str, dict[tuple[float, ...], float | None]]:
    """What an earlier tuning with the same budget found, by label and point; points of other grids are of no use."""
    if before is None or replace(before, grid=now.grid).digest != now.digest or before.grid.names != now.grid.names:
        return {}
    return {
        label: {point: one for point, one in zip(before.grid.points, found, strict=True) if one is not None}
        for label, found in before.accuracy.items()
    }


def _outcome(file: Path) -> tuple[float | None, float]:
    """The best validation accuracy of a training, None if it diverged or is not there, and its seconds."""
    if not file.exists():
        return None, 0.0
    facts = read_json(file)
    try:
        history, seconds = facts["history"]["validation_accuracy"], float(facts["wall_seconds"])
        return (None if facts["status"] == "diverged" else float(max(history))), seconds
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(file, "it does not say what the training reached") from error


def edge_lines(tuning: Tuning) -> Iterator[str]:
    """A sentence for each label that does best at an edge of the grid, or nowhere."""
    for label in tuning.accuracy:
        best = tuning.best(label)
        if best is None:
            yield f"{label}: every training diverged or failed; it has no recipe, try smaller values"
            continue
        for name, value, which in tuning.grid.edges(best):
            yield f"{label}: the best {name}, {value:g}, is the {which} that was tried; try one beyond it"
