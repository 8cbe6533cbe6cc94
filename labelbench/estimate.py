"""How long the missing trainings of a plan would take, from a short measurement on this machine."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from labelbench.machine import numerics_in_force
from labelbench.materials import Materials
from labelbench.planning import Plan
from labelbench.runs import RunSpec
from labelbench.training import split_indices, train

_STEPS = 10


class _Enough(Exception):
    """The measurement is over."""


def estimate(plan: Plan) -> Iterator[str]:
    """Lines that say what was measured and what follows from it.

    For each data set, backbone and shape of label a training is begun and its steps timed, the first ones left out;
    the missing trainings of that kind are counted in images. Measurements of evaluators are not estimated.
    """
    materials = Materials()
    kinds: dict[tuple[str, str, tuple[int, ...]], list[RunSpec]] = defaultdict(list)
    for run in plan.todo_trainings:
        kinds[run.dataset, run.backbone, materials.labels(run).shape].append(run)
    total = 0.0
    for (dataset, name, shape), runs in kinds.items():
        rate = _rate(runs[0], materials)
        images, share = materials.images(runs[0]), materials.dataset(runs[0]).validation_share
        count = sum(run.recipe.epochs * len(split_indices(run, len(images.train), share)[0]) for run in runs)
        total += count / rate
        yield (
            f"{dataset} {name} {'x'.join(map(str, shape))}: {len(runs)} trainings, {count:,} images at "
            f"{rate:,.0f} images/s: {_hours(count / rate)}"
        )
    yield f"all missing trainings, one after another: {_hours(total)}; evaluators come on top"


def _rate(run: RunSpec, materials: Materials) -> float:
    """Images per second of training steps, timed after three steps of warming up."""
    dataset = materials.dataset(run)
    times: list[float] = []

    def watch(done: int, total: int, rate: float, epoch: object) -> None:
        times.append(time.perf_counter())
        if len(times) > _STEPS + 3:
            raise _Enough

    long = replace(run, recipe=run.recipe.with_epochs(max(run.recipe.epochs, _STEPS + 4)))
    with tempfile.TemporaryDirectory() as folder, numerics_in_force(run.numerics):
        network = materials.network(run)
        with suppress(_Enough):
            train(
                long,
                network,
                materials.labels(run),
                materials.images(run),
                validation_share=dataset.validation_share,
                flip=dataset.flip,
                folder=Path(folder),
                report=watch,
            )
    return run.recipe.batch_size * (len(times) - 4) / (times[-1] - times[3])


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
