"""The ``labelbench`` command. Each command imports what it needs when it runs."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from labelbench.commands.options import PLUGGED, complete, machine_options, suite_options
from labelbench.commands.output import ready_streams
from labelbench.errors import InputError, LabelbenchError, UnknownName, one_line
from labelbench.interrupts import watching_for_ctrl_c

INTERRUPTED = 130
_REFUSED_BY_MACHINE = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


class _Commands(click.Group):
    """A group that names near matches of a misspelt command, and refuses what no command can use."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        for place, text in enumerate(args):
            if text == "" or (text.startswith("--") and text.endswith("=")):
                what = text.rstrip("=") or (
                    args[place - 1] if place and args[place - 1].startswith("-") else "an argument"
                )
                raise InputError(
                    f"{what} is given nothing (a variable that is not set?); give it a value or leave it out"
                )
            try:
                text.encode()
            except UnicodeEncodeError:
                raise InputError(
                    f"{os.fsencode(text)!r} is not UTF-8, which names are; rename it and try again"
                ) from None
        return super().parse_args(context, args)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(context, args[0]) is None and not args[0].startswith("-"):
            raise UnknownName("command", args[0], self.commands, "(labelbench --help lists them)")
        return super().resolve_command(context, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--no-plugins", is_flag=True, help="Use built-in plugins only (LABELBENCH_PLUGINS= does the same).")
@click.version_option(package_name="labelbench")
def cli(no_plugins: bool) -> None:
    """What happens to an image classifier when the label it learns to output changes.

    Exit codes: 0 done, 2 wrong usage or input, 3 some cells failed, 4 the machine refused (disk, permission,
    network, device), 130 interrupted; 1 is a defect of labelbench.
    """
    if no_plugins:
        os.environ["LABELBENCH_PLUGINS"] = ""


@cli.command()
@suite_options
@machine_options
@click.option(
    "--log",
    multiple=True,
    metavar="tensorboard|wandb|mlflow",
    help="Tell this dashboard of learning curves, scores and the report; --offline sends nothing. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
def run(dry_run: bool, **options: Any) -> None:
    """Train and measure what a suite asks for and is missing; print the leaderboard and the verdicts on the claims."""
    from labelbench.commands.running import run_suite

    sys.exit(run_suite(options, dry_run=dry_run))


@cli.command()
@suite_options
@machine_options
@click.option(
    "--grid",
    multiple=True,
    metavar="SETTING=V1,V2,...",
    help="Try these values of a recipe's setting, e.g. learning-rate=0.1,0.2,0.4. Repeatable: all combinations.",
)
@click.option(
    "--tuning-seeds", type=click.IntRange(1), default=1, metavar="N", help="Networks for each label and point."
)
@click.option("--tuning-epochs", type=click.IntRange(1), metavar="N", help="Epochs of each (default: the recipe's).")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="tuned.toml",
    metavar="FILE.toml",
    help="Write the tuned suite to this file (default: tuned.toml).",
)
@click.option("--dry-run", is_flag=True, help="Say what would be trained and stop.")
def tune(
    grid: tuple[str, ...], tuning_seeds: int, tuning_epochs: int | None, output: Path, dry_run: bool, **options: Any
) -> None:
    """Give every label the best recipe of one grid, judged on validation images, and write the suite that has them."""
    from labelbench.commands.tuning import tune_suite

    sys.exit(tune_suite(options, grid, tuning_seeds, tuning_epochs, output, dry_run=dry_run))


@cli.command()
@suite_options
@machine_options
@click.option("--measure", is_flag=True, help="Time a few steps of each kind of training and estimate the whole.")
@click.option("--all", "everything", is_flag=True, help="List every label with what is done of it.")
def plan(measure: bool, everything: bool, **options: Any) -> None:
    """Print what a suite asks for, how much of it is done, and about how long the rest takes."""
    from labelbench.commands.plan import show_plan

    show_plan(options, measure=measure, everything=everything)


@cli.command()
@suite_options
@machine_options
def profile(**options: Any) -> None:
    """Print where the time of a training step goes, and its share of the machine's measured matrix rate."""
    from labelbench.commands.running import show_profile

    show_profile(options)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--format", "form", metavar="markdown|csv|json|latex|html", help="Print text in this format.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write to this file.")
@click.option("--table", default="", metavar="NAME", help="This table: an evaluator's, differences, claims, ...")
@click.option("--all", "everything", is_flag=True, help="All tables.")
@click.option("--columns", multiple=True, metavar="NAME,...", help="Only these scores, in this order. Repeatable.")
@click.option("--label", "labels", multiple=True, metavar="NAME", help="Only these labels; * stands for anything.")
@click.option("--only", multiple=True, metavar="KEY=NAME", help="Only this dataset=, backbone= or set=. Repeatable.")
@click.option("--sort", default="", metavar="COLUMN", help="Order by this score, the best first, or by label.")
@click.option("--wide", is_flag=True, help="CSV with one line for each label and a column for each score.")
@click.option("--explain", is_flag=True, help="Say below what each column means.")
def leaderboard(
    folder: Path,
    form: str | None,
    output: Path | None,
    wide: bool,
    explain: bool,
    columns: tuple[str, ...],
    **asked: Any,
) -> None:
    """Print the first table of a results folder: every label by what was measured. More with --table and --all."""
    from labelbench.commands.leaderboard import show_leaderboard

    names = tuple(name.strip() for text in columns for name in text.split(","))
    show_leaderboard(folder, form, output, wide=wide, explain=explain, columns=names, **asked)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--claims", "claims_file", type=click.Path(path_type=Path), metavar="FILE.toml", help="Judge these.")
@click.option("--format", "form", metavar="markdown|csv|json|latex|html", help="Print text in this format.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write to this file.")
def claims(folder: Path, claims_file: Path | None, form: str | None, output: Path | None) -> None:
    """Judge the paper's claims, or those of a file, on a results folder: reproduced, contradicted or not decided."""
    from labelbench.commands.results import show_claims

    show_claims(folder, claims_file, form, output)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to this file (default: DIR/report.html)."
)
@click.option("--claims", "claims_file", type=click.Path(path_type=Path), metavar="FILE.toml", help="Judge these.")
def report(folder: Path, output: Path | None, claims_file: Path | None) -> None:
    """Write a results folder as one page for the browser: leaderboard, claims, charts, labels, and every run."""
    from labelbench.commands.results import write_report_of

    write_report_of(folder, output, claims_file)


@cli.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.md",
    help="Write the page to this file, and its figures beside it (default: print it).",
)
@click.option(
    "--summary",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.md",
    help="Put the table of verdicts between the two marks of this file.",
)
@click.option("--figures/--no-figures", default=True, help="Draw figures, or leave those that are there as they are.")
def findings(folders: tuple[Path, ...], output: Path | None, summary: Path | None, figures: bool) -> None:
    """Say what published folders show together: verdicts, the numbers behind them, and what controls say of causes."""
    from labelbench.commands.findings import write_findings

    write_findings(folders, output, summary, figures=figures)


@cli.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR...")
@click.option("--into", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Folder to merge into.")
def merge(folders: tuple[Path, ...], into: Path) -> None:
    """Bring results of several machines or people together; different results under one name are refused."""
    from labelbench.commands.results import merge_folders

    merge_folders(folders, into)


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete("labels"))
@click.option(
    "--dataset",
    default="digits",
    metavar="NAME",
    shell_complete=complete("datasets"),
    help="Data set whose classes are labelled (default: digits).",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    required=True,
    help="Picture to write: .png, .svg or .pdf; or .npy with --format npy.",
)
@click.option("--format", "form", metavar="npy", help="npy: write the targets of one label as an array.")
@click.option("--distances", is_flag=True, help="Draw the distances between classes instead.")
@click.option("--classes", default=10, show_default=True, type=click.IntRange(1), help="Classes shown in the gallery.")
@machine_options
def labels(**options: Any) -> None:
    """Draw labels: a gallery with labels as rows and classes as columns (default: those of suite quick)."""
    from labelbench.commands.labels import draw_labels

    draw_labels(options)


@cli.command("plot")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--figure",
    "figures",
    multiple=True,
    metavar="NAME",
    help="Only these: a name, or how it begins (data-efficiency). Repeatable.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="One .png, .svg or .pdf, or a folder for several figures; without it their names are printed.",
)
@click.option(
    "--format",
    "form",
    default="pdf",
    show_default=True,
    type=click.Choice(["png", "svg", "pdf"]),
    help="Format of the files in a folder.",
)
@click.option("--label", "labels", multiple=True, metavar="NAME", help="Only these labels. Repeatable.")
@click.option("--intervals/--no-intervals", default=True, help="Draw 95 % intervals as bands (default: yes).")
@machine_options
def plot_figures(**options: Any) -> None:
    """Draw a results folder for papers: accuracy against epsilon, learning curves, features, adversarial images."""
    from labelbench.commands.plots import plot

    plot(options)


@cli.command()
@click.argument("name", metavar="NAME", shell_complete=complete("datasets"))
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw some images of every class: .png, .svg or .pdf.",
)
@machine_options
def data(name: str, output: Path | None, **options: Any) -> None:
    """Look at a data set: its images, classes and sizes, and what is odd about it, such as equal images."""
    from labelbench.commands.data import show_data

    show_data(name, output, options)


@cli.command()
@click.argument("name", metavar="NAME", shell_complete=complete("labels"))
@machine_options
def fetch(name: str, **options: Any) -> None:
    """Fetch what a label needs (bert, glove, official:NAME), so that later runs can be offline."""
    from labelbench.commands.labels import fetch_for_label

    click.echo(fetch_for_label(name, options))


@cli.command("list")
@click.argument("kind", required=False, metavar="[labels|backbones|evaluators|datasets|suites|plugins]")
def list_names(kind: str | None) -> None:
    """List the names that can be used, and the plugins they come from."""
    from labelbench.commands.listing import KINDS, table_of
    from labelbench.commands.output import output_console

    if kind is not None and kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    for one in [kind] if kind else KINDS:
        output_console().print(table_of(one))


@cli.command()
@click.argument("kind", metavar="label|backbone|evaluator|dataset")
@click.argument("name", metavar="NAME")
def new(kind: str, name: str) -> None:
    """Begin a plugin: a folder NAME with a package that installs, passes its own checks and runs as it is."""
    from labelbench.commands.plugins import begin

    begin(kind, name)


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete(*PLUGGED))
@click.option(
    "--kind", metavar="label|backbone|evaluator|dataset", help="What the names are, where several kinds have them."
)
@click.option("--time-limit", default=60.0, show_default=True, metavar="SECONDS", help="Give a single step up after.")
@machine_options
def check(names: tuple[str, ...], kind: str | None, time_limit: float, **options: Any) -> None:
    """Check what labels, backbones, evaluators and data sets promise: offline, in seconds."""
    from labelbench.commands.plugins import check_plugins

    if not check_plugins(names, kind, time_limit, options):
        sys.exit(3)


@cli.command("try")
@click.argument("name", metavar="NAME", shell_complete=complete(*PLUGGED))
@click.option(
    "--kind", metavar="label|backbone|evaluator|dataset", help="What the name is, where several kinds have it."
)
@click.option("--dry-run", is_flag=True, help="Say what would be trained and stop.")
@machine_options
def try_name(name: str, kind: str | None, dry_run: bool, **options: Any) -> None:
    """Train a label, backbone, evaluator or data set beside its controls, for about a minute, and keep nothing."""
    from labelbench.commands.plugins import try_plugin

    sys.exit(try_plugin(name, kind, options, dry_run=dry_run))


@cli.command(epilog="Example: labelbench export results/quick --label speech --seed 0 --format onnx --output speech")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--label", metavar="NAME", help="Of the training, if the folder holds several.")
@click.option("--backbone", metavar="NAME", help="Of the training.")
@click.option("--dataset", metavar="NAME", help="Of the training.")
@click.option("--seed", type=int, help="Of the training.")
@click.option("--id", metavar="ID", help="Of the training: the ten digits at the end of its folder's name.")
@click.option("--format", "form", default="safetensors", show_default=True, metavar="safetensors|onnx|torch")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Folder to write the network to."
)
@machine_options
def export(folder: Path, form: str, output: Path, **options: Any) -> None:
    """Write a trained network for use elsewhere, with its labels and a model card."""
    from labelbench.commands.networks import export_network

    export_network(folder, form, output, options)


@cli.command(
    epilog="Example: labelbench measure --checkpoint official-checkpoint:speech_best_model.pth --backbone vgg19 "
    "--label official:speech --dataset cifar10 --evaluator accuracy --evaluator attacks-paper"
)
@click.option(
    "--checkpoint",
    metavar="FILE",
    required=True,
    help="Weights alone: .safetensors, of torch.save, or official-checkpoint:FILE for one of the paper's authors.",
)
@click.option("--backbone", metavar="NAME", required=True, shell_complete=complete("backbones"))
@click.option("--label", metavar="NAME", required=True, shell_complete=complete("labels"))
@click.option("--dataset", metavar="NAME", required=True, shell_complete=complete("datasets"))
@click.option("--evaluator", multiple=True, metavar="NAME", default=["accuracy"], shell_complete=complete("evaluators"))
@click.option("--test-images", type=int, help="Measure this many test images, drawn evenly over classes.")
@click.option("--numerics", default="exact", show_default=True, metavar="exact|fast")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda|mps")
@click.option("--threads", type=int, help="Threads on a CPU (default: all cores).")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default="results/elsewhere",
    show_default=True,
    help="May hold networks trained here: they share a leaderboard.",
)
@machine_options
def measure(checkpoint: str, **options: Any) -> None:
    """Measure a network that was trained elsewhere, as those trained here are measured."""
    from labelbench.commands.networks import measure_checkpoint

    sys.exit(measure_checkpoint(checkpoint, options))


@cli.command(
    epilog="Examples: labelbench compare results/before results/after; "
    "labelbench compare --in results/mine paper-fast short --fail-if-worse 1"
)
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@click.option(
    "--in", "inside", type=click.Path(path_type=Path), metavar="DIR", help="A and B are recipes of this results folder."
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

    A star marks a difference that is separated from nothing: three seeds or more, and a 95 % interval without 0.
    """
    from labelbench.commands.comparing import show_comparison

    sys.exit(show_comparison(left, right, inside, scores, fail_if_worse))


@cli.command(epilog="Example: labelbench doctor")
@machine_options
def doctor(**options: Any) -> None:
    """Say what this machine and installation offer: versions, devices, folders, plugins, and what is missing."""
    from labelbench.commands.information import show_diagnosis

    show_diagnosis(options)


@cli.command(epilog="Example: labelbench cite results/quick")
@click.argument("folder", type=click.Path(path_type=Path), metavar="[DIR]", required=False)
def cite(folder: Path | None) -> None:
    """Print what to cite as BibTeX: the tool, the paper, and what the labels of a results folder are made from."""
    from labelbench.commands.information import show_citations

    show_citations(folder)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; evaluate it in the shell's start-up file."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise UnknownName("shell", shell, ["bash", "zsh", "fish"])
    click.echo(found(cli, {}, "labelbench", "_LABELBENCH_COMPLETE").source())


_EXAMPLES = {
    "run": "labelbench run --label category --label speech --seeds 3 --results results/mine",
    "tune": "labelbench tune --suite quick --grid learning-rate=0.05,0.1,0.2 --output tuned.toml",
    "plan": "labelbench plan --suite paper --dataset cifar10 --measure",
    "profile": "labelbench profile --dataset cifar10 --backbone resnet32 --numerics fast",
    "leaderboard": "labelbench leaderboard results/quick --format latex --output quick.tex",
    "claims": "labelbench claims results/quick",
    "report": "labelbench report results/quick --output quick.html",
    "merge": "labelbench merge results/mine results/yours --into results/both",
    "labels": "labelbench labels speech hadamard --output labels.png",
    "data": "labelbench data digits --output digits.png",
    "findings": "labelbench findings results/quick --output findings.md",
    "plot": "labelbench plot results/quick --output figures",
    "fetch": "labelbench fetch glove",
    "list": "labelbench list labels",
    "new": "labelbench new label rainbow",
    "check": "labelbench check speech accuracy",
    "try": "labelbench try hadamard",
    "completion": 'eval "$(labelbench completion bash)"',
}
for _name, _example in _EXAMPLES.items():
    cli.commands[_name].epilog = cli.commands[_name].epilog or f"Example: {_example}"


def main() -> NoReturn:
    """Run the command line; every mistake of a user ends in one line and an exit code."""
    try:
        ready_streams()
        with watching_for_ctrl_c():
            cli(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        goes_on = "; the same command goes on where this one stopped" if sys.argv[1:2] == ["run"] else ""
        click.echo(f"interrupted{goes_on}", err=True)
        sys.exit(INTERRUPTED)
    except LabelbenchError as error:
        click.echo(f"labelbench: {one_line(error)}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader has what it wanted
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in _REFUSED_BY_MACHINE:
            raise
        click.echo(f"labelbench: {error.filename or 'disk'}: {error.strerror}", err=True)
        sys.exit(4)
    sys.exit(0)
