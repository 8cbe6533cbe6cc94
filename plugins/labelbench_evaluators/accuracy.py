"""Accuracy on clean test images, by nearest label and by the paper's threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from labelbench import Context, Evaluator, Headline, LabelSet, Measurement, Score, hookimpl

THRESHOLD = 3.5


@dataclass(frozen=True)
class Accuracy(Evaluator):
    """Share of test images that are read as their class (paper, section 4.1).

    Attributes:
        threshold: smooth L1 distance to the true label below which an output is accepted.
    """

    threshold: float = THRESHOLD
    explanations: ClassVar[Mapping[str, str]] = {
        "nearest": "share of test images whose nearest label, by mean squared difference, is the true one",
        "threshold": "share of test images whose output lies within smooth L1 3.5 of the true label",
    }
    headline = (Headline("nearest", "accuracy", "Accuracy"),)

    def evaluate(self, context: Context) -> Measurement:
        """Both accuracies over all test images, and per-image outcomes as arrays."""
        import torch

        outputs = context.outputs()
        classes = torch.from_numpy(np.array(context.test.classes))
        nearest = context.labels.nearest(outputs)
        accepted = context.labels.accepted(outputs, classes, self.threshold)
        hits = int((nearest == classes).sum())
        count = len(classes)
        reason = why_threshold_says_nothing(context.labels, self.threshold)
        threshold = (
            Score("threshold", None, "share", True, count=count, note=reason)
            if reason
            else Score.share("threshold", int(accepted.sum()), count)
        )
        arrays = {
            "predictions": nearest.numpy().astype(np.int32),
            "accepted": accepted.numpy(),
        }
        return Measurement((Score.share("nearest", hits, count), threshold), arrays)


def pair_losses(labels: LabelSet) -> np.ndarray:
    """``(classes, classes)`` float64: mean smooth L1 difference (beta 1) between the labels of two classes."""
    flat = labels.targets.reshape(labels.num_classes, -1).astype(np.float64)
    losses = np.empty((labels.num_classes, labels.num_classes))
    for index, row in enumerate(flat):
        difference = np.abs(flat - row)
        losses[index] = np.where(difference < 1, difference**2 / 2, difference - 0.5).mean(axis=1)
    return losses


def why_threshold_says_nothing(labels: LabelSet, threshold: float = THRESHOLD) -> str:
    """Why the threshold does not tell classes of these labels apart, or "" if it does.

    >>> why_threshold_says_nothing(LabelSet(np.eye(3) * 80))
    ''
    """
    losses = pair_losses(labels)
    of_pairs = losses[np.triu_indices(labels.num_classes, k=1)]
    if of_pairs.max() < threshold:
        return (
            f"not meaningful: the threshold {threshold:g} accepts any class's label, "
            f"since no two labels lie further apart than smooth L1 {of_pairs.max():.3g}"
        )
    if of_pairs.min() < threshold:
        return (
            f"not meaningful: {int((of_pairs < threshold).sum())} of {of_pairs.size} pairs of labels lie closer than "
            f"the threshold {threshold:g} (smallest smooth L1 {of_pairs.min():.3g}), so labels of other classes pass"
        )
    return ""


def accuracy() -> Accuracy:
    """Accuracy on clean test images, by nearest label and by the paper's threshold."""
    return Accuracy()


@hookimpl
def register_evaluators() -> Mapping[str, object]:
    """The accuracy evaluator."""
    return {"accuracy": accuracy}
