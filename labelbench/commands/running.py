"""What the commands do: plan, run, and show, with the options as the command line gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from labelbench.api import carry_out, planned
from labelbench.commands.leaderboard import print_first
from labelbench.commands.options import settings_of, suite_of
from labelbench.commands.output import error_console, output_console
from labelbench.results.store import Results
from labelbench.settings import use_settings

if TYPE_CHECKING:
    from labelbench.running.planning import Plan
    from labelbench.suite import Suite

SOME_FAILED = 3


def run_suite(options: dict[str, Any], *, dry_run: bool) -> int:
    """Do what is missing; print the leaderboard, the verdicts and where the report is; returns the exit code."""
    with use_settings(settings_of(options)):
        plan, results = _planned(options)
        if dry_run:
            _print_plan(plan, results)
            return 0
        from labelbench.running.progress import Reporter

        errors = error_console()
        with Reporter(errors) as reporter:
            for line in (*plan.notes, _headline(plan), *_untuned(plan.suite)):
                reporter.line(line)
            how = {name: options[name] for name in ("overwrite", "jobs", "address")}
            done = carry_out(plan, results, reporter, **how)
        # What was worked for comes before anything that may fail.
        print_first(done.board, results.folder)
        with Reporter(errors) as reporter:
            pages = done.write_pages(reporter)
        for page in pages:
            errors.print(str(page), highlight=False, markup=False, soft_wrap=True)
        outcome = done.outcome
        if not outcome.failures:
            return SOME_FAILED if plan.left_alone else 0
        for what, why in outcome.failures:
            click.echo(f"failed: {what}: {why}", err=True)
        click.echo(f"{len(outcome.failures)} part(s) failed; the same command tries them again", err=True)
        return SOME_FAILED


def show_plan(options: dict[str, Any], *, measure: bool) -> None:
    """Print the plan; with ``measure`` also how long the missing trainings would take."""
    with use_settings(settings_of(options)):
        plan, results = _planned(options)
        _print_plan(plan, results)
        if measure:
            from labelbench.running.estimate import estimate

            for line in estimate(plan, options["jobs"]):
                click.echo(line)


def show_profile(options: dict[str, Any]) -> None:
    """Print where the time of a step goes, for each data set, backbone and shape of label of a suite."""
    with use_settings(settings_of(options)):
        plan, _ = _planned(options)
        from labelbench.running.materials import Materials
        from labelbench.running.profiling import profile

        materials = Materials()
        kinds = {(run.dataset, run.backbone, materials.labels(run).shape): run for run in reversed(plan.trainings)}
        for run in reversed(kinds.values()):
            for line in profile(run, materials).lines():
                click.echo(line)


def _planned(options: dict[str, Any]) -> tuple[Plan, Results]:
    machine = {name: options[name] for name in ("device", "threads", "compiled", "jobs", "overwrite")}
    return planned(suite_of(options), options["results"], **machine)


def _headline(plan: Plan) -> str:
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


def _untuned(suite: Suite) -> Iterator[str]:
    """What is to be done with labels that the suite's tuning does not know."""
    if suite.untuned:
        named = " ".join(f"--label {label}" for label in suite.untuned)
        yield (
            f"not tuned: {', '.join(suite.untuned)}; compared with nothing that is. To tune: "
            f"labelbench tune --suite {suite.name} {named} --output mine.toml, then --suite mine.toml"
        )


def _print_plan(plan: Plan, results: Results) -> None:
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
    console = output_console()
    console.print(table)
    suite = plan.suite
    seeds = ", ".join(map(str, suite.seeds))
    numerics = plan.trainings[0].numerics if plan.trainings else "labels alone"
    console.print(Text(f"{_headline(plan)}; seeds {seeds}; recipe {suite.recipe.name}, {suite.recipe.epochs} epochs"))
    for line in _untuned(suite):
        console.print(Text(line))
    console.print(Text(f"numerics: {numerics}; results: {results.folder}"))
    for note in plan.notes:
        console.print(Text(note))
