"""What preset ``standard`` leaves of networks trained on CIFAR-10, against targeted APGD and Square of torchattacks.

Both attack the same 500 images within the same ball; what torchattacks' APGD leaves, its Square attacks from the clean
image. Gradients and queries of both are counted at the network: images that pass it with, and without, one wanted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import labelbench
from labelbench.results.reading import read
from labelbench.results.records import Record
from labelbench.results.store import Results
from labelbench.running.materials import Materials
from labelbench.runs import RunSpec
from labelbench.settings import Settings, use_settings
from labelbench.training.checkpoint import load_trained
from labelbench_evaluators.attack_libraries import Classifier

BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
LABELS = ("category", "speech", "uniform-random")
IMAGES, BATCH, STEPS, TARGETS, QUERIES = 500, 125, 20, 9, 1000
# In 1/255: where 20 to 80 % are left.
EPSILON = 0.5


@dataclass(frozen=True)
class Left:
    """Share of the images still read right, and what it took."""

    share: float
    gradients: int
    queries: int


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    """A network for each label after a short training, and what the evaluator found of it."""
    data = Path(os.environ.get("LABELBENCH_DATA") or BESIDE)
    if not (data / "cifar10.zip").exists():
        pytest.skip(f"cifar10.zip is not in {data}; LABELBENCH_DATA names another folder")
    folder = Path(os.environ.get("LABELBENCH_STRENGTH") or tmp_path_factory.mktemp("strength"))
    with use_settings(Settings(data, None, folder / "cache", offline=True)):
        found = labelbench.run(
            "paper-fast",
            datasets="cifar10",
            backbones="resnet8",
            labels=LABELS,
            evaluators=f"attacks-adaptive:standard,eps={EPSILON:g}",
            seeds=1,
            epochs=4,
            train_fraction=0.4,
            test_images=IMAGES,
            threads=1,
            results=folder / "results",
            progress=False,
        )
        assert not found.failures
        yield Results(folder / "results")


def ours(record: Record) -> Left:
    """What the evaluator read, and the gradients and queries of all attacks of its worst case."""
    (share,) = (score.value for score in record.scores if score.name == f"adaptive/{EPSILON:g}")
    return Left(float(share or 0), **record.facts["details"]["cost_of_worst_case"])


def theirs(run: RunSpec, weights: Path) -> Left:
    """APGD towards every other class in turn, then Square on what is left."""
    import torchattacks

    materials = Materials()
    labels, images = materials.labels(run), materials.images(run)
    network = load_trained(run, materials.network(run), labels, images, weights).network
    classifier = Classifier(network, labels).eval().requires_grad_(False)
    test = images.test.evenly(IMAGES)
    pixels = torch.from_numpy(np.array(test.images)).permute(0, 3, 1, 2).float() / 255
    classes = torch.from_numpy(np.array(test.classes))
    ball = {"norm": "Linf", "eps": EPSILON / 255, "seed": 0}
    left = 0
    with torch.random.fork_rng(devices=[]):
        for batch in torch.arange(IMAGES).split(BATCH):
            for attack in (
                torchattacks.APGDT(classifier, steps=STEPS, n_classes=TARGETS + 1, **ball),
                torchattacks.Square(classifier, n_queries=QUERIES, **ball),
            ):
                found = attack(pixels[batch].contiguous(), classes[batch]).detach()
                with torch.no_grad():
                    batch = batch[labels.nearest(network(found)) == classes[batch]]
                if not len(batch):
                    break
            left += len(batch)
    return Left(left / IMAGES, classifier.gradients, classifier.queries)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.benchmark(group="attack strength")
def test_standard_leaves_no_more_with_fewer_gradients(trained: Results, label: str, benchmark: Any) -> None:
    (record,) = (record for record in read(trained).records if record.cell.run.label == label)
    run = record.cell.run
    other = benchmark.pedantic(theirs, args=(run, trained.network_file(run)), rounds=1)
    own = ours(record)
    benchmark.extra_info |= {"standard": asdict(own), "APGDT and Square": asdict(other)}
    for name, left in (("standard", own), ("APGDT and Square", other)):
        print(f"\n{label} at {EPSILON:g}/255, {name}: {left}", end="")
    assert 0.2 < other.share < 0.8
    assert own.share <= other.share + 0.005
    assert own.gradients < other.gradients
