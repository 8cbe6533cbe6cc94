"""LabelSet: what a network learns to output for each class, and how outputs are read as classes again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from labelbench.errors import PluginError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from labelbench.decoding import Decoder

LOSSES = ("cross-entropy", "smooth-l1", "mse")


@dataclass(frozen=True, eq=False)
class LabelSet:
    """Targets of all classes, the loss that pulls outputs to them, and the way back from outputs to classes.

    Attributes:
        targets: ``(num_classes, *shape)`` float32, finite, rows pairwise distinct; ``shape`` is ``(length,)`` or
            ``(side, side)`` with side a multiple of 16. Row i belongs to class i. Any float array is accepted
            and stored as a read-only float32 copy.
        loss: ``"cross-entropy"`` (targets are class probabilities), ``"smooth-l1"`` (beta 1, mean over elements;
            what the paper uses for every label but category) or ``"mse"`` (mean over elements).
        provenance: how the targets were made, as JSON values: recipe, source files and their hashes, seeds.
            The key ``"identity"``, if given, names the label across machines in place of the hash of its
            targets (for labels whose floating-point values differ a little between machines).

    Raises:
        PluginError: targets that break the contract above; the message says which part.

    >>> labels = LabelSet(np.eye(3), loss="cross-entropy", provenance={"recipe": "identity"})
    >>> labels.shape, labels.num_classes
    ((3,), 3)
    """

    targets: np.ndarray
    loss: str = "smooth-l1"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", _checked(self.targets))
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))
        if self.loss not in LOSSES:
            raise PluginError(f"label loss {self.loss!r} is unknown; expected one of {', '.join(LOSSES)}")
        if self.loss == "cross-entropy" and self.shape != (self.num_classes,):
            raise PluginError(
                f"label loss cross-entropy needs targets (classes, classes); got shape {self.targets.shape}: "
                "use smooth-l1"
            )

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return int(self.targets.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one target: ``(length,)`` or ``(side, side)``."""
        return tuple(int(size) for size in self.targets.shape[1:])

    @cached_property
    def sha256(self) -> str:
        """Hash of shape and little-endian float32 values of the targets."""
        return _sha256_of(self.targets)

    def _repr_html_(self) -> str:
        """Its first targets as pictures, for notebooks."""
        from labelbench.pictures import pictures_of_targets

        shape = "x".join(map(str, self.shape))
        low, high = float(self.targets.min()), float(self.targets.max())
        images = "".join(
            f'<img src="{address}" alt="class {index}" width="64" height="64" style="image-rendering: pixelated">'
            for index, address in enumerate(pictures_of_targets(self.targets, 10))
        )
        more = f", the first 10 of {self.num_classes} classes" if self.num_classes > 10 else ""
        return f"<div>{images}</div><div>{shape}, {low:.3g} to {high:.3g}, {self.loss}{more}</div>"

    @property
    def is_intact(self) -> bool:
        """Whether the targets, here and on devices, are still what :attr:`sha256` was first taken of."""
        copies = (decoder.targets.numpy(force=True) for decoder in self._decoders.values())
        return all(_sha256_of(each) == self.sha256 for each in (self.targets, *copies))

    @property
    def identity(self) -> str:
        """What makes two label sets the same: ``provenance["identity"]`` if given, else :attr:`sha256`."""
        return str(self.provenance.get("identity") or self.sha256)

    @cached_property
    def squared_distances(self) -> np.ndarray:
        """``(num_classes, num_classes)`` float64: sum of squared differences between targets."""
        flat = self.targets.reshape(self.num_classes, -1).astype(np.float64)
        flat -= flat.mean(axis=0)
        norms = (flat**2).sum(axis=1)
        squared = np.maximum(norms[:, None] + norms[None, :] - 2 * flat @ flat.T, 0.0)
        np.fill_diagonal(squared, 0.0)
        return np.asarray(squared)

    @cached_property
    def logit_scale(self) -> float:
        """10 / median squared distance between two targets: the scale of :meth:`logits`."""
        rows, columns = np.triu_indices(self.num_classes, k=1)
        return float(10.0 / np.median(self.squared_distances[rows, columns]))

    def loss_of(self, outputs: Tensor, classes: Tensor) -> Tensor:
        """Training loss of every output against the target of its class.

        Args:
            outputs: ``(batch, *shape)`` floating point.
            classes: ``(batch,)`` int64 class indices.

        Returns:
            ``(batch,)`` float32, differentiable.
        """
        from torch.nn import functional

        outputs = outputs.float()
        targets = self.targets_on(outputs.device)[classes]
        if self.loss == "cross-entropy":
            return functional.cross_entropy(outputs, targets, reduction="none")
        element_loss = functional.smooth_l1_loss if self.loss == "smooth-l1" else functional.mse_loss
        return element_loss(outputs, targets, reduction="none").flatten(1).mean(dim=1)

    def distances(self, outputs: Tensor) -> Tensor:
        """Squared Euclidean distance of every output to every target.

        Args:
            outputs: ``(batch, *shape)`` floating point.

        Returns:
            ``(batch, num_classes)`` float32, differentiable; one matrix product, exact to its rounding.

        >>> import torch
        >>> LabelSet([[0, 0], [3, 4]]).distances(torch.tensor([[3.0, 0.0]])).round().tolist()
        [[9.0, 16.0]]
        """
        return self._on(outputs.device).distances(outputs)

    def logits(self, outputs: Tensor) -> Tensor:
        """Decoded logits: minus the squared distance to every target, times :attr:`logit_scale`.

        Terms that are equal for all classes are left out, since no softmax, margin or ranking depends on them.

        Args:
            outputs: ``(batch, *shape)`` floating point.

        Returns:
            ``(batch, num_classes)`` float32, differentiable.

        The highest logit is the nearest target, and differences of logits are scaled differences of distances:

        >>> import torch
        >>> labels = LabelSet([[0, 0], [0, 80], [80, 80]])
        >>> logits = labels.logits(torch.tensor([[10.0, 20.0]]))
        >>> int(logits.argmax()), round(float(logits[0, 0] - logits[0, 1]), 3)
        (0, 5.0)
        >>> distances = labels.distances(torch.tensor([[10.0, 20.0]]))
        >>> round(labels.logit_scale * float(distances[0, 1] - distances[0, 0]), 3)
        5.0
        """
        return self.logit_scale * self._on(outputs.device).scores(outputs)

    def nearest(self, outputs: Tensor) -> Tensor:
        """Class whose target has the smallest mean squared difference to the output (paper, section 3.2).

        One matrix product decides; where two classes lie closer than its rounding, float64 differences decide,
        and of equals the lowest class index.

        Args:
            outputs: ``(batch, *shape)`` floating point; rows that are not finite decode to class 0.

        Returns:
            ``(batch,)`` int64.

        >>> import torch
        >>> labels = LabelSet([[0, 0], [0, 80], [80, 80]])
        >>> labels.nearest(torch.tensor([[10, 20], [30, 60], [70, 70]])).tolist()
        [0, 1, 2]
        """
        return self._on(outputs.device).nearest(outputs)

    def accepted(self, outputs: Tensor, classes: Tensor, threshold: float = 3.5) -> Tensor:
        """Whether the smooth L1 difference to the true label lies below the paper's threshold.

        Args:
            outputs: ``(batch, *shape)`` floating point.
            classes: ``(batch,)`` int64 true classes.
            threshold: the paper uses 3.5.

        Returns:
            ``(batch,)`` bool.

        One-hot labels lie so close together that an output of zeros is accepted as every class:

        >>> import torch
        >>> LabelSet(np.eye(3)).accepted(torch.zeros(3, 3), torch.arange(3)).tolist()
        [True, True, True]
        """
        from torch.nn import functional

        outputs = outputs.float()
        targets = self.targets_on(outputs.device)[classes]
        return functional.smooth_l1_loss(outputs, targets, reduction="none").flatten(1).mean(dim=1) < threshold

    def targets_on(self, device: torch.device) -> Tensor:
        """The targets as a float32 tensor on ``device``; copied there once."""
        return self._on(device).targets

    @cached_property
    def _decoders(self) -> dict[torch.device, Decoder]:
        return {}

    def _on(self, device: torch.device) -> Decoder:
        from labelbench.decoding import Decoder

        if device not in self._decoders:
            self._decoders[device] = Decoder.of(self.targets, device)
        return self._decoders[device]


def _sha256_of(targets: np.ndarray) -> str:
    digest = hashlib.sha256(repr(targets.shape).encode())
    digest.update(np.ascontiguousarray(targets, dtype="<f4").tobytes())
    return digest.hexdigest()


def _checked(given: object) -> np.ndarray:
    """A read-only float32 copy of ``given``, or a PluginError that says what is wrong with it."""
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise PluginError(f"label targets must be numbers; got dtype {array.dtype}")
    targets = np.array(array, dtype=np.float32, order="C")
    expected = "(classes, length) or (classes, side, side) with side a multiple of 16"
    if targets.ndim not in (2, 3) or targets.shape[0] < 2 or 0 in targets.shape:
        raise PluginError(f"label targets have shape {targets.shape}; expected {expected}, two classes or more")
    if targets.ndim == 3 and (targets.shape[1] != targets.shape[2] or targets.shape[1] % 16):
        raise PluginError(f"label targets have shape {targets.shape}; expected {expected}")
    if not np.isfinite(targets).all():
        bad = int((~np.isfinite(targets)).sum())
        raise PluginError(f"label targets hold {bad} value(s) that are not finite (NaN or infinite); expected numbers")
    seen: dict[bytes, int] = {}
    for index, row in enumerate(targets):
        first = seen.setdefault((row + 0.0).tobytes(), index)
        if first != index:
            raise PluginError(
                f"label targets of classes {first} and {index} are equal; no output could tell them apart, "
                "give each class its own"
            )
    targets.setflags(write=False)
    return targets
