"""Numbers that others printed, beside what was measured here; never part of a mean, a rank or a verdict."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from labelbench.claims.claim import Claims
from labelbench.results.tables import Row, Table, shown_label


@dataclass(frozen=True)
class Source:
    """Where printed numbers come from.

    Attributes:
        name: of its file.
        title, cite: what it is and where it is found.
        protocol: how it differs from what is measured here.
    """

    name: str
    title: str
    cite: str
    protocol: str


@dataclass(frozen=True)
class Printed:
    """One printed number.

    Attributes:
        value: in the unit of the score; shares are 0 to 1.
        source: name of the :class:`Source`.
        note: what sets this number apart.
    """

    value: float
    source: str
    note: str


@dataclass(frozen=True)
class Reported:
    """A printed number and ours for the same data set, backbone, label and score.

    Attributes:
        dataset, backbone, label, identity, settings: of our row.
        score: ``evaluator/score``.
        unit: of the score.
        ours: mean over seeds.
        reported: the printed number.
        source, note: see :class:`Printed`.
    """

    dataset: str
    backbone: str
    label: str
    identity: str
    settings: str
    score: str
    unit: str
    ours: float
    reported: float
    source: str
    note: str

    @property
    def name(self) -> str:
        """The label as tables show it."""
        return shown_label(self.label, self.identity)

    @property
    def difference(self) -> float:
        """Ours less the printed number."""
        return self.ours - self.reported


@cache
def sources() -> Mapping[str, Source]:
    """Every source, by name."""
    table = tomllib.loads(_text("sources.toml"))
    return {name: Source(name, facts["title"], facts["cite"], facts["protocol"]) for name, facts in table.items()}


@cache
def printed_numbers() -> Mapping[tuple[str, str, str, str], tuple[Printed, ...]]:
    """Printed numbers by data set, backbone (empty for labels alone), group of labels, and ``evaluator/score``."""
    found: dict[tuple[str, str, str, str], tuple[Printed, ...]] = {}
    for name in sources():
        for line in csv.DictReader(io.StringIO(_text(f"{name}.csv"))):
            key = (line["dataset"], line["backbone"], line["label"], line["score"])
            epochs = f"{line['epochs']} epochs" if line["epochs"] else ""
            note = ", ".join(part for part in (epochs, line["note"]) if part)
            found[key] = (*found.get(key, ()), Printed(float(line["value"]), name, note))
    return found


def reported_beside(tables: Iterable[Table], claims: Claims, full_data: frozenset[str]) -> tuple[Reported, ...]:
    """Every printed number for which there is one of ours.

    Args:
        tables: the evaluators' tables.
        claims: say which group a label counts as.
        full_data: letters of the settings that use all training data.
    """
    known = printed_numbers()
    places = {key[:2] for key in known}
    return tuple(
        Reported(*_place(row), column.key, column.unit, value.mean, printed.value, printed.source, printed.note)
        for table in tables
        for row in table.rows
        if (row.dataset, row.backbone) in places and (not row.backbone or row.settings in full_data)
        for group in [claims.group_of(row.label)]
        for column in table.columns
        for printed in known.get((row.dataset, row.backbone, group, column.key), ())
        if (value := row.values.get(column.key)) is not None and value.mean is not None
    )


def _place(row: Row) -> tuple[str, str, str, str, str]:
    return row.dataset, row.backbone, row.label, row.identity, row.settings


def _text(name: str) -> str:
    return resources.files("labelbench.leaderboard").joinpath("reported_numbers", name).read_text(encoding="utf-8")
