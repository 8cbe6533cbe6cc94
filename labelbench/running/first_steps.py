"""The first steps of a training and no more, for those who measure how long it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from labelbench.machine.numerics import numerics_in_force
from labelbench.running.materials import Materials
from labelbench.runs import RunSpec

if TYPE_CHECKING:
    from labelbench.networks import Network


def take_steps(
    run: RunSpec, network: Network, materials: Materials, steps: int, watch: Callable[[int], None] = lambda done: None
) -> None:
    """Train for ``steps`` steps, with everything that a step of a real training does.

    Args:
        run: what to train.
        network: untrained.
        materials: images and labels.
        steps: 1 or more.
        watch: told after every step how many are taken.
    """
    from labelbench.training.trainer import Trainer

    dataset = materials.dataset(run)
    # So many passes in the first epoch that the steps fit, however few images there are.
    long_enough = replace(run, recipe=replace(run.recipe, minimum_steps=run.recipe.epochs * (steps + 1)))
    with numerics_in_force(run.numerics):
        trainer = Trainer(
            long_enough,
            network,
            materials.labels(run),
            materials.images(run),
            validation_share=dataset.validation_share,
            flip=dataset.flip,
        )
        for done in range(1, steps + 1):
            trainer.step()
            watch(done)
