"""How much work trainings are, and how long those missing from a plan would take on this machine."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelbench.machine.numerics import numerics_in_force
from labelbench.running.first_steps import take_steps
from labelbench.running.materials import Materials
from labelbench.running.planning import Plan
from labelbench.runs import RunSpec

if TYPE_CHECKING:
    from labelbench.networks import Network

_STEPS, _WARMING_UP = 10, 3
_VALIDATED = 200


@dataclass(frozen=True)
class Work:
    """What one training looks at.

    Attributes:
        train: different training images.
        batch: images of a full step.
        steps: training steps.
        images: training images of all steps.
        validated: validation images, counted after every epoch.
    """

    train: int
    batch: int
    steps: int
    images: int
    validated: int

    @staticmethod
    def of(run: RunSpec, materials: Materials) -> Work:
        """The work of a run, its recipe's minimum of steps included.

        Raises:
            Unavailable: its images are not here.
        """
        from labelbench.training.start import split_indices

        count, share = len(materials.images(run).train), materials.dataset(run).validation_share
        train, validation = map(len, split_indices(run, count, share))
        recipe = run.recipe
        return Work(
            train=train,
            batch=min(recipe.batch_size, train),
            steps=recipe.epochs * recipe.steps_per_epoch(train),
            images=recipe.epochs * recipe.passes_per_epoch(train) * recipe.images_per_pass(train),
            validated=recipe.epochs * validation,
        )


def estimate(plan: Plan) -> Iterator[str]:
    """Lines that say what was measured and what follows from it.

    For each data set, backbone, shape of label and size of a step a training is begun and its steps timed, the first
    ones left out, and its validation; the missing trainings of that kind are counted in images. Measurements of
    evaluators are not estimated.
    """
    materials = Materials()
    kinds: dict[tuple[str, str, tuple[int, ...], int], list[RunSpec]] = defaultdict(list)
    for run in plan.todo_trainings:
        kinds[run.dataset, run.backbone, materials.labels(run).shape, Work.of(run, materials).batch].append(run)
    total = 0.0
    for (dataset, name, shape, batch), runs in kinds.items():
        network = materials.network(runs[0])
        rate = training_rate(runs[0], network, materials)
        work = [Work.of(run, materials) for run in runs]
        images = sum(each.images for each in work)
        seconds = images / rate + sum(each.validated for each in work) / _validation_rate(runs[0], network, materials)
        total += seconds
        small = f" {batch} at a time" if batch < runs[0].recipe.batch_size else ""
        yield (
            f"{dataset} {name} {'x'.join(map(str, shape))}: {len(runs)} trainings, {images:,} images{small} at "
            f"{rate:,.0f} images/s: {_hours(seconds)}"
        )
    yield f"all missing trainings, one after another: {_hours(total)}; evaluators come on top"


def training_rate(run: RunSpec, network: Network, materials: Materials, steps: int = _STEPS) -> float:
    """Images per second of training steps, timed after three steps of warming up and without validation.

    Args:
        run: what to train.
        network: untrained.
        materials: images and labels.
        steps: how many are timed.
    """
    moments: list[float] = []
    take_steps(run, network, materials, steps + _WARMING_UP, lambda done: moments.append(time.perf_counter()))
    train = Work.of(run, materials).train
    timed = range(_WARMING_UP, steps + _WARMING_UP)
    images = sum(run.recipe.images_of_step(step, train) for step in timed)
    return images / (moments[-1] - moments[_WARMING_UP - 1])


def _validation_rate(run: RunSpec, network: Network, materials: Materials) -> float:
    """Images per second of a validation, timed after a first one."""
    from labelbench.training.inference import validate

    images, classes = materials.images(run).train.images[:_VALIDATED], materials.images(run).train.classes[:_VALIDATED]
    with numerics_in_force(run.numerics):
        for _ in range(2):
            started = time.perf_counter()
            validate(network, materials.labels(run), images, classes)
    return len(images) / (time.perf_counter() - started)


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
