"""Learning curves, from the records of trainings: every run has one, whatever measured it."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelbench.charts.curves import spread_in_words
from labelbench.charts.data import FEW_SEEDS, Chart, Panel, Series, ordered
from labelbench.errors import one_line
from labelbench.evaluation.shown import Section
from labelbench.files import damaged, read_json
from labelbench.results.grouping import ambiguous_labels, group_of, identity_shown, settings_by_record
from labelbench.results.spread import t_interval
from labelbench.results.store import Cell, Record, Results, run_of
from labelbench.runs import RunSpec

SECTION = Section("Learning curves", "How fast is each label learnt?", order=30)


@dataclass(frozen=True)
class Training:
    """The record of one finished training.

    Attributes:
        run: what was trained.
        facts: everything that the file says.
    """

    run: RunSpec
    facts: Mapping[str, Any]

    @property
    def record(self) -> Record:
        """The same as a measurement without scores, which has settings as any other."""
        return Record(Cell(self.run, "training", 0), (), self.diverged, self.facts)

    @property
    def diverged(self) -> bool:
        """Whether the loss stopped being finite."""
        return bool(self.facts["status"] == "diverged")

    @property
    def accuracy(self) -> tuple[float, ...]:
        """Validation accuracy after each epoch, 0 to 1."""
        return tuple(self.facts["history"]["validation_accuracy"])


def trainings_of(results: Results) -> tuple[Training, ...]:
    """All finished trainings, in the order of their paths.

    Raises:
        InputError: a file is damaged.
    """
    return tuple(map(_training, sorted(results.folder.glob("*/*/*/*/training.json"))))


def _training(file: Path) -> Training:
    facts = read_json(file)
    try:
        training = Training(run_of(facts["run"]), facts)
        # What is used of it is asked for here, where the file can be named.
        _ = training.accuracy, training.diverged, facts["label"]["identity"], facts["images"], facts["environment"]
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(file, one_line(error)) from error
    return training


def learning_curves(trainings: Sequence[Training]) -> Iterator[Chart]:
    """Validation accuracy against epoch for each data set and backbone; settings that differ have panels of their own.

    Losses are not drawn: those of different labels have different units. Of trainings that differ in their share of
    the data alone, those with the largest share are drawn.
    """
    chosen = list(_with_most_data(trainings))
    settings = settings_by_record([training.record for training in chosen])
    places: dict[tuple[str, str], dict[str, list[Training]]] = defaultdict(lambda: defaultdict(list))
    for training, words in zip(chosen, settings, strict=True):
        places[training.run.dataset, training.run.backbone][words].append(training)
    for (dataset, backbone), by_settings in sorted(places.items()):
        titles = _distinctive(sorted(by_settings))
        panels = tuple(Panel(titles[words], _curves(by_settings[words])) for words in sorted(by_settings))
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


def _with_most_data(trainings: Iterable[Training]) -> Iterator[Training]:
    most: dict[RunSpec, Training] = {}
    for training in trainings:
        key = replace(training.run, train_fraction=1.0)
        if key not in most or most[key].run.train_fraction < training.run.train_fraction:
            most[key] = training
    return iter(most.values())


def _distinctive(settings: Sequence[str]) -> dict[str, str]:
    """What tells each of some settings from the others; nothing if there is only one."""
    parts = {words: words.split("; ") for words in settings}
    common = set.intersection(*(set(each) for each in parts.values()))
    return {words: "; ".join(part for part in each if part not in common) for words, each in parts.items()}


def _curves(trainings: Sequence[Training]) -> tuple[Series, ...]:
    """One series for each label: the mean over seeds, and their t-interval, where every seed has the epoch."""
    groups: dict[Any, list[Training]] = defaultdict(list)
    for training in trainings:
        groups[group_of(training.record, "")].append(training)
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


def _diverged(trainings: Iterable[Training]) -> Iterator[str]:
    for training in sorted(trainings, key=lambda one: (one.run.label, one.run.seed)):
        if training.diverged:
            yield f"{training.run.label} seed {training.run.seed} diverged after epoch {len(training.accuracy)}."
