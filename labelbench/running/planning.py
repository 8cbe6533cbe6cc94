"""What a suite asks for, and what of it is missing: nothing is computed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from labelbench.errors import PluginError, UnknownName, one_line
from labelbench.evaluation.evaluator import needs_of
from labelbench.evaluation.needs import Needs
from labelbench.plugins.discovery import plugins
from labelbench.plugins.lookup import evaluator, find_dataset, pixels_of
from labelbench.results.records import Cell
from labelbench.results.store import Results, failure_file
from labelbench.running.names import named_once
from labelbench.runs import Numerics, RunSpec
from labelbench.suite import Suite
from labelbench.values import uncollected

OVERWRITE = ("never", "missing", "always")


@dataclass(frozen=True)
class Plan:
    """All trainings and measurements of a suite, each once, in the order in which they are done.

    Attributes:
        suite: what was asked for.
        trainings: every network that some measurement needs.
        snapshots: shares of training at which each of them is looked at.
        cells: every measurement.
        needs: what each measurement asks for.
        todo_trainings, todo_cells: the part that is missing.
        left_alone: measurements that are not there and not to be done, since they failed before.
        refused: why measurements cannot be made, of those whose evaluator failed to say what it needs.
        notes: a line for each name that stands for the same as another.
    """

    suite: Suite
    trainings: tuple[RunSpec, ...]
    snapshots: dict[RunSpec, tuple[float, ...]]
    cells: tuple[Cell, ...]
    needs: dict[Cell, Needs]
    todo_trainings: tuple[RunSpec, ...]
    todo_cells: tuple[Cell, ...]
    left_alone: tuple[Cell, ...]
    refused: dict[Cell, str]
    notes: tuple[str, ...] = ()


@uncollected()
def plan(suite: Suite, numerics: Numerics, results: Results, overwrite: str = "missing") -> Plan:
    """Plan a suite.

    Args:
        suite: what is asked for.
        numerics: resolved for this machine.
        results: what is done already.
        overwrite: ``"missing"`` does what is absent, failed or interrupted; ``"never"`` leaves alone what has failed
            before; ``"always"`` does everything again.

    Raises:
        UnknownName: a name that nothing registers, or a column of the headline that its evaluator does not explain.
        InputError: an argument that cannot be used.
        PluginError: an evaluator cannot be made.
    """
    if overwrite not in OVERWRITE:
        raise UnknownName("overwrite policy", overwrite, OVERWRITE)
    suite, notes = named_once(suite)
    notes += tuple(f"plugin {one.origin.plugin} ({one.origin}) {one.reason}" for one in plugins().disturbing)
    for column in suite.headline:
        _check_column(column, suite)
    needs: dict[Cell, Needs] = {}
    refused: dict[Cell, str] = {}
    evaluators = {name: evaluator(name) for name in suite.evaluators}
    for run in _runs(suite, numerics):
        for name, made in evaluators.items():
            cell = Cell(run, name, made.version, suite.test_images)
            try:
                need = needs_of(made, run)
            except PluginError as error:
                need = Needs()
                refused[cell] = one_line(error)
            else:
                cell = Cell(run.of_labels, name, made.version) if need.labels_alone else cell
            needs.setdefault(cell, need)
    trainings = _looked_at(needs.values())
    snapshots = {run: tuple(sorted(shares)) for run, shares in trainings.items()}
    todo_cells = tuple(cell for cell in needs if _is_missing(f"{cell.name}.json", (), results, overwrite))
    left_alone: tuple[Cell, ...] = ()
    if overwrite == "never":
        todo = set(todo_cells)
        rest = (cell for cell in needs if cell not in todo)
        left_alone = tuple(cell for cell in rest if not results.measurement_file(cell).exists())
    wanted = _looked_at(needs[cell] for cell in todo_cells)
    todo_trainings = tuple(run for run in trainings if _training_is_missing(run, wanted.get(run), results, overwrite))
    everything = tuple(trainings), snapshots, tuple(needs), needs
    return Plan(suite, *everything, todo_trainings, todo_cells, left_alone, refused, notes)


def plan_of_trainings(suite: Suite, runs: Iterable[RunSpec], results: Results, overwrite: str = "missing") -> Plan:
    """Plan trainings that nothing measures; see :func:`plan`."""
    if overwrite not in OVERWRITE:
        raise UnknownName("overwrite policy", overwrite, OVERWRITE)
    trainings = tuple(dict.fromkeys(runs))
    for run in trainings:
        find_dataset(run.dataset)
        for kind, name in (("label", run.label), ("backbone", run.backbone)):
            plugins().find(kind, name)
    todo = tuple(run for run in trainings if _training_is_missing(run, None, results, overwrite))
    return Plan(suite, trainings, dict.fromkeys(trainings, ()), (), {}, todo, (), (), {})


def _check_column(column: str, suite: Suite) -> None:
    """Refuse a column of the headline that no evaluator explains; those of evaluators not asked for stay empty."""
    asked = next((name for name in suite.evaluators if column.startswith(f"{name}/")), None)
    if asked is None:
        plugins().find("evaluator", column.partition("/")[0])
        return
    known, score = evaluator(asked).explanations, column.removeprefix(f"{asked}/")
    if known and score not in known and score.partition("/")[0] not in known:
        raise UnknownName("column of the headline", column, [f"{asked}/{each}" for each in known])


def _looked_at(needs: Iterable[Needs]) -> dict[RunSpec, set[float]]:
    """Every training that is asked for, and the shares of it at which it is looked at."""
    trainings: dict[RunSpec, set[float]] = {}
    for need in needs:
        for run in need.trainings:
            trainings.setdefault(run, set()).update(need.snapshots)
    return trainings


def _runs(suite: Suite, numerics: Numerics) -> Iterator[RunSpec]:
    for dataset in suite.datasets:
        pixels = pixels_of(dataset)
        for backbone in suite.backbones:
            # What the names mention is hashed once, and not for every seed.
            firsts = [
                RunSpec.of(
                    *(dataset, label, backbone, suite.seeds[0]),
                    pixels=pixels,
                    train_fraction=suite.train_fraction,
                    recipe=suite.recipe_of(label),
                    numerics=numerics,
                )
                for label in suite.labels
            ]
            for seed in suite.seeds:
                yield from (replace(first, seed=seed) for first in firsts)


def _training_is_missing(run: RunSpec, wanted: set[float] | None, results: Results, overwrite: str) -> bool:
    """Whether a network must be trained: unknown, or known but weights are gone that something asks for.

    Args:
        run: the training.
        wanted: shares of training at which some measurement to do looks at it; None if none asks for it at all.
        results: what is done already.
        overwrite: as for :func:`plan`.
    """
    files = [] if wanted is None else [results.network_file(run)]
    files += [results.snapshot_file(run, share) for share in wanted or ()]
    return _is_missing(f"{run.place}/training.json", files, results, overwrite)


def _is_missing(record: str, files: Iterable[Path], results: Results, overwrite: str) -> bool:
    """Whether work must be done whose record, and files, are not all there."""
    if overwrite == "always":
        return True
    done = results.has(record) and all(file.exists() for file in files)
    return not done and not (overwrite == "never" and failure_file(results.folder / record).exists())
