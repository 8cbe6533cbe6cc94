"""In what order jobs begin, and what can never begin."""

from __future__ import annotations

from labelbench.evaluation.needs import Needs
from labelbench.results.records import Cell
from labelbench.running.jobs import Job, MeasuringJob, TrainingJob
from labelbench.running.schedule import Schedule
from labelbench.runs import RunSpec

RUNS = [RunSpec("digits", "category", "resnet8", seed) for seed in range(3)]


def measuring(name: str, *runs: RunSpec) -> MeasuringJob:
    return MeasuringJob(Cell(RUNS[0], name, 1), Needs(runs))


def test_measurements_begin_as_soon_as_their_networks_are_there_and_before_other_trainings() -> None:
    trainings = [TrainingJob(run) for run in RUNS[:2]]
    both, second, alone = measuring("both", *RUNS[:2]), measuring("second", RUNS[1]), measuring("alone")
    schedule = Schedule(trainings, [both, second, alone], is_there=lambda run: False)
    begun: list[Job] = []
    while job := schedule.next():
        begun.append(job)
        schedule.done(job)
    assert begun == [alone, *trainings, both, second]
    assert schedule.given_up() == []


def test_what_needs_a_network_that_failed_or_is_not_there_is_given_up() -> None:
    training = TrainingJob(RUNS[0])
    one, gone, there = measuring("one", *RUNS[:2]), measuring("gone", RUNS[1], RUNS[0]), measuring("there", RUNS[2])
    schedule = Schedule([training], [one, gone, there], is_there=lambda run: run == RUNS[2])
    assert schedule.given_up() == [(job, f"needs {RUNS[1]}, which is not there") for job in (one, gone)]
    assert [schedule.next(), schedule.next(), schedule.next()] == [there, training, None]
    schedule.failed(training)
    assert schedule.given_up() == []

    schedule = Schedule([training], [measuring("one", RUNS[0])], is_there=lambda run: False)
    assert schedule.next() == training and schedule.next() is None
    schedule.failed(training)
    assert [why for _, why in schedule.given_up()] == [f"needs {RUNS[0]}, which is not there"]
    assert schedule.next() is None
