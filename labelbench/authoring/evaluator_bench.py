"""Small trained networks on made-up images, and the contexts that an evaluator is checked with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from labelbench.datasets import Dataset, Images, Split
from labelbench.errors import PluginError
from labelbench.evaluation.context import Context
from labelbench.evaluation.needs import Needs
from labelbench.evaluation.scores import Arrays, Measurement
from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench.optimizers import SGD
from labelbench.recipes import Recipe
from labelbench.registry import backbone, evaluator, label
from labelbench.results.store import Results
from labelbench.runs import RunSpec
from labelbench.suite import Suite
from labelbench.training.checkpoint import load_trained
from labelbench.training.inference import outputs_of
from labelbench.training.result import Trained
from labelbench.training.start import initial_network
from labelbench.training.trainer import train

DATASET = Dataset("made-up", ("dark", "grey", "light", "bright"), (16, 16), flip=False, validation_share=0.25)
_PER_CLASS = {"train": 16, "test": 6}
_RECIPE = Recipe(
    name="check", epochs=3, batch_size=16, optimizer=SGD(0.05), schedule="one-cycle", milestones=(), crop_padding=0
)


def made_up_images() -> Images:
    """Noise around a level of grey for each class: learned in seconds, and not without a mistake."""
    random = np.random.RandomState(0)

    def part(name: str) -> Split:
        classes = np.repeat(np.arange(DATASET.num_classes), _PER_CLASS[name])
        levels = (40 + 50 * classes)[:, None, None, None]
        pixels = levels + random.normal(0, 45, (len(classes), *DATASET.image_size, 3))
        return Split(pixels.clip(0, 255).astype(np.uint8), classes.astype(np.int64))

    return Images(part("train"), part("test"), "made-up", (0.45,) * 3, (0.25,) * 3, "made up")


@dataclass
class Bench:
    """Everything that one check of an evaluator shares.

    Attributes:
        results: where networks are kept while it lasts.
        undeclared: what an evaluator asked for beyond its needs, in words.
    """

    results: Results
    undeclared: list[str] = field(default_factory=list)

    @cached_property
    def images(self) -> Images:
        """The images of all its runs."""
        return made_up_images()

    def runs(self) -> list[RunSpec]:
        """A run with a vector label and one with a matrix label."""
        controls = Suite.load("trial")
        return [RunSpec(DATASET.name, name, controls.backbones[0], 0, recipe=_RECIPE) for name in controls.labels]

    def labels(self, run: RunSpec) -> LabelSet:
        """The labels of a run."""
        return label(run.label, DATASET)

    def train(self, needs: Needs) -> None:
        """Train what an evaluator says that it needs, and is not there."""
        for run in needs.trainings:
            files = {share: self.results.snapshot_file(run, share) for share in needs.snapshots}
            if all(file.exists() for file in [self.results.network_file(run), *files.values()]):
                continue
            train(
                run,
                self._network(run),
                self.labels(run),
                self.images,
                validation_share=DATASET.validation_share,
                flip=DATASET.flip,
                folder=self.results.work(run),
                snapshots=files,
            )

    def context(self, run: RunSpec, needs: Needs, parts: dict[str, Arrays]) -> Context:
        """What an evaluator is given to measure ``run``: nothing but what it needs.

        Args:
            run: what is measured.
            needs: what the evaluator asked for.
            parts: finished parts; those that are computed are added.
        """

        def allowed(what: str, declared: bool) -> None:
            if not declared:
                self.undeclared.append(what)
                raise PluginError(f"{what} was asked for and is not among the needs")

        @cache
        def trained(other: RunSpec) -> Trained:
            allowed(f"the network of {other}", other in needs.trainings)
            return self._trained(other, self.results.network_file(other))

        def outputs(other: RunSpec) -> Tensor:
            network = trained(other).network
            return torch.cat(list(outputs_of(network, self.images.test.images)))

        def snapshot(other: RunSpec, share: float) -> Trained:
            declared = other in needs.trainings and share in needs.snapshots
            allowed(f"the network of {other} after {share:.0%} of training", declared)
            return self._trained(other, self.results.snapshot_file(other, share))

        def measurement(other: RunSpec, name: str) -> Measurement:
            allowed(f"the measurement {name} of {other}", (other, name) in needs.measurements)
            return self.measure(name, other)

        def part(name: str, compute: Callable[[], Arrays]) -> Arrays:
            if name not in parts:
                parts[name] = {key: np.asarray(array) for key, array in compute().items()}
            return parts[name]

        return Context(
            run=run,
            dataset=DATASET,
            labels=self.labels(run),
            images=lambda: self.images,
            test=lambda: self.images.test,
            trained=trained,
            outputs=outputs,
            snapshot=snapshot,
            measurement=measurement,
            part=part,
            report=lambda doing, share: None,
        )

    def measure(self, name: str, run: RunSpec) -> Measurement:
        """What the evaluator of that name finds."""
        made = evaluator(name)
        needs = made.needs(run)
        self.train(needs)
        return made.evaluate(self.context(run, needs, {}))

    def _network(self, run: RunSpec) -> Network:
        return initial_network(run, lambda: backbone(run.backbone, DATASET.image_size), self.labels(run), self.images)

    def _trained(self, run: RunSpec, file: Path) -> Trained:
        return load_trained(run, self._network(run), self.labels(run), self.images, file)
