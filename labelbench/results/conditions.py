"""Everything but label and seed that may change a result, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from labelbench.recipes import RECIPES, Recipe
from labelbench.results.records import Finished
from labelbench.runs import mentioned_in
from labelbench.values import differences, digest_of


@dataclass(frozen=True)
class Conditions:
    """What results must share to stand in one row; nothing for labels alone.

    Attributes:
        parts: each in words: how it was trained, on how much data, with which numerics, images and versions.
        test_images: how many test images were measured, None for all.
        tuned: whether each label has the best recipe of one grid.
        training: in few words: epochs, training images, and how many test images were measured.
    """

    parts: tuple[str, ...] = ()
    test_images: int | None = None
    tuned: bool = False
    training: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The parts, and how many test images were measured if not all."""
        measured = (f"{self.test_images:,} of the test images measured",) if self.test_images else ()
        return (*self.parts, *measured)

    def __str__(self) -> str:
        return "; ".join(self.words)

    def __lt__(self, other: Conditions) -> bool:
        return (self.parts, self.test_images or 0) < (other.parts, other.test_images or 0)

    def __bool__(self) -> bool:
        return bool(self.parts)


def conditions_of(records: Iterable[Finished]) -> list[Conditions]:
    """The conditions of each record, in its order."""
    known: dict[tuple[Any, ...], Conditions] = {}
    found = []
    for record in records:
        if not record.run.backbone:
            found.append(Conditions())
            continue
        run, facts = record.run, record.facts
        images, environment = facts["images"], facts["environment"]
        key = (
            *(
                run.dataset,
                run.backbone,
                run.recipe,
                run.train_fraction,
                run.numerics,
                run.files,
                run.weights,
                _test_images(record),
            ),
            *(images["fingerprint"], images["train"], images["test"]),
            *(environment["labelbench"], environment["torch"], _arithmetic(record), _backbone_origin(record)),
        )
        each = known.get(key)
        if each is None:
            parts = tuple(part for part in _parts(record) if part)
            each = known[key] = Conditions(parts, _test_images(record), bool(run.recipe.tuned), _training(record))
        found.append(each)
    return found


def _parts(record: Finished) -> Iterator[str]:
    run, facts = record.run, record.facts
    images, environment = facts["images"], facts["environment"]
    if run.weights:
        yield f"trained elsewhere, weights {run.weights[:12]}"
    else:
        yield _recipe_in_words(run.recipe)
        yield f"{run.share_of_data} of the training data"
    yield str(run.numerics)
    yield f"{run.dataset} {images['fingerprint'][:12]} ({images['train']:,} training, {images['test']:,} test images)"
    yield f"labelbench {environment['labelbench']}, torch {environment['torch']}"
    yield _arithmetic(record)
    # Those that the label mentions are in its identity.
    mentioned = {*mentioned_in(run.backbone), *mentioned_in(run.dataset)}
    yield from (f"{path} {digest[:12]}" for path, digest in run.files if path in mentioned)
    yield _backbone_origin(record)


def _test_images(record: Finished) -> int | None:
    """How many were measured, None for all: those that were asked for may be more than there are."""
    asked = record.test_images
    return asked if asked and asked < record.facts["images"]["test"] else None


def _training(record: Finished) -> str:
    run = record.run
    length = "trained elsewhere" if run.weights else f"{run.recipe.epochs} epochs"
    images = "" if run.weights else f", {run.share_of_data} of {record.facts['images']['train']:,} training images"
    tested = _test_images(record) or record.facts["images"]["test"]
    return f"{length}{images}, {tested:,} test images"


def _arithmetic(record: Finished) -> str:
    """What rounds sums where equal bits are promised; portable numerics are made to be alike everywhere."""
    mode = record.run.numerics.mode
    return str(record.facts["environment"].get("arithmetic", "")) if mode == "exact" else ""


def _backbone_origin(record: Finished) -> str:
    """The distribution and version of a backbone that is not our own."""
    origin = str(record.facts.get("plugins", {}).get("backbone", ""))
    return "" if origin.startswith("labelbench ") else origin


def _recipe_in_words(recipe: Recipe) -> str:
    """Name and epochs; a digest tells recipes apart that share both."""
    text = f"recipe {recipe.name}, {recipe.epochs} epochs"
    text += f", at least {recipe.minimum_steps:,} steps" if recipe.minimum_steps else ""
    kept = recipe.comparable
    usual = RECIPES.get(recipe.name)
    if usual:
        usual = replace(usual.with_epochs(recipe.epochs), tuned=kept.tuned, tuning=kept.tuning).comparable
    text += "" if kept == usual else f" ({digest_of(differences(kept))[:6]})"
    return f"{text}, tuned for each label: {recipe.tuning}" if recipe.tuned else text
