"""Accuracy with a small share of the training images, and over all shares at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from labelbench import (
    Axes,
    Context,
    Curve,
    Evaluator,
    Headline,
    InputError,
    Measurement,
    Needs,
    RunSpec,
    Score,
    Section,
    hookimpl,
    wilson_interval,
)

SHARES = (0.01, 0.02, 0.04, 0.08, 0.1, 0.2, 1.0)
_PERCENT = (1.0, 2.0, 4.0, 8.0, 10.0, 20.0, 100.0)


@dataclass(frozen=True)
class DataEfficiency(Evaluator):
    """Networks trained with 1 to 100 % of the training images, on the same test images (paper, section 4.3).

    A share is one of all training images, taken after those for validation, so 100 % is what is left of them. The
    images of a share are among those of every larger one of the same seed, and all have the same validation images.
    The networks of all shares are trained whatever share the suite itself asks for.

    Attributes:
        shares: of the training images, rising, above 0 to 1.
    """

    shares: tuple[float, ...] = SHARES
    copes_with_divergence: ClassVar[bool] = True
    explanations = MappingProxyType(
        {
            f"{share:.0%}": "share of test images whose nearest label is the true one, after training with "
            f"{share:.0%} of the training images"
            for share in SHARES
        }
        | {
            "area": "mean of these accuracies over the logarithm of the share: the area under the curve by trapezoids, "
            "divided by its width; interval over test images",
        }
    )
    headline = (Headline("area", "little data", "Accuracy with little data"),)
    curves = (
        Curve(
            "",
            Axes(
                "data-efficiency",
                "Accuracy against training data",
                "share of the training images",
                "share",
                log=True,
                note="Accuracy is over all test images.",
            ),
        ),
    )
    section = Section("Data efficiency", "How much accuracy does less training data give?", order=20)

    def needs(self, run: RunSpec) -> Needs:
        """One training for each share; that of 100 % is the ordinary one."""
        return Needs(trainings=tuple(self._runs(run).values()))

    def evaluate(self, context: Context) -> Measurement:
        """Accuracy at each share, one after another, each a part of its own."""
        scores, rows, sizes = [], [], {}
        for done, (share, run) in enumerate(self._runs(context.run).items()):
            context.report(f"{share:.0%} of the training images", done / len(self.shares))
            part = context.part(f"{share:.0%}", lambda run=run: right_of(context, run))  # type: ignore[misc]
            seen = training_classes(context, run)
            sizes[f"{share:.0%}"] = len(seen)
            rows.append(part["right"])
            scores.append(_score(share, part, seen, context.labels.num_classes))
        right = np.stack(rows)
        missing = [score.name for score in scores if score.value is None]
        scores.append(
            Score("area", None, "share", True, note=f"no area: training with {', '.join(missing)} diverged")
            if missing
            else area_score(self.shares, right)
        )
        arrays = {"shares": np.array(self.shares), "right": right}
        return Measurement(tuple(scores), arrays, {"training_images": sizes})

    def _runs(self, run: RunSpec) -> dict[float, RunSpec]:
        return {share: replace(run, train_fraction=share) for share in self.shares}


def right_of(context: Context, run: RunSpec) -> dict[str, np.ndarray]:
    """``right`` ``(n,)`` bool, whether each test image is read as its class, and ``diverged`` ``(1,)`` bool."""
    classes = np.asarray(context.test.classes)
    if context.trained(run).diverged:
        return {"right": np.zeros(len(classes), dtype=bool), "diverged": np.array([True])}
    nearest = context.labels.nearest(context.outputs(run)).numpy()
    return {"right": nearest == classes, "diverged": np.array([False])}


def training_classes(context: Context, run: RunSpec) -> np.ndarray:
    """``(n,)`` classes of the images that a run is trained on."""
    from labelbench import split_indices

    classes = context.images.train.classes
    return np.asarray(classes[split_indices(run, len(classes), context.dataset.validation_share)[0]])


def log_weights(shares: tuple[float, ...]) -> np.ndarray:
    """``(shares,)`` weights, of sum 1, by which trapezoids over the logarithm of the share average a curve.

    >>> log_weights((0.01, 0.1, 1.0)).round(6).tolist()
    [0.25, 0.5, 0.25]
    """
    widths = np.diff(np.log(shares))
    return np.asarray((np.append(widths, 0) + np.insert(widths, 0, 0)) / (2 * widths.sum()))


def area_score(shares: tuple[float, ...], right: np.ndarray) -> Score:
    """Mean accuracy over the logarithm of the share, with its interval over the test images.

    Every image has one value, the mean of its outcomes by :func:`log_weights`, and the area is the mean of these.
    Being 0 to 1, they vary no more than as many yes-or-no outcomes would; the interval is Wilson's with the effective
    number of those, ``n * p * (1 - p) / variance``.

    Args:
        shares: rising.
        right: ``(shares, n)`` bool.
    """
    values = log_weights(shares) @ right
    mean, variance, count = float(values.mean()), float(values.var()), right.shape[1]
    effective = count * mean * (1 - mean) / variance if variance > 0 else count
    return Score("area", mean, "share", True, wilson_interval(mean * effective, effective), count)


def _score(share: float, part: Mapping[str, np.ndarray], seen: np.ndarray, num_classes: int) -> Score:
    """Accuracy at one share; where some class has no training image, that is said."""
    name, right = f"{share:.0%}", part["right"]
    if part["diverged"][0]:
        return Score(name, None, "share", True, count=len(right), note="the training diverged", at=share)
    found = len(np.unique(seen))
    note = f"{len(seen)} training images, of {found} of {num_classes} classes" if found < num_classes else ""
    return Score.share(name, int(right.sum()), len(right), note=note, at=share)


def data_efficiency(*, percent: tuple[float, ...] = _PERCENT) -> DataEfficiency:
    """Accuracy with these shares of the training images and with all: a training for each, shared with all else.

    Raises:
        InputError: other shares than those of the paper, or shares that do not rise.
    """
    shares = tuple(share for share in SHARES if round(100 * share) in percent)
    if [round(100 * share) for share in shares] != list(percent) or not percent:
        known = ", ".join(f"{share:.0%}".rstrip("%") for share in SHARES)
        given = "+".join(f"{each:g}" for each in percent)
        raise InputError(f"evaluator data-efficiency: percent is {given}; expected rising ones of {known}, as in 4+10")
    return DataEfficiency(shares if 1.0 in shares else (*shares, 1.0))


@hookimpl
def register_evaluators() -> Mapping[str, Callable[..., Evaluator]]:
    """Data efficiency."""
    return {"data-efficiency": data_efficiency}
