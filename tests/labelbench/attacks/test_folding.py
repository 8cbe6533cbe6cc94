"""Folded copies: the same outputs from fewer layers, and the original left alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from labelbench.attacks.folding import folded
from labelbench.networks import Network

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Block(nn.Module):
    """A residual block, its first normalised output read twice."""

    num_features = 8

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.first = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.after = nn.BatchNorm2d(8)

    def forward(self, images: Tensor) -> Tensor:
        stem = self.stem(images)
        found: Tensor = self.norm(self.first(stem)) + self.after(stem)
        return found.mean((2, 3))


class ReadTwice(Block):
    """The convolution's own output is used beside the normalised one: folding would change it."""

    def forward(self, images: Tensor) -> Tensor:
        before = self.first(self.stem(images))
        found: Tensor = self.norm(before) + before
        return found.mean((2, 3))


class Untraceable(Block):
    def forward(self, images: Tensor) -> Tensor:
        features = super().forward(images)
        return features if float(features.detach().sum()) < 1e9 else -features


def trained(backbone: nn.Module, shape: Sequence[int]) -> Network:
    """A network whose batch norms have seen images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(backbone, shape, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
        for module in network.modules():
            # The backbone was made before the seed was set.
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.reset_parameters()
            if isinstance(module, NORMS):
                nn.init.uniform_(module.weight, 0.5, 2.0)
                nn.init.normal_(module.bias)
        for _ in range(20):
            network(torch.rand(16, 3, 12, 12))
    return network.eval()


def norms_in(module: nn.Module) -> int:
    return sum(isinstance(part, NORMS) for part in module.modules())


IMAGES = torch.rand(5, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", [(7,), (16, 16), (48, 48)])
@pytest.mark.parametrize("make", [Block, ReadTwice, Untraceable])
def test_a_folded_copy_gives_the_same_outputs_and_gradients(make: type[Block], shape: tuple[int, ...]) -> None:
    network = trained(make(), shape)
    copy = folded(network)
    gradients = []
    for made in (network, copy):
        images = IMAGES.clone().requires_grad_()
        gradients.append(torch.autograd.grad(made(images).square().sum(), images)[0])
    torch.testing.assert_close(copy(IMAGES), network(IMAGES), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-4)


def test_only_norms_right_behind_a_convolution_that_nothing_else_reads_are_folded() -> None:
    assert norms_in(folded(trained(Block(), (7,)))) == 1
    assert norms_in(folded(trained(ReadTwice(), (7,)))) == 1
    assert norms_in(folded(trained(Untraceable(), (7,)))) == 3
    # The first norm of the head for matrices follows no convolution.
    assert norms_in(folded(trained(Block(), (16, 16))).head) == 1


class Transposed(nn.Module):
    """Transposed convolutions, of which only the first doubles height and width as those of the head do."""

    num_features = 8

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(3, 5, 4, 2, 1, bias=False),
            nn.ConvTranspose2d(5, 6, 4, 2, 1, output_padding=1),
            nn.ConvTranspose2d(6, 6, 4, 2, 1, groups=2),
            nn.ConvTranspose2d(6, 8, 3, 1, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.layers(images)
        return found[:, :, 3:9, 2:11].mean((2, 3))


@pytest.mark.parametrize(("make", "shape", "left"), [(Transposed, (7,), 3), (Block, (48, 48), 1)])
def test_transposed_convolutions_that_double_a_size_become_ordinary_ones(
    make: type[nn.Module], shape: tuple[int, ...], left: int
) -> None:
    network = trained(make(), shape)
    copy = folded(network)
    assert sum(isinstance(part, nn.ConvTranspose2d) for part in copy.modules()) == left
    # A few pixels of the last layer, so that one of them in the wrong place would show.
    images = IMAGES.clone().requires_grad_()
    for made in (network, copy):
        outputs = made(images)
        part = outputs[:, ::3] if outputs.dim() == 2 else outputs[:, 1::3, ::5]
        (gradient,) = torch.autograd.grad(part.square().sum(), images)
        if made is network:
            wanted = outputs, gradient
    torch.testing.assert_close(outputs, wanted[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradient, wanted[1], rtol=1e-3, atol=1e-4)


def test_the_network_itself_is_left_as_it_is() -> None:
    network = trained(Block(), (16, 16)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    copy = folded(network)
    assert network.training and not copy.training
    assert norms_in(network) == 8
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not any(parameter.requires_grad for parameter in copy.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("make", [Block, Untraceable])
def test_a_copy_in_bfloat16_computes_in_it_from_images_in_float32(make: type[Block]) -> None:
    network = trained(make(), (16, 16))
    copy = folded(network, "bfloat16")
    assert {parameter.dtype for parameter in copy.parameters()} == {torch.bfloat16}
    outputs = copy(IMAGES)
    assert outputs.dtype == torch.bfloat16
    wanted = network(IMAGES)
    assert (outputs.float() - wanted).abs().mean() < 0.05 * wanted.abs().mean()
