"""What the commands on networks do: export those trained here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labelbench.commands.options import settings_of
from labelbench.settings import use_settings


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
