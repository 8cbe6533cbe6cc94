"""How long the paper's grid of attacks takes, against one image at a time; and FGSM and PGD of torchattacks.

The grid is 4 attacks at 7 epsilons through a 64x64 label, on networks trained for a moment on digits. The reference is
the one that the tests compare decisions with. ``OMP_NUM_THREADS`` sets the threads of both sides, one unless given.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from labelbench.attacks import Attack, run_attack
from labelbench.datasets import Split
from labelbench.evaluation import Measurement
from labelbench.machine import numerics_in_force
from labelbench.materials import Materials
from labelbench.networks import Network
from labelbench.recipes import RECIPES
from labelbench.runs import Numerics, RunSpec
from labelbench.training import train
from labelbench_evaluators.attack_libraries import Classifier
from labelbench_evaluators.attack_protocols import EPSILONS, PROTOCOLS
from labelbench_evaluators.attacks_paper import attacks_paper

TESTS = Path(__file__).resolve().parent.parent / "tests" / "plugins"
EXACT = Numerics(threads=int(os.environ.get("OMP_NUM_THREADS") or 1))
# Timed images: about a minute of the reference.
IMAGES = {"resnet8": 100, "resnet32": 40}
MODES = {
    "exact": EXACT,
    "fast float32": replace(EXACT, mode="fast"),
    "fast bfloat16": replace(EXACT, mode="fast", precision="bfloat16"),
}


def _module(name: str) -> Any:
    """A helper of the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(f"tests_plugins_{name}", TESTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


official, stand_in = _module("official_loops"), _module("conftest")


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    with numerics_in_force(EXACT):
        yield


@lru_cache(maxsize=1)
def trained(backbone: str, label: str) -> Any:
    """A context with all test images of digits, and a network after four epochs on its training images."""
    run = RunSpec("digits", label, backbone, 0, recipe=RECIPES["quick"].with_epochs(4), numerics=EXACT)
    materials = Materials()
    labels, images, network = materials.labels(run), materials.images(run), materials.network(run)
    with TemporaryDirectory() as folder:
        train(run, network, labels, images, validation_share=0.1, flip=False, folder=Path(folder))
    return stand_in.Bench(network, network, labels, images.test, run)


def first(bench: Any, count: int, numerics: Numerics) -> Any:
    """The same with the first test images, attacked with these numerics."""
    test = Split(bench.test.images[:count], bench.test.classes[:count])
    return replace(bench, test=test, run=replace(bench.run, numerics=numerics), parts={}, reports=[])


def grid(bench: Any) -> Measurement:
    bench.parts.clear()
    return attacks_paper("").evaluate(bench.context)


def one_at_a_time(bench: Any, attack: str) -> np.ndarray:
    """``(epsilons, n)`` classes that the official loops read after one attack."""
    images = official.normalised(bench.network, bench.test.images)
    classes = torch.from_numpy(np.array(bench.test.classes))
    return np.stack(
        [
            official.official_loop(bench.network, bench.labels, images, classes, epsilon, attack)[0]
            for epsilon in EPSILONS
        ]
    )


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def accuracies(found: Measurement) -> np.ndarray:
    return np.array([score.value for score in found.scores if score.name.count("/") == 1])


@pytest.mark.parametrize("backbone", IMAGES)
@pytest.mark.benchmark(group="paper's grid")
def test_the_grid_in_batches_against_one_image_at_a_time(backbone: str, benchmark: Any) -> None:
    whole = trained(backbone, "speech")
    benches = {name: first(whole, IMAGES[backbone], numerics) for name, numerics in MODES.items()}
    exact = grid(benches["exact"]).arrays
    read: dict[str, np.ndarray] = {}
    reference = 0.0
    took: dict[str, list[float]] = {name: [] for name in MODES}
    # What disturbs the machine for a while disturbs both sides.
    for attack in PROTOCOLS["paper"]:
        for name, bench in benches.items():
            took[name].append(seconds(partial(grid, bench)))
        start = time.perf_counter()
        read[attack] = one_at_a_time(benches["exact"], attack)
        reference += time.perf_counter() - start
    differing = sum(int((exact[attack] != read[attack]).sum()) for attack in read)
    broken = np.mean([(rows[1:] != benches["exact"].test.classes).mean() for rows in read.values()])
    for name in MODES:
        times = reference / statistics.median(took[name])
        benchmark.extra_info[f"{name}: times faster"] = round(times, 1)
        print(f"\n{backbone}, {name}: {times:.1f} times faster than {reference:.1f} s", end="")
    # Over all test images: a share of few says little.
    full = {name: accuracies(grid(first(whole, len(whole.test), numerics))) for name, numerics in MODES.items()}
    for name in MODES:
        gap = np.abs(full[name] - full["exact"])
        benchmark.extra_info[f"{name}: accuracy off by at most"] = f"{gap.max():.2%}"
        print(f"\n{backbone}, {name}: accuracy off by {gap.max():.2%} at most, {gap.mean():.2%} on average", end="")
    print(f"\n{differing} of {exact['fgsm-targeted'].size * 4} decisions differ, {broken:.0%} are broken")
    benchmark.pedantic(grid, args=(benches["fast bfloat16"],), rounds=2)
    assert 0.05 < broken < 0.95
    assert differing <= 0.005 * IMAGES[backbone]
    for name in MODES:
        assert np.abs(full[name] - full["exact"]).max() <= 0.005
