"""Residual networks for small images: 6n+2 layers of basic blocks."""

from __future__ import annotations

from torch import Tensor, nn

from labelbench_backbones.initialisation import initialise

CHANNELS = (16, 32, 64)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016, figure 2).

    The shortcut is the identity, or a 1x1 convolution with batch norm where the shape changes.

    Args:
        channels_in, channels_out: of the images that go in and come out.
        stride: of the first convolution; 2 halves height and width.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, channels_in, height, width)`` to ``(batch, channels_out, height / stride, width / stride)``."""
        output: Tensor = self.residual(images)
        return output.add_(self.shortcut(images)).relu_()


class ResNet(nn.Module):
    """ResNet for CIFAR (He et al. 2016, section 4.2) with 1x1 convolutions as shortcuts, as the paper uses it.

    Attributes:
        num_features: 64.
        description: what was built, in words.

    Args:
        depth: number of layers, 6n+2 with n blocks in each of three stages; the last layer is the label's head.
    """

    num_features = CHANNELS[-1]

    def __init__(self, depth: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, CHANNELS[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(CHANNELS[0]),
            nn.ReLU(inplace=True),
        ]
        channels_in = CHANNELS[0]
        for stage, channels in enumerate(CHANNELS):
            for block in range((depth - 2) // 6):
                layers.append(BasicBlock(channels_in, channels, stride=2 if stage and not block else 1))
                channels_in = channels
        # Equal to the 8x8 average pooling of the public code for 32x32 images, and defined for all others.
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.layers = nn.Sequential(*layers)
        self.description = f"ResNet-{depth}, basic blocks, 1x1-convolution shortcuts"
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images ``(batch, 3, height, width)`` float32 to features ``(batch, 64)``."""
        features: Tensor = self.layers(images)
        return features
