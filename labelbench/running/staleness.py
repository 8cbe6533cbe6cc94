"""Whether finished work is still what its names stand for: the code, files and settings behind a name can change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from labelbench.errors import ConflictError, InputError, MachineError, PluginError
from labelbench.evaluation.evaluator import Evaluator
from labelbench.files import damaged, read_json
from labelbench.plugins.lookup import evaluator
from labelbench.results.store import Results
from labelbench.running.materials import Materials
from labelbench.running.planning import Plan
from labelbench.runs import RunSpec


def refuse_stale(plan: Plan, results: Results, materials: Materials) -> None:
    """Compare what finished work was made with and what its names stand for now.

    Raises:
        ConflictError: something differs; the line says what, and how it is done again.
        InputError: a record does not say what it was made with.
    """
    stale = list(_differences(plan, results, materials))
    if not stale:
        return
    file, what, name = stale[0]
    more = f"; so were {len(stale) - 1} more results" if len(stale) > 1 else ""
    raise ConflictError(
        f"{file} was made with {what}{more}; --overwrite always does again all that the command names (name {name} "
        "alone and the rest stays), another --results folder keeps both"
    )


def _differences(plan: Plan, results: Results, materials: Materials) -> Iterator[tuple[Path, str, str]]:
    """Each result that differs: its file, what it was made with, and the name to blame."""
    todo = {*plan.todo_trainings, *plan.todo_cells}
    for run in plan.trainings:
        file = results.training_file(run)
        if run not in todo and file.exists():
            for what, name in _of_run(run, file, _facts(file), materials):
                yield file, what, name
    made: dict[str, Evaluator] = {}
    for cell in plan.cells:
        file = results.measurement_file(cell)
        if cell in todo or not file.exists():
            continue
        facts = _facts(file)
        for what, name in _of_run(cell.run, file, facts, materials):
            yield file, what, name
        if cell.evaluator not in made:
            made[cell.evaluator] = evaluator(cell.evaluator)
        now, then = json.loads(json.dumps(made[cell.evaluator].settings)), facts["evaluator"].get("settings", {})
        if now != then:
            changed = sorted(key for key in {*now, *then} if now.get(key) != then.get(key))
            yield (
                file,
                f"other settings of evaluator {cell.evaluator} ({', '.join(changed)} changed)",
                f"--evaluator {cell.evaluator}",
            )


def _of_run(run: RunSpec, file: Path, facts: Mapping[str, Any], materials: Materials) -> Iterator[tuple[str, str]]:
    # What cannot be had now cannot be compared; only what needs it fails.
    with suppress(MachineError, PluginError):
        images = materials.images(run)
        then = _said(file, facts, "images", "fingerprint")
        if then != images.fingerprint:
            now = f"{images.fingerprint[:12]} from {images.source}"
            yield f"other images of {run.dataset} (fingerprint {then[:12]}, now {now})", f"--dataset {run.dataset}"
    with suppress(MachineError, PluginError, InputError):
        labels = materials.labels(run)
        then = _said(file, facts, "label", "identity")
        if then != labels.identity:
            yield (
                f"other targets of label {run.label} ({then[:12]}, now {labels.identity[:12]})",
                f"--label {run.label}",
            )


def _facts(file: Path) -> Mapping[str, Any]:
    facts = read_json(file)
    if not isinstance(facts, dict):
        raise damaged(file, "it is no record")
    return facts


def _said(file: Path, facts: Mapping[str, Any], part: str, key: str) -> str:
    try:
        return str(facts[part][key])
    except (KeyError, TypeError) as error:
        raise damaged(file, f"it does not say what {part} it was made with") from error
