"""Networks from elsewhere under the benchmark's evaluators, on the same leaderboard."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from labelbench.errors import InputError
from labelbench.evaluation.evaluator import needs_of
from labelbench.evaluation.needs import Needs
from labelbench.exchange.outside import outside_network
from labelbench.files import write_atomic
from labelbench.leaderboard.records import ScoreTable
from labelbench.machine.numerics import resolve_numerics
from labelbench.networks import Network
from labelbench.plugins.lookup import evaluator as evaluator_named
from labelbench.plugins.lookup import pixels_of
from labelbench.results.reading import read
from labelbench.results.records import Cell
from labelbench.results.store import Results
from labelbench.running.jobs import MeasuringJob
from labelbench.running.materials import Materials
from labelbench.running.progress import Reporter
from labelbench.running.worker import Worker
from labelbench.runs import RunSpec
from labelbench.settings import Settings, use_settings
from labelbench.training.checkpoint import identity_of, packed

if TYPE_CHECKING:
    from collections.abc import Callable

_PIXELS = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


class _WithNetwork(Materials):
    """Images and labels as for any run, and one network that came from elsewhere."""

    network_from_elsewhere: Network | None = None

    def network(self, run: RunSpec) -> Network:
        """A copy of it, which weights can be read into."""
        return copy.deepcopy(self.network_from_elsewhere or super().network(run))


def measure(
    network: nn.Module,
    label: str,
    dataset: str,
    evaluators: str | Sequence[str] = ("accuracy",),
    *,
    name: str | None = None,
    normalised: bool = False,
    test_images: int | None = None,
    numerics: str = "exact",
    device: str = "auto",
    threads: int | None = None,
    results: str | Path = "results/elsewhere",
    settings: Settings | None = None,
    progress: bool = True,
) -> ScoreTable:
    """Measure a network that was trained elsewhere, as those trained here are measured.

    Args:
        network: any module from images ``(batch, 3, height, width)`` to outputs of the label's shape, flattened or not.
        label: what its outputs are compared with; a classifier's logits are ``"category"``.
        dataset: whose test images are measured.
        evaluators: names; those that look at one network alone.
        name: stands in the column of backbones; the class of ``network`` if None.
        normalised: whether it takes images normalised with the data set's mean and deviation, instead of pixels in
            [0, 1]. A :class:`labelbench.Network` normalises itself.
        test_images: how many test images are measured, drawn evenly over classes; None for all.
        numerics, device, threads: as for :func:`labelbench.run`.
        results: results folder; may be one with networks trained here.
        settings: where files are looked for; None for those in force.
        progress: whether progress is written to standard error.

    Returns:
        Every score in the results folder. Its rows are marked as trained elsewhere, with the hash of the weights;
        what failed is in ``failures``.

    Raises:
        InputError: a name that cannot be used, an evaluator that needs other trainings, or a network that gives
            something else than the label's shape.
    """
    from rich.console import Console

    names = (evaluators,) if isinstance(evaluators, str) else tuple(evaluators)

    def given(materials: Materials, run: RunSpec) -> Network:
        # A copy, since it is put into eval mode, and its training may go on.
        own = copy.deepcopy(network)
        images = materials.images(run)
        mean, std = (images.mean, images.std) if normalised else _PIXELS
        size = materials.dataset(run).image_size
        return outside_network(own, materials.labels(run), size, mean, std)

    with use_settings(settings) if settings else nullcontext():
        resolved = resolve_numerics(numerics, device, threads)
        run = RunSpec.of(
            dataset, label, name or type(network).__name__, 0, pixels=pixels_of(dataset), numerics=resolved
        )
        folder = Results(Path(results))
        with Reporter(Console(stderr=True, quiet=not progress)) as reporter:
            carry_out(run, given, names, test_images, folder, reporter)
    return ScoreTable.of(read(folder))


def carry_out(
    run: RunSpec,
    make: Callable[[Materials, RunSpec], Network],
    evaluators: Sequence[str],
    test_images: int | None,
    folder: Results,
    reporter: Reporter,
) -> int:
    """Measure one network and record what came of it, failures too; returns how many failed.

    Args:
        run: its data set, label, name and numerics; the hash of the weights is filled in.
        make: gives the network.
        evaluators: names.
        test_images: how many are measured, None for all.
        folder: where records go.
        reporter: told of everything.

    Raises:
        InputError: as :func:`measure` does.
    """
    if not evaluators:
        raise InputError("no evaluator is named; expected at least one, such as accuracy")
    if test_images is not None and (not isinstance(test_images, int) or test_images < 1):
        raise InputError(f"test images are {test_images!r}; expected 1 or more")
    materials = _WithNetwork(reporter.update, reporter.paused)
    network = make(materials, run)
    materials.network_from_elsewhere = network
    run = replace(run, weights=network.digest)
    cells = []
    for name in evaluators:
        made = evaluator_named(name)
        needs = needs_of(made, run)
        if needs not in (Needs((run,)), Needs()):
            raise InputError(
                f"evaluator {name!r} looks at other trainings too, and of {run} there is none; expected one that looks "
                "at one network, such as accuracy or attacks-paper"
            )
        measured = run.of_labels if needs.labels_alone else run
        cells.append(MeasuringJob(Cell(measured, name, made.version, test_images), needs, 1.0))
    state = packed(network.state_dict(), identity_of(run, materials.labels(run), materials.images(run)))
    write_atomic(folder.network_file(run), state)
    reporter.whole(float(len(cells)))
    worker = Worker(folder, reporter, materials)
    failed = 0
    for job in cells:
        if folder.measurement_file(job.cell).exists():
            continue
        why = worker.attempt(job)
        if why:
            folder.save_failure(folder.measurement_file(job.cell), str(job), why)
            reporter.line(f"{job}: failed: {why}")
            failed += 1
    return failed
