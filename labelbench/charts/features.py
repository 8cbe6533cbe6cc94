"""Features of test images in a plane, a row for each label and a panel for each moment of its training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from labelbench.charts.data import REFERENCE, Chart, Panel, Series
from labelbench.evaluation.scores import Arrays
from labelbench.results.grouping import ambiguous_labels, group_of, identity_shown, newest_versions, settings_by_record
from labelbench.results.store import Record, Results

EVALUATOR = "feature-views"
# More points hide each other in a panel of a few centimetres.
POINTS = 400


def feature_charts(results: Results, legend: Mapping[str, str], points: int = POINTS) -> Iterator[Chart]:
    """A chart for every data set and backbone with measured feature views; of several seeds the lowest is drawn.

    Args:
        results: the folder.
        legend: settings in words by the letter that the leaderboard gives them.
        points: in a panel at most; images are left out evenly, the same ones for every label and moment.
    """
    records, _ = newest_versions(record for record in results.records() if record.cell.evaluator == EVALUATOR)
    records = [record for record in records if not record.diverged]
    for dataset, backbone in sorted({(record.cell.run.dataset, record.cell.run.backbone) for record in records}):
        here = [one for one in records if (one.cell.run.dataset, one.cell.run.backbone) == (dataset, backbone)]
        chosen = _lowest_seeds(here, legend)
        rows = [
            _panels(record, results.load_measurement(record.cell).arrays, points, identity, letter)
            for identity, letter, record in chosen
        ]
        seeds = sorted({record.cell.run.seed for *_, record in chosen})
        drawn = {letter for _, letter, _ in chosen}
        letters = [f" {letter}: {text}." for letter, text in legend.items() if letter in drawn]
        yield Chart(
            EVALUATOR,
            dataset,
            backbone,
            f"Features over training (t-SNE): {dataset}, {backbone}",
            "scatter",
            "",
            "",
            tuple(panel for row in rows for panel in row),
            note=(
                "A point is a test image, its colour the class; axes have no unit, and distances between groups mean "
                "little. k-NN: share of images whose nearest others in the space of the features are mostly of their "
                f"class. Seed {', '.join(map(str, seeds))}." + "".join(letters)
            ),
            columns=max(len(row) for row in rows),
        )


def _lowest_seeds(records: Sequence[Record], legend: Mapping[str, str]) -> list[tuple[str, str, Record]]:
    """Identity, letter and record of each label under each of its settings, category first; each only if needed."""
    groups: dict[tuple[str, str, str, str], Record] = {}
    settings = settings_by_record(records)
    ambiguous = ambiguous_labels(group_of(record, words) for record, words in zip(records, settings, strict=True))
    for record, words in zip(records, settings, strict=True):
        group = group_of(record, words)
        key = group.label, identity_shown(group, ambiguous), words, group.label_identity
        if key not in groups or record.cell.run.seed < groups[key].cell.run.seed:
            groups[key] = record
    several = len(set(settings)) > 1
    letters = {words: letter for letter, words in legend.items()}
    ordered = sorted(groups.items(), key=lambda pair: (pair[0][0] != REFERENCE, *pair[0]))
    return [(identity, letters[words] if several else "", record) for (_, identity, words, _), record in ordered]


def _panels(record: Record, arrays: Arrays, points: int, identity: str, letter: str) -> tuple[Panel, ...]:
    places, classes = arrays["tsne"], arrays["classes"]
    kept = np.unique(np.linspace(0, len(classes) - 1, min(points, len(classes))).round().astype(int))
    scores = {score.name: score.value for score in record.scores}
    panels = []
    for share, each in zip(arrays["shares"], places, strict=True):
        moment = f"{share:.0%}"
        knn = scores.get(f"knn/{moment}")
        x, y = (tuple(map(float, each[kept, axis])) for axis in (0, 1))
        colours = tuple(map(int, classes[kept]))
        cloud = Series(record.cell.run.label, x, y, classes=colours, identity=identity, settings=letter)
        title = f"{cloud.name}, {moment}" + (f": k-NN {knn:.1%}" if knn is not None else "")
        panels.append(Panel(title, (cloud,)))
    return tuple(panels)
