"""Made-up records with a known truth, without a disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labelbench.evaluation.scores import Score
from labelbench.recipes import RECIPES, Recipe
from labelbench.results.records import Cell, Record
from labelbench.runs import RunSpec

IMAGES = 1000
# Differences of seeds, of one scale and of mean 0: what makes an interval as wide as it is.
NOISE = (0.0, 0.004, -0.004, 0.002, -0.002)


def record(
    label: str,
    seed: int,
    evaluator: str,
    scores: Mapping[str, float | None],
    *,
    dataset: str = "cifar10",
    backbone: str = "resnet32",
    unit: str = "share",
    recipe: Recipe = RECIPES["paper"],
    train_fraction: float = 1.0,
    notes: Mapping[str, str] | None = None,
    test_images: int | None = None,
    flags: Mapping[str, str] | None = None,
) -> Record:
    """One measurement of one seed; flags are the notes of the scores that are findings."""
    run = RunSpec(dataset, label, backbone, seed, recipe=recipe, train_fraction=train_fraction)
    said = {**(notes or {}), **(flags or {})}
    made = [
        replace(_score(name, value, unit, said.get(name, "")), flag=name if name in (flags or {}) else "")
        for name, value in scores.items()
    ]
    facts: dict[str, Any] = {
        "label": {"identity": label, "sha256": label, "notes": []},
        "images": {"fingerprint": "fedcba9876543210", "train": 50_000, "test": IMAGES},
        "environment": {"labelbench": "0.1.0", "torch": "2.15.0"},
    }
    return Record(Cell(run if backbone else run.of_labels, evaluator, 1, test_images), tuple(made), False, facts)


def seeds(label: str, evaluator: str, means: Mapping[str, float | None], count: int = 3, **rest: Any) -> list[Record]:
    """Measurements of several seeds around given means; seeds differ by the noise of this module."""
    return [
        record(
            label,
            seed,
            evaluator,
            {name: None if mean is None else mean + NOISE[seed] * (1 + len(label) % 3) for name, mean in means.items()},
            **rest,
        )
        for seed in range(count)
    ]


def _score(name: str, value: float | None, unit: str, note: str) -> Score:
    if value is None:
        return Score(name, None, unit, True, note=note or "not measured")
    interval = (value - 0.02, value + 0.02) if unit == "share" else None
    return Score(name, value, unit, True, interval, IMAGES, note)
