"""The head's shape follows the label's, and the network is normalisation, backbone and head in a row."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from labelbench.errors import PluginError
from labelbench.networks import LabelHead, Network, _from_one_pixel

VECTORS = [(10,), (50,)]
MATRICES = [(48, 48), (64, 64), (128, 128)]
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


class ChannelMeans(nn.Module):
    """The smallest backbone: three features, with a batch norm that tells training from evaluation."""

    num_features = 3

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.norm(images).mean(dim=(2, 3))


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("num_features", [64, 512])
@pytest.mark.parametrize("shape", VECTORS + MATRICES, ids=str)
def test_outputs_have_the_shape_of_the_label(shape: tuple[int, ...], num_features: int) -> None:
    outputs = LabelHead(num_features, shape)(torch.randn(3, num_features))
    assert outputs.shape == (3, *shape)
    assert outputs.dtype == torch.float32


@pytest.mark.parametrize("shape", VECTORS + MATRICES, ids=str)
def test_a_batch_of_one_gives_an_output_in_eval_mode(shape: tuple[int, ...]) -> None:
    assert LabelHead(64, shape).eval()(torch.randn(1, 64)).shape == (1, *shape)


@given(length=st.integers(1, 300), num_features=st.integers(1, 100))
@settings(max_examples=20, deadline=None)
def test_a_vector_label_gets_one_linear_layer(length: int, num_features: int) -> None:
    head = LabelHead(num_features, (length,))
    assert head(torch.zeros(2, num_features)).shape == (2, length)
    assert parameters(head) == num_features * length + length


@pytest.mark.parametrize("shape", MATRICES, ids=str)
def test_a_matrix_label_gets_the_transposed_convolutions_of_the_paper(shape: tuple[int, ...]) -> None:
    """Kernel, stride and padding as in the protocol: (64,k,1,0) (32,4,2,1) (16,4,2,1) (8,4,2,1) (1,4,2,1)."""
    layers = [layer for layer in LabelHead(64, shape).modules() if isinstance(layer, nn.ConvTranspose2d)]
    found = [(layer.out_channels, layer.kernel_size[0], layer.stride[0], layer.padding[0]) for layer in layers]
    assert found == [(64, shape[0] // 16, 1, 0), (32, 4, 2, 1), (16, 4, 2, 1), (8, 4, 2, 1), (1, 4, 2, 1)]
    assert [layer.in_channels for layer in layers] == [64, 64, 32, 16, 8]
    assert all(layer.bias is not None for layer in layers)


@pytest.mark.parametrize(("side", "kernel"), [(48, 3), (64, 4), (128, 8)])
def test_the_first_kernel_is_a_sixteenth_of_the_side(side: int, kernel: int) -> None:
    first = next(layer for layer in LabelHead(64, (side, side)).modules() if isinstance(layer, nn.ConvTranspose2d))
    assert first.kernel_size == (kernel, kernel)


@pytest.mark.parametrize("num_features", [64, 512])
@pytest.mark.parametrize("shape", MATRICES, ids=str)
def test_a_matrix_head_has_the_parameters_of_the_official_one(shape: tuple[int, ...], num_features: int) -> None:
    channels = [64, 64, 32, 16, 8, 1]
    kernels = [shape[0] // 16, 4, 4, 4, 4]
    convolutions = sum(
        channels_in * channels_out * kernel**2 + channels_out
        for (channels_in, channels_out), kernel in zip(itertools.pairwise(channels), kernels, strict=True)
    )
    norms = 2 * (num_features + 64 + 32 + 16 + 8)
    assert parameters(LabelHead(num_features, shape)) == norms + num_features * 64 + 64 + convolutions


def test_every_norm_is_followed_by_a_leaky_relu_of_the_default_slope() -> None:
    layers = list(LabelHead(64, (64, 64)).layers.children())
    followers = [
        after for layer, after in itertools.pairwise(layers) if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
    ]
    assert len(followers) == 5
    assert all(isinstance(layer, nn.LeakyReLU) and layer.negative_slope == 0.01 for layer in followers)
    assert isinstance(layers[-1], nn.ConvTranspose2d)  # outputs are not bounded by an activation


@pytest.mark.parametrize("shape", [(10,), (48, 48)], ids=str)
def test_every_parameter_of_the_head_gets_a_gradient(shape: tuple[int, ...]) -> None:
    head = LabelHead(8, shape)
    outputs = head(torch.randn(4, 8))
    (outputs * torch.randn_like(outputs)).sum().backward()
    # A bias before a batch norm has a gradient of zero by construction: what counts is that it has one.
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in head.parameters())


def test_normalise_makes_units_of_standard_deviations_from_pixels() -> None:
    network = Network(ChannelMeans(), (10,), MEAN, STD)
    mean = torch.tensor(MEAN).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    std = torch.tensor(STD).view(1, 3, 1, 1)
    assert torch.equal(network.normalise(mean), torch.zeros(2, 3, 4, 4))
    torch.testing.assert_close(network.normalise(mean + 2 * std), torch.full((2, 3, 4, 4), 2.0))


@pytest.mark.parametrize("shape", [(10,), (64, 64)], ids=str)
def test_forward_is_normalise_then_forward_normalised(shape: tuple[int, ...]) -> None:
    network = Network(ChannelMeans(), shape, MEAN, STD).eval()
    pixels = torch.rand(3, 3, 8, 8)
    assert torch.equal(network(pixels), network.forward_normalised(network.normalise(pixels)))


def test_features_are_what_the_head_sees() -> None:
    network = Network(ChannelMeans(), (64, 64), MEAN, STD).eval()
    pixels = torch.rand(3, 3, 8, 8)
    assert network.features(pixels).shape == (3, 3)
    assert torch.equal(network(pixels), network.head(network.features(pixels)))


def test_the_normalisation_is_stored_with_the_weights_and_is_not_trained() -> None:
    network = Network(ChannelMeans(), (10,), MEAN, STD)
    assert {"mean", "std"} <= network.state_dict().keys()
    assert not {"mean", "std"} & {name for name, _ in network.named_parameters()}
    copy = Network(ChannelMeans(), (10,), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    copy.load_state_dict(network.state_dict())
    pixels = torch.rand(2, 3, 8, 8)
    assert torch.equal(copy.eval()(pixels), network.eval()(pixels))


@pytest.mark.parametrize("num_features", [None, 0, -1, 64.0, "64"])
def test_a_backbone_that_does_not_say_its_number_of_features_is_refused(num_features: object) -> None:
    backbone = nn.Flatten()
    if num_features is not None:
        backbone.num_features = num_features  # type: ignore[assignment]
    with pytest.raises(PluginError, match=rf"num_features = {num_features!r}; expected the length"):
        Network(backbone, (10,), MEAN, STD)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_a_transposed_convolution_of_one_pixel_is_a_matrix_product(memory: torch.memory_format) -> None:
    layer = torch.nn.ConvTranspose2d(6, 5, 3).to(memory_format=memory)  # type: ignore[call-overload]
    images = torch.randn(4, 6, 1, 1)
    product = _from_one_pixel(layer, images)
    torch.testing.assert_close(product, layer(images))
    assert product.is_contiguous(memory_format=torch.channels_last)
