"""A suite on nodes that are killed ends with the bytes that it has here, and nothing is done twice."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from labelbench.cluster.on_ray import on_ray
from labelbench.leaderboard.exports import export
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.optimizers import SGD
from labelbench.recipes import Recipe
from labelbench.results.reading import read
from labelbench.results.store import Results
from labelbench.running.planning import plan
from labelbench.running.progress import Reporter
from labelbench.running.runner import Outcome, Runner
from labelbench.runs import Numerics
from labelbench.suite import Suite

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    # Of Ray's own threads, sockets and files, which it leaves to the end of the process.
    pytest.mark.filterwarnings("ignore"),
]
RECIPE = Recipe(name="test", epochs=6, batch_size=16, optimizer=SGD(0.05), milestones=(1,), crop_padding=2)
SUITE = Suite(
    "test",
    ("digits",),
    ("category", "constant"),
    ("resnet8",),
    ("accuracy",),
    recipe=RECIPE,
    train_fraction=0.2,
    test_images=40,
)
DEADLY = """
import os
from labelbench import Evaluator, hookimpl

class Deadly(Evaluator):
    def needs(self, run):
        if run.label != "constant":
            raise ValueError("not wanted")
        return super().needs(run)

    def evaluate(self, context):
        os.kill(os.getpid(), 9)

@hookimpl
def register_evaluators():
    return {"deadly": Deadly}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A node of one CPU, to which others can be added; its processes know the plugin ``deadly``."""
    from ray.cluster_utils import Cluster

    site = tmp_path_factory.mktemp("site")
    info = site / "deadly-1.0.dist-info"
    info.mkdir()
    (site / "deadly.py").write_text(DEADLY)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: deadly\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[labelbench]\ndeadly = deadly\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.syspath_prepend(site)
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            yield made
        finally:
            made.shutdown()


def ran(folder: Path, suite: Suite, address: str | None) -> tuple[Outcome, str]:
    """The suite run here, or on the cluster; and what was said."""
    console = Console(file=io.StringIO(), force_terminal=False)
    results = Results(folder)
    todo = plan(suite, Numerics(threads=1), results)
    with Reporter(console) as reporter:
        elsewhere = None
        if address:
            elsewhere = lambda materials: on_ray(  # noqa: E731
                todo, results, reporter, materials, overwrite=False, address=address
            )
        outcome = Runner(todo, results, reporter, elsewhere=elsewhere).run()
    assert isinstance(console.file, io.StringIO)
    return outcome, console.file.getvalue()


def csv_of(folder: Path) -> str:
    return export(Leaderboard.of(read(Results(folder))), "csv")


def leases(folder: Path) -> list[dict[str, Any]]:
    files = [file for file in (folder / ".work" / "leases").glob("*/*") if file.name.isdigit()]
    return [{"job": file.parent.name, **json.loads(text)} for file in files if (text := file.read_text())]


def wait_for_a_training(folder: Path) -> int:
    """The process that has a training in hand, with a checkpoint written."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        begun = {file.parent.name.rpartition("-")[2] for file in folder.rglob("checkpoint.safetensors")}
        for lease in leases(folder):
            if lease["state"] == "held" and lease["job"] in begun and Path(f"/proc/{lease['process'][2]}").exists():
                return int(lease["process"][2])
        time.sleep(0.02)
    raise AssertionError("no training was begun")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_suite_survives_the_death_of_driver_worker_and_node(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Plugins are found once per process and choice: this one was not there when another test asked for all.
    monkeypatch.setenv("LABELBENCH_PLUGINS", "deadly")
    here, there = tmp_path / "here", tmp_path / "there"
    ran(here, SUITE, None)
    # The driver: one in a process of its own, killed while it trains.
    code = (
        "import sys; from pathlib import Path; from labelbench.suite import Suite;"
        "sys.path.insert(0, sys.argv[3]); import test_ray; test_ray.ran(Path(sys.argv[1]), test_ray.SUITE, sys.argv[2])"
    )
    command = [sys.executable, "-c", code, str(there), cluster.address, str(Path(__file__).parent)]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_a_training(there)
    driver.kill()
    driver.wait()
    # A worker, then a node that comes for the purpose, killed while they train.
    node = cluster.add_node(num_cpus=1)

    def kill() -> None:
        os.kill(wait_for_a_training(there), signal.SIGKILL)
        cluster.remove_node(node, allow_graceful=False)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    deadly = SUITE.changed(evaluators=(*SUITE.evaluators, "deadly"))
    outcome, said = ran(there, deadly, cluster.address)
    killer.join()
    assert "was lost; tried again" in said
    (refused, _), (died, why) = outcome.failures
    assert refused.endswith("category seed 0 20% of the data deadly") and died.endswith("20% of the data deadly")
    assert "was lost, 3 times (out of memory?)" in why
    assert csv_of(there) == csv_of(here)
    trained = [run.id for run in plan(SUITE, Numerics(threads=1), Results(there)).trainings]
    done = [lease["job"] for lease in leases(there) if lease["state"] == "done"]
    assert [done.count(run) for run in trained] == [1, 1]


def test_without_ray_it_is_said_what_to_install(tmp_path: Path, command: Callable[..., Any]) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "ray.py").write_text("raise ImportError('hidden')")
    arguments = ["run", "--engine", "ray", "--label", "category", "--evaluator", "label-statistics", "--offline"]
    done = command(*arguments, env={"PYTHONPATH": str(tmp_path / "hidden")})
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "labelbench: engine 'ray' needs Ray, which is not installed; pip install 'labelbench[ray]'"
    )
