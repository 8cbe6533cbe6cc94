"""Where jobs run: what the runner asks of an executor, and the one that works in this process."""

from __future__ import annotations

from typing import Protocol

from labelbench.running.jobs import Job
from labelbench.running.worker import Worker


class Executor(Protocol):
    """Runs jobs."""

    @property
    def capacity(self) -> int:
        """How many jobs it works on at once; it may change."""

    def start(self, job: Job) -> None:
        """Begin a job, or put it in line."""

    def finished(self) -> list[tuple[Job, str]]:
        """Wait until a job is done: each that is, and why it failed, empty if it did not.

        Raises:
            ConflictError, MachineError: what every other job would meet as well.
        """


class InProcess:
    """This process, one job at a time."""

    capacity = 1

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._done: list[tuple[Job, str]] = []

    def start(self, job: Job) -> None:
        """Do the job at once."""
        self._done.append((job, self._worker.attempt(job)))

    def finished(self) -> list[tuple[Job, str]]:
        """The jobs done since the last call."""
        done, self._done = self._done, []
        return done
