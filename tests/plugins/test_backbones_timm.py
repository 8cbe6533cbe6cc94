"""timm models become backbones whose input fits the images, drawn or published weights as the user wrote."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from labelbench import Images, InputError, LabelSet, MachineError, RunSpec, Split, UnknownName, current_settings
from labelbench.plugins.lookup import backbone, check
from labelbench.results.store import Results
from labelbench.running.planning import plan
from labelbench.runs import Numerics
from labelbench.settings import use_settings
from labelbench.suite import Suite
from labelbench.training.start import initial_network

# name -> features; timm says 512 for vgg11_bn in `num_features`, of which its head makes 4096.
MODELS = {"resnet18": 512, "mobilenetv3_small_100": 1024, "vit_tiny_patch16_224": 192}
# The models named test_* are timm's own for tests: a few hundred thousand weights.


SPLIT = Split(np.zeros((2, 32, 32, 3), np.uint8), np.arange(2))
IMAGES = Images(SPLIT, SPLIT, "", (0.1, 0.2, 0.3), (0.2,) * 3, "made up")


def build(argument: str, size: tuple[int, int] = (32, 32)) -> nn.Module:
    return backbone(f"timm:{argument}", size)


def states_equal(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_the_hook_module_loads_neither_torch_nor_timm() -> None:
    code = (
        "import sys, labelbench_backbones.timm_models as t; t.Timm().check((32, 32), 'resnet18'); "
        "sys.exit(bool({'torch', 'timm'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# What the user writes


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("", "backbone timm needs its name: timm:NAME[,pretrained,size=N]"),
        ("resnet18,", "'' is no key=value"),
        ("resnet18,pretrain", "did you mean pretrained?"),
        ("resnet18,pretrained=maybe", "pretrained is 'maybe'; expected yes or no"),
        ("resnet18,size", "'size' is no key=value"),
        ("resnet18,size=0", "size is '0'; expected a whole number from 1 to 9999"),
        ("resnet18,size=32x32", "size is '32x32'; expected"),
        ("resnet18,size=100000", "size is '100000'; expected"),
        ("resnet18,size=32,size=64", "size is given twice"),
    ],
)
def test_an_argument_of_another_form_is_refused_with_the_right_one(argument: str, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        build(argument)
    assert problem in str(refused.value)


def test_a_name_that_timm_does_not_have_is_refused_when_a_suite_is_planned(tmp_path: Path) -> None:
    suite = Suite("test", ("digits",), ("category",), ("timm:resnet19",), ("accuracy",))
    with pytest.raises(InputError, match="unknown timm model 'resnet19'; did you mean resnet18"):
        plan(suite, Numerics(), Results(tmp_path))


@pytest.mark.parametrize(
    ("argument", "near"),
    [
        ("resnett18", "resnet18"),
        ("resnet18.a1_in1kk", "resnet18.a1_in1k"),
        ("hf-hub:timm/resnet18", "see timm.list_models()"),
    ],
)
def test_a_name_that_timm_does_not_have_is_refused_with_near_matches(argument: str, near: str) -> None:
    for use in (build, lambda argument: check("backbone", f"timm:{argument}", (32, 32))):
        with pytest.raises(UnknownName, match="unknown timm model") as refused:
            use(argument)
        assert near in str(refused.value)


def test_a_name_unlike_any_is_answered_with_a_few_and_not_with_a_thousand() -> None:
    with pytest.raises(UnknownName, match=r"known: .*resnet18.*see timm.list_models\(\)") as refused:
        build("zzzzqqq")
    assert len(str(refused.value)) < 300


# The module that comes back


@pytest.mark.parametrize(("name", "num_features"), MODELS.items())
def test_images_become_features_and_every_weight_gets_a_gradient(name: str, num_features: int) -> None:
    backbone = build(name)
    features = backbone(torch.randn(2, 3, 32, 32))
    assert backbone.num_features == num_features
    assert features.shape == (2, num_features)
    assert features.dtype == torch.float32
    features.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in backbone.parameters())


def test_vgg_gives_the_features_of_its_fully_connected_layers() -> None:
    backbone = build("vgg11_bn").eval()
    with torch.no_grad():
        assert backbone(torch.randn(1, 3, 32, 32)).shape == (1, 4096)
    assert backbone.num_features == 4096


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_of_one_in_eval_mode_gives_what_it_gives_among_others(name: str) -> None:
    backbone = build(name).eval()
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images[:1]), backbone(images)[:1], rtol=1e-4, atol=1e-4)


def test_a_backbone_comes_in_training_mode_with_untouched_batch_norm() -> None:
    backbone = build("resnet18")
    assert backbone.training and all(module.training for module in backbone.modules())
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    for norm in norms:
        assert norm.num_batches_tracked == 0
        assert not norm.running_mean.any() and (norm.running_var == 1).all()


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "inception_v3"])
def test_weights_are_those_that_timm_draws_from_the_global_generator(name: str) -> None:
    """However many input sizes were tried: weights, and the state the generator is left in."""
    torch.manual_seed(3)
    backbone = build(name)
    left = torch.get_rng_state()
    torch.manual_seed(3)
    options = {"img_size": 32} if "vit" in name else {}
    assert states_equal(backbone.model, timm.create_model(name, num_classes=0, **options))
    assert torch.equal(left, torch.get_rng_state())
    torch.manual_seed(4)
    assert not states_equal(backbone, build(name))


def test_building_touches_no_other_random_state() -> None:
    python, numpy = random.getstate(), np.random.get_state()
    build("test_vit")
    assert random.getstate() == python
    assert all(np.array_equal(now, then) for now, then in zip(np.random.get_state(), numpy, strict=True))


def test_weights_saved_from_one_build_work_in_the_next() -> None:
    backbone, copy = build("test_vit").eval(), build("test_vit").eval()
    copy.load_state_dict(backbone.state_dict())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(copy(images), backbone(images))


# Input sizes


@pytest.mark.parametrize(
    ("argument", "images", "worked_on"),
    [
        pytest.param("test_resnet", (32, 32), (32, 32), id="convolutions take any size"),
        pytest.param("test_resnet", (48, 32), (48, 32), id="also one that is not square"),
        pytest.param("test_resnet,size=64", (32, 32), (64, 64), id="the user asked a convolutional network"),
        pytest.param("test_vit", (32, 32), (32, 32), id="two by two patches of 16"),
        pytest.param("test_vit", (40, 40), (48, 48), id="rounded up to whole patches"),
        pytest.param("test_vit", (40, 64), (48, 64), id="each side by itself"),
        pytest.param("test_vit,size=64", (32, 32), (64, 64), id="the user asked a transformer"),
        pytest.param("eva02_tiny_patch14_224", (32, 32), (42, 42), id="three by three patches of 14"),
        pytest.param("swin_tiny_patch4_window7_224", (32, 32), (32, 32), id="windows shrink with the image"),
        pytest.param("inception_v3", (32, 32), (96, 96), id="the first multiple of 32 above the 75 it needs"),
    ],
)
def test_the_input_size_is_adapted_and_recorded(
    argument: str, images: tuple[int, int], worked_on: tuple[int, int]
) -> None:
    backbone = build(argument, images).eval()
    seen: list[tuple[int, ...]] = []
    backbone.model.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    with torch.no_grad():
        features = backbone(torch.randn(1, 3, *images))
    assert features.shape == (1, backbone.num_features)
    assert seen == [(1, 3, *worked_on)]
    assert backbone.input_size == worked_on
    assert f"input {worked_on[0]}x{worked_on[1]}" in backbone.description
    assert (f"images {images[0]}x{images[1]} resized" in backbone.description) == (images != worked_on)


def test_the_description_says_model_input_weights_and_version() -> None:
    assert build("test_vit").description == f"timm test_vit, input 32x32, not pretrained, timm {timm.__version__}"


@pytest.mark.parametrize("side", [16, 64])
def test_resizing_keeps_a_plain_image_plain(side: int) -> None:
    backbone = build(f"test_resnet,size={side}").eval()
    seen: list[torch.Tensor] = []
    backbone.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        backbone(torch.full((1, 3, 32, 32), 0.7))
    torch.testing.assert_close(seen[0], torch.full((1, 3, side, side), 0.7))


@pytest.mark.parametrize(
    ("argument", "reason"),
    [("test_vit,size=40", "40x40: no multiple of its patches of 16x16"), ("inception_v3,size=32", "32x32: ")],
)
def test_a_size_that_the_model_does_not_take_is_refused(argument: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"gives no features .*input {reason}.*size=224"):
        build(argument)


# Published weights


def test_offline_published_weights_are_refused_with_the_place_to_put_them() -> None:
    with pytest.raises(InputError) as refused:
        build("resnet18,pretrained")
    file = current_settings().cache_dir / "timm" / "resnet18.a1_in1k.safetensors"
    assert "'resnet18.a1_in1k' may not be fetched offline" in str(refused.value)
    assert f"place model.safetensors of timm/resnet18.a1_in1k on the Hugging Face Hub at {file}" in str(refused.value)


def test_a_model_without_published_weights_is_refused_with_the_name_to_write() -> None:
    without = next(name for name in timm.list_models() if not timm.is_model_pretrained(name))
    with pytest.raises(InputError, match=f"no published weights for '{without}'; write timm:{without} without"):
        build(f"{without},pretrained")


def test_a_failing_download_says_what_to_place_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # it then fails as without a network
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    online = replace(current_settings(), offline=False, cache_dir=tmp_path)
    with use_settings(online), pytest.raises(MachineError) as failed:
        build("test_resnet,pretrained")
    assert "could not be fetched" in str(failed.value)
    assert str(tmp_path / "timm" / "test_resnet.r160_in1k.safetensors") in str(failed.value)
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_weights_that_the_user_placed_are_read_also_offline(name: str, tmp_path: Path) -> None:
    published = timm.create_model(name)  # with its classifier, for its own input size, as the file on the hub
    (tmp_path / "timm").mkdir()
    save_file(published.state_dict(), tmp_path / "timm" / f"{name}.r160_in1k.safetensors")
    with use_settings(replace(current_settings(), cache_dir=tmp_path)):
        backbone = build(f"{name},pretrained")
        assert not states_equal(build(name), backbone)
    expected = dict(published.named_parameters())
    for key, loaded in backbone.model.named_parameters():
        if key == "pos_embed":
            assert loaded.shape != expected[key].shape  # interpolated by timm for the smaller input
        else:
            assert torch.equal(loaded, expected[key]), key
    assert f"pretrained {name}.r160_in1k" in backbone.description
    # As the file says; those of images are used where weights are drawn.
    config = timm.get_pretrained_cfg(name)
    assert config is not None
    assert backbone.normalisation == (config.mean, config.std) == ((0.5,) * 3, (0.5,) * 3)
    assert build(name).normalisation is None
    network = initial_network(RunSpec("x", "category", "x", 0), lambda: backbone, LabelSet(np.eye(3)), IMAGES)
    assert network.mean.flatten().tolist() == [0.5] * 3
    network = initial_network(RunSpec("x", "category", "x", 0), lambda: build(name), LabelSet(np.eye(3)), IMAGES)
    assert network.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize("content", ["another model", "no tensors", "no safetensors"])
def test_a_placed_file_that_holds_other_weights_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "timm" / "test_resnet.r160_in1k.safetensors"
    file.parent.mkdir()
    if content == "no safetensors":
        file.write_text("<html>not found</html>")
    else:
        other = timm.create_model("test_vit").state_dict() if content == "another model" else {}
        save_file(other, file)
    with use_settings(replace(current_settings(), cache_dir=tmp_path)), pytest.raises(InputError) as refused:
        build("test_resnet,pretrained")
    assert "test_resnet.r160_in1k" in str(refused.value)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)
