"""Finished work on disk: one small JSON file per training and per measurement, fit for a person and for git.

::

    RESULTS/suite.json                                          what the last `run` was asked for
    RESULTS/leaderboard.md, RESULTS/report.html                 what it ended with
    RESULTS/<dataset>/<backbone>/<label>/seed<N>-<id>/          one run
        training.json                                           settings, learning curve, environment
        <evaluator>-<id>.json, <evaluator>-<id>.npz             scores, and per-image arrays
        *.failed.json                                           why a part of it failed, until it succeeds
    RESULTS/<dataset>/labels/<label>/seed<N>-<id>/              measurements of labels alone
    RESULTS/.work/                                              weights, checkpoints, finished parts: never in git
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from labelbench.errors import InputError, PluginError, one_line
from labelbench.evaluation.scores import Arrays, Measurement, Score
from labelbench.files import damaged, disk_errors, read_json, write_atomic, write_json
from labelbench.recipes import Recipe, recipe_from
from labelbench.runs import Numerics, RunSpec, slug
from labelbench.values import digest_of

SCHEMA = 1
_FAILED = ".failed.json"


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

    @cached_property
    def id(self) -> str:
        """Ten hexadecimal digits of everything that decides the measurement, its run included."""
        return digest_of([self.run.id, self.evaluator, self.version, self.test_images])

    @property
    def name(self) -> str:
        """Where its files lie, relative to the results folder, without suffix."""
        return str(self.run.folder / f"{slug(self.evaluator)}-{self.id}")

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


class Results:
    """A results folder.

    Args:
        folder: made when something is first written.

    Raises:
        InputError: the path is a file.
    """

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"results path {folder} is a file; expected a folder (--results DIR)")
        self.folder = folder

    def work(self, run: RunSpec) -> Path:
        """Folder of the large files of a run."""
        return self.folder / ".work" / run.folder

    def training_file(self, run: RunSpec) -> Path:
        """The record of a training."""
        return self.folder / run.folder / "training.json"

    def network_file(self, run: RunSpec) -> Path:
        """The weights of a finished training."""
        return self.work(run) / "network.safetensors"

    def snapshot_file(self, run: RunSpec, share: float) -> Path:
        """The weights of a run after ``share`` of its training, above 0 to 1."""
        return self.work(run) / f"snapshot-{share:g}.safetensors"

    def measurement_file(self, cell: Cell) -> Path:
        """The record of a measurement."""
        return self.folder / f"{cell.name}.json"

    def save_suite(self, facts: Mapping[str, Any]) -> None:
        """Record what was asked for."""
        write_json(self.folder / "suite.json", {"schema": SCHEMA, "kind": "suite", **facts})

    def suite_facts(self) -> dict[str, Any]:
        """What the last run was asked for; empty if there was none."""
        file = self.folder / "suite.json"
        facts = read_json(file) if file.exists() else {}
        headline = facts.get("headline", []) if isinstance(facts, dict) else None
        if not isinstance(headline, list) or not all(isinstance(key, str) for key in headline):
            raise damaged(file, "it does not say what was asked for")
        return dict(facts)

    def save_training(self, run: RunSpec, facts: Mapping[str, Any]) -> None:
        """Record a finished training."""
        write_json(self.training_file(run), {"schema": SCHEMA, "kind": "training", "run": run_facts(run), **facts})
        self.forget_failure(self.training_file(run))

    def save_measurement(
        self, cell: Cell, measurement: Measurement, facts: Mapping[str, Any], *, diverged: bool = False
    ) -> None:
        """Record a finished measurement; arrays are written before the scores, whose presence means complete."""
        file = self.measurement_file(cell)
        arrays = dict(measurement.arrays)
        if arrays:
            write_atomic(file.with_suffix(".npz"), packed_arrays(arrays))
        record = {
            "schema": SCHEMA,
            "kind": "measurement",
            "status": "diverged" if diverged else "done",
            "run": run_facts(cell.run),
            "evaluator": {"name": cell.evaluator, "version": cell.version, **facts["evaluator"]},
            "test_images": cell.test_images,
            "scores": [_score_facts(score) for score in measurement.scores],
            "details": dict(measurement.details),
            "arrays": file.with_suffix(".npz").name if arrays else None,
            **{key: value for key, value in facts.items() if key != "evaluator"},
        }
        write_json(file, record)
        self.forget_failure(file)

    def load_measurement(self, cell: Cell) -> Measurement:
        """Read a finished measurement back, arrays included."""
        file = self.measurement_file(cell)
        facts = read_json(file)
        arrays: Arrays = {}
        if facts["arrays"]:
            stored = file.with_name(facts["arrays"])
            if not stored.exists():
                raise InputError(f"{stored} is not there; remove {file.name} too and run again")
            try:
                arrays = _unpacked_arrays(stored)
            except InputError as error:
                raise InputError(f"{error}, together with {file.name}") from error
        return Measurement(tuple(_score_of(score) for score in facts["scores"]), arrays, facts["details"])

    def save_failure(self, file: Path, what: str, error: str) -> None:
        """Record that the work behind ``file`` failed; a failure is never read as a result."""
        write_json(failure_file(file), {"schema": SCHEMA, "kind": "failure", "what": what, "error": error})

    def forget_failure(self, file: Path) -> None:
        """Remove the record of an earlier failure of the work behind ``file``."""
        with disk_errors("cannot remove", failure_file(file)):
            failure_file(file).unlink(missing_ok=True)

    def part(self, cell: Cell, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Arrays of a finished part of a measurement: read back, or computed and stored."""
        file = self._parts(cell) / f"{slug(name)}-{digest_of(name)}.npz"
        if not file.exists():
            write_atomic(file, packed_arrays(compute()))
        return _unpacked_arrays(file)

    def forget_parts(self, cell: Cell) -> None:
        """Remove the finished parts of a measurement."""
        shutil.rmtree(self._parts(cell), ignore_errors=True)

    def _parts(self, cell: Cell) -> Path:
        return self.folder / ".work" / f"{cell.name}.parts"

    def records(self) -> Iterator[Record]:
        """All finished measurements, in the order of their paths.

        Raises:
            InputError: a file is damaged or no record; it is named.
        """
        return (one for one in self.finished() if isinstance(one, Record))

    def failures(self) -> Iterator[tuple[str, str]]:
        """``(what failed, why)`` of everything that failed and has not succeeded since, in the order of paths."""
        paths = (path for path in self._record_paths() if path.endswith(_FAILED))
        return map(self._failure, paths)

    def finished(self) -> Iterator[Record | tuple[str, str]]:
        """Records and failures together, in the order of their paths, the folder being looked through once."""
        for path in self._record_paths():
            if path.endswith(_FAILED):
                yield self._failure(path)
                continue
            facts = self._facts(path, "measurement")
            try:
                yield _record_of(facts)
            except (KeyError, TypeError, ValueError, PluginError) as error:
                raise damaged(path, one_line(error)) from error

    def _failure(self, path: str) -> tuple[str, str]:
        facts = self._facts(path, "failure")
        if not isinstance(facts.get("what"), str) or not isinstance(facts.get("error"), str):
            raise damaged(path, "it does not say what failed and why")
        return facts["what"], facts["error"]

    def _record_paths(self) -> Iterator[str]:
        """Paths of measurements and failures. Strings: a path object for each takes longer than to read the file."""
        training = f"{os.sep}training.json"
        with disk_errors("cannot read", self.folder):
            if self.folder.is_dir():
                found = _files_below(str(self.folder), 4)
                yield from (path for path in found if path.endswith(".json") and not path.endswith(training))

    def _facts(self, path: str, kind: str) -> dict[str, Any]:
        with disk_errors("cannot read", self.folder), open(path, "rb") as file:  # noqa: PTH123
            data = file.read()
        try:
            facts = json.loads(data)
        except ValueError as error:
            raise damaged(path, str(error)) from error
        if not isinstance(facts, dict) or facts.get("schema") != SCHEMA or facts.get("kind") != kind:
            raise InputError(f"{path} is no {kind} record of schema {SCHEMA}; move it out of the results folder")
        return facts


def _files_below(folder: str, depth: int) -> Iterator[str]:
    """Paths of the visible files that lie exactly ``depth`` folders below, in their order."""
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith("."))
    for name, is_folder in found:
        path = f"{folder}{os.sep}{name}"
        if depth and is_folder:
            yield from _files_below(path, depth - 1)
        elif not depth and not is_folder:
            yield path


def failure_file(file: Path) -> Path:
    """Where the failure of the work behind a result file is recorded."""
    return file.with_suffix(_FAILED)


def results_in(folder: Path) -> Results:
    """The results of a folder that is there.

    Raises:
        InputError: it is not.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no results folder; `labelbench run --results {folder}` makes one")
    return Results(folder)


def no_results(folder: Path) -> InputError:
    """The error of a folder in which nothing is finished."""
    return InputError(f"{folder} holds no results; `labelbench run --results {folder}` makes some")


def run_facts(run: RunSpec) -> dict[str, Any]:
    """A run as JSON values."""
    return {"id": run.id, **asdict(run), "recipe": run.recipe.settings}


def run_of(facts: Mapping[str, Any]) -> RunSpec:
    """The run that :func:`run_facts` described."""
    values = {key: value for key, value in facts.items() if key != "id"}
    recipe = {name: tuple(value) if isinstance(value, list) else value for name, value in values["recipe"].items()}
    return RunSpec(
        **{
            **values,
            "recipe": _recipe_of(tuple(recipe.items())),
            "numerics": _numerics_of(tuple(values["numerics"].items())),
            "files": tuple((path, digest) for path, digest in values["files"]),
        }
    )


@lru_cache(maxsize=256)
def _recipe_of(fields: tuple[tuple[str, Any], ...]) -> Recipe:
    """Recipes are few and runs are many."""
    return recipe_from(dict(fields))


@lru_cache(maxsize=256)
def _numerics_of(fields: tuple[tuple[str, Any], ...]) -> Numerics:
    return Numerics(**dict(fields))


def packed_arrays(arrays: Arrays) -> bytes:
    """Arrays as the bytes of a compressed ``.npz`` file, equal for equal arrays."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def _unpacked_arrays(file: Path) -> Arrays:
    with disk_errors("cannot read", file):
        data = file.read_bytes()
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise damaged(file, one_line(error)) from error


def _score_facts(score: Score) -> dict[str, Any]:
    """A score as JSON values; what is not given is left out."""
    facts = {key: value for key, value in asdict(score).items() if value not in (None, "")}
    return {"name": score.name, "value": score.value, **facts}


def _score_of(facts: Mapping[str, Any]) -> Score:
    values = dict(facts)
    if values.get("interval"):
        values["interval"] = tuple(values["interval"])
    return Score(**values)


def _record_of(facts: dict[str, Any]) -> Record:
    run = run_of(facts["run"])
    evaluator = facts["evaluator"]
    cell = Cell(run, evaluator["name"], evaluator["version"], facts["test_images"])
    return Record(cell, tuple(map(_score_of, facts["scores"])), facts["status"] == "diverged", facts)
