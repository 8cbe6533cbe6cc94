"""Train and measure what a plan says is missing; what fails is recorded and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from labelbench.errors import MachineError, PluginError, Unavailable
from labelbench.results.records import Cell
from labelbench.results.store import Results
from labelbench.running.estimate import Work
from labelbench.running.executors import Executor, Here, processes
from labelbench.running.materials import Materials
from labelbench.running.planning import Plan
from labelbench.running.progress import Reporter
from labelbench.running.staleness import refuse_stale
from labelbench.running.work import Job, Measuring, Training, Worker
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


class Runner:
    """Runs one plan.

    Args:
        plan: what to do.
        results: where finished work goes.
        reporter: told of everything.
        overwrite: True if finished work is to be done again: checkpoints are not resumed then.
        jobs: processes that work at the same time; 1 works in this one.
    """

    def __init__(
        self, plan: Plan, results: Results, reporter: Reporter, *, overwrite: bool = False, jobs: int = 1
    ) -> None:
        self.plan = plan
        self.results = results
        self.reporter = reporter
        self.overwrite = overwrite
        self.jobs = jobs
        self.outcome = Outcome()
        self.materials = Materials(reporter.update, reporter.paused)

    def run(self) -> Outcome:
        """Do what is missing.

        Raises:
            InputError: a data set or label that cannot be used, before anything is computed; or finished work
                that was made with other images, targets or settings.
            MachineError: the machine refuses; what is finished stays.
        """
        self._prepare()
        self.results.save_suite({"name": self.plan.suite.name, "headline": list(self.plan.suite.headline)})
        trainings = [self._training(run) for run in self.plan.todo_trainings]
        cells = [self._measuring(cell) for cell in self.plan.todo_cells]
        self.reporter.whole(sum(job.size for job in trainings) + sum(job.size for job in cells))
        with self._executor(len(trainings) + len(cells)) as executor:
            self._carry_out(executor, trainings, cells)
        return self.outcome

    @contextmanager
    def _executor(self, count: int) -> Iterator[Executor]:
        if min(self.jobs, count) <= 1:
            yield Here(Worker(self.results, self.reporter, self.materials, overwrite=self.overwrite))
            return
        with processes(min(self.jobs, count), self.results, self.reporter, overwrite=self.overwrite) as executor:
            yield executor

    def _carry_out(self, executor: Executor, trainings: list[Training], cells: list[Measuring]) -> None:
        """Begin jobs while there is room, measurements that can be made before trainings, until none is left."""
        trained = set(self.plan.trainings) - {job.run for job in trainings}
        measured = set(self.plan.cells) - {job.cell for job in cells}
        running = 0
        while True:
            while running < executor.capacity:
                ready = next((job for job in cells if self.plan.ready(job.cell, trained, measured)), None)
                if ready:
                    cells.remove(ready)
                    executor.start(ready)
                elif trainings:
                    executor.start(trainings.pop(0))
                else:
                    break
                running += 1
            if not running:
                break
            for job, why in executor.finished():
                running -= 1
                if why:
                    self._fail(job, why)
                elif isinstance(job, Training):
                    trained.add(job.run)
                    self.outcome.trained += 1
                else:
                    measured.add(job.cell)
                    self.outcome.measured += 1
        for job in cells:
            missing = [str(run) for run in job.trainings if run not in trained]
            missing += [str(other) for other in job.inputs if other not in measured]
            self._fail(job, f"needs {missing[0]}, which is not there")

    def _fail(self, job: Job, why: str) -> None:
        self.results.save_failure(self._file(job), str(job), why)
        self.outcome.failures.append((str(job), why))
        self.reporter.line(f"{job}: failed: {why}")

    def _file(self, job: Job) -> Path:
        if isinstance(job, Training):
            return self.results.training_file(job.run)
        return self.results.measurement_file(job.cell)

    def _prepare(self) -> None:
        """Load every data set and build every label before anything is computed: mistakes of the user come first."""
        unavailable: dict[str, Unavailable] = {}
        runs = [*self.plan.trainings, *(cell.run for cell in self.plan.cells)]
        by_dataset = {run.dataset: run for run in runs}
        for name, run in by_dataset.items():
            self.reporter.begin(f"data set {name}")
            try:
                self.materials.images(run)
            except Unavailable as error:
                unavailable[name] = error
            self.reporter.end()
        if len(unavailable) == len(by_dataset):
            raise next(iter(unavailable.values()))
        for run in dict.fromkeys([*self.plan.todo_trainings, *(cell.run for cell in self.plan.todo_cells)]):
            if run.dataset not in unavailable:
                with suppress(PluginError, MachineError):  # only the cells that need this label fail, one by one
                    self.materials.labels(run)
        if not self.overwrite:
            refuse_stale(self.plan, self.results, self.materials)

    def _training(self, run: RunSpec) -> Training:
        """The job of a training; its size is the thousands of images that it looks at."""
        size = 0.0
        with suppress(Unavailable):
            size = Work.of(run, self.materials).images / 1000
        return Training(run, self.plan.snapshots[run], size)

    def _measuring(self, cell: Cell) -> Measuring:
        size = 0.0
        if cell.run.backbone:
            with suppress(Unavailable):
                count = len(self.materials.images(cell.run).test)
                size = min(cell.test_images or count, count) / 3000
        return Measuring(cell, self.plan.needs[cell].trainings, tuple(self.plan.inputs(cell)), size)
