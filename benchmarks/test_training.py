"""Images per second of training, against a plain loop written as the paper's release is.

The plain loop decodes nothing and logs nothing. All forms train the same network on the same images with the same
labels, each in a process of its own; they take turns, and each keeps its best round.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labelbench.machine.hardware import usable_cores
from labelbench.machine.numerics import resolve_numerics

# Rounds of each form, and steps timed in each.
ROUNDS, STEPS = 3, 6
THREADS = int(os.environ.get("LABELBENCH_BENCHMARK_THREADS", usable_cores()))
BACKBONES = ("resnet32", "resnet110", "vgg19")


def rate_of(script: str, *arguments: object) -> float:
    """Images per second that a script prints, run in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_training_against_a_plain_loop(benchmark: Any, backbone: str) -> None:
    modes = ("exact", "fast")
    rates: dict[str, list[float]] = {"plain": [], "exact": [], "fast": []}

    def one_round() -> None:
        rates["plain"].append(rate_of("plain_loop.py", backbone, THREADS, STEPS))
        for mode in modes:
            rates[mode].append(rate_of("our_loop.py", backbone, mode, THREADS, STEPS))

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    best = {name: max(found) for name, found in rates.items()}
    benchmark.extra_info |= {f"{name}, images/s": round(rate) for name, rate in best.items()}
    benchmark.extra_info |= {f"{mode}, times plain": round(best[mode] / best["plain"], 2) for mode in modes}
    print(
        f"\n{backbone}, {resolve_numerics('fast', 'cpu', THREADS)}: "
        + ", ".join(f"{name} {rate:,.0f} images/s ({rate / best['plain']:.2f})" for name, rate in best.items())
    )
