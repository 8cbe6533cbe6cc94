"""What the commands do: plan, run, and show, with the options as the command line gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from labelbench.api import carry_out
from labelbench.commands.leaderboard import print_first
from labelbench.commands.options import settings_of
from labelbench.commands.output import error_console
from labelbench.commands.plan import headline, plan_of, print_summary, untuned
from labelbench.settings import use_settings

if TYPE_CHECKING:
    pass

SOME_FAILED = 3


def run_suite(options: dict[str, Any], *, dry_run: bool) -> int:
    """Do what is missing; print the leaderboard, the verdicts and where the report is; returns the exit code."""
    with use_settings(settings_of(options)):
        plan, results = plan_of(options)
        if dry_run:
            print_summary(plan, results)
            return 0
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
        outcome = done.outcome
        if not outcome.failures:
            return SOME_FAILED if plan.left_alone else 0
        for what, why in outcome.failures:
            click.echo(f"failed: {what}: {why}", err=True)
        click.echo(f"{len(outcome.failures)} part(s) failed; the same command tries them again", err=True)
        return SOME_FAILED


def show_profile(options: dict[str, Any]) -> None:
    """Print where the time of a step goes, for each data set, backbone and shape of label of a suite."""
    with use_settings(settings_of(options)):
        plan, _ = plan_of(options)
        from labelbench.running.materials import Materials
        from labelbench.running.profiling import profile

        materials = Materials()
        kinds = {(run.dataset, run.backbone, materials.labels(run).shape): run for run in reversed(plan.trainings)}
        for run in reversed(kinds.values()):
            for line in profile(run, materials).lines():
                click.echo(line)
