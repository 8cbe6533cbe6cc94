"""Outputs of a trained network, and how well it does on validation images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench.training.step import in_precision

# Images at once.
_BATCH = 500


def outputs_of(network: Network, pixels: np.ndarray | Tensor, precision: str = "float32") -> Iterator[Tensor]:
    """Outputs of a network in eval mode, batch by batch.

    Args:
        network: on any device.
        pixels: ``(n, height, width, 3)`` uint8; a tensor that lies on the network's device already is not copied.
        precision: of matrix products and convolutions.

    Yields:
        ``(at most 500, *label shape)`` float32 on the network's device.
    """
    network.eval()
    device = network.mean.device
    for start in range(0, len(pixels), _BATCH):
        chosen = pixels[start : start + _BATCH]
        images = chosen if isinstance(chosen, Tensor) else torch.from_numpy(np.array(chosen))
        # Entered and left between two yields: a mode that outlives a yield leaks into the caller.
        with torch.no_grad(), in_precision(device, precision):
            outputs = network(Network.pixels(images.to(device))).float()
        yield outputs


def validate(
    network: Network,
    labels: LabelSet,
    pixels: np.ndarray | Tensor,
    classes: np.ndarray | Tensor,
    precision: str = "float32",
) -> tuple[Tensor, Tensor]:
    """Look at validation images; nothing of it is read by the host.

    Args:
        network: on any device; left in eval mode.
        labels: targets and loss.
        pixels: ``(n, height, width, 3)`` uint8.
        classes: ``(n,)`` true classes; both arrays, or tensors on the network's device.
        precision: of matrix products and convolutions.

    Returns:
        The sum of the loss over images, float32, and how many have the nearest label that is the true one, int64:
        scalars on the network's device.
    """
    device = network.mean.device
    true = (classes if isinstance(classes, Tensor) else torch.from_numpy(np.array(classes))).to(device)
    loss = torch.zeros((), device=device)
    hits = torch.zeros((), dtype=torch.int64, device=device)
    done = 0
    for outputs in outputs_of(network, pixels, precision=precision):
        expected = true[done : done + len(outputs)]
        loss += labels.loss_of(outputs, expected).sum()
        hits += (labels.nearest(outputs) == expected).sum()
        done += len(outputs)
    return loss, hits
