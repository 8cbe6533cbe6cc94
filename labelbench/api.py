"""The benchmark from Python: what ``labelbench run`` and ``labelbench leaderboard`` do, for scripts and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelbench.results.reading import Contents, read
from labelbench.results.store import Results, no_results, results_in
from labelbench.settings import Settings, current_settings, use_settings
from labelbench.suite import Suite

if TYPE_CHECKING:
    from labelbench.labels import LabelSet
    from labelbench.leaderboard.leaderboard import Leaderboard
    from labelbench.leaderboard.records import ScoreTable
    from labelbench.loggers.logger import Logger
    from labelbench.recipes import Recipe
    from labelbench.running.planning import Plan
    from labelbench.running.progress import Reporter
    from labelbench.running.runner import Outcome
    from labelbench.runs import RunSpec


def run(
    suite: str | Suite = "quick",
    *,
    datasets: str | Sequence[str] | None = None,
    labels: str | Sequence[str] | Mapping[str, Any] | None = None,
    backbones: str | Sequence[str] | None = None,
    evaluators: str | Sequence[str] | None = None,
    seeds: int | str | Sequence[int] | None = None,
    recipe: str | Recipe | None = None,
    epochs: int | None = None,
    train_fraction: float | None = None,
    test_images: int | str | None = None,
    numerics: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    compiled: bool | None = None,
    jobs: int = 1,
    engine: str | None = None,
    address: str | None = None,
    overwrite: str = "missing",
    results: str | Path | None = None,
    settings: Settings | None = None,
    log: str | Sequence[str] = (),
    progress: bool = True,
) -> ScoreTable:
    """Train and measure what a suite asks for and is missing, as ``labelbench run`` does.

    What is finished is never computed again, and a call that is interrupted goes on when it is made again. The folder
    holds ``leaderboard.md`` and ``report.html`` in the end.

    Args:
        suite: a shipped suite (``"quick"``), the path of a ``.toml`` file, or a :class:`labelbench.Suite`.
        datasets, labels, backbones, evaluators: one name or several; each replaces that axis of the suite. Labels may
            be arrays by their names, ``{"mine": array}``, a row for each class as in :class:`labelbench.LabelSet`:
            equal targets are the same label, others of that name another.
        seeds: a count (3 means 0, 1 and 2), or a sequence of seeds.
        recipe: name of a recipe, or a :class:`labelbench.Recipe`: how networks are trained.
        epochs: passes over the training images; the recipe's milestones scale with them.
        train_fraction: share of the training images, above 0 to 1.
        test_images: how many test images are measured, drawn evenly over classes, or ``"all"``.
        numerics: ``"exact"``, ``"portable"`` or ``"fast"``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        threads: threads on a CPU; None for ``OMP_NUM_THREADS`` or all cores, divided among ``jobs``.
        compiled: whether fast numerics compile networks; None where it is known to pay.
        jobs: processes that train and measure at the same time. With more than one, a script must keep its own work
            under ``if __name__ == "__main__"``, as for any use of :mod:`multiprocessing`.
        engine: ``"local"``, or ``"ray"`` for jobs on the nodes of a Ray cluster, all of which see the results folder.
        address: of the cluster; None for that of ``RAY_ADDRESS``, or for a Ray of its own on this machine.
        overwrite: ``"missing"`` does what is absent, failed or interrupted; ``"never"`` leaves failures alone;
            ``"always"`` does everything again.
        results: results folder; None for ``results/<name of the suite>``.
        settings: where files are looked for, and whether the network may be used; None for those in force.
        log: ``"tensorboard"``, ``"wandb"`` or ``"mlflow"``, one or several: told of learning curves while they train,
            of scores and of the report.
        progress: whether progress is written to standard error.

    Returns:
        Every score that was asked for, whether it was done now or before; :func:`load_results` gives those of the whole
        folder. Parts that failed are in its ``failures``; the others are done all the same.

    Raises:
        InputError: a name or value that cannot be used, before anything is computed.
        PluginError: an installed plugin broke its contract while the suite was planned.
        MachineError: the machine refuses (disk, device, network); what is finished stays.
    """
    from rich.console import Console

    from labelbench.running.progress import Reporter

    chosen = (suite if isinstance(suite, Suite) else Suite.load(str(suite))).changed(
        datasets=datasets,
        labels=list(labels) if isinstance(labels, Mapping) else labels,
        backbones=backbones,
        evaluators=evaluators,
        seeds=seeds,
        recipe=recipe,
        epochs=epochs,
        train_fraction=train_fraction,
        test_images=test_images,
        numerics=numerics,
        engine=engine,
    )
    named = (log,) if isinstance(log, str) else tuple(log)
    in_force = settings or current_settings()
    arrays = in_force.arrays
    if isinstance(labels, Mapping):
        from labelbench.plugins.arrays import kept_arrays

        arrays = kept_arrays(labels, _folder_of(chosen, results).large_files / "labels")
    with use_settings(replace(in_force, log=named or in_force.log, arrays=arrays)):
        plan, folder = planned(
            chosen, results, device=device, threads=threads, compiled=compiled, jobs=jobs, overwrite=overwrite
        )
        with Reporter(Console(stderr=True, quiet=not progress)) as reporter:
            done = carry_out(plan, folder, reporter, overwrite=overwrite, jobs=jobs, address=address)
            done.write_pages(reporter)
    return done.asked_for()


def load_results(folder: str | Path) -> ScoreTable:
    """Every score of a results folder, as ``labelbench run`` or :func:`run` left it; nothing is computed.

    Args:
        folder: a results folder, such as ``"results/quick"``.

    Raises:
        InputError: no such folder, no results in it, or a file in it is damaged.
    """
    from labelbench.leaderboard.records import ScoreTable
    from labelbench.report.notebook import notebook_html

    path = Path(folder)
    contents = read(results_in(path))
    if not contents.records and not contents.failures:
        raise no_results(path)
    return ScoreTable.of(contents, notebook_html)


def planned(
    suite: Suite,
    results: str | Path | None,
    *,
    device: str,
    threads: int | None,
    overwrite: str,
    compiled: bool | None = None,
    jobs: int = 1,
) -> tuple[Plan, Results]:
    """What a suite asks for on this machine, and the folder that tells what of it is done."""
    from labelbench.machine.numerics import resolve_numerics
    from labelbench.running.planning import plan

    folder = _folder_of(suite, results)
    _loggers_of(folder)
    numerics = resolve_numerics(suite.numerics, device, threads, jobs=jobs, compiled=compiled)
    return plan(suite, numerics, folder, overwrite), folder


def _folder_of(suite: Suite, results: str | Path | None) -> Results:
    return Results(Path(results or Path("results", suite.name)))


@dataclass(frozen=True)
class Done:
    """What is there once a plan was carried out.

    Attributes:
        plan: what was asked for.
        outcome: what was done now, and what failed.
        contents: of the results folder, read once.
        board: the leaderboard of it.
        build: gives the label of a run as it was trained.
    """

    plan: Plan
    outcome: Outcome
    contents: Contents
    board: Leaderboard
    build: Callable[[RunSpec], LabelSet]

    def asked_for(self) -> ScoreTable:
        """The scores of the cells of the plan, and what failed of it now."""
        from labelbench.leaderboard.leaderboard import build
        from labelbench.leaderboard.records import ScoreTable, scores_of
        from labelbench.report.notebook import notebook_html

        cells = set(self.plan.cells)
        records = [record for record in self.contents.records if record.cell in cells]
        failures, board = tuple(self.outcome.failures), self.board
        if len(records) < len(self.contents.records) or failures != board.failures:
            headline = self.contents.asked.headline
            board = build(records, name=board.name, headline=headline, failures=failures, folder=board.folder)
        return ScoreTable(scores_of(records), board, failures, notebook_html)

    def write_pages(self, reporter: Reporter) -> tuple[Path, Path]:
        """Write the leaderboard and the report beside the results, tell the loggers, and return where they are.

        Raises:
            MachineError: the disk refuses.
        """
        from labelbench.files import write_atomic
        from labelbench.leaderboard.choice import first_alone
        from labelbench.leaderboard.exports import to_markdown
        from labelbench.report.page import write_report

        page = self.contents.results.folder / "leaderboard.md"
        write_atomic(page, to_markdown(first_alone(self.board)).encode())
        reporter.begin("report")
        report = write_report(self.contents, self.board, build=self.build)
        reporter.end()
        told = _loggers_of(self.contents.results)
        if told and (self.outcome.measured or self.outcome.trained):
            from labelbench.loggers.logger import tell

            tell(told, self.contents.records, (cell.run for cell in self.plan.cells), report)
        return page, report


def carry_out(
    plan: Plan, results: Results, reporter: Reporter, *, overwrite: str, jobs: int = 1, address: str | None = None
) -> Done:
    """Do what a plan says is missing, on the engine of its suite.

    Raises:
        InputError, MachineError: as :meth:`labelbench.running.runner.Runner.run` does.
    """
    from labelbench.cluster.engine import runner_of
    from labelbench.leaderboard.leaderboard import Leaderboard

    runner = runner_of(plan, results, reporter, overwrite=overwrite, jobs=jobs, address=address)
    outcome = runner.run()
    contents = read(results)
    return Done(plan, outcome, contents, Leaderboard.of(contents), runner.materials.labels)


def _loggers_of(results: Results) -> list[Logger]:
    """The loggers of the settings in force.

    Raises:
        UnknownName, MachineError: one that does not exist, or is not installed.
    """
    settings = current_settings()
    if not settings.log:
        return []
    from labelbench.loggers.logger import loggers

    return loggers(settings.log, results.large_files, offline=settings.offline)
