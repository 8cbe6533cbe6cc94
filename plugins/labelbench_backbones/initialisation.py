"""Initial weights of the paper's encoders."""

from __future__ import annotations

import math

from torch import nn


def initialise(network: nn.Module) -> None:
    """Draw convolution weights from torch's global generator, and set what is not drawn.

    Convolutions: normal with standard deviation sqrt(2 / (kernel height * kernel width * output channels)) (He et
    al. 2015, equation 14), bias 0. Batch norm: weight 1, bias 0.

    Args:
        network: changed in place.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            height, width = module.kernel_size
            nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / (height * width * module.out_channels)))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
