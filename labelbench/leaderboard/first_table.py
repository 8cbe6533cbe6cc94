"""The first table: what evaluators name as their headline scores, side by side, in one row for each label.

It is made of the evaluators' tables. A label whose measurements looked at different numbers of test images is one row
all the same; for each evaluator the measurement of the most images counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from labelbench.leaderboard.repeat import Repeat, asked_again
from labelbench.plugins.lookup import evaluator_here, headline_of
from labelbench.results.conditions import Conditions
from labelbench.results.tables import Column, Flag, Row, Table, Value
from labelbench.runs import RunSpec

HEADLINE = "Leaderboard"


@dataclass(frozen=True)
class Missing:
    """What rows of the first table lack that others have.

    Attributes:
        dataset, backbone: of the rows.
        labels: of the rows, as tables show them.
        evaluators: that did not measure them.
        seeds: for which they did not.
        repeat: the command that does.
    """

    dataset: str
    backbone: str
    labels: tuple[str, ...]
    evaluators: tuple[str, ...]
    seeds: tuple[int, ...]
    repeat: Repeat

    def __str__(self) -> str:
        seeds = f" for seed{'s' if len(self.seeds) > 1 else ''} {', '.join(map(str, self.seeds))}"
        return f"{', '.join(self.labels)}: not measured with {', '.join(self.evaluators)}{seeds if self.seeds else ''}"


def headline_columns(tables: Sequence[Table], chosen: Sequence[str]) -> list[Column]:
    """The columns of the first table, each with its heading.

    They are in the order of the evaluators' sections and of the questions that they answer, as those of a report
    are; those without a section first, those of labels alone last.

    Args:
        tables: the evaluators' tables.
        chosen: ``evaluator/score`` that a suite puts first. An evaluator that it does not name has its own headline
            scores there; one that has none, its first score.
    """
    known = {column.key: column for table in tables for column in table.columns}
    columns = [_headed(known[key]) for key in dict.fromkeys(chosen) if key in known]
    named = {column.evaluator for column in columns}
    for table in sorted(tables, key=_place):
        if table.title not in named:
            columns += _declared(table)
    alone = {table.title for table in tables if _place(table)[0]}
    return _told_apart([replace(column, of_labels=column.evaluator in alone) for column in columns])


def first_table(tables: Sequence[Table], columns: Sequence[Column], legend: Mapping[str, Conditions]) -> Table | None:
    """Columns of several evaluators side by side; scores of labels alone join every row of their label.

    Args:
        tables: the evaluators' tables.
        columns: whose values are shown.
        legend: settings by letter.
    """
    evaluators = {column.evaluator for column in columns}
    rows: dict[tuple[str, str, str, tuple[str, ...]], dict[str, Row]] = defaultdict(dict)
    alone: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for table in tables:
        if table.title not in evaluators:
            continue
        for row in table.rows:
            if not row.backbone:
                alone[row.dataset, row.name][table.title] = row
                continue
            conditions = legend[row.settings]
            found = rows[row.dataset, row.backbone, row.name, conditions.parts]
            before = found.get(table.title)
            if before is None or _more(conditions, legend[before.settings]):
                found[table.title] = row
    if not columns:
        return None
    joined = [
        _joined([*found.values(), *alone[dataset, label].values()], legend, columns)
        for (dataset, _, label, _), found in rows.items()
    ]
    if not joined:
        joined = [_joined(list(found.values()), legend, columns) for found in alone.values()]
    return Table(HEADLINE, tuple(columns), ordered(joined, columns))


def lacking_in(
    table: Table,
    tables: Sequence[Table],
    runs: Mapping[str, RunSpec],
    legend: Mapping[str, Conditions],
    name: str,
    folder: str,
) -> Iterator[Missing]:
    """What rows lack that another row of the same data set and backbone has.

    Args:
        table: the first table.
        tables: the evaluators' tables, of which it is made.
        runs: a run of each letter of the legend.
        legend: settings by letter.
        name: of the suite.
        folder: results folder that commands write to.
    """
    measured: dict[tuple[str, str, str], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for each in tables:
        for row in each.rows:
            measured[row.dataset, row.backbone, row.name][each.title] |= set(row.seeds)
    evaluators = list(dict.fromkeys(column.evaluator for column in table.columns))
    asked: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for (dataset, backbone, _), found in measured.items():
        asked[dataset, backbone, ""] |= found.keys()
    lacking: dict[tuple[str, str, str, tuple[str, ...], tuple[int, ...]], list[Row]] = defaultdict(list)
    for row in table.rows:
        found = measured[row.dataset, row.backbone, row.name]
        by_seeds: dict[tuple[int, ...], list[str]] = defaultdict(list)
        for evaluator in evaluators:
            if evaluator in asked[row.dataset, row.backbone, ""]:
                seeds = tuple(seed for seed in row.seeds if seed not in found.get(evaluator, ()))
                if seeds:
                    by_seeds[seeds].append(evaluator)
            elif evaluator in asked[row.dataset, "", ""] and evaluator not in measured[row.dataset, "", row.name]:
                by_seeds[row.seeds].append(evaluator)
        for seeds, names in by_seeds.items():
            lacking[row.dataset, row.backbone, row.settings, tuple(names), seeds].append(row)
    for (dataset, backbone, settings, names_, seeds), found_rows in lacking.items():
        labels = [row.label for row in found_rows]
        measured_on = legend[settings].test_images if settings in legend else None
        repeat = asked_again(runs[settings], labels, names_, seeds, folder, suite=name, test_images=measured_on)
        whole = all(row.seeds == seeds for row in found_rows)
        shown = tuple(row.name for row in found_rows)
        yield Missing(dataset, backbone, shown, names_, () if whole else seeds, repeat)


def ordered(rows: Iterable[Row], columns: Sequence[Column]) -> tuple[Row, ...]:
    """Rows by data set and backbone, the best in the first column first, those that lack a seed there last, by name."""

    def rank(row: Row) -> tuple[object, ...]:
        value = row.values.get(columns[0].key) if columns else None
        mean = value.mean if value else None
        partial = value is not None and len(value.seeds) < len(row.seeds)
        if mean is None or columns[0].higher_is_better is None:
            goodness = (mean is None, partial, 0.0)
        else:
            goodness = (False, partial, -mean if columns[0].higher_is_better else mean)
        return (row.dataset, row.backbone, goodness, row.name, row.settings)

    return tuple(sorted(rows, key=rank))


def _declared(table: Table) -> Iterator[Column]:
    known = {column.score: column for column in table.columns}
    yield from (_headed(known[score]) for score in headline_of(table.title, known))


def _headed(column: Column) -> Column:
    """A column that a suite chose, with the evaluator's heading of it, of what it is a part of, or of its neighbour.

    Where ``fgsm/0.05`` is "FGSM 0.05", ``fgsm/0.1`` is "FGSM 0.1"; what the evaluator has no words for keeps its name.
    """
    headings = {one.score: one.heading for one in evaluator_here(column.evaluator).headline}
    if column.score in headings:
        return replace(column, heading=headings[column.score])
    whole, _, part = column.score.rpartition("/")
    if whole in headings:
        return replace(column, heading=f"{headings[whole]} {part}")
    for score, heading in headings.items():
        stem, _, number = score.rpartition("/")
        if stem == whole and stem and (before := number.rstrip("%")) in heading:
            return replace(column, heading=heading.replace(before, part.rstrip("%"), 1))
    return replace(column, heading=column.score)


def _told_apart(columns: Sequence[Column]) -> list[Column]:
    """Columns of one heading with their evaluators' arguments, or with all of their names."""
    headings = [column.heading for column in columns]
    return [
        replace(column, heading=f"{column.heading} ({column.evaluator.partition(':')[2] or column.evaluator})")
        if headings.count(column.heading) > 1
        else column
        for column in columns
    ]


def _place(table: Table) -> tuple[bool, int, str, str]:
    """What orders the tables of evaluators."""
    made = evaluator_here(table.title)
    order = made.section.order if made.section else 0
    question = next((one.question for one in made.headline if one.question), "")
    return not any(row.backbone for row in table.rows), order, question, table.title


def _more(one: Conditions, other: Conditions) -> bool:
    """Whether more test images were measured; None stands for all."""
    return other.test_images is not None and (one.test_images is None or one.test_images > other.test_images)


def _joined(rows: Sequence[Row], legend: Mapping[str, Conditions], columns: Sequence[Column]) -> Row:
    """The rows of one label by several evaluators as one."""
    keys = {column.key for column in columns}
    first = rows[0]
    for row in rows:
        if row.backbone and _more(legend[row.settings], legend[first.settings]):
            first = row
    values: dict[str, Value] = {}
    notes: dict[str, None] = {}
    flags: dict[str, Flag] = {}
    for row in rows:
        values |= {key: value for key, value in row.values.items() if key in keys}
        notes |= dict.fromkeys(row.notes)
        flags = {flag.name: flag for flag in row.flags} | flags
    seeds = {seed for row in rows for seed in row.seeds}
    return replace(
        first,
        seeds=tuple(sorted(seeds)),
        values=values,
        notes=tuple(notes),
        flags=tuple(flags[name] for name in sorted(flags)),
    )
