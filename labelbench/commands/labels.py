"""What the commands about labels alone do: draw them, write them, fetch what they need."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from labelbench.arguments import Signature, expanded
from labelbench.charts.labels import distance_matrices, gallery, picture
from labelbench.commands.options import settings_of
from labelbench.datasets import Dataset
from labelbench.errors import InputError
from labelbench.files import write_atomic
from labelbench.labels import LabelSet
from labelbench.plugins import plugins
from labelbench.registry import find_dataset, label
from labelbench.runs import label_of_run
from labelbench.settings import use_settings
from labelbench.suite import Suite


def draw_labels(options: dict[str, Any]) -> None:
    """Write a picture of labels, or the array of one."""
    names = options["names"] or Suite.load("quick").labels
    output: Path = options["output"]
    with use_settings(settings_of(options)):
        dataset = find_dataset(options["dataset"])
        if options["form"] is not None:
            data = _array(names, dataset, options["form"], output)
        elif output.suffix == ".npy":
            raise InputError(f"{output} is the name of an array; add --format npy, or name a picture")
        else:
            sets = {name: _built(name, dataset) for name in names}
            if options["distances"]:
                figure = distance_matrices(sets, dataset.class_names)
            else:
                figure = gallery(sets, dataset.class_names, options["classes"])
            data = picture(figure, output.suffix.removeprefix("."))
    write_atomic(output, data)


def fetch_for_label(name: str, options: dict[str, Any]) -> str:
    """Fetch what a label needs; returns a line that says what is where.

    Raises:
        InputError: the label needs nothing that could be fetched.
    """
    entry, argument = plugins().find("label", name)
    fetch = getattr(entry.function, "fetch", None)
    if fetch is None:
        raise InputError(f"label {name!r} needs nothing that could be fetched; it can be used as it is")
    arguments = Signature.of(fetch, ()).read(f"label {entry.name}", entry.name, argument)
    with use_settings(settings_of(options)):
        return str(fetch(**expanded(arguments)))


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
