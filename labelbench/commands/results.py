"""``labelbench claims``, ``report`` and ``merge``: what finished results say, and bringing them together."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from labelbench.commands.options import (
    claims_option,
    format_option,
    output_option,
    results_folder,
    results_folders,
)
from labelbench.commands.output import format_of, output_console, write_or_print
from labelbench.errors import InputError
from labelbench.results.reading import read
from labelbench.results.store import no_results, results_in


@click.command(epilog="Example: labelbench claims results/quick")
@results_folder
@claims_option
@format_option
@output_option()
def claims(folder: Path, claims_file: Path | None, form: str | None, output: Path | None) -> None:
    """Judge the paper's claims, or those of a file, on a results folder: reproduced, contradicted or not decided."""
    from labelbench.claims.files import load_claims, paper_claims
    from labelbench.leaderboard.exports import claims_alone, export_claims
    from labelbench.leaderboard.leaderboard import Leaderboard
    from labelbench.leaderboard.terminal import print_tables

    results = results_in(folder)
    board = Leaderboard.of(read(results), load_claims(claims_file) if claims_file else paper_claims())
    if not board.verdicts:
        raise InputError(
            f"{folder} holds no measurement of a trained network; "
            f"`labelbench run --results {shlex.quote(str(folder))}` does"
        )
    if form is None and output is None:
        print_tables(claims_alone(board), output_console())
        return
    write_or_print(export_claims(board, format_of(form, output)), output)


@click.command(epilog="Example: labelbench report results/quick --output quick.html")
@results_folder
@output_option(text="Write to this file (default: DIR/report.html).", folder=True)
@claims_option
def report(folder: Path, output: Path | None, claims_file: Path | None) -> None:
    """Write a results folder as one page for the browser: leaderboard, claims, charts, labels, and every run."""
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


@click.command(epilog="Example: labelbench merge results/mine results/yours --into results/both")
@results_folders
@click.option("--into", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Folder to merge into.")
def merge(folders: tuple[Path, ...], into: Path) -> None:
    """Bring results of several machines or people together; different results under one name are refused."""
    from labelbench.results.merging import merge

    done = merge(folders, into)
    for run in done.apart:
        click.echo(f"same settings, another processor, both are kept: {run}")
    click.echo(
        f"{into}: {done.copied} files copied, {done.same} were there already; "
        f"`labelbench leaderboard {shlex.quote(str(into))}`"
    )
