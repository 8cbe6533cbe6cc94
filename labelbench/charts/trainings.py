"""Learning curves, from the records of trainings: every run has one, whatever measured it."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from labelbench.charts.curves import spread_in_words
from labelbench.charts.data import FEW_SEEDS, Chart, Panel, Series, ordered
from labelbench.evaluation.shown import Section
from labelbench.results.conditions import Conditions, conditions_of
from labelbench.results.grouping import ambiguous_labels, group_of, identity_shown
from labelbench.results.records import TrainingRecord
from labelbench.results.spread import t_interval
from labelbench.runs import RunSpec

SECTION = Section("Learning curves", "How fast is each label learnt?", order=30)


def learning_curves(trainings: Sequence[TrainingRecord]) -> Iterator[Chart]:
    """Validation accuracy against epoch for each data set and backbone; settings that differ have panels of their own.

    Losses are not drawn: those of different labels have different units. Of trainings that differ in their share of
    the data alone, those with the largest share are drawn.
    """
    chosen = list(_with_most_data(trainings))
    places: dict[tuple[str, str], dict[Conditions, list[TrainingRecord]]] = defaultdict(lambda: defaultdict(list))
    for training, conditions in zip(chosen, conditions_of(chosen), strict=True):
        places[training.run.dataset, training.run.backbone][conditions].append(training)
    for (dataset, backbone), by_settings in sorted(places.items()):
        titles = _distinctive(sorted(by_settings))
        panels = tuple(Panel(titles[each], _curves(by_settings[each])) for each in sorted(by_settings))
        panels = tuple(panel for panel in panels if panel.series)
        if panels:
            labels = (Counter(one.run.label for one in group) for group in by_settings.values())
            counts = {count for each in labels for count in each.values()}
            yield Chart(
                "learning-curves",
                dataset,
                backbone,
                f"Learning curves: {dataset}, {backbone}",
                "line",
                "epoch",
                "validation accuracy, %",
                panels,
                percent=True,
                note=" ".join(_diverged(one for group in by_settings.values() for one in group)),
                spread=spread_in_words(counts, over_images=False),
                section=SECTION,
            )


def _with_most_data(trainings: Iterable[TrainingRecord]) -> Iterator[TrainingRecord]:
    most: dict[RunSpec, TrainingRecord] = {}
    for training in trainings:
        key = replace(training.run, train_fraction=1.0)
        if key not in most or most[key].run.train_fraction < training.run.train_fraction:
            most[key] = training
    return iter(most.values())


def _distinctive(settings: Sequence[Conditions]) -> dict[Conditions, str]:
    """What tells each of some settings from the others; nothing if there is only one."""
    common = set.intersection(*(set(each.parts) for each in settings))
    return {each: str(Conditions(tuple(part for part in each.parts if part not in common))) for each in settings}


def _curves(trainings: Sequence[TrainingRecord]) -> tuple[Series, ...]:
    """One series for each label: the mean over seeds, and their t-interval, where every seed has the epoch."""
    groups: dict[Any, list[TrainingRecord]] = defaultdict(list)
    for training in trainings:
        groups[group_of(training)].append(training)
    ambiguous = ambiguous_labels(groups)
    curves = []
    for group, members in groups.items():
        epochs = list(zip(*(member.accuracy for member in members), strict=False))
        if not epochs:
            continue
        found = [t_interval(values) for values in epochs]
        bounds = [(max(0.0, each[0]), min(1.0, each[1])) for each in found if each]
        curves.append(
            Series(
                group.label,
                tuple(float(epoch) for epoch in range(1, len(epochs) + 1)),
                tuple(statistics.fmean(values) for values in epochs),
                low=tuple(low for low, _ in bounds),
                high=tuple(high for _, high in bounds),
                identity=identity_shown(group, ambiguous),
                seeds=tuple(zip(*epochs, strict=True)) if 1 < len(members) < FEW_SEEDS else (),
            )
        )
    return ordered(curves)


def _diverged(trainings: Iterable[TrainingRecord]) -> Iterator[str]:
    for training in sorted(trainings, key=lambda one: (one.run.label, one.run.seed)):
        if training.diverged:
            yield f"{training.run.label} seed {training.run.seed} diverged after epoch {len(training.accuracy)}."
