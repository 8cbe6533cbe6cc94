"""Parts of a leaderboard: one table, some columns, labels and places, another order."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from labelbench.errors import InputError, UnknownName
from labelbench.leaderboard.first_table import first_table
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.results.tables import Column, Row, Table

# Tables that are not of an evaluator, and the parts of a leaderboard that they are made of.
DERIVED = {
    "leaderboard": (),
    "differences": ("differences",),
    "claims": ("verdicts",),
    "correlations": ("correlations",),
    "reported": ("reported",),
    "settings": (),
}
_PARTS: dict[str, Any] = {"differences": (), "verdicts": (), "correlations": (), "reported": (), "missing": ()}
ONLY = ("dataset", "backbone", "set")


@dataclass(frozen=True)
class Choice:
    """What is to be shown.

    Attributes:
        table: one of :func:`table_names`; empty for the first.
        everything: whether all tables are.
        columns: of scores, each by ``evaluator/score``, heading, score, or a pattern of the first; or several of these
            with commas between them.
        labels: names or patterns of them.
        only: ``dataset=``, ``backbone=`` or ``set=`` and a name or pattern.
        sort: a column that rows are ordered by, the best first, or ``"label"``.
    """

    table: str = ""
    everything: bool = False
    columns: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    sort: str = ""


def table_names(board: Leaderboard) -> list[str]:
    """Every name that :attr:`Choice.table` may have."""
    return [*DERIVED, *(table.title for table in board.evaluator_tables)]


def first_alone(board: Leaderboard) -> Leaderboard:
    """The first table, its notes and settings; a leaderboard of nothing else."""
    tables = (board.headline,) if board.headline else ()
    return replace(board, tables=tables, **{**_PARTS, "missing": board.missing})


def chosen(board: Leaderboard, choice: Choice) -> Leaderboard:
    """The part of a leaderboard that is asked for.

    Raises:
        UnknownName: no such table, column, label or place.
        InputError: ``only`` that is not ``dataset=``, ``backbone=`` or ``set=``; or no row is left.
    """
    found = _rows_of(board, choice)
    if choice.columns:
        found = _with_columns(found, choice)
    if choice.sort:
        found = replace(found, tables=tuple(_sorted(found.tables, choice.sort)))
    if choice.everything:
        return found
    return _one_table(found, choice.table) if choice.table else first_alone(found)


def chosen_scores(board: Leaderboard, choice: Choice) -> Leaderboard:
    """As :func:`chosen`, for CSV: all that is left, unless one table or some columns are asked for.

    Raises:
        UnknownName, InputError: as :func:`chosen` does; or the table is none of scores.
    """
    if choice.table in DERIVED and choice.table != "leaderboard":
        raise InputError(
            f"--table {choice.table} has no scores, of which CSV has a line each; expected another format, such as json"
            + (", or `labelbench claims DIR --format csv`" if choice.table == "claims" else "")
        )
    if choice.table not in ("", "leaderboard"):
        return chosen(board, choice)
    found = chosen(board, replace(choice, everything=True))
    return replace(found, tables=found.tables[:1]) if choice.columns or choice.table else found


def _one_table(board: Leaderboard, name: str) -> Leaderboard:
    if name not in table_names(board):
        raise UnknownName("table", name, table_names(board))
    if name == "leaderboard":
        return first_alone(board)
    if name in DERIVED:
        emptied: dict[str, Any] = {part: () for part in _PARTS if part not in DERIVED[name]}
        return replace(board, tables=(), **emptied)
    return replace(board, tables=tuple(table for table in board.evaluator_tables if table.title == name), **_PARTS)


def _rows_of(board: Leaderboard, choice: Choice) -> Leaderboard:
    """The leaderboard with the rows that are asked for."""
    tests: list[Callable[[Any], bool]] = []
    if choice.labels:
        names = {(row.label, row.name) for table in board.tables for row in table.rows}
        for pattern in choice.labels:
            if not any(_matches(name, pattern) for pair in names for name in pair):
                raise UnknownName("label", pattern, {label for label, _ in names})
        tests.append(lambda one: any(_matches(name, each) for name in (one.label, one.name) for each in choice.labels))
    places: list[Callable[[Any], bool]] = []
    for text in choice.only:
        key, equals, pattern = text.partition("=")
        if key not in ONLY or not equals:
            raise InputError(f"--only {text}; expected {' or '.join(f'{name}=NAME' for name in ONLY)}")
        part = "settings" if key == "set" else key
        known = {getattr(row, part) for table in board.tables for row in table.rows} - {""}
        if not any(_matches(name, pattern) for name in known):
            raise UnknownName(key, pattern, known)
        places.append(_place_test(part, pattern))
    if not tests and not places:
        return board

    def kept(ones: Iterable[Any], conditions: Sequence[Callable[[Any], bool]]) -> tuple[Any, ...]:
        return tuple(one for one in ones if all(test(one) for test in conditions))

    found = (replace(table, rows=kept(table.rows, [*tests, *places])) for table in board.tables)
    tables = tuple(table for table in found if table.rows)
    if not tables:
        raise InputError(f"no row is of {' and '.join([*choice.labels, *choice.only])}; expected what some row is of")
    verdicts = kept(board.verdicts, places)
    shown = {one.settings for one in (*verdicts, *(row for table in tables for row in table.rows))}
    return replace(
        board,
        tables=tables,
        legend={letter: each for letter, each in board.legend.items() if letter in shown},
        differences=kept(board.differences, [*tests, *places]),
        reported=kept(board.reported, [*tests, *places]),
        verdicts=verdicts,
        correlations=kept(board.correlations, places),
        missing=(),
    )


def _place_test(name: str, pattern: str) -> Callable[[Any], bool]:
    # Labels alone have neither backbone nor settings, and belong to all.
    return lambda one: not getattr(one, name) or _matches(getattr(one, name), pattern)


def _with_columns(board: Leaderboard, choice: Choice) -> Leaderboard:
    """Only the columns that are asked for, in their order; in the first table they may be of any evaluator."""
    headed = {column.key: column for column in board.headline.columns} if board.headline else {}
    every = {column.key: headed.get(column.key, column) for one in board.evaluator_tables for column in one.columns}
    if choice.table in DERIVED or not choice.table:
        columns = list(_columns(every.values(), choice.columns))
        first = first_table(board.evaluator_tables, [_headed(each) for each in columns], board.legend)
        keys = {column.key for column in columns}
        return replace(
            board,
            tables=(*([first] if first else ()), *board.evaluator_tables),
            differences=tuple(one for one in board.differences if one.column.key in keys),
            correlations=tuple(one for one in board.correlations if one.outcome in keys),
            reported=tuple(one for one in board.reported if one.score in keys),
            missing=tuple(one for one in board.missing if set(one.evaluators) & {each.evaluator for each in columns}),
        )
    tables = []
    for table in board.tables:
        if table.title == choice.table:
            table = replace(table, columns=tuple(_columns(table.columns, choice.columns)))
        tables.append(table)
    return replace(board, tables=tuple(tables))


def _headed(column: Column) -> Column:
    return replace(column, heading=column.heading or column.key)


def _columns(known: Iterable[Column], names: Sequence[str]) -> Iterable[Column]:
    columns = list(known)
    found: dict[str, Column] = {}
    for name in _names(columns, names):
        matching = [each for each in columns if name and _is(each, name)]
        if not matching:
            known_names = {name for each in columns for name in (each.key, each.heading) if name}
            raise UnknownName("column", name, known_names)
        found |= {each.key: each for each in matching}
    return found.values()


def _names(columns: Sequence[Column], texts: Iterable[str]) -> Iterator[str]:
    """The names between commas; a name that holds some itself, as arguments of evaluators do, is taken whole."""
    for text in texts:
        parts = text.split(",")
        while parts:
            joined = {end: ",".join(parts[:end]).strip() for end in range(len(parts), 0, -1)}
            end = next((end for end, name in joined.items() if any(_is(each, name) for each in columns)), 1)
            yield joined[end]
            del parts[:end]


def _is(column: Column, name: str) -> bool:
    return name in (column.heading, column.score) or _matches(column.key, name)


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatch.fnmatchcase(name, pattern)


def _sorted(tables: Sequence[Table], sort: str) -> Iterable[Table]:
    if sort != "label" and not any(_is(column, sort) for table in tables for column in table.columns):
        known = {column.key for table in tables for column in table.columns}
        raise UnknownName("column to sort by", sort, {*known, "label"})
    for table in tables:
        column = next((each for each in table.columns if _is(each, sort)), None)
        if column or sort == "label":
            yield replace(table, rows=tuple(sorted(table.rows, key=partial(_rank, column))))
        else:
            yield table


def _rank(column: Column | None, row: Row) -> tuple[Any, ...]:
    value = row.values.get(column.key) if column else None
    if column is None or value is None or value.mean is None:
        return row.dataset, row.backbone, True, 0.0, row.name
    return row.dataset, row.backbone, False, -value.mean if column.higher_is_better else value.mean, row.name
