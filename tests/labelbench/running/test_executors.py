"""Several processes do what one does, to the bit, and what fails in one of them stops nothing else."""

from __future__ import annotations

import io
import subprocess
import sys
import time
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
from labelbench.running.executors import processes
from labelbench.running.planning import plan
from labelbench.running.progress import Reporter
from labelbench.running.runner import Runner
from labelbench.running.work import Measuring, Training
from labelbench.runs import Numerics
from labelbench.settings import current_settings, use_settings
from labelbench.suite import Suite

RECIPE = Recipe(name="test", epochs=1, batch_size=64, optimizer=SGD(0.05), milestones=(1,), crop_padding=2)
SUITE = Suite(
    "test",
    ("digits",),
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
        assert "digits resnet8 constant seed 0 10% of the data: trained" in text
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
            one.start(Measuring(cell, (), ()))
            ((_, why),) = one.finished()
    assert str(folder / "cifar10_uniform.npy") in why


def test_a_job_that_fails_fails_alone(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    console = Console(file=io.StringIO(), force_terminal=False)
    results = Results(folder)
    good, bad = plan(
        SUITE.changed(labels=("category", "npy:gone.npy"), evaluators="label-statistics"),
        Numerics(threads=1),
        results,
    ).cells
    with Reporter(console) as reporter, processes(2, results, reporter, overwrite=False) as executor:
        for cell in (bad, good):
            executor.start(Measuring(cell, (), ()))
        done = dict(pair for _ in range(2) for pair in executor.finished()[:1])
    found = {job.cell.run.label: why for job, why in done.items() if isinstance(job, Measuring)}
    assert found["category"] == "" and "gone.npy" in found["npy:gone.npy"]
    assert results.measurement_file(good).exists()


def test_a_disk_that_refuses_stops_everything_in_one_line(tmp_path: Path) -> None:
    (run,) = plan(SUITE.changed(labels="category"), Numerics(threads=1), Results(tmp_path)).trainings
    results = Results(Path("/proc/labelbench"))
    with (
        pytest.raises(MachineError, match="cannot write"),
        Reporter(Console(file=io.StringIO())) as reporter,
        processes(1, results, reporter, overwrite=False) as executor,
    ):
        executor.start(Training(run, ()))
        executor.finished()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_processes_end_with_the_one_that_began_them_however_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labelbench", "run", "--suite", "quick", "--jobs", "2", "--threads", "2"]
    command += ["--label", "category", "--label", "constant", "--epochs", "500", "--results", str(tmp_path)]
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
