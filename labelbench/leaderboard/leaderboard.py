"""The leaderboard: one first table and one table per evaluator, from finished measurements, and what follows.

Rows are averaged over seeds and nothing else: results that differ in any other setting stand in rows of their own,
each marked with a letter that a legend explains. Equal inputs give equal bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelbench.claims.claim import Claims, Verdict
from labelbench.claims.correlations import Correlation, correlations
from labelbench.claims.files import paper_claims
from labelbench.claims.judging import judge
from labelbench.evaluation.scores import Score
from labelbench.leaderboard.first_table import (
    HEADLINE,
    Missing,
    first_table,
    headline_columns,
    lacking_in,
    ordered,
)
from labelbench.leaderboard.reported import Reported, reported_beside
from labelbench.leaderboard.standings import Difference, differences_to_reference, with_best
from labelbench.results.conditions import Conditions, conditions_of
from labelbench.results.grouping import (
    Group,
    ambiguous_labels,
    flags_of,
    group_of,
    identity_shown,
    letter_of,
    newest_versions,
)
from labelbench.results.reading import Contents
from labelbench.results.records import Record
from labelbench.results.tables import Column, Flag, Row, Table, value_of
from labelbench.runs import RunSpec
from labelbench.values import uncollected

_DRAWN = "drawn again with each seed: its spread contains the draw"


@dataclass(frozen=True)
class Leaderboard:
    """All tables of a results folder.

    Attributes:
        name: of the suite.
        tables: the first table, titled :data:`HEADLINE`, and one for each evaluator; none if nothing was measured.
        legend: what each settings letter stands for.
        runs: one that was made under each.
        remarks: results left out, and why.
        failures: ``(what, why)`` of everything that failed.
        differences: of the headline's scores to the reference label, paired by seed.
        verdicts: on every claim.
        correlations: of statistics of labels with outcomes.
        reported: numbers that others printed, beside ours.
        missing: what rows of the first table lack that others have.
        folder: results folder that commands name: ``results/`` and its last part.
    """

    name: str
    tables: tuple[Table, ...]
    legend: Mapping[str, Conditions]
    remarks: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]
    differences: tuple[Difference, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    reported: tuple[Reported, ...] = ()
    missing: tuple[Missing, ...] = ()
    runs: Mapping[str, RunSpec] = field(default_factory=dict)
    folder: str = "results"

    @staticmethod
    def of(contents: Contents, claims: Claims | None = None) -> Leaderboard:
        """The leaderboard of what a results folder holds.

        Args:
            contents: of the folder.
            claims: judged on it; None for those of the paper.
        """
        asked = contents.asked
        return build(
            contents.records,
            name=asked.name,
            headline=asked.headline,
            failures=contents.failures,
            claims=claims,
            folder=f"results/{contents.results.folder.resolve().name}",
        )

    @property
    def headline(self) -> Table | None:
        """The first table; None if nothing was measured."""
        return next((table for table in self.tables if table.title == HEADLINE), None)

    @property
    def evaluator_tables(self) -> tuple[Table, ...]:
        """One table for each evaluator."""
        return tuple(table for table in self.tables if table.title != HEADLINE)


@uncollected()
def build(
    records: Sequence[Record],
    *,
    name: str = "leaderboard",
    headline: Sequence[str] = (),
    failures: Sequence[tuple[str, str]] = (),
    claims: Claims | None = None,
    folder: str = "results",
) -> Leaderboard:
    """A leaderboard from records in any order.

    Args:
        records: finished measurements.
        name: shown as title.
        headline: ``evaluator/score`` of the columns that come first in the first table.
        failures: ``(what, why)``.
        claims: judged on them; None for those of the paper.
        folder: results folder that commands name.
    """
    claims = claims or paper_claims()
    current, remarks = newest_versions(records)
    remarks += _remarks_on_images(current)
    settings = conditions_of(current)
    legend = {each: letter_of(index) for index, each in enumerate(sorted({each for each in settings if each}))}
    groups: dict[Group, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    runs: dict[str, RunSpec] = {}
    for record, each in sorted(zip(current, settings, strict=True), key=_order):
        letter = legend.get(each, "")
        runs.setdefault(letter, record.cell.run)
        groups[group_of(record, letter)][record.cell.evaluator].append(record)
    recipes = {letter: run.recipe for letter, run in runs.items() if letter}
    full_data = frozenset(letter for letter, run in runs.items() if run.train_fraction == 1)
    ambiguous = ambiguous_labels(groups)
    flags = {group: flags_of(found) for group, found in groups.items()}
    measured = sorted({record.cell.evaluator for record in current})
    tables = [_evaluator_table(evaluator, groups, flags, ambiguous) for evaluator in measured]
    letters = {letter: each for each, letter in legend.items()}
    columns = headline_columns(tables, headline)
    first = first_table(tables, columns, letters)
    return Leaderboard(
        name,
        (*([first] if first else ()), *tables),
        letters,
        tuple(remarks),
        tuple(failures),
        differences_to_reference(tables, columns, claims),
        judge(claims, tables, recipes),
        correlations(claims.correlate, tables, [column.key for column in columns]),
        reported_beside(tables, claims, full_data),
        tuple(lacking_in(first, tables, runs, letters, name, folder)) if first else (),
        runs,
        folder,
    )


_Groups = Mapping[Group, Mapping[str, list[Record]]]


def _order(pair: tuple[Record, Conditions]) -> tuple[Any, ...]:
    """What puts records, with their settings, in one order whatever the order they came in."""
    record, settings = pair
    run = record.cell.run
    identity = str(record.facts["label"]["identity"])
    return run.dataset, run.backbone, run.label, settings, identity, record.cell.evaluator, run.seed


def _evaluator_table(
    evaluator: str, groups: _Groups, flags: Mapping[Group, tuple[Flag, ...]], ambiguous: set[tuple[str, str]]
) -> Table:
    columns: dict[str, Column] = {}
    rows = []
    targets: dict[tuple[str, ...], str] = {}
    for group, found in groups.items():
        records = found.get(evaluator, [])
        if not records:
            continue
        for record in records:
            for score in record.scores:
                column = Column(evaluator, score.name, score.unit, score.higher_is_better, score.at)
                columns.setdefault(column.key, column)
        row = _row(group, records, flags[group], columns, ambiguous)
        rows.append(row)
        if group.label_identity:
            targets[*row.place, row.name] = f"{group.label_identity} {records[0].facts['label'].get('loss')}"
    found_columns = tuple(columns.values())
    return with_best(Table(evaluator, found_columns, ordered(rows, found_columns)), targets)


def _row(
    group: Group,
    records: Sequence[Record],
    flags: tuple[Flag, ...],
    columns: Mapping[str, Column],
    ambiguous: set[tuple[str, str]],
) -> Row:
    """The measurements of a group by one evaluator."""
    drawn_again = any(record.run.label_seed is not None for record in records)
    notes: dict[str, None] = {_DRAWN: None} if drawn_again else {}
    scores: dict[str, dict[int, Score]] = defaultdict(dict)
    for record in sorted(records, key=lambda record: record.run.seed):
        notes.update(dict.fromkeys(record.facts["label"].get("notes", ())))
        if record.diverged:
            notes[f"seed {record.run.seed} diverged"] = None
        for score in record.scores:
            scores[f"{record.cell.evaluator}/{score.name}"][record.run.seed] = score
    return Row(
        group.dataset,
        group.backbone,
        group.label,
        group.settings,
        tuple(sorted({record.run.seed for record in records if record.run.backbone})),
        {key: value_of(found, columns[key].unit) for key, found in scores.items()},
        tuple(notes),
        flags,
        identity_shown(group, ambiguous),
    )


def _remarks_on_images(records: Iterable[Record]) -> list[str]:
    """What is odd about the images that were measured, each said once."""
    found = {
        f"{record.cell.run.dataset}: {note}": None
        for record in records
        if record.cell.run.backbone
        for note in record.facts["images"].get("notes", ())
    }
    return list(found)
