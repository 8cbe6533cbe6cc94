"""``labelbench export`` and ``labelbench measure``: networks trained here go elsewhere, and the other way."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelbench.commands.options import complete, machine_options, output_option, results_folder
from labelbench.commands.output import output_console
from labelbench.errors import SOME_FAILED

if TYPE_CHECKING:
    from labelbench.networks import Network
    from labelbench.running.materials import Materials


@click.command(epilog="Example: labelbench export results/quick --label speech --seed 0 --format onnx --output speech")
@results_folder
@click.option("--label", metavar="NAME", help="Of the training, if the folder holds several.")
@click.option("--backbone", metavar="NAME", help="Of the training.")
@click.option("--dataset", metavar="NAME", help="Of the training.")
@click.option("--seed", type=int, help="Of the training.")
@click.option("--id", metavar="ID", help="Of the training: the ten digits at the end of its folder's name.")
@click.option("--format", "form", default="safetensors", show_default=True, metavar="safetensors|onnx|torch")
@output_option("DIR", "Folder to write the network to.", folder=True, required=True)
@machine_options
def export(folder: Path, form: str, output: Path, **asked: Any) -> None:
    """Write a trained network for use elsewhere, with its labels and a model card."""
    from labelbench.exchange.exporting import export
    from labelbench.exchange.loading import load_network
    from labelbench.results.reading import read
    from labelbench.results.store import results_in

    loaded = load_network(folder, **asked)
    click.echo(export(loaded, form, output, read(results_in(folder)).records))


@click.command(
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
@click.option("--numerics", default="exact", show_default=True, metavar="exact|portable|fast")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda|mps")
@click.option("--threads", type=int, help="Threads on a CPU (default: OMP_NUM_THREADS or all cores).")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default="results/elsewhere",
    show_default=True,
    help="May hold networks trained here: they share a leaderboard.",
)
@machine_options
def measure(checkpoint: str, dataset: str, label: str, backbone: str, **options: Any) -> None:
    """Measure a network that was trained elsewhere, as those trained here are measured."""
    from rich.console import Console

    from labelbench.exchange.checkpoints import load_weights
    from labelbench.exchange.measuring import carry_out
    from labelbench.leaderboard.leaderboard import Leaderboard
    from labelbench.leaderboard.terminal import print_tables
    from labelbench.machine.numerics import resolve_numerics
    from labelbench.plugins.lookup import pixels_of
    from labelbench.results.reading import read
    from labelbench.results.store import Results
    from labelbench.running.progress import Reporter
    from labelbench.runs import RunSpec

    def make(materials: Materials, run: RunSpec) -> Network:
        network = materials.network(run)
        load_weights(checkpoint, network)
        return network.eval()

    numerics = resolve_numerics(options["numerics"], options["device"], options["threads"])
    run = RunSpec.of(dataset, label, backbone, 0, pixels=pixels_of(dataset), numerics=numerics)
    folder = Results(options["results"])
    with Reporter(Console(stderr=True)) as reporter:
        failed = carry_out(run, make, options["evaluator"], options["test_images"], folder, reporter)
    print_tables(Leaderboard.of(read(folder)), output_console())
    if failed:
        sys.exit(SOME_FAILED)
