"""Images before and after an attack, from the arrays that evaluators keep and declare as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labelbench.charts.data import REFERENCE
from labelbench.evaluation.shown import Section, Strip
from labelbench.pictures import png_address
from labelbench.registry import evaluator_here, section_of
from labelbench.results.reading import Contents
from labelbench.results.records import Record

PAIRS = 4


@dataclass(frozen=True)
class StripRow:
    """The pairs of one label: addresses of both pictures, and what is read in them."""

    label: str
    pairs: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class StripView:
    """One picture of one data set and backbone.

    Attributes:
        section: where it stands.
        title: in words.
        dataset, backbone: names.
        note: how to read it.
        rows: one for each label, category first.
    """

    section: Section
    title: str
    dataset: str
    backbone: str
    note: str
    rows: tuple[StripRow, ...]


def strip_views(contents: Contents, class_names: Mapping[str, Sequence[str]]) -> Iterator[StripView]:
    """Every picture that an evaluator declares as a strip; of several seeds of a label the lowest is shown."""
    records = sorted((one for one in contents.records if not one.diverged), key=lambda one: one.run.seed)
    for evaluator in sorted({record.cell.evaluator for record in records}):
        made = evaluator_here(evaluator)
        for strip in (one for one in made.pictures if isinstance(one, Strip)) if made else ():
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
                    f"{strip.title}: {dataset}, {backbone}",
                    dataset,
                    backbone,
                    " ".join(filter(None, (strip.note, f"At: {strip.unit}." if strip.unit else ""))),
                    tuple(row for row in rows if row.pairs),
                )


def _row(contents: Contents, strip: Strip, record: Record, names: Sequence[str]) -> StripRow:
    arrays = contents.results.load_measurement(record.cell).arrays
    if any(name not in arrays for name in (strip.images, strip.read, strip.at)):
        return StripRow(record.run.label, ())
    images, read, at = arrays[strip.images], arrays[strip.read], arrays[strip.at] * strip.scale
    step = max(1, len(images) // PAIRS)

    def name(index: int) -> str:
        return names[index] if 0 <= index < len(names) else f"class {index}"

    return StripRow(
        record.run.label,
        tuple(
            (
                png_address(before),
                png_address(after),
                f"{name(int(was))} → {name(int(became))} at {place:g}",
            )
            for (before, after), (was, became), place in list(zip(images, read, at, strict=True))[::step][:PAIRS]
        ),
    )
