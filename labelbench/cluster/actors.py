"""What runs in processes of Ray's: a worker for each place, and whoever gathers what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labelbench.cluster.node_worker import NodeWorker
from labelbench.running.jobs import Job
from labelbench.running.progress import RemoteListener
from labelbench.settings import Settings, put_in_force


class Reports:
    """What workers say, until the driver asks for it."""

    def __init__(self) -> None:
        self._said: list[Any] = []

    def tell(self, event: Any) -> None:
        """Keep what a worker says."""
        self._said.append(event)

    def take(self) -> list[Any]:
        """All that was said since the last call."""
        said, self._said = self._said, []
        return said


class NodeActor:
    """A :class:`NodeWorker` in a process of Ray's."""

    def __init__(
        self, folder: str, settings: Settings, driver: str, overwrite: bool, reports: Any, number: int, seconds: float
    ) -> None:
        put_in_force(settings)
        listener = RemoteListener(reports.tell.remote, number)
        self._worker = NodeWorker(Path(folder), listener, driver, overwrite=overwrite, lease_seconds=seconds)

    def ready(self) -> tuple[str, str]:
        """Say that it has begun."""
        return "ready", ""

    def answer(self, job: Job, again: bool) -> tuple[str, str]:
        """Do a job: see :meth:`labelbench.cluster.node_worker.NodeWorker.answer`."""
        return self._worker.answer(job, again)
