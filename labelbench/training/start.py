"""Where a training starts: the untrained network, and which images it sees."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from labelbench.datasets import Images
from labelbench.labels import LabelSet
from labelbench.machine.process_state import PROCESS_STATE
from labelbench.networks import Network
from labelbench.runs import RunSpec, derived_seed


def initial_network(run: RunSpec, backbone: Callable[[], nn.Module], labels: LabelSet, images: Images) -> Network:
    """The untrained network of a run: the same weights for equal specs, and the same backbone for all labels.

    Args:
        run: its seed decides the weights.
        backbone: builds a fresh backbone from torch's global random state.
        labels: give the shape of the head.
        images: give the normalisation, unless the backbone has weights that expect another.
    """
    with PROCESS_STATE, torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(run.seed, "initialisation"))
        made = backbone()
        mean, std = getattr(made, "normalisation", None) or (images.mean, images.std)
        return Network(made, labels.shape, mean, std)


def split_indices(run: RunSpec, count: int, validation_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and validation images (paper, section 4.1).

    The seed orders all images; the first are for validation, the next ``train_fraction * count`` (or what is left)
    for training: shares of one seed are nested, and all have the same validation images.

    Args:
        run: gives seed and training share.
        count: images in the training part of the data set.
        validation_share: share of them set aside, 0 to 1.

    Returns:
        Two int64 arrays without common elements.
    """
    seed = derived_seed(run.seed, "split")
    order = np.random.RandomState([seed >> 32, seed & 0xFFFFFFFF]).permutation(count)
    validation = max(1, round(validation_share * count))
    train = max(2, round(run.train_fraction * count))
    return order[validation : validation + train], order[:validation]
