"""Attacks of other libraries on the wrapped decoder: what comes back, what is counted, what is left alone."""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from labelbench import Unavailable
from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench_evaluators.attack_libraries import Classifier, LibraryResult, require_autoattack, run_library, why_not
from labelbench_evaluators.attack_presets import Library

MakeBench = Callable[..., Any]
ALL = (
    Library("apgd-ce", amount=3, sample=10),
    Library("apgd-dlr", amount=3, sample=10),
    Library("square", amount=30, sample=10),
    Library("autoattack", amount=3, sample=10),
)


@pytest.fixture(autouse=True)
def _autoattack_loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What newer versions of torch dropped and the copy of AutoAttack beside torchattacks still imports."""

    def zero_gradients(tensor: Tensor) -> None:
        if tensor.grad is not None:
            tensor.grad = None

    monkeypatch.setattr(sys.modules["torch.autograd.gradcheck"], "zero_gradients", zero_gradients, raising=False)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "autoattack"]:
        del sys.modules[name]


BY_NAME = pytest.mark.parametrize("library", ALL, ids=[library.name for library in ALL])


def global_random_state() -> tuple[object, ...]:
    _, numbers, *rest = np.random.get_state(legacy=True)
    return torch.get_rng_state().tolist(), np.asarray(numbers).tolist(), rest, random.getstate()


def attacked(library: Library, bench: Any, epsilon: float, network: Network | None = None) -> LibraryResult:
    pixels = torch.from_numpy(np.array(bench.test.images)).permute(0, 3, 1, 2).float() / 255
    classes = torch.from_numpy(bench.test.classes)
    return run_library(library, network or bench.network, bench.labels, pixels, classes, epsilon, seed=3)


@BY_NAME
@pytest.mark.parametrize("kind", ["category", "low-dim"])
def test_larger_balls_leave_fewer_images_and_the_smallest_leaves_them_as_they_are(
    digit_bench: MakeBench, library: Library, kind: str
) -> None:
    bench = digit_bench(kind, images=24)
    left = [
        int((attacked(library, bench, epsilon).predictions == bench.test.classes).sum()) for epsilon in (0.0, 0.2, 0.5)
    ]
    clean = bench.labels.nearest(bench.context.outputs()).numpy()
    assert left[0] == (clean == bench.test.classes).sum()
    assert left[0] > left[1] >= left[2]


@BY_NAME
def test_global_random_state_and_network_are_left_alone(digit_bench: MakeBench, library: Library) -> None:
    bench = digit_bench("category", images=6)
    before = global_random_state()
    network = copy.deepcopy(bench.network).requires_grad_(True).train()
    attacked(library, bench, 0.1, network)
    assert global_random_state() == before
    assert network.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())


@BY_NAME
def test_equal_seeds_find_the_same(digit_bench: MakeBench, library: Library) -> None:
    bench = digit_bench("category", images=10)
    first = attacked(library, bench, 0.1)
    torch.rand(7)
    np.testing.assert_array_equal(first.predictions, attacked(library, bench, 0.1).predictions)


@BY_NAME
def test_gradients_and_queries_are_counted(digit_bench: MakeBench, library: Library) -> None:
    bench = digit_bench("category", images=8)
    found = attacked(library, bench, 0.001)
    right = int((bench.labels.nearest(bench.context.outputs()).numpy() == bench.test.classes).sum())
    if library.name == "square":
        assert found.gradients == 0
        assert found.queries >= 30 * right
    elif library.name.startswith("apgd"):
        assert found.gradients == 4 * right
    else:
        assert found.gradients > 2 * 4 * right


class Failing(nn.Module):
    """A backbone that fails after some calls."""

    def __init__(self, backbone: nn.Module, calls: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.num_features: int = backbone.num_features  # type: ignore[assignment]
        self.calls = calls

    def forward(self, images: Tensor) -> Tensor:
        self.calls -= 1
        if self.calls < 0:
            raise RuntimeError("out of memory")
        features: Tensor = self.backbone(images)
        return features


@BY_NAME
def test_an_exception_leaves_no_trace_and_the_next_attack_runs(digit_bench: MakeBench, library: Library) -> None:
    bench = digit_bench("category", images=8)
    network = copy.deepcopy(bench.network).requires_grad_(True).train()
    network.backbone = Failing(network.backbone, calls=3)
    before = global_random_state()
    with pytest.raises(RuntimeError, match="out of memory"):
        attacked(library, bench, 0.1, network)
    assert global_random_state() == before
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert len(attacked(library, bench, 0.1).predictions) == 8


def test_a_wrapped_classifier_ranks_classes_as_the_decoder_does(digit_bench: MakeBench) -> None:
    bench = digit_bench("low-dim", images=30)
    classifier = Classifier(bench.network, bench.labels).eval()
    pixels = torch.from_numpy(np.array(bench.test.images)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        logits = classifier(pixels)
    assert logits.shape == (30, 10)
    assert torch.equal(logits.argmax(dim=1), bench.labels.nearest(bench.context.outputs()))
    assert (classifier.gradients, classifier.queries) == (0, 30)


def usable(classes: int) -> list[str]:
    return [library.name for library in ALL if not why_not(library, classes)]


def test_losses_that_need_more_classes_are_not_used() -> None:
    assert usable(2) == ["apgd-ce", "square"]
    assert usable(3) == ["apgd-ce", "apgd-dlr", "square"]
    assert usable(4) == [library.name for library in ALL]
    assert why_not(Library("apgd-dlr", 3, 10), 2) == "needs 3 classes"


def test_autoattack_that_cannot_be_imported_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    require_autoattack()
    for name in [name for name in sys.modules if name.partition(".")[0] == "autoattack"]:
        del sys.modules[name]
    monkeypatch.delattr(sys.modules["torch.autograd.gradcheck"], "zero_gradients")
    with pytest.raises(Unavailable, match=r"zero_gradients.*; install it, or leave ',autoattack' out"):
        require_autoattack()


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_labels_of_few_classes_can_be_attacked(digit_bench: MakeBench, classes: int) -> None:
    bench = digit_bench("category", images=10)
    labels = LabelSet(np.eye(10)[:classes, :10])
    pixels = torch.from_numpy(np.array(bench.test.images)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        read = labels.nearest(bench.network(pixels))
    for library in ALL:
        if not why_not(library, classes):
            found = run_library(library, bench.network, labels, pixels, read, 0.0, seed=0)
            np.testing.assert_array_equal(found.predictions, read.numpy())
