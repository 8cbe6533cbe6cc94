"""The loop of every attack: gradient and step, on rows that are still worth it.

Between two looks of :class:`labelbench.attacks.pace.Pace` nothing waits for the host: counts and findings stay on the
device, and rows that are broken stand still until they are taken out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labelbench.attacks.attack import Attack, AttackResult
from labelbench.attacks.images import Images, put, tensor_of
from labelbench.attacks.losses import ascended
from labelbench.attacks.moves import advance, bounds, random_directions
from labelbench.attacks.pace import Pace
from labelbench.attacks.passes import Passes
from labelbench.attacks.rows import Rows, filled_up
from labelbench.errors import InputError
from labelbench.labels import LabelSet
from labelbench.networks import Network

NOT_ATTACKED = -1


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


@dataclass(frozen=True, eq=False)
class Followed:
    """A :class:`GradientSource` while its network is frozen."""

    passes: Passes
    labels: LabelSet
    is_copy: bool = False


class AttackLoop:
    """One attack on one set of images: settings, data, and what was found and counted so far.

    Args:
        attack: what to do.
        own: passes of the attacked network.
        labels: its decoder.
        followed: where gradients come from; with ``own`` itself, what its passes read is what the network reads.
        images: attacked.
        classes, targets: as :func:`labelbench.run_attack` takes them.
        pace: of the attack.
        keep_images: whether perturbed images are kept.
    """

    def __init__(
        self,
        attack: Attack,
        own: Passes,
        labels: LabelSet,
        followed: Followed,
        images: Images,
        classes: Tensor | np.ndarray,
        targets: Tensor | np.ndarray | None,
        pace: Pace,
        *,
        keep_images: bool,
    ) -> None:
        self.settings = attack
        self.own = own
        self.network: Network = own.network
        self.labels = labels
        self.followed = followed
        self.is_own = followed.passes is own and followed.labels is labels
        self.images = images
        self.pace = pace
        self.device = images.device
        self.classes = tensor_of(classes).to(self.device, torch.int64)
        self.targets = None if targets is None else tensor_of(targets).to(self.device, torch.int64)
        self.normalised = attack.units == "normalised"
        zero_one = torch.tensor([0.0, 1.0], device=self.device).view(2, 1, 1, 1).expand(2, 3, 1, 1)
        self.range = self.network.normalise(zero_one) if self.normalised else zero_one
        self.epsilons = np.array(attack.epsilons, dtype=np.float32)
        # The last place takes what fills batches.
        self.nowhere = len(attack.epsilons) * len(images)
        self.predictions = torch.full((self.nowhere + 1,), NOT_ATTACKED, device=self.device)
        self.perturbed: Tensor | None = None
        if keep_images:
            self.perturbed = torch.zeros(self.nowhere + 1, *images.pixels(np.arange(len(images))[:1]).shape[1:])
        self.queries = torch.zeros((), dtype=torch.int64, device=self.device)
        self.evaluated, self.unbroken, self.zero = torch.zeros(3, attack.steps, dtype=torch.int64, device=self.device)

    def survived(self) -> np.ndarray:
        """``(epsilons, n)`` bool: what the network still reads right."""
        return np.asarray(self._grid(self.predictions).numpy(force=True) == self.classes.numpy(force=True))

    def result(self) -> AttackResult:
        """What was found and counted."""
        return AttackResult(
            predictions=self._grid(self.predictions).numpy(force=True),
            gradients=self.evaluated.numpy(force=True),
            unbroken=self.unbroken.numpy(force=True),
            zero_gradients=self.zero.numpy(force=True),
            queries=int(self.queries),
            images=None if self.perturbed is None else self._grid(self.perturbed),
        )

    def _grid(self, found: Tensor) -> Tensor:
        return found[: self.nowhere].view(len(self.epsilons), len(self.images), *found.shape[1:])

    def attack(self, chosen: np.ndarray, pending: np.ndarray, restart: int) -> None:
        """Attack the images ``chosen`` at the epsilons that ``pending``, (epsilons, chosen), marks."""
        settings = self.settings
        rows = self._started(chosen, pending, restart)
        for step in range(settings.steps):
            if rows is None:
                return
            if step or settings.start == "random":
                self._differentiate(rows, step, self.followed)
            if settings.success == "any":
                self._mark_broken(rows)
                if self.pace.looks_after(step):
                    rows = self._looked_at(rows)
                    if rows is None:
                        return
            advance(settings, rows, step, broken_stand=settings.success == "any" and not self.pace.looks_always)
        if rows is not None:
            rows.read = torch.where(rows.active, self._decode(rows.points, rows.active), rows.read)
            self._record(rows)

    def _started(self, chosen: np.ndarray, pending: np.ndarray, restart: int) -> Rows | None:
        """Rows at their first points; at the clean image one gradient, evaluated here, serves all epsilons."""
        filled = filled_up(chosen, self.pace.size(len(chosen)))
        origin = self.images.pixels(filled)
        if self.normalised:
            origin = self.network.normalise(origin)
        picked = self._put(filled)
        classes = self.classes[picked]
        active = self._put(np.arange(len(filled)) < len(chosen))
        none = torch.full_like(classes, NOT_ATTACKED)
        clean = Rows(
            active=active,
            **dict.fromkeys(("low", "high", "points", "previous", "gradient"), origin),
            **dict.fromkeys(("index", "read", "epsilon"), none),
            total=torch.zeros_like(origin),
            classes=classes,
            targets=self._targets(picked, origin, classes, active),
        )
        which, image = pending.nonzero()
        if self.settings.start == "random":
            rows = self._rows(clean, chosen, which, image)
            directions = random_directions(self.settings, restart, chosen, origin)
            spread = directions[self._put(filled_up(image, len(rows.index)))]
            rows.points = spread.mul_(rows.epsilon).add_(rows.points).clamp_(rows.low, rows.high)
            return rows
        self._differentiate(clean, 0, Followed(self.own, self.labels) if self.followed.is_copy else self.followed)
        # Within a ball of radius 0 there is nothing but the image.
        still = self.epsilons[which] == 0
        if still.any():
            done = self._rows(clean, chosen, which[still], image[still])
            if not self.is_own:
                done.read = self._decode(done.points, done.active)
            self._record(done)
        return None if still.all() else self._rows(clean, chosen, which[~still], image[~still])

    def _rows(self, clean: Rows, chosen: np.ndarray, which: np.ndarray, image: np.ndarray) -> Rows:
        """A row for each pair of an epsilon and one of the chosen images, at the image, in a batch filled up."""
        count, size = len(which), self.pace.size(len(which))
        rows = clean.take(self._put(filled_up(image, size)))
        index = filled_up(which * len(self.images) + chosen[image], size)
        index[count:] = self.nowhere
        rows.index = self._put(index)
        rows.active = self._put(np.arange(size) < count)
        rows.epsilon = self._put(self.epsilons[filled_up(which, size)]).view(-1, 1, 1, 1)
        rows.low, rows.high = bounds(self.settings, rows.points, rows.epsilon, self.range)
        return rows

    def _put(self, array: np.ndarray) -> Tensor:
        return put(array, self.device)

    def _targets(self, picked: Tensor, origin: Tensor, classes: Tensor, active: Tensor) -> Tensor:
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
        self.queries += active.sum()
        return nearest_others(self.labels, self.own.outputs(self._normalised(origin)), classes, rank)[:, rank - 1]

    def _normalised(self, points: Tensor) -> Tensor:
        return points if self.normalised else self.network.normalise(points)

    def _decode(self, points: Tensor, counted: Tensor) -> Tensor:
        """Class that the attacked network reads at each point; those ``counted``, (rows,) bool, were asked for."""
        self.queries += counted.sum()
        return self.labels.nearest(self.own.outputs(self._normalised(points)))

    def _differentiate(self, rows: Rows, step: int, source: Followed) -> None:
        """Set the gradient of the ascended value, and the class the source reads there.

        The gradient is that by the normalised points. By pixels it has other sizes in each channel but the same
        signs, and no step looks at more than those.
        """
        points = rows.points if self.normalised else source.passes.network.normalise(rows.points)
        targets = rows.targets if self.settings.targeted else None
        gradient, outputs = source.passes.gradient(
            points, lambda outputs: ascended(self.settings.loss, source.labels, outputs, rows.classes, targets)
        )
        # A direction that is not a number is no direction.
        rows.gradient = gradient.nan_to_num_()
        rows.read = torch.where(rows.active, source.labels.nearest(outputs), rows.read)
        unbroken = rows.active & (rows.read == rows.classes)
        self.evaluated[step] += rows.active.sum()
        self.unbroken[step] += unbroken.sum()
        self.zero[step] += ((rows.gradient.abs().amax((1, 2, 3)) == 0) & unbroken).sum()

    def _mark_broken(self, rows: Rows) -> None:
        """Rows that are read as another class are under attack no more; what another source breaks is checked."""
        broken = rows.active & (rows.read != rows.classes)
        if not self.is_own and self.pace.looks_always:
            if broken.any():
                rows.read[broken] = self._decode(rows.points[broken], broken)
        elif not self.is_own:
            rows.read = torch.where(broken, self._decode(rows.points, broken), rows.read)
        rows.active = rows.active & (rows.read == rows.classes)

    def _looked_at(self, rows: Rows) -> Rows | None:
        """What is broken is recorded and taken out, where that makes the batch smaller; None if nothing is left."""
        kept = np.flatnonzero(rows.active.numpy(force=True))
        size = self.pace.size(len(kept))
        if len(kept) and size == len(rows.active):
            return rows
        self._record(rows)
        if not len(kept):
            return None
        rows = rows.take(self._put(filled_up(kept, size)))
        rows.active[len(kept) :] = False
        rows.index[len(kept) :] = self.nowhere
        return rows

    def _record(self, rows: Rows) -> None:
        self.predictions[rows.index] = rows.read
        if self.perturbed is not None:
            pixels = rows.points * self.network.std + self.network.mean if self.normalised else rows.points
            self.perturbed[rows.index.cpu()] = pixels.detach().cpu()
