"""How long the nearest of 100 matrix labels takes to find, against the form that repeats and subtracts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from labelbench.labels import LabelSet

CLASSES, SIDE, BATCH = 100, 64, 1000


def repeat_and_subtract(outputs: Tensor, targets: Tensor) -> Tensor:
    """The nearest label as the paper's release finds it: every output beside every label, all differences kept."""
    repeated = outputs[:, None].repeat(1, len(targets), 1, 1)
    return ((repeated - targets[None]) ** 2).mean(dim=(2, 3)).argmin(dim=1)


def outputs_and_labels() -> tuple[Tensor, LabelSet]:
    """Outputs near their labels, by noise of a tenth of the labels' range."""
    rng = np.random.default_rng(0)
    targets = rng.uniform(-80, 0, (CLASSES, SIDE, SIDE)).astype(np.float32)
    noise = rng.normal(0, 8, (BATCH, SIDE, SIDE)).astype(np.float32)
    return torch.from_numpy(targets[rng.integers(CLASSES, size=BATCH)] + noise), LabelSet(targets)


def raised_by(form: str) -> int:
    """Kilobytes by which decoding once, in a process of its own, raises the most memory that process ever held."""
    return int(subprocess.check_output([sys.executable, __file__, form], text=True))


def most_memory() -> int:
    """Kilobytes; resource.getrusage would begin with the most that the parent process held."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
@pytest.mark.benchmark(group="decoding")
def test_one_matrix_product_against_repeat_and_subtract(benchmark: Any, best_of: Callable[..., float]) -> None:
    outputs, labels = outputs_and_labels()
    targets = torch.from_numpy(np.array(labels.targets))
    assert torch.equal(labels.nearest(outputs), repeat_and_subtract(outputs, targets))
    plain = best_of(lambda: repeat_and_subtract(outputs, targets), rounds=3)
    benchmark.pedantic(labels.nearest, args=(outputs,), rounds=20, warmup_rounds=2)
    ours = best_of(lambda: labels.nearest(outputs), rounds=20)
    memory = raised_by("product") / raised_by("repeat")
    benchmark.extra_info |= {"times faster": round(plain / ours, 1), "share of memory": f"{memory:.1%}"}
    print(f"\n{plain / ours:.0f} times faster, {memory:.1%} of the memory")


if __name__ == "__main__":
    some_outputs, some_labels = outputs_and_labels()
    some_targets = torch.from_numpy(np.array(some_labels.targets))
    # The first product of a process also makes room for the libraries' own working space.
    some_labels.nearest(some_outputs[:2])
    before = most_memory()
    if sys.argv[1] == "repeat":
        repeat_and_subtract(some_outputs, some_targets)
    else:
        some_labels.nearest(some_outputs)
    print(most_memory() - before)
