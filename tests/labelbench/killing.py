"""Kill a suite with two jobs at random moments, again and again, and compare what it ends with to a run left alone.

``python tests/labelbench/killing.py --kills 50``: the command dies, or a process that it began; all results and weights
have the same bytes in the end, but for times.
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
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

SUITE = ["run", "--dataset", "digits:size=8", "--label", "category", "--label", "constant", "--label", "low-dim",
         "--backbone", "resnet8", "--evaluator", "accuracy", "--evaluator", "label-statistics", "--seeds", "2",
         "--epochs", "4", "--train-fraction", "0.3", "--test-images", "100",
         "--device", "cpu", "--threads", "1", "--jobs", "2"]  # fmt: skip
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


def begun(results: Path) -> subprocess.Popen[bytes]:
    """The suite in a process of its own."""
    command = [sys.executable, "-m", "labelbench", *SUITE, "--results", str(results)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def worked(process: subprocess.Popen[bytes], results: Path, seconds: float) -> bool:
    """Whether it still works so many seconds after it wrote something for the first time."""
    now, written = time.time(), False
    while process.poll() is None and not written:
        written = any(file.stat().st_mtime > now for file in results.rglob("*.safetensors") if file.exists())
        time.sleep(0.02)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    ended(process)
    return False


def ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for its end, which is a good one."""
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {errors.decode()}")


def disturbed(results: Path, chance: random.Random, span: float, most: int) -> tuple[Counter[str], bool]:
    """Run the suite, kill processes of it until it is the command: what was killed, and whether it came to its end.

    Args:
        results: folder.
        chance: when, and which.
        span: seconds in which most of the work is done.
        most: kills.
    """
    process, kills = begun(results), Counter[str]()
    while kills.total() < most:
        if not worked(process, results, chance.uniform(0, span)):
            return kills, True
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        # A job that loses its process three times fails, and rightly so.
        victim = chance.choice([process.pid, *map(int, children)]) if kills.total() < 2 else process.pid
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            kills["command" if victim == process.pid else "process of it"] += 1
        if victim == process.pid:
            process.communicate()
            return kills, False
    ended(process)
    return kills, True


def main() -> int:
    """Kill as often as asked for; 1 if anything differs in the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    print(f"seed {options.seed}", flush=True)
    kills: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(LABELBENCH_CACHE=f"{folder}/cache", LABELBENCH_OFFLINE="1", OMP_NUM_THREADS="1")
        alone_in = Path(folder, "alone")
        process = begun(alone_in)
        worked(process, alone_in, 0)
        started = time.monotonic()
        ended(process)
        alone, span = outcome(alone_in), time.monotonic() - started
        print(f"alone: {len(alone)} files, {span:.1f} s of work", flush=True)
        for number in count():
            if kills.total() >= options.kills:
                return 0
            results, whole = Path(folder, f"killed-{number}"), False
            while not whole:
                # What has been killed often has little left to do.
                more, whole = disturbed(results, chance, 0.4 * span, options.kills - kills.total())
                kills += more
            found = outcome(results)
            differ = sorted(name for name in {*alone, *found} if alone.get(name) != found.get(name))
            print(f"{dict(kills)} killed, {len(found)} files, {len(differ)} differ {differ[:5]}", flush=True)
            if differ:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
