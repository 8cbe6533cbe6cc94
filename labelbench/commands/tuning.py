"""``labelbench tune``: try every label on one grid, and write the suite with what was best."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelbench.commands.options import (
    dry_run_option,
    machine_options,
    output_option,
    suite_of,
    suite_options,
)
from labelbench.commands.output import error_console, output_console
from labelbench.errors import SOME_FAILED, InputError
from labelbench.tunings import Grid, Tuning

if TYPE_CHECKING:
    from rich.table import Table


@click.command(epilog="Example: labelbench tune --suite quick --grid learning-rate=0.05,0.1,0.2 --output tuned.toml")
@suite_options
@machine_options
@click.option(
    "--grid",
    multiple=True,
    metavar="SETTING=V1,V2,...",
    help="Try these values of a recipe's setting, e.g. learning-rate=0.1,0.2,0.4. Repeatable: all combinations.",
)
@click.option(
    "--tuning-seeds",
    type=click.IntRange(1),
    metavar="N",
    help="Networks for each label and point (default: as many as the suite was tuned with, else 1).",
)
@click.option(
    "--tuning-epochs",
    type=click.IntRange(1),
    metavar="N",
    help="Epochs of each (default: as many as the suite was tuned with, else the recipe's).",
)
@output_option("FILE.toml", "Write the tuned suite to this file (default: tuned.toml).", default="tuned.toml")
@dry_run_option
def tune(
    grid: tuple[str, ...],
    tuning_seeds: int | None,
    tuning_epochs: int | None,
    output: Path,
    dry_run: bool,
    **options: Any,
) -> None:
    """Give every label the best recipe of one grid, judged on validation images, and write the suite that has them."""
    from labelbench.cluster.engine import runner_of
    from labelbench.files import write_atomic
    from labelbench.machine.numerics import resolve_numerics
    from labelbench.results.store import Results
    from labelbench.running.progress import Reporter
    from labelbench.tuning.suite_file import suite_text
    from labelbench.tuning.trials import Trials, edge_lines

    chosen = grid_of(grid)
    suite = suite_of(options)
    if suite.tuning:
        # Labels that are named join those that were tuned before.
        before = suite_of({**options, "label": ()})
        suite = suite.changed(labels=list(dict.fromkeys([*before.labels, *suite.labels])))
    numerics = resolve_numerics(suite.numerics, options["device"], options["threads"], jobs=options["jobs"],
                                compiled=options["compiled"])  # fmt: skip
    trials = Trials.of(suite, chosen, numerics, seeds=tuning_seeds, epochs=tuning_epochs or options["epochs"])
    results = Results(options["results"] or Path("results", f"{suite.name}-tuning"))
    plan = trials.plan(results, options["overwrite"])
    click.echo(
        f"tuning {suite.name}: {trials.tuning.grid}; {len(trials.tuning.accuracy)} labels, "
        f"{len(plan.todo_trainings)} of {len(plan.trainings)} trainings to do in {results.folder}",
        err=True,
    )
    if dry_run:
        return
    with Reporter(error_console()) as reporter:
        how = {name: options[name] for name in ("overwrite", "jobs", "address")}
        outcome = runner_of(plan, results, reporter, **how).run()
    found = trials.found(results)
    assert found.tuning
    if not found.recipes:
        raise InputError(f"no training of this grid came to an end in {results.folder}; try smaller values")
    command = "labelbench tune " + " ".join(f"--grid {name}={','.join(f'{v:g}' for v in values)}"
                                            for name, values in found.tuning.grid.axes)  # fmt: skip
    write_atomic(output, suite_text(found, f"Made by `{command}`: each label has the best of one grid.").encode())
    output_console().print(_table(found.tuning))
    for line in edge_lines(found.tuning):
        click.echo(line)
    cost = sum(len(accuracies) for accuracies in found.tuning.accuracy.values())
    click.echo(
        f"{cost} points, {found.tuning.seconds:,.0f} s of training; {output} has a recipe for each of "
        f"{len(found.recipes)} labels: labelbench run --suite {shlex.quote(str(output))}"
    )
    for what, why in outcome.failures:
        click.echo(f"failed: {what}: {why}", err=True)
    if outcome.failures:
        sys.exit(SOME_FAILED)


def grid_of(texts: Sequence[str]) -> Grid | None:
    """The grid of ``learning-rate=0.1,0.2`` and its like; None if nothing was given.

    Raises:
        InputError: a text that is none.
    """
    axes: dict[str, tuple[float, ...]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        try:
            axes[name] = tuple(float(value) for value in values.split(","))
        except ValueError:
            axes[name] = ()
        if not name or not axes[name]:
            raise InputError(f"grid {text!r}; expected a setting and its values, such as learning-rate=0.1,0.2,0.4")
    return Grid.of(axes) if axes else None


def _table(tuning: Tuning) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    one = len(tuning.grid.names) == 1
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, title=f"Validation accuracy %, {tuning.words}", title_justify="left"
    )
    table.add_column("label", overflow="fold")
    for point in tuning.grid.points:
        pairs = zip(tuning.grid.names, point, strict=True)
        table.add_column(
            f"{point[0]:g}" if one else "\n".join(f"{name} {value:g}" for name, value in pairs), justify="right"
        )
    for label, accuracies in tuning.accuracy.items():
        best = tuning.best(label)
        cells = [
            Text("-" if one is None else f"{one:.1%}".rstrip("%"), style="bold" if point == best else "")
            for point, one in zip(tuning.grid.points, accuracies, strict=True)
        ]
        table.add_row(Text(label), *cells)
    return table
