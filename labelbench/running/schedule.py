"""In what order jobs can begin, and which can never begin."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from labelbench.running.jobs import Job, MeasuringJob, TrainingJob
from labelbench.runs import RunSpec


class Schedule:
    """Measurements as soon as all their networks are there, in their order, before any further training.

    Args:
        trainings: what is to be trained.
        measurements: what is to be measured.
        is_there: whether the network of a run that is not to be trained is there.
    """

    def __init__(
        self,
        trainings: Iterable[TrainingJob],
        measurements: Iterable[MeasuringJob],
        is_there: Callable[[RunSpec], bool],
    ) -> None:
        self._trainings = deque(trainings)
        self._measurements = list(measurements)
        self._waiting: dict[RunSpec, list[int]] = defaultdict(list)
        self._missing: dict[int, int] = {}
        self._ready: list[int] = []
        self._impossible: list[tuple[Job, str]] = []
        known: dict[RunSpec, bool] = dict.fromkeys((job.run for job in self._trainings), False)
        to_come = set(known)
        for index, job in enumerate(self._measurements):
            missing = 0
            for run in job.needs.trainings:
                if run not in known:
                    known[run] = is_there(run)
                if not known[run]:
                    self._waiting[run].append(index)
                    missing += 1
            self._missing[index] = missing
            if not missing:
                self._ready.append(index)
        for run in [run for run in self._waiting if run not in to_come]:
            self._give_up(run)

    def next(self) -> Job | None:
        """A job that can begin; None if there is none for now."""
        if self._ready:
            return self._measurements[heapq.heappop(self._ready)]
        return self._trainings.popleft() if self._trainings else None

    def done(self, job: Job) -> None:
        """A job is done: what waited for it may begin."""
        if isinstance(job, TrainingJob):
            for index in self._waiting.pop(job.run, ()):
                if index in self._missing:
                    self._missing[index] -= 1
                    if not self._missing[index]:
                        heapq.heappush(self._ready, index)

    def failed(self, job: Job) -> None:
        """A job failed: what waited for it is impossible."""
        if isinstance(job, TrainingJob):
            self._give_up(job.run)

    def _give_up(self, run: RunSpec) -> None:
        for index in self._waiting.pop(run, ()):
            if self._missing.pop(index, None):
                self._impossible.append((self._measurements[index], f"needs {run}, which is not there"))

    def given_up(self) -> list[tuple[Job, str]]:
        """What has become impossible since the last call, and why."""
        found, self._impossible = self._impossible, []
        return found
