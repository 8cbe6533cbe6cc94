"""What the commands on networks do: export those trained here, and measure those trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelbench.commands.options import settings_of
from labelbench.commands.output import output_console
from labelbench.settings import use_settings

if TYPE_CHECKING:
    from labelbench.networks import Network
    from labelbench.running.materials import Materials

SOME_FAILED = 3


def export_network(folder: Path, form: str, output: Path, options: dict[str, Any]) -> None:
    """Write a trained network with its labels and a model card, and say where it is.

    Raises:
        InputError: no such training, several, or its weights are not there.
        UnknownName: no such format.
        MachineError: what the format needs is not installed.
    """
    from labelbench.exchange.exporting import export
    from labelbench.exchange.loading import load_network
    from labelbench.results.reading import read
    from labelbench.results.store import results_in

    asked = {name: options[name] for name in ("label", "backbone", "dataset", "seed", "id")}
    with use_settings(settings_of(options)):
        loaded = load_network(folder, **asked)
        click.echo(export(loaded, form, output, read(results_in(folder)).records))


def measure_checkpoint(checkpoint: str, options: dict[str, Any]) -> int:
    """Measure a network whose weights are in a file, print the leaderboard, and return the exit code.

    Raises:
        InputError: a file or name that cannot be used.
    """
    from rich.console import Console

    from labelbench.exchange.checkpoints import load_weights
    from labelbench.exchange.measuring import carry_out
    from labelbench.leaderboard.leaderboard import Leaderboard
    from labelbench.leaderboard.terminal import print_tables
    from labelbench.machine.numerics import resolve_numerics
    from labelbench.registry import pixels_of
    from labelbench.results.reading import read
    from labelbench.results.store import Results
    from labelbench.running.progress import Reporter
    from labelbench.runs import RunSpec

    def make(materials: Materials, run: RunSpec) -> Network:
        network = materials.network(run)
        load_weights(checkpoint, network)
        return network.eval()

    with use_settings(settings_of(options)):
        numerics = resolve_numerics(options["numerics"], options["device"], options["threads"])
        run = RunSpec.of(
            options["dataset"],
            options["label"],
            options["backbone"],
            0,
            pixels=pixels_of(options["dataset"]),
            numerics=numerics,
        )
        folder = Results(options["results"])
        with Reporter(Console(stderr=True)) as reporter:
            failed = carry_out(run, make, options["evaluator"], options["test_images"], folder, reporter)
        print_tables(Leaderboard.of(read(folder)), output_console())
    return SOME_FAILED if failed else 0
