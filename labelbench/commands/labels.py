"""``labelbench labels`` and ``labelbench fetch``: draw labels, write them, fetch what they need."""

from __future__ import annotations

import io
from pathlib import Path

import click
import numpy as np

from labelbench.charts.labels import distance_matrices, gallery, picture
from labelbench.commands.options import complete, machine_options, output_option
from labelbench.datasets import Dataset
from labelbench.errors import InputError
from labelbench.files import write_atomic
from labelbench.labels import LabelSet
from labelbench.plugins.discovery import plugins
from labelbench.plugins.lookup import find_dataset, label
from labelbench.plugins.signatures import Signature, expanded
from labelbench.runs import label_of_run
from labelbench.suite import Suite


@click.command(epilog="Example: labelbench labels speech hadamard --output labels.png")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete("labels"))
@click.option(
    "--dataset",
    "of_dataset",
    default="digits",
    metavar="NAME",
    shell_complete=complete("datasets"),
    help="Data set whose classes are labelled (default: digits).",
)
@output_option(text="Picture to write: .png, .svg or .pdf; or .npy with --format npy.", required=True)
@click.option("--format", "form", metavar="npy", help="npy: write the targets of one label as an array.")
@click.option("--distances", is_flag=True, help="Draw the distances between classes instead.")
@click.option("--classes", default=10, show_default=True, type=click.IntRange(1), help="Classes shown in the gallery.")
@machine_options
def labels(
    names: tuple[str, ...],
    of_dataset: str,
    output: Path,
    form: str | None,
    distances: bool,
    classes: int,
) -> None:
    """Draw labels: a gallery with labels as rows and classes as columns (default: those of suite quick)."""
    dataset = find_dataset(of_dataset)
    names = names or Suite.load("quick").labels
    if form is not None:
        data = _array(names, dataset, form, output)
    elif output.suffix == ".npy":
        raise InputError(f"{output} is the name of an array; add --format npy, or name a picture")
    else:
        sets = {name: _built(name, dataset) for name in names}
        if distances:
            figure = distance_matrices(sets, dataset.class_names)
        else:
            figure = gallery(sets, dataset.class_names, classes)
        data = picture(figure, output.suffix.removeprefix("."))
    write_atomic(output, data)


@click.command(epilog="Example: labelbench fetch glove")
@click.argument("name", metavar="NAME", shell_complete=complete("labels"))
@machine_options
def fetch(name: str) -> None:
    """Fetch what a label needs (bert, glove, official:NAME), so that later runs can be offline."""
    entry, argument = plugins().find("label", name)
    fetched = getattr(entry.function, "fetch", None)
    if fetched is None:
        raise InputError(f"label {name!r} needs nothing that could be fetched; it can be used as it is")
    arguments = Signature.of(fetched, ()).read(f"label {entry.name}", entry.name, argument)
    click.echo(str(fetched(**expanded(arguments))))


def _built(name: str, dataset: Dataset) -> LabelSet:
    return label(label_of_run(name, 0), dataset)


def _array(names: tuple[str, ...], dataset: Dataset, form: str, output: Path) -> bytes:
    if form != "npy":
        raise InputError(f"format {form!r}; expected npy, or none for a picture")
    if output.suffix != ".npy":
        raise InputError(f"--format npy writes an array; got --output {output}: expected a name that ends in .npy")
    if len(names) != 1:
        raise InputError(f"--format npy writes one label; got {len(names)}: name one, as in `labelbench labels speech`")
    buffer = io.BytesIO()
    np.save(buffer, _built(names[0], dataset).targets, allow_pickle=False)
    return buffer.getvalue()
