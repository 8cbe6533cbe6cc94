"""Every run of a results folder in full: what was asked for, what was found, and how to make it again."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelbench.leaderboard.repeat import Repeat, repeats_of
from labelbench.results.records import Record, TrainingRecord
from labelbench.results.tables import shown_number
from labelbench.runs import RunSpec


@dataclass(frozen=True)
class Facts:
    """Terms and what they are, under a heading."""

    title: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Measured:
    """One measurement as text.

    Attributes:
        title: of its evaluator.
        about: version, settings and images, in words.
        rows: score, value with unit, 95 % interval, images, note.
    """

    title: str
    about: str
    rows: tuple[tuple[str, str, str, str, str], ...]


@dataclass(frozen=True)
class RunView:
    """One run as text.

    Attributes:
        run: what was trained, or whose labels were looked at.
        outcome: of its training in words.
        facts: settings and versions.
        measured: one for each measurement.
        repeats: the commands that make it again.
    """

    run: RunSpec
    outcome: str
    facts: tuple[Facts, ...]
    measured: tuple[Measured, ...]
    repeats: tuple[Repeat, ...]


def run_views(trainings: Iterable[TrainingRecord], records: Iterable[Record]) -> Iterator[RunView]:
    """Every training and every measurement, by data set, backbone, label, seed and share; labels alone stand last."""
    trained = {training.run: training for training in trainings}
    measured: dict[RunSpec, list[Record]] = defaultdict(list)
    for record in records:
        measured[record.cell.run].append(record)
    for run in sorted({*trained, *measured}, key=_order):
        found = sorted(measured[run], key=lambda record: (record.cell.evaluator, record.cell.version, record.cell.id))
        training = trained.get(run)
        yield RunView(
            run,
            _outcome(training, found),
            tuple(_facts(run, training.facts if training else found[0].facts)),
            tuple(map(_measured, found)),
            tuple(repeats_of(run, [record.cell for record in found])),
        )


def _order(run: RunSpec) -> tuple[Any, ...]:
    return not run.backbone, run.dataset, run.backbone, run.label, run.seed, -run.train_fraction, run.id


def _outcome(training: TrainingRecord | None, records: Sequence[Record]) -> str:
    if training is None:
        return "" if any(record.cell.run.backbone for record in records) else "labels alone"
    if training.diverged:
        return f"diverged after epoch {len(training.accuracy)}"
    epoch = training.facts.get("best_epoch")
    best = f"validation {training.accuracy[epoch - 1]:.1%} at epoch {epoch}" if epoch and training.accuracy else ""
    return best or "trained"


def _facts(run: RunSpec, facts: Mapping[str, Any]) -> Iterator[Facts]:
    asked = {"data set": run.dataset, "label": run.label, "backbone": run.backbone, "seed": run.seed}
    if run.backbone:
        asked |= {"share of the training data": run.share_of_data, "numerics": str(run.numerics)}
    yield _of("Run", {**asked, "identity": run.id, **dict(run.files)})
    label = facts["label"]
    yield _of("Label", {key: label.get(key) for key in ("shape", "loss", "sha256", "identity", "notes")})
    yield _of("Images", {key.replace("_", " "): value for key, value in facts["images"].items()})
    if run.backbone:
        yield _of("Recipe", {key.replace("_", " "): value for key, value in run.recipe.settings.items()})
        yield _of("Network", {key.replace("_", " "): value for key, value in facts.get("backbone", {}).items()})
    plugins = {f"{kind} from": origin for kind, origin in facts.get("plugins", {}).items() if kind != "evaluator"}
    when = {key.replace("_", " "): facts[key] for key in ("wall_seconds", "finished") if key in facts}
    yield _of("Made with", {**facts["environment"], **plugins, **when})
    provenance = {key: value for key, value in label.get("provenance", {}).items() if key != "notes"}
    if provenance:
        yield _of("How the label was made", {key.replace("_", " "): value for key, value in provenance.items()})


def _of(title: str, pairs: Mapping[str, Any]) -> Facts:
    return Facts(title, tuple((term, _text(value)) for term, value in pairs.items() if value not in (None, "", [])))


def _text(value: Any) -> str:
    """A JSON value for people: a list of plain values without marks."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _measured(record: Record) -> Measured:
    cell, evaluator = record.cell, record.facts["evaluator"]
    parts = [f"version {cell.version}", record.facts.get("plugins", {}).get("evaluator", "")]
    parts += [f"{name} {_text(value)}" for name, value in evaluator.get("settings", {}).items()]
    parts += [f"{cell.test_images:,} test images" if cell.test_images else ""]
    parts += ["not measured, the training diverged"] if record.diverged else []
    return Measured(cell.evaluator, "; ".join(part for part in parts if part), tuple(_rows(record)))


def _rows(record: Record) -> Iterator[tuple[str, str, str, str, str]]:
    for score in record.scores:
        unit = "%" if score.unit == "share" else score.unit
        value = "n/m" if score.value is None else f"{shown_number(score.value, score.unit)} {unit}".rstrip()
        interval = " to ".join(shown_number(bound, score.unit) for bound in score.interval or ())
        yield score.name, value, interval, "" if score.count is None else f"{score.count:,}", score.note
