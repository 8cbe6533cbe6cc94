"""The loop of every attack: gradient, step, projection, on rows that are still worth it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from labelbench.attack_losses import ascended
from labelbench.errors import InputError
from labelbench.labels import LabelSet
from labelbench.networks import Network

if TYPE_CHECKING:
    from labelbench.attacks import Attack

NOT_ATTACKED = -1


def to_pixels(images: Tensor | np.ndarray, device: torch.device) -> Tensor:
    """Images as the engine takes them, to ``(n, 3, height, width)`` float32 pixels in [0, 1] on ``device``."""
    given = torch.as_tensor(np.array(images) if isinstance(images, np.ndarray) else images)
    if given.dtype == torch.uint8:
        given = given.to(device).permute(0, 3, 1, 2).float() / 255
    return given.to(device, torch.float32)


def nearest_others(labels: LabelSet, outputs: Tensor, classes: Tensor, count: int) -> Tensor:
    """The ``count`` classes nearest to each output that are not its true class, ``(batch, count)`` int64."""
    others = labels.logits(outputs).scatter(1, classes[:, None], -torch.inf)
    return others.topk(count, dim=1).indices


@dataclass(eq=False)
class _Rows:
    """The perturbed images of one batch that are still under attack; all tensors have one entry per image."""

    index: Tensor
    origin: Tensor
    points: Tensor
    previous: Tensor
    total: Tensor
    epsilon: Tensor
    classes: Tensor
    targets: Tensor

    def take(self, kept: Tensor) -> _Rows:
        return _Rows(*(getattr(self, field.name)[kept] for field in fields(self)))


class AttackLoop:
    """One attack on one set of images: settings, data, and what was found and counted so far."""

    def __init__(
        self, attack: Attack, network: Network, labels: LabelSet, images: Any, classes: Any, targets: Any, keep: bool
    ) -> None:
        self.attack_settings = attack
        self.network = network
        self.labels = labels
        self.images = images
        self.device = network.mean.device
        self.classes = torch.as_tensor(np.asarray(classes), dtype=torch.int64).to(self.device)
        self.targets = None if targets is None else torch.as_tensor(np.asarray(targets)).to(self.device)
        self.normalised = attack.units == "normalised"
        zero_one = torch.tensor([0.0, 1.0], device=self.device).view(2, 1, 1, 1).expand(2, 3, 1, 1)
        self.range = network.normalise(zero_one) if self.normalised else zero_one
        self.predictions = np.full((len(attack.epsilons), len(images)), NOT_ATTACKED, dtype=np.int64)
        self.perturbed: Tensor | None = None
        if keep:
            shape = to_pixels(images[:1], self.device).shape[1:]
            self.perturbed = torch.zeros(len(attack.epsilons), len(images), *shape)
        self.queries = 0
        self.evaluated = np.zeros(attack.steps, dtype=np.int64)
        self.zero = np.zeros(attack.steps, dtype=np.int64)

    def attack(self, chosen: np.ndarray, pending: np.ndarray, generator: torch.Generator) -> None:
        """Attack the images ``chosen`` at the epsilons that ``pending``, (epsilons, chosen), marks."""
        attack = self.attack_settings
        origin = to_pixels(self.images[chosen], self.device)
        if self.normalised:
            origin = self.network.normalise(origin)
        picked = torch.from_numpy(chosen).to(self.device)
        classes = self.classes[picked]
        targets = self._targets(picked, origin, classes)

        which, image = (torch.from_numpy(axis).to(self.device) for axis in pending.nonzero())
        # Where each row's finding belongs: flat index into (epsilons, images).
        index = which * self.predictions.shape[1] + picked[image]
        epsilon = torch.tensor(attack.epsilons, dtype=torch.float32, device=self.device)[which].view(-1, 1, 1, 1)
        points = origin[image]
        rows = _Rows(index, points, points, points, torch.zeros_like(points), epsilon, classes[image], targets[image])
        shared: tuple[Tensor, Tensor] | None = None
        if attack.start == "random":
            noise = torch.rand(points.shape, generator=generator).to(self.device) * 2 - 1
            rows.points = self._inside(rows, points + epsilon * noise)
        else:
            # Every epsilon starts at the clean image, so its gradient is evaluated once for all of them.
            gradient, outputs = self._gradient(origin, classes, targets, 0)
            shared = gradient[image], self.labels.nearest(outputs)[image]
            # Within a ball of radius 0 there is nothing but the image.
            rows, shared = self._settle(rows, shared, (epsilon == 0).flatten())
        for step in range(attack.steps):
            if not len(rows.index):
                return
            if step or shared is None:
                gradient, outputs = self._gradient(rows.points, rows.classes, rows.targets, step)
                shared = gradient, self.labels.nearest(outputs) if attack.success == "any" else rows.classes
            if attack.success == "any":
                rows, shared = self._settle(rows, shared, shared[1] != rows.classes)
            self._advance(rows, shared[0], step)
        with torch.no_grad():
            predictions = self.labels.nearest(self._forward(rows.points))
        self.queries += len(rows.index)
        self._record(rows, predictions)

    def _targets(self, picked: Tensor, origin: Tensor, classes: Tensor) -> Tensor:
        """Classes aimed at; the true ones, which nothing reads, if the attack is untargeted."""
        if not self.attack_settings.targeted:
            return classes
        if self.targets is not None:
            return self.targets[picked]
        rank = self.attack_settings.target_rank
        if rank >= self.labels.num_classes:
            raise InputError(f"attack target_rank is {rank}; the label has {self.labels.num_classes - 1} other classes")
        with torch.no_grad():
            outputs = self._forward(origin)
        self.queries += len(origin)
        return nearest_others(self.labels, outputs, classes, rank)[:, rank - 1]

    def _forward(self, points: Tensor) -> Tensor:
        outputs: Tensor = self.network.forward_normalised(points) if self.normalised else self.network(points)
        return outputs

    def _gradient(self, points: Tensor, classes: Tensor, targets: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Gradient of the ascended value by the points, and the outputs there."""
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            outputs = self._forward(points)
            aimed = targets if self.attack_settings.targeted else None
            value = ascended(self.attack_settings.loss, self.labels, outputs, classes, aimed)
            (gradient,) = torch.autograd.grad(value.sum(), points)
        # A direction that is not a number is no direction.
        gradient = gradient.nan_to_num_()
        self.evaluated[step] += len(points)
        self.zero[step] += int((gradient.flatten(1) == 0).all(dim=1).sum())
        return gradient, outputs.detach()

    def _advance(self, rows: _Rows, gradient: Tensor, step: int) -> None:
        """One step along the sign of the gradient, in place."""
        attack = self.attack_settings
        rows.total = rows.total + gradient if attack.gradient == "accumulated" else gradient
        moved = self._inside(rows, rows.points + rows.epsilon * attack.step_at(step) * rows.total.sign())
        if attack.momentum and step:
            inertia = attack.momentum * (rows.points - rows.previous)
            moved = self._inside(rows, rows.points + (1 - attack.momentum) * (moved - rows.points) + inertia)
        rows.previous, rows.points = rows.points, moved

    def _inside(self, rows: _Rows, points: Tensor) -> Tensor:
        attack = self.attack_settings
        if attack.projection == "linf":
            points = points.clamp(rows.origin - rows.epsilon, rows.origin + rows.epsilon)
        if attack.clamp == "range":
            points = points.clamp(self.range[0], self.range[1])
        elif attack.clamp == "image":
            points = points.clamp(rows.origin.amin((1, 2, 3), keepdim=True), rows.origin.amax((1, 2, 3), keepdim=True))
        return points

    def _settle(self, rows: _Rows, shared: tuple[Tensor, Tensor], done: Tensor) -> tuple[_Rows, tuple[Tensor, Tensor]]:
        """Record the rows that are done; give back the others, with their gradients and predictions."""
        if not done.any():
            return rows, shared
        self._record(rows.take(done), shared[1][done])
        return rows.take(~done), (shared[0][~done], shared[1][~done])

    def _record(self, rows: _Rows, predictions: Tensor) -> None:
        index = rows.index.cpu()
        self.predictions.reshape(-1)[index.numpy()] = predictions.cpu().numpy()
        if self.perturbed is not None:
            pixels = rows.points * self.network.std + self.network.mean if self.normalised else rows.points
            self.perturbed.flatten(0, 1)[index] = pixels.detach().cpu()
