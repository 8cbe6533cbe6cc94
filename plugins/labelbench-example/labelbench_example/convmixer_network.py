"""ConvMixer: patches, mixed over places by depthwise and over channels by pointwise convolutions."""

from __future__ import annotations

from torch import Tensor, nn

PATCH = 4
_DEPTH = 4
_KERNEL = 5


class Residual(nn.Module):
    """Adds its input to what the layer makes of it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, channels, height, width)``, the same shape out."""
        mixed: Tensor = images + self.layer(images)
        return mixed


class ConvMixer(nn.Module):
    """ConvMixer with four blocks and patches of 4x4 pixels.

    Attributes:
        num_features: ``width``.
        description: what was built, in words; it is stored beside results.

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width
        self.description = f"ConvMixer-{width}/{_DEPTH}, kernel {_KERNEL}, patches {PATCH}x{PATCH}"
        layers: list[nn.Module] = [nn.Conv2d(3, width, PATCH, stride=PATCH), nn.GELU(), nn.BatchNorm2d(width)]
        for _ in range(_DEPTH):
            over_places = nn.Conv2d(width, width, _KERNEL, groups=width, padding="same")
            layers += [Residual(nn.Sequential(over_places, nn.GELU(), nn.BatchNorm2d(width)))]
            layers += [nn.Conv2d(width, width, 1), nn.GELU(), nn.BatchNorm2d(width)]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images ``(batch, 3, height, width)`` float32 to features ``(batch, width)``."""
        features: Tensor = self.layers(images)
        return features
