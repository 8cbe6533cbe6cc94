"""What works in processes of Ray's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from labelbench.cluster.node_worker import NodeWorker
from labelbench.results.store import Results
from labelbench.running.jobs import Job
from labelbench.running.materials import Materials
from labelbench.running.progress import RemoteReporter
from labelbench.running.worker import Worker
from labelbench.runs import Numerics
from labelbench.settings import Settings, put_in_force


class NodeActor:
    """A :class:`NodeWorker` in a process of Ray's: one job after another on a CPU, several at once on a GPU of its own.

    Args:
        folder: of the results.
        settings: put in force.
        driver: who hands jobs out.
        overwrite: True if finished work is to be done again.
        reports: told of everything.
        numerics: of all jobs.
        seconds: of a lease.
        number: of its first job in reports.
        room: how many jobs it is given at once.
    """

    def __init__(
        self,
        folder: str,
        settings: Settings,
        driver: str,
        overwrite: bool,
        reports: Any,
        numerics: Numerics,
        seconds: float,
        number: int,
        room: int,
    ) -> None:
        put_in_force(settings)
        results = Results(Path(folder))
        reporter = RemoteReporter(reports.tell.remote, number)
        if numerics.device == "cuda":
            from labelbench.cluster.together import Together
            from labelbench.running.on_gpus import on_gpus

            does = Together(partial(on_gpus, room, numerics, results, reporter, Materials(), overwrite=False)).answer
        else:
            does = Worker(results, reporter, Materials(reporter.update)).answer

        def waiting(job: Job) -> None:
            reporter.update(f"{job}: another process works on it", 0.0)

        self._worker = NodeWorker(results, does, waiting, driver, overwrite=overwrite, lease_seconds=seconds)

    def ready(self) -> tuple[str, str]:
        """Say that it has begun."""
        return "ready", ""

    def answer(self, job: Job, again: bool) -> tuple[str, str]:
        """Do a job: see :meth:`labelbench.cluster.node_worker.NodeWorker.answer`."""
        return self._worker.answer(job, again)
