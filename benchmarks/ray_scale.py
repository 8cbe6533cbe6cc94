"""How long a plan of 100,000 measurements takes, their schedule, and 10,000 jobs on Ray that have nothing to do.

python benchmarks/ray_scale.py
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from rich.console import Console

from labelbench.cluster.on_ray import on_ray
from labelbench.results.store import Results
from labelbench.running.jobs import MeasuringJob, TrainingJob
from labelbench.running.materials import Materials
from labelbench.running.planning import Plan, plan
from labelbench.running.progress import Reporter
from labelbench.running.schedule import Schedule
from labelbench.runs import Numerics
from labelbench.suite import Suite


def suite(cells: int) -> Suite:
    """So many measurements of half as many trainings."""
    labels = tuple(f"uniform-random:seed={seed}" for seed in range(cells // 100))
    return Suite("large", ("digits",), labels, ("resnet8",), ("accuracy", "learning-curve"), tuple(range(50)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(folder, "results"))
        begun = time.perf_counter(), time.process_time()
        large = plan(suite(options.cells), Numerics(threads=1), results)
        _say(f"plan of {len(large.cells):,} measurements and {len(large.trainings):,} trainings", *begun)
        print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")

        begun = time.perf_counter(), time.process_time()
        jobs = [MeasuringJob(cell, large.needs[cell]) for cell in large.todo_cells]
        schedule = Schedule(map(TrainingJob, large.todo_trainings), jobs, lambda run: False)
        count = 0
        while job := schedule.next():
            schedule.done(job)
            count += 1
        _say(f"schedule of {count:,} jobs", *begun)
        _empty_jobs(plan(suite(options.jobs), Numerics(threads=1), results), results)


def _empty_jobs(todo: Plan, results: Results) -> None:
    """Hand out measurements that are there by the time they are begun: all of a job but the work."""
    for cell in todo.cells:
        file = results.measurement_file(cell)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    few = plan(suite(100), Numerics(threads=1), Results(Path("nowhere")))
    with (
        Reporter(Console(quiet=True)) as reporter,
        on_ray(few, results, reporter, Materials(), overwrite=False) as executor,
    ):
        waiting = [MeasuringJob(cell, todo.needs[cell]) for cell in todo.cells]
        begun, count, running = (time.perf_counter(), time.process_time()), len(waiting), 0
        while waiting or running:
            while waiting and running < executor.capacity:
                executor.start(waiting.pop())
                running += 1
            running -= len(executor.finished())
        _say(f"{count:,} jobs with nothing to do on {executor.capacity} workers", *begun)


def _say(what: str, wall: float, processor: float) -> None:
    print(
        f"{what}: {time.perf_counter() - wall:.1f} s, {time.process_time() - processor:.1f} s of processor", flush=True
    )


if __name__ == "__main__":
    main()
