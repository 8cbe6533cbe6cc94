"""What `labelbench leaderboard` and the end of a run show."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from labelbench.claims.claim import OUTCOMES
from labelbench.commands.output import format_of, output_console, write_or_print
from labelbench.leaderboard.choice import Choice, chosen, first_alone, table_names
from labelbench.leaderboard.exports import export
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.terminal import print_tables
from labelbench.leaderboard.wide import to_wide_csv
from labelbench.registry import explanations
from labelbench.results.reading import read
from labelbench.results.store import no_results, results_in

# Formats for programs hold everything whatever is chosen for the eye.
_COMPLETE = ("csv", "json")


def show_leaderboard(
    folder: Path, form: str | None, output: Path | None, *, wide: bool, explain: bool, **asked: Any
) -> None:
    """Print the leaderboard of a folder, or write it to a file.

    Args:
        folder: of results.
        form, output: format and file, if any is asked for.
        wide: whether CSV has a line for each label.
        explain: whether the columns are explained below.
        asked: the fields of :class:`labelbench.leaderboard.choice.Choice`.
    """
    choice = Choice(**asked)
    contents = read(results_in(folder))
    if not contents.records and not contents.failures:
        raise no_results(folder)
    board = Leaderboard.of(contents)
    plain = choice == Choice()
    if wide:
        write_or_print(to_wide_csv(board if plain else chosen(board, choice)), output)
        return
    if form or output:
        form = format_of(form, output)
        text = export(board if plain and form in _COMPLETE else chosen(board, choice), form)
        write_or_print(text, output)
        return
    if plain:
        print_first(board, folder)
    else:
        print_tables(chosen(board, choice), output_console())
    if explain:
        for line in _explanations(board):
            click.echo(line)


def print_first(board: Leaderboard, folder: Path) -> None:
    """Print the first table, how many claims hold, and how to see more."""
    console = output_console()
    print_tables(first_alone(board), console)
    if board.verdicts:
        counts = Counter(verdict.outcome for verdict in board.verdicts)
        console.print("Verdicts on the claims: " + ", ".join(f"{counts[word]} {word}" for word in OUTCOMES))
    names = ", ".join(name for name in table_names(board) if name != "leaderboard")
    command = f"labelbench leaderboard {shlex.quote(str(folder))}"
    console.print(f"More: {command} --table NAME ({names}), or --all", markup=False)


def _explanations(board: Leaderboard) -> Iterator[str]:
    """A line for each column of the evaluators' tables."""
    for name in dict.fromkeys(column.evaluator for table in board.tables for column in table.columns):
        for score, text in explanations(name).items():
            yield f"{name}/{score}: {text}"
