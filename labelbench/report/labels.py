"""Small pictures of the labels of a results folder, made again from their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from labelbench.errors import LabelbenchError
from labelbench.labels import LabelSet
from labelbench.pictures import pictures_of_targets
from labelbench.plugins.lookup import find_dataset, label
from labelbench.results.grouping import ambiguous_labels, group_of, identity_shown
from labelbench.results.records import Finished
from labelbench.results.tables import shown_label
from labelbench.runs import RunSpec, label_of_run
from labelbench.settings import current_settings, use_settings

CLASSES = 10


@dataclass(frozen=True)
class LabelRow:
    """The pictures of one label.

    Attributes:
        label: its name.
        name: the same as tables show it.
        facts: shape, range and loss, in words; why there is no picture, if there is none.
        pictures: ``data:`` addresses of PNG images, one for each class that is shown.
    """

    label: str
    name: str
    facts: str
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    """The labels of one data set.

    Attributes:
        dataset: its name.
        class_names: of the classes that are shown, the first ones.
        num_classes: of all.
        rows: one for each label.
    """

    dataset: str
    class_names: tuple[str, ...]
    num_classes: int
    rows: tuple[LabelRow, ...]


def build_anew(run: RunSpec) -> LabelSet:
    """The label of a run, from its name."""
    return label(label_of_run(run.label, run.seed), find_dataset(run.dataset))


def galleries(
    records: Iterable[Finished], build: Callable[[RunSpec], LabelSet] = build_anew, classes: int = CLASSES
) -> Iterator[Gallery]:
    """A gallery for every data set whose classes are known here.

    Nothing is fetched, and a label is drawn only if what its name stands for here is what was measured.

    Args:
        records: measurements or trainings; of several seeds of a label that is drawn for each the lowest is shown.
        build: gives the label of a run.
        classes: shown at most.
    """
    groups: dict[tuple[str, str, str], Finished] = {}
    for record in sorted(records, key=lambda record: record.run.seed):
        group = group_of(record)
        groups.setdefault((group.dataset, group.label, group.label_identity), record)
    ambiguous = ambiguous_labels(map(group_of, groups.values()))
    for dataset in sorted({dataset for dataset, _, _ in groups}):
        try:
            names = find_dataset(dataset).class_names
        except LabelbenchError:
            continue
        rows = (
            _row(identity_shown(group_of(record), ambiguous), record, build, classes)
            for key, record in sorted(groups.items())
            if key[0] == dataset
        )
        yield Gallery(dataset, names[:classes], len(names), tuple(rows))


def _row(identity: str, record: Finished, build: Callable[[RunSpec], LabelSet], classes: int) -> LabelRow:
    names = record.run.label, shown_label(record.run.label, identity)
    try:
        with use_settings(replace(current_settings(), offline=True)):
            labels = build(record.run)
    except LabelbenchError:
        # The reason names paths of this machine, and a page is given away.
        return LabelRow(*names, "no picture: the machine that wrote this page cannot make the label", ())
    if labels.identity != record.facts["label"]["identity"]:
        return LabelRow(*names, "no picture: the label that this name stands for here is not the one measured", ())
    low, high = float(labels.targets.min()), float(labels.targets.max())
    facts = f"{'x'.join(map(str, labels.shape))}, {low:.3g} to {high:.3g}, {labels.loss}"
    return LabelRow(*names, facts, tuple(pictures_of_targets(labels.targets, classes)))
