"""Train and measure what a plan says is missing; what fails is recorded and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from labelbench.errors import LabelbenchError, PluginError, Unavailable
from labelbench.interrupts import watching_for_ctrl_c
from labelbench.results.records import Cell
from labelbench.results.store import Results
from labelbench.running.estimate import Work
from labelbench.running.executors import Executor, InProcess
from labelbench.running.jobs import Job, MeasuringJob, TrainingJob
from labelbench.running.materials import Materials
from labelbench.running.planning import Plan
from labelbench.running.processes import processes
from labelbench.running.progress import Reporter
from labelbench.running.schedule import Schedule
from labelbench.running.staleness import refuse_stale
from labelbench.running.worker import Worker
from labelbench.runs import RunSpec


@dataclass
class Outcome:
    """What came of running a plan.

    Attributes:
        trained, measured: how many of each were done now.
        failures: ``(what, why)`` of everything that failed now.
    """

    trained: int = 0
    measured: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Runner:
    """Runs one plan.

    Attributes:
        plan: what to do.
        results: where finished work goes.
        reporter: told of everything.
        overwrite: True if finished work is to be done again: checkpoints are not resumed then.
        jobs: processes that work at the same time; 1 works in this one.
        elsewhere: gives the executor of another engine, made from the data sets and labels that are here; None for
            processes of this machine.
    """

    plan: Plan
    results: Results
    reporter: Reporter
    overwrite: bool = False
    jobs: int = 1
    elsewhere: Callable[[Materials], AbstractContextManager[Executor]] | None = None

    def __post_init__(self) -> None:
        self.outcome = Outcome()
        self.materials = Materials(self.reporter.update, self.reporter.paused)

    def run(self) -> Outcome:
        """Do what is missing.

        Raises:
            InputError: a data set or label that cannot be used, before anything is computed; or finished work
                that was made with other images, targets or settings.
            MachineError: the machine refuses; what is finished stays.
        """
        self._prepare()
        suite = self.plan.suite
        tuning = {"tuning": suite.tuning.facts} if suite.tuning else {}
        self.results.save_suite({"name": suite.name, "headline": list(suite.headline), **tuning})
        refused = self.plan.refused
        trainings = [self._training(run) for run in self.plan.todo_trainings]
        cells = [self._measuring(cell) for cell in self.plan.todo_cells if cell not in refused]
        self.reporter.whole(sum(job.size for job in trainings) + sum(job.size for job in cells))
        self._fail_all((MeasuringJob(cell), refused[cell]) for cell in self.plan.todo_cells if cell in refused)
        schedule = Schedule(trainings, cells, lambda run: self.results.training_file(run).exists())
        with self._executor(len(trainings) + len(cells)) as executor, watching_for_ctrl_c():
            self._carry_out(executor, schedule)
        return self.outcome

    def _executor(self, count: int) -> AbstractContextManager[Executor]:
        if self.elsewhere and count:
            return self.elsewhere(self.materials)
        runs = [*self.plan.trainings, *(cell.run for cell in self.plan.cells)]
        on_gpu = next((run.numerics for run in runs if run.backbone and run.numerics.device == "cuda"), None)
        if on_gpu and count:
            from labelbench.running.on_gpus import on_gpus

            jobs = min(self.jobs, count)
            return on_gpus(jobs, on_gpu, self.results, self.reporter, self.materials, overwrite=self.overwrite)
        if min(self.jobs, count) <= 1:
            return nullcontext(InProcess(Worker(self.results, self.reporter, self.materials, overwrite=self.overwrite)))
        return processes(min(self.jobs, count), self.results, self.reporter, overwrite=self.overwrite)

    def _carry_out(self, executor: Executor, schedule: Schedule) -> None:
        """Begin jobs while there is room for more, until none is left."""
        running = 0
        while True:
            while running < executor.capacity and (job := schedule.next()):
                executor.start(job)
                running += 1
            self._fail_all(schedule.given_up())
            if not running:
                break
            for job, why in executor.finished():
                running -= 1
                if why:
                    self._fail(job, why)
                    schedule.failed(job)
                else:
                    self.outcome.trained += isinstance(job, TrainingJob)
                    self.outcome.measured += isinstance(job, MeasuringJob)
                    schedule.done(job)

    def _fail_all(self, failures: Iterable[tuple[Job, str]]) -> None:
        for job, why in failures:
            self._fail(job, why)

    def _fail(self, job: Job, why: str) -> None:
        self.results.save_failure(self._file(job), str(job), why)
        self.outcome.failures.append((str(job), why))
        self.reporter.line(f"{job}: failed: {why}")

    def _file(self, job: Job) -> Path:
        if isinstance(job, TrainingJob):
            return self.results.training_file(job.run)
        return self.results.measurement_file(job.cell)

    def _prepare(self) -> None:
        """Load every data set and build every label before anything is computed: mistakes of the user come first."""
        unavailable: dict[str, LabelbenchError] = {}
        runs = [*self.plan.trainings, *(cell.run for cell in self.plan.cells)]
        by_dataset = {run.dataset: run for run in runs}
        for name, run in by_dataset.items():
            self.reporter.begin(f"data set {name}")
            try:
                self.materials.images(run)
            except (Unavailable, PluginError) as error:
                unavailable[name] = error
            self.reporter.end()
        if len(unavailable) == len(by_dataset):
            raise next(iter(unavailable.values()))
        for run in dict.fromkeys([*self.plan.todo_trainings, *(cell.run for cell in self.plan.todo_cells)]):
            if run.dataset not in unavailable:
                with suppress(PluginError, Unavailable):  # only the cells that need this label fail, one by one
                    self.materials.labels(run)
        if not self.overwrite:
            refuse_stale(self.plan, self.results, self.materials)

    def _training(self, run: RunSpec) -> TrainingJob:
        """The job of a training; its size is the thousands of images that it looks at."""
        size = 0.0
        with suppress(Unavailable, PluginError):
            size = Work.of(run, self.materials).images / 1000
        return TrainingJob(run, self.plan.snapshots[run], size)

    def _measuring(self, cell: Cell) -> MeasuringJob:
        """The job of a measurement, in the same size: a training looks at an image three times."""
        size = 0.0
        if cell.run.backbone:
            with suppress(Unavailable, PluginError):
                count = len(self.materials.images(cell.run).test)
                size = min(cell.test_images or count, count) * self.plan.needs[cell].passes / 3000
        return MeasuringJob(cell, self.plan.needs[cell], size)
