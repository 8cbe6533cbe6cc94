"""Labels that a script gives as arrays: kept by their content, so that every process of a run reads the same."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelbench.errors import InputError, PluginError
from labelbench.files import write_atomic
from labelbench.labels import LabelSet

if TYPE_CHECKING:
    from labelbench.datasets import Dataset

_NOTE = "given as an array in Python, where alone it can be trained again"


class ArrayLabel:
    """Targets that a script gave, row i for class i; the loss is smooth L1.

    Args:
        path: of the file that :func:`kept_arrays` wrote; its name is the hash of the targets.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, dataset: Dataset) -> LabelSet:
        """The label set."""
        provenance = {"recipe": "array given in Python", "sha256": self._path.stem, "notes": [_NOTE]}
        return LabelSet(np.load(self._path, allow_pickle=False), provenance=provenance)

    def check(self, dataset: Dataset) -> None:
        """Refuse a data set of another number of classes.

        Raises:
            InputError: it has.
        """
        rows = len(np.load(self._path, mmap_mode="r", allow_pickle=False))
        if rows != dataset.num_classes:
            raise InputError(
                f"a label array has {rows} rows; expected {dataset.num_classes}, one for each class of {dataset.name}"
            )


def kept_arrays(arrays: Mapping[str, Any], folder: Path) -> tuple[tuple[str, Path], ...]:
    """Name and file of each array, written to the folder under the hash of its targets.

    Raises:
        InputError: a name that none can have, or an array that is no label.
        MachineError: the disk refuses.
    """
    kept = []
    for name, array in arrays.items():
        if not isinstance(name, str) or not name.strip() or set(":,=") & set(name) or not name.isprintable():
            raise InputError(f"label name {name!r}; expected printable text without colon, comma or equals sign")
        try:
            labels = LabelSet(array)
        except PluginError as error:
            raise InputError(f"label {name!r}: {error}") from error
        file = folder.absolute() / f"{labels.sha256}.npy"
        if not file.exists():
            buffer = io.BytesIO()
            np.save(buffer, labels.targets)
            write_atomic(file, buffer.getvalue())
        kept.append((name, file))
    return tuple(kept)
