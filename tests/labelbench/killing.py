"""Kill a suite with two jobs at random moments, again and again, and compare what it ends with to a run left alone.

``python tests/labelbench/killing.py --kills 50``: all results and weights have the same bytes, but for times.
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
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

SUITE = ["run", "--dataset", "digits:size=8", "--label", "category", "--label", "constant", "--label", "low-dim",
         "--backbone", "resnet8", "--evaluator", "accuracy", "--evaluator", "label-statistics", "--seeds", "4",
         "--epochs", "3", "--device", "cpu", "--threads", "1", "--jobs", "2"]  # fmt: skip
_TIMES = ("wall_seconds", "finished", "seconds")


def outcome(results: Path) -> dict[str, Any]:
    """Records without times, and the bytes of weights and arrays, by path; weights name times too, beside them."""
    found: dict[str, Any] = {}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results).as_posix()
        if path.suffix == ".json" and path.name != "suite.json":
            found[name] = _without_times(json.loads(path.read_bytes()))
        elif path.suffix == ".npz":
            found[name] = path.read_bytes()
        elif path.suffix == ".safetensors":
            found[name] = {key: tensor.numpy().tobytes() for key, tensor in load_file(path).items()}
    return found


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(inner) for key, inner in value.items() if key not in _TIMES}
    return value


def killed(results: Path, seconds: float) -> bool:
    """Run the suite and kill it after so many seconds; whether it was still running then."""
    command = [sys.executable, "-m", "labelbench", *SUITE, "--results", str(results)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {errors.decode()}")
    return False


def main() -> int:
    """Kill as often as asked for; 1 if anything differs in the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(LABELBENCH_CACHE=f"{folder}/cache", LABELBENCH_OFFLINE="1", OMP_NUM_THREADS="1")
        started = time.monotonic()
        killed(Path(folder, "alone"), 3600)
        alone, longest = outcome(Path(folder, "alone")), time.monotonic() - started
        kills = folders = 0
        while kills < options.kills:
            results = Path(folder, f"killed-{folders}")
            folders += 1
            while kills < options.kills and killed(results, chance.uniform(0.3, 1.0) * longest * 0.6):
                kills += 1
            killed(results, 3600)
            found = outcome(results)
            differ = sorted(name for name in {*alone, *found} if alone.get(name) != found.get(name))
            print(f"{kills} kills, {len(found)} files, {len(differ)} differ {differ[:5]}", flush=True)
            if differ:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
