"""``labelbench plan``: a summary, the time that it takes, and, if asked for, every cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from labelbench.api import planned
from labelbench.commands.options import machine_options, suite_of, suite_options
from labelbench.commands.output import output_console
from labelbench.results.store import Results

if TYPE_CHECKING:
    from labelbench.running.planning import Plan
    from labelbench.suite import Suite

# Names of labels in a line; a suite may have hundreds.
_NAMED = 8


@click.command(epilog="Example: labelbench plan --suite paper --dataset cifar10 --measure")
@suite_options
@machine_options
@click.option("--measure", is_flag=True, help="Time a few steps of each kind of training and estimate the whole.")
@click.option("--all", "everything", is_flag=True, help="List every label with what is done of it.")
def plan(measure: bool, everything: bool, **options: Any) -> None:
    """Print what a suite asks for, how much of it is done, and about how long the rest takes."""
    plan, results = plan_of(options)
    if everything:
        _print_cells(plan)
    print_summary(plan, results)
    if not plan.todo_trainings:
        return
    from labelbench.running.estimate import estimate, rough_estimate

    for line in estimate(plan, options["jobs"]) if measure else [f"time: {rough_estimate(plan)}"]:
        click.echo(line)


def plan_of(options: dict[str, Any]) -> tuple[Plan, Results]:
    """What a suite asks for by its options, and the folder that tells what of it is done."""
    machine = {name: options[name] for name in ("device", "threads", "compiled", "jobs", "overwrite")}
    return planned(suite_of(options), options["results"], **machine)


def headline(plan: Plan) -> str:
    """How much there is to do, in a line."""
    trainings, cells = len(plan.todo_trainings), len(plan.todo_cells)
    if plan.left_alone and not trainings and not cells:
        return (
            f"suite {plan.suite.name}: nothing to do; {len(plan.left_alone)} of {len(plan.cells)} measurements failed "
            "before and are left alone (--overwrite never)"
        )
    if not trainings and not cells:
        return f"suite {plan.suite.name}: nothing to do, all {len(plan.cells)} measurements are there"
    return (
        f"suite {plan.suite.name}: {trainings} of {len(plan.trainings)} trainings and "
        f"{cells} of {len(plan.cells)} measurements to do"
    )


def untuned(suite: Suite) -> Iterator[str]:
    """What is to be done with labels that the suite's tuning does not know."""
    if suite.untuned:
        named = " ".join(f"--label {label}" for label in suite.untuned)
        yield (
            f"not tuned: {', '.join(suite.untuned)}; compared with nothing that is. To tune: "
            f"labelbench tune --suite {suite.name} {named} --output mine.toml, then --suite mine.toml"
        )


def print_summary(plan: Plan, results: Results) -> None:
    """What is asked for, in ten lines at most, and where to read more."""
    from rich.text import Text

    suite = plan.suite
    numerics = plan.trainings[0].numerics if plan.trainings else "labels alone"
    lines = [
        headline(plan),
        f"data sets: {_listed(suite.datasets)}; backbones: {_listed(suite.backbones)}",
        f"labels: {_listed(suite.labels)}",
        f"evaluators: {_listed(suite.evaluators)}",
        f"seeds {', '.join(map(str, suite.seeds))}; recipe {suite.recipe.name}, {suite.recipe.epochs} epochs",
        f"numerics: {numerics}; results: {results.folder}",
        *untuned(suite),
        *plan.notes,
    ]
    console = output_console()
    for line in lines:
        console.print(Text(line))


def _listed(names: Sequence[str]) -> str:
    """Names in a line, with how many are left out."""
    left = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {left} more (--all)" if left > 0 else "")


def _print_cells(plan: Plan) -> None:
    """How much is done of each label."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("dataset", "backbone", "label", "trainings", "measurements"):
        table.add_column(heading, overflow="fold")
    todo_trainings, todo_cells, left_alone = set(plan.todo_trainings), set(plan.todo_cells), set(plan.left_alone)
    rows: dict[tuple[str, str, str], list[int]] = {}
    for run in plan.trainings:
        counts = rows.setdefault((run.dataset, run.backbone, run.label), [0, 0, 0, 0])
        counts[0] += run not in todo_trainings
        counts[1] += 1
    for cell in plan.cells:
        counts = rows.setdefault((cell.run.dataset, cell.run.backbone, cell.run.label), [0, 0, 0, 0])
        counts[2] += cell not in todo_cells and cell not in left_alone
        counts[3] += 1
    for key, (trained, trainings, measured, cells) in rows.items():
        counts_shown = (f"{trained}/{trainings} done" if trainings else "", f"{measured}/{cells} done" if cells else "")
        table.add_row(*map(Text, (*key, *counts_shown)))
    output_console().print(table)
