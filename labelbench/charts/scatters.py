"""Points in a plane, as evaluators declare: a row of panels for each label, a panel for each moment of its training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from labelbench.charts.data import REFERENCE, Chart, Panel, Series
from labelbench.evaluation.scores import Arrays
from labelbench.evaluation.shown import Scatter, Section
from labelbench.plugins.lookup import evaluator_here, section_of
from labelbench.results.conditions import Conditions, conditions_of
from labelbench.results.grouping import ambiguous_labels, group_of, identity_shown, newest_versions
from labelbench.results.reading import Contents
from labelbench.results.records import Record

# More points hide each other in a panel of a few centimetres.
_POINTS = 400


def scatter_charts(contents: Contents, legend: Mapping[str, Conditions]) -> Iterator[Chart]:
    """A chart of each picture in a plane that an evaluator declares, for every data set and backbone.

    Of several seeds the lowest is drawn.

    Args:
        contents: of a results folder.
        legend: settings by the letter that the leaderboard gives them.
    """
    records, _ = newest_versions(record for record in contents.records if not record.diverged)
    for evaluator in sorted({record.cell.evaluator for record in records}):
        scatters = [one for one in evaluator_here(evaluator).pictures if isinstance(one, Scatter)]
        mine = [record for record in records if record.cell.evaluator == evaluator]
        for scatter in scatters:
            for dataset, backbone in sorted({(one.cell.run.dataset, one.cell.run.backbone) for one in mine}):
                here = [one for one in mine if (one.cell.run.dataset, one.cell.run.backbone) == (dataset, backbone)]
                yield _chart(contents, scatter, section_of(evaluator), here, legend)


def _chart(
    contents: Contents,
    scatter: Scatter,
    section: Section,
    records: Sequence[Record],
    legend: Mapping[str, Conditions],
) -> Chart:
    """One chart of records of one data set and backbone."""
    run = records[0].cell.run
    chosen = _lowest_seeds(records, legend)
    rows = [
        _panels(scatter, record, contents.results.load_measurement(record.cell).arrays, identity, letter)
        for identity, letter, record in chosen
    ]
    seeds = sorted({record.cell.run.seed for *_, record in chosen})
    drawn = {letter for _, letter, _ in chosen}
    letters = [f"{letter}: {text}." for letter, text in legend.items() if letter in drawn]
    return Chart(
        scatter.name,
        run.dataset,
        run.backbone,
        f"{scatter.title}: {run.dataset}, {run.backbone}",
        "scatter",
        "",
        "",
        tuple(panel for row in rows for panel in row),
        note=" ".join(filter(None, [scatter.note, f"Seed {', '.join(map(str, seeds))}.", *letters])),
        columns=max(len(row) for row in rows),
        section=section,
    )


def _lowest_seeds(records: Sequence[Record], legend: Mapping[str, Conditions]) -> list[tuple[str, str, Record]]:
    """Identity, letter and record of each label under each of its settings, category first; each only if needed."""
    groups: dict[tuple[str, str, Conditions, str], Record] = {}
    settings = conditions_of(records)
    ambiguous = ambiguous_labels(map(group_of, records))
    for record, conditions in zip(records, settings, strict=True):
        group = group_of(record)
        key = group.label, identity_shown(group, ambiguous), conditions, group.label_identity
        if key not in groups or record.cell.run.seed < groups[key].cell.run.seed:
            groups[key] = record
    several = len(set(settings)) > 1
    letters = {conditions: letter for letter, conditions in legend.items()}
    ordered = sorted(groups.items(), key=lambda pair: (pair[0][0] != REFERENCE, *pair[0]))
    return [(identity, letters[each] if several else "", record) for (_, identity, each, _), record in ordered]


def _panels(scatter: Scatter, record: Record, arrays: Arrays, identity: str, letter: str) -> tuple[Panel, ...]:
    places, classes = arrays[scatter.points], arrays[scatter.classes]
    kept = np.unique(np.linspace(0, len(classes) - 1, min(_POINTS, len(classes))).round().astype(int))
    said = {score.at: score for score in record.scores if score.name.rpartition("/")[0] == scatter.score}
    panels = []
    for share, each in zip(arrays[scatter.moments], places, strict=True):
        x, y = (tuple(map(float, each[kept, axis])) for axis in (0, 1))
        colours = tuple(map(int, classes[kept]))
        cloud = Series(record.cell.run.label, x, y, classes=colours, identity=identity, settings=letter)
        title = f"{cloud.name}, {share:.0%}"
        score = said.get(float(share))
        if score and score.value is not None:
            title += f": {scatter.heading} {score.value:.1%}"
        panels.append(Panel(title, (cloud,)))
    return tuple(panels)
