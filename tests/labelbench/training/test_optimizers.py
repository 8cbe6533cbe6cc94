"""Optimisers: who updates what, at which rate, and that Muon's matrices are the kernels themselves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench.optimizers import SGD, Muon
from labelbench.runs import Numerics
from labelbench.training.optimizers import Optimizers
from labelbench.training.step import TrainingStep

GRADIENT_DESCENT = SGD(0.2, weight_decay=0.0)
MUON = Muon(0.2, weight_decay=0.0, kernel_learning_rate=0.05)
LABELS = LabelSet(torch.eye(4).numpy(), loss="cross-entropy")


class Backbone(nn.Module):
    """Kernels of every shape: 3x3, 1x1 and depthwise."""

    num_features = 8

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=8), nn.ReLU(), nn.Conv2d(8, 8, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images).mean(dim=(2, 3))
        return features


def made(settings: SGD, rate: float | None = None) -> tuple[Network, Optimizers, TrainingStep]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(Backbone(), LABELS.shape, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    tensor = torch.tensor(rate or settings.learning_rate, dtype=torch.float64)
    optimizers = Optimizers(network, settings, tensor)
    return network, optimizers, TrainingStep(network, LABELS, optimizers, Numerics(), 16)


def batch() -> tuple[Tensor, Tensor]:
    pixels = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return pixels.contiguous(memory_format=torch.channels_last), torch.arange(16) % 4


def changes(settings: SGD, rate: float) -> dict[str, Tensor]:
    """What one step adds to each weight."""
    network, _, step = made(settings, rate)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    step(*batch())
    return {name: parameter.detach() - before[name] for name, parameter in network.named_parameters()}


def test_without_muon_everything_follows_its_gradient() -> None:
    _, optimizers, _ = made(SGD())
    assert [type(optimizer) for optimizer in optimizers] == [torch.optim.SGD]


def test_muon_moves_kernels_by_orthogonal_matrices_and_nothing_else() -> None:
    gradient_descent, muon = changes(GRADIENT_DESCENT, 0.2), changes(MUON, 0.2)
    for name, change in muon.items():
        if change.ndim == 4:
            singular = torch.linalg.svdvals(change.flatten(1)) / 0.05
            # Newton-Schulz in five steps brings singular values to about 0.7 to 1.2.
            tall = max(1.0, change.shape[0] / change[0].numel()) ** 0.5
            assert 0.5 < float(singular.max()) / tall < 1.5, name
        else:
            assert torch.equal(change, gradient_descent[name]), name


def test_rates_keep_their_ratio() -> None:
    full, half = changes(MUON, 0.2), changes(MUON, 0.1)
    for name, change in full.items():
        torch.testing.assert_close(half[name], change / 2, rtol=1e-3, atol=1e-7)


def test_a_kernel_that_is_not_trained_is_left_alone() -> None:
    network = Network(Backbone(), LABELS.shape, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    kernel = next(network.parameters()).requires_grad_(False)
    before = kernel.clone()
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizers = Optimizers(network, MUON, torch.tensor(0.2, dtype=torch.float64))
    TrainingStep(network, LABELS, optimizers, Numerics(), 16)(*batch())
    assert torch.equal(kernel, before)


def test_a_network_learns() -> None:
    _, _, step = made(MUON)
    losses = [float(step(*batch())) for _ in range(30)]
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("settings", [SGD(0.2), MUON], ids=["sgd", "muon"])
def test_the_state_can_be_kept_and_taken_up_again(settings: SGD) -> None:
    network, kept, step = made(settings)
    for _ in range(3):
        step(*batch())
    twin, resumed, continued = made(settings)
    twin.load_state_dict(network.state_dict())
    resumed.resume({name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in kept.state.items()})
    for take in (step, continued):
        take(*batch())
    for ours, theirs in zip(network.state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
