"""What stands out in a table: the values separated from all others, and differences paired by seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from labelbench.claims.claim import Claims
from labelbench.results.spread import LEAST_SEEDS, Paired
from labelbench.results.tables import Column, Row, Table, Value, shown_label


@dataclass(frozen=True)
class Difference:
    """One score of one label less that of the reference, seed by seed.

    Attributes:
        dataset, backbone, settings: what both share.
        label: whose score it is.
        reference: the label that is taken away, as tables show it.
        column: the score.
        paired: mean, spread and interval of the differences.
        identity: see :class:`labelbench.results.tables.Row`.
    """

    dataset: str
    backbone: str
    settings: str
    label: str
    reference: str
    column: Column
    paired: Paired
    identity: str = ""

    @property
    def name(self) -> str:
        """The label as tables show it."""
        return shown_label(self.label, self.identity)


def with_best(table: Table, targets: Mapping[tuple[str, ...], str]) -> Table:
    """The table with :attr:`Value.best` set where a value is separated from every other of its place.

    A label that has no value for some of its seeds is never the best: those that it has are chosen by what they are.

    Values are separated if they share three seeds or more and the 95 % t-interval of their difference excludes 0.

    Args:
        table: of one evaluator.
        targets: what the label of each row is, by place and name; labels of which it is the same are one.
    """
    places: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in table.rows:
        places[row.place].append(row)
    best: dict[tuple[int, str], Value] = {}
    for rows in places.values():
        for column in table.columns:
            if column.higher_is_better is not None:
                winner = _separated_winner(rows, column, targets)
                if winner is not None:
                    best[id(winner), column.key] = replace(winner.values[column.key], best=True)
    if not best:
        return table
    marked = tuple(
        replace(row, values={key: best.get((id(row), key), value) for key, value in row.values.items()})
        for row in table.rows
    )
    return replace(table, rows=marked)


def differences_to_reference(
    tables: Sequence[Table], columns: Sequence[Column], claims: Claims
) -> tuple[Difference, ...]:
    """Each column of each label less that of the reference, where both share a seed.

    Args:
        tables: the evaluators' tables.
        columns: which scores.
        claims: say which label is the reference.
    """
    wanted: Mapping[str, list[Column]] = defaultdict(list)
    for column in columns:
        wanted[column.evaluator].append(column)
    found = []
    for table in tables:
        references = {row.place: row for row in reversed(table.rows) if claims.counts_as(row.label, claims.reference)}
        for row in table.rows:
            reference = references.get(row.place)
            if not row.backbone or reference is None or reference.name == row.name:
                continue
            for column in wanted[table.title]:
                sides = row.values.get(column.key), reference.values.get(column.key)
                pair = sides[0].less(sides[1]) if sides[0] and sides[1] else None
                if pair:
                    found.append(Difference(*row.place, row.label, reference.name, column, pair, row.identity))
    return tuple(sorted(found, key=lambda one: (one.dataset, one.backbone, one.settings, one.name)))


def _separated_winner(rows: Sequence[Row], column: Column, targets: Mapping[tuple[str, ...], str]) -> Row | None:
    sign = 1.0 if column.higher_is_better else -1.0
    ranked = [(value.mean, row) for row in rows if (value := row.values.get(column.key)) and value.mean is not None]
    if len(ranked) < 2:
        return None
    _, winner = max(ranked, key=lambda pair: sign * pair[0])
    first = winner.values[column.key]
    if len(first.seeds) < len(winner.seeds):
        return None
    others = [row.values[column.key] for _, row in ranked if not _same_thing(row, winner, targets)]
    return winner if others and all(_separated(first, other, sign) for other in others) else None


def _same_thing(row: Row, other: Row, targets: Mapping[tuple[str, ...], str]) -> bool:
    """Whether two rows are one, or one label under two names: equal targets, and every score of every seed is equal."""
    if row is other:
        return True
    one, another = (targets.get((*each.place, each.name), "") for each in (row, other))
    if one != another or not one:
        return False
    if row.values.keys() != other.values.keys() or row.seeds != other.seeds or len(row.seeds) < LEAST_SEEDS:
        return False
    return all(dict(value.by_seed) == dict(other.values[key].by_seed) for key, value in row.values.items())


def _separated(winner: Value, other: Value, sign: float) -> bool:
    pair = winner.less(other)
    return pair is not None and pair.separated and sign * pair.mean > 0
