"""The first steps of a training and no more, for those who measure how long it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from labelbench.running.materials import Materials
from labelbench.runs import RunSpec

if TYPE_CHECKING:
    from labelbench.training.trainer import Trainer


def trainer_for(run: RunSpec, materials: Materials, steps: int, *, captured: bool = True) -> Trainer:
    """A trainer of a run that takes ``steps`` steps, with everything that a step of a real training does.

    Args:
        run: what to train; its numerics are in force while steps are taken.
        materials: images and labels.
        steps: 1 or more; they are all of the first epoch, however few images there are, so that nothing is validated.
        captured: whether steps may be captured on a GPU.
    """
    from labelbench.training.trainer import Trainer

    dataset = materials.dataset(run)
    long_enough = replace(run, recipe=replace(run.recipe, minimum_steps=run.recipe.epochs * (steps + 1)))
    return Trainer(
        long_enough,
        materials.network(run),
        materials.labels(run),
        materials.images(run),
        validation_share=dataset.validation_share,
        flip=dataset.flip,
        captured=captured,
    )


def wait_for(run: RunSpec) -> None:
    """Wait until the run's device has done what it was given."""
    import torch

    if run.numerics.device == "cuda":
        torch.cuda.synchronize()
