"""What differs between a label and a control that is made to differ from it in little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labelbench.claims.claim import Claims
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.results.spread import Paired
from labelbench.results.tables import Column, Row


@dataclass(frozen=True)
class Control:
    """Two labels that differ in little.

    Attributes:
        cause: in what; a difference in outcome would speak for it.
        left, right: names of groups of the claims, or patterns of label names.
    """

    cause: str
    left: str
    right: str


CONTROLS = (
    Control("all at once: decoder, loss, range, structure", "speech", "category"),
    Control("decoder and loss: one-hot drawn into the matrices of dense labels", "category-dense", "category"),
    Control("loss: smooth L1 for cross-entropy", "category-huber", "category"),
    Control("smoothness: softer one-hot targets", "category-smoothed", "category"),
    Control("range: the same values brought to 0 to 80", "scaled:*speech", "speech"),
    Control("order: each class's columns shuffled, which also moves labels apart", "shuffled-speech", "speech"),
    Control("structure: noise in shape and range of speech", "random-like:*speech", "speech"),
    Control("content: one value for a matrix of noise", "constant", "uniform-random"),
    Control("size: ten values of noise for thousands, without a decoder", "low-dim", "uniform-random"),
)


@dataclass(frozen=True)
class Effect:
    """The difference of two labels in every headline score.

    Attributes:
        control: what is compared.
        place: data set, backbone and letter of the settings.
        left, right: the labels, as tables show them.
        differences: left less right for each column, None where it was not measured for both.
    """

    control: Control
    place: tuple[str, str, str]
    left: str
    right: str
    differences: tuple[Paired | None, ...]


def columns_of(board: Leaderboard) -> tuple[Column, ...]:
    """The scores of trained networks that the first table shows and in which better lies somewhere."""
    table = board.headline
    return tuple(column for column in table.columns if column.higher_is_better is not None) if table else ()


def effects_of(board: Leaderboard, claims: Claims) -> Iterator[Effect]:
    """Every control on every place of a board that has both labels."""
    columns = columns_of(board)
    rows = [row for row in board.headline.rows if row.backbone] if board.headline else []
    for place in dict.fromkeys(row.place for row in rows):
        here = [row for row in rows if row.place == place]
        for control in CONTROLS:
            left, right = (_first(here, name, claims) for name in (control.left, control.right))
            if left and right:
                found = tuple(_difference(left, right, column) for column in columns)
                if any(found):
                    yield Effect(control, place, left.name, right.name, found)


def _first(rows: Sequence[Row], name: str, claims: Claims) -> Row | None:
    return next((row for row in rows if claims.counts_as(row.label, name)), None)


def _difference(left: Row, right: Row, column: Column) -> Paired | None:
    sides = [row.values.get(column.key) for row in (left, right)]
    return sides[0].less(sides[1]) if sides[0] and sides[1] else None
