"""What the commands on finished results do: judge claims, write a report, and merge folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from labelbench.commands.output import format_of, output_console, write_or_print
from labelbench.errors import InputError
from labelbench.results.reading import read
from labelbench.results.store import no_results, results_in


def show_claims(folder: Path, claims_file: Path | None, form: str | None, output: Path | None) -> None:
    """Print the verdicts on a folder, or write them to a file.

    Raises:
        InputError: no results, or a claims file that cannot be used.
        UnknownName: no such format, or a word that a claims file does not have.
    """
    from labelbench.claims.files import load_claims, paper_claims
    from labelbench.leaderboard.exports import claims_alone, export_claims
    from labelbench.leaderboard.leaderboard import Leaderboard
    from labelbench.leaderboard.terminal import print_tables

    results = results_in(folder)
    claims = load_claims(claims_file) if claims_file else paper_claims()
    board = Leaderboard.of(read(results), claims)
    if not board.verdicts:
        raise InputError(
            f"{folder} holds no measurement of a trained network; `labelbench run --results {folder}` does"
        )
    if form is None and output is None:
        print_tables(claims_alone(board), output_console())
        return
    write_or_print(export_claims(board, format_of(form, output)), output)


def write_report_of(folder: Path, output: Path | None, claims_file: Path | None) -> None:
    """Write the report of a folder and say where it is.

    Raises:
        InputError: no results, a folder where a file is asked for, or a claims file that cannot be used.
        UnknownName: a word that a claims file does not have.
    """
    from labelbench.claims.files import load_claims
    from labelbench.leaderboard.leaderboard import Leaderboard
    from labelbench.report.page import write_report

    results = results_in(folder)
    if output is not None and output.is_dir():
        raise InputError(f"--output {output} is a folder; expected a file, such as {output / 'report.html'}")
    claims = load_claims(claims_file) if claims_file else None
    contents = read(results)
    if not contents:
        raise no_results(folder)
    click.echo(write_report(contents, Leaderboard.of(contents, claims), output, claims))


def merge_folders(folders: Sequence[Path], into: Path) -> None:
    """Merge results folders and say what was done.

    Raises:
        InputError: a folder holds no results.
        ConflictError: two folders have different results under one name.
    """
    from labelbench.results.merging import merge

    done = merge(folders, into)
    for run in done.apart:
        click.echo(f"same settings, another processor, both are kept: {run}")
    click.echo(f"{into}: {done.copied} files copied, {done.same} were there already; `labelbench leaderboard {into}`")
