"""``labelbench run`` and ``labelbench profile``."""

from __future__ import annotations

import sys
from typing import Any

import click

from labelbench.api import carry_out
from labelbench.commands.leaderboard import print_first
from labelbench.commands.options import dry_run_option, machine_options, suite_options
from labelbench.commands.output import error_console
from labelbench.commands.plan import headline, plan_of, print_summary, untuned
from labelbench.errors import SOME_FAILED


@click.command(epilog="Example: labelbench run --label category --label speech --seeds 3 --results results/mine")
@suite_options
@machine_options
@click.option(
    "--log",
    multiple=True,
    metavar="tensorboard|wandb|mlflow",
    help="Tell this dashboard of learning curves, scores and the report; --offline sends nothing. Repeatable.",
)
@dry_run_option
def run(dry_run: bool, **options: Any) -> None:
    """Train and measure what a suite asks for and is missing; print the leaderboard and the verdicts on the claims."""
    plan, results = plan_of(options)
    if dry_run:
        print_summary(plan, results)
        return
    from labelbench.running.progress import Reporter

    errors = error_console()
    with Reporter(errors) as reporter:
        for line in (*plan.notes, headline(plan), *untuned(plan.suite)):
            reporter.line(line)
        how = {name: options[name] for name in ("overwrite", "jobs", "address")}
        done = carry_out(plan, results, reporter, **how)
    # What was worked for comes before anything that may fail.
    print_first(done.board, results.folder)
    with Reporter(errors) as reporter:
        pages = done.write_pages(reporter)
    for page in pages:
        errors.print(str(page), highlight=False, markup=False, soft_wrap=True)
    failures = done.outcome.failures
    for what, why in failures:
        click.echo(f"failed: {what}: {why}", err=True)
    if failures:
        click.echo(f"{len(failures)} part(s) failed; the same command tries them again", err=True)
    if failures or plan.left_alone:
        sys.exit(SOME_FAILED)


@click.command(epilog="Example: labelbench profile --dataset cifar10 --backbone resnet32 --numerics fast")
@suite_options
@machine_options
def profile(**options: Any) -> None:
    """Print where the time of a training step goes, and its share of the machine's measured matrix rate."""
    plan, _ = plan_of(options)
    from labelbench.running.materials import Materials
    from labelbench.running.profiling import profile

    materials = Materials()
    kinds = {(run.dataset, run.backbone, materials.labels(run).shape): run for run in reversed(plan.trainings)}
    for run in reversed(kinds.values()):
        for line in profile(run, materials).lines():
            click.echo(line)
