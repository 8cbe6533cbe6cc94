"""What a report says first: the best label of each place, what was flagged, and every claim with its verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labelbench.claims.claim import OUTCOMES, Claims, Verdict
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.pages import shown
from labelbench.results.tables import Row, Table


@dataclass(frozen=True)
class Answer:
    """The first column of the leaderboard in one data set, backbone and settings.

    Attributes:
        where: the place in words.
        what: the column, with its unit.
        best: label and value of the best row.
        separated: whether it is separated from every other.
        reference: label and value of the label that others are compared with, None if it is the best or was not
            measured.
        others: how many further labels there are.
        flagged: each finding, and the labels that have it.
    """

    where: str
    what: str
    best: tuple[str, str]
    separated: bool
    reference: tuple[str, str] | None
    others: int
    flagged: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class ClaimView:
    """A claim and what was found of it.

    Attributes:
        id, text: of the claim.
        outcomes: how often each word was said, in the order of :data:`labelbench.claims.claim.OUTCOMES`; none left out.
        verdicts: on each data set, backbone, settings and attack.
    """

    id: str
    text: str
    outcomes: tuple[tuple[str, int], ...]
    verdicts: tuple[Verdict, ...]


def answers_of(board: Leaderboard, claims: Claims) -> list[Answer]:
    """An answer for every place of the first table of trained networks, if it ranks anything."""
    tables = ([board.headline] if board.headline else []) + list(board.evaluator_tables)
    table = next((one for one in tables if any(row.backbone for row in one.rows)), None)
    if table is None or not table.columns or table.columns[0].higher_is_better is None:
        return []
    return list(_answers(board, table, claims))


def _answers(board: Leaderboard, table: Table, claims: Claims) -> Iterator[Answer]:
    column = table.columns[0]
    rows: dict[tuple[str, str, str], list[Row]] = {}
    for row in table.rows:
        if row.backbone and column.key in row.values and row.values[column.key].mean is not None:
            rows.setdefault(row.place, []).append(row)
    for (dataset, backbone, settings), found in rows.items():
        best, *others = found
        references = [row for row in others if claims.counts_as(row.label, claims.reference)]
        several = f", settings {settings}" if len(board.legend) > 1 else ""
        n = len(best.seeds)
        flagged: dict[str, tuple[str, ...]] = {}
        for row in found:
            for flag in row.flags:
                flagged[str(flag)] = (*flagged.get(str(flag), ()), row.name)
        yield Answer(
            f"{dataset}, {backbone}{several}, {n} seed{'s' if n > 1 else ''}",
            column.key + {"share": ", %", "": ""}.get(column.unit, f", {column.unit}"),
            (best.name, shown(best.values[column.key], column, best)),
            best.values[column.key].best,
            next(((row.name, shown(row.values[column.key], column, row)) for row in references), None),
            len(others),
            tuple(flagged.items()),
        )


def claim_views(board: Leaderboard) -> list[ClaimView]:
    """Every claim once, in the order of the claims file."""
    by_claim: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in board.verdicts:
        by_claim.setdefault((verdict.claim, verdict.text), []).append(verdict)
    return [
        ClaimView(
            name,
            text,
            tuple((word, sum(one.outcome == word for one in found)) for word in OUTCOMES),
            tuple(found),
        )
        for (name, text), found in by_claim.items()
    ]
