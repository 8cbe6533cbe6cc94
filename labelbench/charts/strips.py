"""Images before and after an attack, from the arrays that evaluators keep and declare as pictures."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from labelbench.charts.data import REFERENCE
from labelbench.evaluation.shown import Section, Strip
from labelbench.pictures import png_address
from labelbench.plugins.lookup import evaluator_here, section_of
from labelbench.results.reading import Contents
from labelbench.results.records import Record
from labelbench.runs import slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAIRS = 4
# Inches of a page's text width and of what stands above a row, and points.
_PAGE, _ABOVE, _SMALL = 7.0, 0.3, 7.0


@dataclass(frozen=True, eq=False)
class StripRow:
    """The images of one label.

    Attributes:
        label: its name.
        images: ``(n, 2, height, width, 3)`` uint8, before and after.
        read: the names of the classes read in both, for each image.
        at: how strong the attack on each was.
    """

    label: str
    images: np.ndarray
    read: tuple[tuple[str, str], ...]
    at: tuple[float, ...]

    @property
    def pairs(self) -> Iterator[tuple[str, str, str]]:
        """Addresses of both pictures of each image, and what is read in them."""
        for (before, after), (was, became), at in zip(self.images, self.read, self.at, strict=True):
            yield png_address(before), png_address(after), f"{was} → {became} at {at:g}"


@dataclass(frozen=True)
class StripView:
    """One picture of one data set and backbone.

    Attributes:
        section: where it stands.
        figure: what it shows, fit for a file name.
        title: in words.
        dataset, backbone: names.
        note: how to read it.
        rows: one for each label, category first.
    """

    section: Section
    figure: str
    title: str
    dataset: str
    backbone: str
    note: str
    rows: tuple[StripRow, ...]

    @property
    def name(self) -> str:
        """Unique in a results folder, fit for a file name."""
        return f"{self.figure}-{slug(self.dataset)}-{slug(self.backbone)}"


def strip_views(contents: Contents, class_names: Mapping[str, Sequence[str]]) -> Iterator[StripView]:
    """Every picture that an evaluator declares as a strip; of several seeds of a label the lowest is shown."""
    records = sorted((one for one in contents.records if not one.diverged), key=lambda one: one.run.seed)
    for evaluator in sorted({record.cell.evaluator for record in records}):
        for strip in (one for one in evaluator_here(evaluator).pictures if isinstance(one, Strip)):
            places: dict[tuple[str, str], dict[str, Record]] = {}
            for record in records:
                if record.cell.evaluator == evaluator:
                    place = places.setdefault((record.run.dataset, record.run.backbone), {})
                    place.setdefault(record.run.label, record)
            for (dataset, backbone), by_label in sorted(places.items()):
                names = sorted(by_label, key=lambda name: (name != REFERENCE, name))
                rows = (_row(contents, strip, by_label[name], class_names.get(dataset, ())) for name in names)
                yield StripView(
                    section_of(evaluator),
                    strip.name,
                    f"{strip.title}: {dataset}, {backbone}",
                    dataset,
                    backbone,
                    " ".join(filter(None, (strip.note, f"At: {strip.unit}." if strip.unit else ""))),
                    tuple(row for row in rows if row is not None),
                )


def strip_of_labels(strip: StripView, labels: Iterable[str]) -> StripView:
    """A strip with the rows of some labels alone."""
    return replace(strip, rows=tuple(row for row in strip.rows if row.label in labels))


def strip_figure(strip: StripView) -> Figure:
    """A strip as a picture of a page's width: labels as rows, each image before, after, and what changed.

    Under each image stands the class read in it, in bold and red where the attack changed it. Changes are about grey,
    the largest of an image as large as can be shown.
    """
    from matplotlib.figure import Figure

    count = max(len(row.images) for row in strip.rows)
    side = _PAGE / (3 * count + 1)
    figure = Figure(figsize=(_PAGE, len(strip.rows) * (side + _ABOVE)), layout="constrained")
    grid = figure.subplots(len(strip.rows), 3 * count, squeeze=False)
    for line, (places, row) in enumerate(zip(grid, strip.rows, strict=True)):
        name = "\n".join(textwrap.wrap(row.label, 14))
        weight = "bold" if row.label == REFERENCE else "normal"
        places[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=_SMALL, fontweight=weight)
        for axes in places:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        for index, ((before, after), (was, became), at) in enumerate(zip(row.images, row.read, row.at, strict=True)):
            change = after.astype(np.float64) - before
            shown = before, after, (127.5 + 127.5 * change / max(1.0, np.abs(change).max())).astype(np.uint8)
            clean, attacked, changed = places[3 * index : 3 * index + 3]
            for axes, pixels in zip((clean, attacked, changed), shown, strict=True):
                axes.imshow(pixels, interpolation="nearest")
            colour, weight = ("#222222", "normal") if was == became else ("#B00020", "bold")
            clean.set_xlabel(was, fontsize=_SMALL - 1)
            attacked.set_xlabel(became, fontsize=_SMALL - 1, color=colour, fontweight=weight)
            changed.set_xlabel(f"at {at:g}", fontsize=_SMALL - 1)
            if not line:
                clean.set_title("before", fontsize=_SMALL)
                attacked.set_title("after", fontsize=_SMALL)
                changed.set_title("change", fontsize=_SMALL)
    return figure


def _row(contents: Contents, strip: Strip, record: Record, names: Sequence[str]) -> StripRow | None:
    arrays = contents.results.load_measurement(record.cell).arrays
    if any(name not in arrays for name in (strip.images, strip.read, strip.at)):
        return None
    step = max(1, len(arrays[strip.images]) // PAIRS)
    images, read, at = (arrays[name][::step][:PAIRS] for name in (strip.images, strip.read, strip.at))

    def name(index: int) -> str:
        return names[index] if 0 <= index < len(names) else f"class {index}"

    pairs = tuple((name(int(was)), name(int(became))) for was, became in read)
    return StripRow(record.run.label, images, pairs, tuple(map(float, at * strip.scale))) if len(images) else None
