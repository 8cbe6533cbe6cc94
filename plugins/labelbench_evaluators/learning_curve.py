"""How fast and how steadily a network learns, from the curve that its training left: nothing is computed again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from labelbench import Context, Evaluator, Headline, Measurement, Score, Section, hookimpl

if TYPE_CHECKING:
    from labelbench import Trained

LEVELS = (0.5, 0.7, 0.9)
CURVES = ("epoch", "learning_rate", "train_loss", "validation_loss", "validation_accuracy")


@dataclass(frozen=True)
class LearningCurve(Evaluator):
    """Validation accuracy over training (paper, section 4.2: constant labels train with difficulty).

    A training was difficult if it diverged; if its best accuracy stayed below ``chances`` times that of guessing; if
    over ``late`` of its epochs had passed when it first was ``level`` of the way from guessing to its own best; or if
    its accuracy fell by more than ``drop`` from one epoch to the next in over ``often`` of its epochs. Its own best is
    the measure, so that a label is not called difficult for being less accurate, only for getting there late or
    unsteadily; and half of the way, since the last part comes late wherever the learning rate falls to the end.

    Attributes:
        chances: multiple of the accuracy of guessing, one in as many as there are classes.
        late, level: shares of the epochs, and of the way from the accuracy of guessing to the best.
        drop, often: points of accuracy as a share, and share of the epochs.
        fewest: epochs below which lateness and steadiness are not judged.
    """

    chances: float = 2.0
    late: float = 0.5
    level: float = 0.5
    drop: float = 0.1
    often: float = 0.1
    fewest: int = 5
    copes_with_divergence: ClassVar[bool] = True
    headline = (Headline("epochs-to-50%", "epochs to 50 %", "Speed of learning"),)
    section = Section("Learning curves", "How fast is each label learnt?", order=30)
    explanations = MappingProxyType(
        {f"epochs-to-{level:.0%}": f"first epoch whose validation accuracy is {level:.0%} or more" for level in LEVELS}
        | {
            "area": "mean of the validation accuracy over all epochs; its note says why a training was difficult: it "
            "diverged, its best stayed below twice guessing, it was half of the way from guessing to its best only in "
            "the second half, or its accuracy fell by over 10 points in more than a tenth of its epochs"
        }
    )

    def evaluate(self, context: Context) -> Measurement:
        """Scores of the curve, the curve itself, and in the details whether training was difficult, in a sentence."""
        trained = context.trained()
        if context.run.weights:
            names = (*(f"epochs-to-{level:.0%}" for level in LEVELS), "area")
            return Measurement(tuple(Score(name, None, note="trained elsewhere; no curve was kept") for name in names))
        accuracy = np.array([line.validation_accuracy for line in trained.history])
        reasons = self.difficulties(accuracy, context.labels.num_classes, trained)
        sentence = "training was difficult: " + "; ".join(reasons) if reasons else ""
        area = None if trained.diverged else float(accuracy.mean())
        scores = [_epochs_to(level, accuracy, trained) for level in LEVELS]
        scores.append(Score("area", area, "share", True, note=sentence))
        details = {
            "difficult": sentence,
            "reasons": reasons,
            "best": {"epoch": trained.best_epoch, "validation_accuracy": float(accuracy.max(initial=0.0))},
            "diverged": trained.diverged,
        }
        arrays = {name: np.array([getattr(line, name) for line in trained.history]) for name in CURVES}
        arrays["epoch"] = arrays["epoch"].astype(np.int32)
        return Measurement(tuple(scores), arrays, details)

    def difficulties(self, accuracy: np.ndarray, num_classes: int, trained: Trained) -> list[str]:
        """Why a training was difficult, in words; empty if it was not.

        Args:
            accuracy: ``(epochs,)`` validation accuracy, 0 to 1.
            num_classes: classes to guess from.
            trained: says whether it diverged.
        """
        epochs = len(accuracy)
        if trained.diverged:
            return [f"the loss stopped being finite in epoch {epochs + 1}"]
        best = float(accuracy.max())
        reasons = []
        # With two classes twice the accuracy of guessing cannot be passed: half of the way from guessing counts there.
        guess = 1 / num_classes
        if best < min(self.chances * guess, (1 + guess) / 2):
            reasons.append(f"its best validation accuracy is {best:.1%}, and guessing gives {guess:.1%}")
        if epochs < self.fewest:
            return reasons
        reached = int(np.argmax(accuracy >= guess + self.level * (best - guess))) + 1
        if reached > math.ceil(self.late * epochs):
            reasons.append(
                f"{self.level:.0%} of the way from guessing to its best validation accuracy came only at epoch "
                f"{reached} of {epochs}"
            )
        drops = int((np.diff(accuracy) < -self.drop).sum())
        if drops > self.often * epochs:
            reasons.append(
                f"validation accuracy fell by more than {100 * self.drop:.0f} points {drops} times in {epochs} epochs"
            )
        return reasons


def _epochs_to(level: float, accuracy: np.ndarray, trained: Trained) -> Score:
    name = f"epochs-to-{level:.0%}"
    reached = np.flatnonzero(accuracy >= level)
    if len(reached):
        return Score(name, int(reached[0]) + 1, "epochs", higher_is_better=False)
    best = "no epoch was finished"
    if len(accuracy):
        best = f"the best is {accuracy.max():.1%}, at epoch {accuracy.argmax() + 1} of {len(accuracy)}"
    ending = ", then the training diverged" if trained.diverged else ""
    return Score(name, None, "epochs", higher_is_better=False, note=f"never reached: {best}{ending}")


def learning_curve() -> LearningCurve:
    """Epochs to 50, 70 and 90 % validation accuracy, the area under the curve, and whether training was difficult."""
    return LearningCurve()


@hookimpl
def register_evaluators() -> Mapping[str, Callable[..., Evaluator]]:
    """Learning curves."""
    return {"learning-curve": learning_curve}
