"""What the harness adds to a training, and what a suite saves over single calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelbench.machine.hardware import usable_cores
from labelbench.machine.numerics import numerics_in_force
from labelbench.recipes import RECIPES
from labelbench.running.materials import Materials
from labelbench.runs import Numerics, RunSpec
from labelbench.training.batches import Batches
from labelbench.training.inference import validate
from labelbench.training.optimizers import Optimizers
from labelbench.training.start import split_indices
from labelbench.training.step import TrainingStep

BACKBONE = os.environ.get("LABELBENCH_BENCHMARK_BACKBONE", "resnet32")
# Labels of speech would load a library for sound, which takes long and is no part of the harness.
LABEL, EPOCHS = "uniform-random", 6
SIX = ("category", "speech", "constant", "uniform-random", "low-dim", "hadamard")


def labelbench(*args: str) -> float:
    """Seconds that the command takes in a process of its own."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "labelbench", *args], check=True, capture_output=True)
    return time.perf_counter() - started


def bare_loop(run: RunSpec) -> float:
    """Seconds of making the labels and of the same steps and validations, with nothing around them."""
    materials = Materials()
    images, dataset = materials.images(run), materials.dataset(run)
    started = time.perf_counter()
    labels = materials.labels(run)
    with numerics_in_force(run.numerics):
        network = materials.network(run).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        train, validation = split_indices(run, len(images.train), dataset.validation_share)
        batches = Batches(images.train, train, run, dataset.flip, torch.device("cpu"))
        step = TrainingStep(
            network, labels, Optimizers(network, run.recipe, batches.rate), run.numerics, run.recipe.batch_size
        )
        for epoch in range(run.recipe.epochs):
            network.train()
            for pixels, classes in batches.epoch(epoch):
                step(pixels, classes)
            validate(network, labels, images.train.images[validation], images.train.classes[validation])
        return time.perf_counter() - started


def test_a_run_against_a_bare_loop(benchmark: Any, tmp_path: Path) -> None:
    """The run is timed by its own record: from making its labels, its images being loaded, to its weights on disk."""
    threads = usable_cores()
    run = RunSpec(
        "digits", LABEL, BACKBONE, 0, recipe=RECIPES["quick"].with_epochs(EPOCHS), numerics=Numerics(threads=threads)
    )
    options = ["--label", LABEL, "--backbone", BACKBONE, "--epochs", str(EPOCHS), "--evaluator", "accuracy"]
    options += ["--device", "cpu", "--threads", str(threads)]
    found: dict[str, list[float]] = {"bare": [], "run": [], "process": []}

    def one_round() -> None:
        folder = tmp_path / str(len(found["bare"]))
        # In a new process, as the run is.
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            found["bare"].append(fresh.submit(bare_loop, run).result())
        found["process"].append(labelbench("run", *options, "--results", str(folder)))
        (record,) = folder.glob("*/*/*/*/training.json")
        found["run"].append(json.loads(record.read_text())["wall_seconds"])

    benchmark.pedantic(one_round, rounds=3, iterations=1)
    best = {name: min(seconds) for name, seconds in found.items()}
    benchmark.extra_info["overhead of a run"] = f"{best['run'] / best['bare'] - 1:.1%}"
    benchmark.extra_info["overhead of the whole process"] = f"{best['process'] / best['bare'] - 1:.1%}"
    print(
        f"\n{BACKBONE}: bare loop {best['bare']:.1f} s; run {best['run']:.1f} s "
        f"({best['run'] / best['bare'] - 1:+.1%}); "
        f"process with start, plan, test and leaderboard {best['process']:.1f} s"
    )


def test_a_suite_against_single_calls(benchmark: Any, tmp_path: Path) -> None:
    options = ["--backbone", "resnet8", "--epochs", "3", "--evaluator", "accuracy", "--device", "cpu"]

    def suite(name: str, *more: str) -> float:
        labels = [word for label in SIX for word in ("--label", label)]
        return labelbench("run", *options, *labels, *more, "--results", str(tmp_path / name))

    def one_by_one() -> float:
        return sum(
            labelbench("run", *options, "--label", label, "--results", str(tmp_path / "single" / label))
            for label in SIX
        )

    found = {
        "six single calls": benchmark.pedantic(one_by_one, rounds=1, iterations=1),
        "one suite": suite("suite"),
        "one suite, two jobs": suite("jobs", "--jobs", "2"),
        "one suite, two jobs, fast": suite("fast", "--jobs", "2", "--numerics", "fast"),
    }
    whole = found["six single calls"]
    benchmark.extra_info |= {f"{name}, s": round(seconds, 1) for name, seconds in found.items()}
    print("\n" + "; ".join(f"{name} {seconds:.1f} s ({whole / seconds:.2f})" for name, seconds in found.items()))
    scores = [_scores(tmp_path / name) for name in ("single", "suite")]
    assert scores[0] == scores[1] and len(scores[0]) == len(SIX)


def _scores(folder: Path) -> list[float]:
    records = (json.loads(file.read_text()) for file in sorted(folder.rglob("accuracy-*.json")))
    return sorted(float(np.float64(record["scores"][0]["value"])) for record in records)
