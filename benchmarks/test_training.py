"""Images per second of training, against a plain loop written as the paper's release is.

The plain loop decodes nothing and logs nothing. All forms train the same network on the same images with the same
labels; they take turns, and each keeps its best round.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labelbench.machine.hardware import usable_cores
from labelbench.machine.numerics import resolve_numerics
from labelbench.recipes import Recipe
from labelbench.running.estimate import training_rate
from labelbench.running.materials import Materials
from labelbench.runs import RunSpec

# Rounds of each form, and steps timed in each.
ROUNDS, STEPS = 3, 6
THREADS = int(os.environ.get("LABELBENCH_BENCHMARK_THREADS", usable_cores()))
BACKBONES = ("resnet32", "resnet110", "vgg19")


def plain_rate(backbone: str) -> float:
    """Images per second of the plain loop."""
    script = Path(__file__).with_name("plain_loop.py")
    command = [sys.executable, str(script), backbone, str(THREADS), str(STEPS)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_training_against_a_plain_loop(benchmark: Any, backbone: str) -> None:
    run = RunSpec("digits", "speech", backbone, 0, recipe=Recipe(learning_rate=0.01))
    materials = Materials()
    modes = {mode: resolve_numerics(mode, "cpu", THREADS) for mode in ("exact", "fast")}
    rates: dict[str, list[float]] = {"plain": [], "exact": [], "fast": []}

    def one_round() -> None:
        rates["plain"].append(plain_rate(backbone))
        for mode, numerics in modes.items():
            chosen = replace(run, numerics=numerics)
            rates[mode].append(training_rate(chosen, materials.network(chosen), materials, STEPS))

    benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    best = {name: max(found) for name, found in rates.items()}
    benchmark.extra_info |= {f"{name}, images/s": round(rate) for name, rate in best.items()}
    benchmark.extra_info |= {f"{mode}, times plain": round(best[mode] / best["plain"], 2) for mode in modes}
    print(
        f"\n{backbone}, {THREADS} threads, {modes['fast']}: "
        + ", ".join(f"{name} {rate:,.0f} images/s ({rate / best['plain']:.2f})" for name, rate in best.items())
    )
