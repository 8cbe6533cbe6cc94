"""``labelbench leaderboard``, and what the end of a run shows."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from labelbench.claims.claim import OUTCOMES
from labelbench.commands.options import format_option, output_option, results_folder
from labelbench.commands.output import format_of, output_console, write_or_print
from labelbench.errors import InputError
from labelbench.leaderboard.choice import Choice, chosen, chosen_scores, first_alone, table_names
from labelbench.leaderboard.data import to_wide_csv
from labelbench.leaderboard.exports import export
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.terminal import print_tables
from labelbench.plugins.lookup import evaluator_here
from labelbench.results.reading import read
from labelbench.results.store import no_results, results_in


@click.command(epilog="Example: labelbench leaderboard results/quick --format latex --output quick.tex")
@results_folder
@format_option
@output_option()
@click.option("--table", default="", metavar="NAME", help="This table: an evaluator's, differences, claims, ...")
@click.option("--all", "everything", is_flag=True, help="All tables.")
@click.option("--columns", multiple=True, metavar="NAME,...", help="Only these scores, in this order. Repeatable.")
@click.option("--label", "labels", multiple=True, metavar="NAME", help="Only these labels; * stands for anything.")
@click.option("--only", multiple=True, metavar="KEY=NAME", help="Only this dataset=, backbone= or set=. Repeatable.")
@click.option("--sort", default="", metavar="COLUMN", help="Order by this score, the best first, or by label.")
@click.option("--wide", is_flag=True, help="CSV with one line for each label and a column for each score.")
@click.option("--explain", is_flag=True, help="Say below what each column means.")
def leaderboard(
    folder: Path,
    form: str | None,
    output: Path | None,
    wide: bool,
    explain: bool,
    **asked: Any,
) -> None:
    """Print the first table of a results folder: every label by what was measured. More with --table and --all."""
    choice = Choice(**asked)
    if wide and (form or (format_of(None, output) if output and output.suffix else "csv")) != "csv":
        raise InputError(f"--wide is CSV, not {form or output}; expected --format csv or an ending of .csv")
    contents = read(results_in(folder))
    if not contents.records and not contents.failures:
        raise no_results(folder)
    board = Leaderboard.of(contents)
    plain = choice == Choice()
    if wide:
        write_or_print(to_wide_csv(chosen_scores(board, choice)), output)
        return
    if form or output:
        form = format_of(form, output)
        if form == "csv":
            board = chosen_scores(board, choice)
        elif form != "json" or not plain:  # JSON holds everything unless something is chosen
            board = chosen(board, choice)
        write_or_print(export(board, form), output)
        return
    shown = board if plain else chosen(board, choice)
    if plain:
        print_first(board, folder)
    else:
        print_tables(_completed_in(folder, shown), output_console())
    if explain:
        for line in _explained(shown):
            click.echo(line)


def _explained(board: Leaderboard) -> Iterator[str]:
    """A sentence for every score, or for the first part of its name."""
    columns = [column for table in board.tables for column in table.columns]
    columns += [one.column for one in board.differences]
    for name in dict.fromkeys(column.evaluator for column in columns):
        scores = [f"{column.score}/" for column in columns if column.evaluator == name]
        for part, text in evaluator_here(name).explanations.items():
            if any(score.startswith(f"{part}/") for score in scores):
                yield f"{name}/{part}: {text}"


def print_first(board: Leaderboard, folder: Path) -> None:
    """Print the first table, how many claims hold, and how to see more."""
    console = output_console()
    print_tables(_completed_in(folder, first_alone(board)), console)
    if board.verdicts:
        counts = Counter(verdict.outcome for verdict in board.verdicts)
        console.print("Verdicts on the claims: " + ", ".join(f"{counts[word]} {word}" for word in OUTCOMES))
    names = ", ".join(name for name in table_names(board) if name != "leaderboard")
    command = f"labelbench leaderboard {shlex.quote(str(folder))}"
    console.print(f"More: {command} --table NAME ({names}), or --all", markup=False)


def _completed_in(folder: Path, board: Leaderboard) -> Leaderboard:
    """The leaderboard whose commands complete this very folder; pages, which travel, name it by its last part."""
    missing = (replace(one, repeat=one.repeat.into(str(folder))) for one in board.missing)
    return replace(board, missing=tuple(missing))
