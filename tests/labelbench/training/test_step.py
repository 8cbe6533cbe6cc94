"""One step of training in every precision, and how often networks are compiled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from labelbench.labels import LabelSet
from labelbench.machine.hardware import cpp_compiler
from labelbench.networks import Network
from labelbench.optimizers import SGD
from labelbench.runs import Numerics
from labelbench.training import step as step_module
from labelbench.training.optimizers import Optimizers
from labelbench.training.step import TrainingStep

BATCH = 8
EXACT, FAST = Numerics(), Numerics(mode="fast", precision="bfloat16")
SCALED = Numerics(mode="fast", precision="float16")
COMPILED = Numerics(mode="fast", precision="bfloat16", compiled=True)


class Tiny(nn.Module):
    """One convolution with batch norm."""

    num_features = 16

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 16, 3, stride=4), nn.BatchNorm2d(16), nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images).mean(dim=(2, 3))
        return features


def labels_of(seed: int, *shape: int) -> LabelSet:
    return LabelSet(np.random.RandomState(seed).uniform(0, 80, (4, *(shape or (16, 16)))))


def batch(count: int = BATCH) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(count, 3, 16, 16, generator=generator).contiguous(memory_format=torch.channels_last)
    return pixels, torch.arange(count) % 4


def made(numerics: Numerics, labels: LabelSet) -> tuple[Network, TrainingStep]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(Tiny(), labels.shape, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizers = Optimizers(network, SGD(weight_decay=0.0), torch.tensor(0.05, dtype=torch.float64))
    return network, TrainingStep(network, labels, optimizers, numerics, BATCH)


def losses(numerics: Numerics, labels: LabelSet, steps: int = 6) -> list[float]:
    _, step = made(numerics, labels)
    return [float(step(*batch())) for _ in range(steps)]


def test_an_exact_step_is_the_textbook_s() -> None:
    labels = labels_of(0)
    network, step = made(EXACT, labels)
    twin, _ = made(EXACT, labels)
    pixels, classes = batch()
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.05, momentum=0.9, fused=True)
    for _ in range(3):
        optimizer.zero_grad()
        loss = labels.loss_of(twin(pixels), classes).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        assert torch.equal(step(pixels, classes), loss.detach())
    for ours, theirs in zip(network.state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("numerics", [FAST, SCALED], ids=lambda numerics: numerics.precision)
def test_lower_precision_goes_the_way_of_float32(numerics: Numerics) -> None:
    labels = labels_of(0)
    exact, fast = losses(EXACT, labels), losses(numerics, labels)
    assert exact[-1] < exact[0] and exact != fast
    np.testing.assert_allclose(fast, exact, rtol=0.02)


def test_a_step_whose_float16_gradients_overflow_is_left_out() -> None:
    network, step = made(SCALED, labels_of(0))
    step.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    before = [parameter.clone() for parameter in network.parameters()]
    assert step(*batch()).isfinite()
    assert all(map(torch.equal, network.parameters(), before))
    assert step.scaler.get_scale() == 2.0**39


def test_weights_and_losses_stay_in_float32() -> None:
    network, step = made(FAST, labels_of(0))
    assert step(*batch()).dtype == torch.float32
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_the_loss_is_no_longer_part_of_a_graph() -> None:
    _, step = made(EXACT, labels_of(0))
    assert not step(*batch()).requires_grad


@pytest.mark.skipif(cpp_compiler() is None, reason="there is no C++ compiler here")
class TestCompiled:
    """Compilation is counted by the graphs that torch makes."""

    @pytest.fixture(autouse=True)
    def counted(self) -> Iterator[None]:
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        yield
        torch._dynamo.reset()

    @staticmethod
    def graphs() -> int:
        return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])

    @pytest.mark.filterwarnings("ignore")  # the compiler's own, about what this machine lacks
    def test_one_compilation_of_the_backbone_serves_all_labels(self) -> None:
        for seed in range(3):
            labels = labels_of(seed)
            np.testing.assert_allclose(losses(COMPILED, labels), losses(FAST, labels), rtol=0.02)
        losses(COMPILED, labels_of(0, 5))
        assert self.graphs() == 1

    @pytest.mark.filterwarnings("ignore")
    def test_a_batch_that_is_not_full_is_not_compiled(self) -> None:
        _, step = made(COMPILED, labels_of(0))
        assert np.isfinite(float(step(*batch(5))))
        assert self.graphs() == 0

    @pytest.mark.parametrize("fails", ["forward", "backward"])
    def test_what_cannot_be_compiled_goes_on_as_it_is(self, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
        class Refuses(torch.autograd.Function):
            @staticmethod
            def forward(context: object, features: Tensor) -> Tensor:
                return features.clone()

            @staticmethod
            def backward(context: object, gradient: Tensor) -> Tensor:
                raise AssertionError("expected size 64==64, stride 16==1")

        def compiled(network: Network, pixels: Tensor) -> Tensor:
            features = network.features(pixels)
            if fails == "forward":
                raise RuntimeError("no compiler")
            refused: Tensor = Refuses.apply(features)
            return refused

        monkeypatch.setattr(step_module, "compiled_features", lambda: compiled)
        plain, step = made(FAST, labels_of(0))
        expected = [float(step(*batch())) for _ in range(3)]
        network, step = made(COMPILED, labels_of(0))
        assert [float(step(*batch())) for _ in range(3)] == expected
        assert not step.compiled and step.why_not
        for ours, theirs in zip(network.state_dict().values(), plain.state_dict().values(), strict=True):
            assert torch.equal(ours, theirs)
