"""Works on jobs on one machine of several: under a lease, so that no two ever write the results of one job."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labelbench.cluster.leases import Lease
from labelbench.errors import one_line
from labelbench.results.store import Results
from labelbench.running.jobs import Job, TrainingJob


@dataclass(frozen=True)
class NodeWorker:
    """Does jobs that others may have begun, or even done.

    Attributes:
        results: where finished work goes.
        does: does one, as :meth:`labelbench.running.worker.Worker.answer`; from several threads if this is asked so.
        waiting: told of a job that waits for another process.
        driver: who hands jobs out: jobs are done once for each.
        overwrite: True if finished work is to be done again.
        lease_seconds: after which a job whose worker is heard of no more may be taken over.
    """

    results: Results
    does: Callable[[Job], tuple[str, str]]
    waiting: Callable[[Job], None]
    driver: str
    overwrite: bool
    lease_seconds: float

    def answer(self, job: Job, again: bool) -> tuple[str, str]:
        """Do a job unless it is done: see :meth:`labelbench.running.worker.Worker.answer`.

        Args:
            job: what to do.
            again: whether it was begun before for this driver: its checkpoint and parts are taken up then.
        """
        if not self.overwrite and self._is_there(job):
            return "done", ""
        lease = Lease(lease_folder(self.results, job), self.driver, self.lease_seconds)
        with lease.held(lambda: self.waiting(job)):
            if lease.is_done() or (not self.overwrite and self._is_there(job)):
                lease.leave(done=False)
                return "done", ""
            if self.overwrite and not again:
                self._forget(job)
            try:
                kind, said = self.does(job)
            except KeyboardInterrupt as error:  # of the job itself: Ctrl-C reaches the driver alone
                kind, said = "done", one_line(error)
            lease.leave(done=(kind, said) == ("done", ""))
        return kind, said

    def _forget(self, job: Job) -> None:
        """Remove what was begun of a job for others."""
        if isinstance(job, TrainingJob):
            shutil.rmtree(self.results.work(job.run), ignore_errors=True)
        else:
            self.results.forget_parts(job.cell)

    def _is_there(self, job: Job) -> bool:
        """Whether the result of a job is there, which it was not when it was planned."""
        if not isinstance(job, TrainingJob):
            return self.results.measurement_file(job.cell).exists()
        files = [self.results.training_file(job.run), self.results.network_file(job.run)]
        files += [self.results.snapshot_file(job.run, share) for share in job.snapshots]
        return all(file.exists() for file in files)


def lease_folder(results: Results, job: Job) -> Path:
    """Where the leases of a job lie."""
    name = job.run.id if isinstance(job, TrainingJob) else job.cell.id
    return results.folder / ".work" / "leases" / name


def progress_of(results: Results, job: Job) -> float:
    """Something that grows with every checkpoint and every finished part of a job."""
    files = results.work(job.run) if isinstance(job, TrainingJob) else results.parts_folder(job.cell)
    return max((file.stat().st_mtime for file in files.glob("*")), default=0.0)
