"""The leaderboard for programs: tidy CSV, CSV with one line for each label, and JSON with everything in it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from labelbench.leaderboard.first_table import Missing, first_table
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.reported import Reported
from labelbench.leaderboard.standings import Difference
from labelbench.results.tables import Column, Row, Table, Value

SCHEMA = 1
DIRECTIONS = {True: "higher is better", False: "lower is better", None: ""}
_HEADINGS = (
    *("dataset", "backbone", "label", "settings", "evaluator", "score", "unit", "direction"),
    *("mean", "std", "n", "low", "high", "interval_of", "seeds", "values", "best", "flags", "note"),
    *("reference", "difference", "difference_low", "difference_high", "difference_n"),
    *("reported", "reported_difference", "reported_by"),
)
# Columns of each score where a label has one line.
_WIDE = ("mean", "low", "high", "n")
_VERDICT_HEADINGS = ("claim", "text", "dataset", "backbone", "settings", "attack", "verdict", "missing", "evidence")


def to_csv(board: Leaderboard) -> str:
    """Tidy CSV: one line per row and score of the evaluators' tables, and nothing that is no score.

    Where only the first table is left, the lines are of its scores. Lists inside a cell are separated by spaces (seeds,
    their values) or semicolons.
    """
    differences = {_place(one, one.column.key): one for one in board.differences}
    reported: dict[tuple[str, ...], list[Reported]] = {}
    for each in board.reported:
        reported.setdefault(_place(each, each.score), []).append(each)
    lines = []
    for row, column, value in _values(board):
        difference = differences.get(_place(row, column.key))
        printed = reported.get(_place(row, column.key), [])
        lines.append(
            [
                *(row.dataset, row.backbone, row.name, _conditions(board, row.settings)),
                *(column.evaluator, column.score, column.unit, DIRECTIONS[column.higher_is_better]),
                *map(_number, (value.mean, value.std)),
                len(value.seeds),
                *map(_number, value.interval or (None, None)),
                value.interval_of,
                " ".join(map(str, value.seeds)),
                " ".join(map(_number, value.numbers)),
                "yes" if value.best else "",
                "; ".join(f"{flag.name} {flag.raised}/{flag.measured}" for flag in row.flags),
                value.note,
                *_difference_cells(difference),
                "; ".join(_number(each.reported) for each in printed),
                "; ".join(_number(each.difference) for each in printed),
                "; ".join(each.source for each in printed),
            ]
        )
    return _csv(_HEADINGS, lines)


def to_wide_csv(board: Leaderboard) -> str:
    """One line for each label, data set, backbone and settings; for each score its mean, 95 % interval and n.

    Columns of scores are ``evaluator/score``, the others of a score the same with ``low``, ``high`` or ``n`` after a
    space. Where only the first table is left, its scores are the columns, else those of all evaluators.
    """
    tables = board.evaluator_tables or board.tables
    columns = [column for table in tables for column in table.columns]
    table = first_table(tables, columns, board.legend) if board.evaluator_tables else board.headline
    names = [key if field == "mean" else f"{key} {field}" for key in (one.key for one in columns) for field in _WIDE]
    lines = []
    for row in table.rows if table else ():
        cells: list[object] = [row.dataset, row.backbone, row.name, _conditions(board, row.settings)]
        cells += [" ".join(map(str, row.seeds)), "; ".join(map(str, row.flags))]
        for column in columns:
            value = row.values.get(column.key)
            low, high = (value.interval if value else None) or (None, None)
            cells += map(_number, (value.mean if value else None, low, high))
            cells.append(len(value.seeds) if value else "")
        lines.append(cells)
    return _csv(("dataset", "backbone", "label", "settings", "seeds", "flags", *names), lines)


def verdicts_to_csv(board: Leaderboard) -> str:
    """One line per verdict."""
    return _csv(
        _VERDICT_HEADINGS,
        [
            [
                *(one.claim, one.text, one.dataset, one.backbone, _conditions(board, one.settings), one.attack),
                *(one.outcome, "; ".join(one.missing), "; ".join(one.evidence)),
            ]
            for one in board.verdicts
        ],
    )


def to_json(board: Leaderboard) -> str:
    """Everything that the leaderboard holds, as JSON of ``labelbench/leaderboard/leaderboard.schema.json``."""
    headline = board.headline
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "name": board.name,
        "legend": {letter: str(each) for letter, each in board.legend.items()},
        "headline": [column.key for column in headline.columns] if headline else [],
        "tables": [_table_facts(table) for table in board.tables],
        "differences": [asdict(one) for one in board.differences],
        "verdicts": [asdict(one) for one in board.verdicts],
        "correlations": [asdict(one) for one in board.correlations],
        "reported": [{**asdict(one), "difference": one.difference} for one in board.reported],
        "missing": [_missing_facts(one) for one in board.missing],
        "remarks": list(board.remarks),
        "failures": [{"what": what, "why": why} for what, why in board.failures],
    }
    return json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _missing_facts(one: Missing) -> dict[str, Any]:
    facts = {name: value for name, value in asdict(one).items() if name != "repeat"}
    return {**facts, "command": one.repeat.command}


def _table_facts(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "columns": [{**asdict(column), "key": column.key} for column in table.columns],
        "rows": [_row_facts(row) for row in table.rows],
    }


def _row_facts(row: Row) -> dict[str, Any]:
    values = {
        key: {
            **{name: part for name, part in asdict(value).items() if name != "notes"},
            "note": value.note,
            "interval_of": value.interval_of,
        }
        for key, value in row.values.items()
    }
    return {**asdict(row), "values": values}


def _values(board: Leaderboard) -> Iterator[tuple[Row, Column, Value]]:
    for table in board.evaluator_tables or board.tables:
        for row in table.rows:
            for column in table.columns:
                if column.key in row.values:
                    yield row, column, row.values[column.key]


def _conditions(board: Leaderboard, letter: str) -> str:
    return str(board.legend.get(letter, ""))


def _place(one: Row | Difference | Reported, key: str) -> tuple[str, ...]:
    return one.dataset, one.backbone, one.name, one.settings, key


def _difference_cells(one: Difference | None) -> list[object]:
    if one is None:
        return [""] * 5
    low, high = one.paired.interval or (None, None)
    return [one.reference, _number(one.paired.mean), _number(low), _number(high), one.paired.n]


def _number(number: float | None) -> str:
    """Digits that read back to the same number."""
    return "" if number is None else repr(number)


def _csv(headings: tuple[str, ...], lines: list[list[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(lines)
    return buffer.getvalue()
