"""Small pictures of the labels of a results folder, made again from their names."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labelbench.charts.labels import COLOURS
from labelbench.errors import LabelbenchError
from labelbench.labels import LabelSet
from labelbench.registry import find_dataset, label
from labelbench.results.grouping import ambiguous_labels, group_of, identity_shown
from labelbench.results.records import Finished
from labelbench.results.tables import shown_label
from labelbench.runs import RunSpec, label_of_run
from labelbench.settings import current_settings, use_settings

CLASSES = 10
# Pixels: a vector is drawn as bars of this height, each at least as wide as the second number.
_HEIGHT, _BAR = 64, 4


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
    return LabelRow(*names, facts, tuple(_pictures(labels, low, high, classes)))


def _pictures(labels: LabelSet, low: float, high: float, classes: int) -> Iterator[str]:
    """Pictures on one scale of colours; the ground shows through where there is no bar."""
    import matplotlib as mpl

    colours = mpl.colormaps[COLOURS]
    for target in labels.targets[:classes]:
        share = (target - low) / (high - low)
        if target.ndim == 2:
            yield _address(colours(share, bytes=True))
            continue
        width = max(1, -(-_BAR * 16 // len(target)))
        pixels = np.zeros((_HEIGHT, len(target) * width, 4), np.uint8)
        # From 0, so that what is below it hangs down.
        zero, span = min(low, 0.0), max(high, 0.0) - min(low, 0.0)
        ends = np.rint((np.stack([np.zeros_like(target), target]) - zero) / span * (_HEIGHT - 1)).astype(int)
        # Within magma, so that neither end is lost on a white or a black ground.
        shades = colours(0.2 + 0.6 * share, bytes=True)
        for index, (start, end) in enumerate(ends.T):
            first, last = sorted((_HEIGHT - 1 - start, _HEIGHT - 1 - end))
            pixels[first : last + 1, index * width : (index + 1) * width] = shades[index]
        yield _address(pixels)


def _address(pixels: Any) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels[..., :3] if (pixels[..., 3] == 255).all() else pixels).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
