"""Networks that several benchmarks measure, and what they share with the tests."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from labelbench.machine.numerics import numerics_in_force
from labelbench.recipes import RECIPES
from labelbench.running.materials import Materials
from labelbench.runs import Numerics, RunSpec
from labelbench.training.trainer import Trainer

TESTS_OF_PLUGINS = Path(__file__).resolve().parent.parent / "tests" / "plugins" / "conftest.py"


@pytest.fixture(scope="session")
def best_of() -> Callable[..., float]:
    """Seconds that some work takes, ``best_of(work, rounds=3)``: the least of a few, what is more was disturbed."""

    def seconds(work: Callable[[], object], rounds: int = 3) -> float:
        found = []
        for _ in range(rounds):
            started = time.perf_counter()
            work()
            found.append(time.perf_counter() - started)
        return min(found)

    return seconds


@lru_cache
def _tests_of_plugins() -> Any:
    """The module that says what an evaluator is given in tests."""
    spec = importlib.util.spec_from_file_location("tests_of_plugins", TESTS_OF_PLUGINS)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def exact() -> Iterator[Numerics]:
    """Exact numerics in force; ``OMP_NUM_THREADS`` says how many threads, one unless given."""
    numerics = Numerics(threads=int(os.environ.get("OMP_NUM_THREADS") or 1))
    with numerics_in_force(numerics):
        yield numerics


@pytest.fixture(scope="session")
def trained(exact: Numerics) -> Callable[[str, str], Any]:
    """Makes what an evaluator is given, as the tests do, for a network after four epochs on digits.

    ``trained("resnet8", "speech")`` has the test images, its network and its training images.
    """

    @lru_cache
    def make(backbone: str, label: str) -> Any:
        run = RunSpec("digits", label, backbone, 0, recipe=RECIPES["quick"].with_epochs(4), numerics=exact)
        materials = Materials()
        labels, images, network = materials.labels(run), materials.images(run), materials.network(run)
        trainer = Trainer(run, network, labels, images, validation_share=0.1, flip=False)
        while not trainer.done:
            trainer.step()
        trainer.finish()
        return _tests_of_plugins().Bench(network, network, labels, images.test, run, images)

    return make
