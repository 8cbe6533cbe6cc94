"""Build timm models, with their input fitted to the images."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import timm
import torch
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn
from torch.nn import functional

from labelbench import InputError, UnknownName
from labelbench_backbones.timm_weights import Channels, PublishedWeights

Size = tuple[int, int]

# Patch sizes and total strides of most models: an input of a multiple of one of them fits.
_STRIDES = (14, 16, 32)
_EXAMPLES = ("convnext_atto", "mobilenetv3_small_100", "resnet18", "vgg11_bn", "vit_tiny_patch16_224")


class TimmBackbone(nn.Module):
    """A timm model without its classifier, for images of any size.

    Attributes:
        num_features: length of the feature vectors.
        input_size: height and width that the model works on; images of another size are resized to it.
        description: model, input, weights and timm version, in words.
        normalisation: mean and std of each channel that published weights expect; None for those of the data set.

    Args:
        model: maps ``(batch, 3, *input_size)`` to ``(batch, num_features)``; the others are as above.
    """

    def __init__(
        self,
        model: nn.Module,
        num_features: int,
        input_size: Size,
        description: str,
        normalisation: tuple[Channels, Channels] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.num_features = num_features
        self.input_size = input_size
        self.description = description
        self.normalisation = normalisation

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images ``(batch, 3, height, width)`` float32 to features ``(batch, num_features)``."""
        height, width = images.shape[-2:]
        if (height, width) != self.input_size:
            # Without smoothing, a reduced image would hold only some of the pixels.
            reduced = height > self.input_size[0] or width > self.input_size[1]
            images = functional.interpolate(images, self.input_size, mode="bilinear", antialias=reduced)
        features: Tensor = self.model(images)
        return features


def build(images: Size, name: str, *, pretrained: bool = False, size: int | None = None) -> TimmBackbone:
    """Build a timm model for images of size ``images`` (height, width).

    Models that are made for one input size (most transformers) are made for the size of the images, others run on
    it as it is. If that does not work, the first of these sizes does: both sides rounded up to a multiple of 14, of
    16, of 32; further multiples of 32; the model's own default. Images are then resized inside the module.

    Published weights are given images in the normalisation that they were trained with, others in that of the data set.
    Weights that are drawn come from torch's global generator alone and equal those of ``timm.create_model``.

    Raises:
        InputError, UnknownName, MachineError: see ``labelbench_backbones.timm_models.Timm``.
    """
    check_name(name, pretrained=pretrained)
    weights = PublishedWeights.of(name) if pretrained else None
    create = partial(_create, name, torch.get_rng_state())
    sizes = [(size, size)] if size else list(_sizes(images, _default_size(name)))
    model, num_features, fitted, options = _fitted(create, name, images, sizes)
    if weights:
        model = weights.load(partial(create, **options), model)
    resized = "" if fitted == images else f" (images {_text(images)} resized, bilinear)"
    source = f"pretrained {weights.name}" if weights else "not pretrained"
    description = f"timm {name}, input {_text(fitted)}{resized}, {source}, timm {timm.__version__}"
    return TimmBackbone(model, num_features, fitted, description, weights.normalisation if weights else None)


def check_name(name: str, *, pretrained: bool = False) -> None:
    """Refuse a model that timm does not have, or has no weights for.

    Raises:
        UnknownName: no such model; the message tells near ones.
        InputError: weights are asked for, and there are none.
    """
    names = timm.list_models()
    tagged = timm.list_pretrained()
    if name not in names and name not in tagged:
        known = tagged if "." in name else names
        if difflib.get_close_matches(name, known, n=1, cutoff=0.6):
            raise UnknownName("timm model", name, known)
        raise UnknownName("timm model", name, _EXAMPLES, f"and {len(names)} more: see timm.list_models()")
    if pretrained and not timm.is_model_pretrained(name):
        raise InputError(f"timm has no published weights for {name!r}; write timm:{name} without pretrained")


def _create(name: str, generator: Tensor, **options: Any) -> nn.Module:
    """A timm model without classifier, drawn from this state of torch's global generator on."""
    torch.set_rng_state(generator)
    model: nn.Module = timm.create_model(name, num_classes=0, **options)
    return model


def _fitted(
    create: Callable[..., nn.Module], name: str, images: Size, sizes: list[Size]
) -> tuple[nn.Module, int, Size, dict[str, Any]]:
    """The model at the first size that works, its number of features, that size, and how it was created."""
    model: nn.Module | None = None
    options: dict[str, Any] = {}
    made_for_a_size = True
    failures = []
    for size in sizes:
        try:
            if made_for_a_size:
                options = {"img_size": size}
                try:
                    model = create(**options)
                except TypeError as error:
                    if "img_size" not in str(error):
                        raise
                    made_for_a_size, options = False, {}
            if model is None:
                model = create()
            return model, _num_features(model, size), size, options
        except Exception as error:  # a model refuses an input in whatever way its layers do
            failures.append(f"{_text(size)}: {' '.join(str(error).split())[:200]}")
    raise InputError(
        f"timm model {name!r} gives no features for images of {_text(images)} (input {failures[0]}); "
        f"name another model, or an input size it takes, as in timm:{name},size=224"
    )


def _sizes(images: Size, default: Size) -> Iterator[Size]:
    """Input sizes to try, in this order: see :func:`build`."""
    yield images
    rounded = {stride: tuple(-(-side // stride) * stride for side in images) for stride in _STRIDES}
    for height, width in dict.fromkeys(rounded.values()):
        if (height, width) != images:
            yield height, width
    height, width = rounded[32]
    while max(height, width) + 32 < max(default):
        height, width = height + 32, width + 32
        yield height, width
    yield default


def _default_size(name: str) -> Size:
    config = timm.get_pretrained_cfg(name)
    height, width = config.input_size[1:] if config else (224, 224)
    return height, width


def _num_features(model: nn.Module, size: Size) -> int:
    """Length of the features that the model gives for one image, found by trying.

    Raises:
        Exception: whatever the model raises for an input of this size.
    """
    for module in model.modules():
        if isinstance(module, PatchEmbed) and any(
            side % patch for side, patch in zip(module.img_size or size, module.patch_size, strict=True)
        ):
            # Such a model runs, and leaves out the right and lower edge of the image.
            raise ValueError(f"no multiple of its patches of {_text(module.patch_size)}")
    training = model.training
    model.eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        features = model(torch.zeros(1, 3, *size))
    model.train(training)
    if not isinstance(features, Tensor) or features.ndim != 2:
        got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise ValueError(f"gives {got}, expected (batch, num_features)")
    return int(features.shape[1])


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
