"""A results folder read once: one value, which tables, claims, charts and reports are made of."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from labelbench.errors import ConflictError, InputError, PluginError, one_line
from labelbench.evaluation.scores import Score
from labelbench.files import damaged, disk_errors, read_json
from labelbench.results.records import Cell, Record, TrainingRecord, run_of
from labelbench.results.store import FAILED, SCHEMA, Results
from labelbench.runs import RunSpec
from labelbench.tunings import Tuning, tuning_of
from labelbench.values import uncollected

_TRAINING = f"{os.sep}training.json"
_WRONG = (KeyError, TypeError, ValueError, AttributeError, PluginError)


class Failure(NamedTuple):
    """What failed and has not succeeded since, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Asked:
    """What the last run was asked for.

    Attributes:
        name: of its suite, else of the folder.
        headline: ``evaluator/score`` of the columns that it put first.
        tuning: how the recipes of its labels were chosen, None if they were not.
    """

    name: str
    headline: tuple[str, ...] = ()
    tuning: Tuning | None = None


class Contents:
    """Everything that a results folder holds, as it was when it was read, in the order of its paths.

    Attributes:
        results: the folder.
        asked: what the last run was asked for.
        records: finished measurements.
        failures: what failed and has not succeeded since.
    """

    def __init__(self, results: Results) -> None:
        reader = _Reader(results.folder)
        self.results = results
        self.asked = _asked(results.folder)
        with disk_errors("cannot read", results.folder):
            self.records: tuple[Record, ...] = tuple(map(reader.record, reader.measurements))
            self.failures: tuple[Failure, ...] = tuple(map(reader.failure, reader.failed))
        self._reader = reader

    @cached_property
    def trainings(self) -> tuple[TrainingRecord, ...]:
        """Finished trainings; their files are read when they are first asked for.

        Raises:
            InputError: a file is damaged.
            ConflictError: two files are of one training.
        """
        with disk_errors("cannot read", self.results.folder):
            return tuple(map(self._reader.training, self._reader.trained))

    def __bool__(self) -> bool:
        """Whether anything is finished or has failed."""
        return bool(self.records or self.failures or self._reader.trained)


@uncollected()
def read(results: Results) -> Contents:
    """Read a results folder.

    Raises:
        InputError: a file is damaged or no record; it is named.
        ConflictError: two files are records of one measurement, as a copy of one would be; both are named.
        MachineError: it cannot be read.
    """
    return Contents(results)


def _asked(folder: Path) -> Asked:
    file = folder / "suite.json"
    facts = read_json(file) if file.exists() else {}
    headline = facts.get("headline", []) if isinstance(facts, dict) else None
    if not isinstance(headline, list) or not all(isinstance(key, str) for key in headline):
        raise damaged(file, "it does not say what was asked for")
    tuning = tuning_of(str(file), facts["tuning"]) if facts.get("tuning") else None
    return Asked(str(facts.get("name", folder.name)), tuple(headline), tuning)


class _Reader:
    """Paths of a folder by what they are, and how each is read. Strings: a path object takes longer than the file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.measurements: list[str] = []
        self.trained: list[str] = []
        self.failed: list[str] = []
        # What a record says as the one before it did is not kept again.
        self._before: dict[str, Any] = {}
        self._said: Any = None
        self._made: RunSpec
        self._seen: dict[tuple[Any, ...], str] = {}
        with disk_errors("cannot read", folder):
            for path in _files_below(str(folder), 4) if folder.is_dir() else ():
                if path.endswith(FAILED):
                    self.failed.append(path)
                elif path.endswith(_TRAINING):
                    self.trained.append(path)
                elif path.endswith(".json"):
                    self.measurements.append(path)

    def record(self, path: str) -> Record:
        facts = self._facts(path, "measurement")
        try:
            evaluator = facts["evaluator"]
            cell = Cell(self._run(facts), evaluator["name"], evaluator["version"], facts["test_images"])
            made = facts["environment"].get("arithmetic")
            self._refuse_twice(path, facts["run"]["id"], made, cell.evaluator, cell.version, cell.test_images)
            scores = tuple(Score(**score) for score in facts.pop("scores"))
            return Record(cell, scores, facts["status"] == "diverged", facts)
        except _WRONG as error:
            raise damaged(path, one_line(error)) from error

    def training(self, path: str) -> TrainingRecord:
        facts = self._facts(path, "training")
        try:
            self._refuse_twice(path, facts["run"]["id"], facts["environment"].get("arithmetic"))
            training = TrainingRecord(self._run(facts), facts)
            # What is used of it is asked for here, where the file can be named.
            _ = training.accuracy, training.diverged, facts["label"]["identity"], facts["images"], facts["environment"]
        except _WRONG as error:
            raise damaged(path, one_line(error)) from error
        return training

    def failure(self, path: str) -> Failure:
        facts = self._facts(path, "failure")
        if not isinstance(facts.get("what"), str) or not isinstance(facts.get("error"), str):
            raise damaged(path, "it does not say what failed and why")
        return Failure(facts["what"], facts["error"])

    def _run(self, facts: dict[str, Any]) -> RunSpec:
        said = facts["run"]
        if said is not self._said:
            self._said, self._made = said, run_of(said)
        return self._made

    def _refuse_twice(self, path: str, *key: Any) -> None:
        first = self._seen.setdefault(key, path)
        if first != path:
            raise ConflictError(
                f"{first} and {path} are both records of one {'measurement' if len(key) > 2 else 'training'}; "
                "remove the one that is a copy"
            )

    def _facts(self, path: str, kind: str) -> dict[str, Any]:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            data = file.read()
        try:
            facts = json.loads(data)
        except ValueError as error:
            raise damaged(path, str(error)) from error
        if not isinstance(facts, dict) or facts.get("schema") != SCHEMA or facts.get("kind") != kind:
            raise InputError(f"{path} is no {kind} record of schema {SCHEMA}; move it out of the results folder")
        for key, value in facts.items():
            if isinstance(value, dict):
                if self._before.get(key) == value:
                    facts[key] = self._before[key]
                else:
                    self._before[key] = value
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
