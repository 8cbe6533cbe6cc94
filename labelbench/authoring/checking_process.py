"""Examine one name in two processes with other hash seeds and other random numbers, and compare what they found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from labelbench import errors
from labelbench.authoring.findings import FAILED, FINE, Finding, in_words
from labelbench.errors import InputError, LabelbenchError
from labelbench.plugins.discovery import plugins
from labelbench.settings import current_settings

TIME_LIMIT = 60.0
_WORKER = "labelbench.authoring.checking_worker"
_SEEDS = ("0", "1")
_POLL_SECONDS = 0.05
# Loading libraries is no step of the plugin's.
_LOADING_SECONDS = 120.0


def findings_of(kind: str, name: str, time_limit: float = TIME_LIMIT) -> list[Finding]:
    """What the checks of one name find.

    Args:
        kind: ``"label"``, ``"backbone"``, ``"evaluator"`` or ``"dataset"``.
        name: as a user writes it.
        time_limit: seconds after which a single step is given up.

    Raises:
        UnknownName: no plugin registers the name.
        InputError: its argument cannot be used; or a time limit that is not above 0.
        MachineError: files that it needs are not here.
    """
    plugin = plugins().find(kind, name)[0].origin.plugin
    if not time_limit > 0:
        raise InputError(f"time limit is {time_limit:g} s; expected more than 0")
    with tempfile.TemporaryDirectory(prefix="labelbench-check-") as folder:
        workers = [_Worker(kind, name, plugin, Path(folder), seed) for seed in _SEEDS]
        try:
            # Every worker is asked each time: who is silent for too long is given up then.
            while sum(worker.is_running(time_limit) for worker in workers):
                time.sleep(_POLL_SECONDS)
        finally:
            for worker in workers:
                worker.stop()
        first, second = (worker.outcome(time_limit) for worker in workers)
    return [*first.findings, *_compared(first, second)]


class _Outcome(NamedTuple):
    """What one process found, and the facts that must be equal in all; None if it did not come to its end."""

    findings: list[Finding]
    facts: Mapping[str, Any] | None


class _Worker:
    """One process that examines."""

    def __init__(self, kind: str, name: str, plugin: str, folder: Path, seed: str) -> None:
        self._file = folder / f"{seed}.jsonl"
        self._said = folder / f"{seed}.txt"
        self._given_up = False
        self._touched = time.monotonic()
        self._size = -1
        settings = current_settings()
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "LABELBENCH_OFFLINE": "1",
            "LABELBENCH_DATA": str(settings.data_dir),
            "LABELBENCH_LABELS": str(settings.labels_dir or ""),
            "LABELBENCH_CACHE": str(settings.cache_dir),
        }
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _WORKER, kind, name, plugin, str(self._file), seed],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=environment,
            )

    def is_running(self, time_limit: float) -> bool:
        """Whether it is at work; given up and ended if nothing was heard of it for ``time_limit`` seconds."""
        size = self._file.stat().st_size if self._file.exists() else 0
        if size != self._size:
            self._size, self._touched = size, time.monotonic()
        if self._process.poll() is not None:
            return False
        if time.monotonic() - self._touched > (time_limit if size else max(time_limit, _LOADING_SECONDS)):
            self._given_up = True
            return False
        return True

    def stop(self) -> None:
        """End the process if it has not ended by itself."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def outcome(self, time_limit: float) -> _Outcome:
        """What it found until it ended.

        Raises:
            LabelbenchError: the check cannot be made.
        """
        findings: list[Finding] = []
        facts: Mapping[str, Any] | None = None
        doing = "loading"
        for line in self._lines():
            if "error" in line:
                raise _error(*line["error"])
            if "facts" in line:
                facts = line["facts"]
            elif "doing" in line:
                doing = line["doing"]
            else:
                findings.append(Finding(**line))
        if facts is None:
            findings.append(self._unfinished(doing, time_limit))
        return _Outcome(findings, facts)

    def _unfinished(self, doing: str, time_limit: float) -> Finding:
        if self._given_up:
            why = "whoever runs a suite waits for it: make it faster, or allow more with --time-limit"
            text = f"{doing} was given up after {time_limit:g} s; expected an end within the time limit: {why}"
            return Finding("time", FAILED, text)
        said = self._said.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["nothing"]
        text = (
            f"{doing} ended the process with code {self._process.returncode}, and it said last: {said[-1][:200]}; "
            "expected a result or an exception, since one plugin must not stop the others"
        )
        return Finding("process", FAILED, text)

    def _lines(self) -> list[dict[str, Any]]:
        text = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
        # The last line of a process that was ended may be cut off.
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _compared(first: _Outcome, second: _Outcome) -> list[Finding]:
    """Facts that differ, the same everywhere, or what the second process alone met."""
    if first.facts is None or any(finding.state == FAILED for finding in second.findings):
        known = {finding.check for finding in first.findings if finding.state == FAILED}
        return [finding for finding in second.findings if finding.check not in known]
    if not first.facts:
        return []
    second_facts = second.facts or {}
    other = [key for key in first.facts if first.facts[key] != second_facts.get(key)]
    if not other:
        return [Finding("processes", FINE, "the same in two processes with other hash seeds and random numbers")]
    return [
        Finding(
            "processes",
            FAILED,
            f"two processes with other hash seeds and random numbers disagree on {in_words(other)}; expected the same "
            "everywhere, or no one can repeat the run: seed randomness, and iterate over no set",
        )
    ]


def _error(kind: str, text: str) -> LabelbenchError:
    """The error that a process reported, of the class that it named, with its text as it is."""
    known = getattr(errors, kind, LabelbenchError)
    error: LabelbenchError = known.__new__(known)
    Exception.__init__(error, text)
    return error
