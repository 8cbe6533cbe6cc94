"""A suite on nodes that are killed ends with the bytes that it has here, and nothing is done twice."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labelbench.cli import cli
from labelbench.errors import InputError
from labelbench.leaderboard.exports import export
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.results.reading import read
from labelbench.results.store import Results

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    # Of Ray's own threads, sockets and files, which it leaves to the end of the process.
    pytest.mark.filterwarnings("ignore"),
]
RUN = ["run", "--dataset", "digits:size=8", "--label", "category", "--label", "constant", "--backbone", "resnet8",
       "--evaluator", "accuracy", "--recipe", "quick", "--epochs", "16", "--train-fraction", "0.3",
       "--test-images", "40", "--seeds", "1", "--device", "cpu", "--threads", "1"]  # fmt: skip
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
    """A node of one CPU, to which others can be added; all processes that begin now know the plugin ``deadly``."""
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
        # Ray's workers give way to others by default, and other tests would keep them waiting for minutes.
        patch.setenv("RAY_worker_niceness", "0")
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            yield made
        finally:
            made.shutdown()


def csv_of(folder: Path) -> str:
    return export(Leaderboard.of(read(Results(folder))), "csv")


def leases(folder: Path) -> list[dict[str, Any]]:
    files = [file for file in (folder / ".work" / "leases").glob("*/*") if file.name.isdigit()]
    return [{"job": file.parent.name, **json.loads(text)} for file in files if (text := file.read_text())]


def parent_of(process: int) -> int:
    """The process that began it; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def wait_for_a_training(folder: Path, driver: subprocess.Popen[Any], node: Any = None) -> int:
    """The process, on this node if one is named, that has a training in hand, with a checkpoint written."""
    raylet = node.all_processes["raylet"][0].process.pid if node else None
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and driver.poll() is None:
        begun = {file.parent.name.rpartition("-")[2] for file in folder.rglob("checkpoint.safetensors")}
        for lease in leases(folder):
            parent = parent_of(lease["process"][2])
            if lease["state"] == "held" and lease["job"] in begun and parent and parent == (raylet or parent):
                return int(lease["process"][2])
        time.sleep(0.02)
    raise AssertionError("no training was begun")


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_suite_survives_the_death_of_driver_worker_and_node(cluster: Any, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    cli.main([*RUN, "--results", str(here)], standalone_mode=False)
    command = [sys.executable, "-m", "labelbench", *RUN, "--engine", "ray", "--address", cluster.address]
    command += ["--results", str(there)]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_a_training(there, driver)
    driver.kill()
    driver.wait()
    # The same again, with a job that ends whatever works on it, and with a node that comes for the purpose.
    node = cluster.add_node(num_cpus=1)
    driver = subprocess.Popen(
        [*command, "--evaluator", "deadly"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_for_a_training(there, driver, node)
    cluster.remove_node(node, allow_graceful=False)
    os.kill(wait_for_a_training(there, driver, cluster.head_node), signal.SIGKILL)
    _, said = driver.communicate()
    assert driver.returncode == 3, said
    assert "was lost; tried again" in said
    failed = [line for line in said.splitlines() if "failed: " in line]
    assert all(" deadly: " in line for line in failed), said
    assert any(" category " in line and "not wanted" in line for line in failed), said
    assert any(" constant " in line and "was lost, 3 times (out of memory?)" in line for line in failed), said
    assert csv_of(there) == csv_of(here)
    trained = {json.loads(file.read_text())["run"]["id"] for file in here.rglob("training.json")}
    done = [lease["job"] for lease in leases(there) if lease["state"] == "done"]
    assert [done.count(run) for run in trained] == [1, 1]


def test_without_ray_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    arguments = ["run", "--engine", "ray", "--label", "category", "--evaluator", "label-statistics"]
    with pytest.raises(InputError) as refused:
        cli.main([*arguments, "--results", str(tmp_path)], standalone_mode=False)
    assert str(refused.value) == "engine 'ray' needs Ray, which is not installed; pip install 'labelbench[ray]'"
