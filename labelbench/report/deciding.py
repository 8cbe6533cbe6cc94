"""The command that would decide a claim on which too little is known."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence

from labelbench.claims.claim import Claim, Claims, Comparison, Verdict
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.repeat import Repeat, asked_again
from labelbench.results.tables import Row

# Seeds are added where what was measured is not separated: twice as many halve an interval, or nearly so.
_MORE = 2


def deciding(verdict: Verdict, claim: Claim, board: Leaderboard, claims: Claims, results: str) -> Repeat | None:
    """The command that measures what a verdict lacks; None if it is decided, or no network was trained there.

    Args:
        verdict: on one place.
        claim: that it is on.
        board: what was measured.
        claims: say which labels count as what.
        results: folder that the command writes to.
    """
    settings = verdict.settings or _settings_at(verdict, board)
    if verdict.outcome != "not decided" or not settings:
        return None
    comparisons = [each for each in claim.comparisons if each.attack == verdict.attack]
    place = (verdict.dataset, verdict.backbone, settings)
    rows = [row for table in board.evaluator_tables for row in table.rows if row.place == place]
    labels = dict.fromkeys(
        label for each in comparisons for name in (*each.right, *each.left) for label in _labels(name, rows, claims)
    )
    evaluators = dict.fromkeys(name for each in comparisons for name in _evaluators(each, board, place))
    least = max((each.minimum_n for each in comparisons if each.kind != "correlation"), default=1)
    seeds = max(least, _seeds(rows, labels))
    return asked_again(
        board.runs[settings],
        list(labels),
        list(evaluators),
        seeds,
        results,
        suite=board.name,
        test_images=board.legend[settings].test_images,
    )


def _settings_at(verdict: Verdict, board: Leaderboard) -> str:
    """Of settings under which something else was measured at the place of a verdict, the first with the most data."""
    place = (verdict.dataset, verdict.backbone)
    here = {letter: run for letter, run in board.runs.items() if letter and (run.dataset, run.backbone) == place}
    return max(sorted(here), key=lambda letter: here[letter].train_fraction, default="")


def _labels(name: str, rows: Sequence[Row], claims: Claims) -> Iterable[str]:
    """Labels that were measured and count as one side of a comparison, else the first that would."""
    found = sorted({row.label for row in rows if claims.counts_as(row.label, name)})
    plain = [pattern for pattern in claims.groups.get(name, (name,)) if "*" not in pattern]
    return found or plain[:1]


def _evaluators(comparison: Comparison, board: Leaderboard, place: tuple[str, str, str]) -> Iterable[str]:
    """The evaluator that was asked, or the first that may be, and that of the labels' statistic."""
    measured = {table.title for table in board.evaluator_tables if any(row.place == place for row in table.rows)}
    fitting = [name for pattern in comparison.evaluators for name in sorted(fnmatch.filter(measured, pattern))]
    yield from (fitting or [pattern for pattern in comparison.evaluators if "*" not in pattern])[:1]
    if comparison.statistic:
        yield comparison.statistic.partition("/")[0]


def _seeds(rows: Sequence[Row], labels: Mapping[str, None]) -> int:
    """How many seeds would tell more than those that all labels have."""
    by_label = {label: max((len(row.seeds) for row in rows if row.label == label), default=0) for label in labels}
    fewest = min(by_label.values(), default=0)
    return fewest * _MORE if fewest >= _MORE else 0
