"""The network of one run: normalisation, backbone, and a head shaped like the label."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labelbench.errors import PluginError


def _from_one_pixel(layer: nn.ConvTranspose2d, images: Tensor) -> Tensor:
    """A transposed convolution of images of one pixel as the matrix product that it is; gives channels last."""
    kernel = layer.weight.permute(0, 2, 3, 1)
    product = images.flatten(1) @ kernel.flatten(1)
    spread = product.view(len(images), *kernel.shape[1:])
    return (spread if layer.bias is None else spread + layer.bias).permute(0, 3, 1, 2)


def digest_of_weights(module: nn.Module) -> str:
    """SHA-256 of all weights and buffers, by name."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


class LabelHead(nn.Module):
    """Features to an output of the label's shape (paper, section 3.1 and appendix).

    A vector label gets one linear layer. A matrix label gets batch norm, leaky ReLU and a linear layer to 64
    channels, then five transposed convolutions that grow 1x1 to side x side: the first kernel is side / 16, each
    of the others doubles.

    Args:
        num_features: length of the feature vectors.
        shape: ``(length,)`` or ``(side, side)`` with side a multiple of 16.

    >>> LabelHead(512, (64, 64))(torch.zeros(2, 512)).shape
    torch.Size([2, 64, 64])
    """

    def __init__(self, num_features: int, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.layers: nn.Module
        if len(self.shape) == 1:
            self.layers = nn.Linear(num_features, self.shape[0])
            return
        layers: list[nn.Module] = [
            nn.BatchNorm1d(num_features),
            nn.LeakyReLU(),
            nn.Linear(num_features, 64),
            nn.Unflatten(1, (64, 1, 1)),
            nn.ConvTranspose2d(64, 64, self.shape[0] // 16, 1, 0),
        ]
        for channels_in, channels_out in ((64, 32), (32, 16), (16, 8), (8, 1)):
            layers += [
                nn.BatchNorm2d(channels_in),
                nn.LeakyReLU(),
                nn.ConvTranspose2d(channels_in, channels_out, 4, 2, 1),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(batch, num_features)`` to outputs ``(batch, *shape)``."""
        outputs = features
        for layer in self.layers if isinstance(self.layers, nn.Sequential) else (self.layers,):
            # On CUDA it takes less time and fewer launches; on a CPU it would round otherwise than the convolution.
            if outputs.is_cuda and isinstance(layer, nn.ConvTranspose2d) and outputs.shape[2:] == (1, 1):
                outputs = _from_one_pixel(layer, outputs)
            else:
                outputs = layer(outputs)
        return outputs.reshape(-1, *self.shape)


class Network(nn.Module):
    """Images to outputs of the label's shape.

    Args:
        backbone: module that maps normalised images ``(batch, 3, height, width)`` to ``(batch, num_features)`` and
            has an int attribute ``num_features``.
        shape: shape of one label.
        mean, std: of each channel of images with pixels in [0, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, shape: Sequence[int], mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        num_features = getattr(backbone, "num_features", None)
        if not isinstance(num_features, int) or num_features < 1:
            raise PluginError(f"backbone has num_features = {num_features!r}; expected the length of its features")
        self.backbone = backbone
        self.head = LabelHead(num_features, shape)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1))

    @property
    def digest(self) -> str:
        """SHA-256 of all weights and buffers."""
        return digest_of_weights(self)

    @staticmethod
    def pixels(images: Tensor) -> Tensor:
        """``(n, height, width, 3)`` uint8 to ``(n, 3, height, width)`` float32 in [0, 1], channels last in memory."""
        return images.permute(0, 3, 1, 2).float().div_(255)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pixels in [0, 1], ``(batch, 3, height, width)``, to the normalised units that the backbone sees."""
        return (pixels - self.mean).div_(self.std)

    def forward_normalised(self, images: Tensor) -> Tensor:
        """Outputs ``(batch, *shape)`` for images in normalised units."""
        outputs: Tensor = self.head(self.backbone(images))
        return outputs

    def forward(self, pixels: Tensor) -> Tensor:
        """Outputs ``(batch, *shape)`` for pixels in [0, 1], ``(batch, 3, height, width)``."""
        return self.forward_normalised(self.normalise(pixels))

    def features(self, pixels: Tensor) -> Tensor:
        """Features ``(batch, num_features)`` for pixels in [0, 1]."""
        features: Tensor = self.backbone(self.normalise(pixels))
        return features
