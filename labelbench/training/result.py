"""What comes of a training: its learning curve, and the finished network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labelbench.networks import Network
from labelbench.runs import RunSpec


@dataclass(frozen=True)
class Epoch:
    """One line of the learning curve.

    Attributes:
        epoch: epochs done, from 1; each may be several passes over few images (``Recipe.minimum_steps``).
        learning_rate: of the last step.
        train_loss, validation_loss: mean training loss over augmented training, and over validation images.
        validation_accuracy: share of validation images whose nearest label is the true one, 0 to 1.
        seconds: wall time of the epoch.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float

    def is_better_than(self, other: Epoch) -> bool:
        """Whether this is the epoch to keep of the two: better validation accuracy, or as good with a lower loss."""
        ours, theirs = ((each.validation_accuracy, -each.validation_loss) for each in (self, other))
        return ours > theirs


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training.

    Attributes:
        run: what was trained.
        network: in eval mode on the run's device, with the weights of the best epoch.
        history: the learning curve.
        best_epoch: the epoch with the best validation accuracy (ties: lower loss), 0 if there is none.
        diverged: True if the loss stopped being finite; training ended there.
        computed: how its steps were computed beyond what the run says, as JSON values (whether they were compiled and
            captured, and why not); empty where there was no choice, and for a network that was read back.
    """

    run: RunSpec
    network: Network
    history: tuple[Epoch, ...]
    best_epoch: int
    diverged: bool
    computed: Mapping[str, Any] = field(default_factory=dict)
