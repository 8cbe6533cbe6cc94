"""How much work trainings are, and how long those missing from a plan would take on this machine."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from labelbench.errors import LabelbenchError
from labelbench.machine.cards import cards_in_use
from labelbench.machine.numerics import numerics_in_force
from labelbench.running.first_steps import trainer_for, wait_for
from labelbench.running.materials import Materials
from labelbench.running.planning import Plan
from labelbench.runs import RunSpec
from labelbench.settings import current_settings, use_settings

_STEPS, _WARMING_UP = 10, 3
# Steps of a GPU are short, and captured after a few.
_STEPS_ON_A_GPU, _WARMING_UP_A_GPU = 100, 8
_VALIDATED = 200
# Seconds after which a rough estimate takes up no other kind of network.
_PATIENCE = 5.0


@dataclass(frozen=True)
class Work:
    """What one training looks at.

    Attributes:
        train: different training images.
        batch: images of a full step.
        images: training images of all steps.
        validated: validation images, counted after every epoch.
    """

    train: int
    batch: int
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
            images=recipe.epochs * recipe.passes_per_epoch(train) * recipe.images_per_pass(train),
            validated=recipe.epochs * validation,
        )


def estimate(plan: Plan, jobs: int = 1) -> Iterator[str]:
    """Lines that say what was measured and what follows from it.

    For each data set, backbone, shape of label and size of a step a training is begun and its steps timed, the first
    ones left out, and its validation; the missing trainings of that kind are counted in images. Measurements of
    evaluators are not estimated.

    Args:
        plan: its missing trainings are estimated.
        jobs: trainings at once. On GPUs as many are begun and timed together; on a CPU one is timed with its share of
            the threads.
    """
    materials = Materials()
    kinds: dict[tuple[str, str, tuple[int, ...], int], list[RunSpec]] = defaultdict(list)
    for run in plan.todo_trainings:
        kinds[run.dataset, run.backbone, materials.labels(run).shape, Work.of(run, materials).batch].append(run)
    total = 0.0
    for (dataset, name, shape, batch), runs in kinds.items():
        at_once = min(jobs, len(runs))
        rate, together = _rate_of(runs, at_once, materials), ""
        if at_once > 1:
            streams = "streams" if runs[0].numerics.device == "cuda" else "processes"
            together = f", {at_once} at once in {streams}"
        work = [Work.of(run, materials) for run in runs]
        images = sum(each.images for each in work)
        validating = sum(each.validated for each in work) / _validation_rate(runs[0], materials)
        seconds = images / rate + validating / at_once
        total += seconds
        small = f" {batch} at a time" if batch < runs[0].recipe.batch_size else ""
        yield (
            f"{dataset} {name} {'x'.join(map(str, shape))}: {len(runs)} trainings, {images:,} images{small} at "
            f"{rate:,.0f} images/s{together}: {_hours(seconds)}"
        )
    after = "one after another" if jobs == 1 else f"{jobs} at once"
    yield f"all missing trainings, {after}: {_hours(total)}; evaluators come on top"


def rough_estimate(plan: Plan) -> str:
    """How long the missing trainings take, in a line, from a few steps of one network of each data set and backbone.

    Nothing is fetched; what is not here, or would first be compiled, is named.
    """
    materials = Materials()
    kinds: dict[tuple[str, str], list[RunSpec]] = defaultdict(list)
    for run in plan.todo_trainings:
        kinds[run.dataset, run.backbone].append(run)
    begun, total, counted, unknown = time.perf_counter(), 0.0, 0, []
    with use_settings(replace(current_settings(), offline=True)):
        for (dataset, name), runs in kinds.items():
            if runs[0].numerics.compiled or time.perf_counter() - begun > _PATIENCE:
                unknown.append(f"{dataset} {name}")
                continue
            try:
                # Before anything heavy is loaded: what is not here fails here.
                materials.images(runs[0])
                rate = training_rate(runs[0], materials, steps=2)
                work = [Work.of(run, materials) for run in runs]
            except LabelbenchError:
                unknown.append(f"{dataset} {name}")
                continue
            # A validation passes forward alone: a third of a step.
            total += sum(each.images + each.validated / 3 for each in work) / rate
            counted += len(runs)
    measured = f"measured in {time.perf_counter() - begun:.0f} s; evaluators come on top"
    said = f"about {_hours(total)} for {counted} trainings, one after another ({measured})" if counted else ""
    rest = f"not measured: {', '.join(unknown)}; --measure does" if unknown else ""
    return "; ".join(part for part in (said, rest) if part)


def _rate_of(runs: Sequence[RunSpec], at_once: int, materials: Materials) -> float:
    """Images per second of ``at_once`` trainings together."""
    if runs[0].numerics.device != "cuda":
        return at_once * training_rate(runs[0], materials)
    cards = min(at_once, len(cards_in_use()))
    return cards * training_rate(runs[0], materials, at_once=-(-at_once // cards))


def training_rate(run: RunSpec, materials: Materials, steps: int | None = None, at_once: int = 1) -> float:
    """Images per second of training steps, timed after the first few and without validation.

    Args:
        run: what to train.
        materials: images and labels.
        steps: how many are timed; None for as many as it takes to tell.
        at_once: so many trainings get their steps in turn, on streams of their own on a GPU.
    """
    steps = steps or (_STEPS_ON_A_GPU if run.numerics.device == "cuda" else _STEPS)
    first = _WARMING_UP_A_GPU if run.numerics.device == "cuda" else _WARMING_UP
    with numerics_in_force(run.numerics):
        trainers = [trainer_for(run, materials, steps + first) for _ in range(at_once)]
        for done in range(first + steps):
            if done == first:
                wait_for(run)
                started = time.perf_counter()
            for trainer in trainers:
                trainer.step()
        wait_for(run)
        seconds = time.perf_counter() - started
    train = Work.of(run, materials).train
    images = sum(run.recipe.images_of_step(step, train) for step in range(first, first + steps))
    return at_once * images / seconds


def _validation_rate(run: RunSpec, materials: Materials) -> float:
    """Images per second of a validation, timed after a first one."""
    import torch

    from labelbench.training.inference import validate

    images, classes = materials.images(run).train.images[:_VALIDATED], materials.images(run).train.classes[:_VALIDATED]
    with numerics_in_force(run.numerics):
        network = materials.network(run).to(torch.device(run.numerics.device))
        for _ in range(2):
            started = time.perf_counter()
            validate(network, materials.labels(run), images, classes)
            wait_for(run)
    return len(images) / (time.perf_counter() - started)


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
