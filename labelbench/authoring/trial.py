"""A short training of one name beside its controls: whether it runs and learns at all, and nothing more."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labelbench.api import carry_out, planned
from labelbench.leaderboard.terminal import print_tables
from labelbench.machine.numerics import resolve_numerics
from labelbench.results.store import Results
from labelbench.running.progress import Reporter
from labelbench.running.runner import Runner
from labelbench.suite import Suite
from labelbench.tuning.trials import Trials

if TYPE_CHECKING:
    from rich.console import Console

ADVICE = (
    "One seed, few epochs, a few hundred test images: this shows that it runs and learns, and proves nothing about "
    "which is better. For that: labelbench tune, and labelbench run with --seeds 5, a full recipe and these controls."
)


def trial_suite(kind: str, name: str) -> Suite:
    """The suite ``trial`` with one name joined to its controls.

    A label stands beside category labels and noise in its own shape and range, on small digits, where all three are
    tuned first by the grid of the suite; a backbone beside a small ResNet under category labels; an evaluator beside
    accuracy, on networks of both labels of the suite; a data set takes the place of the suite's.
    """
    suite = Suite.load("trial")
    usual = suite.labels[0]
    if kind == "label":
        assert suite.tuning
        # All three by one grid: what is known of the suite's own labels is left out.
        asked = suite.changed(labels=(usual, f"random-like:{name}", name))
        return replace(asked, recipes=(), tuning=replace(suite.tuning, accuracy={}, seconds=0.0))
    if kind == "backbone":
        return suite.changed(labels=usual, backbones=(*suite.backbones, name))
    if kind == "dataset":
        return suite.changed(datasets=name)
    return suite.changed(evaluators=(*suite.evaluators, name))


def tuned(suite: Suite, results: Results, threads: int | None, progress: Console) -> Suite:
    """The suite with the best recipe of its grid for each of its labels; one that fails everywhere gets none.

    Raises:
        LabelbenchError: as :func:`labelbench.run` does.
    """
    trials = Trials.of(suite, None, resolve_numerics(suite.numerics, "auto", threads))
    with Reporter(progress) as reporter:
        Runner(trials.plan(results), results, reporter).run()
    return trials.found(results)


def carry_out_trial(
    suite: Suite, threads: int | None, progress: Console, output: Console
) -> tuple[tuple[str, str], ...]:
    """Train and measure in a folder that is gone afterwards, and print the evaluators' tables.

    Returns:
        ``(what, why)`` of everything that failed.

    Raises:
        LabelbenchError: as :func:`labelbench.run` does.
    """
    with tempfile.TemporaryDirectory(prefix="labelbench-try-") as folder:
        if suite.untuned:
            suite = tuned(suite, Results(Path(folder, "tuning")), threads, progress)
            rates = ", ".join(f"{label} {recipe.learning_rate:g}" for label, recipe in suite.recipes)
            output.print(
                f"learning rate, the best of {suite.tuning.grid if suite.tuning else ''}: {rates}", markup=False
            )
        plan, results = planned(suite, Path(folder, "results"), device="auto", threads=threads, overwrite="missing")
        with Reporter(progress) as reporter:
            done = carry_out(plan, results, reporter, overwrite="missing")
        # Verdicts and differences are for results that can carry them.
        tables = replace(
            done.board,
            tables=done.board.evaluator_tables,
            differences=(),
            verdicts=(),
            correlations=(),
            reported=(),
        )
        print_tables(tables, output)
    return tuple(done.outcome.failures)
