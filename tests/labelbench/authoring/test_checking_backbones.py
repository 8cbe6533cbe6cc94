"""Checks of backbones: built-in ones pass, and every promise that is broken is told in a sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from textwrap import indent

import pytest

from labelbench.errors import InputError
from labelbench.testing import assert_fine, check_backbone

Command = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN = """
import labelbench

class Counter:
    calls = 0

def build(size):
    import numpy, torch
    from torch import nn
    from torch.nn import functional
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    layers.num_features = 8
    class Changed(nn.Module):
        num_features = 8
        def __init__(self):
            super().__init__()
            self.layers = layers
            self.prepare()
        def prepare(self):
            pass
        def forward(self, images):
            return self.layers(images)
{body}

@labelbench.hookimpl
def register_backbones():
    return {{"mine": build}}
"""
FORWARD = "Changed.forward = lambda self, images: {}\nreturn Changed()"
BAD = {
    "no length": ("layers.num_features = None\nreturn layers", ["features", "num_features is None", "the head is"]),
    "another length": (
        "layers.num_features = 9\nreturn layers",
        ["features", "images (4, 3, 32, 32) gave (4, 8) torch.float32, num_features is 9"],
    ),
    "maps": ("del layers[4], layers[3]\nreturn layers", ["features", "gave (4, 8, 30, 30) torch.float32"]),
    "raising": (FORWARD.format("self.layers(images[:, 0])"), ["features", "raised RuntimeError", "expected (batch"]),
    "unused": (
        "Changed.prepare = lambda self: setattr(self, 'unused', nn.Linear(2, 2))\nreturn Changed()",
        ["gradient", "2 weights, unused.weight first, have none", "freeze it"],
    ),
    "detached": (
        FORWARD.format("self.layers(images).detach()"),
        ["gradient", "the features have none", "nothing trains"],
    ),
    "noisy": (
        FORWARD.format("functional.dropout(self.layers(images), 0.5, training=True)"),
        ["eval mode", "the same images gave other features", "no accuracy can be repeated"],
    ),
    "looks across": (
        FORWARD.format("self.layers(images) - self.layers(images).mean(dim=0)"),
        ["eval mode", "an image alone has other features than among others", "obey eval()"],
    ),
    "not alone": (
        "layers[1] = nn.BatchNorm2d(8, track_running_stats=False)\nlayers.insert(0, nn.AdaptiveAvgPool2d(3))\n"
        "return layers",
        ["eval mode", "one image alone raised ValueError", "attacks look at single images"],
    ),
    "touches": ("numpy.random.rand()\nreturn layers", ["global state", "numpy.random changed"]),
    "shared": (
        "Counter.made = getattr(Counter, 'made', layers)\nreturn Counter.made",
        ["weights", "two builds share weights", "one training changes another"],
    ),
    "own dice": (
        "layers[0].weight.data = torch.from_numpy(numpy.random.default_rng().random((8, 3, 3, 3), numpy.float32))\n"
        "return layers",
        ["weights", "equal states of torch's global generator gave other weights"],
    ),
    "hidden": (
        "Changed.prepare = lambda self: setattr(self, 'hidden', [torch.randn(8)])\n"
        + FORWARD.format("self.layers(images) + self.hidden[0]"),
        ["save and load", "another build with the saved weights gives other features", "parameters or buffers"],
    ),
    "no module": (
        "return lambda images: images",
        ["contract", "'mine' (mine 1.0) returned function; expected torch.nn"],
    ),
}


@pytest.mark.parametrize(
    "name",
    ["resnet8", "resnet32", "resnet110", "vgg19", "timm:resnet18", "timm:mobilenetv3_small_100",
     "timm:vit_tiny_patch16_224"],
)  # fmt: skip
def test_a_built_in_backbone_keeps_its_promises(name: str) -> None:
    assert_fine(check_backbone(name))


def test_what_the_user_must_write_is_an_error_and_no_finding() -> None:
    with pytest.raises(InputError, match=r"timm needs its name: timm:NAME\[,pretrained,size=N\]; expected a text"):
        check_backbone("timm")


@pytest.mark.parametrize("name", BAD)
def test_a_broken_promise_fails_the_check_with_a_sentence(
    name: str, command: Command, install: Callable[..., dict[str, str]]
) -> None:
    body, (check, *told) = BAD[name]
    done = command("check", "mine", env=install("mine", PLUGIN.format(body=indent(body, "    "))))
    assert done.returncode == 3, done.stderr
    lines = [line.split("FAILED")[1].strip() for line in done.stdout.splitlines() if "  FAILED  " in line]
    assert any(line.startswith(check) and all(word in line for word in told) for line in lines), done.stdout
    assert "Traceback" not in done.stdout + done.stderr
