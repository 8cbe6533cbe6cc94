"""The leaderboard: one headline table and one table per evaluator, from finished measurements.

Rows are averaged over seeds and nothing else: results that differ in any other setting stand in rows of their own,
each marked with a letter that a legend explains. Equal inputs give equal bytes.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labelbench.evaluation import Score
from labelbench.recipes import RECIPES, Recipe
from labelbench.results import Record, Results
from labelbench.runs import digest_of


@dataclass(frozen=True)
class Column:
    """One score of one evaluator.

    Attributes:
        evaluator: its name as the user wrote it.
        score: the score's name.
        unit, higher_is_better: as the score says.
    """

    evaluator: str
    score: str
    unit: str = ""
    higher_is_better: bool | None = None

    @property
    def key(self) -> str:
        """``evaluator/score``, as a suite names it in ``headline``."""
        return f"{self.evaluator}/{self.score}"


@dataclass(frozen=True)
class Value:
    """One score of one row over its seeds.

    Attributes:
        mean: over the seeds that have a value, or None.
        std: sample standard deviation over them, None with fewer than two.
        seeds: the seeds that have a value.
        interval: 95 % interval over the test images, with a single seed.
        note: why there is no value, or what must be known about it.
    """

    mean: float | None
    std: float | None
    seeds: tuple[int, ...]
    interval: tuple[float, float] | None
    note: str


@dataclass(frozen=True)
class Row:
    """One label under one combination of settings.

    Attributes:
        dataset, backbone, label: names; backbone is empty in tables of labels alone.
        settings: letter of the legend.
        seeds: seeds that were measured.
        values: by column key; a missing key was not measured.
        notes: what must be known about the row.
    """

    dataset: str
    backbone: str
    label: str
    settings: str
    seeds: tuple[int, ...]
    values: Mapping[str, Value]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows that share columns."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Leaderboard:
    """All tables of a results folder.

    Attributes:
        name: of the suite.
        tables: the headline table first, if there is one.
        legend: what each settings letter stands for.
        remarks: results left out, and why.
        failures: ``(what, why)`` of everything that failed.
    """

    name: str
    tables: tuple[Table, ...]
    legend: Mapping[str, str]
    remarks: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]

    @staticmethod
    def of(results: Results) -> Leaderboard:
        """The leaderboard of a results folder.

        Raises:
            InputError: a file in it is damaged or no record.
        """
        asked = results.suite_facts()
        return build(
            list(results.records()),
            name=asked.get("name", results.folder.name),
            headline=tuple(asked.get("headline", ())),
            failures=tuple(results.failures()),
        )


@dataclass(frozen=True)
class _Group:
    """Records that differ in their seed alone."""

    dataset: str
    backbone: str
    label: str
    label_identity: str
    settings: str


def build(
    records: Sequence[Record],
    *,
    name: str = "leaderboard",
    headline: Sequence[str] = (),
    failures: Sequence[tuple[str, str]] = (),
) -> Leaderboard:
    """A leaderboard from records in any order.

    Args:
        records: finished measurements.
        name: shown as title.
        headline: ``evaluator/score`` of each column of the first table.
        failures: ``(what, why)``.
    """
    current, remarks = _newest_versions(records)
    legend = {
        text: _letter(index)
        for index, text in enumerate(sorted({_settings_of(r) for r in current if r.cell.run.backbone}))
    }
    groups: dict[_Group, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in current:
        groups[_group_of(record, legend)][record.cell.evaluator].append(record)
    ambiguous = _ambiguous_labels(groups)
    evaluators = sorted({record.cell.evaluator for record in current})
    tables = [_evaluator_table(evaluator, groups, ambiguous) for evaluator in evaluators]
    first = _headline_table(headline, tables, groups, ambiguous)
    return Leaderboard(
        name,
        (*([first] if first else ()), *tables),
        {letter: text for text, letter in legend.items()},
        tuple(remarks),
        tuple(failures),
    )


def _newest_versions(records: Iterable[Record]) -> tuple[list[Record], list[str]]:
    """Records of each evaluator's newest version, and a remark on those left out."""
    newest: dict[str, int] = {}
    records = list(records)
    for record in records:
        newest[record.cell.evaluator] = max(record.cell.version, newest.get(record.cell.evaluator, 0))
    kept = [record for record in records if record.cell.version == newest[record.cell.evaluator]]
    left_out: dict[str, int] = defaultdict(int)
    for record in records:
        if record.cell.version != newest[record.cell.evaluator]:
            left_out[record.cell.evaluator] += 1
    remarks = [
        f"{count} result(s) of an older version of {evaluator} are left out; run again to renew them"
        for evaluator, count in sorted(left_out.items())
    ]
    return kept, remarks


def _settings_of(record: Record) -> str:
    """Everything but the seed that may change a result, in words."""
    run, facts = record.cell.run, record.facts
    images, environment = facts["images"], facts["environment"]
    parts = [
        _recipe_in_words(run.recipe),
        f"{run.train_fraction:.0%} of the training data",
        str(run.numerics),
        f"{run.dataset} {images['fingerprint'][:12]} ({images['train']:,} training, {images['test']:,} test images)",
        f"{record.cell.test_images:,} of them measured" if record.cell.test_images else "",
        f"labelbench {environment['labelbench']}, torch {environment['torch']}",
        *(f"{path} {digest[:12]}" for path, digest in run.files if path in run.backbone or path in run.dataset),
    ]
    return "; ".join(part for part in parts if part)


def _recipe_in_words(recipe: Recipe) -> str:
    """Name and epochs; a digest tells recipes apart that share both."""
    text = f"recipe {recipe.name}, {recipe.epochs} epochs"
    if recipe.name in RECIPES and recipe == RECIPES[recipe.name].with_epochs(recipe.epochs):
        return text
    return f"{text} ({digest_of(asdict(recipe))[:6]})"


def _group_of(record: Record, legend: Mapping[str, str]) -> _Group:
    run = record.cell.run
    drawn_per_seed = run.label_seed is not None
    return _Group(
        run.dataset,
        run.backbone,
        run.label,
        "" if drawn_per_seed else record.facts["label"]["identity"],
        legend[_settings_of(record)] if run.backbone else "",
    )


def _ambiguous_labels(groups: Iterable[_Group]) -> set[tuple[str, str]]:
    identities: dict[tuple[str, str], set[str]] = defaultdict(set)
    for group in groups:
        identities[group.dataset, group.label].add(group.label_identity)
    return {key for key, found in identities.items() if len(found) > 1}


def _shown_label(group: _Group, ambiguous: set[tuple[str, str]]) -> str:
    if (group.dataset, group.label) in ambiguous:
        return f"{group.label} #{group.label_identity[:6]}"
    return group.label


_Groups = Mapping[_Group, Mapping[str, list[Record]]]


def _evaluator_table(evaluator: str, groups: _Groups, ambiguous: set[tuple[str, str]]) -> Table:
    columns: dict[str, Column] = {}
    rows = []
    for group, found in groups.items():
        records = found.get(evaluator, [])
        if not records:
            continue
        for record in records:
            for score in record.scores:
                column = Column(evaluator, score.name, score.unit, score.higher_is_better)
                columns.setdefault(column.key, column)
        rows.append(_row(group, {evaluator: records}, ambiguous))
    ordered = tuple(columns.values())
    return Table(evaluator, ordered, _sorted(rows, ordered))


def _headline_table(
    headline: Sequence[str], tables: Sequence[Table], groups: _Groups, ambiguous: set[tuple[str, str]]
) -> Table | None:
    """The chosen columns of all evaluators side by side; scores of labels alone join every row of their label."""
    known = {column.key: column for table in tables for column in table.columns}
    columns = tuple(known[key] for key in headline if key in known)
    if not columns:
        return None
    evaluators = {column.evaluator for column in columns}
    alone = {
        (group.dataset, group.label, group.label_identity): found
        for group, found in groups.items()
        if not group.backbone
    }
    rows = []
    for group, found in groups.items():
        if not group.backbone:
            continue
        of_label = alone.get((group.dataset, group.label, group.label_identity), {})
        chosen = {name: records for name, records in {**of_label, **found}.items() if name in evaluators}
        if any(name in chosen for name in found):
            rows.append(_row(group, chosen, ambiguous))
    return Table("Leaderboard", columns, _sorted(rows, columns))


def _row(group: _Group, found: Mapping[str, list[Record]], ambiguous: set[tuple[str, str]]) -> Row:
    values: dict[str, Value] = {}
    notes: dict[str, None] = {}
    for evaluator, records in found.items():
        by_score: dict[str, dict[int, Score]] = defaultdict(dict)
        for record in sorted(records, key=lambda record: record.cell.run.seed):
            notes.update(dict.fromkeys(record.facts["label"].get("notes", ())))
            if record.diverged:
                notes[f"seed {record.cell.run.seed} diverged"] = None
            for score in record.scores:
                by_score[score.name][record.cell.run.seed] = score
        values |= {f"{evaluator}/{name}": _value(scores) for name, scores in by_score.items()}
    seeds = {record.cell.run.seed for records in found.values() for record in records if record.cell.run.backbone}
    return Row(
        group.dataset,
        group.backbone,
        _shown_label(group, ambiguous),
        group.settings,
        tuple(sorted(seeds)),
        values,
        tuple(notes),
    )


def _value(scores: Mapping[int, Score]) -> Value:
    known = {seed: score.value for seed, score in scores.items() if score.value is not None}
    notes = dict.fromkeys(score.note for score in scores.values() if score.note)
    numbers = list(known.values())
    only = scores[next(iter(known))] if len(known) == 1 else None
    return Value(
        mean=statistics.fmean(numbers) if numbers else None,
        std=statistics.stdev(numbers) if len(numbers) > 1 else None,
        seeds=tuple(known),
        interval=only.interval if only else None,
        note="; ".join(notes),
    )


def _sorted(rows: Iterable[Row], columns: Sequence[Column]) -> tuple[Row, ...]:
    """Rows by data set and backbone, the best in the first column first, then by name."""

    def rank(row: Row) -> tuple[Any, ...]:
        value = row.values.get(columns[0].key) if columns else None
        mean = value.mean if value else None
        if mean is None or columns[0].higher_is_better is None:
            goodness = (mean is None, 0.0)
        else:
            goodness = (False, -mean if columns[0].higher_is_better else mean)
        return (row.dataset, row.backbone, goodness, row.label, row.settings)

    return tuple(sorted(rows, key=rank))


def _letter(index: int) -> str:
    """a, b, ..., z, aa, ab, ...

    >>> _letter(0), _letter(26)
    ('a', 'aa')
    """
    letters = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        letters = chr(ord("a") + digit) + letters
    return letters
