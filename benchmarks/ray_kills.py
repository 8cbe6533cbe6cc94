"""Kill workers, nodes and drivers at random over one suite on Ray, and compare what is left with an undisturbed run.

python benchmarks/ray_kills.py --kills 50
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

RUN = ["run", "--dataset", "digits:size=8", "--backbone", "resnet8", "--recipe", "quick", "--evaluator", "accuracy",
       "--test-images", "100", "--device", "cpu", "--threads", "1"]  # fmt: skip


def main() -> None:
    """Run the suite here, then on nodes that die, and say what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--nodes", type=int, default=2, help="beside the one that is never killed")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=3.0, help="mean time between two kills")
    options = parser.parse_args()
    command = [*RUN, "--seeds", str(options.seeds), "--epochs", str(options.epochs), "--train-fraction", "0.3"]
    command += [part for label in ("category", "constant", "low-dim") for part in ("--label", label)]
    with tempfile.TemporaryDirectory() as folder:
        here, there = Path(folder, "here"), Path(folder, "there")
        subprocess.run(_labelbench(*command, "--results", str(here)), check=True, capture_output=True)
        kills, starts = _disturbed(command, there, options)
        leases = _leases(there)
        done = Counter(lease["job"] for lease in leases if lease["state"] == "done")
        trainings = {json.loads(file.read_text())["run"]["id"] for file in there.rglob("training.json")}
        wanted = {json.loads(file.read_text())["run"]["id"] for file in here.rglob("training.json")}
        same = _csv(here) == _csv(there)
        print(f"killed: {dict(kills)}; driver started {starts} times; {len(leases)} leases")
        print(f"trainings: {len(wanted)}; lost: {len(wanted - trainings)}; done twice to the end: "
              f"{sum(done[run] > 1 for run in wanted)}; leaderboard the same: {same}")  # fmt: skip
        sys.exit(0 if same and trainings == wanted and max(done.values()) == 1 else 1)


def _disturbed(command: list[str], folder: Path, options: argparse.Namespace) -> tuple[Counter[str], int]:
    """Run the suite on a cluster, killing what works on it; returns what was killed, and how often it was started."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(options.nodes)]
    asked = _labelbench(*command, "--engine", "ray", "--address", cluster.address, "--results", str(folder))
    kills: Counter[str] = Counter()
    starts = 0
    driver: subprocess.Popen[bytes] | None = None
    while True:
        if driver is None or driver.poll() is not None:
            if driver is not None and driver.returncode == 0:
                break
            driver, starts = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), starts + 1
        time.sleep(random.expovariate(1 / options.seconds))
        held = [lease for lease in _leases(folder) if lease["state"] == "held" and _is_alive(lease)]
        if kills.total() >= options.kills or not held:
            continue
        what = random.choices(["worker", "node", "driver"], [6, 2, 2])[0]
        if what == "worker":
            os.kill(random.choice(held)["process"][2], signal.SIGKILL)
        elif what == "node":
            cluster.remove_node(nodes.pop(random.randrange(len(nodes))), allow_graceful=False)
            nodes.append(cluster.add_node(num_cpus=1))
        else:
            driver.kill()
            driver.wait()
        kills[what] += 1
        print(f"{kills.total()} {what}", flush=True)
    cluster.shutdown()
    return kills, starts


def _leases(folder: Path) -> list[dict[str, Any]]:
    files = [file for file in (folder / ".work" / "leases").glob("*/*") if file.name.isdigit()]
    return [{"job": file.parent.name, **json.loads(text)} for file in files if (text := file.read_text())]


def _is_alive(lease: dict[str, Any]) -> bool:
    return Path(f"/proc/{lease['process'][2]}").exists()


def _csv(folder: Path) -> str:
    return subprocess.run(
        _labelbench("leaderboard", str(folder), "--format", "csv"), check=True, capture_output=True, text=True
    ).stdout


def _labelbench(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "labelbench", *arguments]


if __name__ == "__main__":
    main()
