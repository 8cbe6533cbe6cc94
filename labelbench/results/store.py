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

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from labelbench.errors import InputError
from labelbench.evaluation.scores import Arrays, Measurement, Score
from labelbench.files import disk_errors, read_json, write_atomic, write_json
from labelbench.results.arrays import packed_arrays, unpacked_arrays
from labelbench.results.records import Cell, run_facts, score_facts
from labelbench.runs import RunSpec, slug
from labelbench.values import digest_of

SCHEMA = 1
FAILED = ".failed.json"


class Results:
    """A results folder.

    Args:
        folder: made when something is first written.

    Raises:
        InputError: the path is a file.
    """

    def __init__(self, folder: Path) -> None:
        try:
            str(folder).encode()
        except UnicodeEncodeError:
            raise InputError(f"results path {str(folder)!a} is not UTF-8; name another folder") from None
        if folder.exists() and not folder.is_dir():
            raise InputError(f"results path {folder} is a file; expected a folder (--results DIR)")
        self.folder = folder
        self._path = str(folder)

    @property
    def large_files(self) -> Path:
        """Folder of what a published folder leaves out."""
        return self.folder / ".work"

    def work(self, run: RunSpec) -> Path:
        """Folder of the large files of a run."""
        return self.large_files / run.folder

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

    def has(self, file: str) -> bool:
        """Whether the folder has a file of this path, in text: an object takes longer to make than the look."""
        return os.path.exists(f"{self._path}/{file}")  # noqa: PTH110

    def save_suite(self, facts: Mapping[str, Any]) -> None:
        """Record what was asked for."""
        write_json(self.folder / "suite.json", {"schema": SCHEMA, "kind": "suite", **facts})

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
            "scores": [score_facts(score) for score in measurement.scores],
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
                arrays = unpacked_arrays(stored)
            except InputError as error:
                raise InputError(f"{error}, together with {file.name}") from error
        return Measurement(tuple(Score(**score) for score in facts["scores"]), arrays, facts["details"])

    def save_failure(self, file: Path, what: str, error: str) -> None:
        """Record that the work behind ``file`` failed; a failure is never read as a result."""
        write_json(failure_file(file), {"schema": SCHEMA, "kind": "failure", "what": what, "error": error})

    def forget_failure(self, file: Path) -> None:
        """Remove the record of an earlier failure of the work behind ``file``."""
        with disk_errors("cannot remove", failure_file(file)):
            failure_file(file).unlink(missing_ok=True)

    def part(self, cell: Cell, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Arrays of a finished part of a measurement: read back, or computed and stored."""
        file = self.parts_folder(cell) / f"{slug(name)}-{digest_of(name)}.npz"
        if not file.exists():
            write_atomic(file, packed_arrays(compute()))
        return unpacked_arrays(file)

    def forget_parts(self, cell: Cell) -> None:
        """Remove the finished parts of a measurement."""
        shutil.rmtree(self.parts_folder(cell), ignore_errors=True)

    def parts_folder(self, cell: Cell) -> Path:
        """Folder of the finished parts of a measurement."""
        return self.large_files / f"{cell.name}.parts"


def failure_file(file: Path) -> Path:
    """Where the failure of the work behind a result file is recorded."""
    return file.with_suffix(FAILED)


def results_in(folder: Path) -> Results:
    """The results of a folder that is there.

    Raises:
        InputError: it is not.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no results folder; `labelbench run --results {quote(str(folder))}` makes one")
    return Results(folder)


def no_results(folder: Path) -> InputError:
    """The error of a folder in which nothing is finished."""
    return InputError(f"{folder} holds no results; `labelbench run --results {quote(str(folder))}` makes some")
