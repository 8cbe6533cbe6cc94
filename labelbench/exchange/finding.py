"""One finished training of a results folder, by as much of its name as tells it from the others."""

from __future__ import annotations

from pathlib import Path

from labelbench.errors import InputError, UnknownName
from labelbench.results.reading import read
from labelbench.results.records import TrainingRecord
from labelbench.results.store import no_results, results_in

_ASKED = ("dataset", "backbone", "label", "seed", "train_fraction", "id")
_SHOWN = 8


def find_training(folder: str | Path, **asked: object) -> TrainingRecord:
    """The one training of a folder that is what was asked for.

    Args:
        folder: a results folder.
        **asked: ``dataset``, ``backbone``, ``label``, ``seed``, ``train_fraction`` or ``id`` of its run; None for any.

    Raises:
        InputError: there is none, or several; they are named.
    """
    results = results_in(Path(folder))
    found = read(results).trainings
    if not found:
        raise no_results(results.folder)
    for name in _ASKED:
        value = asked.get(name)
        if value is None:
            continue
        there = {str(getattr(training.run, name)): getattr(training.run, name) for training in found}
        found = tuple(training for training in found if getattr(training.run, name) == value)
        if not found:
            raise UnknownName(name.replace("_", " "), str(value), there, f"in {results.folder}")
    if len(found) > 1:
        listed = "; ".join(f"{training.run} ({training.run.id})" for training in found[:_SHOWN])
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise InputError(
            f"{len(found)} trainings of {results.folder} are meant: {listed}{more}; name its dataset, backbone, label, "
            "seed, or the id in brackets"
        )
    return found[0]
