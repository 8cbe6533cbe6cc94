"""What an attack descends or ascends: one value per image, computed through the decoder of any label set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from labelbench.errors import InputError, UnknownName
from labelbench.labels import LabelSet

_Function = Callable[[LabelSet, Tensor, Tensor], Tensor]
_TargetedFunction = Callable[[LabelSet, Tensor, Tensor, Tensor], Tensor]
# Keeps the denominators of DLR away from zero, as in its authors' code.
_DLR_FLOOR = 1e-12


@dataclass(frozen=True)
class AttackLoss:
    """One loss, untargeted and targeted; an attack always ascends its value.

    Attributes:
        untargeted: ``(labels, outputs, classes) -> (batch,)``: grows as outputs leave the true classes.
        targeted: ``(labels, outputs, classes, targets) -> (batch,)``: grows as outputs approach the targets.
        min_classes: classes needed untargeted, and targeted.
    """

    untargeted: _Function
    targeted: _TargetedFunction
    min_classes: tuple[int, int] = (2, 2)


def loss_named(name: str) -> AttackLoss:
    """The loss of that name, one of :data:`LOSSES`.

    Raises:
        UnknownName: there is none.
    """
    if name not in LOSSES:
        raise UnknownName("attack loss", name, LOSSES)
    return LOSSES[name]


def ascended(name: str, labels: LabelSet, outputs: Tensor, classes: Tensor, targets: Tensor | None = None) -> Tensor:
    """The value that an attack with the loss ``name`` ascends.

    Args:
        name: key of :data:`LOSSES`.
        labels: decoder of the outputs.
        outputs: ``(batch, *label shape)`` floating point.
        classes: ``(batch,)`` int64 true classes.
        targets: ``(batch,)`` int64 classes a targeted attack aims at, none of them the true one; None if untargeted.

    Returns:
        ``(batch,)`` float32, differentiable; the value of an image depends on no other image.

    Raises:
        InputError: the label has too few classes for this loss.
    """
    loss = loss_named(name)
    needed = loss.min_classes[targets is not None]
    if labels.num_classes < needed:
        kind = "untargeted" if targets is None else "targeted"
        raise InputError(
            f"attack loss {name!r}, {kind}, needs {needed} classes; the label has {labels.num_classes}: choose margin"
        )
    if targets is None:
        return loss.untargeted(labels, outputs, classes)
    return loss.targeted(labels, outputs, classes, targets)


def _and_back(untargeted: _Function) -> AttackLoss:
    """A loss whose targeted form descends towards the target's class what the untargeted one ascends."""
    return AttackLoss(untargeted, lambda labels, outputs, classes, targets: -untargeted(labels, outputs, targets))


def _log_odds_against(logits: Tensor, classes: Tensor) -> Tensor:
    """U with cross-entropy = log(1 + exp(u)): log-sum-exp of the other classes' logits minus the class's own.

    Cross-entropy and u have the same gradient up to a positive factor per image, 1 / (1 + exp(-u)); that factor is
    what underflows to zero where a decoder is sure, so u is what an attack can follow.
    """
    own, others = _own_and_others(logits, classes)
    return others.logsumexp(dim=1) - own


def _cross_entropy(labels: LabelSet, outputs: Tensor, classes: Tensor) -> Tensor:
    return _log_odds_against(labels.logits(outputs), classes)


def _plain_cross_entropy(labels: LabelSet, outputs: Tensor, classes: Tensor) -> Tensor:
    return functional.cross_entropy(-labels.distances(outputs), classes, reduction="none")


def _margin(labels: LabelSet, outputs: Tensor, classes: Tensor) -> Tensor:
    own, others = _own_and_others(labels.logits(outputs), classes)
    return others.amax(dim=1) - own


def _margin_targeted(labels: LabelSet, outputs: Tensor, classes: Tensor, targets: Tensor) -> Tensor:
    logits = labels.logits(outputs)
    return _picked(logits, targets) - _picked(logits, classes)


def _dlr(labels: LabelSet, outputs: Tensor, classes: Tensor) -> Tensor:
    logits = labels.logits(outputs)
    own, others = _own_and_others(logits, classes)
    top = logits.topk(3, dim=1).values
    return (others.amax(dim=1) - own) / (top[:, 0] - top[:, 2] + _DLR_FLOOR)


def _dlr_targeted(labels: LabelSet, outputs: Tensor, classes: Tensor, targets: Tensor) -> Tensor:
    logits = labels.logits(outputs)
    top = logits.topk(4, dim=1).values
    spread = top[:, 0] - (top[:, 2] + top[:, 3]) / 2
    return (_picked(logits, targets) - _picked(logits, classes)) / (spread + _DLR_FLOOR)


def _picked(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None])[:, 0]


def _own_and_others(logits: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of the given classes, ``(batch,)``, and all logits with those at minus infinity."""
    own = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, classes[:, None], True)
    return _picked(logits, classes), logits.masked_fill(own, -torch.inf)


LOSSES = {
    # What the network was trained with, towards or away from one class's target (the paper's attack).
    "training": _and_back(LabelSet.loss_of),
    # On decoded logits, LabelSet.logits.
    "cross-entropy": _and_back(_cross_entropy),
    # Difference of squared distances to the nearest other (or the aimed at) and the true target, times logit_scale.
    "margin": AttackLoss(_margin, _margin_targeted),
    # Difference of logits ratio, Croce and Hein 2020, equations 6 and 7.
    "dlr": AttackLoss(_dlr, _dlr_targeted, min_classes=(3, 4)),
    # Softmax over minus squared distances as they are: what a library that knows no decoder would use.
    "plain-cross-entropy": _and_back(_plain_cross_entropy),
}
