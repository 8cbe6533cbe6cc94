"""The paper's encoders have the published sizes, layers and initial weights."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from labelbench import InputError
from labelbench_backbones import paper

BACKBONES = paper.register_backbones()
NUM_FEATURES = {"vgg19": 512, "resnet8": 64, "resnet32": 64, "resnet110": 64}
DEPTHS = {"resnet8": 8, "resnet32": 32, "resnet110": 110}


def build(name: str, size: tuple[int, int] = (32, 32)) -> nn.Module:
    return BACKBONES[name](size)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]


def test_the_hook_module_loads_no_torch() -> None:
    code = "import sys, labelbench_backbones.paper as p; p.register_backbones(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_three_encoders_of_the_paper_and_a_small_one_are_registered() -> None:
    assert BACKBONES.keys() == NUM_FEATURES.keys()


@pytest.mark.parametrize("name", NUM_FEATURES)
def test_each_says_in_one_line_what_it_is(name: str) -> None:
    summary, *_ = (BACKBONES[name].__doc__ or "").splitlines()
    assert name.removeprefix("resnet").removeprefix("vgg") in summary
    assert f"{NUM_FEATURES[name]} features" in summary
    assert isinstance(build(name).description, str)


@pytest.mark.parametrize("name", NUM_FEATURES)
def test_images_become_features(name: str) -> None:
    backbone = build(name)
    features = backbone(torch.randn(2, 3, 32, 32))
    assert backbone.num_features == NUM_FEATURES[name]
    assert features.shape == (2, NUM_FEATURES[name])
    assert features.dtype == torch.float32


@pytest.mark.parametrize("size", [(32, 32), (48, 40), (64, 64)], ids=str)
@pytest.mark.parametrize("name", ["vgg19", "resnet8"])
def test_a_batch_of_one_of_any_usual_size_works_in_eval_mode(name: str, size: tuple[int, int]) -> None:
    backbone = build(name, size).eval()
    with torch.no_grad():
        assert backbone(torch.randn(1, 3, *size)).shape == (1, NUM_FEATURES[name])


@pytest.mark.parametrize("size", [(31, 32), (32, 16), (8, 8)], ids=str)
def test_vgg19_refuses_images_that_five_halvings_would_leave_nothing_of(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"'vgg19' needs images of 32x32 or more, got {size[0]}x{size[1]}"):
        build("vgg19", size)


@pytest.mark.parametrize("name", ["vgg19", "resnet8", "resnet32"])
def test_every_parameter_gets_a_gradient(name: str) -> None:
    backbone = build(name)
    features = backbone(torch.randn(4, 3, 32, 32))
    (features * torch.randn_like(features)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in backbone.parameters())
    # A bias before a batch norm cannot change anything; every other parameter does.
    weights = [layer.weight for layer in backbone.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    assert all(weight.grad is not None and weight.grad.any() for weight in weights)


@pytest.mark.parametrize("name", ["vgg19", "resnet32"])
def test_equal_seeds_of_the_global_generator_give_equal_weights(name: str) -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(build(name).state_dict())
    first, again, other = states
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(next(iter(first.values())), next(iter(other.values())))


@pytest.mark.parametrize("name", ["vgg19", "resnet32"])
def test_initial_weights_follow_he_with_fan_out(name: str) -> None:
    torch.manual_seed(0)
    backbone = build(name)
    for layer in convolutions(backbone):
        expected = math.sqrt(2 / (layer.kernel_size[0] ** 2 * layer.out_channels))
        # The standard error of a standard deviation of n normal numbers is sigma / sqrt(2 n); five of them.
        tolerance = 5 / math.sqrt(2 * layer.weight.numel())
        assert layer.weight.std().item() == pytest.approx(expected, rel=tolerance)
        assert layer.bias is None or not layer.bias.any()
    for norm in backbone.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert (norm.weight == 1).all() and not norm.bias.any()


@pytest.mark.parametrize(("name", "millions"), [("resnet32", 0.46), ("resnet110", 1.7)])
def test_resnets_have_the_published_number_of_parameters(name: str, millions: float) -> None:
    """He et al. 2016, table 6, whose shortcuts have no parameters and whose last layer is a classifier of ten."""
    shortcuts = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    classifier = 64 * 10 + 10
    published = parameters(build(name)) - shortcuts + classifier
    assert float(f"{published / 1e6:.2g}") == millions


@pytest.mark.parametrize("name", DEPTHS)
def test_resnets_have_the_parameters_of_their_layers(name: str) -> None:
    blocks = (DEPTHS[name] - 2) // 6
    expected = 3 * 16 * 9 + 2 * 16
    for stage, channels in enumerate((16, 32, 64)):
        expected += 2 * blocks * (channels * channels * 9 + 2 * channels)
        if stage:
            before = channels // 2
            expected += before * channels * 9 - channels * channels * 9  # the first convolution takes fewer channels
            expected += before * channels + 2 * channels  # the shortcut
    assert parameters(build(name)) == expected


@pytest.mark.parametrize("name", DEPTHS)
def test_resnets_have_the_layers_that_their_name_says(name: str) -> None:
    backbone = build(name)
    main = [layer for layer in convolutions(backbone) if layer.kernel_size == (3, 3)]
    shortcuts = [layer for layer in convolutions(backbone) if layer.kernel_size == (1, 1)]
    assert len(main) == DEPTHS[name] - 1  # the last layer is the head
    assert all(layer.bias is None for layer in main + shortcuts)
    assert [(layer.in_channels, layer.out_channels, layer.stride) for layer in shortcuts] == [
        (16, 32, (2, 2)),
        (32, 64, (2, 2)),
    ]
    assert [layer.out_channels for layer in main if layer.stride == (2, 2)] == [32, 64]


def test_resnet_features_of_small_images_are_those_of_an_8x8_average_pool() -> None:
    backbone = build("resnet8").eval()
    maps: list[torch.Tensor] = []
    pool = next(layer for layer in backbone.modules() if isinstance(layer, nn.AdaptiveAvgPool2d))
    pool.register_forward_pre_hook(lambda _, inputs: maps.append(inputs[0]))
    with torch.no_grad():
        features = backbone(torch.randn(2, 3, 32, 32))
    assert maps[0].shape == (2, 64, 8, 8)
    torch.testing.assert_close(features, nn.AvgPool2d(8)(maps[0]).flatten(1))


def test_a_basic_block_is_its_formula() -> None:
    from labelbench_backbones.resnet import BasicBlock

    block = BasicBlock(4, 8, stride=2).eval()
    images = torch.randn(2, 4, 6, 6)
    assert isinstance(block.residual, nn.Sequential) and isinstance(block.shortcut, nn.Sequential)
    first, norm1, _, second, norm2 = block.residual
    inner = norm2(second(norm1(first(images)).relu()))
    torch.testing.assert_close(block(images), (inner + block.shortcut(images)).relu())


def test_vgg19_has_the_published_number_of_parameters() -> None:
    """143,678,248 for VGG19 with batch norm and its classifier of a thousand classes (torchvision's table)."""
    classifier = sum(before * after + after for before, after in itertools.pairwise([512 * 49, 4096, 4096, 1000]))
    assert parameters(build("vgg19")) == 143_678_248 - classifier == 20_035_392


def test_vgg19_has_sixteen_convolutions_in_five_stages() -> None:
    backbone = build("vgg19")
    stages: list[list[int]] = [[]]
    for layer in backbone.modules():
        if isinstance(layer, nn.Conv2d):
            assert (layer.kernel_size, layer.padding, layer.stride) == ((3, 3), (1, 1), (1, 1))
            assert layer.bias is not None
            stages[-1].append(layer.out_channels)
        elif isinstance(layer, nn.MaxPool2d):
            stages.append([])
    assert stages == [[64] * 2, [128] * 2, [256] * 4, [512] * 4, [512] * 4, []]


def test_vgg19_ends_at_one_pixel_for_images_of_32() -> None:
    backbone = build("vgg19").eval()
    maps: list[torch.Tensor] = []
    pool = next(layer for layer in backbone.modules() if isinstance(layer, nn.AdaptiveAvgPool2d))
    pool.register_forward_pre_hook(lambda _, inputs: maps.append(inputs[0]))
    with torch.no_grad():
        features = backbone(torch.randn(2, 3, 32, 32))
    assert torch.equal(features, maps[0].flatten(1))
