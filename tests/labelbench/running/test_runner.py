"""What the runner hands to those who carry out its plan."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from labelbench.plugins.lookup import evaluator
from labelbench.results.store import Results
from labelbench.running.jobs import Job, MeasuringJob
from labelbench.running.planning import plan
from labelbench.running.progress import Reporter
from labelbench.running.runner import Runner
from labelbench.runs import Numerics
from labelbench.suite import Suite


class Noting:
    """Notes every job, and says that it is done."""

    capacity = 1

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def start(self, job: Job) -> None:
        self.jobs.append(job)

    def finished(self) -> list[tuple[Job, str]]:
        return [(self.jobs[-1], "")]


def test_a_job_is_as_large_as_the_images_that_pass_through_its_network(tmp_path: Path) -> None:
    suite = Suite("test", ("digits:size=8",), ("category",), ("resnet8",), ("accuracy", "attacks-paper"), (0,))
    executor, results = Noting(), Results(tmp_path)
    with Reporter(Console(quiet=True)) as reporter:
        found = plan(replace(suite, test_images=90), Numerics(threads=1), results, "missing")
        Runner(found, results, reporter, elsewhere=lambda materials: nullcontext(executor)).run()
    sizes = {job.cell.evaluator: job.size for job in executor.jobs if isinstance(job, MeasuringJob)}
    passes = evaluator("attacks-paper").needs(found.trainings[0]).passes
    # A step of training passes forward and backward, and is counted as three.
    assert sizes == {"accuracy": pytest.approx(90 / 3000), "attacks-paper": pytest.approx(passes * 90 / 3000)}
    assert passes > 100
