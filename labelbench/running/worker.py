"""Does one job after another; what jobs share is loaded once."""

from __future__ import annotations

from labelbench.errors import ConflictError, MachineError, Unavailable, one_line
from labelbench.interrupts import is_the_users
from labelbench.loggers.logger import loggers
from labelbench.results.store import Results
from labelbench.running.jobs import Job, TrainingJob
from labelbench.running.materials import Materials
from labelbench.running.measuring_task import MeasuringTask
from labelbench.running.networks import FinishedNetworks
from labelbench.running.progress import JobListener
from labelbench.running.training_task import TrainingTask
from labelbench.settings import current_settings


class Worker:
    """Works on jobs of one results folder.

    Args:
        results: where finished work goes.
        listener: told of everything.
        materials: images and labels.
        overwrite: True if checkpoints and finished parts are not to be taken up again.
    """

    def __init__(
        self,
        results: Results,
        listener: JobListener,
        materials: Materials,
        *,
        overwrite: bool = False,
    ) -> None:
        self.results = results
        self.listener = listener
        self.materials = materials
        self.overwrite = overwrite
        settings = current_settings()
        self.listeners = loggers(settings.log, results.large_files, offline=settings.offline)
        self._networks = FinishedNetworks(results, materials)

    def attempt(self, job: Job) -> str:
        """Do a job: why it failed, or nothing.

        Raises:
            ConflictError, MachineError: what every other job would meet as well.
        """
        try:
            self.do(job)
        except Unavailable as error:
            return one_line(error)
        except (ConflictError, MachineError):
            raise
        except BaseException as error:  # one job may fail in any way; the others go on
            if is_the_users(error):
                raise
            return one_line(error)
        return ""

    def answer(self, job: Job) -> tuple[str, str]:
        """Do a job, and say what became of it in words that can be sent: see :func:`raise_if_for_all`."""
        try:
            return "done", self.attempt(job)
        except (ConflictError, MachineError) as error:
            return for_all(error)

    def do(self, job: Job) -> None:
        """Do a job; its result is on disk then."""
        if isinstance(job, TrainingJob):
            self.training(job).carry_out()
            self._networks.forget()
            return
        if self.overwrite:
            self.results.forget_parts(job.cell)
        MeasuringTask(job, self.results, self.materials, self._networks, self.listener).carry_out()

    def training(self, job: TrainingJob) -> TrainingTask:
        """A training, for whoever steps several in turn."""
        return TrainingTask(
            job,
            self.results,
            self.materials,
            self.listener,
            listeners=self.listeners,
            overwrite=self.overwrite,
        )


def for_all(error: BaseException) -> tuple[str, str]:
    """What every other job would meet as well, in words that can be sent: see :func:`raise_if_for_all`."""
    return "conflict" if isinstance(error, ConflictError) else "machine", one_line(error)


def raise_if_for_all(kind: str, said: str) -> None:
    """Raise what :meth:`Worker.answer` says that every other job would meet as well.

    The error is made anew, since what an exception carries may not survive the way between processes.
    """
    errors = {"conflict": ConflictError, "machine": MachineError}
    if kind in errors:
        raise errors[kind](said)
