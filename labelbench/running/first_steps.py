"""The first steps of a training and no more, for those who measure how long it takes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labelbench.machine.numerics import numerics_in_force
from labelbench.running.materials import Materials
from labelbench.runs import RunSpec

if TYPE_CHECKING:
    from labelbench.networks import Network


class _Enough(Exception):
    """All steps are taken."""


def _long_enough(run: RunSpec, steps: int) -> RunSpec:
    """The run with so many passes in its first epoch that ``steps`` steps fit, however few images it has."""
    return replace(run, recipe=replace(run.recipe, minimum_steps=run.recipe.epochs * (steps + 1)))


def take_steps(
    run: RunSpec, network: Network, materials: Materials, steps: int, watch: Callable[[int], None] = lambda done: None
) -> None:
    """Train for ``steps`` steps, with everything that a step of a real training does.

    Args:
        run: what to train.
        network: untrained.
        materials: images and labels.
        steps: 1 or more.
        watch: told after every step how many are done.
    """
    from labelbench.training.loop import train

    def report(done: int, total: int, rate: float, epoch: object) -> None:
        if not epoch:
            watch(done)
        if done >= steps:
            raise _Enough

    dataset = materials.dataset(run)
    with tempfile.TemporaryDirectory() as folder, numerics_in_force(run.numerics), suppress(_Enough):
        train(
            _long_enough(run, steps),
            network,
            materials.labels(run),
            materials.images(run),
            validation_share=dataset.validation_share,
            flip=dataset.flip,
            folder=Path(folder),
            report=report,
        )
