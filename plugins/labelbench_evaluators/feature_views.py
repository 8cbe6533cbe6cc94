"""Features during training: t-SNE pictures of them, and numbers that say how far classes are told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from labelbench import (
    Context,
    Evaluator,
    Headline,
    Measurement,
    Needs,
    RunSpec,
    Scatter,
    Score,
    Section,
    hookimpl,
)

MOMENTS = (0.1, 0.3, 0.5, 0.7, 1.0)
FEWEST = 4


@dataclass(frozen=True)
class FeatureViews(Evaluator):
    """Features of test images after 10, 30, 50, 70 and 100 % of training (paper, section 4.5 and figure of t-SNE).

    The numbers are taken in the space of the features, not in the plane of the picture, which need not keep distances.

    Attributes:
        moments: shares of training, rising; each is seen at its nearest epoch.
        images: how many test images at most, drawn evenly over classes.
        neighbours: votes of the nearest-neighbour classifier.
        perplexity: of t-SNE.
        seed: of t-SNE, the same for every label, so that pictures differ by their features alone.
    """

    moments: tuple[float, ...] = MOMENTS
    images: int = 1000
    neighbours: int = 10
    perplexity: float = 30.0
    seed: int = 0
    explanations = MappingProxyType(
        {
            "knn": "share of test images whose 10 nearest others, by features after this share of training, are mostly "
            "of the same class",
            "silhouette": "mean silhouette of the features by class, -1 to 1: how much nearer an image is to its own "
            "class than to the next; interval by the spread over images",
            "separation": "share of the features' variance that lies between classes, 1 - within / total scatter; "
            "interval by the jackknife over images",
        }
    )
    headline = (Headline("knn/30%", "k-NN at 30 %"),)
    pictures: ClassVar[tuple[Scatter, ...]] = (
        Scatter(
            "feature-views",
            "Features over training (t-SNE)",
            *("tsne", "classes", "shares"),
            score="knn",
            heading="k-NN",
            note="A point is a test image, its colour the class; axes have no unit, and distances between groups mean "
            "little. k-NN: share of images whose nearest others in the space of the features are mostly of their "
            "class.",
        ),
    )
    section = Section("Features", "When do classes part in the space of the features?", order=40)

    def needs(self, run: RunSpec) -> Needs:
        """The network at every moment; of one that was trained elsewhere only the end is there."""
        return Needs(trainings=(run,), snapshots=() if run.weights else self.moments)

    def evaluate(self, context: Context) -> Measurement:
        """Every epoch that is a moment is a part of its own; moments at the same epoch share it."""
        test = context.test.evenly(self.images)
        classes = np.asarray(test.classes)
        scores, places, epochs = [], [], {}
        moments = (1.0,) if context.run.weights else self.moments
        for done, moment in enumerate(moments):
            name = f"{moment:.0%}"
            context.report(f"features after {name} of training", done / len(moments))
            trained = context.trained() if context.run.weights else context.snapshot(moment)
            epochs[name] = len(trained.history)

            def compute(network: Any = trained.network) -> dict[str, np.ndarray]:
                from labelbench_evaluators.feature_separation import features_of

                return self.view(features_of(network, test.images), classes)

            part = context.part(f"epoch-{epochs[name]}", compute)
            if "tsne" in part:
                places.append(part["tsne"])
            scores += self._scores(moment, part, len(classes))
        # One kind of number after another: a column's neighbours are its other moments.
        order = {"knn": 0, "silhouette": 1, "separation": 2}
        scores.sort(key=lambda score: order[score.name.partition("/")[0]])
        arrays = {"shares": np.array(moments), "classes": classes.astype(np.int32)}
        arrays |= {"tsne": np.stack(places)} if places else {}
        return Measurement(tuple(scores), arrays, {"epochs": epochs, "images": len(classes)})

    def view(self, features: np.ndarray, classes: np.ndarray) -> dict[str, np.ndarray]:
        """Everything that is said of features ``(n, num_features)`` of images of ``classes`` ``(n,)``.

        Returns:
            ``tsne`` ``(n, 2)`` float32 if there are pictures and, if there is anything to say, ``agree`` ``(n,)``
            bool, ``separation`` ``(3,)`` (value and interval), and where classes allow it ``silhouettes`` ``(n,)``.
        """
        from labelbench_evaluators import feature_separation as numbers

        if len(features) < FEWEST or not np.isfinite(features).all() or np.ptp(features, axis=0).max() == 0:
            return {"tsne": np.zeros((len(features), 2), dtype=np.float32)} if self.pictures else {}
        share, (low, high) = numbers.separation(features, classes)
        found = {"tsne": numbers.tsne(features, self.perplexity, self.seed)} if self.pictures else {}
        found |= {
            "agree": numbers.neighbours_agree(features, classes, self.neighbours),
            "separation": np.array([share, low, high]),
        }
        if 2 <= len(np.unique(classes)) < len(classes):
            found["silhouettes"] = numbers.silhouettes(features, classes)
        return found

    def _scores(self, moment: float, part: Mapping[str, np.ndarray], count: int) -> list[Score]:
        from labelbench_evaluators import feature_separation as numbers

        name = f"{moment:.0%}"
        nothing = f"fewer than {FEWEST} images, or features that are all equal or not finite"
        if "agree" not in part:
            return [
                Score(f"{kind}/{name}", None, unit, True, count=count, note=nothing, at=moment)
                for kind, unit in (("knn", "share"), ("silhouette", ""), ("separation", "share"))
            ]
        value, low, high = (float(number) for number in part["separation"])
        scores = [
            Score.share(f"knn/{name}", int(part["agree"].sum()), count, at=moment),
            Score(f"separation/{name}", value, "share", True, (low, high), count, at=moment),
        ]
        if "silhouettes" not in part:
            note = "needs two classes or more, and two images or more of one of them"
            return [*scores, Score(f"silhouette/{name}", None, "", True, count=count, note=note, at=moment)]
        each = part["silhouettes"]
        mean, error = float(each.mean()), float(each.std(ddof=1) / np.sqrt(count))
        interval = numbers.interval(mean, error, -1.0)
        return [*scores, Score(f"silhouette/{name}", mean, "", True, interval, count, at=moment)]


class FeatureNumbers(FeatureViews):
    """The numbers alone: t-SNE takes nine tenths of the time."""

    pictures = ()


def feature_views(*, tsne: bool = True) -> FeatureViews:
    """Features after 10, 30, 50, 70 and 100 % of training: t-SNE, nearest neighbours, silhouette, class separation.

    Without ``tsne`` there are no pictures, and the same numbers in a tenth of the time.
    """
    return FeatureViews() if tsne else FeatureNumbers()


@hookimpl
def register_evaluators() -> Mapping[str, Callable[..., Evaluator]]:
    """Views of features."""
    return {"feature-views": feature_views}
