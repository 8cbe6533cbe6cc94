"""VGG19 with batch norm, without its fully connected layers."""

from __future__ import annotations

from torch import Tensor, nn

from labelbench import InputError
from labelbench_backbones.initialisation import initialise

# Output channels of the convolutions of each stage; a max-pool ends the stage (Simonyan and Zisserman 2015, table 1 E).
STAGES = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)


class VGG19(nn.Module):
    """The convolutions of VGG19 with batch norm: 32x32 images end as 1x1, larger ones are averaged to it.

    Attributes:
        num_features: 512.
        description: what was built, in words.

    Args:
        size: height and width of the images.

    Raises:
        InputError: images smaller than 32x32, of which five halvings leave nothing.
    """

    num_features = STAGES[-1][-1]

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        smallest = 2 ** len(STAGES)
        if min(size) < smallest:
            raise InputError(
                f"backbone 'vgg19' needs images of {smallest}x{smallest} or more, got {size[0]}x{size[1]}; "
                "resnet32 takes any size"
            )
        layers: list[nn.Module] = []
        channels_in = 3
        for stage in STAGES:
            for channels in stage:
                layers += [
                    nn.Conv2d(channels_in, channels, 3, padding=1),
                    nn.BatchNorm2d(channels),
                    nn.ReLU(inplace=True),
                ]
                channels_in = channels
            layers.append(nn.MaxPool2d(2))
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.layers = nn.Sequential(*layers)
        self.description = "VGG19 with batch norm, convolutions only"
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images ``(batch, 3, height, width)`` float32 to features ``(batch, 512)``."""
        features: Tensor = self.layers(images)
        return features
