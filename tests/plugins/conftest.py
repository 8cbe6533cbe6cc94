"""Small trained networks and the context an evaluator sees, for the tests of evaluators that attack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from labelbench.datasets import Dataset, Images, Split
from labelbench.evaluation.context import Context
from labelbench.evaluation.evaluator import Evaluator, evaluated, needs_of
from labelbench.evaluation.needs import Needs
from labelbench.evaluation.scores import Measurement
from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench.plugins.lookup import find_dataset
from labelbench.runs import RunSpec
from labelbench.training.result import Trained

SIDES = {"64x64": 64, "48x48": 48, "16x16": 16}


class TinyBackbone(nn.Module):
    """Two convolutions: enough for digits, and fast one image at a time."""

    num_features = 32

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
        )

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        return features


def digit_labels(kind: str) -> LabelSet:
    """One label set of each kind: ``category``, ``low-dim``, or a side such as ``16x16``."""
    if kind == "category":
        return LabelSet(np.eye(10), loss="cross-entropy")
    shape = (10, 10) if kind == "low-dim" else (10, SIDES[kind], SIDES[kind])
    return LabelSet(np.random.RandomState(48).uniform(0, 80, shape))


@lru_cache(maxsize=1)
def digit_images() -> Images:
    """The digits of scikit-learn as 16x16 RGB: 1,397 to train on, 400 to test on."""
    from sklearn.datasets import load_digits

    data = load_digits()
    grey = np.round(data.images * (255 / 16)).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    images, classes = np.repeat(grey[..., None], 3, axis=-1), data.target.astype(np.int64)
    return Images(
        train=Split(images[400:], classes[400:]),
        test=Split(images[:400], classes[:400]),
        fingerprint="0" * 64,
        mean=(0.3, 0.3, 0.3),
        std=(0.4, 0.35, 0.45),
        source="scikit-learn",
    )


def pixels_of(images: np.ndarray) -> Tensor:
    """``(n, height, width, 3)`` uint8 to ``(n, 3, height, width)`` float32 in [0, 1]."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255


@lru_cache(maxsize=8)
def digit_network(kind: str) -> Network:
    """A network trained for seconds; copy it before changing it."""
    labels, images = digit_labels(kind), digit_images()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(TinyBackbone(), labels.shape, images.mean, images.std)
        pixels, classes = pixels_of(images.train.images), torch.from_numpy(images.train.classes)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
        for _ in range(6):
            for batch in torch.split(torch.randperm(len(classes)), 64):
                optimizer.zero_grad()
                loss = labels.loss_of(network(pixels[batch]), classes[batch]).mean()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
    return network.eval()


@dataclass
class Bench:
    """What an evaluator is given, and what was stored and reported through it.

    Attributes:
        network: that of ``run``.
        category: network for the run with the label ``category``.
        test: the part of ``images`` that is measured.
        parts: finished parts by name; those of an interrupted evaluation can be put in beforehand.
        reports: ``(what is being done, share)`` in order.
    """

    network: Network
    category: Network
    labels: LabelSet
    test: Split
    run: RunSpec
    images: Images = field(default_factory=lambda: digit_images())
    dataset: Dataset = field(default_factory=lambda: find_dataset("digits"))
    parts: dict[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    reports: list[tuple[str, float]] = field(default_factory=list)

    def network_of(self, run: RunSpec) -> Network:
        return self.network if run == self.run else self.category

    def trained(self, run: RunSpec) -> Trained:
        return Trained(run, self.network_of(run), (), 0, False)

    def outputs(self, run: RunSpec) -> Tensor:
        with torch.no_grad():
            found: Tensor = self.network_of(run)(pixels_of(self.test.images))
        return found

    def part(self, name: str, compute: Callable[[], Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
        if name not in self.parts:
            self.parts[name] = compute()
        return self.parts[name]

    def snapshot(self, run: RunSpec, share: float) -> Trained:
        raise AssertionError("no snapshot was asked for in the needs")

    def report(self, doing: str, share: float) -> None:
        self.reports.append((doing, share))

    @property
    def context(self) -> Context:
        """What an evaluator of the network is given."""
        return Context(self.run, Needs((self.run,)), self)

    def measured_by(self, made: Evaluator) -> Measurement:
        """What an evaluator finds that is given what it asks for."""
        return evaluated(made, Context(self.run, needs_of(made, self.run), self))


@pytest.fixture(scope="session")
def digit_bench() -> Callable[..., Bench]:
    """Makes a bench for a label kind, with the first test images: ``digit_bench("64x64", images=200)``."""

    def make(kind: str, images: int = 400, network: Network | None = None) -> Bench:
        test = digit_images().test
        return Bench(
            network=network or digit_network(kind),
            category=digit_network("category"),
            labels=digit_labels(kind),
            test=Split(test.images[:images], test.classes[:images]),
            run=RunSpec("digits", kind, "tiny", 0),
        )

    return make
