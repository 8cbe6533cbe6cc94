"""Whether what an evaluator declares to be shown is among what it measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labelbench.errors import UnknownName
from labelbench.evaluation.evaluator import Evaluator
from labelbench.evaluation.scores import Measurement
from labelbench.evaluation.shown import Scatter

MOST_HEADLINES = 3


def what_is_not_measured(made: Evaluator, measured: Sequence[Measurement]) -> Iterator[str]:
    """What is wrong with the headline, curves and pictures of an evaluator; nothing if they are fine."""
    scores = [score for one in measured for score in one.scores]
    names = list(dict.fromkeys(score.name for score in scores))
    if len(made.headline) > MOST_HEADLINES:
        yield f"{len(made.headline)} headline scores; expected {MOST_HEADLINES} at most"
    for headline in made.headline:
        if headline.score not in names:
            yield f"headline: {UnknownName('score', headline.score, names)}"
    for curve in made.curves:
        points = {score.at for score in scores if score.name.rpartition("/")[0] == curve.scores} - {None}
        if not points:
            yield (
                f"curve {curve.scores!r} has no point; expected scores {curve.scores + '/' if curve.scores else ''}... "
                f"with `at`, where on the axis they were measured"
            )
    arrays = {name for one in measured for name in one.arrays}
    for picture in made.pictures:
        if isinstance(picture, Scatter):
            read = picture.points, picture.classes, picture.moments
        else:
            read = picture.images, picture.read, picture.at
        for name in read:
            if name not in arrays:
                yield f"picture {picture.name}: {UnknownName('array', name, arrays)}"
