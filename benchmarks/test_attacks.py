"""How long the paper's grid of attacks takes, against one image at a time; and FGSM and PGD of torchattacks.

The grid is 4 attacks at 7 epsilons through a 64x64 label, on networks trained for a moment on digits. The reference is
the one that the tests compare decisions with. ``OMP_NUM_THREADS`` sets the threads of both sides, one unless given.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import official_loops as official
from labelbench.attacks.engine import Attack, run_attack
from labelbench.attacks.folding import folded
from labelbench.datasets import Split
from labelbench.evaluation.scores import Measurement
from labelbench.networks import Network
from labelbench.runs import Numerics
from labelbench_evaluators.attack_libraries import Classifier
from labelbench_evaluators.attack_protocols import EPSILONS, PROTOCOLS
from labelbench_evaluators.attacks_paper import attacks_paper

# Timed images: about a minute of the reference.
IMAGES = {"resnet8": 100, "resnet32": 40}
# Images on which accuracies are compared: a share of few says little.
MANY = 1000
MODES = {"exact": {}, "fast float32": {"mode": "fast"}, "fast bfloat16": {"mode": "fast", "precision": "bfloat16"}}


def first(bench: Any, count: int, numerics: Numerics) -> Any:
    """The same with the first images, those for testing before those for training, attacked with these numerics."""
    images, classes = (
        np.concatenate([getattr(bench.images.test, part), getattr(bench.images.train, part)])[:count]
        for part in ("images", "classes")
    )
    return replace(bench, test=Split(images, classes), run=replace(bench.run, numerics=numerics), parts={}, reports=[])


def grid(bench: Any) -> Measurement:
    bench.parts.clear()
    return bench.measured_by(attacks_paper())


def one_at_a_time(official: Any, bench: Any, attack: str) -> np.ndarray:
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
def test_the_grid_in_batches_against_one_image_at_a_time(
    backbone: str, trained: Callable[..., Any], exact: Numerics, benchmark: Any
) -> None:
    whole = trained(backbone, "speech")
    modes = {name: replace(exact, **changes) for name, changes in MODES.items()}
    benches = {name: first(whole, IMAGES[backbone], numerics) for name, numerics in modes.items()}
    decided = grid(benches["exact"]).arrays
    read: dict[str, np.ndarray] = {}
    reference = 0.0
    took: dict[str, list[float]] = {name: [] for name in MODES}
    # What disturbs the machine for a while disturbs both sides.
    for attack in PROTOCOLS["paper"]:
        for name, bench in benches.items():
            took[name].append(seconds(partial(grid, bench)))
        start = time.perf_counter()
        read[attack] = one_at_a_time(official, benches["exact"], attack)
        reference += time.perf_counter() - start
    differing = sum(int((decided[attack] != read[attack]).sum()) for attack in read)
    broken = np.mean([(rows[1:] != benches["exact"].test.classes).mean() for rows in read.values()])
    for name in MODES:
        times = reference / statistics.median(took[name])
        benchmark.extra_info[f"{name}: times faster"] = round(times, 1)
        print(f"\n{backbone}, {name}: {times:.1f} times faster than {reference:.1f} s", end="")
    full = {name: accuracies(grid(first(whole, MANY, numerics))) for name, numerics in modes.items()}
    for name in MODES:
        gap = np.abs(full[name] - full["exact"])
        benchmark.extra_info[f"{name}: accuracy off by at most"] = f"{gap.max():.2%}"
        print(f"\n{backbone}, {name}: accuracy off by {gap.max():.2%} at most, {gap.mean():.2%} on average", end="")
    print(f"\n{differing} of {sum(rows.size for rows in read.values())} decisions differ, {broken:.0%} are broken")
    benchmark.pedantic(grid, args=(benches["fast bfloat16"],), rounds=2)
    assert 0.05 < broken < 0.95
    assert differing <= 0.005 * IMAGES[backbone]
    for name in MODES:
        # Rounded, since shares of a thousand images have no exact half a point.
        assert np.abs(full[name] - full["exact"]).max().round(6) <= 0.005


@pytest.mark.parametrize("method", ["FGSM", "PGD"])
@pytest.mark.benchmark(group="torchattacks")
def test_fgsm_and_pgd_of_torchattacks_on_a_category_network(
    method: str, trained: Callable[..., Any], benchmark: Any
) -> None:
    import torchattacks

    batch, steps, epsilon = 128, 10, 8 / 255
    bench = trained("resnet8", "category")
    pixels = torch.from_numpy(np.array(bench.test.images[:batch])).permute(0, 3, 1, 2).float() / 255
    classes = torch.from_numpy(np.array(bench.test.classes[:batch]))
    fgsm = Attack((epsilon,), loss="cross-entropy")
    attack = fgsm if method == "FGSM" else replace(fgsm, steps=steps, step=0.25, start="random")
    classifier = Classifier(bench.network, bench.labels).eval()
    other = (
        torchattacks.FGSM(classifier, eps=epsilon)
        if method == "FGSM"
        else torchattacks.PGD(classifier, eps=epsilon, alpha=epsilon / 4, steps=steps)
    )
    left = {}

    def ours(name: str, network: Network) -> None:
        found = run_attack(attack, network, bench.labels, pixels, classes, rows=batch)
        left[name] = found.predictions[0] == classes.numpy()

    def theirs() -> None:
        """The attack, and which images it leaves."""
        found = other(pixels, classes)
        with torch.no_grad():
            logits = classifier(found)
        left["torchattacks"] = (logits.argmax(dim=1) == classes).numpy()

    works = {
        "exact": partial(ours, "exact", bench.network),
        "fast float32": partial(ours, "fast float32", folded(bench.network)),
        "torchattacks": theirs,
    }
    rounds = {name: [] for name in works}
    for _ in range(2 + 10):
        for name, work in works.items():
            rounds[name].append(seconds(work))
    took = {name: statistics.median(times[2:]) for name, times in rounds.items()}
    for name in ("exact", "fast float32"):
        times = took["torchattacks"] / took[name]
        benchmark.extra_info[f"{name}: times faster"] = round(times, 2)
        print(f"\n{method}, {name}: {times:.2f} times faster, {left[name].mean():.1%} left", end="")
    print(f"\n{method}, torchattacks: {left['torchattacks'].mean():.1%} left", end="")
    benchmark.pedantic(works["exact"], rounds=2)
    # In float32 the gradient of cross-entropy is mostly rounding where a class has all but 1e-6 of the probability.
    with torch.no_grad():
        probability = classifier(pixels).softmax(dim=1)[torch.arange(batch), classes]
    unsure = (probability < 1 - 1e-6).numpy()
    assert 0.2 < unsure.mean() < 0.8
    assert abs(left["exact"][unsure].mean() - left["torchattacks"][unsure].mean()) < 0.05
    assert left["exact"].mean() <= left["torchattacks"].mean() + 0.01
