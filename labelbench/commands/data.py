"""``labelbench data``: say what is in a data set, and draw some images of every class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from labelbench.charts.images import contact_sheet
from labelbench.charts.labels import picture
from labelbench.commands.options import complete, machine_options, output_option
from labelbench.datasets import Dataset, Images
from labelbench.errors import InputError
from labelbench.files import write_atomic
from labelbench.plugins.lookup import find_dataset
from labelbench.running.progress import Reporter


@click.command(epilog="Example: labelbench data digits --output digits.png")
@click.argument("name", metavar="NAME", shell_complete=complete("datasets"))
@output_option(text="Draw some images of every class: .png, .svg or .pdf.")
@machine_options
def data(name: str, output: Path | None) -> None:
    """Look at a data set: its images, classes and sizes, and what is odd about it, such as equal images."""
    form = output.suffix.removeprefix(".") if output else ""
    if output and form not in ("png", "svg", "pdf"):
        raise InputError(f"{output} is no name of a picture; expected one that ends in .png, .svg or .pdf")
    with Reporter(Console(stderr=True)) as reporter:
        dataset = find_dataset(name)
        reporter.begin(f"data set {name}")
        images = dataset.images(reporter.update)
        reporter.end()
        lines = list(_lines(dataset, images))
        drawn = picture(contact_sheet(images, dataset.class_names), form) if output else b""
    width = max(len(what) for what, _ in lines)
    for what, text in lines:
        click.echo(f"{what:{width}}  {text}")
    for note in images.notes:
        click.echo(f"note: {note}")
    if not images.notes:
        click.echo("nothing odd was found")
    if output:
        write_atomic(output, drawn)
        click.echo(str(output))


def _lines(dataset: Dataset, images: Images) -> Iterator[tuple[str, str]]:
    """What is there, as name and text; counts of what is odd are given where they are 0 too."""
    look = images.look
    assert look is not None
    height, width = dataset.image_size
    yield "data set", f"{dataset.name}, from {images.source}"
    yield "images", f"{len(images.train):,} training and {len(images.test):,} test images of {width}x{height} pixels"
    yield (
        "classes",
        f"{dataset.num_classes:,}, each with {_range(look.train)} training and {_range(look.test)} test images",
    )
    yield "mirrored in training", "yes" if dataset.flip else "no"
    yield "mean, std", "; ".join(" ".join(f"{value:.4f}" for value in values) for values in (images.mean, images.std))
    yield "fingerprint", images.fingerprint
    yield (
        "in both parts",
        f"{look.shared:,} of {len(images.test):,} test images are in the training part, pixel for pixel",
    )
    yield "equal pairs", f"{look.pairs:,}, of which {look.pairs_relabelled:,} are under different classes"
    yield "of one colour", f"{look.constant:,}"


def _range(counts: tuple[int, ...]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
