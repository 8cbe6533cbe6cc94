"""Statistics of the labels themselves: the paper's own numbers, and others that mean what they seem to mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from labelbench import Context, Evaluator, Headline, Measurement, Needs, RunSpec, Score, hookimpl

_BINS = 256
_MOST_BITS = 8.0
_LEVELS = 16
_OF_RANGE = "of the range"


EXPLANATIONS: Mapping[str, str] = {
    "dimension": "Number of elements of one label.",
    "range": "Largest minus smallest value of the whole set, in the label's own units: the scale on which a regression "
    "loss sees it.",
    "mean-difference": "Mean absolute difference of an element between two classes, mean over pairs, on the set scaled "
    "to 0..1 as a whole.",
    "rms-difference": "Root of the mean squared difference of an element between two classes, mean over pairs, on the "
    "set scaled to 0..1 as a whole; it does not grow with the number of elements.",
    "closest-pair": "Rms difference of the two classes that are closest.",
    "farthest-pair": "Rms difference of the two classes that are farthest apart.",
    "entropy-256": "Entropy of the values of one label in 256 bins of the set's range, corrected for few elements "
    "(Miller and Madow), at most 8 bits, mean over classes. A label of fewer than 256 elements cannot reach 8 bits; "
    "there the values of all classes are counted together.",
    "entropy-256/pooled": "The same with the values of all classes counted together, for every label.",
    "neighbour-entropy": "How unpredictable an element of a matrix is from the one beside it: conditional entropy at "
    "16 levels, along rows or columns, whichever is smaller, as a share of the greatest possible. Noise has 1, a "
    "constant 0.",
    "effective-rank": "Number of directions in which the classes differ, each weighted by how much: exp of the entropy "
    "of the squared singular values of the labels without their mean. At most the number of classes less one.",
    "paper/entropy": "Shannon entropy of the distinct values of one label, mean over classes, as the paper counts it. "
    "For continuous values it is log2 of the number of elements, whatever they are: a constant with noise of 1e-6 "
    "scores highest.",
    "paper/L1": "What the paper's script prints as L1. It has the names swapped: this is the norm of order 2 of the "
    "difference of two labels (spectral for matrices), mean over pairs, on the set scaled to 0..1.",
    "paper/L2": "What the paper's script prints as L2. It has the names swapped: this is the norm of order 1 of the "
    "difference of two labels (largest column sum for matrices), mean over pairs, on the set scaled to 0..1.",
}


@hookimpl
def register_evaluators() -> Mapping[str, Callable[..., Evaluator]]:
    """The statistics of labels."""
    return {"label-statistics": label_statistics}


def label_statistics() -> Evaluator:
    """Entropy, distances, smoothness and rank of the labels, the paper's numbers kept apart; needs no training."""
    return LabelStatistics()


@dataclass(frozen=True)
class LabelStatistics(Evaluator):
    """Looks at labels alone, so it is asked once for each label of each data set."""

    version: ClassVar[int] = 1
    explanations: ClassVar[Mapping[str, str]] = EXPLANATIONS
    headline = (Headline("entropy-256", "entropy"), Headline("effective-rank", "rank"))

    def needs(self, run: RunSpec) -> Needs:
        """No training."""
        return Needs()

    def evaluate(self, context: Context) -> Measurement:
        """Measure the labels of ``context``."""
        labels = context.labels
        targets = labels.targets
        classes, elements = len(targets), targets[0].size
        matrices = targets.ndim == 3
        pairs = classes * (classes - 1) // 2
        distances = pair_distances(targets, lambda share: context.report("comparing pairs of labels", share))

        def over_pairs(name: str, value: float, note: str = "") -> Score:
            return Score(name, value, _OF_RANGE, count=pairs, note=note)

        scores = [
            Score("dimension", elements, "elements"),
            Score("range", float(np.ptp(targets.astype(np.float64))), "label units"),
            over_pairs("mean-difference", distances["mean"].mean()),
            over_pairs("rms-difference", distances["rms"].mean()),
            over_pairs("closest-pair", distances["rms"].min()),
            over_pairs("farthest-pair", distances["rms"].max()),
            _entropy_score(targets),
            Score("entropy-256/pooled", pooled_entropy_256(targets), "bits", count=targets.size),
            Score("neighbour-entropy", neighbour_entropy(targets), "share")
            if matrices
            else Score("neighbour-entropy", None, "share", note="a vector has no neighbouring elements"),
            Score("effective-rank", effective_rank(targets), "directions", count=classes),
            Score("paper/entropy", paper_entropy(targets), "bits", count=classes, note="by distinct values"),
            over_pairs("paper/L1", distances["order2"].mean(), _paper_norm_note(2, matrices)),
            over_pairs("paper/L2", distances["order1"].mean(), _paper_norm_note(1, matrices)),
        ]
        return Measurement(tuple(scores))


def to_unit_range(targets: np.ndarray) -> np.ndarray:
    """The whole set brought to 0..1 by its own minimum and maximum.

    Args:
        targets: ``(classes, *shape)``, not all equal.

    Returns:
        The same shape in float64.
    """
    values = targets.astype(np.float64)
    low = values.min()
    return np.asarray((values - low) / (values.max() - low))


def pair_distances(
    targets: np.ndarray, report: Callable[[float], None] = lambda share: None
) -> Mapping[str, np.ndarray]:
    """Distances between all pairs of classes, on the set brought to 0..1.

    Args:
        targets: ``(classes, length)`` or ``(classes, rows, columns)``.
        report: told the share done, 0 to 1.

    Returns:
        Four arrays of ``classes * (classes - 1) / 2`` float64, first class ascending, then second: ``"mean"``
        (mean absolute difference of an element), ``"rms"`` (root of the mean squared one), and, as in the paper's
        ``get_distances.py``, the norms ``"order1"`` and ``"order2"`` of the difference: sum of magnitudes and Euclidean
        for vectors, largest column sum and spectral norm for matrices.
    """
    values = to_unit_range(targets)
    parts: dict[str, list[np.ndarray]] = {"mean": [], "rms": [], "order1": [], "order2": []}
    for done, differences in _differences(values):
        magnitudes = np.abs(differences)
        elements = tuple(range(1, values.ndim))
        parts["mean"].append(magnitudes.mean(axis=elements))
        parts["rms"].append(np.sqrt((differences**2).mean(axis=elements)))
        parts["order1"].append(magnitudes.sum(axis=1).reshape(len(differences), -1).max(axis=1))
        parts["order2"].append(_order_2(differences))
        report(done)
    return {name: np.concatenate(part) for name, part in parts.items()}


def paper_entropy(targets: np.ndarray) -> float:
    """Shannon entropy of the distinct values of one label, in bits, mean over classes (paper, section 4.4)."""
    return float(np.mean([_entropy(np.unique(target, return_counts=True)[1]) for target in targets]))


def entropy_256(targets: np.ndarray) -> float:
    """Entropy of the values of one label in 256 bins of the set's range, in bits, mean over classes, at most 8.

    Each is corrected by Miller and Madow's (K - 1) / (2 n ln 2), with K bins in use and n elements. It cannot exceed
    about log2 n, so it compares labels of 256 elements or more.
    """
    mean = float(np.mean([_corrected_entropy(np.bincount(target.ravel())) for target in _quantised(targets, _BINS)]))
    return min(mean, _MOST_BITS)


def pooled_entropy_256(targets: np.ndarray) -> float:
    """As :func:`entropy_256`, the values of all classes counted together."""
    return min(_corrected_entropy(np.bincount(_quantised(targets, _BINS).ravel())), _MOST_BITS)


def neighbour_entropy(targets: np.ndarray) -> float:
    """Conditional entropy of an element given the one before it, over log2 16: 0 (constant) to 1 (noise).

    For each class at 16 levels of the set's range, along rows and along columns, whichever is smaller; joint and single
    entropies corrected as in :func:`entropy_256`; mean over classes, at most 1.

    Args:
        targets: ``(classes, rows, columns)``.
    """
    levels = _quantised(targets, _LEVELS)
    smaller = [
        min(_conditional_entropy(label[:, :-1], label[:, 1:]), _conditional_entropy(label[:-1], label[1:]))
        for label in levels
    ]
    return min(float(np.mean(smaller) / np.log2(_LEVELS)), 1.0)


def effective_rank(targets: np.ndarray) -> float:
    """Exp of the entropy of the squared singular values, summing to 1, of the labels without their mean row."""
    rows = to_unit_range(targets).reshape(len(targets), -1)
    squared = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    shares = squared[squared > 0] / squared.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _differences(values: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """For each class but the last: the share of all pairs done with it, and its differences to all later classes."""
    classes = len(values)
    for index in range(classes - 1):
        left = classes - 1 - index
        yield 1 - left * (left - 1) / (classes * (classes - 1)), values[index] - values[index + 1 :]


def _order_2(differences: np.ndarray) -> np.ndarray:
    if differences.ndim == 2:
        return np.asarray(np.linalg.norm(differences, axis=1))
    # The largest eigenvalue of D'D is the squared spectral norm of D, several times faster than by singular values.
    return np.asarray(np.sqrt(np.linalg.eigvalsh(differences.transpose(0, 2, 1) @ differences)[:, -1]))


def _quantised(targets: np.ndarray, levels: int) -> np.ndarray:
    """Equal bins of the set's range, the largest value in the last: int64, 0 to ``levels - 1``."""
    return np.minimum((to_unit_range(targets) * levels).astype(np.int64), levels - 1)


def _entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def _corrected_entropy(counts: np.ndarray) -> float:
    return _entropy(counts) + float((np.count_nonzero(counts) - 1) / (2 * counts.sum() * np.log(2)))


def _conditional_entropy(first: np.ndarray, following: np.ndarray) -> float:
    joint = np.bincount((first * _LEVELS + following).ravel(), minlength=_LEVELS**2).reshape(_LEVELS, _LEVELS)
    return _corrected_entropy(joint.ravel()) - _corrected_entropy(joint.sum(axis=1))


def _entropy_score(targets: np.ndarray) -> Score:
    elements = targets[0].size
    if elements < _BINS:
        note = f"pooled over classes: {elements} elements of one label are too few for {_BINS} bins"
        return Score("entropy-256", pooled_entropy_256(targets), "bits", count=targets.size, note=note)
    return Score("entropy-256", entropy_256(targets), "bits", count=len(targets))


def _paper_norm_note(order: int, matrices: bool) -> str:
    names = {(1, False): "sum of magnitudes", (2, False): "Euclidean norm"}
    names |= {(1, True): "largest column sum", (2, True): "spectral norm"}
    return f"named as the paper's script prints it; it is the {names[order, matrices]}"
