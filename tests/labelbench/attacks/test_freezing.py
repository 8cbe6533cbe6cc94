"""Frozen networks: no parameter gradients, the same bits, and nothing left behind."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from labelbench import frozen

FORMATS = (torch.channels_last, torch.contiguous_format)


def layers(channels: int, seed: int = 0, norm: type[nn.BatchNorm2d] = nn.BatchNorm2d) -> nn.Sequential:
    """A small network whose batch norms have seen images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = nn.Sequential(
            nn.Conv2d(3, channels, 3), norm(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, 5, 3), norm(5)
        )
        for part in made:
            if isinstance(part, nn.BatchNorm2d):
                nn.init.uniform_(part.weight, -2.0, 2.0)
                nn.init.normal_(part.bias)
        for _ in range(3):
            made(torch.rand(8, 3, 12, 12))
    return made


def output_and_gradient(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    images = images.detach().requires_grad_()
    output: Tensor = network(images)
    (gradient,) = torch.autograd.grad(output.sin().sum(), images)
    return output.detach(), gradient


def looked_at(network: nn.Module) -> dict[str, Callable[..., object]]:
    return {name: part.forward for name, part in network.named_modules()}


@settings(max_examples=25, deadline=None)
@given(
    channels=st.integers(1, 70),
    batch=st.integers(1, 9),
    height=st.integers(5, 13),
    width=st.integers(5, 13),
    form=st.sampled_from(FORMATS),
    seed=st.integers(0, 99),
)
def test_outputs_and_gradients_keep_their_bits(
    channels: int, batch: int, height: int, width: int, form: torch.memory_format, seed: int
) -> None:
    network = layers(channels, seed).eval().requires_grad_(False).to(memory_format=form)
    images = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))
    images = images.to(memory_format=form)
    plain = output_and_gradient(network, images)
    with frozen(network):
        found = output_and_gradient(network, images)
    assert all(torch.equal(*pair) for pair in zip(plain, found, strict=True))


def test_the_gradient_of_a_norm_is_no_sum_over_images() -> None:
    network, images = layers(4), torch.rand(2, 3, 8, 8)

    def operations() -> set[str]:
        with torch.profiler.profile() as profiler:
            output_and_gradient(network, images)
        return {event.key for event in profiler.key_averages()}

    with frozen(network):
        assert "aten::native_batch_norm_backward" not in operations()
    assert "aten::native_batch_norm_backward" in operations()


@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_put_back(fails: bool) -> None:
    network = layers(4)
    network[1].eval()
    network[3].weight.requires_grad_(False)
    before = looked_at(network)
    modes = [part.training for part in network.modules()]
    wanted = [parameter.requires_grad for parameter in network.parameters()]
    try:
        # An attack may take gradients from the network that it attacks.
        with frozen(network), frozen(network):
            assert not any(part.training for part in network.modules())
            assert not any(parameter.requires_grad for parameter in network.parameters())
            if fails:
                raise OSError
    except OSError:
        pass
    assert looked_at(network) == before
    assert [part.training for part in network.modules()] == modes
    assert [parameter.requires_grad for parameter in network.parameters()] == wanted


def test_a_copy_made_meanwhile_can_be_trained() -> None:
    network, images = layers(4), torch.rand(8, 3, 12, 12)
    with frozen(network):
        made = copy.deepcopy(network)
    expected = copy.deepcopy(network)
    for trained in (made, expected):
        trained.requires_grad_(True).train()
        trained(images).sin().sum().backward()
    for found, wanted in zip(made.parameters(), expected.parameters(), strict=True):
        assert found.grad is not None and wanted.grad is not None
        assert torch.equal(found.grad, wanted.grad)


class Doubled(nn.BatchNorm2d):
    def forward(self, images: Tensor) -> Tensor:
        return 2 * super().forward(images)


def test_a_norm_with_a_forward_pass_of_its_own_keeps_it() -> None:
    network, images = layers(4, norm=Doubled).eval(), torch.rand(2, 3, 8, 8)
    plain = output_and_gradient(network, images)
    with frozen(network):
        found = output_and_gradient(network, images)
    assert all(torch.equal(*pair) for pair in zip(plain, found, strict=True))
