"""Checks of one backbone on random images, in this process."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from labelbench.authoring.findings import Report
from labelbench.authoring.process_watch import ProcessWatch, changes, watched_state
from labelbench.errors import one_line
from labelbench.networks import digest_of_weights
from labelbench.plugins.lookup import backbone

SIZE = (32, 32)
_BATCH = 4
# Features of one image alone and among others go through other kernels: their rounding adds up over the layers.
_CLOSE = 1e-3


def examine_backbone(name: str, report: Report, watch: ProcessWatch, thorough: bool) -> None:
    """Build a backbone and say what was found.

    Args:
        name: as a user writes it.
        report: told what is found; its facts hold the hash of weights and features.
        watch: refuses the network to this process.
        thorough: False to build and find facts alone, for comparison between processes.

    Raises:
        InputError: an argument that cannot be used, or images of 32x32 pixels are refused.
        PluginError: the builder failed, or returned no module.
        MachineError: files that it needs are not here.
    """
    torch.set_num_threads(1)
    report.doing("building the network")
    module = _built(name, seed=0)
    drawn = digest_of_weights(module)
    report.facts["the weights that are drawn"] = drawn
    if not thorough:
        return
    changed: list[str] = []
    with watched_state(changed, allowed=("torch's random state",)):
        other = _built(name, seed=1)
    images = torch.randn(_BATCH, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    report.doing("running the network in training mode")
    if not _shape(report, module, images):
        return
    report.check("gradient", _gradients(module, images), "finite for every weight, and not zero for the image")
    report.doing("running the network in eval mode")
    module.eval()
    with torch.no_grad(), watched_state(changed):
        features = module(images)
    report.check("eval mode", _eval_mode(module, images, features), "repeatable, and an image alone as among others")
    kept = "as it was, but for torch's random state, which weights come from"
    report.check("global state", changes(changed, "while the network was built and run"), kept)
    report.doing("building the network again")
    report.check("weights", _weights(name, module, drawn, other), _count(module))
    report.doing("saving and loading the network")
    report.check("save and load", _saved(module, other, images, features), "another build gives the same features")


def _built(name: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return backbone(name, SIZE)


def _shape(report: Report, module: nn.Module, images: Tensor) -> bool:
    """Whether features are what the head and everything after it is built for."""
    expected = "(batch, num_features) float32, with num_features an int attribute, since the head is built from it"
    length = getattr(module, "num_features", None)
    if not isinstance(length, int) or length < 1:
        report.failed("features", f"num_features is {length!r}; expected the length of the features: {expected}")
        return False
    try:
        features = module.train()(images)
    except Exception as error:  # foreign layers fail in any way
        report.failed("features", f"images (4, 3, 32, 32) raised {one_line(error)}; expected {expected}")
        return False
    got = f"{tuple(features.shape)} {features.dtype}" if isinstance(features, Tensor) else type(features).__name__
    if got != f"{(len(images), length)} torch.float32":
        report.failed("features", f"images (4, 3, 32, 32) gave {got}, num_features is {length}; expected {expected}")
        return False
    if not features.isfinite().all():
        report.failed("features", "hold values that are not finite; expected numbers, or every loss is NaN")
        return False
    report.fine("features", f"(batch, {length}) float32")
    return True


def _gradients(module: nn.Module, images: Tensor) -> Iterator[str]:
    module.zero_grad()
    pixels = images.clone().requires_grad_(True)
    features = module(pixels)
    if not features.requires_grad:
        yield "the features have none; expected one for weights and images, or nothing trains: take no_grad away"
        return
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    (features * weights).sum().backward()
    without = [
        name for name, parameter in module.named_parameters() if parameter.requires_grad and parameter.grad is None
    ]
    if without:
        yield (
            f"{len(without)} weights, {without[0]} first, have none; expected one for every weight, or it stays as it "
            "was drawn: use it, or freeze it with requires_grad_(False)"
        )
    broken = [name for name, parameter in module.named_parameters()
              if parameter.grad is not None and not parameter.grad.isfinite().all()]  # fmt: skip
    if broken:
        yield f"that of {broken[0]} is not finite; expected numbers, or one step makes every weight NaN"
    if pixels.grad is None or not pixels.grad.isfinite().all() or not pixels.grad.any():
        yield "that of the image is missing, zero or not finite; expected one, since attacks follow it"


def _eval_mode(module: nn.Module, images: Tensor, features: Tensor) -> Iterator[str]:
    with torch.no_grad():
        if not torch.equal(module(images), features):
            yield "the same images gave other features; expected equal ones, or no accuracy can be repeated"
            return
        try:
            alone = module(images[:1])
        except Exception as error:  # foreign layers fail in any way
            yield f"one image alone raised {one_line(error)}; expected features, since attacks look at single images"
            return
    slack = _CLOSE * (1 + float(features.abs().max()))
    if alone.shape != features[:1].shape or not torch.allclose(alone, features[:1], rtol=0, atol=slack):
        yield (
            "an image alone has other features than among others; expected the same, or accuracy depends on the "
            "batch: layers that look across images must obey eval()"
        )


def _weights(name: str, module: nn.Module, drawn: str, other: nn.Module) -> Iterator[str]:
    shared = {tensor.data_ptr() for tensor in _tensors(module)} & {tensor.data_ptr() for tensor in _tensors(other)}
    if shared - {0}:
        yield "two builds share weights; expected a fresh module from every call, or one training changes another"
        return
    if digest_of_weights(_built(name, seed=0)) != drawn:
        yield (
            "equal states of torch's global generator gave other weights; expected equal ones, or a run cannot be "
            "repeated: draw from that generator alone"
        )


def _saved(module: nn.Module, other: nn.Module, images: Tensor, features: Tensor) -> Iterator[str]:
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in module.state_dict().items()}
    try:
        other.load_state_dict(load(save(tensors)))
    except Exception as error:  # foreign modules refuse in any way
        yield f"another build refuses the saved weights ({one_line(error)}); expected that it takes them, to resume"
        return
    with torch.no_grad():
        if not torch.equal(other.eval()(images), features):
            yield (
                "another build with the saved weights gives other features; expected the same, or finished runs cannot "
                "be measured: keep what decides them in parameters or buffers"
            )


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _count(module: nn.Module) -> str:
    count = sum(parameter.numel() for parameter in module.parameters())
    described = getattr(module, "description", "")
    return f"{count:,}, drawn from torch's random state alone" + (f"; {described}" if described else "")
