"""Labels from anyone's own array file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelbench import InputError, LabelSet, PluginError, hookimpl
from labelbench_labels.arguments import Provider
from labelbench_labels.fetching import sha256_of

if TYPE_CHECKING:
    from labelbench import Dataset


@hookimpl
def register_labels() -> Mapping[str, Provider]:
    """Labels read from files."""
    return {"npy": npy}


def npy(dataset: Dataset, argument: str) -> LabelSet:
    """Targets from a .npy file of shape (classes, length) or (classes, side, side): npy:PATH.

    Row i is class i of the data set; any real numbers, finite as float32, no two rows equal, side a multiple of 16. The
    loss is smooth L1.

    Raises:
        InputError: no such file, or one that holds anything else; the message says what came and what was expected.
    """
    if not argument:
        raise InputError("label npy needs a file: npy:PATH, an array (classes, length) or (classes, side, side)")
    path = Path(argument).expanduser()
    array = read_array(path)
    expected = f"({dataset.num_classes}, length) or ({dataset.num_classes}, side, side)"
    if array.shape[:1] != (dataset.num_classes,) or array.ndim not in (2, 3):
        raise InputError(
            f"label file {path} has shape {array.shape}; expected {expected} for the {dataset.num_classes} classes "
            f"of {dataset.name}"
        )
    provenance = {"recipe": "array file", "file": path.name, "sha256": sha256_of(path), "dtype": str(array.dtype)}
    try:
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is refused as that
            return LabelSet(array, provenance=provenance)
    except PluginError as error:
        raise InputError(f"label file {path}: {error}") from error


def read_array(path: Path) -> np.ndarray:
    """The array of a ``.npy`` file, mapped and not yet read: a header that lies about its size costs no memory.

    Raises:
        InputError: no file, no array, or an array of Python objects, which only unpickling could read.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"label file {path} {what}; expected an array file written by numpy.save")
    try:
        with path.open("rb") as file:
            if file.read(6) != b"\x93NUMPY":
                raise InputError(f"label file {path} is no array file; expected one written by numpy.save")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except PermissionError as error:
        raise InputError(f"label file {path} may not be read; allow it") from error
    except (ValueError, OverflowError, EOFError, OSError) as error:
        if "objects" in str(error).lower():
            raise InputError(
                f"label file {path} holds Python objects, which are not read; expected an array of numbers"
            ) from error
        raise InputError(f"label file {path} is damaged ({error}); write it again with numpy.save") from error
    return np.asarray(array)
