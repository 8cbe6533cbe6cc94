"""The runner on GPUs, with CUDA made up on a CPU: the same files come of it as of one job after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import torch
from rich.console import Console

from labelbench.machine.numerics import numerics_in_force
from labelbench.results.store import Results
from labelbench.running import on_gpus as module
from labelbench.running.executors import Executor
from labelbench.running.planning import plan
from labelbench.running.progress import Reporter
from labelbench.running.runner import Outcome, Runner
from labelbench.runs import Numerics
from labelbench.suite import Suite

SUITE = Suite.load("quick").changed(
    labels=["category", "low-dim"],
    evaluators=["accuracy", "label-statistics"],
    epochs=1,
    train_fraction=0.1,
    test_images=50,
    seeds=1,
)
NUMERICS = Numerics(threads=1)


def outcome_of(folder: Path, *, jobs: int) -> tuple[Outcome, dict[str, bytes]]:
    """What came of the suite, and its networks by the names of their runs."""
    results = Results(folder)
    with Reporter(Console(quiet=True)) as reporter:
        outcome = Runner(plan(SUITE, NUMERICS, results), results, reporter, jobs=jobs).run()
    files = sorted(folder.rglob("network.safetensors"))
    return outcome, {str(file.relative_to(folder)): file.read_bytes() for file in files}


def weights(files: dict[str, bytes]) -> dict[str, bytes]:
    """The tensors of each file, without what it says of times."""
    found = {}
    for name, data in files.items():
        length = int.from_bytes(data[:8], "little")
        found[name] = data[8 + length :]
    return found


def test_streams_of_two_cards_leave_the_files_of_one_job_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, expected = outcome_of(tmp_path / "alone", jobs=1)
    used: set[int] = set()

    def device(card: int) -> object:
        used.add(card)
        return nullcontext()

    made_up = {
        "device": device,
        "Stream": lambda card: object(),
        "current_device": lambda: 0,
        "stream": lambda stream: nullcontext(),
        "synchronize": lambda: None,
        "mem_get_info": lambda: (60 << 30, 80 << 30),
        "memory_reserved": lambda: 0,
        "memory_allocated": lambda: 0,
    }
    for name, value in made_up.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(module, "cards_in_use", lambda: (0, 1))
    monkeypatch.setattr(module, "numerics_held", numerics_in_force)

    @contextmanager
    def executor(runner: Runner, count: int) -> Iterator[Executor]:
        assert count == 2 + 2 + 2
        with module.on_gpus(3, NUMERICS, runner.results, runner.reporter, runner.materials, overwrite=False) as streams:
            yield streams

    monkeypatch.setattr(Runner, "_executor", executor)
    together, found = outcome_of(tmp_path / "together", jobs=2)
    assert (
        (together.trained, together.measured, together.failures)
        == (2, 4, [])
        == (
            alone.trained,
            alone.measured,
            alone.failures,
        )
    )
    assert weights(found) == weights(expected) and len(found) == 2
    assert used == {0, 1}
