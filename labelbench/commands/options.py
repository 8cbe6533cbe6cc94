"""Arguments and options that several commands share, and the suite and settings that they describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from labelbench.suite import Suite

_Command = TypeVar("_Command", bound=Callable[..., Any])


PLUGGED = ("labels", "backbones", "evaluators", "datasets")
# Of commands that say what a results folder shows.
results_folder = click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
results_folders = click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
claims_option = click.option(
    "--claims", "claims_file", type=click.Path(path_type=Path), metavar="FILE.toml", help="Judge these."
)
format_option = click.option(
    "--format", "form", metavar="markdown|csv|json|latex|html", help="Print text in this format."
)
threads_option = click.option("--threads", type=int, help="Threads on a CPU (default: OMP_NUM_THREADS or all cores).")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be trained and stop.")


def output_option(
    metavar: str = "FILE", text: str = "Write to this file.", *, folder: bool = False, **how: Any
) -> Callable[[_Command], _Command]:
    """``--output``: a file, or, where ``folder`` says so, perhaps a folder."""
    kind = click.Path(path_type=Path, dir_okay=folder)
    return click.option("--output", type=kind, metavar=metavar, help=text, **how)


def complete(*kinds: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Shell completion with the names of these kinds."""

    def names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from labelbench.commands.listing import names_of

        return [name for kind in kinds for name in names_of(kind) if name.startswith(incomplete)]

    return names


class _Count(click.ParamType):
    """A whole number, or ``all``."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        return "all" if value == "all" else int(click.INT.convert(value, param, ctx))


def suite_options(command: _Command) -> _Command:
    """Which cells: the axes and how they are run. They override the suite file, whose keys are the same words."""
    for option in reversed(
        [
            click.option("--suite", default="quick", metavar="NAME|FILE.toml", shell_complete=complete("suites"),
                         help="Suite to start from (default: quick)."),
            click.option("--dataset", multiple=True, metavar="NAME", shell_complete=complete("datasets"),
                         help="Data set: digits, cifar10, cifar100 or folder:PATH. Repeatable."),
            click.option("--label", multiple=True, metavar="NAME", shell_complete=complete("labels"),
                         help="Label, e.g. speech or npy:PATH. Repeatable."),
            click.option("--backbone", multiple=True, metavar="NAME", shell_complete=complete("backbones"),
                         help="Backbone, e.g. resnet32 or timm:resnet18. Repeatable."),
            click.option("--evaluator", multiple=True, metavar="NAME", shell_complete=complete("evaluators"),
                         help="Evaluator, e.g. accuracy. Repeatable."),
            click.option("--seeds", metavar="N|LIST", help="Seeds 0 to N-1, or a list such as 3,7 (a single one: 3,)."),
            click.option("--recipe", metavar="NAME", help="How networks learn: paper, paper-fast, short or quick."),
            click.option("--epochs", type=int, help="Epochs; the recipe's milestones scale with them."),
            click.option("--train-fraction", type=float, help="Share of the training images, above 0 to 1."),
            click.option("--test-images", type=_Count(), metavar="N|all",
                         help="Measure this many test images, drawn evenly over classes, or all."),
            click.option("--numerics", metavar="exact|portable|fast",
                         help="exact: float32, same bits; portable: the same on all x86; fast: as the device can"),
            click.option("--device", default="auto", metavar="auto|cpu|cuda|cuda:N|mps",
                         help="Where to compute; cuda uses all GPUs that are visible, cuda:1 the second alone."),
            threads_option,
            click.option("--compile/--no-compile", "compiled", default=None,
                         help="With fast numerics: compile networks, or not (default: where it is known to pay)."),
            click.option("--jobs", type=int, default=1, metavar="N",
                         help="Train N networks at once: processes that divide the threads, or streams of a GPU."),
            click.option("--engine", metavar="local|ray",
                         help="ray: on the nodes of a Ray cluster that all see the results folder (labelbench[ray])."),
            click.option("--address", metavar="ADDRESS",
                         help="With --engine ray: a cluster that runs (RAY_ADDRESS; default: a Ray of its own here)."),
            click.option("--overwrite", default="missing", metavar="never|missing|always",
                         help="missing: do what is absent, failed or interrupted; never: leave failures alone; "
                              "always: do everything again."),
            click.option("--results", type=click.Path(path_type=Path), metavar="DIR",
                         help="Results folder (default: results/SUITE)."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def machine_options(command: Callable[..., None]) -> Callable[..., None]:
    """Where files are, and whether the network may be used: these settings are in force while the command runs."""

    @wraps(command)
    def with_settings(offline: bool, **options: Any) -> None:
        from labelbench.settings import Settings, use_settings

        found = Settings.from_environment()
        folders = {name: options.pop(name) for name in ("data_dir", "labels_dir", "cache_dir")}
        given = {name: folder for name, folder in folders.items() if folder}
        log = tuple(options.get("log", ()))
        with use_settings(replace(found, **given, offline=found.offline or offline, log=log)):
            command(**options)

    decorated = with_settings
    for option in reversed(
        [
            click.option("--data-dir", type=click.Path(path_type=Path), metavar="DIR", envvar="LABELBENCH_DATA",
                         help="Folder with data sets (LABELBENCH_DATA; default: data)."),
            click.option("--labels-dir", type=click.Path(path_type=Path), metavar="DIR", envvar="LABELBENCH_LABELS",
                         help="Folder with the official label arrays (LABELBENCH_LABELS)."),
            click.option("--cache-dir", type=click.Path(path_type=Path), metavar="DIR", envvar="LABELBENCH_CACHE",
                         help="Folder for decoded images and downloads (LABELBENCH_CACHE)."),
            click.option("--offline", is_flag=True, help="Fetch nothing (LABELBENCH_OFFLINE=1)."),
        ]
    ):  # fmt: skip
        decorated = option(decorated)
    return decorated


def suite_of(options: dict[str, Any]) -> Suite:
    """The suite that the options describe.

    Raises:
        InputError: a suite file or option that cannot be used.
    """
    from labelbench.suite import Suite

    axes = {f"{axis}s": options[axis] or None for axis in ("dataset", "label", "backbone", "evaluator")}
    others = ("seeds", "recipe", "epochs", "train_fraction", "test_images", "numerics", "engine")
    return Suite.load(options["suite"]).changed(**axes, **{name: options[name] for name in others})
