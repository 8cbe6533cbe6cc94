"""What a record says, as values, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any

from labelbench.evaluation.scores import Score
from labelbench.recipes import Recipe, recipe_from
from labelbench.runs import Numerics, RunSpec, slug
from labelbench.values import digest_of


@dataclass(frozen=True)
class Cell:
    """One measurement that is asked for.

    Attributes:
        run: what is measured; its ``backbone`` is empty where labels alone are.
        evaluator: name, as the user wrote it.
        version: of the evaluator.
        test_images: how many test images, None for all.
    """

    run: RunSpec
    evaluator: str
    version: int
    test_images: int | None = None

    def __hash__(self) -> int:
        return hash((self.run, self.evaluator))

    @cached_property
    def id(self) -> str:
        """Ten hexadecimal digits of everything that decides the measurement, its run included."""
        return digest_of([self.run.id, self.evaluator, self.version, self.test_images])

    @cached_property
    def name(self) -> str:
        """Where its files lie, relative to the results folder, without suffix."""
        return f"{self.run.place}/{slug(self.evaluator)}-{self.id}"

    def __str__(self) -> str:
        return f"{self.run} {self.evaluator}"


@dataclass(frozen=True)
class Record:
    """One finished measurement, as read from its file.

    Attributes:
        cell: what was measured.
        scores: its scores.
        diverged: True if the training diverged, so that there is nothing to measure.
        facts: everything else that the file says.
    """

    cell: Cell
    scores: tuple[Score, ...]
    diverged: bool
    facts: Mapping[str, Any]

    @property
    def run(self) -> RunSpec:
        """What was measured, or whose labels were looked at."""
        return self.cell.run

    @property
    def test_images(self) -> int | None:
        """How many test images were asked for, None for all."""
        return self.cell.test_images


@dataclass(frozen=True)
class TrainingRecord:
    """One finished training, as read from its file.

    Attributes:
        run: what was trained.
        facts: everything else that the file says.
    """

    run: RunSpec
    facts: Mapping[str, Any]

    @property
    def test_images(self) -> None:
        """A training looks at none."""
        return

    @property
    def diverged(self) -> bool:
        """Whether the loss stopped being finite."""
        return bool(self.facts["status"] == "diverged")

    @property
    def accuracy(self) -> tuple[float, ...]:
        """Validation accuracy after each epoch, 0 to 1."""
        return tuple(self.facts["history"]["validation_accuracy"])


Finished = Record | TrainingRecord


def run_facts(run: RunSpec) -> dict[str, Any]:
    """A run as JSON values."""
    facts = {"id": run.id, **asdict(run), "recipe": run.recipe.settings}
    return facts if run.weights else {key: value for key, value in facts.items() if key != "weights"}


def run_of(facts: Mapping[str, Any]) -> RunSpec:
    """The run that :func:`run_facts` described; what a record does not say has its default."""
    values = {key: value for key, value in facts.items() if key != "id"}
    if "recipe" in values:
        said = values["recipe"].items()
        values["recipe"] = _recipe_of(tuple((name, tuple(one) if isinstance(one, list) else one) for name, one in said))
    if "numerics" in values:
        values["numerics"] = _numerics_of(tuple(values["numerics"].items()))
    values["files"] = tuple((path, digest) for path, digest in values.get("files", ()))
    return RunSpec(**values)


@lru_cache(maxsize=256)
def _recipe_of(fields: tuple[tuple[str, Any], ...]) -> Recipe:
    """Recipes are few and runs are many."""
    return recipe_from(dict(fields))


@lru_cache(maxsize=256)
def _numerics_of(fields: tuple[tuple[str, Any], ...]) -> Numerics:
    return Numerics(**dict(fields))


def score_facts(score: Score) -> dict[str, Any]:
    """A score as JSON values, which make it again; what is not given is left out."""
    facts = {key: value for key, value in asdict(score).items() if value not in (None, "")}
    return {"name": score.name, "value": score.value, **facts}
