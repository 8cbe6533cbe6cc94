"""``labelbench compare``."""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labelbench.commands.output import output_console
from labelbench.errors import InputError, UnknownName
from labelbench.results.reading import read
from labelbench.results.store import no_results, results_in
from labelbench.results.tables import shown_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labelbench.comparison import Line
    from labelbench.results.records import Record

WORSE = 3


@click.command(
    epilog="Examples: labelbench compare results/before results/after; "
    "labelbench compare --in results/mine paper-fast short --fail-if-worse 1; "
    "labelbench compare --in results/mine category speech"
)
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@click.option(
    "--in",
    "inside",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A and B are recipes or labels in this folder.",
)
@click.option(
    "--score", "scores", multiple=True, metavar="EVALUATOR/SCORE", help="Compare this (default: headlines). Repeatable."
)
@click.option(
    "--fail-if-worse",
    type=float,
    metavar="POINTS",
    help="Exit with 3 if the mean of any score is worse in B by more than this (shares in percentage points).",
)
def compare(left: str, right: str, inside: Path | None, scores: tuple[str, ...], fail_if_worse: float | None) -> None:
    """Compare two results folders, or two recipes of one: differences paired by label and seed, and changed settings.

    Of two labels of one folder the networks of each seed are compared image by image (McNemar): these two networks.

    A star marks a difference that is separated from nothing: three seeds or more, and a 95 % interval without 0.
    """
    from rich.table import Table

    from labelbench.comparison import compare

    if fail_if_worse is not None and not math.isfinite(fail_if_worse):
        raise InputError(f"--fail-if-worse {fail_if_worse}; expected a finite number of points")
    if inside:
        records = _records(inside)
        if _are_labels(records, (left, right), inside):
            if scores or fail_if_worse is not None:
                raise InputError(
                    f"{left} and {right} are labels of {inside}, which are compared image by image; --score and "
                    "--fail-if-worse are for two folders or two recipes"
                )
            _show_networks(inside, left, right)
            return
        one, other = (
            [record for record in records if record.run.backbone and record.run.recipe.name == name]
            for name in (left, right)
        )
    else:
        one, other = _records(Path(left)), _records(Path(right))
    found = compare(one, other, scores)
    console = output_console()
    table = Table(box=None, pad_edge=False)
    for heading in ("label", "score", left, right, "difference", "seeds", "exact p"):
        table.add_column(heading, overflow="fold")
    places = [(line.dataset, line.backbone, line.train_fraction) for line in found.lines]
    for line, place, before in zip(found.lines, places, [None, *places], strict=False):
        if place != before:
            of_data = f"{line.backbone}, {100 * line.train_fraction:.4g} % of the data"
            table.add_row(f"{line.dataset}, {of_data if line.backbone else 'labels alone'}")
        table.add_row(*_cells(line))
    console.print(table)
    for side, only, alone in ((left, found.only_left, found.alone_left), (right, found.only_right, found.alone_right)):
        for text in only:
            console.print(f"{side} alone: {text}", markup=False)
        if alone:
            console.print(f"{side} alone has: {', '.join(alone)}", markup=False)
    if not (found.only_left or found.only_right):
        console.print("settings and versions are the same", markup=False)
    if fail_if_worse is None:
        return
    scale = {"share": 100.0}
    worse = [line for line in found.lines if line.worse_by * scale.get(line.unit, 1.0) > fail_if_worse]
    for line in worse:
        click.echo(
            f"worse: {line.label} {line.evaluator}/{line.score}: {_signed(line, line.difference.mean)}, more than "
            f"{fail_if_worse:g}",
            err=True,
        )
    if worse:
        sys.exit(WORSE)


def _records(folder: Path) -> list[Record]:
    records = list(read(results_in(folder)).records)
    if not records:
        raise no_results(folder)
    return records


def _are_labels(records: Iterable[Record], names: tuple[str, str], inside: Path) -> bool:
    """Whether the names are labels of the folder; else they are recipes of it.

    Raises:
        UnknownName: a name that is neither, or not what the other one is.
    """
    runs = [record.run for record in records if record.run.backbone]
    if not runs:
        raise InputError(f"{inside} holds measurements of labels alone; expected networks that were trained")
    recipes = dict.fromkeys(run.recipe.name for run in runs)
    labels = dict.fromkeys(run.label for run in runs)
    for known in (recipes, labels):
        if all(name in known for name in names):
            return known is labels
    wrong = next((name for name in names if name not in recipes and name not in labels), None)
    if wrong is None:  # a recipe and a label
        kind, known = ("recipe", recipes) if names[0] in recipes else ("label", labels)
        raise UnknownName(kind, names[1], known, f"in {inside}")
    raise UnknownName("recipe or label", wrong, {**recipes, **labels}, f"in {inside}")


def _show_networks(inside: Path, left: str, right: str) -> None:
    from rich.table import Table

    from labelbench.same_images import compared_networks

    table = Table(box=None, pad_edge=False)
    for heading in ("where", "seed", "both right", f"{left} alone", f"{right} alone", "neither", "McNemar's exact p"):
        table.add_column(heading, overflow="fold")
    for pair in compared_networks(results_in(inside), left, right):
        counts = map(str, (pair.both, pair.left_alone, pair.right_alone, pair.neither))
        table.add_row(f"{pair.place}: {pair.evaluator}", str(pair.seed), *counts, f"{pair.p:.3g}")
    console = output_console()
    console.print(table)
    console.print(
        "Test images that these two networks read right. p is about these two networks, not about their labels: "
        f"another seed is another network. Over seeds: labelbench leaderboard "
        f"{shlex.quote(str(inside))} --table differences",
        markup=False,
    )


def _cells(line: Line) -> tuple[str, ...]:
    unit = " %" if line.unit == "share" else f" {line.unit}".rstrip()
    low_high = line.difference.interval
    interval = f" [{_signed(line, low_high[0])}, {_signed(line, low_high[1])}]" if low_high else ""
    return (
        line.label,
        f"{line.evaluator}/{line.score}",
        shown_number(line.left, line.unit) + unit,
        shown_number(line.right, line.unit) + unit,
        f"{_signed(line, line.difference.mean)}{interval}" + (" *" if line.difference.separated else ""),
        str(line.difference.n),
        "" if line.p is None else f"{line.p:.3g}",
    )


def _signed(line: Line, number: float) -> str:
    return shown_number(number, line.unit, signed=True)
