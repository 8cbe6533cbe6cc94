"""A trained network as a module that eats pixels and says classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from labelbench.datasets import Dataset
from labelbench.errors import InputError
from labelbench.exchange.finding import find_training
from labelbench.labels import LabelSet
from labelbench.machine.numerics import numerics_in_force
from labelbench.results.store import results_in
from labelbench.running.materials import Materials
from labelbench.training.checkpoint import load_trained
from labelbench.training.inference import outputs_of
from labelbench.training.result import Trained


class LoadedNetwork(nn.Module):
    """A trained network, its labels, and what is known of it.

    Attributes:
        trained: what came of its training, the learning curve among it.
        network: with its normalisation, in eval mode.
        labels: what it learned to output for each class.
        class_names, image_size: of its data set; ``(height, width)``.
        run: what was trained.
        facts: everything else that the record of the training says.
    """

    def __init__(self, trained: Trained, labels: LabelSet, dataset: Dataset, facts: Mapping[str, Any]) -> None:
        super().__init__()
        self.trained = trained
        self.network = trained.network
        self.labels = labels
        self.class_names = dataset.class_names
        self.image_size = dataset.image_size
        self.run = trained.run
        self.facts = facts
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """Outputs ``(batch, *label shape)`` for pixels in [0, 1], ``(batch, 3, height, width)``."""
        outputs: Tensor = self.network(pixels)
        return outputs

    def predict(self, images: np.ndarray | Tensor) -> np.ndarray:
        """Class of each image: that of the nearest label.

        Args:
            images: ``(n, height, width, 3)`` uint8, as data sets have them, or ``(n, 3, height, width)`` pixels in
                [0, 1].

        Returns:
            ``(n,)`` int64, indices into :attr:`class_names`.

        Raises:
            InputError: arrays of another shape or type.
        """
        given = torch.as_tensor(images if isinstance(images, Tensor) else np.array(images))
        if given.ndim != 4 or given.shape[1 if given.is_floating_point() else 3] != 3:
            raise InputError(
                f"images have shape {tuple(given.shape)} and type {given.dtype}; expected (n, height, width, 3) uint8, "
                "or (n, 3, height, width) floats in [0, 1]"
            )
        if given.is_floating_point():
            given = (given * 255).permute(0, 2, 3, 1)
        with numerics_in_force(self.run.numerics):
            read = [self.labels.nearest(outputs).cpu() for outputs in outputs_of(self.network, given)]
        return torch.cat(read or [torch.zeros(0, dtype=torch.int64)]).numpy()


def load_network(
    results: str | Path,
    *,
    label: str | None = None,
    backbone: str | None = None,
    dataset: str | None = None,
    seed: int | None = None,
    train_fraction: float | None = None,
    id: str | None = None,
) -> LoadedNetwork:
    """A network that ``labelbench run`` trained, on the device of its run.

    Args:
        results: the results folder.
        label, backbone, dataset, seed, train_fraction, id: of its run; only as many as tell it from the others.

    Raises:
        InputError: no such training, several, or one whose weights are not in the folder.
        ConflictError: the data set or the label is not what it was trained with.
        LabelbenchError: the data set or the label cannot be had.

    >>> network = load_network("results/quick", label="speech", seed=0)  # doctest: +SKIP
    >>> network.class_names[network.predict(images)[0]]  # doctest: +SKIP
    """
    training = find_training(
        results, label=label, backbone=backbone, dataset=dataset, seed=seed, train_fraction=train_fraction, id=id
    )
    run = training.run
    file = results_in(Path(results)).network_file(run)
    if not file.exists():
        raise InputError(
            f"the weights of {run} are not here ({file}): published folders leave .work out; repeat the run into "
            f"{results}, or name another"
        )
    materials = Materials()
    labels = materials.labels(run)
    trained = load_trained(run, materials.network(run), labels, materials.images(run), file)
    return LoadedNetwork(trained, labels, materials.dataset(run), training.facts)
