"""Several processes do what one does, to the bit, and what fails in one of them stops nothing else."""

from __future__ import annotations

import io
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from safetensors.torch import load_file

from labelbench.errors import MachineError
from labelbench.optimizers import SGD
from labelbench.recipes import Recipe
from labelbench.results.reading import read
from labelbench.results.store import Results
from labelbench.running.jobs import Job, MeasuringJob, TrainingJob
from labelbench.running.planning import plan
from labelbench.running.processes import processes
from labelbench.running.progress import Reporter
from labelbench.running.runner import Runner
from labelbench.runs import Numerics
from labelbench.settings import current_settings, use_settings
from labelbench.suite import Suite

RECIPE = Recipe(name="test", epochs=1, batch_size=64, optimizer=SGD(0.05), milestones=(1,), crop_padding=2)
SUITE = Suite(
    "test",
    ("digits:size=8",),
    ("category", "constant"),
    ("resnet8",),
    ("accuracy", "label-statistics"),
    recipe=RECIPE,
    train_fraction=0.1,
    test_images=40,
)


def ran(folder: Path, jobs: int) -> tuple[Runner, str]:
    console = Console(file=io.StringIO(), force_terminal=False)
    results = Results(folder)
    with Reporter(console) as reporter:
        runner = Runner(plan(SUITE, Numerics(threads=1), results), results, reporter, jobs=jobs)
        runner.run()
    file = console.file
    assert isinstance(file, io.StringIO)
    return runner, file.getvalue()


@pytest.fixture(scope="module")
def alone_and_together(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same suite in one process and in two."""
    folders = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("together")
    for folder, jobs in zip(folders, (1, 2), strict=True):
        runner, text = ran(folder, jobs)
        assert (runner.outcome.trained, runner.outcome.measured, runner.outcome.failures) == (2, 4, [])
        assert "digits:size=8 resnet8 constant seed 0 10% of the data: trained" in text
    return folders


def test_weights_are_equal_to_the_bit(alone_and_together: tuple[Path, Path]) -> None:
    one, other = ({f.relative_to(folder): f for f in folder.rglob("*.safetensors")} for folder in alone_and_together)
    assert one.keys() == other.keys() and len(one) == 2
    for name, file in one.items():
        weights, same = load_file(file), load_file(other[name])
        assert all(weights[key].equal(same[key]) for key in weights.keys() | same.keys())


def test_scores_are_equal_to_the_bit(alone_and_together: tuple[Path, Path]) -> None:
    one, other = ([(r.cell, r.scores) for r in read(Results(folder)).records] for folder in alone_and_together)
    assert one == other and len(one) == 4


def test_processes_look_for_files_where_this_one_does(tmp_path: Path) -> None:
    """What is no official array lies in a folder that is named by a setting and by no variable of the environment."""
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "cifar10_uniform.npy").write_bytes(b"no array")
    settings = replace(current_settings(), labels_dir=folder)
    suite = SUITE.changed(datasets="cifar10", labels=("official-as-released:constant",), evaluators="label-statistics")
    results = Results(tmp_path / "results")
    with use_settings(settings):
        (cell,) = plan(suite, Numerics(threads=1), results).cells
        with Reporter(Console(file=io.StringIO())) as reporter, processes(1, results, reporter, overwrite=False) as one:
            one.start(MeasuringJob(cell))
            ((_, why),) = one.finished()
    assert str(folder / "cifar10_uniform.npy") in why


DEADLY = """
import os
from labelbench import Evaluator, Measurement, Needs, hookimpl

class Deadly(Evaluator):
    def needs(self, run):
        return Needs()

    def evaluate(self, context):
        os.kill(os.getpid(), 9)

@hookimpl
def register_evaluators():
    return {"deadly": Deadly}
"""


def test_a_job_that_fails_or_ends_its_process_fails_alone(
    tmp_path: Path, install: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(install("deadly", DEADLY)["PYTHONPATH"])
    monkeypatch.setattr("labelbench.running.processes.LIVES", 2)
    console = Console(file=io.StringIO(), force_terminal=False)
    results = Results(tmp_path / "results")
    (good,) = plan(SUITE.changed(labels="category", evaluators="label-statistics"), Numerics(threads=1), results).cells
    bad, deadly = replace(good, run=replace(good.run, label="npy:gone.npy")), replace(good, evaluator="deadly")
    with Reporter(console) as reporter, processes(2, results, reporter, overwrite=False) as executor:
        for cell in (deadly, bad, good):
            executor.start(MeasuringJob(cell))
        done: dict[Job, str] = {}
        while len(done) < 3:
            done.update(executor.finished())
    found = {job.cell: why for job, why in done.items() if isinstance(job, MeasuringJob)}
    assert found[good] == "" and "gone.npy" in found[bad]
    assert found[deadly].startswith("its process was killed by SIGKILL (out of memory?), 2 times")
    assert results.measurement_file(good).exists()
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("deadly: its process was killed by SIGKILL") == 1


def test_a_process_that_is_killed_while_it_begins_is_replaced(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    (cell,) = plan(SUITE.changed(labels="category", evaluators="label-statistics"), Numerics(threads=1), results).cells
    console = Console(file=io.StringIO(), width=200)
    with Reporter(console) as reporter, processes(1, results, reporter, overwrite=False) as executor:
        (process,) = multiprocessing.active_children()
        process.kill()
        executor.start(MeasuringJob(cell))
        assert executor.finished() == [(MeasuringJob(cell), "")]
    assert isinstance(console.file, io.StringIO)
    assert "its process was killed by SIGKILL (out of memory?); tried again" in console.file.getvalue()


SCRIPT = """
import labelbench
labelbench.run(datasets="digits:size=8", labels=["category", "constant"], backbones="resnet8",
               evaluators="label-statistics", jobs=2, progress=False)
print("done")
"""


def test_a_script_from_standard_input_may_have_jobs_where_shared_memory_cannot_be_written(tmp_path: Path) -> None:
    # A name space of its own, for whoever may have one: to all others shared memory is as it was.
    hidden = "unshare --mount sh -c 'mount -t tmpfs -o ro none /dev/shm && exec {}'"
    possible = subprocess.run(["sh", "-c", hidden.format("true")], capture_output=True, check=False).returncode == 0
    line = hidden.format(sys.executable) if possible else sys.executable
    done = subprocess.run(
        ["sh", "-c", line], input=SCRIPT, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.stdout.endswith("done\n"), done.stderr


def test_a_script_whose_work_is_not_guarded_hears_of_the_guard(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False
    )
    *before, last = done.stderr.splitlines()
    assert done.returncode == 1 and 'keeps its own work under `if __name__ == "__main__":`' in last
    assert len(before) < 40


def test_a_disk_that_refuses_stops_everything_in_one_line(tmp_path: Path) -> None:
    (run,) = plan(SUITE.changed(labels="category"), Numerics(threads=1), Results(tmp_path)).trainings
    results = Results(Path("/proc/labelbench"))
    with (
        pytest.raises(MachineError, match="cannot write"),
        Reporter(Console(file=io.StringIO())) as reporter,
        processes(1, results, reporter, overwrite=False) as executor,
    ):
        executor.start(TrainingJob(run))
        executor.finished()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_processes_end_with_the_one_that_began_them_however_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labelbench", "run", "--suite", "quick", "--jobs", "2", "--threads", "1"]
    command += ["--label", "category", "--label", "constant", "--evaluator", "accuracy", "--epochs", "500"]
    command += ["--train-fraction", "0.1", "--results", str(tmp_path)]
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path)
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    deadline = time.monotonic() + 120
    while len(list(tmp_path.rglob("checkpoint.safetensors"))) < 2:
        assert parent.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    began = [Path("/proc", process) for process in children.read_text().split()]
    parent.kill()
    parent.wait()
    while any(process.exists() for process in began):
        assert time.monotonic() < deadline
        time.sleep(0.1)
