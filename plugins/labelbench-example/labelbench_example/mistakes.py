"""The evaluator ``mistakes``: whether mistakes land on the classes whose labels lie nearest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

import numpy as np

from labelbench import Between, Context, Evaluator, Measurement, Score, hookimpl


@dataclass(frozen=True)
class Mistakes(Evaluator):
    """How far wrong answers lie from the right one, by the distances between labels.

    A label that puts like things near each other should be wrong in small ways. With labels that are all equally far
    apart (category) there is no nearest one, and no score.

    Attributes:
        nearest: how many of the nearest other classes count as near.
    """

    nearest: int = 1
    explanations = MappingProxyType(
        {
            "near": "share of the mistakes that land on the class whose label lies nearest to the true one",
            "times-chance": "how many times as often as if mistakes were spread evenly over the other classes",
        }
    )

    def evaluate(self, context: Context) -> Measurement:
        """Counts over the test images that are read wrong."""
        read = context.labels.nearest(context.outputs()).numpy()
        classes = np.asarray(context.test.classes)
        wrong = read != classes
        distances = context.labels.squared_distances + np.diag(np.full(context.labels.num_classes, np.inf))
        if np.ptp(distances[np.isfinite(distances)]) <= 1e-6 * distances.min():
            note = "all labels are equally far apart: none is nearest"
            return Measurement((Score("near", None, "share", note=note), Score("times-chance", None, note=note)))
        rank = distances.argsort(axis=1, kind="stable").argsort(axis=1)
        near = rank[classes[wrong], read[wrong]] < self.nearest
        chance = self.nearest / (context.labels.num_classes - 1)
        share = Score.share("near", int(near.sum()), len(near), higher_is_better=None, note="")
        times = Score("times-chance", share.value / chance) if share.value is not None else None
        scores = (share, times or Score("times-chance", None, note="no image is read wrong"))
        return Measurement(scores, {"read": read}, {"mistakes": int(wrong.sum()), "chance": chance})


def mistakes(nearest: Annotated[int, Between(1)] = 1) -> Mistakes:
    """Whether mistakes land on the nearest labels' classes: mistakes, or mistakes:K for the K nearest."""
    return Mistakes(nearest)


@hookimpl
def register_evaluators() -> Mapping[str, Callable[..., Evaluator]]:
    """Where mistakes land."""
    return {"mistakes": mistakes}
