"""``labelbench leaderboard``, and what the end of a run shows."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import click

from labelbench.claims.claim import OUTCOMES
from labelbench.commands.options import format_option, output_option, results_folder
from labelbench.commands.output import format_of, output_console, write_or_print
from labelbench.leaderboard.choice import Choice, chosen, first_alone, table_names
from labelbench.leaderboard.data import to_wide_csv
from labelbench.leaderboard.exports import export
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.terminal import print_tables
from labelbench.plugins.lookup import evaluator_here
from labelbench.results.reading import read
from labelbench.results.store import no_results, results_in

# Formats for programs hold everything whatever is chosen for the eye.
_COMPLETE = ("csv", "json")


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
    columns: tuple[str, ...],
    **asked: Any,
) -> None:
    """Print the first table of a results folder: every label by what was measured. More with --table and --all."""
    choice = Choice(columns=tuple(name.strip() for text in columns for name in text.split(",")), **asked)
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
        for name in dict.fromkeys(column.evaluator for table in board.tables for column in table.columns):
            for score, text in evaluator_here(name).explanations.items():
                click.echo(f"{name}/{score}: {text}")


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
