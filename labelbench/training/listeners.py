"""Who is told of the course of a training, and what they may look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from labelbench.runs import RunSpec
from labelbench.training.result import Epoch, Trained


class Course(ABC):
    """A training under way, as a listener sees it.

    Attributes:
        run: what is trained.
        identity: what its files must agree with: run, label and images.
        history: the learning curve so far.
        best_epoch: the best of it, 0 if there is none.
        steps_done, steps: steps taken, and steps in all.
        images_per_second: of the epoch under way, or of the one just done.
    """

    run: RunSpec
    identity: dict[str, str]
    history: list[Epoch]
    best_epoch: int
    steps_done: int
    steps: int
    images_per_second: float

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that decides the rest: see :meth:`labelbench.training.trainer.Trainer.state_dict`."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` was, of a trainer of the same run, labels and images."""


class Listener:
    """Told of the course of a training; a subclass overrides what it wants to hear of.

    A listener looks and does not change. What it raises ends the training. On a GPU a step that it is told of has been
    begun and need not be done: reading a tensor waits for it.
    """

    def on_start(self, course: Course) -> None:
        """The first step is about to be taken, or the first after a checkpoint."""

    def on_step(self, course: Course) -> None:
        """A step was taken."""

    def on_epoch(self, course: Course, epoch: Epoch) -> None:
        """An epoch was validated; the weights are as they were then."""

    def on_note(self, course: Course, text: str) -> None:
        """Something the reader should know, in a sentence: that a network is not compiled after all, say."""

    def on_end(self, course: Course, trained: Trained) -> None:
        """The training is done."""
