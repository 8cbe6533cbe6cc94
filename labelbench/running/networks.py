"""Finished networks as measurements look at them: loaded from the results folder, a few kept."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from labelbench.results.store import Results
from labelbench.running.materials import Materials
from labelbench.runs import RunSpec
from labelbench.training.checkpoint import load_trained
from labelbench.training.inference import outputs_of
from labelbench.training.result import Trained


class FinishedNetworks:
    """The networks of a results folder. They are large: only those in use are kept.

    Args:
        results: where they lie.
        materials: the images and labels that they were trained with.
    """

    def __init__(self, results: Results, materials: Materials) -> None:
        self._results = results
        self._materials = materials
        self.trained = lru_cache(maxsize=2)(self._trained)
        self.outputs = lru_cache(maxsize=1)(self._outputs)

    def snapshot(self, run: RunSpec, share: float) -> Trained:
        """The network of a run as it was after ``share`` of its training."""
        return self._loaded(run, self._results.snapshot_file(run, share))

    def forget(self) -> None:
        """Read every network anew when it is asked for again."""
        self.trained.cache_clear()
        self.outputs.cache_clear()

    def _trained(self, run: RunSpec) -> Trained:
        """The trained network of a run."""
        return self._loaded(run, self._results.network_file(run))

    def _outputs(self, run: RunSpec, test_images: int | None) -> Tensor:
        """``(test images, *label shape)`` on the CPU: what a network says of that many test images."""
        pixels = self._materials.images(run).test.evenly(test_images).images
        return torch.cat([outputs.cpu() for outputs in outputs_of(self.trained(run).network, pixels)])

    def _loaded(self, run: RunSpec, file: Path) -> Trained:
        materials = self._materials
        return load_trained(run, materials.network(run), materials.labels(run), materials.images(run), file)
