"""The loop of every attack: gradient, step, projection, on rows that are still worth it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from labelbench.attacks.losses import ascended
from labelbench.errors import InputError
from labelbench.labels import LabelSet
from labelbench.networks import Network

if TYPE_CHECKING:
    from labelbench.attacks.engine import Attack

NOT_ATTACKED = -1


def to_pixels(images: Tensor | np.ndarray, device: torch.device) -> Tensor:
    """Images as the engine takes them, to ``(n, 3, height, width)`` float32 pixels in [0, 1] on ``device``."""
    given = torch.as_tensor(np.array(images) if isinstance(images, np.ndarray) else images)
    if given.dtype == torch.uint8:
        given = given.to(device).permute(0, 3, 1, 2).float() / 255
    return given.to(device, torch.float32)


def _indices(classes: Tensor | np.ndarray) -> Tensor:
    """Class indices as int64; arrays are copied, since they may be read-only."""
    return torch.as_tensor(classes if isinstance(classes, Tensor) else np.array(classes), dtype=torch.int64)


def _largest(gradient: Tensor) -> Tensor:
    """Largest absolute value in the gradient of each image."""
    return gradient.abs().amax((1, 2, 3))


def nearest_others(labels: LabelSet, outputs: Tensor, classes: Tensor, count: int) -> Tensor:
    """The ``count`` classes nearest to each output that are not its true class, ``(batch, count)`` int64."""
    others = labels.logits(outputs).scatter(1, classes[:, None], -torch.inf)
    return others.topk(count, dim=1).indices


@dataclass(frozen=True)
class GradientSource:
    """What gradients are taken from: the attacked network itself, a faster copy, or another network (transfer).

    Attributes:
        network: on the device of the attacked network.
        labels: its decoder.
        is_copy: whether it approximates the attacked network, which then gives the gradient at the clean image itself:
            that one serves all epsilons, and weighs most.
    """

    network: Network
    labels: LabelSet
    is_copy: bool = False


@dataclass(eq=False)
class _Rows:
    """The perturbed images of one batch that are still under attack; all tensors have one entry per image.

    ``index`` says where a row's finding belongs, ``low`` and ``high`` how far its points may go, ``gradient`` is that
    at ``points``, and ``read`` the class decoded there, or -1 where it was not decoded.
    """

    index: Tensor
    low: Tensor
    high: Tensor
    points: Tensor
    previous: Tensor
    gradient: Tensor
    total: Tensor
    read: Tensor
    epsilon: Tensor
    classes: Tensor
    targets: Tensor

    def take(self, kept: Tensor) -> _Rows:
        """Some of the rows; what was one tensor under several names still is one."""
        tensors = [getattr(self, field.name) for field in fields(self)]
        taken: dict[int, Tensor] = {}
        for tensor in tensors:
            if id(tensor) not in taken:
                taken[id(tensor)] = tensor[kept]
        return _Rows(*(taken[id(tensor)] for tensor in tensors))


class AttackLoop:
    """One attack on one set of images: settings, data, and what was found and counted so far.

    The arguments are those of :func:`labelbench.run_attack`.
    """

    def __init__(
        self,
        attack: Attack,
        network: Network,
        labels: LabelSet,
        source: GradientSource | None,
        images: Any,
        classes: Any,
        targets: Any,
        keep_images: bool,
    ) -> None:
        self.settings = attack
        self.network = network
        self.labels = labels
        self.own = GradientSource(network, labels)
        self.source = source or self.own
        self.images = images
        self.device = network.mean.device
        self.classes = _indices(classes).to(self.device)
        self.targets = None if targets is None else _indices(targets).to(self.device)
        self.normalised = attack.units == "normalised"
        zero_one = torch.tensor([0.0, 1.0], device=self.device).view(2, 1, 1, 1).expand(2, 3, 1, 1)
        self.range = network.normalise(zero_one) if self.normalised else zero_one
        self.predictions = np.full((len(attack.epsilons), len(images)), NOT_ATTACKED, dtype=np.int64)
        self.perturbed: Tensor | None = None
        if keep_images:
            shape = to_pixels(images[:1], self.device).shape[1:]
            self.perturbed = torch.zeros(len(attack.epsilons), len(images), *shape)
        self.queries = 0
        self.evaluated = np.zeros(attack.steps, dtype=np.int64)
        self.unbroken = np.zeros(attack.steps, dtype=np.int64)
        self.zero = np.zeros(attack.steps, dtype=np.int64)

    @property
    def is_own_source(self) -> bool:
        """Whether what a gradient's forward pass reads is what the attacked network reads."""
        return self.source is self.own

    def attack(self, chosen: np.ndarray, pending: np.ndarray, restart: int) -> None:
        """Attack the images ``chosen`` at the epsilons that ``pending``, (epsilons, chosen), marks."""
        settings = self.settings
        rows = self._started(chosen, pending, restart)
        for step in range(settings.steps):
            if step or settings.start == "random":
                self._differentiate(rows, step, self.source)
            if settings.success == "any":
                rows = self._without_broken(rows)
            if not len(rows.index):
                return
            self._advance(rows, step)
        rows.read = self._decode(rows.points)
        self._record(rows)

    def _started(self, chosen: np.ndarray, pending: np.ndarray, restart: int) -> _Rows:
        """Rows at their first points; at the clean image one gradient, evaluated here, serves all epsilons."""
        origin = to_pixels(self.images[chosen], self.device)
        if self.normalised:
            origin = self.network.normalise(origin)
        picked = torch.from_numpy(chosen).to(self.device)
        classes = self.classes[picked]
        none = torch.full_like(classes, NOT_ATTACKED)
        targets = self._targets(picked, origin, classes)
        epsilons = torch.tensor(self.settings.epsilons, dtype=torch.float32, device=self.device)
        clean = _Rows(
            **dict.fromkeys(("low", "high", "points", "previous", "gradient"), origin),
            **dict.fromkeys(("index", "read", "epsilon"), none),
            total=torch.zeros_like(origin),
            classes=classes,
            targets=targets,
        )
        if self.settings.start == "image":
            self._differentiate(clean, 0, self.own if self.source.is_copy else self.source)
        which, image = (torch.from_numpy(axis).to(self.device) for axis in pending.nonzero())
        rows = clean.take(image)
        rows.index = which * self.predictions.shape[1] + picked[image]
        rows.epsilon = epsilons[which].view(-1, 1, 1, 1)
        rows.low, rows.high = self._bounds(rows.points, rows.epsilon)
        if self.settings.start == "random":
            # Drawn for each image on its own, so that a start depends on no other image and on no batch size.
            noise = np.empty(origin.shape, np.float32)
            for index, drawn in zip(chosen, noise, strict=True):
                np.random.default_rng((self.settings.seed, restart, int(index))).random(out=drawn, dtype=np.float32)
            # Laid out as the image is: adding two layouts takes several times as long.
            spread = torch.empty_like(origin).copy_(torch.from_numpy(noise)).mul_(2).sub_(1)[image]
            rows.points = spread.mul_(rows.epsilon).add_(rows.points).clamp_(rows.low, rows.high)
            return rows
        # Within a ball of radius 0 there is nothing but the image.
        still = (rows.epsilon == 0).flatten()
        if still.any():
            done = rows.take(still)
            if not self.is_own_source:
                done.read = self._decode(done.points)
            self._record(done)
            rows = rows.take(~still)
        return rows

    def _targets(self, picked: Tensor, origin: Tensor, classes: Tensor) -> Tensor:
        """Classes aimed at; the true ones, which nothing reads, if the attack is untargeted."""
        if not self.settings.targeted:
            return classes
        if self.targets is not None:
            return self.targets[picked]
        rank = self.settings.target_rank
        if rank >= self.labels.num_classes:
            raise InputError(
                f"attack target_rank is {rank}; expected 1 to {self.labels.num_classes - 1}, the label's other classes"
            )
        with torch.no_grad():
            outputs = self._outputs(self.network, origin)
        self.queries += len(origin)
        return nearest_others(self.labels, outputs, classes, rank)[:, rank - 1]

    def _outputs(self, network: Network, points: Tensor) -> Tensor:
        outputs: Tensor = network.forward_normalised(points) if self.normalised else network(points)
        return outputs

    def _decode(self, points: Tensor) -> Tensor:
        """Class that the attacked network reads at each point."""
        self.queries += len(points)
        with torch.no_grad():
            return self.labels.nearest(self._outputs(self.network, points))

    def _differentiate(self, rows: _Rows, step: int, source: GradientSource) -> None:
        """Set the gradient of the ascended value, and the class the source reads there.

        The gradient is that by the normalised points. By pixels it has other sizes in each channel but the same
        signs, and no step looks at more than those.
        """
        network, labels = source.network, source.labels
        points = (rows.points if self.normalised else network.normalise(rows.points)).detach()
        with torch.enable_grad():
            outputs = network.forward_normalised(points.requires_grad_())
            targets = rows.targets if self.settings.targeted else None
            value = ascended(self.settings.loss, labels, outputs, rows.classes, targets)
            (gradient,) = torch.autograd.grad(value.sum(), points)
        largest = _largest(gradient)
        if not largest.isfinite().all():
            # A direction that is not a number is no direction.
            largest = _largest(gradient.nan_to_num_())
        rows.gradient = gradient
        rows.read = labels.nearest(outputs.detach())
        unbroken = rows.read == rows.classes
        self.evaluated[step] += len(points)
        self.unbroken[step] += int(unbroken.sum())
        self.zero[step] += int(((largest == 0) & unbroken).sum())

    def _without_broken(self, rows: _Rows) -> _Rows:
        """Record the rows that are broken, give back the others; what another source breaks is checked."""
        broken = rows.read != rows.classes
        if not self.is_own_source and broken.any():
            rows.read[broken] = self._decode(rows.points[broken])
            broken = rows.read != rows.classes
        if not broken.any():
            return rows
        self._record(rows.take(broken))
        return rows.take(~broken)

    def _advance(self, rows: _Rows, step: int) -> None:
        """One step along the sign of the gradient."""
        settings = self.settings
        rows.total = rows.total + rows.gradient if settings.gradient == "accumulated" else rows.gradient
        size = rows.epsilon * settings.step_at(step)
        moved = rows.total.sign().mul_(size).add_(rows.points).clamp_(rows.low, rows.high)
        if settings.momentum and step:
            inertia = (rows.points - rows.previous).mul_(settings.momentum)
            moved = (moved - rows.points).mul_(1 - settings.momentum).add_(rows.points).add_(inertia)
            moved.clamp_(rows.low, rows.high)
        rows.previous, rows.points = rows.points, moved

    def _bounds(self, origin: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
        """Least and greatest values of points around ``origin``, broadcastable to it."""
        settings = self.settings
        if settings.projection == "linf":
            low, high = origin - epsilon, origin + epsilon
        else:
            low, high = torch.full_like(epsilon, -torch.inf), torch.full_like(epsilon, torch.inf)
        if settings.clamp == "none":
            return low, high
        least, most = self.range
        if settings.clamp == "image":
            least, most = origin.amin((1, 2, 3), keepdim=True), origin.amax((1, 2, 3), keepdim=True)
        return low.clamp(least, most), high.clamp(least, most)

    def _record(self, rows: _Rows) -> None:
        index = rows.index.cpu()
        self.predictions.reshape(-1)[index.numpy()] = rows.read.cpu().numpy()
        if self.perturbed is not None:
            pixels = rows.points * self.network.std + self.network.mean if self.normalised else rows.points
            self.perturbed.flatten(0, 1)[index] = pixels.detach().cpu()
