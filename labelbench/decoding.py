"""Outputs read as classes: the targets of a label on one device, and which of them lies nearest to an output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Sizes of the difference tensor when near-ties are decided again in float64.
_RECHECK_ELEMENTS = 1 << 24
# Rounding of a float32 product of centred vectors, relative to the product of their norms; a generous bound:
# what lies closer together than this is decided again in float64.
_PRODUCT_ROUNDING = 32 * float(np.finfo(np.float32).eps)
# Devices that have float64, and that lose more by waiting for the host than by computing for all rows. The second holds
# no values at all.
_NEVER_ASKED = ("cuda", "meta")


@dataclass(frozen=True, eq=False)
class Decoder:
    """Targets on one device: as they are; and flat, without their mean row, with squared norms."""

    targets: Tensor
    mean: Tensor
    centred: Tensor
    norms: Tensor
    largest_norm: Tensor

    @staticmethod
    def of(targets: np.ndarray, device: torch.device) -> Decoder:
        """The decoder of ``(classes, *shape)`` float32 targets."""
        flat = targets.reshape(len(targets), -1).astype(np.float64)
        # Rounded first: what is subtracted from outputs must be what was subtracted from targets.
        mean = flat.mean(axis=0).astype(np.float32)
        centred = flat - mean
        norms = (centred**2).sum(axis=1)

        def put(array: np.ndarray) -> Tensor:
            return torch.tensor(array, dtype=torch.float32, device=device)

        return Decoder(put(targets), put(mean), put(centred), put(norms), put(np.sqrt(norms.max())))

    def distances(self, outputs: Tensor) -> Tensor:
        """See :meth:`labelbench.LabelSet.distances`."""
        centred = outputs.float().flatten(1) - self.mean
        return (centred.square().sum(dim=1, keepdim=True) + self.norms - 2 * centred @ self.centred.T).clamp_min(0)

    def scores(self, outputs: Tensor) -> Tensor:
        """``(batch, classes)`` float32: minus the squared distances, but for what is equal for all classes."""
        centred = outputs.float().flatten(1) - self.mean
        return 2 * centred @ self.centred.T - self.norms

    @torch.no_grad()
    def nearest(self, outputs: Tensor) -> Tensor:
        """See :meth:`labelbench.LabelSet.nearest`."""
        flat = outputs.float().flatten(1)
        centred = flat - self.mean
        scores = torch.addmm(-self.norms / 2, centred, self.centred.T)
        (best, second), (classes, _) = (pair.unbind(dim=1) for pair in scores.topk(2, dim=1))
        norms = centred.norm(dim=1)
        sure = best - (norms + self.largest_norm) * (2 * _PRODUCT_ROUNDING * self.largest_norm)
        # What is not a number is not sure either; its exact distances are all alike.
        if outputs.device.type in _NEVER_ASKED:
            exact = self._exact_distances_there(flat).masked_fill_(scores < sure[:, None], torch.inf)
            return torch.where(second < sure, classes, exact.argmin(dim=1))
        recheck_rows = max(1, _RECHECK_ELEMENTS // self.targets.numel())
        for rows in (second < sure).logical_not().nonzero().flatten().split(recheck_rows):
            exact = self._exact_distances(flat[rows])
            exact[scores[rows] < sure[rows, None]] = torch.inf
            classes[rows] = exact.argmin(dim=1).to(classes.device)
        return classes

    def _exact_distances(self, flat: Tensor) -> Tensor:
        # Some devices have no float64; the few rows that come here are decided on the CPU.
        rows, targets = (each.to("cpu", torch.float64) for each in (flat, self.targets.flatten(1)))
        return (rows[:, None, :] - targets[None, :, :]).square().sum(dim=2)

    def _exact_distances_there(self, flat: Tensor) -> Tensor:
        """Distances of all rows in float64 on their own device: less time than to ask it which are unsure."""
        targets = self.targets.flatten(1).double()
        return torch.cdist(flat.double(), targets, compute_mode="donot_use_mm_for_euclid_dist")
